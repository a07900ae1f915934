// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// Finalizer keeps an NSM until the cluster-scoped objects of its mesh, which no
// owner reference can remove, are gone.
const Finalizer = "nsm.networkservicemesh.io/finalizer"

// deregisterTimeout is how long a deletion tries to delete what the registry has
// kept: a webhook of somebody else may answer each deletion after half a minute.
const deregisterTimeout = 30 * time.Second

// deletionProgress is how far the deletion of an NSM has come.
type deletionProgress struct {
	// waits: something of its mesh is left.
	waits bool
	// held are objects of the mesh that have been going for a while, with what holds them,
	// and the pods that the CSI driver waits for.
	held []string
	wakeUp
}

// finalize removes the mesh of an NSM that is being deleted, and lets the NSM
// go when all of it is gone. Until then the NSM waits.
func (r *NSMReconciler) finalize(ctx context.Context, nsm *nsmv1beta1.NSM) (deletionProgress, error) {
	if !controllerutil.ContainsFinalizer(nsm, Finalizer) {
		r.watcher.Watch(client.ObjectKeyFromObject(nsm))
		return deletionProgress{}, nil
	}
	r.watcher.Watch(client.ObjectKeyFromObject(nsm), podSecurityQueries(nsm.Namespace)...)
	mayHaveEntries, err := r.hasEntriesRole(ctx, nsm)
	if err != nil {
		log.FromContext(ctx).Error(err, "NetworkServiceEndpoints of a mesh that is gone may stay")
	}
	readable := r.readable(ctx, nsm, mesh.PlatformKinds(r.platform.now()))
	mounts, unseen := r.observeDriverOf(ctx, nsm)
	isDriverInUse := mounts.Count > 0 || unseen != nil
	done := r.execute(ctx, desired{input: mesh.Input{NSM: nsm}}, rollout.DeletionPlan(nsm, readable, mayHaveEntries, isDriverInUse))
	if done.isReleased {
		r.memories.of(nsm).mayHaveObjects = false
	}
	if err := errors.Join(done.failure, unseen); done.isReleased || err != nil {
		return deletionProgress{waits: !done.isReleased}, err
	}
	left, err := r.heldOf(ctx, nsm, slices.Concat(mesh.Kinds(), readable))
	if isDriverInUse {
		left.held = append(left.held, mounts.String())
		left.wake(mounts.until)
	}
	return left, err
}

// heldOf are the objects of a mesh that were deleted a while ago and are still there,
// since somebody's finalizers keep them. With an error it tells what it has found
// nevertheless.
func (r *NSMReconciler) heldOf(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []mesh.Object) (deletionProgress, error) {
	still := deletionProgress{waits: true}
	var errs []error
	for _, kind := range kinds {
		left, err := r.applier.Own(ctx, nsm, kind)
		errs = append(errs, err)
		for _, object := range left {
			if object.GetDeletionTimestamp() != nil { // else the cache has not heard of it
				still.add(object, object.GetDeletionTimestamp().Add(r.Times.Patience), r.now())
			}
		}
	}
	slices.Sort(still.held)
	return still, errors.Join(errs...)
}

// add an object that is being deleted, and counts as held from a time on.
func (l *deletionProgress) add(object mesh.Object, late, now time.Time) {
	if now.Before(late) {
		l.wake(late)
		return
	}
	l.held = append(l.held, health.Held(object))
}

// cleanUp forgets an NSM that is gone. Where it went without its finalizer, what is left
// of its mesh goes now: what this process has made, or what the cache shows of it.
func (r *NSMReconciler) cleanUp(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	r.forget(nsm)
	isDue := r.memories.of(nsm).mayHaveObjects
	left, err := r.applier.Own(ctx, nsm, slices.Concat(mesh.ClusterKinds(), mesh.PlatformKinds(r.platform.now()))...)
	if err != nil {
		return err
	}
	if isDue || len(left) > 0 {
		if err := r.removeLeftovers(ctx, nsm); err != nil {
			return err
		}
	}
	r.memories.drop(nsm)
	r.watcher.Watch(client.ObjectKeyFromObject(nsm))
	return nil
}

// removeLeftovers removes what is left of the mesh of an NSM that is gone.
func (r *NSMReconciler) removeLeftovers(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	mayHaveEntries, err := r.hasEntriesRole(ctx, nsm)
	if err != nil {
		return err
	}
	r.watcher.Watch(client.ObjectKeyFromObject(nsm), podSecurityQueries(nsm.Namespace)...)
	plan := rollout.CleanupPlan(nsm, r.platform.now(), mayHaveEntries)
	return r.execute(ctx, desired{input: mesh.Input{NSM: nsm}}, plan).failure
}

// readable are those of the kinds that can be listed. The others are kinds of
// somebody else's, as where a conversion webhook is broken: objects of those cannot
// be deleted either, and an NSM does not wait for them.
func (r *NSMReconciler) readable(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []mesh.Object) []mesh.Object {
	return slices.DeleteFunc(kinds, func(kind mesh.Object) bool {
		_, err := r.leftOf(ctx, nsm, kind)
		if err != nil {
			log.FromContext(ctx).Error(err, "What is left of a kind cannot be found, and stays")
		}
		return err != nil
	})
}

// leftOf asks the API server for the objects of a kind that are the NSM's own.
func (r *NSMReconciler) leftOf(ctx context.Context, nsm *nsmv1beta1.NSM, kind mesh.Object) ([]mesh.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Times.List)
	defer cancel()
	gvk, err := apiutil.GVKForObject(kind, r.client.Scheme())
	if err != nil {
		return nil, err
	}
	left := mesh.EmptyMetadataList(gvk)
	err = r.direct.List(ctx, left, client.MatchingLabels{mesh.LabelNSM: nsm.Name, mesh.LabelNamespace: nsm.Namespace})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil // the kind has gone, and all of it
	}
	if err != nil {
		return nil, fmt.Errorf("looking for what is left of kind %s: %w", gvk.Kind, err)
	}
	var own []mesh.Object
	for i := range left.Items {
		if one := &left.Items[i]; mesh.IsOf(one, nsm) {
			own = append(own, one)
		}
	}
	return own, nil
}

// ensureFinalizer adds the operator's finalizer to an NSM. Whoever reads the NSM at the
// same time reads nothing that changes.
func (r *NSMReconciler) ensureFinalizer(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	if controllerutil.ContainsFinalizer(nsm, Finalizer) {
		return nil
	}
	kept := nsm.DeepCopy()
	controllerutil.AddFinalizer(kept, Finalizer)
	if err := r.client.Patch(ctx, kept, client.MergeFromWithOptions(nsm, client.MergeFromWithOptimisticLock{})); err != nil {
		return err
	}
	nsm.Finalizers, nsm.ResourceVersion = kept.Finalizers, kept.ResourceVersion
	return nil
}
