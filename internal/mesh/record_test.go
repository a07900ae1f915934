// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Kubernetes refuses to change what a record keeps, but not what it says of that.
func TestRecordsThatAreMadeAnew(t *testing.T) {
	spec := func(replicas int32) nsmv1beta1.NSMSpec {
		return nsmv1beta1.NSMSpec{Version: "v1.18.0", Registry: &nsmv1beta1.RegistrySpec{Replicas: ptr.To(replicas)}}
	}
	record := func(replicas int32) mesh.Object {
		object, err := mesh.Record(testInput(t, spec(replicas), mesh.Platform{}))
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	wanted := func(object mesh.Object) *unstructured.Unstructured {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		return &unstructured.Unstructured{Object: content}
	}
	stored := func(object mesh.Object) *appsv1.ControllerRevision {
		data, err := json.Marshal(wanted(object).Object)
		live := &appsv1.ControllerRevision{}
		if err == nil {
			err = json.Unmarshal(data, live)
		}
		if err != nil {
			t.Fatal(err)
		}
		return live
	}
	noted, err := mesh.RecordTakenBack(testInput(t, spec(3), mesh.Platform{}), record(2))
	if err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		wanted mesh.Object
		want   bool
	}{
		"the same spec":         {record(2), false},
		"another spec":          {record(3), true},
		"a note about the spec": {noted, false},
	} {
		if got := mesh.IsMadeAnew(stored(record(2)), wanted(tc.wanted)); got != tc.want {
			t.Errorf("%s: made anew is %v", what, got)
		}
	}
}
