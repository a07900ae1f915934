// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// labelledMesh has labels and annotations of all kinds, some of them the operator's.
func labelledMesh() nsmv1beta1.NSMSpec {
	all := func(what, who string) map[string]string {
		return map[string]string{
			"example.com/" + what: who, "example.com/" + what + "-" + who: "yes",
			mesh.LabelManagedBy: "platform-team", mesh.LabelNamespace: "other", "nsm.networkservicemesh.io/certificate": "forged",
		}
	}
	spec := allComponents("v1.18.0")
	spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
	spec.Labels, spec.Annotations = all("label", "mesh"), all("annotation", "mesh")
	spec.PodLabels, spec.PodAnnotations = all("pod-label", "mesh"), all("pod-annotation", "mesh")
	forEachComponent(&spec, func(component *nsmv1beta1.ComponentSpec) {
		component.Labels, component.Annotations = all("label", "component"), all("annotation", "component")
		component.PodLabels, component.PodAnnotations = all("pod-label", "component"), all("pod-annotation", "component")
	})
	spec.Registry.ServiceAnnotations = map[string]string{"example.com/annotation": "service"}
	spec.Interdomain.ServiceAnnotations = map[string]string{"example.com/annotation": "service"}
	return spec
}

// TestLabelsOfTheMesh: an admission policy may ask for a label on any object, and
// on pods; what the operator needs to find its own is not the user's to change.
func TestLabelsOfTheMesh(t *testing.T) {
	platform := everyPlatform
	platform.OpenShift = true
	in := testInput(t, labelledMesh(), platform)
	in.ClientNamespaces = []string{"blue"}
	components := mesh.Components(in)
	check := func(name string, got map[string]string, key, want string) {
		t.Helper()
		if got[key] != want {
			t.Errorf("%s has %s=%q, want %q", name, key, got[key], want)
		}
	}
	for _, object := range allObjects(in, components) {
		name := object.GetObjectKind().GroupVersionKind().Kind + " " + object.GetName()
		check(name, object.GetLabels(), "example.com/label-mesh", "yes")
		check(name, object.GetAnnotations(), "example.com/annotation-mesh", "yes")
		check(name, object.GetLabels(), mesh.LabelManagedBy, mesh.ManagedBy)
		check(name, object.GetLabels(), mesh.LabelNamespace, "nsm")
		check(name, object.GetAnnotations(), "nsm.networkservicemesh.io/certificate", "")
		check(name, object.GetLabels(), "example.com/pod-label", "")
	}
	for _, object := range mesh.Objects(components) {
		name := object.GetObjectKind().GroupVersionKind().Kind + " " + object.GetName()
		check(name, object.GetLabels(), "example.com/label", "component")
		want := "component"
		if service, isService := object.(*corev1.Service); isService && (service.Name == "registry" || service.Name == "nsmgr-proxy") {
			want = "service"
		}
		check(name, object.GetAnnotations(), "example.com/annotation", want)
	}
	for _, workload := range workloads(t, components) {
		name := "pods of " + workload.name
		check(name, workload.template.Labels, "example.com/pod-label", "component")
		check(name, workload.template.Labels, "example.com/pod-label-mesh", "yes")
		check(name, workload.template.Annotations, "example.com/pod-annotation", "component")
		check(name, workload.template.Annotations, "example.com/pod-annotation-mesh", "yes")
		check(name, workload.template.Labels, mesh.LabelManagedBy, mesh.ManagedBy)
		check(name, workload.template.Labels, "example.com/label", "")
		if got := workload.template.Annotations["nsm.networkservicemesh.io/certificate"]; got == "forged" {
			t.Errorf("%s: the user has the word on which certificate is served", name)
		}
	}
}
