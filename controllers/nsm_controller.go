// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package controllers holds the loop that keeps a mesh as its NSM describes it:
// read, plan, apply, prune, report.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/follow"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Finalizer keeps an NSM until the cluster-scoped objects of its mesh, which no
// owner reference can remove, are gone.
const Finalizer = "nsm.networkservicemesh.io/finalizer"

const (
	// readTimeout is how long a deletion waits for the list of a kind.
	readTimeout = 10 * time.Second
	// deregisterTimeout is how long a deletion tries to delete what the registry has
	// kept: a webhook of somebody else may answer each deletion after half a minute.
	deregisterTimeout = 30 * time.Second
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

	// client reads from the cache.
	client client.Client
	// direct reads from the API server; only where no cache can know, and never
	// in a pass with nothing to do.
	direct   client.Reader
	recorder events.EventRecorder
	applier  *apply.Applier
	platform *platformWatch
	adoption *adoption
	// follower knows of objects that are not ours.
	follower          *follow.Follower
	registrations     registrations
	selfRegistrations selfRegistrations
	callers           callers
	// issued are certificates of admission webhooks that no Secret holds yet.
	issued sync.Map // of types.NamespacedName, the NSM's: *certs.Pair
	// diagnoses are what was found out lately of workloads that are down.
	diagnoses sync.Map // of types.NamespacedName, the workload's: diagnosis
	// lives are the UIDs of the NSMs that were seen last under a name.
	lives sync.Map // of types.NamespacedName, the NSM's: types.UID
	// identityTroubles are what is wrong with the identities of meshes.
	identityTroubles identityTroubles
	// races are writes that failed since somebody else wrote at the same moment.
	races  races
	passes *passes
	now    func() time.Time
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
// +kubebuilder:rbac:groups=apps,resources=daemonsets;deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles;clusterrolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=storage.k8s.io,resources=csidrivers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=spire.spiffe.io,resources=clusterspiffeids,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=about.k8s.io,resources=clusterproperties,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=cluster-info,verbs=create;update;patch;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch
// +kubebuilder:rbac:groups=networkservicemesh.io,resources=networkservices;networkserviceendpoints,verbs=get;list;watch;create;update;delete

// SetupWithManager registers the loop and what wakes it.
func (r *NSMReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.client, r.direct, r.recorder = mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder(mesh.ManagedBy)
	r.applier, r.now = apply.New(r.client, r.direct, mesh.LabelManagedBy, mesh.LabelNSM, mesh.LabelNamespace), time.Now
	r.adoption = &adoption{direct: r.direct, started: r.now()}
	r.passes = newPasses(clock.RealClock{})
	if err := mgr.AddHealthzCheck("passes", r.passes.check); err != nil {
		return err
	}
	// An annotation keeps what conversion does not understand.
	wanted := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))
	b := ctrl.NewControllerManagedBy(mgr).
		WithOptions(loopOptions()).
		For(&nsmv1beta1.NSM{}, wanted, builder.WithPredicates(predicate.NewPredicateFuncs(r.isWatched))).
		Watches(&nsmv1beta1.NSM{}, r.wakes(r.rivals), builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, meshRemoved())))
	for _, kind := range mesh.Kinds() {
		b = b.Watches(kind, r.wakes(ownerOf))
	}
	c, err := b.Build(r)
	if err != nil {
		return err
	}
	if r.platform, err = newPlatformWatch(mgr, c, r.Platform, r.wakes); err != nil {
		return err
	}
	r.follower, err = newFollower(mgr, r.platform.wakeOne)
	return err
}

// loopOptions are those of the loop: how long a pass may take, how many meshes are
// worked on at a time, and when a pass that has failed is tried again.
func loopOptions() controller.Options {
	return controller.Options{ReconciliationTimeout: passTimeout, MaxConcurrentReconciles: parallelPasses, RateLimiter: newBackoff()}
}

// recognize forgets an NSM's predecessor of the same name.
func (r *NSMReconciler) recognize(nsm *nsmv1beta1.NSM) {
	if before, isKnown := r.lives.Load(client.ObjectKeyFromObject(nsm)); isKnown && before != nsm.UID {
		r.forget(nsm)
	}
	r.lives.Store(client.ObjectKeyFromObject(nsm), nsm.UID)
}

