// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import "github.com/networkservicemesh/nsm-operator/internal/conformance"

// absent stands for a field that one side does not have.
const absent = conformance.Absent

var (
	// registries are the registry of either type.
	registries = []string{"registry-k8s", "registry-memory"}
	// confined are all that run without privileges.
	confined = []string{"nsmgr", "registry-*", "nsmgr-proxy", "admission-webhook-k8s"}
	// listening have a port for others, and in NSM's manifests no probe.
	listening = []string{"registry-*", "nsmgr-proxy"}
)

// deliberate lists every way in which the operator means to differ from what NSM
// publishes. Whatever is not here is a mistake of the operator's, and an entry
// without a difference left is one too. An entry is as narrow as it can be: it
// names both values where they do not depend on the component.
var deliberate = []conformance.Deviation{
	// Names and namespaces.
	{
		Path: "Deployment.metadata.name", Components: registries, Ours: "nsm-registry", Theirs: "registry*",
		Why: "one name for both types, so that a change of type replaces the registry instead of adding one",
	},
	{
		Path: "*.metadata.namespace", Ours: "nsm-system", Theirs: absent,
		Why: "an NSM makes its objects in its own namespace; NSM's kustomizations add theirs later",
	},
	{
		Path: "ClusterRole*.metadata.name", Ours: "nsm:nsm-system:*",
		Why: "cluster-scoped names hold the namespace, so that two meshes do not share a role",
	},
	{
		Path: "ClusterRoleBinding.roleRef.name", Ours: "nsm:nsm-system:*",
		Why: "the name of the role above",
	},

	// ServiceAccounts: every component has one, named as its workload, so that
	// nothing runs as the namespace's default account.
	{
		Path: "ServiceAccount.metadata.name", Theirs: "*-sa",
		Why: "named as the workload",
	},
	{
		Path: "ServiceAccount[*]", Ours: "(present)", Theirs: absent,
		Why: "NSM gives the component none",
	},
	{
		Path: "*.spec.template.spec.serviceAccountName", Theirs: "*-sa",
		Why: "the name of the account above",
	},
	{
		Path: "*.spec.template.spec.serviceAccountName", Theirs: absent,
		Why: "NSM gives the component none",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].name", Theirs: "*-sa",
		Why: "the name of the account above",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].namespace", Components: []string{"nsmgr", "nsmgr-proxy"}, Ours: "nsm-system", Theirs: "default",
		Why: "the account's real namespace; NSM's kustomizations replace this one",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].namespace", Components: []string{"registry-k8s", "admission-webhook-k8s"}, Ours: "nsm-system", Theirs: absent,
		Why: "the account's real namespace; NSM's kustomizations add it",
	},
	{
		Path: "*.spec.template.spec.automountServiceAccountToken", Ours: "false", Theirs: absent,
		Why: "the component asks the API server nothing, so it gets no token",
	},
	{
		Path: "*.spec.template.spec.automountServiceAccountToken", Components: []string{"nsmgr", "registry-k8s"}, Ours: "true", Theirs: absent,
		Why: "the default, said aloud where a token is needed",
	},

	// Labels, selectors and owners.
	{
		Path: "*.metadata.labels[app.kubernetes.io/*]", Theirs: absent,
		Why: "Kubernetes' recommended labels; by them the operator finds its own",
	},
	{
		Path: "*.metadata.labels[nsm.networkservicemesh.io/namespace]", Ours: "nsm-system", Theirs: absent,
		Why: "whose a cluster-scoped object is",
	},
	{
		Path: "*.metadata.ownerReferences[0].*", Theirs: absent,
		Why: "removed together with the NSM",
	},
	{
		Path: "DaemonSet.metadata.labels.app", Ours: absent,
		Why: "kept on the pods, where NSM's documentation looks for it",
	},
	{
		Path: "Deployment.metadata.labels.app", Ours: absent,
		Why: "kept on the pods, where NSM's documentation looks for it",
	},
	{
		Path: "Service.metadata.labels.app", Components: []string{"admission-webhook-k8s"}, Ours: absent,
		Why: "kept on the pods, where NSM's documentation looks for it",
	},
	{
		Path: "*.spec.selector.matchLabels.app", Ours: absent,
		Why: "a registry's and a user's pods may have the same label: we select by our own",
	},
	{
		Path: "*.spec.selector.matchLabels[app.kubernetes.io/*]", Theirs: absent,
		Why: "unique among the workloads of a namespace",
	},
	{
		Path: "Service.spec.selector.app", Ours: absent,
		Why: "as the workload's selector",
	},
	{
		Path: "Service.spec.selector[app.kubernetes.io/*]", Theirs: absent,
		Why: "as the workload's selector",
	},
	{
		Path: "*.spec.template.metadata.labels[spiffe.io/spiffe-id]", Until: "v1.0.0", Ours: "true", Theirs: absent,
		Why: "ClusterSPIFFEIDs select pods by this label, which v1.0.0 is older than",
	},

	// Rights.
	{
		Path: "ClusterRole.metadata.labels[rbac.authorization.k8s.io/aggregate-to-*]", Components: []string{"registry-k8s", "nsmgr-proxy", "admission-webhook-k8s"}, Ours: absent, Theirs: "true",
		Why: "a mesh must not widen the rights of everybody who may edit a namespace",
	},
	{
		Path: "ClusterRole.rules[networkservicemesh.io/networkservice*]", Components: []string{"registry-k8s"},
		Ours: "create delete get list patch update watch", Theirs: "*",
		Why: "the verbs that there are, by name: whoever grants a wildcard needs one himself",
	},

	// Security.
	{
		Path: "*.spec.template.spec.containers[*].securityContext.allowPrivilegeEscalation", Components: confined, Ours: "false", Theirs: absent,
		Why: "least privilege",
	},
	{
		Path: "*.spec.template.spec.containers[*].securityContext.capabilities.drop", Components: confined, Ours: `["ALL"]`, Theirs: absent,
		Why: "least privilege",
	},
	{
		Path: "*.spec.template.spec.containers[*].securityContext.readOnlyRootFilesystem", Components: confined, Ours: "true", Theirs: absent,
		Why: "least privilege; these write to their volumes only",
	},
	{
		Path: "*.spec.template.spec.containers[*].securityContext.seccompProfile.type", Components: confined, Ours: "RuntimeDefault", Theirs: absent,
		Why: "least privilege",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext.runAs*", Components: listening, Theirs: absent,
		Why: "these need no root",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext.runAs*", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Theirs: absent,
		Why: "a capability is enough for its port",
	},
	{
		Path: "Deployment.spec.template.spec.containers[*].securityContext.capabilities.add", Components: []string{"admission-webhook-k8s"},
		Ours: `["NET_BIND_SERVICE"]`, Theirs: absent,
		Why: "its port is 443 and cannot be changed; this is all that is left of the dropped ones",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext.sysctls[0].*", Components: []string{"admission-webhook-k8s"}, Theirs: absent,
		Why: "not every container runtime hands that capability to a user who is not root",
	},
	{
		Path: "*.spec.template.spec.containers[*].ports[*].hostPort", Components: []string{"nsmgr", "registry-*", "nsmgr-proxy"}, Ours: absent,
		Why: "reached by pod address and Service; a host port takes one from the node and opens it to the outside",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[/var/lib/networkservicemesh].*", Components: listening, Ours: absent,
		Why: "mounted nowhere, and one host path less to allow",
	},
	{
		Path: "*.spec.template.spec.containers[*].volumeMounts[/run/spire/sockets].readOnly", Components: []string{"registry-*"}, Ours: "true", Theirs: absent,
		Why: "to connect to a socket one need not write its directory",
	},

	// How it runs.
	{
		Path: "Deployment.spec.template.spec.containers[*].readinessProbe.*", Components: listening, Theirs: absent,
		Why: "without a probe, one that does not listen yet counts as ready",
	},
	{
		Path: "Deployment.spec.strategy.*", Components: []string{"registry-k8s", "registry-proxy-dns", "nsmgr-proxy", "admission-webhook-k8s"}, Theirs: absent,
		Why: "the new pod is ready before the old one goes",
	},
	{
		Path: "Deployment.spec.strategy.type", Components: []string{"registry-memory"}, Ours: "Recreate", Theirs: absent,
		Why: "two memory registries side by side would each know half of the mesh",
	},
	{
		Path: "Service.spec.type", Components: registries, From: "v1.1.1", Until: "v1.9.0", Ours: "ClusterIP", Theirs: "LoadBalancer",
		Why: "nothing is reachable from outside unless registry.serviceType says so; NSM itself does so from v1.10.0 on",
	},
	{
		Path: "Service.spec.type", Components: []string{"nsmgr-proxy"}, Until: "v1.0.0", Ours: "LoadBalancer", Theirs: "ClusterIP",
		Why: "other domains must reach it; NSM itself does so from v1.1.1 on",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[forwarder-vpp].env[NSM_TUNNEL_IP].*", Components: []string{"forwarder-vpp"}, From: "v1.11.1", Theirs: absent,
		Why: "from here on NSM sets it by a patch of its basic example instead (examples/basic/forwarder-patch.yaml)",
	},
	{
		Path: "DaemonSet.spec.template.spec.*[/var/lib/networkservicemesh].name", Components: []string{"forwarder-ovs", "forwarder-sriov"}, Ours: "nsm-socket", Theirs: "nsm",
		Why: "one name for one volume in all components; nobody but the pod itself sees it",
	},

	// Log levels: INFO unless logLevel says otherwise, as NSM itself has it since.
	{
		Path: "*.env[*LOG_LEVEL].value", Until: "v1.10.0", Ours: "INFO", Theirs: "TRACE",
		Why: "one default for all releases; NSM itself went to INFO in v1.11.0",
	},
	{
		Path: "*.env[*LOG_LEVEL].value", Components: []string{"registry-memory"}, From: "v1.11.0", Until: "v1.13.0", Ours: "INFO", Theirs: "TRACE",
		Why: "the same, which NSM forgot here until v1.13.1",
	},
	{
		Path: "*.env[NSM_LOG_LEVEL].value", Components: []string{"forwarder-*"}, Until: "v1.0.0", Ours: "INFO", Theirs: "DEBUG",
		Why: "the same default everywhere",
	},

	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].env[NSM_ENVS].value", Components: []string{"admission-webhook-k8s"}, Until: "v1.10.0",
		Ours: "NSM_LOG_LEVEL=INFO", Theirs: "NSM_LOG_LEVEL=TRACE",
		Why: "the same for what the webhook injects",
	},

	// The admission webhook from v1.12.0 on: the operator owns its certificate and
	// its configuration, so that neither waits for SPIRE.
	{
		Path: "Secret[admission-webhook-tls]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: "(present)", Theirs: absent,
		Why: "the operator's certificate",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[admission-webhook-tls].*", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Theirs: absent,
		Why: "the operator's certificate",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].volumeMounts[/etc/nsm/tls].*", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Theirs: absent,
		Why: "the operator's certificate",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].env[NSM_*_FILE_PATH].*", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Theirs: absent,
		Why: "the operator's certificate; with it the webhook asks SPIRE for none",
	},
	{
		Path: "Deployment.spec.template.metadata.annotations[nsm.networkservicemesh.io/certificate]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Theirs: absent,
		Why: "the webhook reads its certificate once, so that a new one needs new pods",
	},
	{
		Path: "Deployment.spec.template.spec.*[/run/spire/sockets].*", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: absent,
		Why: "no identity is needed where the certificate is the operator's",
	},
	{
		Path: "Deployment.spec.template.metadata.labels[spiffe.io/spiffe-dns-webhook]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: absent,
		Why: "no identity is needed where the certificate is the operator's",
	},
	{
		Path: "MutatingWebhookConfiguration.metadata.labels[spiffe.io/webhook]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: absent, Theirs: "true",
		Why: "the CA is the operator's: SPIRE must not write its own over it",
	},
	{
		Path: "MutatingWebhookConfiguration.metadata.name", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: "nsm-mutating-webhook-nsm-system", Theirs: "nsm-mutating-webhook",
		Why: "cluster-scoped names hold the namespace, so that two meshes do not share a configuration",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[*].rules[*].operations", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: `["CREATE"]`, Theirs: `["CREATE","UPDATE"]`,
		Why: "the webhook lets every update pass as it is",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[*].rules[1].resources", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours:   `["daemonsets","deployments","replicasets","statefulsets"]`,
		Theirs: `["daemonsets","deployments","namespaces","replicasets","statefulsets"]`,
		Why:    "there are no namespaces in the group apps",
	},
	{
		Path: "ClusterRole.rules[admissionregistration.k8s.io/mutatingwebhookconfigurations]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: absent, Theirs: "*",
		Why: "the configuration is the operator's, and the webhook registers itself no more",
	},
	{
		Path: "ClusterRole.rules[admissionregistration.k8s.io/mutatingwebhookconfigurations]", Components: []string{"admission-webhook-k8s"}, Until: "v1.11.2",
		Ours: "create delete get list patch update watch", Theirs: "*",
		Why: "the verbs that there are, by name: whoever grants a wildcard needs one himself",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].ports[443].containerPort", Components: []string{"admission-webhook-k8s"}, Theirs: absent,
		Why: "the port that it listens on, said aloud",
	},
	{
		Path: "DaemonSet[forwarder-vpp]", Components: []string{"admission-webhook-k8s"}, From: "v1.1.1", Until: "v1.1.1", Ours: absent, Theirs: "(present)",
		Why: "a forwarder that NSM left in the webhook's folder by mistake",
	},

	// What the operator brings itself.
	{
		Path: "CustomResourceDefinition[*]", Components: []string{"registry-k8s"}, Ours: absent, Theirs: "(present)",
		Why: "installed with the operator: removed with one mesh, they would take the entries of all others along",
	},
}
