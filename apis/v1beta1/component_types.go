// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ContainerSpec changes one container that the operator runs.
type ContainerSpec struct {
	// image is the whole reference of the container's image, such as
	// "registry.example.com/nsm/cmd-nsmgr:v1.18.0". Default: the component's
	// image of the release, built from spec.images.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\s')",message="must be an image reference without spaces, such as ghcr.io/networkservicemesh/cmd-nsmgr:v1.18.0"
	Image string `json:"image,omitempty"`

	// env is merged by name over the environment that the operator sets:
	// where both name a variable, this one wins. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	Env []corev1.EnvVar `json:"env,omitzero"`

	// resources replaces, name by name, the requests and limits that NSM
	// publishes for the container. Default: NSM's own, or the operator's where NSM
	// has none.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// ComponentSpec changes one component of the mesh: its main container and
// the pods that it runs in.
type ComponentSpec struct {
	ContainerSpec `json:",inline"`

	// nodeSelector limits the nodes on which the component's pods run, in the place of
	// spec.nodeSelector. They run on Linux only, whatever it says, and a vpp
	// forwarder from NSM v1.14.3 on runs on amd64 only, unless it selects another
	// kubernetes.io/arch, for which NSM publishes no image. Default: spec.nodeSelector.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="!('kubernetes.io/os' in self) || self['kubernetes.io/os'] == 'linux'",messageExpression="'selects kubernetes.io/os: ' + self['kubernetes.io/os'] + ', which must be linux: NSM runs on no other system'",message="selects kubernetes.io/os, which must be linux: NSM runs on no other system"
	NodeSelector map[string]string `json:"nodeSelector,omitzero"`

	// tolerations of the component's pods, in the place of spec.tolerations; an
	// empty list, [], is none. Default: spec.tolerations.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitzero"`

	// affinity of the component's pods. Nodes that run no containers of their own
	// (virtual-kubelet, AWS Fargate) are left out whatever it says. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// priorityClassName of the component's pods, or None for the cluster's default.
	// Default: spec.priorityClassName.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// labels are added to the component's own objects: its workload, Service,
	// ServiceAccount, roles and the like, and not its pods. They win over
	// spec.labels. The labels that the operator sets cannot be changed.
	// Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitzero"`

	// annotations are added to the same objects, and win over spec.annotations.
	// Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitzero"`

	// podLabels are added to the component's pods, and win over spec.podLabels.
	// The labels that the operator sets cannot be changed. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	PodLabels map[string]string `json:"podLabels,omitzero"`

	// podAnnotations are added to the component's pods, and win over
	// spec.podAnnotations. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	PodAnnotations map[string]string `json:"podAnnotations,omitzero"`
}

// ImagesSpec says where the images of the mesh come from.
// +kubebuilder:validation:XValidation:rule="!has(self.template) || !has(self.registry) && !has(self.repository)",fieldPath=".template",reason="FieldValueForbidden",message="must be left out where registry or repository is given: it says where all images are"
type ImagesSpec struct {
	// registry is the host, and the port if it has one, of the image registry.
	// Default: "ghcr.io".
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?$')",message="must be the host of an image registry, and its port if it has one, such as ghcr.io"
	Registry string `json:"registry,omitempty"`

	// repository is the path within the registry under which the component's
	// images lie. Default: "networkservicemesh".
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]+((\\\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\\\.|_|__|-+)[a-z0-9]+)*)*$')",message="must be the path within the image registry: names of lower case letters, digits and single dots, dashes or underscores, with slashes between them, such as networkservicemesh"
	Repository string `json:"repository,omitempty"`

	// template of all image references, for a mirror that names them in its own way:
	// {name} stands for NSM's name of an image, such as cmd-nsmgr, and {version} for
	// its tag, the NSM release for NSM's own. Such as
	// "registry.example.com/mirror/nsm-{name}:{version}". It takes the place of
	// registry and repository. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^{}@\\\\s]*[{]name[}][^{}/:@\\\\s]*:[^{}/:@\\\\s]*[{]version[}][^{}/:@\\\\s]*$')",message="must be an image reference with {name} in the last part of its path, and {version} in its tag, such as registry.example.com/mirror/nsm-{name}:{version}"
	Template string `json:"template,omitempty"`

	// overrides are whole references of single images, by tag or by digest, each under
	// NSM's name of the image: "cmd-nsmgr", "cmd-nsc", "csi-node-driver-registrar".
	// They do not move with the release; the image of a component goes before them.
	// Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Overrides map[string]string `json:"overrides,omitzero"`

	// pullPolicy of all containers: Always, IfNotPresent or Never.
	// Default: IfNotPresent.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	PullPolicy corev1.PullPolicy `json:"pullPolicy,omitempty"`

	// pullSecrets names the Secrets, in the namespace of the NSM, with which the
	// images are pulled. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	PullSecrets []PullSecret `json:"pullSecrets,omitzero"`
}

