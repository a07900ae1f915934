// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apischema_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/config/crd"
	"github.com/networkservicemesh/nsm-operator/internal/apischema"
)

// rule is a CEL rule of the schema, by what it tells people, with the places at
// which it holds and values, as YAML, that it refuses and accepts.
type rule struct {
	message   string
	paths     []string
	bad, good []string
	// field is where people are told that it is, where the path does not say so.
	field string
	// told is what people are told of each bad value, where that names the value.
	told []string
}

const image = "must be an image reference without spaces, such as ghcr.io/networkservicemesh/"

// rules are all that there are: TestRules fails for any other.
var rules = []rule{
	{
		message: "metadata.name must be at most 63 characters long: it becomes the value of a label", paths: []string{""},
		bad: []string{"metadata: {name: " + strings.Repeat("a", 64) + "}"}, good: []string{"metadata: {name: " + strings.Repeat("a", 63) + "}"},
	},
	{
		message: "must hold at least one forwarder; leave the field out for one of type vpp",
		paths:   []string{".spec"},
		bad:     []string{"forwarders: []", "{forwarders: [], nsmgr: {}}", "{forwarders: [], nsmgr: {enabled: true}}"},
		good:    []string{"{}", "{nsmgr: {enabled: false}}", "{forwarders: [], nsmgr: {enabled: false}}"},
	},
	{
		message: "must be left out with spec.nsmgr.enabled: false: a forwarder does what the manager on its node asks for", paths: []string{".spec"},
		bad:  []string{"{nsmgr: {enabled: false}, forwarders: [{name: a, type: vpp}]}"},
		good: []string{"{nsmgr: {enabled: true}, forwarders: [{name: a, type: vpp}]}", "{nsmgr: {enabled: false}, forwarders: []}"},
	},
	{
		message: "must be left out or false with spec.nsmgr.enabled: false: the clients that the webhook makes ask the manager on their node",
		paths:   []string{".spec"}, field: "spec.admissionWebhook.enabled",
		bad:  []string{"{nsmgr: {enabled: false}, admissionWebhook: {enabled: true}}"},
		good: []string{"{nsmgr: {enabled: false}, admissionWebhook: {enabled: false}}", "{nsmgr: {enabled: false}, admissionWebhook: {}}"},
	},
	{
		message: "must be left out with spec.nsmgr.enabled: false: the driver brings clients to the manager on their node", paths: []string{".spec"}, field: "spec.csiDriver",
		bad:  []string{"{nsmgr: {enabled: false}, csiDriver: {}}"},
		good: []string{"{nsmgr: {enabled: false}, csiDriver: null}", "{nsmgr: {enabled: true}, csiDriver: {}}"},
	},
	{
		message: "must be the absolute path of a directory on each node, without a slash at its end, and without . and .. in it, such as /var/lib/kubelet",
		paths:   []string{".spec.kubeletDirectory"},
		bad:     []string{"/", "var/lib/kubelet", "/var/lib/kubelet/", "/var//lib", "/var/../lib", "/var/lib/.", `"/a b"`, `"/a:b"`},
		good:    []string{"/var/lib/kubelet", "/var/snap/microk8s/common/var/lib/kubelet", "/k", "/var/lib/.k0s/..kubelet"},
	},
	{
		message: "must be the name of a variable, without spaces, = and commas, such as NSM_LOG_LEVEL", paths: []string{".spec.admissionWebhook.client.env[].name"},
		bad: []string{`"A=B"`, `"A B"`, `"A,B"`}, good: []string{"NSM_LOG_LEVEL", "my.variable"},
	},
	{
		message: "must not contain = or commas: NSM's webhook takes those for the end of the value", paths: []string{".spec.admissionWebhook.client.env[].value"},
		bad: []string{`"a=b"`, `"a,b"`}, good: []string{`"a b"`, `""`},
	},
	{
		message: image + "cmd-nsc:v1.18.0", paths: []string{".spec.admissionWebhook.client.image"},
		bad: []string{`"a b"`, `"a "`}, good: []string{"example.com/a:1"},
	},
	{
		message: image + "cmd-nsc-init:v1.18.0", paths: []string{".spec.admissionWebhook.client.initImage"},
		bad: []string{`"a b"`, `"a "`}, good: []string{"example.com/a:1"},
	},
	{
		message: image + "cmd-nsmgr:v1.18.0",
		paths: []string{
			".spec.admissionWebhook.image", ".spec.csiDriver.image", ".spec.csiDriver.registrar.image", ".spec.dashboard.image", ".spec.dashboard.ui.image", ".spec.forwarders[].image",
			".spec.interdomain.clusterInfo.image", ".spec.interdomain.mapIP.image", ".spec.interdomain.nsmgrProxy.image",
			".spec.interdomain.registryProxy.image", ".spec.nsmgr.excludePrefixes.image", ".spec.nsmgr.image", ".spec.registry.image",
			".spec.vl3.ipams[].image",
		},
		bad: []string{`"a b"`, `"a "`}, good: []string{"example.com/a:1"},
	},
	{
		message: "selects kubernetes.io/os, which must be linux: NSM runs on no other system",
		paths: []string{
			".spec.admissionWebhook.nodeSelector", ".spec.csiDriver.nodeSelector", ".spec.dashboard.nodeSelector", ".spec.forwarders[].nodeSelector",
			".spec.interdomain.clusterInfo.nodeSelector", ".spec.interdomain.nsmgrProxy.nodeSelector",
			".spec.interdomain.registryProxy.nodeSelector", ".spec.nodeSelector", ".spec.nsmgr.nodeSelector", ".spec.registry.nodeSelector",
			".spec.vl3.ipams[].nodeSelector",
		},
		bad: []string{"kubernetes.io/os: windows"}, told: []string{"selects kubernetes.io/os: windows, which must be linux: NSM runs on no other system"}, good: []string{"kubernetes.io/os: linux", "zone: a"},
	},
	{
		message: "must be left out where registry or repository is given: it says where all images are", paths: []string{".spec.images.template"},
		bad:  []string{`{registry: example.com, template: "a/{name}:{version}"}`, `{repository: a, template: "a/{name}:{version}"}`},
		good: []string{`{template: "a/{name}:{version}"}`},
	},
	{
		message: "must be an image reference with {name} in the last part of its path, and {version} in its tag, such as registry.example.com/mirror/nsm-{name}:{version}",
		paths:   []string{".spec.images.template"},
		bad: []string{
			`"a/{name}"`, `"a:{name}-{version}"`, `"{name}/a:{version}"`, `"a/{name}:v1.18.0"`, `"a/{name}:{version}@sha256:0"`, `"a/{nam}:{version}"`,
			`"a/{name}{name}:{version}"`, `"a/ {name}:{version}"`,
		},
		good: []string{`"{name}:{version}"`, `"example.com:5000/a/nsm-{name}-x:nsm-{version}"`},
	},
	{
		message: "more than one IP address manager has the same name: each needs a name of its own", paths: []string{".spec.vl3.ipams"},
		bad: []string{"[{}, {}]", "[{name: a}, {prefix: 10.0.0.0/8}, {name: a}]"},
		told: []string{
			"vl3-ipam is the name of more than one IP address manager: each needs a name of its own",
			"a is the name of more than one IP address manager: each needs a name of its own",
		},
		good: []string{"[{}]", "[{}, {name: vl3-ipam-ipv6, prefix: 2001:db8::/64}]"},
	},
	{
		message: "must be lower case letters, digits and dashes, and begin with a letter, such as vl3-ipam", paths: []string{".spec.vl3.ipams[].name"},
		bad: []string{"1a", "A", "a-", "a.b", "-a"}, good: []string{"a", "vl3-ipam-2"},
	},
	{
		message: "is the name of another part of the mesh; choose a name such as vl3-ipam", paths: []string{".spec.vl3.ipams[].name"},
		bad: []string{"registry", "nsmgr", "dashboard-ui", "admission-webhook-svc"}, good: []string{"vl3-ipam", "registry-2"},
	},
	{
		message: "must be an IP prefix in CIDR notation, such as 172.16.0.0/16 or 2001:db8::/64", paths: []string{".spec.vl3.ipams[].prefix"},
		bad: []string{"10.0.0.0", "10.0.0.0/33", "2001:db8::/129", "10.0.0.0/8,10.1.0.0/16", `"::ffff:10.0.0.0/104"`}, good: []string{"10.0.0.0/8", `"2001:db8::/64"`},
	},
	{
		message: "more than one forwarder has the same name: each needs a name of its own", paths: []string{".spec.forwarders"},
		bad:  []string{"[{type: vpp}, {name: forwarder-vpp, type: vpp}]"},
		told: []string{"forwarder-vpp is the name of more than one forwarder: each needs a name of its own"},
		good: []string{"[{type: vpp}, {type: ovs}]", "[{name: a, type: vpp}, {name: b, type: vpp}]"},
	},
	{
		message: "is for a forwarder of type vpp only", paths: []string{".spec.forwarders[].vpp"},
		bad: []string{"{type: ovs, vpp: {}}", "{type: sriov, vpp: {}}"}, good: []string{"{type: vpp, vpp: {}}"},
		told: []string{"is for a forwarder of type vpp only, and the type of this one is ovs", "is for a forwarder of type vpp only, and the type of this one is sriov"},
	},
	{
		message: "is for a forwarder of type ovs only", paths: []string{".spec.forwarders[].ovs"},
		bad: []string{"{type: vpp, ovs: {}}", "{type: sriov, ovs: {}}"}, good: []string{"{type: ovs, ovs: {}}"},
		told: []string{"is for a forwarder of type ovs only, and the type of this one is vpp", "is for a forwarder of type ovs only, and the type of this one is sriov"},
	},
	{
		message: "is for a forwarder of type vpp or ovs only, and the type of this one is sriov", paths: []string{".spec.forwarders[].deviceSelector"},
		bad:  []string{"{type: sriov, deviceSelector: {hostPath: /a}}"},
		good: []string{"{type: vpp, deviceSelector: {hostPath: /a}}", "{type: ovs, deviceSelector: {hostPath: /a}}"},
	},
	{
		message: "must be Node: a forwarder of type ovs does not choose an address, and does not start without one", paths: []string{".spec.forwarders[].tunnelIP"},
		bad: []string{"{type: ovs, tunnelIP: Auto}"}, good: []string{"{type: ovs, tunnelIP: Node}", "{type: vpp, tunnelIP: Auto}"},
	},
	{
		message: "must have exactly one of configMap and hostPath", paths: []string{".spec.forwarders[].deviceSelector", ".spec.forwarders[].sriovConfig"},
		bad: []string{"{}", "{configMap: {name: a, key: b}, hostPath: /a}"}, good: []string{"{hostPath: /a}", "{configMap: {name: a, key: b}}"},
	},
	{
		message: "must be a key of a ConfigMap: letters, digits, dashes, dots and underscores, such as sriov.config",
		paths:   []string{".spec.forwarders[].deviceSelector.configMap.key", ".spec.forwarders[].sriovConfig.configMap.key"},
		bad:     []string{`"a b"`, `"."`, `".."`, `"..a"`, "a/b"}, good: []string{"sriov.config", ".a"},
	},
	{
		message: "must be the name of a ConfigMap: lower case letters, digits, dashes and dots",
		paths:   []string{".spec.forwarders[].deviceSelector.configMap.name", ".spec.forwarders[].sriovConfig.configMap.name"},
		bad:     []string{"A", "-a", "a_b", "a..b", `"a "`}, good: []string{"a-b.c"},
	},
	{
		message: "must be the absolute path of a file on each node, without . and .. in it",
		paths:   []string{".spec.forwarders[].deviceSelector.hostPath", ".spec.forwarders[].sriovConfig.hostPath"},
		bad:     []string{"a", "/", "/a/../b", "/a/.", `"/a b"`}, good: []string{"/a/b.config", "/.a"},
	},
	{
		message: "must be the name of a mechanism in capitals, such as VXLAN or WIREGUARD", paths: []string{".spec.forwarders[].mechanismPriority[]"},
		bad: []string{"vxlan", "1A", `"A B"`}, good: []string{"VXLAN", "A_1-B"},
	},
	{
		message: "must be lower case letters, digits and dashes, such as forwarder-vpp", paths: []string{".spec.forwarders[].name"},
		bad: []string{"Vpp", "-a", "a-", "a.b"}, good: []string{"a", "forwarder-vpp"},
	},
	{
		message: "is the name of another part of the mesh; choose a name such as forwarder-vpp", paths: []string{".spec.forwarders[].name"},
		bad: []string{
			"nsmgr", "nsm-registry", "nsm-csi", "nsmgr-proxy", "registry-proxy", "cluster-info", "admission-webhook-k8s", "vl3-ipam",
			"dashboard", "default", "nsm-operator",
		},
		good: []string{"nsmgr-1"},
	},
	{
		message: "must be the name of a bridge, without spaces and slashes, such as br-nsm", paths: []string{".spec.forwarders[].ovs.bridge"},
		bad: []string{`"a b"`, "a/b"}, good: []string{"br-nsm"},
	},
	{
		message: "must be the name of a Secret: lower case letters, digits, dashes and dots", paths: []string{".spec.images.pullSecrets[].name"},
		bad: []string{"A", `"a b"`, "a..b", "-a"}, good: []string{"a-b.c"},
	},
	{
		message: "must be the host of an image registry, and its port if it has one, such as ghcr.io", paths: []string{".spec.images.registry"},
		bad: []string{"a/b", `"a b"`, "https://ghcr.io", `"ghcr.io:"`, "-a"}, good: []string{"ghcr.io", "localhost:5000"},
	},
	{
		message: "must be the path within the image registry: names of lower case letters, digits and single dots, dashes or underscores, " +
			"with slashes between them, such as networkservicemesh", paths: []string{".spec.images.repository"},
		bad: []string{"A", "a/", "/a", "a/../b", "a..b", `"a b"`}, good: []string{"networkservicemesh", "a/b-c_d.e"},
	},
	{
		message: "must be a DNS label: lower case letters, digits and dashes, such as cluster-1", paths: []string{".spec.interdomain.clusterName"},
		bad: []string{"A", "a.b", "-a"}, good: []string{"cluster-1"},
	},
	{
		message: "must be a SPIFFE trust domain: lower case letters, digits, dots, dashes and underscores, such as nsm.cluster2",
		paths:   []string{".spec.interdomain.federatesWith[]"},
		bad:     []string{"A", "spiffe://a", `"a b"`}, good: []string{"nsm.cluster2", "a_b-c"},
	},
	{
		message: "must be an IP prefix in CIDR notation, such as 10.96.0.0/12", paths: []string{".spec.nsmgr.excludedPrefixes[]"},
		bad: []string{"10.96.0.0", "10.96.0.0/33", "a"}, good: []string{"10.96.0.0/12", "fd00::/8"},
	},
	{
		message: "must be 1 with spec.registry.type memory, since such a registry keeps its entries in one process; with type k8s there can be more",
		paths:   []string{".spec.registry.replicas"},
		bad:     []string{"{type: memory, replicas: 2}"}, good: []string{"{type: memory, replicas: 1}", "{type: k8s, replicas: 2}", "{replicas: 2}"},
	},
	{
		message: "must be the URL of a unix socket in a directory, without . and .. in its path, such as unix:///run/spire/sockets/agent.sock",
		paths:   []string{".spec.spire.agentSocket"},
		bad:     []string{"unix:///agent.sock", "/run/agent.sock", "unix:///run/../agent.sock", `"unix:///run/a b"`, "tcp:///run/a"},
		good:    []string{"unix:///run/spire/sockets/agent.sock"},
	},
	{
		message: "must be the class name of a SPIRE controller manager: letters, digits, dashes, dots and underscores", paths: []string{".spec.spire.className"},
		bad: []string{`"a b"`, "-a", "a-"}, good: []string{"a", "Spire-system_1.x"},
	},
	{
		message: "must be host:port, such as otel-collector.observability.svc.cluster.local:4317", paths: []string{".spec.telemetry.openTelemetry.endpoint"},
		bad: []string{"a", ":1", "http://a:1", "a:123456"}, good: []string{"a.b:4317"},
	},
	{
		message: "must be a duration longer than zero, such as 10s or 1m30s",
		paths:   []string{".spec.telemetry.openTelemetry.exportInterval", ".spec.upgrade.progressDeadline"},
		bad:     []string{"0s", "-1s"}, good: []string{"10s", "1m30s", "1ms"},
	},
	{
		message: "must be host:port, such as localhost:6060", paths: []string{".spec.telemetry.pprof.listenOn"},
		bad: []string{"a", "http://a:1", "a:123456"}, good: []string{"localhost:6060", `":6060"`},
	},
	{
		message: "must be a number from 1 up or a percentage from 1% to 100%", paths: []string{".spec.upgrade.maxUnavailable"},
		bad: []string{"0", "0%", "101%", "01%", `"1"`}, good: []string{"1", "1%", "100%"},
	},
	{
		message: "must be an NSM release from v1.0.0 up, written in full, such as v1.18.0", paths: []string{".spec.version"},
		bad: []string{"1.18.0", "v1.18", "v0.9.0", "v1.018.0", "latest", `"v1.18.0 "`}, good: []string{"v1.18.0", "v1.18.0-rc.1", "v2.0.0"},
	},
}

