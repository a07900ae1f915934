// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestWhatBelongsToAMesh: docs/design.md, "What belongs to a mesh".
func TestWhatBelongsToAMesh(t *testing.T) {
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}}
	labels := func(namespace, name string) map[string]string {
		return map[string]string{mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNSM: name, mesh.LabelNamespace: namespace}
	}
	controller := func(apiVersion, kind, name, uid string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(uid), Controller: ptr.To(true)}}
	}
	const api, oldAPI = "nsm.networkservicemesh.io/v1beta1", "nsm.networkservicemesh.io/v1alpha1"
	ours := labels("nsm", "mesh")
	applied := []metav1.ManagedFieldsEntry{{Manager: "nsm-operator", Operation: metav1.ManagedFieldsOperationApply}}

	for name, test := range map[string]struct {
		object   metav1.ObjectMeta
		isOf     bool
		mayClaim bool
		whose    string
	}{
		"ours": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: ours, OwnerReferences: controller(api, "NSM", "mesh", "1")}, true, true, ""},
		"ours, its owner taken off": {metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: ours}, true, true, ""},
		"ours, cluster-scoped":      {metav1.ObjectMeta{Name: "nsm:nsm:nsmgr", Labels: ours}, true, true, ""},
		"ours, in a namespace of clients": {
			metav1.ObjectMeta{Namespace: "blue", Name: "nsm:nsm:client", Labels: ours}, true, true, ""},
		"ours, of an NSM of this name that is gone": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: ours, OwnerReferences: controller(api, "NSM", "mesh", "0")}, true, true, ""},
		"a copy in another namespace": {
			metav1.ObjectMeta{Namespace: "backup", Name: "nsmgr", Labels: ours}, false, true, ""},
		"with our labels, and controlled by another": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: ours, OwnerReferences: controller("apps/v1", "Deployment", "theirs", "2")},
			false, false, "it is controlled by Deployment theirs"},
		"with our labels, and of another NSM": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: ours, OwnerReferences: controller(api, "NSM", "other", "2")},
			false, false, "it is controlled by NSM other"},
		"of another NSM, cluster-scoped": {
			metav1.ObjectMeta{Name: "csi.networkservicemesh.io", Labels: labels("other", "mesh")}, false, false, "it belongs to NSM other/mesh"},
		"of an earlier operator": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", OwnerReferences: controller(oldAPI, "NSM", "mesh", "1")}, false, true, ""},
		"ours, all labels taken off": {
			metav1.ObjectMeta{Name: "nsm:nsm:nsmgr", ManagedFields: applied}, false, true, ""},
		"ours, one label changed": {
			metav1.ObjectMeta{Name: "nsm:nsm:nsmgr", Labels: map[string]string{mesh.LabelNSM: "mesh", mesh.LabelNamespace: "nsm"}}, true, true, ""},
		"a copy of another mesh's, here": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: labels("original", "mesh"), OwnerReferences: controller(api, "NSM", "mesh", "9")}, false, true, ""},
		"of another application": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "registry", Labels: map[string]string{mesh.LabelManagedBy: "Helm", mesh.LabelPartOf: "images"},
				Annotations:   map[string]string{"meta.helm.sh/release-name": "images"},
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "helm"}, {Manager: "kube-controller-manager", Subresource: "status"}}},
			false, false, "it is of the Helm release images; it is labelled app.kubernetes.io/managed-by=Helm; " +
				"it is labelled app.kubernetes.io/part-of=images; it was written by helm"},
		"with a label that anybody may set": {
			metav1.ObjectMeta{Namespace: "nsm", Name: "registry", Labels: map[string]string{mesh.LabelManagedBy: mesh.ManagedBy}},
			false, false, "nothing on it tells whose it is"},
	} {
		t.Run(name, func(t *testing.T) {
			object := test.object
			if got := mesh.IsOf(&object, nsm); got != test.isOf {
				t.Errorf("IsOf: got %t", got)
			}
			may, whose := mesh.Claim(&object, nsm)
			if object.Namespace == "" || object.Namespace == nsm.Namespace {
				if may != test.mayClaim || whose != test.whose {
					t.Errorf("Claim: got %t, %q; want %t, %q", may, whose, test.mayClaim, test.whose)
				}
			}
			owner, isOwned := mesh.OwnerOf(&object)
			if test.isOf && (!isOwned || owner != (types.NamespacedName{Namespace: "nsm", Name: "mesh"})) {
				t.Errorf("OwnerOf: got %s, %t: its changes would wake nobody", owner, isOwned)
			}
		})
	}
}