// forget an NSM that has gone, however that came: nothing of what was known of its
// mesh is true of another one of that name. A namespace holds one NSM.
func (r *NSMReconciler) forget(nsm *nsmv1beta1.NSM) {
	key := client.ObjectKeyFromObject(nsm)
	r.applier.Forget(mesh.OwnerLabels(nsm), podSecurity{namespace: nsm.Namespace}.object())
	r.lives.Delete(key)
	r.identityTroubles.known.Delete(key)
	r.races.known.Delete(key)
	for _, known := range []*sync.Map{&r.diagnoses, &r.registrations.known, &r.selfRegistrations.known} {
		known.Range(func(workload, _ any) bool {
			if name, ok := workload.(types.NamespacedName); ok && name.Namespace == nsm.Namespace {
				known.Delete(workload)
			}
			return true
		})
	}
}

// newFollower watches with a client of its own: the manager's reads from the
// cache, and what is followed is not there.
func newFollower(mgr ctrl.Manager, changed func(context.Context, types.NamespacedName)) (*follow.Follower, error) {
	watching, err := client.NewWithWatch(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, err
	}
	follower := follow.New(watching, changed)
	return follower, mgr.Add(follower)
}

// kindsOn are the kinds of all objects that a mesh can be made of on a platform.
func kindsOn(platform mesh.Platform) []client.Object {
	return clientObjects(append(mesh.Kinds(), mesh.PlatformKinds(platform)...))
}

// clusterKindsOn are those of kindsOn that no owner reference removes.
func clusterKindsOn(platform mesh.Platform) []client.Object {
	return clientObjects(append(mesh.ClusterKinds(), mesh.PlatformKinds(platform)...))
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

// isWatched tells whether the loop acts on the NSM of an object's namespace.
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

// rivals are the NSMs that were refused for the sake of another, which may have
// changed or gone.
func (r *NSMReconciler) rivals(ctx context.Context, object client.Object) []reconcile.Request {
	var all nsmv1beta1.NSMList
	if err := r.client.List(ctx, &all); err != nil {
		log.FromContext(ctx).Error(err, "Looking for NSMs that were refused")
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		nsm := &all.Items[i]
		degraded := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionDegraded)
		if nsm.UID != object.GetUID() && degraded != nil && degraded.Reason == reasonConflict {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(nsm)})
		}
	}
	return requests
}

// Reconcile makes one mesh what its NSM says.
func (r *NSMReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.watches(request.Namespace) {
		// Whoever acts on it may be another operator.
		return ctrl.Result{}, nil
	}
	defer r.passes.begin(ctx, request.NamespacedName)()
	nsm := &nsmv1beta1.NSM{}
	if err := r.client.Get(ctx, request.NamespacedName, nsm); err != nil {
		if apierrors.IsNotFound(err) {
			nsm.Name, nsm.Namespace = request.Name, request.Namespace
			r.forget(nsm)
			r.follower.Follow(request.NamespacedName)
			r.issued.Delete(request.NamespacedName)
			return ctrl.Result{}, r.clean(ctx, nsm, clusterKindsOn(r.platform.now()))
		}
		return ctrl.Result{}, err
	}
	if nsm.DeletionTimestamp != nil {
		waits, err := r.finalize(ctx, nsm)
		r.platform.doubt(err)
		return ctrl.Result{}, r.reportDeletion(ctx, nsm.DeepCopy(), waits, err)
	}
	r.recognize(nsm)
	// The client's copy is the cache's: it is never changed in place.
	nsm = nsm.DeepCopy()
	if result, err := r.refused(ctx, nsm); result != nil || err != nil {
		return ctrl.Result{}, r.leaveAlone(ctx, nsm, result, err)
	}
	seen, err := r.run(ctx, nsm)
	r.platform.doubt(err)
	if isNamespaceTerminating(err) {
		// The NSM goes with its namespace; its own deletion wakes the loop.
		return ctrl.Result{}, r.leaveNamespace(ctx, nsm)
	}
	if err := r.report(ctx, nsm, seen, err); err != nil {
		return ctrl.Result{}, err
	}
	if seen.wakeAt.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(seen.wakeAt.Sub(r.now()), time.Second)}, nil
}

// leaveAlone reports an NSM that is not acted on. Its mesh may run from before, so
// its namespace is still followed: the mesh's webhook must not be called when that
// goes.
func (r *NSMReconciler) leaveAlone(ctx context.Context, nsm *nsmv1beta1.NSM, result *observation, failure error) error {
	r.follower.Follow(client.ObjectKeyFromObject(nsm), namespaceQuery(nsm.Namespace))
	err := r.checkNamespace(ctx, nsm)
	if errors.Is(err, errNamespaceGoes) {
		return r.leaveNamespace(ctx, nsm)
	}
	if err != nil {
		// The loop is woken when there is an answer.
		log.FromContext(ctx).Error(err, "Looking at the namespace of an NSM that is not acted on")
	}
	return r.report(ctx, nsm, result, failure)
}

