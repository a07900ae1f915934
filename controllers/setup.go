// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// cacheTimeout is how long filling the caches may take. A busy API server was seen to
// take more than two minutes for ten thousand NSMs, and a process that ends then
// begins anew.
const cacheTimeout = 10 * time.Minute

// SetupWithManager registers the loop and what wakes it.
func (r *NSMReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.assemble(mgr)
	if err := mgr.AddHealthzCheck("passes", r.passes.check); err != nil {
		return err
	}
	loop, err := r.registerLoop(mgr)
	if err != nil {
		return err
	}
	if r.platform, err = newPlatformWatch(mgr, loop, r.Platform, cmp.Or(r.Times.Platform, DefaultTimes().Platform), r.wakes); err != nil {
		return err
	}
	if r.watcher, err = newWatcher(mgr, r.platform.wakeOne); err != nil {
		return err
	}
	r.watcher.Patience = r.Times.Cache
	if r.Metrics == nil {
		return nil
	}
	return mgr.Add(manager.RunnableFunc(r.serveMetrics))
}

// assemble puts together the parts of the loop that need no watch.
func (r *NSMReconciler) assemble(mgr ctrl.Manager) {
	r.Times = cmp.Or(r.Times, DefaultTimes())
	r.client, r.direct, r.recorder = newPatientClient(mgr.GetClient(), mgr.GetCache(), r.Times.Cache), mgr.GetAPIReader(), mgr.GetEventRecorder(mesh.ManagedBy)
	r.nsms = nsms{client: r.client, cache: mgr.GetCache()}
	r.applier, r.now = apply.New(r.client, r.direct, mesh.LabelManagedBy, mesh.LabelNSM, mesh.LabelNamespace), time.Now
	r.applier.AskAgain = r.Times.AskAgain
	r.started = r.now().Truncate(time.Second) // as exact as the times of conditions
	r.adoption = &adoption{direct: r.direct, memories: &r.memories, started: r.now()}
	r.pods = podReader{direct: r.direct}
	r.diagnoses = &diagnoses{pods: r.pods, memories: &r.memories, times: r.Times, now: r.now}
	r.pulls = &imagePulls{applier: r.applier, direct: r.direct, pods: r.pods, memories: &r.memories, times: r.Times, now: r.now}
	r.selfRegistrations = &selfRegistrations{direct: r.direct, pods: r.pods, memories: &r.memories}
	r.callers = &callers{direct: r.direct, memories: &r.memories, askAgain: r.Times.AskAgain, now: r.now}
	r.staleClients = &staleClients{direct: r.direct, memories: &r.memories, times: r.Times, now: r.now}
	r.passes = newPasses(clock.RealClock{})
}

// registerLoop has NSMs, and what meshes are made of, wake the loop.
func (r *NSMReconciler) registerLoop(mgr ctrl.Manager) (controller.Controller, error) {
	// An annotation keeps what conversion does not understand.
	wanted := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, statusOrFinalizerRemoved()))
	b := ctrl.NewControllerManagedBy(mgr).
		WithOptions(loopOptions()).
		For(&nsmv1beta1.NSM{}, wanted, builder.WithPredicates(predicate.NewPredicateFuncs(r.isWatched))).
		Watches(&nsmv1beta1.NSM{}, r.wakes(r.rivals), builder.WithPredicates(rivalMayHaveGone()))
	for _, kind := range mesh.Kinds() {
		b = b.Watches(kind, r.wakes(ownerOf))
	}
	return b.Build(r)
}

// loopOptions are those of the loop: how long a pass may take, how many meshes are
// worked on at a time, when a pass that has failed is tried again, and how long the
// process waits for its caches before it ends.
func loopOptions() controller.Options {
	return controller.Options{
		ReconciliationTimeout: passTimeout, MaxConcurrentReconciles: parallelPasses, RateLimiter: newBackoff(),
		CacheSyncTimeout: cacheTimeout,
	}
}

// newWatcher watches with a client of its own: the manager's reads from the
// cache, and what is watched is not there.
func newWatcher(mgr ctrl.Manager, changed func(context.Context, types.NamespacedName)) (*watchfacts.Watcher, error) {
	watching, err := client.NewWithWatch(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, err
	}
	watcher := watchfacts.New(watching, changed)
	return watcher, mgr.Add(watcher)
}

// statusOrFinalizerRemoved lets through that somebody has taken the status off an NSM, as a tool that
// restores a backup does, or the operator's finalizer.
func statusOrFinalizerRemoved() predicate.Predicate {
	observed := func(object client.Object) int64 {
		nsm, isNSM := object.(*nsmv1beta1.NSM)
		if !isNSM {
			return 0
		}
		return nsm.Status.ObservedGeneration
	}
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return observed(e.ObjectNew) < observed(e.ObjectOld) ||
				controllerutil.ContainsFinalizer(e.ObjectOld, Finalizer) && !controllerutil.ContainsFinalizer(e.ObjectNew, Finalizer)
		},
	}
}

// wakes has the loop look at those of the NSMs of an object that it acts on.
func (r *NSMReconciler) wakes(nsmsOf handler.MapFunc) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return slices.DeleteFunc(nsmsOf(ctx, object), func(request reconcile.Request) bool { return !r.watches(request.Namespace) })
	})
}

// ownerOf finds the NSM of an object by its labels. They outlive an owner, so
// that what a crash has left behind wakes the loop at the next start.
func ownerOf(_ context.Context, object client.Object) []reconcile.Request {
	owner, isOwned := mesh.OwnerOf(object)
	if !isOwned {
		return nil
	}
	return []reconcile.Request{{NamespacedName: owner}}
}

// isWatched reports whether the loop acts on the NSM of an object's namespace.
func (r *NSMReconciler) isWatched(object client.Object) bool { return r.watches(object.GetNamespace()) }

func (r *NSMReconciler) watches(namespace string) bool {
	return len(r.WatchNamespaces) == 0 || slices.Contains(r.WatchNamespaces, namespace)
}
