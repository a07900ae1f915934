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

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
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

// TestIsWebhookPod: what others have named is not deleted with a pod.
func TestIsWebhookPod(t *testing.T) {
	for name, want := range map[string]bool{
		"admission-webhook-k8s-5d7c8b9f4-x2x7p":       true,
		"admission-webhook-k8s-7f4d8c6b8b-zzzzz":      true,
		"admission-webhook-k8s":                       false,
		"admission-webhook-k8s-blue-green":            false,
		"nsm-mutating-webhook":                        false,
		"my-admission-webhook-k8s-5d7c8b9f4-x2x7p":    false,
		"admission-webhook-k8s-5d7c8b9f4-x2x7p-added": false,
	} {
		if got := mesh.IsWebhookPod(name); got != want {
			t.Errorf("%s: got %t, want %t", name, got, want)
		}
	}
}

// TestRegistersItself: the user's variables may have the webhook registered as
// something that nobody finds.
func TestRegistersItself(t *testing.T) {
	for name, tc := range map[string]struct {
		version string
		env     []corev1.EnvVar
		want    bool
	}{
		"v1.11.2":              {"v1.11.2", []corev1.EnvVar{{Name: "NSM_LABELS", Value: "a:b"}}, true},
		"v1.12.0":              {"v1.12.0", nil, false},
		"with another name":    {"v1.11.2", []corev1.EnvVar{{Name: "NSM_NAME", Value: "mine"}}, false},
		"with another Service": {"v1.11.2", []corev1.EnvVar{{Name: "NSM_SERVICE_NAME", Value: "mine"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			webhook := &nsmv1beta1.AdmissionWebhookSpec{}
			webhook.Env = tc.env
			for _, component := range mesh.Components(testInput(t, nsmv1beta1.NSMSpec{Version: tc.version, AdmissionWebhook: webhook}, mesh.Platform{})) {
				if want := tc.want && component.Role == mesh.RoleWebhook; component.RegistersItself != want {
					t.Errorf("%s: got %t, want %t", component.Role, component.RegistersItself, want)
				}
			}
		})
	}
}
