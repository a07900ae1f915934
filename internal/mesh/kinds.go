// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"reflect"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Kinds are the kinds of all objects that a mesh can be made of: those to
// watch, to cache and to prune. The namespaced ones come first.
func Kinds() []Object {
	return []Object{
		&appsv1.DaemonSet{},
		&appsv1.ControllerRevision{},
		&appsv1.Deployment{},
		&corev1.ConfigMap{},
		&corev1.Secret{},
		&corev1.Service{},
		&corev1.ServiceAccount{},
		&policyv1.PodDisruptionBudget{},
		&networkingv1.NetworkPolicy{},
		&admissionregistrationv1.MutatingWebhookConfiguration{},
		&rbacv1.RoleBinding{},
		&rbacv1.ClusterRole{},
		&rbacv1.ClusterRoleBinding{},
		&storagev1.CSIDriver{},
	}
}

// PlatformKinds are those kinds, beside Kinds, that a mesh is made of on some
// clusters only. No owner reference removes their objects, since they are cluster-scoped,
// but for PodMonitors.
func PlatformKinds(platform Platform) []Object {
	var kinds []Object
	add := func(served bool, kind schema.GroupVersionKind) {
		if served {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(kind)
			kinds = append(kinds, object)
		}
	}
	add(platform.ClusterSPIFFEIDs, ClusterSPIFFEIDKind)
	add(platform.ClusterProperties, ClusterPropertyKind)
	add(platform.PodMonitors, PodMonitorKind)
	add(platform.OpenShift, SecurityContextConstraintsKind)
	if platform.OpenShift {
		kinds = append(kinds,
			&admissionregistrationv1.ValidatingAdmissionPolicy{TypeMeta: admissionType("ValidatingAdmissionPolicy")},
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{TypeMeta: admissionType("ValidatingAdmissionPolicyBinding")})
	}
	return kinds
}

// KindsOn are the kinds of all objects that a mesh can be made of on a platform.
func KindsOn(platform Platform) []Object { return append(Kinds(), PlatformKinds(platform)...) }

// KindOf an object, by what it says or by its Go type.
func KindOf(object Object) string {
	return cmp.Or(object.GetObjectKind().GroupVersionKind().Kind, reflect.TypeOf(object).Elem().Name())
}

// ListKind is the kind of a list of objects of a kind.
func ListKind(kind schema.GroupVersionKind) schema.GroupVersionKind {
	return kind.GroupVersion().WithKind(kind.Kind + "List")
}

// EmptyList is for reading objects of a kind that has no Go type.
func EmptyList(kind schema.GroupVersionKind) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(ListKind(kind))
	return list
}

// EmptyMetadataList is for reading no more than the metadata of objects of a kind.
func EmptyMetadataList(kind schema.GroupVersionKind) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(ListKind(kind))
	return list
}

// IsMadeAnew reports whether an object has to be deleted and made again to become what is
// wanted: the record of another spec, since Kubernetes lets nobody change it, or a
// ClusterSPIFFEID of another class, although Kubernetes would let it change.
func IsMadeAnew(live, wanted Object) bool {
	whole, isWhole := wanted.(*unstructured.Unstructured)
	if !isWhole {
		return false
	}
	switch live := live.(type) {
	case *appsv1.ControllerRevision:
		return keepsOther(live, whole)
	case *unstructured.Unstructured:
		return hasOtherClass(live, whole)
	default:
		return false // any other kind, or no more than its metadata was read
	}
}

// ClusterKinds are those of Kinds whose objects are not all removed with their
// owner: they are cluster-scoped, or in namespaces of others.
func ClusterKinds() []Object {
	return []Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{},
		&rbacv1.RoleBinding{}, &storagev1.CSIDriver{},
	}
}

