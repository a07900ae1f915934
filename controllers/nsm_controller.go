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
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// cacheTimeout is how long filling the caches may take. A busy API server was seen to
// take more than two minutes for ten thousand NSMs, and a process that ends then
// begins anew.
const cacheTimeout = 10 * time.Minute

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
	registrations     registrations
	pods              podReader
	selfRegistrations *selfRegistrations
	callers           *callers
	staleClients      *staleClients
	// issued are certificates of admission webhooks that no Secret holds yet.
	issued    sync.Map // of types.NamespacedName, the NSM's: *certs.Pair
	diagnoses *diagnoses
	pulls     *imagePulls
	// turns are what was seen last of workloads that are rolled node by node.
	turns sync.Map // of types.NamespacedName, the workload's: turnSeen
	// reported is when the status of an NSM was written last.
	reported sync.Map // of types.NamespacedName, the NSM's: time.Time
	// eventLimits limit the events about what is wrong with an NSM.
	eventLimits sync.Map // of types.NamespacedName, the NSM's: *rate.Limiter
	nsms        nsms
	// uncached is what the cache leaves out of the NSMs that the loop acts on.
	uncached sync.Map // of types.NamespacedName, the NSM's: rest
	// mayHaveObjects are the NSMs of which this process may have made something.
	mayHaveObjects sync.Map // of types.NamespacedName, the NSM's: nothing
	// lastUIDs are those of the NSMs that were seen last under a name.
	lastUIDs sync.Map // of types.NamespacedName, the NSM's: types.UID
	// measured is what the last pass for each mesh saw and its status does not tell.
	measured sync.Map // of types.NamespacedName, the NSM's: metrics.Observed
	// mounts are the pods that the CSI drivers of meshes wait for.
	mounts sync.Map // of types.NamespacedName, the NSM's: driverMounts
	// identityTroubles are what is wrong with the identities of meshes.
	identityTroubles identityTroubles
	// keptIdentities is since when a webhook that is down has kept the ClusterSPIFFEID of an
	// NSM from being written.
	keptIdentities sync.Map // of types.NamespacedName, the NSM's: time.Time
	// races are writes that failed since somebody else wrote at the same moment.
	races  races
	passes *passes
	now    func() time.Time
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