// TestRules: each CEL rule of the schema refuses what it is for, at each place where
// it holds, in its own words, and nothing else.
func TestRules(t *testing.T) {
	schema, err := apischema.New()
	if err != nil {
		t.Fatal(err)
	}
	left := rulesOfSchema(t)
	for _, rule := range rules {
		for _, path := range rule.paths {
			key := path + ": " + rule.message
			if !left[key] {
				t.Errorf("the schema does not have the rule %s", key)
			}
			delete(left, key)
			for i, bad := range rule.bad {
				field := cmp.Or(rule.field, fieldOf(path))
				want := field + ": " + rule.message
				if rule.told != nil {
					want = field + ": " + rule.told[i]
				}
				if got := told(t, schema, path, bad); !slices.Equal(got, []string{want}) {
					t.Errorf("%s: %s is not refused by this rule alone: %q", key, bad, got)
				}
			}
			for _, good := range rule.good {
				if got := told(t, schema, path, good); len(got) > 0 {
					t.Errorf("%s: %s is refused: %q", key, good, got)
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("no value is tried on the rule %s", key)
	}
}

// rulesOfSchema are all rules of v1beta1: the place that each tells people, and what.
func rulesOfSchema(t *testing.T) map[string]bool {
	t.Helper()
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.NSM, &definition); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var walk func(path string, schema *apiextensionsv1.JSONSchemaProps)
	walk = func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		for _, rule := range schema.XValidations {
			// That of the spec names a field that is not there, and so counts for the spec.
			at := path
			if path != ".spec" {
				at += rule.FieldPath
			}
			found[at+": "+rule.Message] = true
		}
		for name := range schema.Properties {
			property := schema.Properties[name]
			walk(path+"."+name, &property)
		}
		if schema.Items != nil {
			walk(path+"[]", schema.Items.Schema)
		}
		if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
			walk(path+"{}", schema.AdditionalProperties.Schema)
		}
	}
	for i := range definition.Spec.Versions {
		if version := &definition.Spec.Versions[i]; version.Name == nsmv1beta1.GroupVersion.Version {
			walk("", version.Schema.OpenAPIV3Schema)
		}
	}
	return found
}

