// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1beta1

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LogLevel of the mesh's components (NSM_LOG_LEVEL).
// +kubebuilder:validation:Enum=TRACE;DEBUG;INFO;WARN;ERROR;FATAL
type LogLevel string

// NetworkPolicyMode says whether a mesh has NetworkPolicies.
// +kubebuilder:validation:Enum=Managed;None
type NetworkPolicyMode string

const (
	// NetworkPolicyManaged has the operator make them.
	NetworkPolicyManaged NetworkPolicyMode = "Managed"
	// NetworkPolicyNone has it make none.
	NetworkPolicyNone NetworkPolicyMode = "None"
)

// NSMSpec describes a Network Service Mesh. Every field is optional: an empty
// spec is a working mesh of the newest release that the operator knows.
// +kubebuilder:validation:XValidation:rule="!has(self.forwarders) || self.forwarders.size() > 0 || (has(self.nsmgr) && has(self.nsmgr.enabled) && !self.nsmgr.enabled)",fieldPath=".forwarders",reason="FieldValueRequired",message="must hold at least one forwarder; leave the field out for one of type vpp"
// +kubebuilder:validation:XValidation:rule="!(has(self.nsmgr) && has(self.nsmgr.enabled) && !self.nsmgr.enabled) || !has(self.forwarders) || self.forwarders.size() == 0",fieldPath=".forwarders",reason="FieldValueForbidden",message="must be left out with spec.nsmgr.enabled: false: a forwarder does what the manager on its node asks for"
// +kubebuilder:validation:XValidation:rule="!(has(self.nsmgr) && has(self.nsmgr.enabled) && !self.nsmgr.enabled) || !has(self.admissionWebhook) || !has(self.admissionWebhook.enabled) || !self.admissionWebhook.enabled",fieldPath=".admissionWebhook.enabled",message="must be left out or false with spec.nsmgr.enabled: false: the clients that the webhook makes ask the manager on their node"
// +kubebuilder:validation:XValidation:rule="!(has(self.nsmgr) && has(self.nsmgr.enabled) && !self.nsmgr.enabled) || !has(self.csiDriver) || self.csiDriver == null",fieldPath=".csiDriver",reason="FieldValueForbidden",message="must be left out with spec.nsmgr.enabled: false: the driver brings clients to the manager on their node"
type NSMSpec struct {
	// version is the NSM release to run, such as "v1.18.0", from v1.0.0 up.
	// Default: the newest release that the operator knows, written at creation,
	// so that it never moves by itself.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^v[1-9][0-9]*[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$')",message="must be an NSM release from v1.0.0 up, written in full, such as v1.18.0"
	Version string `json:"version,omitempty"`

	// images says where the images come from.
	// +optional
	Images *ImagesSpec `json:"images,omitempty"`

	// logLevel of all components: TRACE, DEBUG, INFO, WARN, ERROR or FATAL.
	// Default: INFO.
	// +optional
	LogLevel LogLevel `json:"logLevel,omitempty"`

	// labels are added to every object that the operator makes for the mesh, and
	// not to the pods: podLabels are for those. The labels that the operator sets
	// cannot be changed. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitzero"`

	// annotations are added to every object that the operator makes for the mesh,
	// and not to the pods. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitzero"`

	// podLabels are added to all pods of the mesh. A change replaces the pods.
	// Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	PodLabels map[string]string `json:"podLabels,omitzero"`

	// podAnnotations are added to all pods of the mesh. A change replaces the
	// pods. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	PodAnnotations map[string]string `json:"podAnnotations,omitzero"`

	// nodeSelector limits the nodes on which the mesh's pods run. A component with a
	// nodeSelector of its own goes by that alone; an empty one, {}, is every Linux
	// node. Default: every Linux node that the pods tolerate.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="!('kubernetes.io/os' in self) || self['kubernetes.io/os'] == 'linux'",messageExpression="'selects kubernetes.io/os: ' + self['kubernetes.io/os'] + ', which must be linux: NSM runs on no other system'",message="selects kubernetes.io/os, which must be linux: NSM runs on no other system"
	NodeSelector map[string]string `json:"nodeSelector,omitzero"`

	// tolerations of all pods of the mesh. A component with tolerations of its own
	// has those alone; an empty list, [], is none. Default: none beyond those that
	// Kubernetes gives to every DaemonSet.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitzero"`

	// priorityClassName of all pods of the mesh, or None for the cluster's default. A
	// component's own comes before it. Default: system-node-critical for nsmgr, the
	// forwarders and the CSI driver, system-cluster-critical for all else.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// kubeletDirectory is the kubelet's directory on every node (its --root-dir), which
	// forwarders and the CSI driver mount. Default: "/var/lib/kubelet", or that of
	// MicroK8s or k0s, which the operator tells by the nodes.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[^/\\\\s:]+)+$') && !self.matches('/[.][.]?(/|$)')",message="must be the absolute path of a directory on each node, without a slash at its end, and without . and .. in it, such as /var/lib/kubelet"
	KubeletDirectory string `json:"kubeletDirectory,omitempty"`

	// networkPolicy says whether the mesh has NetworkPolicies, by which its pods talk only
	// to whom they need: Managed or None. Pods on the network of their node cannot be
	// limited. Default: None.
	// +optional
	NetworkPolicy NetworkPolicyMode `json:"networkPolicy,omitempty"`

	// spire describes the SPIRE that gives the mesh its identities.
	// +optional
	Spire *SpireSpec `json:"spire,omitempty"`

	// registry describes the registry of network services and endpoints.
	// +optional
	Registry *RegistrySpec `json:"registry,omitempty"`

	// nsmgr describes the network service managers, one a node. Without them
	// (enabled: false) the mesh is a registry alone, which other domains use.
	// +optional
	Nsmgr *NsmgrSpec `json:"nsmgr,omitempty"`

	// forwarders of the mesh, each run on every node. Default: one of type vpp; none
	// with nsmgr.enabled: false.
	// For server-side apply the list is one value: who applies it applies all of it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.map(f, has(f.name) ? f.name : 'forwarder-' + f.type).all(n, self.exists_one(f, (has(f.name) ? f.name : 'forwarder-' + f.type) == n))",messageExpression="self.map(f, has(f.name) ? f.name : 'forwarder-' + f.type).filter(n, !self.exists_one(f, (has(f.name) ? f.name : 'forwarder-' + f.type) == n))[0] + ' is the name of more than one forwarder: each needs a name of its own'",message="more than one forwarder has the same name: each needs a name of its own"
	Forwarders []ForwarderSpec `json:"forwarders,omitzero"`

	// admissionWebhook describes the webhook that makes clients of annotated
	// workloads.
	// +optional
	AdmissionWebhook *AdmissionWebhookSpec `json:"admissionWebhook,omitempty"`

	// csiDriver runs NSM's CSI driver, through which clients in namespaces with
	// the pod security levels restricted and baseline reach NSM without a host
	// path. One of several meshes in a cluster can have it. Default: absent, and
	// off.
	// +optional
	// +nullable
	CSIDriver *CSIDriverSpec `json:"csiDriver,omitempty"` //nolint:kubeapilinter // null turns nothing on: the webhook says so, and leaves it out

	// interdomain connects the mesh with other domains. Default: absent, and off.
	// +optional
	// +nullable
	Interdomain *InterdomainSpec `json:"interdomain,omitempty"` //nolint:kubeapilinter // null turns nothing on: the webhook says so, and leaves it out

	// vl3 runs the IP address managers of vL3 networks (from NSM v1.3.0 on).
	// Default: absent, and off.
	// +optional
	// +nullable
	VL3 *VL3Spec `json:"vl3,omitempty"` //nolint:kubeapilinter // null turns nothing on: the webhook says so, and leaves it out

	// dashboard runs NSM's dashboard (from NSM v1.12.0 on). It shows every client,
	// endpoint and connection of the mesh to whoever reaches it: it knows no users.
	// Default: absent, and off.
	// +optional
	// +nullable
	Dashboard *DashboardSpec `json:"dashboard,omitempty"` //nolint:kubeapilinter // null turns nothing on: the webhook says so, and leaves it out

	// telemetry describes what the mesh tells about itself.
	// +optional
	Telemetry *TelemetrySpec `json:"telemetry,omitempty"`

	// openshift holds what matters on OpenShift only.
	// +optional
	OpenShift *OpenShiftSpec `json:"openshift,omitempty"`

	// upgrade describes how the mesh goes from one release to another.
	// +optional
	Upgrade *UpgradeSpec `json:"upgrade,omitempty"`

	// Unreadable holds, by name and as they were written, the members whose
	// values have a type that the fields above cannot hold. No such object passes
	// validation; one that came another way is still read, and loses nothing.
	Unreadable map[string]json.RawMessage `json:"-"`
}

