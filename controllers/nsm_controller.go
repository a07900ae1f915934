// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package controllers holds the loop that keeps a mesh as its NSM describes it:
// read, plan, apply, prune, report.
package controllers

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// NSMReconciler keeps meshes.
type NSMReconciler struct {
	// Platform that the operator was started on.
	Platform mesh.Platform
	// Namespace of the operator itself.
	Namespace string
	// WatchNamespaces are the namespaces whose NSMs it acts on; none means all.
	WatchNamespaces []string
	// RelatedImages as mesh.Input has them.
	RelatedImages map[string]string
	// Times are how long it waits for what; without any: DefaultTimes.
	Times Times
	// Metrics is where Prometheus finds what there is to tell about meshes; nil for
	// nowhere.
	Metrics prometheus.Registerer

	// client reads from the cache.
	client client.Client
	// direct reads from the API server; only where no cache can know, and never
	// in a pass with nothing to do.
	direct   client.Reader
	recorder events.EventRecorder
	applier  *apply.Applier
	platform *platformWatch
	adoption *adoption
	// watcher knows facts about objects that are not ours.
	watcher           *watchfacts.Watcher
	pods              podReader
	selfRegistrations *selfRegistrations
	callers           *callers
	staleClients      *staleClients
	diagnoses         *diagnoses
	pulls             *imagePulls
	nsms              nsms
	// memories are what is remembered of meshes between passes.
	memories memories
	passes   *passes
	now      func() time.Time
	// started is when this process began.
	started time.Time
}

// The operator's own permissions: what it reads and writes, and what it hands on
// to the components of the mesh, since nobody can grant a right without having it.
// What is read through the cache is listed and watched; an object is got before it
// is made, to see that nothing stands in its place. test/e2e fails for a permission
// that is neither used nor handed on.
//
// +kubebuilder:rbac:groups=nsm.networkservicemesh.io,resources=nsms,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=nsm.networkservicemesh.io,resources=nsms/status,verbs=patch
// +kubebuilder:rbac:groups=nsm.networkservicemesh.io,resources=nsms/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions;daemonsets;deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles;clusterrolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=storage.k8s.io,resources=csidrivers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=spire.spiffe.io,resources=clusterspiffeids,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=about.k8s.io,resources=clusterproperties,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=podmonitors,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=cluster-info,verbs=create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch
// +kubebuilder:rbac:groups=networkservicemesh.io,resources=networkservices;networkserviceendpoints,verbs=get;list;watch;create;update;delete

// Reconcile makes one mesh what its NSM says.
func (r *NSMReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.watches(request.Namespace) {
		// Whoever acts on it may be another operator.
		return ctrl.Result{}, nil
	}
	defer r.passes.begin(ctx, request.NamespacedName)()
	result, err := r.pass(ctx, request)
	if !isDamaged(err) {
		return result, err
	}
	return result, errors.Join(err, r.repair(ctx, request.NamespacedName))
}

// pass is Reconcile, once.
func (r *NSMReconciler) pass(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	nsm := &nsmv1beta1.NSM{}
	if err := r.client.Get(ctx, request.NamespacedName, nsm); err != nil {
		if apierrors.IsNotFound(err) {
			nsm.Name, nsm.Namespace = request.Name, request.Namespace
			return ctrl.Result{}, r.cleanUp(ctx, nsm)
		}
		return ctrl.Result{}, err
	}
	if nsm.DeletionTimestamp != nil {
		left, err := r.finalize(ctx, nsm)
		r.platform.doubt(err)
		if err := r.reportDeletion(ctx, nsm.DeepCopy(), left, err); err != nil {
			return ctrl.Result{}, err
		}
		return r.lookAgain(left.wakeUp), nil
	}
	r.recognize(nsm)
	if left := r.restOf(nsm); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	// The client's copy is the cache's: it is never changed in place.
	nsm = nsm.DeepCopy()
	if isAbridged(nsm) {
		// Most large NSMs conflict with an older one. The cached outline is enough to see that.
		if result, err := r.rivalOf(ctx, nsm); result != nil || err != nil {
			return ctrl.Result{}, r.leaveAlone(ctx, nsm, result, err)
		}
	}
	if isThere, err := r.complete(ctx, nsm); !isThere || err != nil {
		return ctrl.Result{}, err
	}
	if result, err := r.refused(ctx, nsm); result != nil || err != nil {
		return ctrl.Result{}, r.leaveAlone(ctx, nsm, result, err)
	}
	r.memories.of(nsm).mayHaveObjects = true
	seen, err := r.run(ctx, nsm)
	r.platform.doubt(err)
	if isNamespaceTerminating(err) {
		// The NSM goes with its namespace; its own deletion wakes the loop.
		return ctrl.Result{}, r.leaveNamespace(ctx, nsm)
	}
	r.measure(nsm, seen)
	if err := r.report(ctx, nsm, seen, err); err != nil {
		return ctrl.Result{}, err
	}
	r.memories.of(nsm).restUntil = r.now().Add(restAfter(seen))
	return r.lookAgain(seen.wakeUp), nil
}

// lookAgain has the loop look again though nothing happens.
func (r *NSMReconciler) lookAgain(when wakeUp) ctrl.Result {
	if when.wakeAt.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(when.wakeAt.Sub(r.now()), r.Times.Soonest)}
}

// run makes a mesh what it should be, and looks at what came of it. Of one that cannot be
// rendered it looks at what there is, as far as that is known.
func (r *NSMReconciler) run(ctx context.Context, nsm *nsmv1beta1.NSM) (*observation, error) {
	wanted, failure := r.desire(ctx, nsm)
	if wanted.input.NSM == nil || errors.Is(failure, errNamespaceTerminating) {
		return nil, failure
	}
	var plan rollout.Plan
	if failure == nil {
		plan, failure = r.next(ctx, &wanted)
	}
	if failure != nil {
		plan = r.nextAnyway(ctx, &wanted)
	}
	done := r.execute(ctx, wanted, plan)
	done.failure = cmp.Or(failure, done.failure)
	// What is up and what is down is seen also when not all could be written.
	seen, err := done.look(ctx)
	if err != nil {
		return nil, errors.Join(done.failure, err)
	}
	done.reportApart(seen)
	failure = r.tolerateSPIREDown(wanted.input.NSM, seen, done.failure)
	r.checkDeadline(wanted, seen, failure)
	return seen, failure
}

// leaveAlone reports an NSM that is not acted on. If it has been, its mesh may run, so
// its namespace is still watched: the mesh's webhook must not be called when that
// goes. Of all others nothing is held: there may be many.
func (r *NSMReconciler) leaveAlone(ctx context.Context, nsm *nsmv1beta1.NSM, result *observation, failure error) error {
	remembered := r.memories.of(nsm)
	remembered.uncached = nil
	remembered.measured.Store(nil)
	if !controllerutil.ContainsFinalizer(nsm, Finalizer) {
		r.watcher.Watch(client.ObjectKeyFromObject(nsm))
		return r.report(ctx, nsm, result, failure)
	}
	r.watcher.Watch(client.ObjectKeyFromObject(nsm), namespaceQuery(nsm.Namespace))
	err := r.checkNamespace(ctx, nsm)
	if errors.Is(err, errNamespaceTerminating) {
		return r.leaveNamespace(ctx, nsm)
	}
	if err != nil {
		// The loop is woken when there is an answer.
		log.FromContext(ctx).Error(err, "Looking at the namespace of an NSM that is not acted on")
	}
	return r.report(ctx, nsm, result, failure)
}
