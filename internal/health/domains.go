// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// LacksAddress reports whether a Service waits for a load balancer to give it an address.
func LacksAddress(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer && len(service.Status.LoadBalancer.Ingress) == 0 && len(service.Spec.ExternalIPs) == 0
}

// unreachable tells what keeps the mesh and other domains apart, though all of its own
// workloads are up; "" for nothing.
func (m *Mesh) unreachable() string {
	var reasons []string
	for _, service := range m.NoAddress {
		reasons = append(reasons, "Service "+service+" has no address yet: no load balancer has given it one, so other domains cannot reach it")
	}
	if len(m.NotFederated) > 0 {
		reasons = append(reasons, "there is no ClusterFederatedTrustDomain for "+strings.Join(m.NotFederated, ", ")+
			": until SPIRE's server has the bundle of each trust domain in spec.interdomain.federatesWith, no new pod of the mesh gets an identity")
	}
	if m.FederationUnseen != "" {
		reasons = append(reasons, "which ClusterFederatedTrustDomains there are cannot be seen ("+m.FederationUnseen+")")
	}
	return strings.Join(reasons, "; ")
}