// refused tells whether, and why, an NSM is not acted on. The webhook refuses
// such objects; this is for those that came past it.
func (r *NSMReconciler) refused(ctx context.Context, nsm *nsmv1beta1.NSM) (*observation, error) {
	if problem := conversion.Unreadable(nsm); problem != "" {
		return &observation{refusal: refusal{reason: "Unreadable", message: problem +
			"; write the field again in v1beta1, and remove the annotation " + conversion.Annotation + ", which still holds the old value"}}, nil
	}
	wanted, err := release.Parse(versionOf(nsm))
	if err != nil {
		return &observation{refusal: refusal{
			reason:  "InvalidVersion",
			message: fmt.Sprintf("spec.version: %q: %s", nsm.Spec.Version, err),
		}}, nil
	}
	if problem := mesh.Invalid(mesh.Input{NSM: nsm, Release: wanted, Platform: *r.platform.current.Load()}); problem != "" {
		return &observation{refusal: refusal{reason: "InvalidSpec", message: problem}}, nil
	}
	var all nsmv1beta1.NSMList
	if err := r.client.List(ctx, &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		other := &all.Items[i]
		if isRemoved(other) || !isOlder(other, nsm) {
			continue
		}
		if conflict := mesh.Conflict(other, nsm); conflict != "" {
			return &observation{refusal: refusal{
				reason:  reasonConflict,
				message: fmt.Sprintf("NSM %s/%s was here first, and %s", other.Namespace, other.Name, conflict),
			}}, nil
		}
	}
	return nil, nil
}

// isRemoved tells that the mesh of an NSM is gone: the NSM is being deleted, and
// only finalizers of others hold it.
func isRemoved(nsm client.Object) bool {
	return nsm.GetDeletionTimestamp() != nil && !controllerutil.ContainsFinalizer(nsm, Finalizer)
}

// meshRemoved passes the update by which the mesh of an NSM is gone. It changes
// neither the generation nor an annotation.
func meshRemoved() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return !isRemoved(e.ObjectOld) && isRemoved(e.ObjectNew) },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// isOlder tells which of two NSMs came first. Within a second the one that is run
// already did, or else the name decides.
func isOlder(one, other *nsmv1beta1.NSM) bool {
	if one.UID == other.UID {
		return false
	}
	if !one.CreationTimestamp.Equal(&other.CreationTimestamp) {
		return one.CreationTimestamp.Before(&other.CreationTimestamp)
	}
	if runs, otherRuns := controllerutil.ContainsFinalizer(one, Finalizer), controllerutil.ContainsFinalizer(other, Finalizer); runs != otherRuns {
		return runs
	}
	return one.Namespace+"/"+one.Name < other.Namespace+"/"+other.Name
}

func versionOf(nsm *nsmv1beta1.NSM) string {
	if nsm.Spec.Version == "" {
		return release.Newest().String()
	}
	return nsm.Spec.Version
}

// finalize removes the mesh of an NSM that is being deleted, and lets the NSM
// go when all of it is gone. Until then the NSM waits.
func (r *NSMReconciler) finalize(ctx context.Context, nsm *nsmv1beta1.NSM) (waits bool, err error) {
	if !controllerutil.ContainsFinalizer(nsm, Finalizer) {
		r.follower.Follow(client.ObjectKeyFromObject(nsm))
		return false, nil
	}
	r.follower.Follow(client.ObjectKeyFromObject(nsm), podSecurityQueries(nsm.Namespace)...)
	// What calls the admission webhook goes first: left behind for a moment, it
	// would block the creation of pods in the whole cluster.
	if err := r.removeRegistrations(ctx, nsm); err != nil {
		return true, err
	}
	kinds := slices.Concat(clientObjects(mesh.Kinds()), r.readable(ctx, nsm, clientObjects(mesh.PlatformKinds(r.platform.now()))))
	if err := r.clean(ctx, nsm, kinds); err != nil {
		return true, err
	}
	remaining, err := r.applier.Remaining(ctx, nsm, kinds)
	if err != nil || remaining > 0 {
		// Their disappearance wakes the loop again.
		return true, err
	}
	if err := r.sweep(ctx, nsm); err != nil {
		return true, err
	}
	r.deregister(ctx, nsm)
	if err := r.unlabelNamespace(ctx, nsm); err != nil {
		return true, err
	}
	released := nsm.DeepCopy()
	controllerutil.RemoveFinalizer(released, Finalizer)
	err = client.IgnoreNotFound(r.client.Patch(ctx, released, client.MergeFrom(nsm)))
	return err != nil, err
}