// Types of the conditions of an NSM. Each is True when all is well, but for
// Progressing, Degraded and Stalled.
//
// Ready and Stalled are what kstatus goes by, and with it Helm, Flux and kpt. It
// reads a condition Reconciling, too: there must never be one.
const (
	// ConditionReady: the mesh has come up as this generation of the NSM describes
	// it. Pods that are lost later do not turn it; they turn Available.
	ConditionReady = "Ready"
	// ConditionStalled: this generation will not come up, however long one waits:
	// somebody has to change something first.
	ConditionStalled = "Stalled"
	// ConditionAvailable: every part of the mesh is up.
	ConditionAvailable = "Available"
	// ConditionProgressing: the operator is changing the mesh, or waits for a
	// change to come up.
	ConditionProgressing = "Progressing"
	// ConditionDegraded: something is wrong that does not mend by itself.
	ConditionDegraded = "Degraded"
	// ConditionRegistryReady: the registry is up.
	ConditionRegistryReady = "RegistryReady"
	// ConditionManagersReady: a network service manager is up on every node
	// that should have one.
	ConditionManagersReady = "ManagersReady"
	// ConditionForwardersReady: every forwarder is up on every node that should
	// have one.
	ConditionForwardersReady = "ForwardersReady"
	// ConditionSpireReady: the mesh's workloads are registered with SPIRE; Unknown
	// where that is somebody else's.
	ConditionSpireReady = "SpireReady"
	// ConditionInterdomainReady: what connects the mesh with other domains is up, and
	// nothing that is seen keeps them apart; absent where there is none.
	ConditionInterdomainReady = "InterdomainReady"
	// ConditionVL3Ready: the IP address managers of vL3 networks are up; absent where
	// there are none.
	ConditionVL3Ready = "VL3Ready"
	// ConditionDashboardReady: the dashboard is up; absent where there is none.
	ConditionDashboardReady = "DashboardReady"
	// ConditionAdmissionWebhookReady: the admission webhook is up; absent where
	// there is none.
	ConditionAdmissionWebhookReady = "AdmissionWebhookReady"
)

