// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/platform"
)

// platformWatch keeps what the cluster offers up to date: it watches kinds from
// the moment on at which they are served, and wakes every mesh then.
type platformWatch struct {
	current    atomic.Pointer[mesh.Platform]
	cache      cache.Cache
	controller controller.Controller
	// wakes makes a handler that wakes the loop for NSMs of an object.
	wakes func(handler.MapFunc) handler.EventHandler
	wake  chan event.TypedGenericEvent[*nsmv1beta1.NSM]
	// doubts ask for another look at what the cluster offers.
	doubts chan struct{}

	// namespaces guards watchesNamespaces.
	namespaces        sync.Mutex
	watchesNamespaces bool
}

// newPlatformWatch starts from what is served now, and asks again after each interval.
func newPlatformWatch(mgr ctrl.Manager, c controller.Controller, found mesh.Platform, interval time.Duration, wakes func(handler.MapFunc) handler.EventHandler) (*platformWatch, error) {
	w := &platformWatch{
		cache: mgr.GetCache(), controller: c, wakes: wakes,
		wake: make(chan event.TypedGenericEvent[*nsmv1beta1.NSM]), doubts: make(chan struct{}, 1),
	}
	w.current.Store(&found)
	if err := c.Watch(source.Func(func(ctx context.Context, _ workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		// The loop holds watches that are added meanwhile until its own are filled.
		go w.begin(ctx, found)
		return nil
	})); err != nil {
		return nil, err
	}
	if err := c.Watch(source.Channel(w.wake, &handler.TypedEnqueueRequestForObject[*nsmv1beta1.NSM]{})); err != nil {
		return nil, err
	}
	client := discovery.NewDiscoveryClientForConfigOrDie(mgr.GetConfig())
	return w, mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		return platform.Watch(ctx, client, interval, found, w.doubts, func(now mesh.Platform) error { return w.change(ctx, now) })
	}))
}

// begin watches the kinds that were served at the start. Not before the loop runs: it
// starts when all caches that there are by then are filled, and that of a kind of
// somebody else's may never be.
func (w *platformWatch) begin(ctx context.Context, found mesh.Platform) {
	for _, kind := range mesh.PlatformKinds(found) {
		if err := w.watch(kind); err != nil {
			log.FromContext(ctx).Error(err, "Watching a kind that only some clusters have", "kind", kind.GetObjectKind().GroupVersionKind().Kind)
		}
	}
}

// watch a kind, whose definition may go at any moment: nobody waits for a cache of
// it, which then would never fill and end the process.
func (w *platformWatch) watch(kind client.Object) error {
	kinds := source.Kind(w.cache, kind, w.wakes(ownerOf), identityMatters())
	return w.controller.Watch(source.Func(kinds.Start))
}

// doubt has the platform looked at again now, where an error may come from a kind
// that is not served any more.
func (w *platformWatch) doubt(err error) {
	var noKind *meta.NoKindMatchError
	if !errors.As(err, &noKind) && !apierrors.IsNotFound(err) {
		return
	}
	select {
	case w.doubts <- struct{}{}:
	default:
		// It will be looked at anyway.
	}
}

// change takes over what the cluster offers now. What it no longer offers is no
// longer watched: the API server would answer with errors for ever.
func (w *platformWatch) change(ctx context.Context, now mesh.Platform) error {
	before := *w.current.Load()
	log.FromContext(ctx).Info("What the cluster offers has changed", "before", before, "now", now)
	for _, kind := range without(mesh.PlatformKinds(now), mesh.PlatformKinds(before)) {
		if err := w.watch(kind); err != nil {
			return err
		}
	}
	w.current.Store(&now)
	// From here on no pass begins that would read what has gone, and so watch it anew.
	for _, kind := range without(mesh.PlatformKinds(before), mesh.PlatformKinds(now)) {
		if err := w.cache.RemoveInformer(ctx, kind); err != nil {
			return err
		}
	}
	return w.wakeAll(ctx)
}

// now is what the cluster offers. A pass asks once, so that all of it is about the
// same cluster.
func (w *platformWatch) now() mesh.Platform { return *w.current.Load() }

func (w *platformWatch) wakeAll(ctx context.Context) error {
	all, err := nsms{cache: w.cache}.all(ctx)
	if err != nil {
		return err
	}
	for nsm := range all {
		w.wakeOne(ctx, client.ObjectKeyFromObject(nsm))
	}
	return nil
}

// wakeOne lets the loop look at one mesh.
func (w *platformWatch) wakeOne(ctx context.Context, owner types.NamespacedName) {
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name}}
	select {
	case w.wake <- event.TypedGenericEvent[*nsmv1beta1.NSM]{Object: nsm}:
	case <-ctx.Done():
	}
}

// without are the kinds of one list that are not in the other.
func without(kinds, others []mesh.Object) []mesh.Object {
	var left []mesh.Object
	for _, kind := range kinds {
		found := false
		for _, other := range others {
			found = found || kind.GetObjectKind().GroupVersionKind() == other.GetObjectKind().GroupVersionKind()
		}
		if !found {
			left = append(left, kind)
		}
	}
	return left
}

// watchNamespaces wakes the meshes with clients when a namespace comes, or
// changes its labels. It does something the first time only.
func (w *platformWatch) watchNamespaces() error {
	w.namespaces.Lock()
	defer w.namespaces.Unlock()
	if w.watchesNamespaces {
		return nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := w.controller.Watch(source.Kind[client.Object](w.cache, namespace,
		w.wakes(w.meshesWithClients), predicate.LabelChangedPredicate{}))
	w.watchesNamespaces = err == nil
	return err
}

// meshesWithClients are the NSMs to look at when a namespace has changed: it may
// be one that they selected before.
func (w *platformWatch) meshesWithClients(ctx context.Context, _ client.Object) []reconcile.Request {
	all, err := nsms{cache: w.cache}.all(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Cannot list NSMs")
		return nil
	}
	var requests []reconcile.Request
	for nsm := range all {
		if nsm.Spec.OpenShift != nil && nsm.Spec.OpenShift.ClientNamespaces != nil {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: nsm.Namespace, Name: nsm.Name}})
		}
	}
	return requests
}
