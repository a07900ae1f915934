// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// spirePatience is how long SPIRE's controller manager may take before what it
	// says, or does not say, is told as something that is wrong: it works in the
	// background, and again when a write has failed.
	spirePatience = time.Minute
	// identityTimeout is how long reading a ClusterSPIFFEID from the cache may take:
	// its kind may be going.
	identityTimeout = 2 * time.Second
)

// identityTrouble is what is wrong with the identities of a mesh.
type identityTrouble struct {
	// reason is that of the condition, and object the UID of what it is about.
	reason, object string
	since          time.Time
}

// observeIdentities finds out whether SPIRE gives the mesh's workloads their
// identities: what its controller manager says of the ClusterSPIFFEID, and what the
// pods say.
func (r *NSMReconciler) observeIdentities(ctx context.Context, d desired, seen *observation) {
	seen.IgnoredClients = mesh.IgnoredClients(d.input)
	seen.SetSpire(r.registrationWithSPIRE(ctx, d, seen))
}

// registrationWithSPIRE tells who registers the workloads, and whether that is
// done where it is the operator's.
func (r *NSMReconciler) registrationWithSPIRE(ctx context.Context, d desired, seen *observation) metav1.Condition {
	said, identity := r.saidOfIdentity(ctx, d, seen.HasPods())
	if identity == nil {
		return said
	}
	seen.isIdentityMissing = said.Reason == nsmv1beta1.ReasonNotRegistered
	return r.withGracePeriod(d.input.NSM, said, identity, seen)
}

// spireNotReady tells why SPIRE's controller manager cannot register new pods, as it says
// now: the status may be older than what went wrong. "" where it can, has said nothing yet,
// or is somebody else's to look after.
func (r *NSMReconciler) spireNotReady(ctx context.Context, d *desired) string {
	said, _ := r.saidOfIdentity(ctx, *d, false)
	switch said.Reason {
	case nsmv1beta1.ReasonNotRead, nsmv1beta1.ReasonEntryFailures, nsmv1beta1.ReasonRenderFailures:
		d.wake(r.now().Add(r.Times.AskAgain))
		return said.Message
	default:
		return ""
	}
}

// saidOfIdentity is what the ClusterSPIFFEID of the mesh says now, and that itself; nil where
// there is none to look at. hasPods: the mesh has pods that it should select.
func (r *NSMReconciler) saidOfIdentity(ctx context.Context, d desired, hasPods bool) (metav1.Condition, *unstructured.Unstructured) {
	spire := mesh.SpireOf(d.input)
	identities := mesh.Identities(d.input)
	switch {
	case spire.Registration == nsmv1beta1.SpireRegistrationNone:
		return health.SpireUnknown(nsmv1beta1.ReasonNotManaged, "spec.spire.registration is None: somebody else registers the workloads"), nil
	case len(identities) == 0:
		return health.SpireUnknown(nsmv1beta1.ReasonNotServed, "no SPIRE controller manager serves ClusterSPIFFEIDs here: whoever runs SPIRE registers the workloads"), nil
	}
	name := identities[0].GetName()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind)
	short, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	err := r.client.Get(short, client.ObjectKey{Name: name}, live)
	switch {
	case apierrors.IsNotFound(err):
		live.SetName(name)
		return health.SpireFailed(nsmv1beta1.ReasonNotRegistered,
			"ClusterSPIFFEID "+name+" does not exist, so new pods get no identity; the condition Degraded says why it could not be created"), live
	case err != nil:
		return health.SpireUnknown(nsmv1beta1.ReasonNotRead, "ClusterSPIFFEID "+name+" cannot be read ("+inShort(err)+")"), nil
	}
	return health.SpireOf(live, spire.ClassName, hasPods), live
}

