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

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// A registry of type k8s keeps its entries in the API, as NetworkServiceEndpoints.
// When it goes, nobody renews, expires or reads them any more, so the operator
// deletes them. Until that is done, the ClusterRole by which the registry wrote
// them stays, bound to nobody: it shows the next pass, and the next process, that
// there is something to do. A mesh without it costs no request. The registry of an
// earlier operator has no such role: where one in memory takes its place, the role is
// made before it goes.

// hasEntriesRole reports whether the cache shows the role of a k8s registry. One that
// is being deleted has served its purpose.
func (r *NSMReconciler) hasEntriesRole(ctx context.Context, nsm *nsmv1beta1.NSM) (bool, error) {
	role := &rbacv1.ClusterRole{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: mesh.EntriesRoleName(nsm.Namespace)}, role); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return mesh.IsOf(role, nsm) && role.DeletionTimestamp == nil, nil
}

// entriesRole is the role of a k8s registry as the mark that an earlier operator's
// registry, which is about to be replaced, has kept entries; none where it has not.
func (d desired) entriesRole() []mesh.Object {
	if mesh.KeepsEntries(&d.input.NSM.Spec) || !slices.ContainsFunc(d.orphans, func(orphan mesh.Object) bool {
		registry, isDeployment := orphan.(*appsv1.Deployment)
		return isDeployment && mesh.KeptEntries(registry)
	}) {
		return nil
	}
	return []mesh.Object{mesh.EntriesRole(d.input)}
}

// deleteEntries deletes what the registry of a mesh has kept. NetworkServices stay:
// people write those.
func (r *NSMReconciler) deleteEntries(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	ctx, cancel := context.WithTimeout(ctx, deregisterTimeout)
	defer cancel()
	entries, err := r.kept(ctx, nsm)
	if err != nil || len(entries) == 0 {
		return err
	}
	log.FromContext(ctx).Info("Deleting what the registry has kept", "networkServiceEndpoints", len(entries))
	if err := r.applier.DeleteExactly(ctx, entries...); err != nil {
		return fmt.Errorf("deleting what the registry has kept: %w", err)
	}
	return nil
}

// kept are the entries that the registry of a mesh has kept: all of its namespace,
// or none where a registry runs there that somebody has put up beside the mesh.
func (r *NSMReconciler) kept(ctx context.Context, nsm *nsmv1beta1.NSM) ([]mesh.Object, error) {
	entries := mesh.EmptyMetadataList(endpointKind)
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
	var kept []mesh.Object
	for i := range entries.Items {
		kept = append(kept, &entries.Items[i])
	}
	return kept, nil
}