// PullSecret names a Secret with registry credentials.
type PullSecret struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret: lower case letters, digits, dashes and dots"
	Name string `json:"name,omitempty"`
}

// SpireMount is a way to bring the SPIRE agent's socket into a pod.
// +kubebuilder:validation:Enum=HostPath;CSI
type SpireMount string

const (
	// SpireMountHostPath mounts the directory of spec.spire.agentSocket from the node.
	SpireMountHostPath SpireMount = "HostPath"
	// SpireMountCSI mounts it through the CSI driver csi.spiffe.io.
	SpireMountCSI SpireMount = "CSI"
)

// SpireRegistration says who registers the mesh's workloads with SPIRE.
// +kubebuilder:validation:Enum=Automatic;None
type SpireRegistration string

const (
	// SpireRegistrationAutomatic lets the operator create ClusterSPIFFEIDs where
	// SPIRE's controller manager serves that kind.
	SpireRegistrationAutomatic SpireRegistration = "Automatic"
	// SpireRegistrationNone leaves registration to somebody else.
	SpireRegistrationNone SpireRegistration = "None"
)

// SpireSpec describes the SPIRE that gives the mesh its identities.
type SpireSpec struct {
	// agentSocket is the SPIRE agent's Workload API endpoint on each node, a URL
	// of a unix socket. Its directory is what gets mounted.
	// Default: "unix:///run/spire/sockets/agent.sock".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^unix:///[^\\\\s/]+(/[^\\\\s/]+)+$') && !self.matches('/[.][.]?(/|$)')",message="must be the URL of a unix socket in a directory, without . and .. in its path, such as unix:///run/spire/sockets/agent.sock"
	AgentSocket string `json:"agentSocket,omitempty"`

	// mount is how the socket comes into the pods: HostPath or CSI.
	// Default: HostPath.
	// +optional
	Mount SpireMount `json:"mount,omitempty"`

	// registration says who registers the workloads with SPIRE: Automatic or
	// None. Default: Automatic.
	// +optional
	Registration SpireRegistration `json:"registration,omitempty"`

	// className of the ClusterSPIFFEIDs, for a SPIRE controller manager that
	// looks only at one class. They also have it as the label
	// spire.spiffe.io/class-name, if it has at most 63 characters. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$')",message="must be the class name of a SPIRE controller manager: letters, digits, dashes, dots and underscores"
	ClassName string `json:"className,omitempty"`
}

// RegistryType is a kind of NSM registry.
// +kubebuilder:validation:Enum=k8s;memory
type RegistryType string

const (
	// RegistryTypeK8s keeps network services and endpoints as Kubernetes
	// resources (NSM's cmd-registry-k8s).
	RegistryTypeK8s RegistryType = "k8s"
	// RegistryTypeMemory keeps them in its own memory (cmd-registry-memory).
	RegistryTypeMemory RegistryType = "memory"
)

