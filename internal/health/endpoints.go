// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// NewRegistration is what live endpoints, by name, tell of a workload's pods. They
// may be of pods that have gone: as many are registered at most.
func NewRegistration(live map[string]string, workload string) *Registration {
	r := &Registration{IsRead: true}
	for name := range live {
		if mesh.IsEndpointOfAny(name, workload) {
			r.Endpoints = append(r.Endpoints, mesh.RegisteredName(name))
		}
	}
	slices.Sort(r.Endpoints)
	r.Registered = int32(len(r.Endpoints)) //nolint:gosec // a count of nodes
	return r
}

// Has reports whether a live endpoint is that of a pod (mesh.IsEndpointOf). There may be a
// thousand of each.
func (r *Registration) Has(pod string) bool {
	if _, isOwn := slices.BinarySearch(r.Endpoints, pod); isOwn {
		return true
	}
	at, _ := slices.BinarySearch(r.Endpoints, pod+"-")
	return at < len(r.Endpoints) && mesh.IsEndpointOf(r.Endpoints[at], pod)
}

// Count is how many pods are registered, of those that run.
func (r *Registration) Count(running map[string]bool) int32 {
	var count int32
	for pod, runs := range running {
		if runs && r.Has(pod) {
			count++
		}
	}
	return count
}

// ForwarderEndpoint reports whether a NetworkServiceEndpoint is a forwarder's, and
// when it ends unless it is renewed. One that does not tell is nobody's: every
// registry writes that (sdk, registry/common/expire).
func ForwarderEndpoint(endpoint *unstructured.Unstructured) (ends time.Time, is bool) {
	if endpoint.GetDeletionTimestamp() != nil || !offers(endpoint, mesh.ForwarderService) {
		return time.Time{}, false
	}
	return expiration(endpoint)
}

// offers reports whether an endpoint offers a network service. The spec is NSM's
// protobuf message as encoding/json writes it (sdk-k8s,
// apis/networkservicemesh.io/v1; api, registry.proto); as protojson would is
// understood too, lest a release that turns to it has no forwarders.
func offers(endpoint *unstructured.Unstructured, service string) bool {
	for _, field := range []string{"network_service_names", "networkServiceNames"} {
		names, _, err := unstructured.NestedStringSlice(endpoint.Object, "spec", field)
		if err == nil && slices.Contains(names, service) {
			return true
		}
	}
	return false
}

func expiration(endpoint *unstructured.Unstructured) (ends time.Time, isThere bool) {
	if text, isText, _ := unstructured.NestedString(endpoint.Object, "spec", "expirationTime"); isText {
		ends, err := time.Parse(time.RFC3339, text)
		return ends, err == nil
	}
	seconds, isThere, err := unstructured.NestedInt64(endpoint.Object, "spec", "expiration_time", "seconds")
	if !isThere || err != nil {
		return time.Time{}, false
	}
	nanoseconds, _, _ := unstructured.NestedInt64(endpoint.Object, "spec", "expiration_time", "nanos")
	return time.Unix(seconds, nanoseconds), true
}

// Unregistered counts, for each workload whose pods register, those that the kubelet
// calls ready and that have no live entry; nil where nobody can know.
func (m *Mesh) Unregistered() map[string]int32 {
	unregistered := map[string]int32{}
	for i := range m.Workloads {
		w := &m.Workloads[i]
		if w.Live == nil || w.Registration == nil {
			continue
		}
		pods, _ := podsOf(w.Live)
		unregistered[w.Name()] = max(0, pods.Ready-w.Registration.Registered)
	}
	return unregistered
}
