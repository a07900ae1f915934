// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestServesCertificate: pods of a release that registers itself answer, too,
// but not with what our configuration trusts.
func TestServesCertificate(t *testing.T) {
	ours := map[string]string{"nsm.networkservicemesh.io/certificate": "1"}
	for name, tc := range map[string]struct {
		annotations map[string]string
		status      appsv1.DeploymentStatus
		want        bool
	}{
		"not there":            {},
		"up, a release before": {status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}},
		"up":                   {ours, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}, true},
		"not up yet":           {ours, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1}, false},
		"old pods still there": {ours, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1, AvailableReplicas: 1}, false},
		"not looked at yet":    {ours, appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{Status: tc.status}
			deployment.Generation = 2
			deployment.Spec.Template.Annotations = tc.annotations
			if got := mesh.ServesCertificate(deployment); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}

// TestMayServeCertificate: our configuration stays until no such pod is left.
func TestMayServeCertificate(t *testing.T) {
	ours := map[string]string{"nsm.networkservicemesh.io/certificate": "1"}
	for name, tc := range map[string]struct {
		annotations map[string]string
		status      appsv1.DeploymentStatus
		want        bool
	}{
		"ours, up":                        {ours, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1}, true},
		"ours, gone":                      {ours, appsv1.DeploymentStatus{ObservedGeneration: 2}, true},
		"a release before, not looked at": {nil, appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1}, true},
		"a release before, rolling out":   {nil, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1}, true},
		"a release before, alone":         {nil, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{Status: tc.status}
			deployment.Generation = 2
			deployment.Spec.Template.Annotations = tc.annotations
			if got := mesh.MayServeCertificate(deployment); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}
