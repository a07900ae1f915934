// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestStrangersAreNotCached: anybody can put the operator's label on objects, and
// none of them takes the operator's memory.
func TestStrangersAreNotCached(t *testing.T) {
	options := controllers.CacheOptions()
	large := strings.Repeat("x", 1<<10)
	mine := map[string]string{mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNSM: "mesh", mesh.LabelNamespace: "nsm"}
	service := func(namespace string) *corev1.Service {
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: "registry", UID: "1", ResourceVersion: "2", Labels: mine,
				Annotations:   map[string]string{"note": large},
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "somebody"}},
			},
			Spec: corev1.ServiceSpec{ExternalName: large},
		}
	}
	cached := func(object client.Object) client.Object {
		t.Helper()
		kept, err := options.DefaultTransform(object)
		if err != nil {
			t.Fatal(err)
		}
		return kept.(client.Object) //nolint:forcetypeassert // nothing else comes back
	}

	if kept := cached(service("nsm")).(*corev1.Service); kept.Spec.ExternalName != large || kept.ManagedFields != nil { //nolint:forcetypeassert // as above
		t.Error("what may be of a mesh is kept, without its managed fields")
	}
	stranger := cached(service("elsewhere")).(*corev1.Service) //nolint:forcetypeassert // as above
	if stranger.Spec.ExternalName != "" || stranger.Annotations != nil || stranger.ManagedFields != nil {
		t.Errorf("a stranger is kept: %+v", stranger)
	}
	if stranger.Name != "registry" || stranger.Namespace != "elsewhere" || stranger.UID != "1" || stranger.ResourceVersion != "2" {
		t.Errorf("a stranger cannot be told any more: %+v", stranger.ObjectMeta)
	}
	foreign := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"value": large}}}
	foreign.SetGroupVersionKind(mesh.ClusterPropertyKind)
	foreign.SetName("id.k8s.io")
	if kept := cached(foreign); kept.GetName() != "id.k8s.io" || kept.GetObjectKind().GroupVersionKind() != mesh.ClusterPropertyKind ||
		kept.(*unstructured.Unstructured).Object["spec"] != nil { //nolint:forcetypeassert // as above
		t.Errorf("a stranger of somebody else's kind: %+v", kept)
	}
	for kind, by := range options.ByObject {
		switch kind.(type) {
		case *nsmv1beta1.NSM:
			if kept, err := by.Transform(&nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{Version: "v1.18.0"}}); err != nil || kept.(*nsmv1beta1.NSM).Spec.Version == "" { //nolint:forcetypeassert // as above
				t.Error("NSMs are kept whole")
			}
		case *corev1.ConfigMap, *corev1.Secret:
			if by.Field == nil {
				t.Errorf("%T: objects of any name are cached", kind)
			}
		}
	}
}
