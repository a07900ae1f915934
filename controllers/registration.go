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
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/follow"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// endpointKind is what registry-k8s keeps its entries in.
var endpointKind = schema.GroupVersionKind{Group: "networkservicemesh.io", Version: "v1", Kind: "NetworkServiceEndpoint"}

// endpointLife is how long an entry of the registry counts after it was seen to be
// renewed. It is good for a minute and is renewed every 40 seconds (sdk,
// registry/common/expire and refresh), by clocks that may not be ours.
const endpointLife = 90 * time.Second

// registrations remember how many of a workload's ready pods are registered. Pods
// are in no cache: those of a forwarder are listed when all of it is up, and
// again when it, or what is registered, has changed.
type registrations struct {
	known sync.Map // of types.NamespacedName, the workload's: registration
}

// registration is what was found out of a workload.
type registration struct {
	// workload and endpoints are those that it was found out of.
	workload, endpoints string
	registered          int32
}

// seeRegistration counts as ready, of a workload whose pods register themselves,
// only those that are registered. While that cannot be read, as many are as were
// reported last.
func (r *NSMReconciler) seeRegistration(ctx context.Context, owner types.NamespacedName, before nsmv1beta1.NSMStatus, w *workload) {
	live, err := r.follower.Ask(ctx, owner, endpointQuery(w.namespace))
	if meta.IsNoMatchError(err) {
		w.unserved, w.ready = true, 0
		return
	}
	if err != nil {
		w.notRead(ctx, err, registeredBefore(before, w.name))
		return
	}
	w.endpoints = endpointsOf(live, w.name)
	seen := registration{workload: w.seenAt, endpoints: strings.Join(w.endpoints, " ")}
	seen.registered = min(w.ready, int32(len(w.endpoints))) //nolint:gosec // a count of nodes
	if w.isReady() && seen.registered == w.ready {
		// As many as it takes; but they may be of pods that have gone.
		registered, err := r.countRegistered(ctx, w, seen)
		if err != nil {
			w.notRead(ctx, err, registeredBefore(before, w.name))
			return
		}
		seen.registered = registered
	}
	r.registrations.known.Store(w.key(), seen)
	w.unlisted = seen.registered < w.ready
	w.ready = seen.registered
}

// notRead counts as many as were reported to be registered.
func (w *workload) notRead(ctx context.Context, err error, reported int32) {
	log.FromContext(ctx).Error(err, "Looking for whether the pods of a workload are registered", "workload", w.fullName())
	w.unseen = append(w.unseen, "whether its pods are registered ("+inShort(err)+")")
	w.ready = min(w.ready, reported)
}

// registeredBefore is how many pods of a workload were reported ready last.
func registeredBefore(before nsmv1beta1.NSMStatus, name string) int32 {
	for _, component := range before.Components {
		if component.Name == name && component.Kind == "DaemonSet" {
			return ptr.Deref(component.Ready, 0)
		}
	}
	return 0
}

// countRegistered counts the pods of a workload that are registered. One that is
// all up when this process first sees it, with just as many endpoints, is taken
// as it is: no pod of it has gone in the time for which an endpoint outlives its
// pod, or else the next change shows it.
func (r *NSMReconciler) countRegistered(ctx context.Context, w *workload, seen registration) (int32, error) {
	found, isKnown := r.registrations.known.Load(w.key())
	if !isKnown && len(w.endpoints) == int(w.desired) {
		return w.ready, nil
	}
	known, _ := found.(registration)
	if known.workload == seen.workload && known.endpoints == seen.endpoints {
		return known.registered, nil
	}
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	if err := r.direct.List(ctx, pods, client.InNamespace(w.namespace), w.podLabels()); err != nil {
		return 0, fmt.Errorf("reading the pods of %s: %w", w.fullName(), err)
	}
	var registered int32
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil && w.isRegistered(pods.Items[i].Name) {
			registered++
		}
	}
	return min(registered, w.ready), nil
}

func (w *workload) key() types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: w.name}
}

// isRegistered tells whether a live endpoint is that of a pod.
func (w *workload) isRegistered(pod string) bool {
	return slices.ContainsFunc(w.endpoints, func(endpoint string) bool { return mesh.IsEndpointOf(endpoint, pod) })
}