// SetupWithManager registers the loop and what wakes it.
func (r *NSMReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.Times = cmp.Or(r.Times, DefaultTimes())
	r.client, r.direct, r.recorder = newPatientClient(mgr.GetClient(), mgr.GetCache(), r.Times.Cache), mgr.GetAPIReader(), mgr.GetEventRecorder(mesh.ManagedBy)
	r.nsms = nsms{client: r.client, cache: mgr.GetCache()}
	r.applier, r.now = apply.New(r.client, r.direct, mesh.LabelManagedBy, mesh.LabelNSM, mesh.LabelNamespace), time.Now
	r.applier.AskAgain = r.Times.AskAgain
	r.started = r.now().Truncate(time.Second) // as exact as the times of conditions
	r.adoption = &adoption{direct: r.direct, started: r.now()}
	r.pods = podReader{direct: r.direct}
	r.diagnoses = &diagnoses{pods: r.pods, times: r.Times, now: r.now}
	r.pulls = &imagePulls{applier: r.applier, direct: r.direct, pods: r.pods, times: r.Times, now: r.now}
	r.selfRegistrations = &selfRegistrations{direct: r.direct, pods: r.pods}
	r.callers = &callers{direct: r.direct, askAgain: r.Times.AskAgain, now: r.now}
	r.staleClients = &staleClients{direct: r.direct, times: r.Times, now: r.now}
	r.passes = newPasses(clock.RealClock{})
	if err := mgr.AddHealthzCheck("passes", r.passes.check); err != nil {
		return err
	}
	// An annotation keeps what conversion does not understand.
	wanted := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, statusOrFinalizerRemoved()))
	b := ctrl.NewControllerManagedBy(mgr).
		WithOptions(loopOptions()).
		For(&nsmv1beta1.NSM{}, wanted, builder.WithPredicates(predicate.NewPredicateFuncs(r.isWatched))).
		Watches(&nsmv1beta1.NSM{}, r.wakes(r.rivals), builder.WithPredicates(rivalMayHaveGone()))
	for _, kind := range mesh.Kinds() {
		b = b.Watches(kind, r.wakes(ownerOf))
	}
	c, err := b.Build(r)
	if err != nil {
		return err
	}
	if r.platform, err = newPlatformWatch(mgr, c, r.Platform, cmp.Or(r.Times.Platform, DefaultTimes().Platform), r.wakes); err != nil {
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

// loopOptions are those of the loop: how long a pass may take, how many meshes are
// worked on at a time, when a pass that has failed is tried again, and how long the
// process waits for its caches before it ends.
func loopOptions() controller.Options {
	return controller.Options{
		ReconciliationTimeout: passTimeout, MaxConcurrentReconciles: parallelPasses, RateLimiter: newBackoff(),
		CacheSyncTimeout: cacheTimeout,
	}
}

// recognize forgets an NSM's predecessor of the same name.
func (r *NSMReconciler) recognize(nsm *nsmv1beta1.NSM) {
	if before, isKnown := r.lastUIDs.Load(client.ObjectKeyFromObject(nsm)); isKnown && before != nsm.UID {
		r.forget(nsm)
	}
	r.lastUIDs.Store(client.ObjectKeyFromObject(nsm), nsm.UID)
}

// forget an NSM that has gone, however that came: nothing of what was known of its
// mesh is true of another one of that name. A namespace holds one NSM.
func (r *NSMReconciler) forget(nsm *nsmv1beta1.NSM) {
	key := client.ObjectKeyFromObject(nsm)
	r.applier.Forget(mesh.OwnerLabels(nsm), podSecurity{namespace: nsm.Namespace}.object())
	r.lastUIDs.Delete(key)
	r.uncached.Delete(key)
	r.measured.Delete(key)
	r.mounts.Delete(key)
	metrics.Repairs.DeletePartialMatch(metrics.OfMesh(nsm.Name, nsm.Namespace))
	r.reported.Delete(key)
	r.eventLimits.Delete(key)
	r.identityTroubles.known.Delete(key)
	r.keptIdentities.Delete(key)
	r.races.known.Delete(key)
	for _, known := range []*sync.Map{&r.diagnoses.known, &r.pulls.known, &r.turns, &r.registrations.known, &r.selfRegistrations.known, &r.callers.known, &r.staleClients.known} {
		known.Range(func(workload, _ any) bool {
			if name, ok := workload.(types.NamespacedName); ok && name.Namespace == nsm.Namespace {
				known.Delete(workload)
			}
			return true
		})
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

// wakes has the loop look at those of the NSMs of an object that it acts on.
func (r *NSMReconciler) wakes(nsmsOf handler.MapFunc) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return slices.DeleteFunc(nsmsOf(ctx, object), func(request reconcile.Request) bool { return !r.watches(request.Namespace) })
	})
}

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
		if err := r.reportDeletion(ctx, nsm.DeepCopy(), left, err); err != nil || left.wakeAt.IsZero() {
			return ctrl.Result{}, err
		}
		return ctrl.Result{RequeueAfter: max(left.wakeAt.Sub(r.now()), r.Times.Soonest)}, nil
	}
	r.recognize(nsm)
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
	r.mayHaveObjects.Store(request.NamespacedName, nil)
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
	if seen.wakeAt.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(seen.wakeAt.Sub(r.now()), r.Times.Soonest)}, nil
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
	r.uncached.Delete(client.ObjectKeyFromObject(nsm))
	r.measured.Delete(client.ObjectKeyFromObject(nsm))
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

// isNamespaceTerminating reports whether the NSM's namespace goes: that was seen, or
// the API server refused an object since it does, whatever else went wrong at the
// same time. Of the errors of a pass those are the NSM's own: what is in other
// namespaces is written apart.
func isNamespaceTerminating(err error) bool {
	return slices.ContainsFunc(flatten(err), func(part error) bool {
		return errors.Is(part, errNamespaceTerminating) || apierrors.HasStatusCause(part, corev1.NamespaceTerminatingCause)
	})
}
