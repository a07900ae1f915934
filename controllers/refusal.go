// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// refused reports whether, and why, an NSM is not acted on. The webhook refuses
// such objects; this is for those that came past it.
func (r *NSMReconciler) refused(ctx context.Context, nsm *nsmv1beta1.NSM) (*observation, error) {
	if problem := conversion.Unreadable(nsm); problem != "" {
		return refusal(nsmv1beta1.ReasonUnreadable, problem+
			"; write the field again in v1beta1, and remove the annotation "+conversion.Annotation+", which still holds the old value"), nil
	}
	wanted, err := release.Parse(rollout.VersionOf(&nsm.Spec))
	if err != nil {
		return refusal(nsmv1beta1.ReasonInvalidVersion, fmt.Sprintf("spec.version: %q: %s", nsm.Spec.Version, err)), nil
	}
	if problem := mesh.Invalid(mesh.Input{NSM: nsm, Release: wanted, Platform: r.platform.now()}); problem != "" {
		return refusal(nsmv1beta1.ReasonInvalidSpec, problem), nil
	}
	return r.rivalOf(ctx, nsm)
}

// rivalOf reports whether an NSM is not acted on for the sake of another that was here
// first.
func (r *NSMReconciler) rivalOf(ctx context.Context, nsm *nsmv1beta1.NSM) (*observation, error) {
	all, err := r.nsms.written(ctx)
	if err != nil {
		return nil, err
	}
	// The oldest is told: which one comes first in the list is chance.
	var first *nsmv1beta1.NSM
	for other := range all {
		if !isRemoved(other) && isOlder(other, nsm) && (first == nil || isOlder(other, first)) && mesh.Conflict(other, nsm) != "" {
			first = other
		}
	}
	if first == nil {
		return nil, nil
	}
	return refusal(nsmv1beta1.ReasonConflict,
		fmt.Sprintf("NSM %s/%s was here first, and %s", first.Namespace, first.Name, mesh.Conflict(first, nsm))), nil
}

func refusal(reason, message string) *observation {
	return &observation{Mesh: health.Mesh{Refusal: health.Refusal{Reason: reason, Message: message}}}
}

// isRemoved tells that the mesh of an NSM is gone: the NSM is being deleted, and
// only finalizers of others hold it.
func isRemoved(nsm client.Object) bool {
	return nsm.GetDeletionTimestamp() != nil && !controllerutil.ContainsFinalizer(nsm, Finalizer)
}

// rivalMayHaveGone picks the events after which an NSM that was refused for the sake of
// another may be acted on: that one has changed, or its mesh is gone. A new one
// makes no room, and when the operator starts, all of them are new.
func rivalMayHaveGone() predicate.Predicate {
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return changed.Update(e) || !isRemoved(e.ObjectOld) && isRemoved(e.ObjectNew)
		},
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

// rivals are the NSMs that were refused for the sake of another, which may have
// changed or gone.
func (r *NSMReconciler) rivals(ctx context.Context, object client.Object) []reconcile.Request {
	// Whoever delivers events must not wait for any.
	all, err := r.nsms.all(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking for NSMs that were refused")
		return nil
	}
	var requests []reconcile.Request
	for nsm := range all {
		degraded := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionDegraded)
		if nsm.UID != object.GetUID() && degraded != nil && degraded.Reason == nsmv1beta1.ReasonConflict {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(nsm)})
		}
	}
	return requests
}
