// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1alpha1

import (
	"bytes"
	"encoding/json"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NSMSpec describes a Network Service Mesh in any of the released shapes of
// v1alpha1. Where two fields say the same thing in two shapes, each tells which
// one counts.
type NSMSpec struct {
	// version is the NSM release, such as "v1.9.0". Where tag is given too, tag
	// counts.
	// +optional
	Version string `json:"version,omitempty"`

	// tag is the NSM release in the flat shape, and the tag of its images.
	// +optional
	Tag string `json:"tag,omitempty"`

	// registry is, in the flat shape, the image registry's host ("ghcr.io"); in
	// the nested shape an object that describes the NSM registry: type ("k8s" or
	// "memory"), replicaCount, image, envVars.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Registry *Registry `json:"registry,omitempty"`

	// organization is the path of the images within the image registry.
	// +optional
	Organization string `json:"organization,omitempty"`

	// nsmPullPolicy of all images: Always, IfNotPresent or Never.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	NsmPullPolicy corev1.PullPolicy `json:"nsmPullPolicy,omitempty"`

	// nsmLogLevel of all components.
	// +optional
	NsmLogLevel string `json:"nsmLogLevel,omitempty"`

	// spireAgentSocket is the URL of the SPIRE agent's socket.
	// +optional
	SpireAgentSocket string `json:"spireAgentSocket,omitempty"`

	// registryMemoryImage is the memory registry's image: a bare name, completed
	// to registry/organization/name:tag, or a whole reference.
	// +optional
	RegistryMemoryImage string `json:"registryMemoryImage,omitempty"`

	// nsmgrImage is the network service manager's image, a bare name or a whole
	// reference.
	// +optional
	NsmgrImage string `json:"nsmgrImage,omitempty"`

	// forwardingPlaneName is the name of the one forwarder of the flat shape.
	// +optional
	ForwardingPlaneName string `json:"forwardingPlaneName,omitempty"`

	// forwardingPlaneImage is that forwarder's image, a bare name or a whole
	// reference.
	// +optional
	ForwardingPlaneImage string `json:"forwardingPlaneImage,omitempty"`

	// admwhImage is the admission webhook's image; without it there is none.
	// +optional
	AdmwhImage string `json:"admwhImage,omitempty"`

	// exclPrefImage is the image of the exclude-prefixes sidecar.
	// +optional
	ExclPrefImage string `json:"exclPrefImage,omitempty"`

	// forwardingPlanes lists forwarders; forwarders is the later name.
	// +optional
	ForwardingPlanes []Forwarder `json:"forwardingPlanes,omitzero"`

	// forwarders of the mesh.
	// +optional
	Forwarders []Forwarder `json:"forwarders,omitzero"`

	// webhook describes the admission webhook; without an image there is none.
	// +optional
	Webhook *Webhook `json:"webhook,omitempty"`

	// nsmgr describes the network service managers.
	// +optional
	Nsmgr *Nsmgr `json:"nsmgr,omitempty"`

	// exclPref describes the exclude-prefixes sidecar.
	// +optional
	ExclPref *ExclPref `json:"exclPref,omitempty"`

	ObsoleteFields `json:",inline"`
}

// ObsoleteFields are those of the first operator, of 2020, which nothing has
// understood since. They are kept as they were written, have no effect, and the
// condition Degraded names them.
type ObsoleteFields struct {
	// org was the path of the images within the image registry. No effect:
	// organization is the later name.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Org *apiextensionsv1.JSON `json:"org,omitempty"`

	// pullPolicy of all images. No effect: nsmPullPolicy is the later name.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	PullPolicy *apiextensionsv1.JSON `json:"pullPolicy,omitempty"`

	// webhookName was the name of the admission webhook. No effect.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	WebhookName *apiextensionsv1.JSON `json:"webhookName,omitempty"`

	// replicas was the number of admission webhooks. No effect.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Replicas *apiextensionsv1.JSON `json:"replicas,omitempty"`

	// insecure turned identities off. No effect: NSM does not run without them.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Insecure *apiextensionsv1.JSON `json:"insecure,omitempty"`

	// spire turned SPIRE on. No effect: NSM does not run without it.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Spire *apiextensionsv1.JSON `json:"spire,omitempty"`

	// jaegerTracing turned tracing on. No effect: v1beta1 has telemetry.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	JaegerTracing *apiextensionsv1.JSON `json:"jaegerTracing,omitempty"`
}

// Registry is a string in the flat shape and an object in the nested one.
// Exactly one of its fields is set.
// +kubebuilder:object:generate=true
type Registry struct {
	// Host of the image registry, when it was a string.
	Host *string
	// Spec of the NSM registry, when it was an object.
	Spec *RegistrySpec
}

// MarshalJSON writes whichever shape the value has.
func (r Registry) MarshalJSON() ([]byte, error) {
	if r.Spec != nil {
		return json.Marshal(r.Spec)
	}
	return json.Marshal(r.Host)
}

// UnmarshalJSON reads a string or an object and refuses anything else.
func (r *Registry) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	*r = Registry{}
	switch {
	case len(data) > 0 && data[0] == '"':
		return json.Unmarshal(data, &r.Host)
	case len(data) > 0 && data[0] == '{':
		return json.Unmarshal(data, &r.Spec)
	default:
		return errors.New("must be a string (the image registry's host) or an object (the NSM registry)")
	}
}

