// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import "maps"

var (
	// registries are the registry of either type.
	registries = []string{"registry-k8s", "registry-memory"}
	// listening have a port for others, and in NSM's manifests no probe.
	listening = []string{"registry-*", "nsmgr-proxy", "vl3-ipam"}
	// serving have a Service.
	serving = []string{"registry-*", "nsmgr-proxy", "admission-webhook-k8s", "vl3-ipam"}
	// entitled have rights, and thus an account of NSM's, in all releases; nsmgr
	// has both from v1.1.0 on.
	entitled = []string{"registry-k8s", "nsmgr-proxy", "admission-webhook-k8s", "cluster-info"}
	// withoutAccount ask the API server nothing, and have no account in NSM's
	// manifests.
	withoutAccount = []string{"forwarder-*", "registry-memory", "registry-proxy-dns", "csi-driver", "vl3-ipam", "dashboard"}

	// ownerOf an object with a namespace.
	ownerOf = map[string]string{
		".ownerReferences[0].apiVersion": "nsm.networkservicemesh.io/v1beta1", ".ownerReferences[0].kind": "NSM",
		".ownerReferences[0].name": "nsm", ".ownerReferences[0].uid": "uid-of-the-nsm",
		".ownerReferences[0].controller": "true", ".ownerReferences[0].blockOwnerDeletion": "true",
	}
	// ownedMeta is its metadata.
	ownedMeta = withField(ownerOf, ".namespace", "nsm-system")
	// uiResources are those of the dashboard's UI.
	uiResources = map[string]string{".requests.cpu": "100m", ".requests.memory": "256Mi", ".limits.cpu": "1", ".limits.memory": "512Mi"}
	// ownLabels are on all that the operator makes.
	ownLabels = map[string]string{
		"[app.kubernetes.io/name]": "{workload}", "[app.kubernetes.io/component]": "{role}",
		"[app.kubernetes.io/part-of]": "network-service-mesh", "[app.kubernetes.io/version]": "{release}",
		"[app.kubernetes.io/managed-by]":   "nsm-operator",
		"[nsm.networkservicemesh.io/name]": "nsm", "[nsm.networkservicemesh.io/namespace]": "nsm-system",
	}
	// ownSelector are those of them that do not change.
	ownSelector = map[string]string{"[app.kubernetes.io/name]": "{workload}", "[app.kubernetes.io/component]": "{role}"}
	// leastPrivilege is what a container without privileges is denied.
	leastPrivilege = map[string]string{
		".allowPrivilegeEscalation": "false", ".capabilities.drop": `["ALL"]`,
		".readOnlyRootFilesystem": "true", ".seccompProfile.type": "RuntimeDefault",
	}
	// clusterNames are the names of a role and its binding, and of the one in the
	// other.
	clusterNames = map[string]string{
		".metadata.name":        "nsm:nsm-system:{workload}",
		"Binding.metadata.name": "nsm:nsm-system:{workload}",
		"Binding.roleRef.name":  "nsm:nsm-system:{workload}",
	}
	// notOfAMesh selects what no mesh is made of.
	notOfAMesh = map[string]string{
		".key": "app.kubernetes.io/managed-by", ".operator": "NotIn", ".values": `["nsm-operator"]`,
	}
	// secondEntry of the webhook's configuration is the first one, but for what does
	// not ask for NSM.
	secondEntry = map[string]string{
		".name": "namespaces.nsm-mutating-webhook.networkservicemesh.io", ".failurePolicy": "Ignore", ".timeoutSeconds": "2",
		".matchConditions[0].name": "does-not-ask-for-nsm", ".matchConditions[0].expression": "!(" + asksForNSM + ")",
		".sideEffects": "None", ".admissionReviewVersions": `["v1"]`, ".clientConfig.caBundle": "Y2E=",
		".clientConfig.service.name": "admission-webhook-svc", ".clientConfig.service.namespace": "nsm-system", ".clientConfig.service.path": "/mutate",
		".rules[0].apiGroups": `[""]`, ".rules[0].apiVersions": `["v1"]`, ".rules[0].operations": `["CREATE"]`, ".rules[0].scope": "Namespaced",
		".rules[0].resources": `["pods"]`,
		".rules[1].apiGroups": `["apps"]`, ".rules[1].apiVersions": `["v1"]`, ".rules[1].operations": `["CREATE"]`, ".rules[1].scope": "Namespaced",
		".rules[1].resources":                             `["daemonsets","deployments","replicasets","statefulsets"]`,
		".objectSelector.matchExpressions[0].key":         "app.kubernetes.io/managed-by",
		".objectSelector.matchExpressions[0].operator":    "NotIn",
		".objectSelector.matchExpressions[0].values":      `["nsm-operator"]`,
		".namespaceSelector.matchExpressions[0].key":      "kubernetes.io/metadata.name",
		".namespaceSelector.matchExpressions[0].operator": "NotIn",
		".namespaceSelector.matchExpressions[0].values":   `["kube-system","nsm-system","spire","spire-mgmt","spire-server","spire-system","zero-trust-workload-identity-manager"]`,
	}
	// offVirtualNodes are those of virtual-kubelet and of AWS Fargate.
	offVirtualNodes = map[string]string{
		".matchExpressions[0].key": "type", ".matchExpressions[0].operator": "NotIn", ".matchExpressions[0].values": `["virtual-kubelet"]`,
		".matchExpressions[1].key": "eks.amazonaws.com/compute-type", ".matchExpressions[1].operator": "NotIn", ".matchExpressions[1].values": `["fargate"]`,
	}
	// nonRoot is the user of pods that need no root.
	nonRoot = map[string]string{".runAsNonRoot": "true", ".runAsUser": "1000", ".runAsGroup": "1000"}
)

