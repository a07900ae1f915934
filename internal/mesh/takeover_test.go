// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestOnlyTheWorkloadsOfNSMsOwnManifestsAreTakenOver(t *testing.T) {
	for name, test := range map[string]struct {
		workload, image string
		want            bool
	}{
		"NSM's":                           {"nsmgr", "ghcr.io/networkservicemesh/ci/cmd-nsmgr:v1.17.0", true},
		"from another registry":           {"nsmgr", "mirror.example.com:5000/cmd-nsmgr@sha256:0", true},
		"another program":                 {"nsmgr", "example.com/nsmgr:1", false},
		"another name":                    {"shop", "example.com/cmd-nsmgr:1", false},
		"another name, an image unnamed":  {"shop", "example.com/", false},
		"another name, an image of a tag": {"shop", ":1", false},
		"another name, no image":          {"shop", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: test.image}}}}
			meta := metav1.ObjectMeta{Namespace: "nsm", Name: test.workload}
			for _, object := range []metav1.Object{
				&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: pod}},
				&appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Template: pod}},
			} {
				if got := mesh.IsFromManifests(object); got != test.want {
					t.Errorf("%T: got %t", object, got)
				}
			}
		})
	}
}