// podLabels are the labels of the workload's pods.
func (w *workload) podLabels() client.MatchingLabels {
	return client.MatchingLabels{mesh.LabelName: w.name, mesh.LabelComponent: string(w.role)}
}

// endpointsOf are those endpoints that may be of a workload's pods, in order.
func endpointsOf(live map[string]string, workload string) []string {
	var some []string
	for name := range live {
		if mesh.IsEndpointOfAny(name, workload) {
			some = append(some, name)
		}
	}
	slices.Sort(some)
	return some
}

// endpointQuery follows the registry's entries and keeps those of forwarders that
// live. The API can filter them by nothing but the namespace: registry-k8s puts
// no labels on them.
func endpointQuery(namespace string) follow.Query {
	return follow.Query{
		ID: "NetworkServiceEndpoints in " + namespace, Namespace: namespace, Life: endpointLife,
		List: func() client.ObjectList {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(endpointKind.GroupVersion().WithKind(endpointKind.Kind + "List"))
			return list
		},
		Keep: func(object client.Object) (follow.Fact, bool) {
			endpoint, ok := object.(*unstructured.Unstructured)
			if !ok || object.GetDeletionTimestamp() != nil || !offers(endpoint, mesh.ForwarderService) {
				return follow.Fact{}, false
			}
			ends, isThere := expiration(endpoint)
			return follow.Fact{Ends: ends}, isThere
		},
	}
}

// offers tells whether an endpoint offers a network service. The spec is NSM's
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

// expiration is when an endpoint ends unless it is renewed. Every registry writes
// it (sdk, registry/common/expire): one that does not tell is nobody's.
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

// deregister deletes the entries that the registry of a mesh that is gone has kept:
// nobody renews or expires them any more. It takes the registry's role to write
// one, and that has gone, too. NetworkServices stay: people write those. So does
// all where a registry runs that somebody has put up beside the mesh. What cannot
// be deleted does no harm, and stays: the NSM does not wait for it.
func (r *NSMReconciler) deregister(ctx context.Context, nsm *nsmv1beta1.NSM) {
	limited, cancel := context.WithTimeout(ctx, deregisterTimeout)
	defer cancel()
	entries, err := r.kept(limited, nsm)
	if err == nil && len(entries) > 0 {
		log.FromContext(ctx).Info("Deleting what the registry has kept", "networkServiceEndpoints", len(entries))
		err = r.deleteEntries(limited, entries)
	}
	if err != nil {
		log.FromContext(ctx).Error(err, "NetworkServiceEndpoints of a mesh that is gone stay")
	}
}

// kept are the entries that the registry of a mesh that is gone has kept.
func (r *NSMReconciler) kept(ctx context.Context, nsm *nsmv1beta1.NSM) ([]metav1.PartialObjectMetadata, error) {
	if registry := nsm.Spec.Registry; registry != nil && registry.Type == nsmv1beta1.RegistryTypeMemory {
		return nil, nil
	}
	entries := &metav1.PartialObjectMetadataList{}
	entries.SetGroupVersionKind(endpointKind.GroupVersion().WithKind(endpointKind.Kind + "List"))
	err := r.direct.List(ctx, entries, client.InNamespace(nsm.Namespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || err == nil && len(entries.Items) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for what the registry has kept: %w", err)
	}
	var deployments appsv1.DeploymentList
	if err := r.direct.List(ctx, &deployments, client.InNamespace(nsm.Namespace)); err != nil {
		return nil, fmt.Errorf("looking for other registries: %w", err)
	}
	if slices.ContainsFunc(deployments.Items, func(one appsv1.Deployment) bool { return mesh.IsFromManifests(&one) }) {
		return nil, nil
	}
	return entries.Items, nil
}

// deleteEntries deletes all that it can, and returns the first error.
func (r *NSMReconciler) deleteEntries(ctx context.Context, entries []metav1.PartialObjectMetadata) error {
	var group errgroup.Group
	group.SetLimit(16)
	for i := range entries {
		group.Go(func() error {
			one := &entries[i]
			err := r.client.Delete(ctx, one, client.DisableReadYourWritesConsistency, client.Preconditions{UID: ptr.To(one.UID)})
			return client.IgnoreNotFound(err)
		})
	}
	return group.Wait()
}
