// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

// What the API server puts around a sentence.
const (
	invalid    = `NSM.nsm.networkservicemesh.io "mesh" is invalid: `
	byDefaults = `admission webhook "defaults.nsm.networkservicemesh.io" denied the request: ` + invalid
	byWebhook  = `admission webhook "validation.nsm.networkservicemesh.io" denied the request: ` + invalid
	// incomplete ends the list where mistakes of some kinds keep the API server
	// from looking for others.
	incomplete = `<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation`
)

// mistake is a spec that is refused, and the sentence that says why.
type mistake struct{ what, version, spec, message string }

// schemaMistakes are those that the schema finds, without any webhook.
var schemaMistakes = []mistake{
	{"no forwarders", v1beta1, `{forwarders: []}`,
		`spec.forwarders: Required value: must hold at least one forwarder; leave the field out for one of type vpp`},
	{"two forwarders with one name", v1beta1, `{forwarders: [{name: a, type: vpp}, {name: a, type: ovs}]}`,
		`spec.forwarders: Invalid value: a is the name of more than one forwarder: each needs a name of its own`},
	{"a forwarder with the name that another one gets", v1beta1, `{forwarders: [{type: vpp}, {name: forwarder-vpp, type: ovs}]}`,
		`spec.forwarders: Invalid value: forwarder-vpp is the name of more than one forwarder: each needs a name of its own`},
	{"an unknown forwarder type", v1beta1, `{forwarders: [{name: a, type: dpdk}]}`,
		`[spec.forwarders[0].type: Unsupported value: "dpdk": supported values: "vpp", "ovs", "sriov", ` + incomplete + `]`},
	{"a release before the first", v1beta1, `{version: v0.9.0}`,
		`spec.version: Invalid value: "v0.9.0": must be an NSM release from v1.0.0 up, written in full, such as v1.18.0`},
	{"a release without v", v1beta1, `{version: "1.18.0"}`,
		`spec.version: Invalid value: "1.18.0": must be an NSM release from v1.0.0 up, written in full, such as v1.18.0`},
	{"an image with spaces", v1beta1, `{nsmgr: {image: "ghcr.io/x y"}}`,
		`spec.nsmgr.image: Invalid value: "ghcr.io/x y": must be an image reference without spaces, such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0`},
	{"a negative replica count", v1beta1, `{registry: {replicas: -1}}`,
		`spec.registry.replicas: Invalid value: -1: spec.registry.replicas in body should be greater than or equal to 1`},
	{"a memory registry with three replicas", v1beta1, `{registry: {type: memory, replicas: 3}}`,
		`spec.registry.replicas: Invalid value: must be 1 with spec.registry.type memory, since such a registry keeps its entries in one process; with type k8s there can be more`},
	{"an env entry twice", v1beta1, `{nsmgr: {env: [{name: A, value: "1"}, {name: A, value: "2"}]}}`,
		`spec.nsmgr.env[1]: Duplicate value: {"name":"A"}`},
	{"a wrong log level", v1beta1, `{logLevel: loud}`,
		`[spec.logLevel: Unsupported value: "loud": supported values: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", ` + incomplete + `]`},
	{"a bad CIDR", v1beta1, `{nsmgr: {excludedPrefixes: ["10.0.0.0/40"]}}`,
		`spec.nsmgr.excludedPrefixes[0]: Invalid value: "10.0.0.0/40": must be an IP prefix in CIDR notation, such as 10.96.0.0/12`},
	{"a negative duration", v1beta1, `{upgrade: {progressDeadline: "-5m"}}`,
		`spec.upgrade.progressDeadline: Invalid value: "-5m": must be a duration longer than zero, such as 10s or 1m30s`},
	{"a duration of zero", v1beta1, `{telemetry: {openTelemetry: {exportInterval: 0s}}}`,
		`spec.telemetry.openTelemetry.exportInterval: Invalid value: "0s": must be a duration longer than zero, such as 10s or 1m30s`},
	{"a device selector for sriov", v1beta1, `{forwarders: [{name: s, type: sriov, deviceSelector: {hostPath: /a}}]}`,
		`spec.forwarders[0].deviceSelector: Forbidden: is for a forwarder of type vpp or ovs only, and the type of this one is sriov`},
	{"VPP's settings for ovs", v1beta1, `{forwarders: [{name: o, type: ovs, vpp: {init: NONE}}]}`,
		`spec.forwarders[0].vpp: Forbidden: is for a forwarder of type vpp only, and the type of this one is ovs`},
	{"an address that ovs shall choose", v1beta1, `{forwarders: [{name: v, type: vpp, tunnelIP: Auto}, {name: o, type: ovs, tunnelIP: Auto}]}`,
		`spec.forwarders[1].tunnelIP: Invalid value: must be Node: a forwarder of type ovs does not choose an address, and does not start without one`},
	{"a file from nowhere", v1beta1, `{forwarders: [{name: s, type: sriov, sriovConfig: {}}]}`,
		`spec.forwarders[0].sriovConfig: Invalid value: must have exactly one of configMap and hostPath`},
	{"a path that goes up", v1beta1, `{images: {repository: a/../b}}`,
		`spec.images.repository: Invalid value: "a/../b": must be the path within the image registry: names of lower case letters, digits and single dots, dashes or underscores, with slashes between them, such as networkservicemesh`},
	{"a Secret that cannot be", v1beta1, `{images: {pullSecrets: [{name: "a b"}]}}`,
		`spec.images.pullSecrets[0].name: Invalid value: "a b": must be the name of a Secret: lower case letters, digits, dashes and dots`},
	{"a class with a space", v1beta1, `{spire: {className: "a b"}}`,
		`spec.spire.className: Invalid value: "a b": must be the class name of a SPIRE controller manager: letters, digits, dashes, dots and underscores`},
	{"a ConfigMap that cannot be", v1beta1, `{forwarders: [{type: sriov, sriovConfig: {configMap: {name: "A", key: a}}}]}`,
		`spec.forwarders[0].sriovConfig.configMap.name: Invalid value: "A": must be the name of a ConfigMap: lower case letters, digits, dashes and dots`},
	{"a key that cannot be", v1beta1, `{forwarders: [{type: sriov, sriovConfig: {configMap: {name: a, key: "a/b"}}}]}`,
		`spec.forwarders[0].sriovConfig.configMap.key: Invalid value: "a/b": must be a key of a ConfigMap: letters, digits, dashes, dots and underscores, such as sriov.config`},
	{"a mechanism in small letters", v1beta1, `{forwarders: [{type: vpp, mechanismPriority: [vxlan]}]}`,
		`spec.forwarders[0].mechanismPriority[0]: Invalid value: "vxlan": must be the name of a mechanism in capitals, such as VXLAN or WIREGUARD`},
	{"a bridge with a slash", v1beta1, `{forwarders: [{type: ovs, ovs: {bridge: "a/b"}}]}`,
		`spec.forwarders[0].ovs.bridge: Invalid value: "a/b": must be the name of a bridge, without spaces and slashes, such as br-nsm`},
	{"a client's variable with a space", v1beta1, `{admissionWebhook: {client: {env: [{name: "A B"}]}}}`,
		`spec.admissionWebhook.client.env[0].name: Invalid value: "A B": must be the name of a variable, without spaces, = and commas, such as NSM_LOG_LEVEL`},
	{"a client's value with a comma", v1beta1, `{admissionWebhook: {client: {env: [{name: A, value: "1,2"}]}}}`,
		`spec.admissionWebhook.client.env[0].value: Invalid value: "1,2": must not contain = or commas: NSM's webhook takes those for the end of the value`},
	{"a trust domain in capitals", v1beta1, `{interdomain: {federatesWith: [NSM]}}`,
		`spec.interdomain.federatesWith[0]: Invalid value: "NSM": must be a SPIFFE trust domain: lower case letters, digits, dots, dashes and underscores, such as nsm.cluster2`},
	{"a quantity that is neither a whole number nor text", v1beta1, `{nsmgr: {resources: {limits: {cpu: 1.5}}}}`,
		`[spec.nsmgr.resources.limits.cpu: Invalid value: "number": spec.nsmgr.resources.limits.cpu in body must be of type integer,string: "number", ` + incomplete + `]`},
	{"a forwarder's name too long", v1beta1, `{forwarders: [{name: ` + strings.Repeat("a", 53) + `, type: vpp}]}`,
		`[spec.forwarders[0].name: Too long: may not be more than 52 bytes, ` + incomplete + `]`},
	{"a forwarder's name with capitals", v1beta1, `{forwarders: [{name: Bad_Name, type: vpp}]}`,
		`spec.forwarders[0].name: Invalid value: "Bad_Name": must be lower case letters, digits and dashes, such as forwarder-vpp`},
	{"a forwarder with the name of another part", v1beta1, `{forwarders: [{name: nsmgr, type: vpp}]}`,
		`spec.forwarders[0].name: Invalid value: "nsmgr": is the name of another part of the mesh; choose a name such as forwarder-vpp`},
	{"a socket that is no URL", v1beta1, `{spire: {agentSocket: /run/spire}}`,
		`spec.spire.agentSocket: Invalid value: "/run/spire": must be the URL of a unix socket in a directory, without . and .. in its path, such as unix:///run/spire/sockets/agent.sock`},
	{"a socket in a directory that goes up", v1beta1, `{spire: {agentSocket: "unix:///run/../agent.sock"}}`,
		`spec.spire.agentSocket: Invalid value: "unix:///run/../agent.sock": must be the URL of a unix socket in a directory, without . and .. in its path, such as unix:///run/spire/sockets/agent.sock`},
	{"a file that goes up", v1beta1, `{forwarders: [{type: vpp, sriovConfig: {hostPath: /etc/../x}}]}`,
		`spec.forwarders[0].sriovConfig.hostPath: Invalid value: "/etc/../x": must be the absolute path of a file on each node, without . and .. in it`},
	{"an image registry that is a URL", v1beta1, `{images: {registry: "https://ghcr.io"}}`,
		`spec.images.registry: Invalid value: "https://ghcr.io": must be the host of an image registry, and its port if it has one, such as ghcr.io`},
	{"nothing may be unavailable", v1beta1, `{upgrade: {maxUnavailable: 0}}`,
		`spec.upgrade.maxUnavailable: Invalid value: 0: must be a number from 1 up or a percentage from 1% to 100%`},
	{"an unknown forwarder type in v1alpha1", v1alpha1, `{forwarders: [{type: dpdk}]}`,
		`spec.forwarders[0].type: Unsupported value: "dpdk": supported values: "vpp", "ovs", "sriov"`},
}

