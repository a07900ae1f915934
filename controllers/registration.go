// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// endpointKind is what registry-k8s keeps its entries in.
var endpointKind = schema.GroupVersionKind{Group: "networkservicemesh.io", Version: "v1", Kind: "NetworkServiceEndpoint"}

// endpointLife is how long an entry of the registry counts after it was seen to be
// renewed. It is good for a minute and is renewed every 40 seconds (sdk,
// registry/common/expire and refresh), by clocks that may not be ours.
const endpointLife = 90 * time.Second

// registration is which pods of a workload there are, to tell how many are registered. Pods
// are in no cache: those of a forwarder are listed when all of it is up, and again when it has
// changed. Endpoints come and go more often than that: with a thousand nodes, some do for
// minutes after each change.
type registration struct {
	// workload is its resource version then.
	workload string
	// running has the names of its pods, and which of them are not about to end; nil for not
	// listed yet.
	running  map[string]bool
	listedAt time.Time
	// believed are the endpoints with which all pods were registered as the status of an earlier
	// process says.
	believed []string
}

// observeRegistration finds out how many of a workload's pods are registered. While
// that cannot be read, as many are as were reported last.
func (r *NSMReconciler) observeRegistration(ctx context.Context, d desired, w *health.Workload) {
	live, err := d.endpoints()
	if meta.IsNoMatchError(err) {
		w.Registration = &health.Registration{Unserved: true}
		return
	}
	if err == nil {
		w.Registration = health.NewRegistration(live, w.Name())
		err = r.countRegistered(ctx, d.input.NSM, w)
	}
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking for whether the pods of a workload are registered", "workload", w.String())
		w.Unseen = append(w.Unseen, "whether its pods are registered ("+inShort(err)+")")
		w.Registration = &health.Registration{Registered: registeredBefore(d.input.NSM, w)}
	}
}

// registeredBefore is how many pods of a workload were reported ready last.
func registeredBefore(nsm *nsmv1beta1.NSM, w *health.Workload) int32 {
	return ptr.Deref(reportedLast(nsm, w).Ready, 0)
}

// wasReady reports whether the status says of a workload that all of its pods are ready as
// the spec is now.
func wasReady(nsm *nsmv1beta1.NSM, w *health.Workload) bool {
	last := reportedLast(nsm, w)
	return nsm.Status.ObservedGeneration == nsm.Generation && last.Version == w.Version() && last.Message == "" &&
		ptr.Deref(last.Ready, 0) == w.Pods().Desired
}

// reportedLast is what the status says of a workload.
func reportedLast(nsm *nsmv1beta1.NSM, w *health.Workload) nsmv1beta1.ComponentStatus {
	for _, component := range nsm.Status.Components {
		if component.Name == w.Name() && component.Kind == w.Kind() {
			return component
		}
	}
	return nsmv1beta1.ComponentStatus{}
}

// countRegistered counts the ready pods that are registered, if there are enough
// endpoints for all of them: endpoints may belong to pods that are gone. Of a workload that
// this process sees for the first time, the status is believed that the one before it has
// written, if there is one endpoint for each pod.
func (r *NSMReconciler) countRegistered(ctx context.Context, nsm *nsmv1beta1.NSM, w *health.Workload) error {
	ready, endpoints := w.Pods().Ready, w.Registration.Endpoints
	remembered := r.memories.of(nsm).registrations
	seen, isKnown := remembered[w.Name()]
	if version := w.Live.GetResourceVersion(); seen.workload != version {
		seen = registration{workload: version}
	}
	if !isKnown && len(endpoints) == int(w.Pods().Desired) && wasReady(nsm, w) {
		seen.believed = endpoints
	}
	w.Registration.Registered = min(w.Registration.Registered, ready)
	isBelieved := seen.believed != nil && slices.Equal(seen.believed, endpoints)
	if w.IsReady() && w.Registration.Registered == ready && !isBelieved {
		if err := r.countListed(ctx, w, &seen); err != nil {
			return err
		}
	}
	remembered[w.Name()] = seen
	return nil
}

// countListed counts the workload's pods that are registered, and lists them where they are
// not known. If some seem to be missing, others may have taken their place, so fast that the
// workload's counts are as before.
func (r *NSMReconciler) countListed(ctx context.Context, w *health.Workload, seen *registration) error {
	ready := w.Registration.Registered
	w.Registration.Registered = min(ready, w.Registration.Count(seen.running))
	if seen.running != nil && (w.Registration.Registered == ready || r.now().Before(seen.listedAt.Add(r.Times.LookPause))) {
		return nil
	}
	running, err := r.pods.running(ctx, w)
	if err != nil {
		return fmt.Errorf("reading the pods of %s: %w", w, err)
	}
	*seen = registration{workload: seen.workload, running: running, listedAt: r.now()}
	w.Registration.Registered = min(ready, w.Registration.Count(running))
	return nil
}

// podLabels are the labels of the workload's pods.
func podLabels(w *health.Workload) client.MatchingLabels {
	return client.MatchingLabels{mesh.LabelName: w.Name(), mesh.LabelComponent: string(w.Role)}
}

// endpointQuery watches the registry's entries and keeps those of forwarders that
// live. The API can filter them by nothing but the namespace: registry-k8s puts
// no labels on them.
func endpointQuery(namespace string) watchfacts.Query {
	return watchfacts.Query{
		ID: "NetworkServiceEndpoints in " + namespace, Namespace: namespace, Life: endpointLife,
		List: func() client.ObjectList { return mesh.EmptyList(endpointKind) },
		Keep: func(object client.Object) (watchfacts.Fact, bool) {
			endpoint, ok := object.(*unstructured.Unstructured)
			if !ok {
				return watchfacts.Fact{}, false
			}
			ends, is := health.ForwarderEndpoint(endpoint)
			return watchfacts.Fact{Ends: ends}, is
		},
	}
}
