// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"iter"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// nsms are all NSMs in the cache, as they lie there: nobody may change them. The
// client's list copies half a kilobyte for each of them, also where it makes no deep
// copies. With ten thousand NSMs that is five megabytes in every pass.
type nsms struct {
	client client.Client
	cache  cache.Cache
}

// written waits until the cache has what this process has written, and returns all.
func (n nsms) written(ctx context.Context) (iter.Seq[*nsmv1beta1.NSM], error) {
	// The client waits, whatever it lists.
	if err := n.client.List(ctx, &nsmv1beta1.NSMList{}, client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	return n.all(ctx)
}

// all may lag behind what this process has written.
func (n nsms) all(ctx context.Context) (iter.Seq[*nsmv1beta1.NSM], error) {
	informer, err := n.cache.GetInformer(ctx, &nsmv1beta1.NSM{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	shared, isShared := informer.(toolscache.SharedIndexInformer)
	if !isShared {
		return nil, fmt.Errorf("the cache of NSMs is a %T, which does not show what it holds", informer)
	}
	return func(yield func(*nsmv1beta1.NSM) bool) {
		for _, item := range shared.GetStore().List() {
			if nsm, isNSM := item.(*nsmv1beta1.NSM); isNSM && !yield(nsm) {
				return
			}
		}
	}, nil
}