// RegistrySpec describes the NSM registry.
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || self.replicas <= 1 || (has(self.type) ? self.type : 'k8s') == 'k8s'",fieldPath=".replicas",message="must be 1 with spec.registry.type memory, since such a registry keeps its entries in one process; with type k8s there can be more"
type RegistrySpec struct {
	ComponentSpec `json:",inline"`

	// type of the registry: k8s or memory. Default: k8s.
	// +optional
	Type RegistryType `json:"type,omitempty"`

	// replicas is the number of registry pods; more than one is possible with
	// type k8s only. Where it is absent nobody's scaling (an autoscaler's, or
	// kubectl's) is undone. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// serviceType of the Service "registry": ClusterIP, NodePort or LoadBalancer.
	// Other domains reach the registry only through one of the last two.
	// Default: ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	ServiceType corev1.ServiceType `json:"serviceType,omitempty"`

	// serviceAnnotations are added to the Service "registry" alone, such as those
	// that a cloud's load balancer reads. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ServiceAnnotations map[string]string `json:"serviceAnnotations,omitzero"`
}

// NsmgrSpec describes the network service managers, one a node.
type NsmgrSpec struct {
	ComponentSpec `json:",inline"`

	// enabled says whether there are managers. Without them there are no forwarders, no
	// admission webhook and no CSI driver either: the mesh is a registry alone,
	// behind registry.serviceType, as the floating domain of NSM's interdomain
	// examples. Default: true.
	// +optional
	Enabled *bool `json:"enabled,omitempty"` //nolint:kubeapilinter // a switch, as that of the admission webhook

	// excludedPrefixes are IP prefixes (CIDR notation) that NSM must never hand
	// out to clients, beside those that it finds out by itself. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="must be an IP prefix in CIDR notation, such as 10.96.0.0/12"
	ExcludedPrefixes []string `json:"excludedPrefixes,omitzero"`

	// excludePrefixes changes the sidecar that collects the cluster's own
	// prefixes (cmd-exclude-prefixes-k8s; from NSM v1.1.0 on).
	// +optional
	ExcludePrefixes *ContainerSpec `json:"excludePrefixes,omitempty"`
}

// ForwarderType is a kind of NSM forwarder.
// +kubebuilder:validation:Enum=vpp;ovs;sriov
type ForwarderType string

const (
	// ForwarderTypeVPP forwards with FD.io VPP.
	ForwarderTypeVPP ForwarderType = "vpp"
	// ForwarderTypeOVS forwards with Open vSwitch.
	ForwarderTypeOVS ForwarderType = "ovs"
	// ForwarderTypeSRIOV hands out SR-IOV virtual functions.
	ForwarderTypeSRIOV ForwarderType = "sriov"
)

// TunnelIP says which address a forwarder uses for its tunnels.
// +kubebuilder:validation:Enum=Node;Auto
type TunnelIP string

const (
	// TunnelIPNode is the node's address.
	TunnelIPNode TunnelIP = "Node"
	// TunnelIPAuto lets the forwarder choose.
	TunnelIPAuto TunnelIP = "Auto"
)

// FileSource is a configuration file: a key of a ConfigMap, or a file on the node.
// +kubebuilder:validation:XValidation:rule="has(self.configMap) != has(self.hostPath)",message="must have exactly one of configMap and hostPath"
type FileSource struct {
	// configMap names a ConfigMap in the namespace of the NSM and one of its keys.
	// +optional
	ConfigMap *ConfigMapKey `json:"configMap,omitempty"`

	// hostPath is the absolute path of a file on each node.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^\\\\s]+$') && !self.matches('/[.][.]?(/|$)')",message="must be the absolute path of a file on each node, without . and .. in it"
	HostPath string `json:"hostPath,omitempty"`
}

