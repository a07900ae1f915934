// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package monitoring

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Remover removes what a Keeper has made, once: whoever turns monitoring off does not
// want alerts of it any more.
type Remover struct {
	Keeper
}

// Start implements manager.Runnable: the replica that leads removes them. It tries again
// until it knows that there is nothing.
func (r *Remover) Start(ctx context.Context) error {
	if r.Interval == 0 {
		r.Interval = defaultInterval
	}
	objects, err := r.objects()
	if err != nil {
		return err
	}
	for {
		err := r.eachServed(objects, func(object *unstructured.Unstructured) error { return r.remove(ctx, object) })
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // who ends the process, has no use for it
		}
		r.tell(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.Interval):
		}
	}
}

// remove an object that is ours, and not another one that takes its place meanwhile.
func (r *Remover) remove(ctx context.Context, object *unstructured.Unstructured) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), live)
	if err != nil || live.GetLabels()[labelManagedBy] != managedBy {
		return client.IgnoreNotFound(err)
	}
	err = r.Client.Delete(ctx, live, client.Preconditions{UID: ptr.To(live.GetUID())})
	if apierrors.IsConflict(err) {
		return fmt.Errorf("it was replaced: %w", err)
	}
	if err == nil {
		ctrl.Log.WithName("monitoring").Info("Removed what Prometheus was told of the operator", "kind", object.GetKind())
	}
	return client.IgnoreNotFound(err)
}
