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
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// adoption finds what an earlier operator made for an NSM (its releases 1.8 and
// 1.9): Deployments, DaemonSets and Services that the NSM owns, without our
// labels; and, where the NSM says that it may be taken over, a mesh of NSM's own
// manifests. Such objects are not in the cache, so the API server is asked, until
// it answers once that there are none. About an earlier operator it is never asked
// for a mesh that this operator has brought up already, or that is younger than
// this process: no earlier operator has seen it.
type adoption struct {
	direct   client.Reader
	memories *memories
	started  time.Time
}

// orphanSearch is what is looked for.
type orphanSearch struct {
	nsm types.UID
	// manifests: for NSM's own manifests, too.
	manifests bool
}

// orphans lists them.
func (a *adoption) orphans(ctx context.Context, nsm *nsmv1beta1.NSM) ([]mesh.Object, error) {
	search := orphanSearch{nsm: nsm.UID, manifests: mesh.MayTakeOver(nsm)}
	remembered := a.memories.of(nsm)
	if slices.Contains(remembered.foundNone, search) || !search.manifests && (nsm.Status.Version != "" || nsm.CreationTimestamp.After(a.started)) {
		return nil, nil
	}
	lists := []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.DaemonSetList{}, &corev1.ServiceList{}}
	// All at once, since a new mesh waits for the answers; and from the API
	// server's own cache, which knows what an earlier operator made: to be up to
	// date to the moment takes it a tenth of a second.
	group, asking := errgroup.WithContext(ctx)
	for _, list := range lists {
		// The client writes into the options.
		cached := &client.ListOptions{Namespace: nsm.Namespace, Raw: &metav1.ListOptions{ResourceVersion: "0"}}
		group.Go(func() error { return a.direct.List(asking, list, cached) })
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("looking for what an earlier operator made: %w", err)
	}
	var orphans []mesh.Object
	for _, list := range lists {
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(mesh.Object)
			if ok && isOrphan(object, search) {
				orphans = append(orphans, object)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(orphans) == 0 {
		remembered.foundNone = append(remembered.foundNone, search)
	}
	return orphans, nil
}

func isOrphan(object mesh.Object, search orphanSearch) bool {
	if object.GetLabels()[mesh.LabelManagedBy] == mesh.ManagedBy {
		return false
	}
	isOwned := slices.ContainsFunc(object.GetOwnerReferences(), func(reference metav1.OwnerReference) bool { return reference.UID == search.nsm })
	return isOwned || search.manifests && mesh.IsFromManifests(object)
}
