// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestServesAlone: as long as a pod may serve another certificate, that is trusted,
// too.
func TestServesAlone(t *testing.T) {
	rolledOut := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}
	lately := metav1.NewTime(time.Date(2030, time.March, 1, 12, 0, 0, 0, time.UTC))
	told := rolledOut
	told.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentAvailable, LastUpdateTime: metav1.NewTime(lately.Add(time.Hour))},
		{Type: appsv1.DeploymentProgressing, LastUpdateTime: lately},
	}
	for name, tc := range map[string]struct {
		chain  string
		status appsv1.DeploymentStatus
		want   bool
		since  time.Time
	}{
		"up":                   {"new", rolledOut, true, time.Time{}},
		"up since then":        {"new", told, true, lately.Time},
		"no pods":              {"new", appsv1.DeploymentStatus{ObservedGeneration: 2}, true, time.Time{}},
		"another certificate":  {"old", rolledOut, false, time.Time{}},
		"a release before":     {"", rolledOut, false, time.Time{}},
		"old pods still there": {"new", appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2}, false, time.Time{}},
		"not looked at yet":    {"new", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}, false, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{Status: tc.status}
			deployment.Generation = 2
			if tc.chain != "" {
				in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0"}, mesh.Platform{})
				in.WebhookCertificate.CertificateChain = []byte(tc.chain)
				for _, workload := range workloads(t, mesh.Components(in)) {
					if workload.name == mesh.WebhookName {
						deployment.Spec.Template = workload.template
					}
				}
			}
			if got, since := mesh.ServesAlone(deployment, []byte("new")); got != tc.want || !since.Equal(tc.since) {
				t.Errorf("got %t since %s, want %t since %s", got, since, tc.want, tc.since)
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

// TestTheWebhookOnTheNetworkOfItsNodes: the scheduler finds nodes where its port is
// free, a rollout frees the port first, and it asks for nothing that no kubelet gives.
func TestTheWebhookOnTheNetworkOfItsNodes(t *testing.T) {
	for _, version := range []string{"v1.0.0", "v1.11.2", "v1.12.0", "v1.18.0"} {
		for _, onHost := range []bool{false, true} {
			spec := nsmv1beta1.NSMSpec{Version: version, AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{HostNetwork: &onHost}}
			deployment := webhookDeployment(t, spec)
			pod := deployment.Spec.Template.Spec
			port := pod.Containers[0].Ports[0]
			rolling := deployment.Spec.Strategy.RollingUpdate
			if pod.HostNetwork != onHost || (port.HostPort == 443) != onHost || (pod.DNSPolicy == corev1.DNSClusterFirstWithHostNet) != onHost {
				t.Errorf("%s, %t: host network %t, port %d, DNS policy %s", version, onHost, pod.HostNetwork, port.HostPort, pod.DNSPolicy)
			}
			// A kubelet refuses a pod with such a sysctl on the network of its node.
			if (len(pod.SecurityContext.Sysctls) == 0) != onHost || (pod.SecurityContext.RunAsUser != nil && *pod.SecurityContext.RunAsUser == 0) != onHost {
				t.Errorf("%s, %t: %v", version, onHost, pod.SecurityContext)
			}
			if (rolling.MaxSurge.IntValue() == 0) != onHost || (rolling.MaxUnavailable.IntValue() == 1) != onHost {
				t.Errorf("%s, %t: %s at a time beside the old ones, %s down", version, onHost, rolling.MaxSurge, rolling.MaxUnavailable)
			}
			if capabilities := pod.Containers[0].SecurityContext.Capabilities; len(capabilities.Add) != 1 || len(capabilities.Drop) != 1 {
				t.Errorf("%s, %t: %v", version, onHost, capabilities)
			}
		}
	}
}

func webhookDeployment(t *testing.T, spec nsmv1beta1.NSMSpec) *appsv1.Deployment {
	t.Helper()
	for _, component := range mesh.Components(testInput(t, spec, mesh.Platform{})) {
		if deployment, isDeployment := component.Workload.(*appsv1.Deployment); isDeployment && deployment.Name == mesh.WebhookName {
			return deployment
		}
	}
	t.Fatal("there is no webhook")
	return nil
}