// asksForNSM tells which objects have NSM's annotation.
const asksForNSM = `object.metadata.?annotations[?"networkservicemesh.io"].orValue('') != '' || object.?spec.?template.?metadata.?annotations[?"networkservicemesh.io"].orValue('') != ''`

// withField is a copy of fields with one more.
func withField(fields map[string]string, path, value string) map[string]string {
	more := maps.Clone(fields)
	more[path] = value
	return more
}

// openPort is the probe of a server whose image has no program to ask it.
func openPort(port string) map[string]string {
	return map[string]string{".tcpSocket.port": port, ".periodSeconds": "2"}
}

// deliberate lists every way in which the operator means to differ from what NSM
// publishes. Whatever is not here is a mistake of the operator's, and so is a
// component or release that an entry holds for and that does not differ so. An
// entry names our value, so that a wrong one is not taken for it; no value of
// theirs means any that they have.
var deliberate = []Deviation{
	// Names and namespaces.
	{
		Path: "Deployment.metadata.name", Components: registries, Ours: "nsm-registry", Theirs: "registry*",
		Why: "one name for both types, so that a change of type replaces the registry instead of adding one",
	},
	{
		Path: "{kind}.metadata", Fields: ownedMeta, Theirs: absent,
		Why: "an NSM makes its objects in its own namespace, and they go with it; NSM's kustomizations add a namespace later",
	},
	{
		Path: "Service.metadata", Components: serving, Fields: ownedMeta, Theirs: absent,
		Why: "as the workload",
	},
	{
		Path: "ServiceAccount.metadata", Components: entitled, Fields: ownedMeta, Theirs: absent,
		Why: "as the workload",
	},
	{
		Path: "ServiceAccount.metadata", Components: []string{"nsmgr"}, From: "v1.1.0", Fields: ownedMeta, Theirs: absent,
		Why: "as the workload",
	},
	{
		Path: "ClusterRole", Components: entitled, Fields: clusterNames,
		Why: "cluster-scoped names hold the namespace, so that two meshes do not share a role",
	},
	{
		Path: "ClusterRole", Components: []string{"nsmgr"}, From: "v1.1.0", Fields: clusterNames,
		Why: "the same",
	},

	// ServiceAccounts: every component has one, named as its workload, so that
	// nothing runs as the namespace's default account.
	{
		Path: "ServiceAccount.metadata.name", Components: entitled, Ours: "{workload}", Theirs: "*-sa",
		Why: "named as the workload",
	},
	{
		Path: "ServiceAccount.metadata.name", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "nsmgr", Theirs: "nsmgr-sa",
		Why: "named as the workload",
	},
	{
		Path: "ServiceAccount[{workload}]", Components: withoutAccount, Ours: present, Theirs: absent,
		Why: "NSM gives the component none",
	},
	{
		Path: "ServiceAccount[nsmgr]", Components: []string{"nsmgr"}, Until: "v1.0.0", Ours: present, Theirs: absent,
		Why: "NSM gives it none before it has a sidecar",
	},
	{
		Path: "Deployment.spec.template.spec.serviceAccountName", Components: entitled, Ours: "{workload}", Theirs: "*-sa",
		Why: "the name of the account above",
	},
	{
		Path: "DaemonSet.spec.template.spec.serviceAccountName", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "nsmgr", Theirs: "nsmgr-sa",
		Why: "the name of the account above",
	},
	{
		Path: "{kind}.spec.template.spec.serviceAccountName", Components: withoutAccount, Ours: "{workload}", Theirs: absent,
		Why: "NSM gives the component none",
	},
	{
		Path: "DaemonSet.spec.template.spec.serviceAccountName", Components: []string{"nsmgr"}, Until: "v1.0.0", Ours: "nsmgr", Theirs: absent,
		Why: "NSM gives it none before it has a sidecar",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].name", Components: entitled, Ours: "{workload}", Theirs: "*-sa",
		Why: "the name of the account above",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].name", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "nsmgr", Theirs: "nsmgr-sa",
		Why: "the name of the account above",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].namespace", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "nsm-system", Theirs: "default",
		Why: "the account's real namespace; NSM's kustomizations replace this one",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].namespace", Components: []string{"nsmgr-proxy", "cluster-info"}, Ours: "nsm-system", Theirs: "default",
		Why: "the account's real namespace; NSM's kustomizations replace this one",
	},
	{
		Path: "ClusterRoleBinding.subjects[0].namespace", Components: []string{"registry-k8s", "admission-webhook-k8s"}, Ours: "nsm-system", Theirs: absent,
		Why: "the account's real namespace; NSM's kustomizations add it",
	},
	{
		Path: "{kind}.spec.template.spec.automountServiceAccountToken", Components: withoutAccount, Ours: "false", Theirs: absent,
		Why: "the component asks the API server nothing, so it gets no token",
	},
	{
		Path: "DaemonSet.spec.template.spec.automountServiceAccountToken", Components: []string{"nsmgr"}, Until: "v1.0.0", Ours: "false", Theirs: absent,
		Why: "it asks the API server nothing before it has a sidecar",
	},
	{
		Path: "Deployment.spec.template.spec.automountServiceAccountToken", Components: []string{"registry-k8s"}, Ours: "true", Theirs: absent,
		Why: "the default, said aloud where a token is needed",
	},
	{
		Path: "DaemonSet.spec.template.spec.automountServiceAccountToken", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "true", Theirs: absent,
		Why: "the default, said aloud where a token is needed: the sidecar reads prefixes",
	},

	// Labels and selectors.
	{
		Path: "{kind}.spec.template.metadata.labels", Fields: ownLabels, Theirs: absent,
		Why: "Kubernetes' recommended labels, and whose the pod is; by them the operator finds its own",
	},
	{
		Path: "{kind}.spec.template.metadata.labels[app.kubernetes.io/instance]", Ours: "nsm", Theirs: absent,
		Why: "Kubernetes' recommended label, for people and dashboards",
	},
	{
		Path: "{kind}.metadata.labels", Fields: ownLabels, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "Service.metadata.labels", Components: serving, Fields: ownLabels, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "ServiceAccount.metadata.labels", Components: entitled, Fields: ownLabels, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "ServiceAccount.metadata.labels", Components: []string{"nsmgr"}, From: "v1.1.0", Fields: ownLabels, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "ClusterRole*.metadata.labels", Components: entitled, Fields: ownLabels, Theirs: absent,
		Why: "the same; a cluster-scoped object has no other owner",
	},
	{
		Path: "ClusterRole*.metadata.labels", Components: []string{"nsmgr"}, From: "v1.1.0", Fields: ownLabels, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "MutatingWebhookConfiguration.metadata.labels", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Fields: ownLabels, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "{kind}.metadata.labels.app", Ours: absent,
		Why: "kept on the pods, where NSM's documentation looks for it",
	},
	{
		Path: "Service.metadata.labels.app", Components: []string{"admission-webhook-k8s"}, Ours: absent,
		Why: "kept on the pods, where NSM's documentation looks for it",
	},
	{
		Path: "{kind}.spec.selector.matchLabels.app", Ours: absent,
		Why: "a registry's and a user's pods may have the same label: we select by our own",
	},
	{
		Path: "{kind}.spec.selector.matchLabels", Fields: ownSelector, Theirs: absent,
		Why: "unique among the workloads of a namespace",
	},
	{
		Path: "Service.spec.selector.app", Components: serving, Ours: absent,
		Why: "as the workload's selector",
	},
	{
		Path: "Service.spec.selector", Components: serving, Fields: ownSelector, Theirs: absent,
		Why: "as the workload's selector",
	},
	{
		Path: "{kind}.spec.template.metadata.labels[spiffe.io/spiffe-id]", Components: []string{"nsmgr", "forwarder-*", "registry-*", "nsmgr-proxy"},
		Until: "v1.0.0", Ours: "true", Theirs: absent,
		Why: "ClusterSPIFFEIDs select pods by this label, which v1.0.0 is older than",
	},

	// Rights.
	{
		Path: "ClusterRole.metadata.labels[rbac.authorization.k8s.io/aggregate-to-*]", Components: entitled, Ours: absent, Theirs: "true",
		Why: "a mesh must not widen the rights of everybody who may edit a namespace",
	},
	{
		Path: "ClusterRole.rules[networkservicemesh.io/networkservice*s]", Components: []string{"registry-k8s"},
		Ours: "list watch", Theirs: "*",
		Why: "it reads in all namespaces, and writes in its own",
	},
	{
		Path: "ClusterRole[nsm:nsm-system:nsm-registry:namespace]", Components: []string{"registry-k8s"}, Ours: present, Theirs: absent,
		Why: "the verbs with which it writes, for its own namespace",
	},
	{
		Path: "RoleBinding[nsm-registry]", Components: []string{"registry-k8s"}, Ours: present, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "ClusterRole.rules[configmaps]", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "get watch", Theirs: "get list patch watch",
		Why: "it writes to a file: whoever patches any ConfigMap takes over the cluster",
	},
	{
		Path: "ClusterRole.rules[nodes]", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "watch", Theirs: "get list watch",
		Why: "it only watches",
	},
	{
		Path: "ClusterRole.rules[services]", Components: []string{"nsmgr"}, From: "v1.1.0", Ours: "watch", Theirs: "get list watch",
		Why: "it only watches",
	},
	{
		Path: "ClusterRole.rules[namespaces]", Components: []string{"nsmgr"}, From: "v1.1.0", Until: "v1.3.1", Ours: "list", Theirs: "get list watch",
		Why: "it only lists",
	},
	{
		Path: "ClusterRole.rules[namespaces]", Components: []string{"nsmgr"}, From: "v1.4.0", Ours: absent, Theirs: "get list watch",
		Why: "it watches Services of all namespaces at once, and needs no namespaces any more",
	},
	{
		Path: "ClusterRole.rules[nodes]", Components: []string{"nsmgr-proxy"}, Ours: "list watch", Theirs: "get list watch",
		Why: "map-ip lists and watches",
	},

	// Diagnosis.
	{
		Path: "{kind}.spec.template.spec.containers[*].terminationMessagePolicy", Ours: "FallbackToLogsOnError", Theirs: absent,
		Why: "the programs write to their log alone, and a crash shall leave its last words",
	},

	// Security.
	{
		Path: "{kind}.spec.template.spec.containers[{container}].securityContext", Components: []string{"nsmgr", "registry-*", "nsmgr-proxy", "admission-webhook-k8s", "cluster-info", "vl3-ipam", "dashboard"},
		Fields: leastPrivilege, Theirs: absent,
		Why: "least privilege; these write to their volumes only",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[exclude-prefixes].securityContext", Components: []string{"nsmgr"}, From: "v1.1.0",
		Fields: leastPrivilege, Theirs: absent,
		Why: "the same for the sidecar",
	},
	{
		Path: "Deployment.spec.template.spec.containers[map-ip-k8s].securityContext", Components: []string{"nsmgr-proxy"},
		Fields: leastPrivilege, Theirs: absent,
		Why: "the same for the sidecar",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[node-driver-registrar].securityContext", Components: []string{"csi-driver"},
		Fields: leastPrivilege, Theirs: absent,
		Why: "the same for the sidecar",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext", Components: []string{"cluster-info", "dashboard"}, Fields: nonRoot, Theirs: absent,
		Why: "these need no root",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext", Components: listening, Fields: nonRoot, Theirs: absent,
		Why: "these need no root",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Fields: nonRoot, Theirs: absent,
		Why: "a capability is enough for its port",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].securityContext.capabilities.add", Components: []string{"admission-webhook-k8s"},
		Ours: `["NET_BIND_SERVICE"]`, Theirs: absent,
		Why: "its port is 443 and cannot be changed; this is all that is left of the dropped ones",
	},
	{
		Path: "Deployment.spec.template.spec.securityContext.sysctls[0]", Components: []string{"admission-webhook-k8s"},
		Fields: map[string]string{".name": "net.ipv4.ip_unprivileged_port_start", ".value": "443"}, Theirs: absent,
		Why: "not every container runtime hands that capability to a user who is not root",
	},
	{
		Path: "{kind}.spec.template.spec.containers[{container}].ports[*].hostPort", Components: []string{"nsmgr", "registry-*", "nsmgr-proxy", "vl3-ipam"}, Ours: absent,
		Why: "reached by pod address and Service; a host port takes one from the node and opens it to the outside",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[cluster-info].name", Components: []string{"nsmgr-proxy"}, From: "v1.6.0", Ours: "cluster-info", Theirs: absent,
		Why: "the domain's name, which NSM mounts by a patch of its interdomain examples instead",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[cluster-info].configMap.name", Components: []string{"nsmgr-proxy"}, From: "v1.6.0", Ours: "cluster-info", Theirs: absent,
		Why: "the domain's name, which NSM mounts by a patch of its interdomain examples instead",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[cluster-info].configMap.optional", Components: []string{"nsmgr-proxy"}, From: "v1.6.0", Ours: "true", Theirs: absent,
		Why: "it is written only once cluster-info is up",
	},
	{
		Path: "Deployment.spec.template.spec.containers[nsmgr-proxy].volumeMounts[/etc/clusterinfo].name", Components: []string{"nsmgr-proxy"}, From: "v1.6.0", Ours: "cluster-info", Theirs: absent,
		Why: "the volume above",
	},
	{
		Path: "Deployment.spec.template.spec.containers[nsmgr-proxy].volumeMounts[/etc/clusterinfo].mountPath", Components: []string{"nsmgr-proxy"}, From: "v1.6.0", Ours: "/etc/clusterinfo", Theirs: absent,
		Why: "the volume above",
	},
	{
		Path: "Deployment.spec.template.spec.containers[nsmgr-proxy].volumeMounts[/etc/clusterinfo].readOnly", Components: []string{"nsmgr-proxy"}, From: "v1.6.0", Ours: "true", Theirs: absent,
		Why: "the volume above",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[/var/lib/networkservicemesh].*", Components: listening, Ours: absent,
		Why: "mounted nowhere, and one host path less to allow",
	},
	{
		Path: "DaemonSet.spec.template.spec.volumes[exclude-prefixes-volume].*", Components: []string{"csi-driver"}, Ours: absent,
		Why: "mounted nowhere",
	},
	{
		Path: "Deployment.spec.template.spec.containers[{container}].volumeMounts[/run/spire/sockets].readOnly", Components: []string{"cluster-info", "vl3-ipam"}, Ours: "true", Theirs: absent,
		Why: "to connect to a socket one need not write its directory",
	},
	{
		Path: "Deployment.spec.template.spec.containers[registry].volumeMounts[/run/spire/sockets].readOnly", Components: []string{"registry-*"}, Ours: "true", Theirs: absent,
		Why: "to connect to a socket one need not write its directory",
	},

	// How it runs.
	{
		Path: "Deployment.spec.template.spec.containers[registry].readinessProbe", Components: []string{"registry-k8s"}, Fields: openPort("5002"), Theirs: absent,
		Why: "without a probe, one that does not listen yet counts as ready",
	},
	{
		Path: "Deployment.spec.template.spec.containers[registry].readinessProbe", Components: []string{"registry-memory"}, Until: "v1.7.1", Fields: openPort("5002"), Theirs: absent,
		Why: "the same, until its image has a program to ask it",
	},
	{
		Path: "Deployment.spec.template.spec.containers[registry].readinessProbe", Components: []string{"registry-memory"}, From: "v1.8.0",
		Fields: map[string]string{
			".exec.command":  `["/bin/grpc-health-probe","-spiffe","-addr=:5002"]`,
			".periodSeconds": "5", ".timeoutSeconds": "2",
		}, Theirs: absent,
		Why: "the same, asked by the program in its image",
	},
	{
		Path: "Deployment.spec.template.spec.containers[registry].readinessProbe", Components: []string{"registry-proxy-dns"}, Fields: openPort("5005"), Theirs: absent,
		Why: "the same",
	},
	{
		Path: "Deployment.spec.template.spec.containers[vl3-ipam].readinessProbe", Components: []string{"vl3-ipam"}, Fields: openPort("5006"), Theirs: absent,
		Why: "the same",
	},
	{
		Path: "Deployment.spec.template.spec.containers[nsmgr-proxy].readinessProbe", Components: []string{"nsmgr-proxy"}, Fields: openPort("5004"), Theirs: absent,
		Why: "the same",
	},
	{
		Path: "Deployment.spec.strategy", Components: []string{"registry-k8s", "registry-proxy-dns", "nsmgr-proxy", "admission-webhook-k8s", "cluster-info", "dashboard"},
		Fields: map[string]string{".type": "RollingUpdate", ".rollingUpdate.maxSurge": "1", ".rollingUpdate.maxUnavailable": "0"}, Theirs: absent,
		Why: "the new pod is ready before the old one goes",
	},
	{
		Path: "Deployment.spec.strategy.type", Components: []string{"registry-memory"}, Ours: "Recreate", Theirs: absent,
		Why: "two memory registries side by side would each know half of the mesh",
	},
	{
		Path: "Deployment.spec.strategy.type", Components: []string{"vl3-ipam"}, Ours: "Recreate", Theirs: absent,
		Why: "two address managers side by side would give out the same addresses",
	},
	{
		Path: "DaemonSet.spec.updateStrategy.type", Components: []string{"forwarder-ovs", "forwarder-sriov"}, Ours: "OnDelete", Theirs: absent,
		Why: "the operator replaces its pods node by node, each with a live registration before the next: it has no probe, and that of ovs does not heal",
	},
	{
		Path: "Service.spec.type", Components: registries, From: "v1.1.0", Until: "v1.9.0", Ours: "ClusterIP", Theirs: "LoadBalancer",
		Why: "nothing is reachable from outside unless registry.serviceType says so; NSM itself does so from v1.10.0 on",
	},
	{
		Path: "Service.spec.type", Components: []string{"vl3-ipam"}, Until: "v1.9.0", Ours: "ClusterIP", Theirs: "LoadBalancer",
		Why: "the same, unless serviceType says so",
	},
	{
		Path: "Service.spec.type", Components: []string{"nsmgr-proxy"}, Until: "v1.0.0", Ours: "LoadBalancer", Theirs: "ClusterIP",
		Why: "other domains must reach it; NSM itself does so from v1.1.0 on",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[forwarder-vpp].env[NSM_TUNNEL_IP]", Components: []string{"forwarder-vpp"}, From: "v1.11.1",
		Fields: map[string]string{".name": "NSM_TUNNEL_IP", ".valueFrom.fieldRef.fieldPath": "status.podIP"}, Theirs: absent,
		Why: "from here on NSM sets it by a patch of its basic example instead (examples/basic/forwarder-patch.yaml)",
	},
	{
		Path: "DaemonSet.spec.template.spec", Components: []string{"forwarder-ovs", "forwarder-sriov"},
		Fields: map[string]string{
			".volumes[/var/lib/networkservicemesh].name":                              "nsm-socket",
			".containers[{container}].volumeMounts[/var/lib/networkservicemesh].name": "nsm-socket",
		}, Theirs: "nsm",
		Why: "one name for one volume in all components; nobody but the pod itself sees it",
	},

	{
		Path: "{kind}.spec.template.spec.nodeSelector[kubernetes.io/os]", Ours: "linux", Theirs: absent,
		Why: "NSM's images are for Linux: a node with Windows would get pods that cannot run",
	},
	{
		Path: "DaemonSet.spec.template.spec.nodeSelector[kubernetes.io/arch]", Components: []string{"forwarder-vpp"}, From: "v1.14.3", Ours: "amd64", Theirs: absent,
		Why: "its image is for amd64 alone, and would end at once on any other node",
	},
	{
		Path: "{kind}.spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]", Fields: offVirtualNodes, Theirs: absent,
		Why: "virtual nodes run no such pods: a mesh that tolerates all taints would wait for them for ever",
	},
	{
		Path: "DaemonSet.spec.template.spec.priorityClassName", Components: []string{"nsmgr", "forwarder-*", "csi-driver"}, Ours: "system-node-critical", Theirs: absent,
		Why: "the connections of all clients on a node depend on it: it goes last when the node runs out of resources",
	},
	{
		Path:       "Deployment.spec.template.spec.priorityClassName",
		Components: []string{"registry-*", "nsmgr-proxy", "admission-webhook-k8s", "cluster-info", "vl3-ipam", "dashboard"}, Ours: "system-cluster-critical", Theirs: absent,
		Why: "the whole mesh depends on it, and the creation of clients' pods",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[forwarder-ovs].resources.limits.cpu", Components: []string{"forwarder-ovs"}, From: "v1.4.0", Ours: "2", Theirs: absent,
		Why: "a quota may ask for a limit; this is NSM's own before v1.4.0",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].resources", Components: []string{"admission-webhook-k8s"},
		Fields: map[string]string{".requests.cpu": "50m", ".requests.memory": "64Mi", ".limits.cpu": "500m", ".limits.memory": "128Mi"}, Theirs: absent,
		Why: "NSM publishes none, and a quota may ask for them",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[nsm-csi-driver].resources", Components: []string{"csi-driver"},
		Fields: map[string]string{".requests.cpu": "10m", ".requests.memory": "32Mi", ".limits.cpu": "200m", ".limits.memory": "128Mi"}, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[node-driver-registrar].resources", Components: []string{"csi-driver"},
		Fields: map[string]string{".requests.cpu": "10m", ".requests.memory": "20Mi", ".limits.cpu": "100m", ".limits.memory": "100Mi"}, Theirs: absent,
		Why: "the same for the sidecar",
	},

	// Log levels: INFO unless logLevel says otherwise, as NSM itself has it since.
	{
		Path: "{kind}.spec.template.spec.containers[{container}].env[*LOG_LEVEL].value", Components: []string{"nsmgr", "registry-*", "forwarder-*", "nsmgr-proxy", "vl3-ipam"},
		From: "v1.1.0", Until: "v1.10.0", Ours: "INFO", Theirs: "TRACE",
		Why: "one default for all releases; NSM itself went to INFO in v1.11.0",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[exclude-prefixes].env[NSM_LOG_LEVEL].value", Components: []string{"nsmgr"},
		From: "v1.1.0", Until: "v1.10.0", Ours: "INFO", Theirs: "TRACE",
		Why: "the same for the sidecar",
	},
	{
		Path: "Deployment.spec.template.spec.containers[registry].env[REGISTRY_MEMORY_LOG_LEVEL].value", Components: []string{"registry-memory"}, From: "v1.11.0", Until: "v1.13.0", Ours: "INFO", Theirs: "TRACE",
		Why: "the same, which NSM forgot here until v1.13.1",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[forwarder-vpp].env[NSM_LOG_LEVEL].value", Components: []string{"forwarder-vpp"}, Until: "v1.0.0", Ours: "INFO", Theirs: "DEBUG",
		Why: "the same default everywhere",
	},

	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].env[NSM_ENVS].value", Components: []string{"admission-webhook-k8s"},
		From: "v1.2.0", Until: "v1.10.0", Ours: "NSM_LOG_LEVEL=INFO", Theirs: "NSM_LOG_LEVEL=TRACE",
		Why: "the same for what the webhook injects",
	},

	// The admission webhook from v1.12.0 on: the operator owns its certificate and
	// its configuration, so that neither waits for SPIRE.
	{
		Path: "Secret[admission-webhook-tls]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: present, Theirs: absent,
		Why: "the operator's certificate",
	},
	{
		Path: "Deployment.spec.template.spec.volumes[admission-webhook-tls]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: map[string]string{".name": "tls", ".secret.secretName": "admission-webhook-tls"}, Theirs: absent,
		Why: "the operator's certificate",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].volumeMounts[/etc/nsm/tls]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: map[string]string{".name": "tls", ".mountPath": "/etc/nsm/tls", ".readOnly": "true"}, Theirs: absent,
		Why: "the operator's certificate",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].env", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: map[string]string{
			"[NSM_CERT_FILE_PATH].name": "NSM_CERT_FILE_PATH", "[NSM_CERT_FILE_PATH].value": "/etc/nsm/tls/tls.crt",
			"[NSM_KEY_FILE_PATH].name": "NSM_KEY_FILE_PATH", "[NSM_KEY_FILE_PATH].value": "/etc/nsm/tls/tls.key",
		}, Theirs: absent,
		Why: "the operator's certificate; with it the webhook asks SPIRE for none",
	},
	{
		Path: "Deployment.spec.template.metadata.annotations[nsm.networkservicemesh.io/certificate]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: "03d66dd08835c1ca", Theirs: absent, // The start of its SHA-256.
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
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].clientConfig.caBundle", Components: []string{"admission-webhook-k8s"},
		From: "v1.12.0", Ours: "Y2E=", Theirs: absent,
		Why: "the CA is the operator's; NSM has SPIRE write its own",
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
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].namespaceSelector.matchExpressions[0].values", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours:   `["kube-system","nsm-system","spire","spire-mgmt","spire-server","spire-system","zero-trust-workload-identity-manager"]`,
		Theirs: `["kube-system","nsm-system","spire"]`,
		Why:    "SPIRE runs elsewhere, too, and must come up without the webhook: the mesh waits for it",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].rules[*].operations", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: `["CREATE"]`, Theirs: `["CREATE","UPDATE"]`,
		Why: "the webhook lets every update pass as it is",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].rules[*].scope", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: "Namespaced",
		Why:  "all that it is asked about has a namespace",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].rules[1].resources", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours:   `["daemonsets","deployments","replicasets","statefulsets"]`,
		Theirs: `["daemonsets","deployments","namespaces","replicasets","statefulsets"]`,
		Why:    "there are no namespaces in the group apps",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].matchConditions[0]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: map[string]string{".name": "asks-for-nsm", ".expression": asksForNSM}, Theirs: absent,
		Why: "what does not ask for NSM does not depend on the webhook",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[nsm-mutating-webhook.networkservicemesh.io].objectSelector.matchExpressions[0]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: notOfAMesh, Theirs: absent,
		Why: "the pods of a mesh, this one or another, come up without the webhook",
	},
	{
		Path: "MutatingWebhookConfiguration.webhooks[namespaces.nsm-mutating-webhook.networkservicemesh.io]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: secondEntry, Theirs: absent,
		Why: "the namespace of what does not ask for NSM may do so; while the webhook is down such an object is let in",
	},
	{
		Path: "MutatingWebhookConfiguration.metadata.labels[admissions.enforcer/disabled]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: "true", Theirs: absent,
		Why: "AKS would add terms to the namespace selector again and again, which leaves kube-system out already",
	},
	{
		Path: "Deployment.spec.replicas", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: "2", Theirs: "1",
		Why: "while a pod moves to another node the other one answers; before v1.12.0 each would inject once more",
	},
	{
		Path: "PodDisruptionBudget[admission-webhook-k8s]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0", Ours: present, Theirs: absent,
		Why: "a drain takes one of them at a time",
	},
	{
		Path: "Deployment.spec.template.spec.topologySpreadConstraints[0]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Fields: map[string]string{
			".maxSkew": "1", ".topologyKey": "kubernetes.io/hostname", ".whenUnsatisfiable": "ScheduleAnyway", ".matchLabelKeys": `["pod-template-hash"]`,
			".labelSelector.matchLabels[app.kubernetes.io/name]":      "admission-webhook-k8s",
			".labelSelector.matchLabels[app.kubernetes.io/component]": "admission-webhook",
		}, Theirs: absent,
		Why: "one node that fails does not take both",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].lifecycle.preStop.sleep.seconds", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: "5", Theirs: absent,
		Why: "it answers until no API server asks it any more",
	},
	{
		Path: "ClusterRole.rules[admissionregistration.k8s.io/mutatingwebhookconfigurations]", Components: []string{"admission-webhook-k8s"}, From: "v1.12.0",
		Ours: absent, Theirs: "*",
		Why: "the configuration is the operator's, and the webhook registers itself no more",
	},
	{
		Path: "ClusterRole.rules[admissionregistration.k8s.io/mutatingwebhookconfigurations]", Components: []string{"admission-webhook-k8s"}, Until: "v1.11.2",
		Ours: "create delete get", Theirs: "*",
		Why: "the verbs that it uses, by name: whoever grants a wildcard needs one himself",
	},
	{
		Path: "Deployment.spec.template.spec.containers[admission-webhook-k8s].ports[443].containerPort", Components: []string{"admission-webhook-k8s"}, Ours: "443", Theirs: absent,
		Why: "the port that it listens on, said aloud",
	},
	{
		Path: "DaemonSet[forwarder-vpp]", Components: []string{"admission-webhook-k8s"}, From: "v1.1.1", Until: "v1.1.1", Ours: absent, Theirs: present,
		Why: "a forwarder that NSM left in the webhook's folder by mistake",
	},

	// Addresses of vL3 networks.
	{
		Path: "Deployment.spec.template.spec.containers[vl3-ipam].env[NSM_PREFIX].value", Components: []string{"vl3-ipam"}, Until: "v1.6.0",
		Ours: "172.16.0.0/16", Theirs: "169.254.0.0/16",
		Why: "one default for all releases, which does not move with an upgrade; NSM itself has it from v1.6.1 on",
	},

	// The dashboard, which is a bare pod in NSM's manifests.
	{
		Path: "Service[dashboard-*].metadata", Components: []string{"dashboard"}, Fields: ownerOf, Theirs: absent,
		Why: "as the workload",
	},
	{
		Path: "Service[dashboard-*].metadata.labels", Components: []string{"dashboard"}, Fields: ownLabels, Theirs: absent,
		Why: "as the workload",
	},
	{
		Path: "Service[dashboard-*].spec.selector", Components: []string{"dashboard"}, Fields: ownSelector, Theirs: absent,
		Why: "as the workload's selector",
	},
	{
		Path: "Service[dashboard-*].spec.selector.app", Components: []string{"dashboard"}, Ours: absent,
		Why: "as the workload's selector",
	},
	{
		Path: "Deployment.spec.template.spec.containers[dashboard-backend].readinessProbe", Components: []string{"dashboard"},
		Fields: map[string]string{".httpGet.path": "/nodes", ".httpGet.port": "3001", ".periodSeconds": "2"}, Theirs: absent,
		Why: "without a probe, one that does not serve yet counts as ready",
	},
	{
		Path: "Deployment.spec.template.spec.containers[dashboard-ui].readinessProbe", Components: []string{"dashboard"},
		Fields: map[string]string{".httpGet.path": "/", ".httpGet.port": "3000", ".periodSeconds": "2"}, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "Deployment.spec.template.spec.containers[dashboard-backend].resources", Components: []string{"dashboard"},
		Fields: map[string]string{".requests.cpu": "50m", ".requests.memory": "64Mi", ".limits.cpu": "200m", ".limits.memory": "128Mi"}, Theirs: absent,
		Why: "NSM publishes none, and a quota may ask for them",
	},
	{
		Path: "Deployment.spec.template.spec.containers[dashboard-ui].resources", Components: []string{"dashboard"},
		Fields: uiResources, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "Deployment.spec.template.spec.containers[dashboard-ui].securityContext", Components: []string{"dashboard"},
		Fields: leastPrivilege, Theirs: absent,
		Why: "least privilege; it writes to its volumes only",
	},
	{
		Path: "Deployment.spec.template.spec.containers[dashboard-ui]", Components: []string{"dashboard"},
		Fields: map[string]string{
			".env[HOME].name": "HOME", ".env[HOME].value": "/tmp",
			".volumeMounts[/app].name": "ui", ".volumeMounts[/app].mountPath": "/app",
			".volumeMounts[/tmp].name": "tmp", ".volumeMounts[/tmp].mountPath": "/tmp",
		}, Theirs: absent,
		Why: "it runs from a copy of its files, beside which it may write without being root",
	},
	{
		Path: "Deployment.spec.template.spec.volumes", Components: []string{"dashboard"},
		Fields: map[string]string{"[ui].name": "ui", "[ui].emptyDir": "{}", "[tmp].name": "tmp", "[tmp].emptyDir": "{}"}, Theirs: absent,
		Why: "the volumes above",
	},
	{
		Path: "Deployment.spec.template.spec.initContainers[dashboard-ui-files]", Components: []string{"dashboard"},
		Fields: map[string]string{
			".name": "dashboard-ui-files", ".image": "ghcr.io/networkservicemesh/cmd-dashboard-ui:{release}", ".imagePullPolicy": "IfNotPresent",
			".command": `["cp","-R","/app/.","/copy"]`, ".volumeMounts[/copy].name": "ui", ".volumeMounts[/copy].mountPath": "/copy",
			".terminationMessagePolicy": "FallbackToLogsOnError",
		}, Theirs: absent,
		Why: "it makes that copy",
	},
	{
		Path: "Deployment.spec.template.spec.initContainers[dashboard-ui-files].resources", Components: []string{"dashboard"},
		Fields: uiResources, Theirs: absent,
		Why: "as the container that it works for",
	},
	{
		Path: "Deployment.spec.template.spec.initContainers[dashboard-ui-files].securityContext", Components: []string{"dashboard"},
		Fields: leastPrivilege, Theirs: absent,
		Why: "as the container that it works for",
	},

	// The domain's name.
	{
		Path: "ClusterProperty[id.k8s.io]", Components: []string{"cluster-info"}, Ours: present, Theirs: absent,
		Why: "interdomain.clusterName; NSM has it in its interdomain examples instead",
	},
	{
		Path: "ClusterRole.rules[about.k8s.io/clusterproperties]", Components: []string{"cluster-info"}, Ours: "list", Theirs: "*",
		Why: "it only lists them",
	},
	{
		Path: "ClusterRole.rules[configmaps]", Components: []string{"cluster-info"}, Ours: absent, Theirs: "*",
		Why: "it writes one ConfigMap of its own namespace: whoever writes any ConfigMap takes over the cluster",
	},
	{
		Path: "ClusterRole[nsm:nsm-system:cluster-info:namespace]", Components: []string{"cluster-info"}, Ours: present, Theirs: absent,
		Why: "the right to write that one",
	},
	{
		Path: "RoleBinding[cluster-info]", Components: []string{"cluster-info"}, Ours: present, Theirs: absent,
		Why: "the same",
	},
	{
		Path: "ConfigMap.metadata", Components: []string{"cluster-info"}, Fields: ownedMeta, Theirs: absent,
		Why: "as the workload",
	},
	{
		Path: "ConfigMap.metadata.labels", Components: []string{"cluster-info"}, Fields: ownLabels, Theirs: absent,
		Why: "as the workload",
	},

	// The CSI driver.
	{
		Path: "CSIDriver.metadata.labels", Components: []string{"csi-driver"}, Fields: ownLabels, Theirs: absent,
		Why: "whose it is; a cluster-scoped object has no other owner",
	},
	{
		Path: "CSIDriver.metadata.labels[security.openshift.io/csi-ephemeral-volume-profile]", Components: []string{"csi-driver"}, Ours: "restricted", Theirs: absent,
		Why: "without it OpenShift takes every volume of the driver for privileged",
	},
	{
		Path: "DaemonSet.spec.template.spec.containers[nsm-csi-driver].env[NSM_VERSION].value", Components: []string{"csi-driver"},
		Ours: "cmd-csi-driver:{release}", Theirs: "cmd-csi-driver:*",
		Why: "the release, where NSM has the commit that the image was built from",
	},

	// What the operator brings itself.
	{
		Path: "CustomResourceDefinition[networkservice*s.networkservicemesh.io]", Components: []string{"registry-k8s"}, Ours: absent, Theirs: present,
		Why: "installed with the operator: removed with one mesh, they would take the entries of all others along",
	},
}