// RegistrySpec describes the NSM registry in the nested shape.
type RegistrySpec struct {
	// type of the registry: k8s or memory.
	// +optional
	Type string `json:"type,omitempty"`

	// replicaCount is the number of registry pods.
	// +optional
	ReplicaCount *int32 `json:"replicaCount,omitempty"`

	// image is a whole reference.
	// +optional
	Image string `json:"image,omitempty"`

	// envVars of the registry.
	// +optional
	EnvVars []corev1.EnvVar `json:"envVars,omitzero"`
}

// Forwarder is an entry of either list of forwarders.
type Forwarder struct {
	// type of the forwarder: vpp, ovs or sriov. Without it, the name or the
	// image tells.
	// +optional
	// +kubebuilder:validation:Enum=vpp;ovs;sriov
	Type string `json:"type,omitempty"`

	// name of the forwarder. Default: forwarder-<type>.
	// +optional
	Name string `json:"name,omitempty"`

	// image of the forwarder, a bare name or a whole reference.
	// +optional
	Image string `json:"image,omitempty"`

	// Name as one release spelt it; name counts.
	// +optional
	CapitalName string `json:"Name,omitempty"`

	// Image as one release spelt it; image counts.
	// +optional
	CapitalImage string `json:"Image,omitempty"`

	// envVars of the forwarder.
	// +optional
	EnvVars []corev1.EnvVar `json:"envVars,omitzero"`
}

// Webhook describes the admission webhook in the nested shape.
type Webhook struct {
	// image is a whole reference; without it there is no webhook.
	// +optional
	Image string `json:"image,omitempty"`

	// envVars of the webhook.
	// +optional
	EnvVars []corev1.EnvVar `json:"envVars,omitzero"`
}

// Nsmgr describes the network service managers in the nested shape.
type Nsmgr struct {
	// image is a whole reference.
	// +optional
	Image string `json:"image,omitempty"`

	// envVars of the network service manager.
	// +optional
	EnvVars []corev1.EnvVar `json:"envVars,omitzero"`
}

// ExclPref describes the exclude-prefixes sidecar in the nested shape.
type ExclPref struct {
	// exclPrefImage is a whole reference.
	// +optional
	ExclPrefImage string `json:"exclPrefImage,omitempty"`

	// envVars of the sidecar.
	// +optional
	EnvVars []corev1.EnvVar `json:"envVars,omitzero"`
}

// NSMPhase sums the mesh up in one word.
type NSMPhase string

// The phases that the released operators wrote. They are derived from the
// conditions of v1beta1.
const (
	// NSMPhasePending: nothing has been made yet.
	NSMPhasePending NSMPhase = "Pending"
	// NSMPhaseCreating: the mesh is coming up or changing.
	NSMPhaseCreating NSMPhase = "Creating"
	// NSMPhaseRunning: the mesh is available.
	NSMPhaseRunning NSMPhase = "Running"
	// NSMPhaseTerminating: the mesh is being deleted.
	NSMPhaseTerminating NSMPhase = "Terminating"
)

// ComponentStatus is what was seen of one workload, as in v1beta1.
type ComponentStatus struct {
	// name of the workload.
	// +required
	Name string `json:"name,omitempty"`
	// kind of the workload: Deployment or DaemonSet.
	// +required
	Kind string `json:"kind,omitempty"`
	// version is the NSM release that the workload is meant to run.
	// +optional
	Version string `json:"version,omitempty"`
	// desired is the number of pods that should run.
	// +optional
	Desired *int32 `json:"desired,omitempty"`
	// updated is the number of pods that run the current definition.
	// +optional
	Updated *int32 `json:"updated,omitempty"`
	// ready is the number of pods that are ready.
	// +optional
	Ready *int32 `json:"ready,omitempty"`
	// message tells a person what the workload is waiting for.
	// +optional
	Message string `json:"message,omitempty"`
}

// NSMStatus is what the operator saw of a mesh: the phase that v1alpha1 always
// had, and the whole status of v1beta1, so that nothing of it is lost when an
// object is written through v1alpha1.
type NSMStatus struct {
	// phase sums the mesh up: Pending, Creating, Running or Terminating.
	// +optional
	Phase NSMPhase `json:"phase,omitempty"`

	// conditions of the mesh.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status tells about;
	// -1 until the operator has seen the object.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// version is the NSM release that has been rolled out completely.
	// +optional
	Version string `json:"version,omitempty"`

	// managers tells how many network service managers are ready: "3/3".
	// +optional
	Managers string `json:"managers,omitempty"`

	// forwarders tells how many forwarders are ready.
	// +optional
	Forwarders string `json:"forwarders,omitempty"`

	// components tells about each workload of the mesh.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	Components []ComponentStatus `json:"components,omitempty"`

	// staleClients is how many running pods still have a client of another release
	// than the one that the admission webhook injects now.
	// +optional
	StaleClients *int32 `json:"staleClients,omitempty"`
}

// NSM is a Network Service Mesh. This version is deprecated: use v1beta1.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=nsms,scope=Namespaced,categories=networkservicemesh
// +kubebuilder:deprecatedversion:warning="nsm.networkservicemesh.io/v1alpha1 NSM is deprecated; use nsm.networkservicemesh.io/v1beta1 (kubectl get nsm NAME -o yaml shows an object in it)"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type NSM struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec describes the mesh.
	// +optional
	Spec NSMSpec `json:"spec,omitzero"`

	// status is what the operator saw of the mesh.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status NSMStatus `json:"status,omitzero"`
}

// NSMList is a list of NSM.
// +kubebuilder:object:root=true
type NSMList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []NSM `json:"items"`
}