var _ = Describe("Validation", func() {
	AfterEach(removeAll)

	refused := func(ctx SpecContext, version, spec, message string) {
		Expect(admin.Create(ctx, nsm(version, spec))).To(MatchError(message))
	}

	for _, mistake := range schemaMistakes {
		It("by the schema: "+mistake.what, func(ctx SpecContext) {
			matcher := MatchError(invalid + mistake.message)
			if mistake.version == v1beta1 {
				matcher = beRefusedBySchema(invalid + mistake.message)
			}
			Expect(admin.Create(ctx, nsm(mistake.version, mistake.spec))).To(matcher)
		})
	}

	It("by the schema: several mistakes at once", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{version: v0.9.0, registry: {replicas: -1}, images: {registry: "https://x"}}`))).To(MatchError(And(
			ContainSubstring(`spec.registry.replicas: Invalid value: -1`),
			ContainSubstring(`spec.images.registry: Invalid value: "https://x"`),
			ContainSubstring(`spec.version: Invalid value: "v0.9.0"`))))
	})

	DescribeTable("by the webhook", refused,
		Entry("a release that YAML takes for a number", v1beta1, `{version: 1.18}`, byDefaults+
			`spec.version: Invalid value: 1.18: must be a string: write it in quotes`),
		Entry("several values of the wrong type", v1beta1, `{version: 1.18, forwarders: [{name: a, type: vpp}, {name: b, type: ovs, env: text}], upgrade: {progressDeadline: soon}}`, byDefaults+
			`[spec.forwarders[1].env: Invalid value: "text": must be a list, `+
			`spec.upgrade.progressDeadline: Invalid value: "soon": must be a duration such as 10s or 1m30s, `+
			`spec.version: Invalid value: 1.18: must be a string: write it in quotes]`),
		Entry("a list where a text belongs", v1beta1, `{nsmgr: {image: [a]}}`, byDefaults+
			`spec.nsmgr.image: Invalid value: ["a"]: must be a string`),
		Entry("vL3 before NSM has it", v1beta1, `{version: v1.2.0, vl3: {}}`, byWebhook+
			`spec.vl3: Forbidden: must be left out with NSM v1.2.0: NSM has IP address managers of vL3 networks from v1.3.0 on`),
		Entry("a dashboard before NSM has it", v1beta1, `{version: v1.11.2, dashboard: {}}`, byWebhook+
			`spec.dashboard: Forbidden: must be left out with NSM v1.11.2: NSM has a dashboard from v1.12.0 on`),
		Entry("an IP address manager with a forwarder's name", v1beta1, `{forwarders: [{name: shared, type: vpp}], vl3: {ipams: [{}, {name: shared}]}}`, byWebhook+
			`spec.vl3.ipams[1].name: Invalid value: "shared": is the name of a forwarder, too: each part of the mesh needs a name of its own`),
		Entry("an IPv4 prefix smaller than a block", v1beta1, `{vl3: {ipams: [{prefix: 10.0.0.0/26}]}}`, byWebhook+
			`spec.vl3.ipams[0].clientPrefixLength: Required value: the prefix 10.0.0.0/26 is smaller than the block that an endpoint is given by default, /24: give the length of a block, from 26 to 32`),
		Entry("an IPv6 prefix smaller than a block", v1beta1, `{vl3: {ipams: [{prefix: "2001:db8::/120"}]}}`, byWebhook+
			`spec.vl3.ipams[0].clientPrefixLength: Required value: the prefix 2001:db8::/120 is smaller than the block that an endpoint is given by default, /112: give the length of a block, from 120 to 128`),
		Entry("blocks larger than the prefix", v1beta1, `{vl3: {ipams: [{clientPrefixLength: 12}]}}`, byWebhook+
			`spec.vl3.ipams[0].clientPrefixLength: Invalid value: 12: must be from 16 to 32: an endpoint is given a block out of the prefix 172.16.0.0/16`),
		Entry("blocks of more bits than IPv4 has", v1beta1, `{vl3: {ipams: [{prefix: 10.0.0.0/8, clientPrefixLength: 64}]}}`, byWebhook+
			`spec.vl3.ipams[0].clientPrefixLength: Invalid value: 64: must be from 8 to 32: an endpoint is given a block out of the prefix 10.0.0.0/8`),
		Entry("true where a text belongs", v1beta1, `{nsmgr: {env: [{name: A, value: true}]}}`, byDefaults+
			`spec.nsmgr.env[0].value: Invalid value: true: must be a string: write it in quotes`),
		Entry("a number that is too large", v1beta1, `{registry: {replicas: 1099511627776}}`, byDefaults+
			`spec.registry.replicas: Invalid value: 1099511627776: must be a whole number of at most 2147483647`),
		Entry("a negative limit", v1beta1, `{nsmgr: {resources: {limits: {cpu: "-1"}}}}`, byWebhook+
			`spec.nsmgr.resources.limits[cpu]: Invalid value: "-1": must be 0 or more`),
		Entry("a limit in bytes", v1beta1, `{nsmgr: {resources: {limits: {memory: 128}}}}`, byWebhook+
			`spec.nsmgr.resources.limits[memory]: Invalid value: "128": is in bytes, and no program starts with so few: write a unit, such as 128Mi`),
		Entry("an injected image after which no container can be named", v1beta1, `{admissionWebhook: {client: {image: "a/cmd_nsc:v1.18.0"}}}`, byWebhook+
			`spec.admissionWebhook.client.image: Invalid value: "a/cmd_nsc:v1.18.0": NSM's webhook would name a container "cmd_nsc", after the last part of the image, and Kubernetes would refuse it: that part must be lower case letters, digits and dashes, and may have a tag and a digest behind it, such as cmd-nsc:v1.18.0`),
		Entry("a mirror after whose names no container can be named", v1beta1, `{images: {template: "example.com/nsm_{name}:{version}"}}`, byWebhook+
			`[spec.images.template: Invalid value: "example.com/nsm_cmd-nsc:v1.0.0": NSM's webhook would name a container "nsm_cmd-nsc", after the last part of the image, and Kubernetes would refuse it: that part must be lower case letters, digits and dashes, and may have a tag and a digest behind it, such as cmd-nsc:v1.18.0, `+
			`spec.images.template: Invalid value: "example.com/nsm_cmd-nsc-init:v1.0.0": NSM's webhook would name a container "nsm_cmd-nsc-init", after the last part of the image, and Kubernetes would refuse it: that part must be lower case letters, digits and dashes, and may have a tag and a digest behind it, such as cmd-nsc:v1.18.0]`),
		Entry("a template of no image", v1beta1, `{images: {template: "Example.com/A/{name}:{version}"}, admissionWebhook: {enabled: false}}`, byWebhook+
			`spec.images.template: Invalid value: "Example.com/A/{name}:{version}": must be an image reference such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0: invalid reference format: repository name (A/cmd-nsmgr) must be lowercase`),
		Entry("an override of no image of NSM's", v1beta1, `{images: {overrides: {nsmgr: "a/b:1"}}}`, byWebhook+
			`spec.images.overrides[nsmgr]: Unsupported value: "nsmgr": supported values: "cmd-admission-webhook-k8s", "cmd-cluster-info-k8s", "cmd-csi-driver", "cmd-dashboard-backend", "cmd-dashboard-ui", "cmd-exclude-prefixes-k8s", "cmd-forwarder-ovs", "cmd-forwarder-sriov", "cmd-forwarder-vpp", "cmd-ipam-vl3", "cmd-map-ip-k8s", "cmd-nsc", "cmd-nsc-init", "cmd-nsmgr", "cmd-nsmgr-proxy", "cmd-registry-k8s", "cmd-registry-memory", "cmd-registry-proxy-dns", "csi-node-driver-registrar"`),
		Entry("an override by no image", v1beta1, `{images: {overrides: {cmd-nsmgr: "a b"}}}`, byWebhook+
			`spec.images.overrides[cmd-nsmgr]: Invalid value: "a b": must be an image reference such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0: invalid reference format`),
		Entry("an override by nothing", v1beta1, `{images: {overrides: {cmd-nsmgr: ""}}}`, byWebhook+
			`spec.images.overrides[cmd-nsmgr]: Required value: give the reference of an image, or leave the entry out`),
		Entry("overrides by which both containers have one name", v1beta1, `{images: {overrides: {cmd-nsc: "a/client:1", cmd-nsc-init: "b/client:1"}}}`, byWebhook+
			`spec.images.overrides[cmd-nsc]: Invalid value: "a/client:1": NSM's webhook would name both of its containers "client", after the last part of their images: must end in another name than spec.images.overrides[cmd-nsc-init]`),
		Entry("two containers of one name", v1beta1, `{admissionWebhook: {client: {image: "a/client:b", initImage: "c/client:d"}}}`, byWebhook+
			`spec.admissionWebhook.client.image: Invalid value: "a/client:b": NSM's webhook would name both of its containers "client", after the last part of their images: must end in another name than spec.admissionWebhook.client.initImage`),
		Entry("a client's request above the limit that it has anyway", v1beta1, `{admissionWebhook: {client: {resources: {requests: {memory: 1Gi}}}}}`, byWebhook+
			`spec.admissionWebhook.client.resources.requests[memory]: Invalid value: "1Gi": must be at most the limit, which is 80Mi; spec.admissionWebhook.client.resources.limits[memory] raises it`),
		Entry("a client's limit in bytes", v1beta1, `{admissionWebhook: {client: {resources: {limits: {memory: 128}}}}}`, byWebhook+
			`spec.admissionWebhook.client.resources.limits[memory]: Invalid value: "128": is in bytes, and no program starts with so few: write a unit, such as 128Mi`),
		Entry("labels that no namespace can have", v1beta1, `{openshift: {clientNamespaces: {matchLabels: {team: "net work"}}}}`, byWebhook+
			`spec.openshift.clientNamespaces.matchLabels: Invalid value: "net work": `+badLabel),
		Entry("an operator that selectors do not have", v1beta1, `{openshift: {clientNamespaces: {matchExpressions: [{key: a, operator: in, values: [b]}]}}}`, byWebhook+
			`spec.openshift.clientNamespaces.matchExpressions[0].operator: Invalid value: "in": not a valid selector operator`),
		Entry("no object", v1beta1, `nonsense`, byDefaults+
			`spec: Invalid value: "nonsense": must be an object`),
		Entry("interdomain elsewhere", v1beta1, `{interdomain: {}}`, byWebhook+
			`spec.interdomain: Forbidden: must be left out in namespace "nsm": other domains look for registry.nsm-system and nsmgr-proxy.nsm-system, so only an NSM in namespace nsm-system can be reached`),
		Entry("requests above limits", v1beta1, `{nsmgr: {resources: {requests: {cpu: "2"}, limits: {cpu: "1"}}}}`, byWebhook+
			`spec.nsmgr.resources.requests[cpu]: Invalid value: "2": must be at most the limit, which is 1; spec.nsmgr.resources.limits[cpu] raises it`),
		Entry("requests above published limits", v1beta1, `{nsmgr: {resources: {requests: {cpu: "2"}}}}`, byWebhook+
			`spec.nsmgr.resources.requests[cpu]: Invalid value: "2": must be at most the limit, which is 400m; spec.nsmgr.resources.limits[cpu] raises it`),
		Entry("several mistakes", v1beta1, `{version: v1.0.0, forwarders: [{name: o, type: ovs}], nsmgr: {image: "::"}, interdomain: {}}`, byWebhook+
			`[spec.forwarders[0].type: Invalid value: "ovs": must be vpp or sriov: NSM v1.0.0 has no other forwarder, `+
			`spec.nsmgr.image: Invalid value: "::": must be an image reference such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0: invalid reference format, `+
			`spec.interdomain: Forbidden: must be left out in namespace "nsm": other domains look for registry.nsm-system and nsmgr-proxy.nsm-system, so only an NSM in namespace nsm-system can be reached]`),

		Entry("v1alpha1: a release that YAML takes for a number, and more", v1alpha1, `{version: 1.18, registry: 5, nsmLogLevel: loud}`, byDefaults+
			`[spec.registry: Invalid value: 5: must be a string (the image registry's host) or an object (the NSM registry), `+
			`spec.version: Invalid value: 1.18: must be a string: write it in quotes, `+
			`spec.nsmLogLevel: Unsupported value: "loud": supported values: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]`),
		Entry("v1alpha1: a replica count in quotes", v1alpha1, `{registry: {type: k8s, replicaCount: "3"}}`, byDefaults+
			`spec.registry.replicaCount: Invalid value: "3": must be a whole number`),
		Entry("v1alpha1: an unknown field where no schema looks", v1alpha1, `{registry: {type: k8s, size: 2}}`, byDefaults+
			`spec.registry.size: Forbidden: v1alpha1 has no such field; an NSM registry has type, replicaCount, image and envVars`),
		Entry("v1alpha1: an unknown field that v1beta1 has", v1alpha1, `{registry: {tpye: memory, replicas: 2}}`, byDefaults+
			`[spec.registry.replicas: Forbidden: v1alpha1 has no such field; an NSM registry has type, replicaCount, image and envVars, `+
			`spec.registry.tpye: Forbidden: v1alpha1 has no such field; an NSM registry has type, replicaCount, image and envVars]`),
		Entry("v1alpha1: no forwarders", v1alpha1, `{forwarders: []}`, byWebhook+
			`spec.forwarders: Required value: must hold at least one forwarder; leave the field out for one of type vpp`),
		Entry("v1alpha1: the flat shape", v1alpha1, `{tag: v0.9.0, registry: "https://x", organization: "A B", nsmgrImage: "a b/c", forwardingPlaneName: X_Y, forwardingPlaneImage: "b c/d"}`, byWebhook+
			`[spec.forwardingPlaneImage: Invalid value: "b c/d": must be an image reference without spaces, such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0, `+
			`spec.forwardingPlaneName: Invalid value: "X_Y": must be lower case letters, digits and dashes, such as forwarder-vpp, `+
			`spec.registry: Invalid value: "https://x": must be the host of an image registry, and its port if it has one, such as ghcr.io, `+
			`spec.organization: Invalid value: "A B": must be the path within the image registry: names of lower case letters, digits and single dots, dashes or underscores, with slashes between them, such as networkservicemesh, `+
			`spec.nsmgrImage: Invalid value: "a b/c": must be an image reference without spaces, such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0, `+
			`spec.tag: Invalid value: "v0.9.0": must be an NSM release from v1.0.0 up, written in full, such as v1.18.0]`),
		Entry("v1alpha1: the nested shape", v1alpha1, `{version: v1.8.0, registry: {type: memory, replicaCount: 3, envVars: [{name: A}, {name: A}]}, spireAgentSocket: x, forwarders: [{Name: Bad_Name}, {name: x}, {name: x}]}`, byWebhook+
			`[spec.forwarders: Invalid value: x is the name of more than one forwarder: each needs a name of its own, `+
			`spec.forwarders[0].Name: Invalid value: "Bad_Name": must be lower case letters, digits and dashes, such as forwarder-vpp, `+
			`spec.registry.envVars[1]: Duplicate value: {"name":"A"}, `+
			`spec.registry.replicaCount: Invalid value: must be 1 with spec.registry.type memory, since such a registry keeps its entries in one process; with type k8s there can be more, `+
			`spec.spireAgentSocket: Invalid value: "x": must be the URL of a unix socket in a directory, without . and .. in its path, such as unix:///run/spire/sockets/agent.sock]`),
		Entry("v1alpha1: a negative replica count", v1alpha1, `{registry: {type: k8s, replicaCount: -1}}`, byWebhook+
			`spec.registry.replicaCount: Invalid value: -1: should be greater than or equal to 1`),
		Entry("v1alpha1: an unknown registry", v1alpha1, `{registry: {type: etcd}}`, byWebhook+
			`spec.registry.type: Unsupported value: "etcd": supported values: "k8s", "memory"`),
		Entry("v1alpha1: a forwarder with the name of another part", v1alpha1, `{forwarders: [{type: vpp, name: nsmgr}]}`, byWebhook+
			`spec.forwarders[0].name: Invalid value: "nsmgr": is the name of another part of the mesh; choose a name such as forwarder-vpp`),
		Entry("v1alpha1: a forwarder with the name of everybody's ServiceAccount", v1alpha1, `{forwardingPlaneName: default}`, byWebhook+
			`spec.forwardingPlaneName: Invalid value: "default": is the name of another part of the mesh; choose a name such as forwarder-vpp`),
		Entry("v1alpha1: a forwarder's name too long", v1alpha1, `{forwarders: [{type: vpp, name: `+strings.Repeat("a", 53)+`}]}`, byWebhook+
			`spec.forwarders[0].name: Too long: may not be more than 52 bytes`),
	)

	DescribeTable("of an NSM's name", func(ctx SpecContext, version string, length int, message string) {
		refusal := beRefusedBySchema
		if version == v1alpha1 {
			refusal = func(message string) gomegatypes.GomegaMatcher { return MatchError(message) }
		}
		long := nsm(version, `{}`)
		long.SetName(strings.Repeat("n", length))
		if message == "" {
			Expect(admin.Create(ctx, long)).To(Succeed())
			return
		}
		Expect(admin.Create(ctx, long)).To(refusal(strings.ReplaceAll(message, "NAME", long.GetName())))
	},
		Entry("v1beta1, just so", v1beta1, 63, ""),
		Entry("v1beta1, too long", v1beta1, 64,
			`NSM.nsm.networkservicemesh.io "NAME" is invalid: <nil>: Invalid value: metadata.name must be at most 63 characters long: it becomes the value of a label`),
		Entry("v1alpha1, too long", v1alpha1, 64,
			`admission webhook "validation.nsm.networkservicemesh.io" denied the request: NSM.nsm.networkservicemesh.io "NAME" is invalid: metadata: Invalid value: metadata.name must be at most 63 characters long: it becomes the value of a label`),
	)

	It("refuses unknown fields where the client asks for it, as kubectl does", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgrs: {}}`), client.FieldValidation("Strict"))).
			To(MatchError(ContainSubstring(`unknown field "spec.nsmgrs"`)))
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgrs: {}}`))).To(Succeed())
		Expect(warned.take()).To(ConsistOf(`unknown field "spec.nsmgrs"`))
	})

	Context("beside another mesh", func() {
		const (
			mine    = `nsmgr: {nodeSelector: {mesh: a}}, forwarders: [{name: vpp, type: vpp, nodeSelector: {mesh: a}}]`
			theirs  = `nsmgr: {nodeSelector: {mesh: b}}, forwarders: [{name: vpp, type: vpp, nodeSelector: {mesh: b}}]`
			without = `, admissionWebhook: {enabled: false}`
		)

		second := func(ctx context.Context, namespace, first, spec string) error {
			GinkgoHelper()
			one := nsm(v1beta1, first)
			Expect(admin.Create(ctx, one)).To(Succeed())
			untilKnown(ctx, one)
			other := nsm(v1beta1, spec)
			other.SetNamespace(namespace)
			other.SetName("other")
			return admin.Create(ctx, other)
		}
		const refusal = `admission webhook "validation.nsm.networkservicemesh.io" denied the request: NSM.nsm.networkservicemesh.io "other" is invalid: metadata.name: Forbidden: "other" cannot live beside the NSM nsm/mesh: `

		It("refuses a second one in a namespace", func(ctx SpecContext) {
			Expect(second(ctx, namespace, `{`+mine+`}`, `{`+theirs+`}`)).To(MatchError(refusal +
				"a namespace holds one NSM: their objects have the same names"))
		})
		It("refuses a second one whose pods could meet the first's", func(ctx SpecContext) {
			Expect(second(ctx, otherNamespace, `{}`, `{`+theirs+without+`}`)).To(MatchError(ContainSubstring(refusal)))
		})
		It("refuses a second webhook and a second CSI driver", func(ctx SpecContext) {
			Expect(second(ctx, otherNamespace, `{csiDriver: {}, `+mine+`}`, `{csiDriver: {}, `+theirs+`}`)).To(MatchError(And(
				HavePrefix(refusal+"both would add the same containers to a pod"), ContainSubstring("set admissionWebhook.enabled: false in one of them"),
				ContainSubstring("leave csiDriver out of one of them"))))
		})
		It("takes a second one on other nodes, until it comes nearer", func(ctx SpecContext) {
			Expect(second(ctx, otherNamespace, `{`+mine+`}`, `{`+theirs+without+`}`)).To(Succeed())
			other := nsm(v1beta1, `{`+theirs+without+`}`)
			other.SetNamespace(otherNamespace)
			other.SetName("other")
			Expect(admin.Patch(ctx, other, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"nsmgr":{"nodeSelector":null}}}`)))).
				To(MatchError(ContainSubstring(refusal)))
		})
	})

	const outages = "spec.version: v1.14.2: connections are lost for about a minute whenever a registry restarts: v1.15.0 mends it (https://github.com/networkservicemesh/deployments-k8s/issues/13118)"

	DescribeTable("warns of what has no effect", func(ctx SpecContext, spec string, messages ...string) {
		object := nsm(v1beta1, spec)
		object.SetNamespace("nsm-system")
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(warned.take()).To(HaveExactElements(messages))
	},
		Entry("nothing", `{interdomain: {clusterName: one, clusterInfo: {}}}`),
		Entry("vL3 and a dashboard, in the first releases that have them", `{version: v1.12.0, dashboard: {}, vl3: {ipams: [{prefix: "2001:db8::/64"}, {name: a, prefix: 10.0.0.0/26, clientPrefixLength: 28}]}}`),
		Entry("the domain's name, in the first release that has it", `{version: v1.6.0, interdomain: {clusterName: one, clusterInfo: {}}}`),
		Entry("the domain's name, in a release before", `{version: v1.5.0, interdomain: {clusterName: one, clusterInfo: {}}}`,
			"spec.interdomain.clusterName: has no effect with NSM v1.5.0: it is from v1.6.0 on",
			"spec.interdomain.clusterInfo: has no effect with NSM v1.5.0: it is from v1.6.0 on"),
		Entry("telemetry, in the first release that has it", `{version: v1.2.0, telemetry: {openTelemetry: {}}}`),
		Entry("telemetry, in a release before", `{version: v1.1.0, telemetry: {openTelemetry: {}}}`,
			"spec.telemetry.openTelemetry: has no effect with NSM v1.1.0: it is from v1.2.0 on"),
		Entry("PodMonitors of metrics", `{telemetry: {prometheus: {enabled: true, podMonitor: true}}}`),
		Entry("PodMonitors of metrics that are off", `{telemetry: {prometheus: {podMonitor: true}}}`,
			"spec.telemetry.prometheus.podMonitor: has no effect as long as enabled is not true"),
		Entry("a request in bytes", `{nsmgr: {resources: {requests: {memory: 128}}}, admissionWebhook: {client: {resources: {requests: {memory: 40}}}}}`,
			"spec.nsmgr.resources.requests[memory]: 128 is in bytes: a unit is missing, as in 128Mi",
			"spec.admissionWebhook.client.resources.requests[memory]: 40 is in bytes: a unit is missing, as in 128Mi"),
		Entry("an image by a name that NSM never published", `{version: v1.8.0, admissionWebhook: {image: "ghcr.io/networkservicemesh/admission-webhook-k8s:v1.8.0"}}`,
			"spec.admissionWebhook.image: ghcr.io/networkservicemesh/admission-webhook-k8s:v1.8.0 was never published; "+
				"ghcr.io/networkservicemesh/cmd-admission-webhook-k8s:v1.8.0 is used in its place"),
		Entry("injected images by digest", `{admissionWebhook: {client: {image: "a/cmd-nsc@sha256:`+strings.Repeat("a", 64)+`", initImage: "a/cmd-nsc-init@sha256:`+strings.Repeat("b", 64)+`"}}}`),
		Entry("a mirror with one flat path, and one image by digest", `{images: {template: "example.com/mirror/nsm-{name}:{version}", overrides: {cmd-nsmgr: "example.com/nsmgr@sha256:`+strings.Repeat("a", 64)+`"}}}`),
		Entry("a client by tag and digest", `{admissionWebhook: {client: {image: "a/cmd-nsc:v1.18.0@sha256:`+strings.Repeat("a", 64)+`"}}}`),
		Entry("what a client is not given", `{admissionWebhook: {client: {resources: {limits: {example.com/a: 1}, requests: {ephemeral-storage: 1Gi}, claims: [{name: a}]}}}}`,
			"spec.admissionWebhook.client.resources.limits[example.com/a]: has no effect: NSM's webhook injects CPU and memory only",
			"spec.admissionWebhook.client.resources.requests[ephemeral-storage]: has no effect: NSM's webhook injects CPU and memory only",
			"spec.admissionWebhook.client.resources.claims: has no effect: NSM's webhook injects CPU and memory only"),
		Entry("what a client is given, in a release before", `{version: v1.1.0, admissionWebhook: {replicas: 1, client: {env: [{name: A}], resources: {}}}}`,
			"spec.admissionWebhook.client.env: has no effect with NSM v1.1.0: it is from v1.2.0 on",
			"spec.admissionWebhook.client.resources: has no effect with NSM v1.1.0: it is from v1.11.0 on"),
		Entry("fields with nothing behind them", `{csiDriver: null, interdomain: null, vl3: null, dashboard: null, telemetry: {openTelemetry: null}, nsmgr: null}`,
			"spec.csiDriver: is null, which is the same as leaving it out: write csiDriver: {} to turn it on",
			"spec.interdomain: is null, which is the same as leaving it out: write interdomain: {} to turn it on",
			"spec.vl3: is null, which is the same as leaving it out: write vl3: {} to turn it on",
			"spec.dashboard: is null, which is the same as leaving it out: write dashboard: {} to turn it on",
			"spec.telemetry.openTelemetry: is null, which is the same as leaving it out: write openTelemetry: {} to turn it on"),
		Entry("a release that is known to be broken", `{version: v1.14.3}`, outages),
		Entry("nothing of forwarders", `{forwarders: [{type: vpp, tunnelIP: Auto, mechanismPriority: [VXLAN]}, {type: ovs, tunnelIP: Node}, {type: sriov}]}`),
		Entry("tunnels of sriov", `{forwarders: [{type: vpp}, {type: sriov, tunnelIP: Auto}]}`,
			"spec.forwarders[1].tunnelIP: has no effect for a forwarder of type sriov, which has no tunnels"),
		Entry("an order of mechanisms for others than vpp", `{forwarders: [{type: ovs, mechanismPriority: [VXLAN]}, {type: sriov, mechanismPriority: [VXLAN]}]}`,
			"spec.forwarders[0].mechanismPriority: has no effect for a forwarder of type ovs: only vpp knows it",
			"spec.forwarders[1].mechanismPriority: has no effect for a forwarder of type sriov: only vpp knows it"),
		Entry("the kubelet's directory, in the first release whose forwarder mounts it", `{version: v1.1.0, kubeletDirectory: /data/kubelet}`),
		Entry("the kubelet's directory, in a release before", `{version: v1.0.0, kubeletDirectory: /data/kubelet}`,
			"spec.kubeletDirectory: has no effect: no part of this mesh mounts it with NSM v1.0.0"),
		Entry("the kubelet's directory, for a forwarder that has always mounted it", `{version: v1.0.0, kubeletDirectory: /data/kubelet, forwarders: [{type: sriov}]}`),
		Entry("the kubelet's directory, for a registry alone", `{kubeletDirectory: /data/kubelet, nsmgr: {enabled: false}}`,
			"spec.kubeletDirectory: has no effect: no part of this mesh mounts it with NSM v1.18.0"),
		Entry("forwarders on nodes that there are images for", `{nodeSelector: {kubernetes.io/arch: arm64}, forwarders: [{type: vpp, nodeSelector: {kubernetes.io/arch: amd64}}, {name: any, type: vpp, nodeSelector: {}}, {type: ovs}, {name: own, type: vpp, image: "a/b:1"}]}`),
		Entry("nodes that a release has an image for", `{version: v1.14.2, nodeSelector: {kubernetes.io/arch: arm64}}`, outages),
		Entry("an image of another one", `{nodeSelector: {kubernetes.io/arch: arm64}, images: {overrides: {cmd-forwarder-vpp: "a/b:1"}}}`),
		Entry("images of another one", `{nodeSelector: {kubernetes.io/arch: arm64}, images: {template: "a/{name}:{version}"}}`),
		Entry("a mesh of only such nodes without a forwarder", `{nodeSelector: {kubernetes.io/arch: arm64}}`,
			`spec.nodeSelector[kubernetes.io/arch]: is "arm64", for which NSM v1.18.0 publishes no vpp forwarder: must be amd64 for forwarder-vpp, unless that has an image of its own`),
		Entry("forwarders on such nodes", `{nodeSelector: {kubernetes.io/arch: arm64}, forwarders: [{type: ovs}, {name: one, type: vpp}, {name: other, type: vpp, nodeSelector: {kubernetes.io/arch: s390x}}]}`,
			`spec.nodeSelector[kubernetes.io/arch]: is "arm64", for which NSM v1.18.0 publishes no vpp forwarder: must be amd64 for one, unless that has an image of its own`,
			`spec.forwarders[2].nodeSelector[kubernetes.io/arch]: is "s390x", for which NSM v1.18.0 publishes no vpp forwarder: must be amd64 for other, unless that has an image of its own`),
	)

	DescribeTable("warns of a mesh that may get no identities", func(ctx SpecContext, namespace, spec string, messages ...string) {
		object := nsm(v1beta1, spec)
		object.SetNamespace(namespace)
		Expect(admin.Create(ctx, object, client.DryRunAll)).To(Succeed())
		Expect(warned.take()).To(HaveExactElements(messages))
	},
		Entry("nothing", namespace, `{spire: {className: spire-spire}}`),
		Entry("the longest class that fits into a label", namespace, `{spire: {className: `+strings.Repeat("a", 63)+`}}`),
		Entry("a class that does not fit into a label", namespace, `{spire: {className: `+strings.Repeat("a", 64)+`}}`,
			"spec.spire.className: has 64 characters, and a label at most 63: a SPIRE controller manager with filterByClassName, which looks for the class in a label, does not find the ClusterSPIFFEID"),
		Entry("a namespace that SPIRE ignores by its name", "kube-system", `{}`,
			`metadata.namespace: "kube-system" matches "kube-system", by which SPIRE's controller manager ignores namespaces unless its ignoreNamespaces says otherwise: the mesh gets no identities there`),
		Entry("one that it ignores by a part of its name", ignoredNamespace, `{spire: {}}`,
			`metadata.namespace: "my-openshift-nsm" matches "openshift-.*", by which SPIRE's controller manager ignores namespaces unless its ignoreNamespaces says otherwise: the mesh gets no identities there`),
		Entry("one where somebody else registers the workloads", ignoredNamespace, `{spire: {registration: None}}`),
	)

	Context("of a change", func() {
		DescribeTable("warns of releases that are known to break something", func(ctx SpecContext, from, to string, messages ...string) {
			Expect(admin.Create(ctx, nsm(v1beta1, `{version: `+from+`}`))).To(Succeed())
			warned.take()
			Expect(patch(ctx, v1beta1, `{"version":"`+to+`"}`)).To(Succeed())
			Expect(warned.take()).To(HaveExactElements(messages))
		},
			Entry("nothing", "v1.17.0", "v1.18.0"),
			Entry("policies", "v1.6.2", "v1.7.0",
				"spec.version: v1.7.0: registries check requests against policies that older managers and clients do not meet: give nsmgr and registry the variables NSM_REGISTRY_SERVER_POLICIES and NSM_REGISTRY_CLIENT_POLICIES with an empty value until all clients are upgraded (https://github.com/networkservicemesh/deployments-k8s/issues/8187)"),
			Entry("registry outages", "v1.14.1", "v1.14.2", outages),
			Entry("a forwarder for fewer nodes", "v1.14.2", "v1.14.3", outages,
				"spec.version: v1.14.3: the vpp forwarder is for amd64 alone from this release on: nodes of other architectures have none (https://github.com/networkservicemesh/govpp/pull/45)"),
			Entry("back", "v1.18.0", "v1.17.0",
				"spec.version: v1.17.0 is older than v1.18.0: NSM does not test the way back"),
			Entry("a release that nobody knows", "v1.18.0", "v1.99.0",
				"spec.version: v1.99.0 is not a release that this operator knows (the newest is v1.18.0); it is run like v1.18.0"),
			Entry("one between two known ones that nobody knows", "v1.6.2", "v1.6.7",
				"spec.version: v1.6.7 is not a release that this operator knows (the newest is v1.18.0); it is run like v1.6.2"),
		)

		It("warns in the words of v1alpha1", func(ctx SpecContext) {
			Expect(admin.Create(ctx, nsm(v1alpha1, `{tag: v1.18.0, version: v1.8.0}`))).To(Succeed())
			Expect(warned.take()).To(HaveExactElements(
				"nsm.networkservicemesh.io/v1alpha1 NSM is deprecated; use nsm.networkservicemesh.io/v1beta1 (kubectl get nsm NAME -o yaml shows an object in it)",
				"in v1beta1 write spec.version instead of spec.tag",
				`spec.version: "v1.8.0" has no effect beside spec.tag: "v1.18.0"`))
			Expect(patch(ctx, v1alpha1, `{"tag":"v1.17.0"}`)).To(Succeed())
			Expect(warned.take()).To(ContainElement("spec.tag: v1.17.0 is older than v1.18.0: NSM does not test the way back"))
		})

		It("tells of what only the operator of 2020 knew, and keeps it", func(ctx SpecContext) {
			const of2020 = `{registry: docker.io, org: networkservicemesh, tag: v1.0.0, pullPolicy: IfNotPresent, webhookName: nsm-admission-webhook, replicas: 1, insecure: "true", forwardingPlaneName: vpp, forwardingPlaneImage: vppagent-forwarder, spire: "false", jaegerTracing: "false"}`
			object := nsm(v1alpha1, of2020)
			Expect(admin.Create(ctx, object)).To(Succeed())
			told := warned.take()
			for _, field := range []string{"insecure", "jaegerTracing", "org", "pullPolicy", "replicas", "spire", "webhookName"} {
				Expect(told).To(ContainElement("spec." + field + ": has no effect: only the operator of 2020 knew it"))
			}
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(spec(nsm(v1alpha1, of2020))))
			var stored nsmv1beta1.NSM
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), &stored)).To(Succeed())
			Expect(conversion.Unknown(&stored)).To(ConsistOf("spec.insecure", "spec.jaegerTracing", "spec.org", "spec.pullPolicy",
				"spec.replicas", "spec.spire", "spec.webhookName"))
		})

		It("lets what was wrong before stand, but nothing new", func(ctx SpecContext) {
			exempt := nsm(v1alpha1, `{version: v1.8.0, nsmLogLevel: loud, registry: 5}`)
			withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, exempt)).To(Succeed()) })
			warned.take()

			Expect(patch(ctx, v1alpha1, `{"version":"v1.9.0"}`)).To(Succeed())
			Expect(warned.take()).To(ContainElements(
				`spec.nsmLogLevel: Unsupported value: "loud": supported values: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"`,
				`spec.registry: Invalid value: 5: must be a string (the image registry's host) or an object (the NSM registry)`))
			Expect(patch(ctx, v1alpha1, `{"nsmLogLevel":"louder"}`)).To(MatchError(byWebhook +
				`spec.nsmLogLevel: Unsupported value: "louder": supported values: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"`))
		})

		It("lets an NSM that is being deleted lose its finalizer, whatever its spec", func(ctx SpecContext) {
			broken := nsm(v1beta1, `{interdomain: {}}`)
			broken.SetFinalizers([]string{"test.example.com/keep"})
			withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, broken)).To(Succeed()) })
			Expect(admin.Delete(ctx, broken)).To(Succeed())
			Expect(admin.Patch(ctx, broken, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null},"spec":{"nsmgr":{"image":"::"}}}`)))).To(Succeed())
		})
	})

	Context("without the webhooks", Ordered, func() {
		It("still finds what the schema knows", func(ctx SpecContext) {
			withoutWebhooks(ctx, func() {
				for _, mistake := range schemaMistakes {
					Expect(admin.Create(ctx, nsm(mistake.version, mistake.spec))).To(beRefusedByServer(invalid+mistake.message), mistake.what)
				}
				Expect(admin.Create(ctx, nsm(v1beta1, `{version: 1.18}`))).To(beRefusedByServer(invalid +
					`[spec.version: Invalid value: "number": spec.version in body must be of type string: "number", ` + incomplete + `]`))
			})
		})
	})
})

var _ = Describe("Defaulting", func() {
	AfterEach(removeAll)

	It("writes the release and the names of forwarders, and nothing else", func(ctx SpecContext) {
		object := nsm(v1beta1, `{forwarders: [{type: vpp}, {type: ovs, name: mine}]}`)
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(spec(object)).To(Equal(spec(nsm(v1beta1,
			`{version: v1.18.0, forwarders: [{type: vpp, name: forwarder-vpp}, {type: ovs, name: mine}]}`))))
	})
	It("starts from nothing", func(ctx SpecContext) {
		object := nsm(v1beta1, `{}`)
		delete(object.Object, "spec")
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(spec(object)).To(Equal(map[string]any{"version": "v1.18.0"}))
	})
	It("writes the release into v1alpha1 too", func(ctx SpecContext) {
		object := nsm(v1alpha1, `{forwarders: [{Name: forwarder-vpp}]}`)
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(spec(object)).To(Equal(spec(nsm(v1alpha1, `{version: v1.18.0, forwarders: [{Name: forwarder-vpp}]}`))))
	})
	It("lets the same file be applied again, with a forwarder more", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{forwarders: [{type: vpp}]}`))).To(Succeed())
		// What "kubectl apply" makes of a file without names: the list as a whole.
		Expect(patch(ctx, v1beta1, `{"forwarders":[{"type":"vpp"}]}`)).To(Succeed())
		Expect(patch(ctx, v1beta1, `{"forwarders":[{"type":"vpp"},{"type":"ovs"}]}`)).To(Succeed())
		Expect(spec(in(ctx, v1beta1, nsm(v1beta1, `{}`)))).To(Equal(spec(nsm(v1beta1,
			`{version: v1.18.0, forwarders: [{type: vpp, name: forwarder-vpp}, {type: ovs, name: forwarder-ovs}]}`))))
	})
	DescribeTable("lets the same file be applied again by server-side apply", func(ctx SpecContext, version, spec, more string) {
		file := nsm(version, spec)
		apply := func(file *unstructured.Unstructured) *unstructured.Unstructured {
			Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(file.DeepCopy()), client.FieldOwner("flux"))).To(Succeed())
			return in(ctx, v1beta1, file)
		}
		first := apply(file)
		// With the second one the API server writes the status that is the default.
		second := apply(file)
		Expect(second.GetGeneration()).To(Equal(first.GetGeneration()))
		Expect(apply(file).GetResourceVersion()).To(Equal(second.GetResourceVersion()))
		forwarders, _, err := unstructured.NestedSlice(apply(nsm(version, more)).Object, "spec", "forwarders")
		Expect(err).NotTo(HaveOccurred())
		Expect(forwarders).To(ConsistOf(HaveKeyWithValue("name", "forwarder-ovs"), HaveKeyWithValue("name", "forwarder-sriov")))
	},
		Entry("in v1beta1", v1beta1, `{forwarders: [{type: vpp}, {type: ovs}]}`, `{forwarders: [{type: ovs}, {type: sriov}]}`),
		Entry("in v1alpha1", v1alpha1, `{forwarders: [{type: vpp}, {type: ovs}]}`, `{forwarders: [{type: ovs}, {type: sriov}]}`),
	)
	DescribeTable("does not move the release of an NSM that exists", func(ctx SpecContext, version string) {
		object := nsm(v1beta1, `{version: v1.17.0}`)
		Expect(admin.Create(ctx, object)).To(Succeed())
		current := in(ctx, version, object)
		// "kubectl replace" with a file that does not tell the release.
		Expect(unstructured.SetNestedMap(current.Object, map[string]any{}, "spec")).To(Succeed())
		current.SetAnnotations(nil)
		Expect(admin.Update(ctx, current)).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(HaveKeyWithValue("version", "v1.17.0"))
	},
		Entry("in v1beta1", v1beta1),
		Entry("in v1alpha1", v1alpha1),
	)
	It("tells mistakes in a change, or leaves them to those who can", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{}`))).To(Succeed())
		for changed, message := range map[string]string{
			`{"forwarders":7}`:                               `spec.forwarders: Invalid value: 7: must be a list`,
			`{"forwarders":[7]}`:                             `spec.forwarders[0]: Invalid value: 7: must be an object`,
			`{"forwarders":[{"name":"a"}]}`:                  "spec.forwarders[0].type: Required value",
			`{"version":1.18}`:                               `spec.version: Invalid value: 1.18: must be a string: write it in quotes`,
			`{"forwarders":[{"type":"vpp"},{"type":"vpp"}]}`: `spec.forwarders: Invalid value: forwarder-vpp is the name of more than one forwarder`,
		} {
			Expect(patch(ctx, v1beta1, changed)).To(MatchError(ContainSubstring(message)), changed)
		}
	})
})

// patch merges a spec into the NSM that there is.
func patch(ctx context.Context, version, spec string) error {
	return admin.Patch(ctx, nsm(version, `{}`), client.RawPatch("application/merge-patch+json", []byte(`{"spec":`+spec+`}`)))
}

// withoutWebhooks does something while the API server calls no admission webhook.
func withoutWebhooks(ctx context.Context, do func()) {
	GinkgoHelper()
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, mutating)).To(Succeed())
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, validating)).To(Succeed())
	Expect(admin.Delete(ctx, mutating)).To(Succeed())
	Expect(admin.Delete(ctx, validating)).To(Succeed())
	mutating.ResourceVersion, validating.ResourceVersion = "", ""
	defer func() {
		Expect(admin.Create(ctx, mutating)).To(Succeed())
		Expect(admin.Create(ctx, validating)).To(Succeed())
		Eventually(dryRun).WithContext(ctx).WithArguments(`{version: 1.18}`).Should(MatchError(ContainSubstring("admission webhook")))
		Eventually(dryRun).WithContext(ctx).WithArguments(`{interdomain: {}}`).Should(MatchError(ContainSubstring("admission webhook")))
	}()
	// The API server takes its time to notice either.
	Eventually(dryRun).WithContext(ctx).WithArguments(`{version: 1.18}`).Should(MatchError(Not(ContainSubstring("admission webhook"))))
	Eventually(dryRun).WithContext(ctx).WithArguments(`{interdomain: {}}`).Should(Succeed())
	do()
}

func dryRun(ctx context.Context, spec string) error {
	probe := nsm(v1beta1, spec)
	probe.SetName("probe")
	return admin.Create(ctx, probe, client.DryRunAll)
}
