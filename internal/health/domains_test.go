// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/health"
)

func TestWhichServiceLacksAnAddress(t *testing.T) {
	ingress := func(one corev1.LoadBalancerIngress) corev1.ServiceStatus {
		return corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{one}}}
	}
	balanced := corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}
	for name, test := range map[string]struct {
		service corev1.Service
		want    bool
	}{
		"no load balancer has seen it": {corev1.Service{Spec: balanced}, true},
		"an address":                   {corev1.Service{Spec: balanced, Status: ingress(corev1.LoadBalancerIngress{IP: "192.0.2.1"})}, false},
		"a name, as on AWS":            {corev1.Service{Spec: balanced, Status: ingress(corev1.LoadBalancerIngress{Hostname: "a.example.com"})}, false},
		"an address of the user's":     {corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ExternalIPs: []string{"192.0.2.1"}}}, false},
		"a port of all nodes":          {corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort}}, false},
		"only for the cluster":         {corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP}}, false},
	} {
		NewWithT(t).Expect(health.LacksAddress(&test.service)).To(Equal(test.want), name)
	}
}

// TestEntriesThatFederateAreRefusedForAKnownReason, which SPIRE's log alone tells.
func TestEntriesThatFederateAreRefusedForAKnownReason(t *testing.T) {
	identity := &unstructured.Unstructured{Object: map[string]any{
		"spec":   map[string]any{"federatesWith": []any{"nsm.cluster2", "nsm.cluster3"}},
		"status": map[string]any{"stats": map[string]any{"podsSelected": int64(3), "entryFailures": int64(3)}},
	}}
	g := NewWithT(t)
	said := health.SpireOf(identity, "", true)
	g.Expect(said.Status).To(Equal(metav1.ConditionFalse))
	g.Expect(said.Message).To(HaveSuffix("; the server takes none of them before it has the bundles of nsm.cluster2, nsm.cluster3"))
	unstructured.RemoveNestedField(identity.Object, "spec", "federatesWith")
	g.Expect(health.SpireOf(identity, "", true).Message).NotTo(ContainSubstring("bundles"))
}