// Conflict tells why two meshes cannot live side by side: "" when they can.
// Objects of the second would have the names of the first's, its pods would meet
// the first's on a node, where they share sockets, or both would act on the same
// clients.
func Conflict(first, second *nsmv1beta1.NSM) string {
	if first.Namespace == second.Namespace {
		return "a namespace holds one NSM: their objects have the same names"
	}
	var reasons []string
	if canMeetAnywhere(&first.Spec, &second.Spec) {
		reasons = append(reasons, "their pods could meet on a node, where they share sockets: give both a spec.nodeSelector, or nsmgr and every forwarder one of their own, with different values for one key")
	}
	if WebhookEnabled(&first.Spec) && WebhookEnabled(&second.Spec) {
		reasons = append(reasons, "both would add the same containers to a pod, which is refused then: set admissionWebhook.enabled: false in one of them; the other one's webhook serves the clients of both")
	}
	if hasCSIDriver(&first.Spec) && hasCSIDriver(&second.Spec) {
		reasons = append(reasons, "a cluster has one CSIDriver "+CSIDriverName+", and a node one socket of it: leave csiDriver out of one of them; the other one's driver serves the clients of both")
	}
	return strings.Join(reasons, "; and ")
}

// mostOutlined is how long a string in an outline is at most.
const mostOutlined = 64

// Outline is what is asked of the spec of an NSM that is not acted on: all that
// Conflict asks, whether it selects client namespaces, and what metrics tell. Without its node
// selectors it conflicts as if its pods ran on all nodes.
func Outline(spec *nsmv1beta1.NSMSpec, withNodeSelectors bool) nsmv1beta1.NSMSpec {
	var outline nsmv1beta1.NSMSpec
	// What is longer says nothing.
	if len(spec.Version) < mostOutlined {
		outline.Version = spec.Version
	}
	if most := MaxUnavailable(spec); len(most.StrVal) < mostOutlined {
		outline.Upgrade = &nsmv1beta1.UpgradeSpec{MaxUnavailable: &most}
	}
	if !WebhookEnabled(spec) {
		outline.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
	}
	if spec.CSIDriver != nil {
		outline.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
	}
	if spec.OpenShift != nil && spec.OpenShift.ClientNamespaces != nil {
		outline.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
	}
	if !ManagersEnabled(spec) {
		outline.Nsmgr = &nsmv1beta1.NsmgrSpec{Enabled: ptr.To(false)}
		return outline
	}
	if !withNodeSelectors {
		return outline
	}
	outline.NodeSelector = spec.NodeSelector
	if spec.Nsmgr != nil {
		outline.Nsmgr = &nsmv1beta1.NsmgrSpec{}
		outline.Nsmgr.NodeSelector = spec.Nsmgr.NodeSelector
	}
	for i := range spec.Forwarders {
		outline.Forwarders = append(outline.Forwarders, nsmv1beta1.ForwarderSpec{Type: spec.Forwarders[i].Type})
		outline.Forwarders[i].NodeSelector = spec.Forwarders[i].NodeSelector
	}
	return outline
}

// canMeetAnywhere reports whether pods of two meshes can meet on a node.
func canMeetAnywhere(first, second *nsmv1beta1.NSMSpec) bool {
	for _, one := range selectors(first) {
		for _, other := range selectors(second) {
			if canMeet(one, other) {
				return true
			}
		}
	}
	return false
}

// selectors are the node selectors of all workloads that run on nodes.
func selectors(spec *nsmv1beta1.NSMSpec) []map[string]string {
	if !ManagersEnabled(spec) {
		return nil
	}
	all := []map[string]string{NodeSelector(spec, ptr.Deref(spec.Nsmgr, nsmv1beta1.NsmgrSpec{}).NodeSelector)}
	for _, forwarder := range Forwarders(spec) {
		all = append(all, NodeSelector(spec, forwarder.NodeSelector))
	}
	return all
}

// canMeet reports whether a node can have the labels of both selectors.
func canMeet(one, other map[string]string) bool {
	for key, value := range one {
		if otherValue, ok := other[key]; ok && otherValue != value {
			return false
		}
	}
	return true
}
