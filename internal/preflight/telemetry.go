// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"net"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Collectors are the Services that the mesh's programs send telemetry to, as
// namespace/name, as far as the addresses are those of Services.
func (m *Mesh) Collectors() []string {
	var services []string
	for _, component := range m.Components {
		for _, address := range mesh.CollectorsOf(&mesh.PodTemplateOf(component.Workload).Spec) {
			if service := serviceOf(address, component.Workload.GetNamespace()); service != "" {
				services = append(services, service)
			}
		}
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// serviceOf an address, as pods of a namespace look it up; "" for that of none.
func serviceOf(address, namespace string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return ""
	}
	parts := strings.Split(host, ".")
	switch {
	case len(parts) == 1:
		return namespace + "/" + parts[0]
	case len(parts) == 2 || parts[2] == "svc":
		return parts[1] + "/" + parts[0]
	default:
		return ""
	}
}

func collectors(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, service := range m.Collectors() {
			isAsked = true
			if !isReady(f.Collectors[service]) {
				found = append(found, failed("mesh %s: Service %s, to which telemetry goes, has no endpoint that is ready", m.name(), service))
			}
		}
	}
	if !isAsked {
		return skipped("no mesh sends telemetry to a Service")
	}
	return found
}

// isReady tells whether a Service has an endpoint that is.
func isReady(endpoints []discoveryv1.EndpointSlice) bool {
	return slices.ContainsFunc(endpoints, func(slice discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(slice.Endpoints, func(endpoint discoveryv1.Endpoint) bool {
			return ptr.Deref(endpoint.Conditions.Ready, true) && len(endpoint.Addresses) > 0
		})
	})
}
