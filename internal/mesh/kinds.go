// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
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
		&appsv1.Deployment{},
		&corev1.ConfigMap{},
		&corev1.Secret{},
		&corev1.Service{},
		&corev1.ServiceAccount{},
		&policyv1.PodDisruptionBudget{},
		&admissionregistrationv1.MutatingWebhookConfiguration{},
		&rbacv1.RoleBinding{},
		&rbacv1.ClusterRole{},
		&rbacv1.ClusterRoleBinding{},
		&storagev1.CSIDriver{},
	}
}

// PlatformKinds are those kinds, beside Kinds, that a mesh is made of on some
// clusters only. No owner reference removes their objects: they are cluster-scoped.
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
	add(platform.OpenShift, SecurityContextConstraintsKind)
	if platform.OpenShift {
		kinds = append(kinds,
			&admissionregistrationv1.ValidatingAdmissionPolicy{TypeMeta: admissionType("ValidatingAdmissionPolicy")},
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{TypeMeta: admissionType("ValidatingAdmissionPolicyBinding")})
	}
	return kinds
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
		reasons = append(reasons, "their pods could meet on a node, where they share sockets: give nsmgr and every forwarder of both a nodeSelector, with different values for one key")
	}
	if WebhookEnabled(&first.Spec) && WebhookEnabled(&second.Spec) {
		reasons = append(reasons, "both would add the same containers to a pod, which is refused then: set admissionWebhook.enabled: false in one of them; the other one's webhook serves the clients of both")
	}
	if first.Spec.CSIDriver != nil && second.Spec.CSIDriver != nil {
		reasons = append(reasons, "a cluster has one CSIDriver "+csiDriverName+", and a node one socket of it: leave csiDriver out of one of them; the other one's driver serves the clients of both")
	}
	return strings.Join(reasons, "; and ")
}

// canMeetAnywhere tells whether pods of two meshes can meet on a node.
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
	all := []map[string]string{ptr.Deref(spec.Nsmgr, nsmv1beta1.NsmgrSpec{}).NodeSelector}
	for _, forwarder := range Forwarders(spec) {
		all = append(all, forwarder.NodeSelector)
	}
	return all
}

// canMeet tells whether a node can have the labels of both selectors.
func canMeet(one, other map[string]string) bool {
	for key, value := range one {
		if otherValue, ok := other[key]; ok && otherValue != value {
			return false
		}
	}
	return true
}