// ConfigMapKey is a key of a ConfigMap in the namespace of the NSM.
type ConfigMapKey struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a ConfigMap: lower case letters, digits, dashes and dots"
	Name string `json:"name,omitempty"`

	// key within the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",message="must be a key of a ConfigMap: letters, digits, dashes, dots and underscores, such as sriov.config"
	Key string `json:"key,omitempty"`
}

// VPPInit is the way in which the vpp forwarder takes over the node's uplink
// (NSM_VPP_INIT; from NSM v1.9.0 on).
// +kubebuilder:validation:Enum=AF_PACKET;AF_XDP;NONE
type VPPInit string

// VPPSpec holds what only the vpp forwarder knows.
type VPPSpec struct {
	// init is the way in which VPP takes over the node's uplink: AF_PACKET,
	// AF_XDP or NONE. Default: the release's own (AF_PACKET from v1.9.0 on).
	// +optional
	Init VPPInit `json:"init,omitempty"`
}

// OVSSpec holds what only the ovs forwarder knows.
type OVSSpec struct {
	// bridge is the name of the Open vSwitch bridge. Default: "br-nsm".
	// +optional
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s/]+$')",message="must be the name of a bridge, without spaces and slashes, such as br-nsm"
	Bridge string `json:"bridge,omitempty"`
}

// ForwarderSpec describes one forwarder, run on every node.
// +kubebuilder:validation:XValidation:rule="!has(self.vpp) || self.type == 'vpp'",fieldPath=".vpp",reason="FieldValueForbidden",messageExpression="'is for a forwarder of type vpp only, and the type of this one is ' + self.type",message="is for a forwarder of type vpp only"
// +kubebuilder:validation:XValidation:rule="!has(self.ovs) || self.type == 'ovs'",fieldPath=".ovs",reason="FieldValueForbidden",messageExpression="'is for a forwarder of type ovs only, and the type of this one is ' + self.type",message="is for a forwarder of type ovs only"
// +kubebuilder:validation:XValidation:rule="!has(self.deviceSelector) || self.type != 'sriov'",fieldPath=".deviceSelector",reason="FieldValueForbidden",message="is for a forwarder of type vpp or ovs only, and the type of this one is sriov"
// +kubebuilder:validation:XValidation:rule="!has(self.tunnelIP) || self.tunnelIP != 'Auto' || self.type != 'ovs'",fieldPath=".tunnelIP",message="must be Node: a forwarder of type ovs does not choose an address, and does not start without one"
type ForwarderSpec struct {
	ComponentSpec `json:",inline"`

	// name of the forwarder and of its DaemonSet, unique in the mesh. Default:
	// "forwarder-<type>", written by the operator.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower case letters, digits and dashes, such as forwarder-vpp"
	// +kubebuilder:validation:XValidation:rule="!(self in ['nsmgr', 'nsm-registry', 'nsm-csi', 'nsmgr-proxy', 'registry-proxy', 'cluster-info', 'admission-webhook-k8s', 'vl3-ipam', 'dashboard', 'default', 'nsm-operator'])",message="is the name of another part of the mesh; choose a name such as forwarder-vpp"
	Name string `json:"name,omitempty"`

	// type of the forwarder: vpp, ovs or sriov.
	// +required
	Type ForwarderType `json:"type,omitempty"`

	// sriovConfig is the SR-IOV configuration of the node's devices
	// (NSM_SRIOV_CONFIG_FILE). Default: none for vpp; for ovs and sriov the
	// host's /var/lib/networkservicemesh/smartnic.config and sriov.config.
	// +optional
	SRIOVConfig *FileSource `json:"sriovConfig,omitempty"`

	// deviceSelector chooses the node's interfaces by label
	// (NSM_DEVICE_SELECTOR_FILE for vpp, NSM_L2_RESOURCE_SELECTOR_FILE for ovs).
	// Default: none.
	// +optional
	DeviceSelector *FileSource `json:"deviceSelector,omitempty"`

	// tunnelIP is the address of the forwarder's tunnels: Node or, for vpp, Auto.
	// Without effect for sriov, which has no tunnels. Default: Node.
	// +optional
	TunnelIP TunnelIP `json:"tunnelIP,omitempty"`

	// mechanismPriority lists mechanisms, the most wanted first, such as
	// WIREGUARD, IPSEC, VXLAN. Without effect for others than vpp.
	// Default: NSM's own order.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Z][A-Z0-9_-]*$')",message="must be the name of a mechanism in capitals, such as VXLAN or WIREGUARD"
	MechanismPriority []string `json:"mechanismPriority,omitzero"`

	// vpp holds what only a forwarder of type vpp knows.
	// +optional
	VPP *VPPSpec `json:"vpp,omitempty"`

	// ovs holds what only a forwarder of type ovs knows.
	// +optional
	OVS *OVSSpec `json:"ovs,omitempty"`
}

