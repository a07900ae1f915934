// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// memory is what this process remembers of one NSM and its mesh between passes. No two passes
// for an NSM run at the same time, and nobody else looks at this, except where a field says so.
type memory struct {
	// uid of the NSM that was seen last under its name; "" for none.
	uid types.UID
	// mayHaveObjects: this process may have made something of the mesh. It outlives the NSM.
	mayHaveObjects bool
	// issued is a certificate of the admission webhook that no Secret holds yet; nil for none.
	issued *certs.Pair

	// uncached is what the cache leaves out of the NSM, if the loop acts on it; nil for nothing.
	uncached *rest
	// reported is when the status was written last; zero for not yet.
	reported time.Time
	// restUntil is when the next pass may begin; zero for at once.
	restUntil time.Time
	// eventLimit limits the events about what is wrong; nil while there were none.
	eventLimit *rate.Limiter
	// lostRaces counts the passes in a row that failed for nothing but that somebody else wrote
	// at the same moment.
	lostRaces int
	// measured is what the last pass saw and the status does not tell. Prometheus reads it at
	// any moment.
	measured atomic.Pointer[metrics.Observed]

	// foundNone are the searches for orphans to which the API server has said that there are none.
	foundNone []orphanSearch
	// identityTrouble is what is wrong with the identities; nil for nothing.
	identityTrouble *identityTrouble
	// identityKeptSince is since when a webhook that is down has kept the ClusterSPIFFEID from
	// being written: zero since before this process, nil if none does.
	identityKeptSince *time.Time
	// mounts are the pods that the CSI driver waits for; nil for none.
	mounts *driverMounts

	// selfRegistration is what pods of the admission webhook have registered; nil for not known.
	selfRegistration *selfRegistration
	// calls are what else calls the admission webhook; nil for not known.
	calls *calls
	// clients are how many pods have an older client; nil for not known.
	clients *clientCount

	// registrations are which pods a workload has, to tell which are registered, by its name.
	registrations map[string]registration
	// diagnoses are why workloads are down, by name.
	diagnoses map[string]diagnosis
	// turns are the next pods of workloads that are rolled node by node, by name.
	turns map[string]turnSeen
	// pulls are how far nodes are with images, by the name of the workload that pulls them.
	pulls map[string]pullSeen
}

// memories are what this process remembers, by NSM.
type memories struct {
	// mu guards the map. The memory of one NSM is its passes' own.
	mu    sync.Mutex
	known map[types.NamespacedName]*memory
}

// of an NSM is what is remembered of it, which may be nothing. It is never nil.
func (m *memories) of(nsm *nsmv1beta1.NSM) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(nsm)
	if m.known[key] == nil {
		m.put(key, &memory{})
	}
	return m.known[key]
}

func (m *memories) put(key types.NamespacedName, one *memory) {
	if m.known == nil {
		m.known = map[types.NamespacedName]*memory{}
	}
	one.registrations, one.diagnoses = map[string]registration{}, map[string]diagnosis{}
	one.turns, one.pulls = map[string]turnSeen{}, map[string]pullSeen{}
	m.known[key] = one
}

// measured is what the last pass for an NSM saw and its status does not tell.
func (m *memories) measured(nsm *nsmv1beta1.NSM) metrics.Observed {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.known[client.ObjectKeyFromObject(nsm)]; known != nil {
		if seen := known.measured.Load(); seen != nil {
			return *seen
		}
	}
	return metrics.Observed{}
}

// forget an NSM that has gone. That this process may have made something of its mesh stays
// known until that is removed.
func (m *memories) forget(nsm *nsmv1beta1.NSM) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(nsm)
	before := m.known[key]
	delete(m.known, key)
	if before != nil && before.mayHaveObjects {
		m.put(key, &memory{mayHaveObjects: true})
	}
}

// drop all of an NSM of whose mesh nothing is left.
func (m *memories) drop(nsm *nsmv1beta1.NSM) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, client.ObjectKeyFromObject(nsm))
}

// recognize forgets an NSM's predecessor of the same name.
func (r *NSMReconciler) recognize(nsm *nsmv1beta1.NSM) {
	if before := r.memories.of(nsm).uid; before != "" && before != nsm.UID {
		r.forget(nsm)
	}
	r.memories.of(nsm).uid = nsm.UID
}

// forget an NSM that has gone, however that came: nothing of what was known of its
// mesh is true of another one of that name.
func (r *NSMReconciler) forget(nsm *nsmv1beta1.NSM) {
	r.memories.forget(nsm)
	r.applier.Forget(mesh.OwnerLabels(nsm), podSecurity{namespace: nsm.Namespace}.object())
	metrics.Repairs.DeletePartialMatch(metrics.OfMesh(nsm.Name, nsm.Namespace))
}