// told is what people are told of an NSM that has a value at a place.
func told(t *testing.T, schema *apischema.Schema, path, value string) []string {
	t.Helper()
	document := map[string]any{"metadata": map[string]any{"name": "mesh"}}
	var leaf any
	if err := yaml.Unmarshal([]byte(value), &leaf); err != nil {
		t.Fatal(err)
	}
	if path == "" {
		document, _ = leaf.(map[string]any)
	} else {
		put(document, strings.Split(strings.TrimPrefix(path, "."), "."), leaf)
	}
	data, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	nsm := &nsmv1beta1.NSM{}
	if err := yaml.UnmarshalStrict(data, nsm); err != nil {
		t.Fatalf("%s: %s: %s", path, value, err)
	}
	errs, err := schema.Check(t.Context(), nsm)
	if err != nil {
		t.Fatal(err)
	}
	var sentences []string
	for _, err := range errs {
		sentences = append(sentences, err.Field+": "+err.Detail)
	}
	return sentences
}

// siblings are what an object needs beside the field that is tried.
var siblings = map[string]map[string]any{
	"forwarders[]": {"type": "vpp"},
	"env[]":        {"name": "A"},
	"configMap":    {"name": "a", "key": "b"},
}

// put a value at a path. A rule about several fields of an object has a value for
// that object, which names the last field of the path.
func put(document map[string]any, path []string, leaf any) {
	name, isList := strings.CutSuffix(path[0], "[]")
	if len(path) == 1 {
		if isList {
			leaf = []any{leaf}
		}
		document[name] = leaf
		return
	}
	child := maps.Clone(siblings[path[0]])
	if child == nil {
		child = map[string]any{}
	}
	if path[0] == "forwarders[]" && path[1] == "ovs" {
		child["type"] = "ovs"
	}
	if whole, isObject := leaf.(map[string]any); isObject && len(path) == 2 && has(whole, path[1]) {
		child = whole
	} else {
		put(child, path[1:], leaf)
	}
	if isList {
		document[name] = []any{child}
	} else {
		document[name] = child
	}
}

func has(object map[string]any, field string) bool {
	_, has := object[field]
	return has
}

// fieldOf is how the API server writes a path.
func fieldOf(path string) string {
	switch path {
	case "":
		return "metadata"
	case ".spec":
		return "spec.forwarders"
	default:
		return strings.ReplaceAll(strings.TrimPrefix(path, "."), "[]", "[0]")
	}
}