// InjectedClientSpec describes what the admission webhook adds to the pods of
// annotated clients.
type InjectedClientSpec struct {
	// image is the whole reference of the client sidecar's image (cmd-nsc). The
	// container is named after the last part of it, without tag and digest.
	// Default: the release's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\s')",message="must be an image reference without spaces, such as ghcr.io/networkservicemesh/cmd-nsc:v1.18.0"
	Image string `json:"image,omitempty"`

	// initImage is the whole reference of the client's init container
	// (cmd-nsc-init). Default: the release's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\s')",message="must be an image reference without spaces, such as ghcr.io/networkservicemesh/cmd-nsc-init:v1.18.0"
	InitImage string `json:"initImage,omitempty"`

	// env is the environment of the injected containers; the webhook takes plain
	// values only, without "=" and ",". Default: NSM_LOG_LEVEL.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []InjectedEnvVar `json:"env,omitzero"`

	// resources of the injected containers, CPU and memory. Default: NSM's own.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// InjectedEnvVar is an environment variable of an injected container.
type InjectedEnvVar struct {
	// name of the variable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^=,\\\\s]+$')",message="must be the name of a variable, without spaces, = and commas, such as NSM_LOG_LEVEL"
	Name string `json:"name,omitempty"`

	// value of the variable. Default: empty.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.contains('=') && !self.contains(',')",message="must not contain = or commas: NSM's webhook takes those for the end of the value"
	Value string `json:"value,omitempty"`
}

// FailurePolicy says what happens to an object that asks for NSM when the
// admission webhook cannot be reached.
// +kubebuilder:validation:Enum=Fail;Ignore
type FailurePolicy string

// AdmissionWebhookSpec describes NSM's admission webhook, which makes clients
// of annotated workloads.
type AdmissionWebhookSpec struct {
	ComponentSpec `json:",inline"`

	// enabled says whether the webhook runs. It makes clients in the whole
	// cluster, so it can run in one of several meshes only. Default: true; false
	// with spec.nsmgr.enabled: false.
	// +optional
	Enabled *bool `json:"enabled,omitempty"` //nolint:kubeapilinter // a switch, as users of Helm charts and other operators know it

	// replicas is the number of webhook pods (from NSM v1.12.0 on; before, each pod
	// would add a client of its own, so there is one). More than one are spread
	// over the nodes, and a drain takes one at a time. Default: 2.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// failurePolicy says what happens to a pod or a workload with the annotation
	// networkservicemesh.io when the webhook cannot be reached: Fail refuses it,
	// Ignore lets it in without a client. Pods without the annotation are always
	// let in, without a client where their namespace has it (from NSM v1.12.0 on).
	// Default: Fail.
	// +optional
	FailurePolicy FailurePolicy `json:"failurePolicy,omitempty"`

	// hostNetwork runs the webhook's pods on the network of their nodes, where the API
	// server reaches nodes and not pods, as on EKS with another network than Amazon's.
	// NSM's webhook listens on port 443 and no other: that port must be free on as
	// many nodes as there are replicas. The pods run as root then, with the
	// capability to listen there and no other. Default: false.
	// +optional
	HostNetwork *bool `json:"hostNetwork,omitempty"` //nolint:kubeapilinter // a switch, as a pod has it

	// client describes what the webhook injects.
	// +optional
	Client *InjectedClientSpec `json:"client,omitempty"`
}

// CSIDriverSpec describes NSM's CSI driver.
type CSIDriverSpec struct {
	ComponentSpec `json:",inline"`

	// registrar changes the sidecar that tells the kubelet of the driver
	// (Kubernetes' csi-node-driver-registrar).
	// +optional
	Registrar *ContainerSpec `json:"registrar,omitempty"`
}

// InterdomainSpec describes how the mesh reaches other domains.
type InterdomainSpec struct {
	// clusterName is the name of this domain, a DNS label (from NSM v1.6.0 on).
	// Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a DNS label: lower case letters, digits and dashes, such as cluster-1"
	ClusterName string `json:"clusterName,omitempty"`

	// nsmgrProxy changes the network service manager's proxy.
	// +optional
	NsmgrProxy *ComponentSpec `json:"nsmgrProxy,omitempty"`

	// registryProxy changes the registry's proxy.
	// +optional
	RegistryProxy *ComponentSpec `json:"registryProxy,omitempty"`

	// mapIP changes the sidecar that maps internal to external addresses.
	// +optional
	MapIP *ContainerSpec `json:"mapIP,omitempty"`

	// clusterInfo changes the component that publishes the domain's name (from
	// NSM v1.6.0 on).
	// +optional
	ClusterInfo *ComponentSpec `json:"clusterInfo,omitempty"`

	// serviceType of the Service "nsmgr-proxy", which other domains must reach:
	// LoadBalancer, NodePort or ClusterIP. Default: LoadBalancer.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	ServiceType corev1.ServiceType `json:"serviceType,omitempty"`

	// serviceAnnotations are added to the Service "nsmgr-proxy" alone, such as
	// those that a cloud's load balancer reads. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ServiceAnnotations map[string]string `json:"serviceAnnotations,omitzero"`

	// federatesWith lists the SPIFFE trust domains of the other domains.
	// Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9._-]+$')",message="must be a SPIFFE trust domain: lower case letters, digits, dots, dashes and underscores, such as nsm.cluster2"
	FederatesWith []string `json:"federatesWith,omitzero"`
}

// OpenTelemetrySpec describes where metrics and traces go.
type OpenTelemetrySpec struct {
	// endpoint of an OpenTelemetry collector, host:port (OTLP over gRPC).
	// Default: NSM's own, otel-collector.observability.svc.cluster.local:4317.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s/]+:[0-9]{1,5}$')",message="must be host:port, such as otel-collector.observability.svc.cluster.local:4317"
	Endpoint string `json:"endpoint,omitempty"`

	// exportInterval is the time between two exports of metrics, such as "10s"
	// (from NSM v1.11.0 on). Default: NSM's own, 10s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$') && duration(self) > duration('0s')",message="must be a duration longer than zero, such as 10s or 1m30s"
	ExportInterval *metav1.Duration `json:"exportInterval,omitempty"` //nolint:kubeapilinter // written as users write it to NSM, "10s"
}

// PrometheusSpec describes the vpp forwarder's metrics.
type PrometheusSpec struct {
	// enabled says whether the vpp forwarder serves Prometheus metrics (from NSM
	// v1.14.0 on). Default: false.
	// +optional
	Enabled *bool `json:"enabled,omitempty"` //nolint:kubeapilinter // a switch, as above

	// port on the node on which they are served. Default: 8081.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`

	// podMonitor says whether the operator makes a PodMonitor for each vpp
	// forwarder that serves metrics, where Prometheus' operator is installed.
	// Default: false.
	// +optional
	PodMonitor *bool `json:"podMonitor,omitempty"` //nolint:kubeapilinter // a switch, as above
}

// PprofSpec describes the components' profiling endpoint.
type PprofSpec struct {
	// enabled says whether components serve Go's profiles (from NSM v1.14.0
	// on). The sidecars exclude-prefixes and map-ip, which share the address of
	// their pods, do not. Default: false.
	// +optional
	Enabled *bool `json:"enabled,omitempty"` //nolint:kubeapilinter // a switch, as above

	// listenOn is the address, host:port, on which they are served.
	// Default: "localhost:6060".
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s/]*:[0-9]{1,5}$')",message="must be host:port, such as localhost:6060"
	ListenOn string `json:"listenOn,omitempty"`
}