// readable are those of the kinds that can be listed. The others are kinds of
// somebody else's, as where a conversion webhook is broken: objects of those cannot
// be deleted either, and an NSM does not wait for them.
func (r *NSMReconciler) readable(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []client.Object) []client.Object {
	return slices.DeleteFunc(kinds, func(kind client.Object) bool {
		_, err := r.leftOf(ctx, nsm, kind)
		if err != nil {
			log.FromContext(ctx).Error(err, "What is left of a kind cannot be found, and stays")
		}
		return err != nil
	})
}

// clean deletes all objects of the kinds that belong to the NSM.
func (r *NSMReconciler) clean(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []client.Object) error {
	pruned, err := r.applier.Prune(ctx, nsm, kinds, mesh.OwnerLabels(nsm), nil)
	for _, change := range pruned {
		log.FromContext(ctx).Info("Deleted", "object", change.String())
	}
	return err
}

// sweep deletes what no owner reference removes and the cache does not show, since
// somebody has changed the label by which the operator finds its objects. It asks
// the API server: an NSM is deleted once. A platform's kind that cannot be listed
// holds nothing up.
func (r *NSMReconciler) sweep(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	for _, kind := range clientObjects(mesh.ClusterKinds()) {
		if left, err := r.leftOf(ctx, nsm, kind); err != nil {
			return err
		} else if err := r.deleteAll(ctx, left); err != nil {
			return err
		}
	}
	for _, kind := range clientObjects(mesh.PlatformKinds(r.platform.now())) {
		left, err := r.leftOf(ctx, nsm, kind)
		if err != nil {
			log.FromContext(ctx).Error(err, "What is left of a kind cannot be found, and stays")
		}
		if err := r.deleteAll(ctx, left); err != nil {
			return err
		}
	}
	return nil
}

// leftOf asks the API server for the objects of a kind that are the NSM's own.
func (r *NSMReconciler) leftOf(ctx context.Context, nsm *nsmv1beta1.NSM, kind client.Object) ([]metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	gvk, err := apiutil.GVKForObject(kind, r.client.Scheme())
	if err != nil {
		return nil, err
	}
	left := &metav1.PartialObjectMetadataList{}
	left.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	err = r.direct.List(ctx, left, client.MatchingLabels{mesh.LabelNSM: nsm.Name, mesh.LabelNamespace: nsm.Namespace})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil // the kind has gone, and all of it
	}
	if err != nil {
		return nil, fmt.Errorf("looking for what is left of kind %s: %w", gvk.Kind, err)
	}
	return slices.DeleteFunc(left.Items, func(one metav1.PartialObjectMetadata) bool { return !mesh.IsOf(&one, nsm) }), nil
}

func (r *NSMReconciler) deleteAll(ctx context.Context, objects []metav1.PartialObjectMetadata) error {
	for i := range objects {
		one := &objects[i]
		err := r.client.Delete(ctx, one, client.DisableReadYourWritesConsistency, client.Preconditions{UID: ptr.To(one.UID)})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s %s: %w", one.Kind, one.Name, err)
		}
		log.FromContext(ctx).Info("Deleted", "object", one.Kind+" "+one.Name)
	}
	return nil
}

func (r *NSMReconciler) ensureFinalizer(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	if controllerutil.ContainsFinalizer(nsm, Finalizer) {
		return nil
	}
	before := nsm.DeepCopy()
	controllerutil.AddFinalizer(nsm, Finalizer)
	return r.client.Patch(ctx, nsm, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// limit keeps a text within what the API takes as an event's note, and whole
// characters: the API would store something else in place of a part of one.
func limit(text string) string {
	const most = 1000
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// isNamespaceTerminating tells whether the NSM's namespace goes: that was seen, or
// the API server refused an object since it does, whatever else went wrong at the
// same time. Of the errors of a pass those are the NSM's own: what is in other
// namespaces is written apart.
func isNamespaceTerminating(err error) bool {
	if err == nil {
		return false
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return slices.ContainsFunc(joined.Unwrap(), isNamespaceTerminating)
	}
	return errors.Is(err, errNamespaceGoes) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

func clientObjects(objects []mesh.Object) []client.Object {
	out := make([]client.Object, 0, len(objects))
	for _, object := range objects {
		out = append(out, object)
	}
	return out
}