// ComponentStatus is what was seen of one workload of the mesh.
type ComponentStatus struct {
	// name of the workload.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// kind of the workload: Deployment or DaemonSet.
	// +required
	// +kubebuilder:validation:Enum=Deployment;DaemonSet
	Kind string `json:"kind,omitempty"`

	// version is the NSM release that the workload is meant to run.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// desired is the number of pods that should run.
	// +required
	// +kubebuilder:validation:Minimum=0
	Desired *int32 `json:"desired,omitempty"`

	// updated is the number of pods that run the current definition.
	// +required
	// +kubebuilder:validation:Minimum=0
	Updated *int32 `json:"updated,omitempty"`

	// ready is the number of pods that are ready.
	// +required
	// +kubebuilder:validation:Minimum=0
	Ready *int32 `json:"ready,omitempty"`

	// message tells a person what the workload is waiting for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// NSMStatus is what the operator saw of a mesh.
type NSMStatus struct {
	// conditions of the mesh: Ready, Available, Progressing, Degraded, Stalled, and
	// one for each part of the mesh.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the rest of the
	// status tells about; -1 until the operator has seen the object.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"` //nolint:kubeapilinter // no pointer, as in every other status: 0 is no generation

	// version is the NSM release that has been rolled out completely.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// managers tells how many network service managers are ready, of how many:
	// "3/3".
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Managers string `json:"managers,omitempty"`

	// forwarders tells how many forwarders of all types are ready, of how many.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Forwarders string `json:"forwarders,omitempty"`

	// components tells about each workload of the mesh.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Components []ComponentStatus `json:"components,omitempty"`

	// staleClients is how many running pods still have a client (cmd-nsc) of another
	// image than the one that the admission webhook injects now. They keep it until
	// they are recreated. Counted when the webhook has changed, and every 10 minutes
	// until there are none. Absent without an admission webhook, and until the first
	// count.
	// +optional
	// +kubebuilder:validation:Minimum=0
	StaleClients *int32 `json:"staleClients,omitempty"`

	// Unreadable holds what cannot be read, as in the spec.
	Unreadable map[string]json.RawMessage `json:"-"`
}

// NSM is a Network Service Mesh: its registry, network service managers and
// forwarders, in the namespace of this object.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:storageversion
// +kubebuilder:resource:path=nsms,scope=Namespaced,categories=networkservicemesh
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].status`
// +kubebuilder:printcolumn:name="Managers",type=string,JSONPath=`.status.managers`
// +kubebuilder:printcolumn:name="Forwarders",type=string,JSONPath=`.status.forwarders`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must be at most 63 characters long: it becomes the value of a label"
type NSM struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec describes the mesh.
	// +optional
	Spec NSMSpec `json:"spec,omitzero"`

	// status is what the operator saw of the mesh. The default tells those who wait
	// for a mesh that the operator has not seen it yet: without a status they take
	// it as done.
	// +optional
	// +default={"observedGeneration":-1}
	Status NSMStatus `json:"status,omitzero"`
}

// NSMList is a list of NSM.
// +kubebuilder:object:root=true
type NSMList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items of the list.
	Items []NSM `json:"items"`
}

// DefaultForwarderName is the name of a forwarder that was given none.
func DefaultForwarderName(forwarderType ForwarderType) string {
	return "forwarder-" + string(forwarderType)
}