// withGracePeriod gives the controller manager a fair time before anything is wrong. What
// was told as wrong before, by the process before this one, stays so.
func (r *NSMReconciler) withGracePeriod(nsm *nsmv1beta1.NSM, said metav1.Condition, live client.Object, seen *observation) metav1.Condition {
	remembered := r.memories.of(nsm)
	if said.Status != metav1.ConditionFalse {
		remembered.identityTrouble = nil
		return said
	}
	now := identityTrouble{reason: said.Reason, object: string(live.GetUID()), since: r.now()}
	if before := remembered.identityTrouble; before != nil && before.reason == now.reason && before.object == now.object {
		now = *before
	}
	remembered.identityTrouble = &now
	told := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionSpireReady)
	wasTold := told != nil && told.Status == metav1.ConditionFalse && told.Reason == said.Reason
	end := now.since.Add(spirePatience)
	if wasTold || !r.now().Before(end) {
		return said
	}
	seen.wake(end)
	return health.SpireUnknown(nsmv1beta1.ReasonWaiting, "SPIRE's controller manager has not registered the pods that ClusterSPIFFEID "+live.GetName()+" selects yet")
}

// tolerateSPIREDown takes a pass that failed for nothing but a webhook that is down, and that
// keeps the ClusterSPIFFEID from being written, for one that waits: SPIRE's controller
// manager, whose webhook it usually is, may be starting. Only after a while is that the
// failure that it returns. If the status says since before this process that a pass has
// failed, its time is over.
func (r *NSMReconciler) tolerateSPIREDown(nsm *nsmv1beta1.NSM, seen *observation, failure error) error {
	remembered := r.memories.of(nsm)
	failures := flatten(failure)
	kept := slices.DeleteFunc(slices.Clone(failures), func(err error) bool { return keptIdentity(err) == nil })
	if len(kept) == 0 {
		remembered.identityKeptSince = nil
		return failure
	}
	if remembered.identityKeptSince == nil {
		since := r.now()
		if health.FailedBefore(&nsm.Status, r.started) {
			since = time.Time{}
		}
		remembered.identityKeptSince = &since
	}
	end := remembered.identityKeptSince.Add(r.Times.SpireWebhook)
	if seen == nil || len(kept) < len(failures) || !r.now().Before(end) {
		return failure
	}
	seen.AwaitSpire(keptIdentity(kept[0]).String(), kept[0].Error(), !seen.isIdentityMissing)
	seen.wake(r.now().Add(r.Times.AskAgain))
	seen.wake(end)
	return nil
}

// keptIdentity is the ClusterSPIFFEID that could not be written since the API server could
// not call an admission webhook about it; nil for any other failure.
func keptIdentity(err error) *apply.WriteError {
	var failed *apply.WriteError
	if errors.As(err, &failed) && failed.Kind == mesh.ClusterSPIFFEIDKind.Kind && apierrors.IsInternalError(err) && health.IsWebhookDown(err.Error()) {
		return failed
	}
	return nil
}

// identityMatters lets through of a ClusterSPIFFEID's changes those that matter to a
// mesh. Its status changes with every pod of the cluster that asks for an identity.
func identityMatters() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isUnstructured := e.ObjectOld.(*unstructured.Unstructured)
		after, _ := e.ObjectNew.(*unstructured.Unstructured)
		if !isUnstructured || after == nil || after.GroupVersionKind() != mesh.ClusterSPIFFEIDKind {
			return true
		}
		return !equality.Semantic.DeepEqual(comparableFields(before), comparableFields(after))
	}}
}

// comparableFields of a ClusterSPIFFEID.
func comparableFields(identity *unstructured.Unstructured) map[string]any {
	matters := map[string]any{"said": []metav1.Condition{health.SpireOf(identity, "", true), health.SpireOf(identity, "", false)}}
	for key, value := range identity.Object {
		if key != "status" && key != "metadata" {
			matters[key] = value
		}
	}
	metadata, _, _ := unstructured.NestedMap(identity.Object, "metadata")
	delete(metadata, "resourceVersion")
	delete(metadata, "managedFields")
	matters["metadata"] = metadata
	return matters
}