// TelemetrySpec describes what the mesh tells about itself.
type TelemetrySpec struct {
	// openTelemetry turns OpenTelemetry on where it is given (from NSM v1.2.0 on).
	// The sidecars exclude-prefixes and map-ip go without.
	// +optional
	// +nullable
	OpenTelemetry *OpenTelemetrySpec `json:"openTelemetry,omitempty"` //nolint:kubeapilinter // null turns nothing on: the webhook says so, and leaves it out

	// prometheus describes the vpp forwarder's metrics.
	// +optional
	Prometheus *PrometheusSpec `json:"prometheus,omitempty"`

	// pprof describes the profiling endpoint of the components.
	// +optional
	Pprof *PprofSpec `json:"pprof,omitempty"`
}

// SCCManagement says who looks after the security context constraints.
// +kubebuilder:validation:Enum=Managed;None
type SCCManagement string

// OpenShiftSpec holds what matters on OpenShift only.
type OpenShiftSpec struct {
	// securityContextConstraints says whether the operator makes the SCCs that
	// the mesh needs (Managed) or somebody else does (None). Default: Managed.
	// +optional
	SecurityContextConstraints SCCManagement `json:"securityContextConstraints,omitempty"`

	// clientNamespaces selects, by label, the namespaces whose workloads may use
	// NSM through host paths. Never among them, whatever is selected: the mesh's
	// own namespace, default, openshift, and all whose names begin with kube- or
	// openshift-. Default: none.
	// +optional
	ClientNamespaces *metav1.LabelSelector `json:"clientNamespaces,omitempty"`
}

// UpgradeFailureAction says what happens when a new release does not come up.
// +kubebuilder:validation:Enum=Halt;Rollback
type UpgradeFailureAction string

const (
	// UpgradeFailureHalt leaves everything as it is, for a person to look at.
	UpgradeFailureHalt UpgradeFailureAction = "Halt"
	// UpgradeFailureRollback runs what was available last, with its whole spec, until the
	// spec changes.
	UpgradeFailureRollback UpgradeFailureAction = "Rollback"
)

// UpgradeSpec describes how the mesh goes from one release to another.
type UpgradeSpec struct {
	// maxUnavailable is the number, or the percentage, of nodes whose manager or
	// forwarder may be down at a time. Default: 1.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 : self.matches('^(100|[1-9][0-9]?)%$')",message="must be a number from 1 up or a percentage from 1% to 100%"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// progressDeadline is the time that one stage may take. Default: 10m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$') && duration(self) > duration('0s')",message="must be a duration longer than zero, such as 10s or 1m30s"
	ProgressDeadline *metav1.Duration `json:"progressDeadline,omitempty"` //nolint:kubeapilinter // written "10m", as in a rollout's own vocabulary

	// onFailure says what happens after that time: Halt or Rollback.
	// Default: Halt.
	// +optional
	OnFailure UpgradeFailureAction `json:"onFailure,omitempty"`

	// prePull has the nodes pull new images before anything that runs is replaced, so that
	// no node waits for a registry without traffic. A change of which an image cannot be
	// pulled does not begin. Default: true.
	// +optional
	PrePull *bool `json:"prePull,omitempty"` //nolint:kubeapilinter // a switch, as above
}
