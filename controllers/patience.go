// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patientClient reads from the cache, and gives up where the cache of a kind of
// somebody else's CRD is not filled within a few seconds: the API server cannot list
// such a kind while the conversion webhook of its CRD is down, say. The cache itself
// would wait until the pass has run out of time, and with it everything else about
// that mesh, its deletion included.
type patientClient struct {
	client.Client
	cache cache.Cache
	// patience is how long a read waits for a cache.
	patience time.Duration
	now      func() time.Time

	mu sync.Mutex
	// waiting are the caches that are not filled.
	waiting map[schema.GroupVersionKind]waiting
}

// waiting tells since when somebody has waited for a cache.
type waiting struct {
	cache cache.Informer
	since time.Time
}

func newPatientClient(c client.Client, from cache.Cache, patience time.Duration) *patientClient {
	return &patientClient{Client: c, cache: from, patience: patience, now: time.Now, waiting: map[schema.GroupVersionKind]waiting{}}
}

// Get implements client.Reader.
func (c *patientClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if one, isOthers := object.(*unstructured.Unstructured); isOthers {
		if err := c.await(ctx, one.GroupVersionKind()); err != nil {
			return err
		}
	}
	return c.Client.Get(ctx, key, object, options...)
}

// List implements client.Reader.
func (c *patientClient) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if some, isOthers := list.(*unstructured.UnstructuredList); isOthers {
		kind := some.GroupVersionKind()
		kind.Kind = strings.TrimSuffix(kind.Kind, "List")
		if err := c.await(ctx, kind); err != nil {
			return err
		}
	}
	return c.Client.List(ctx, list, options...)
}

// await waits until the cache of a kind is filled, or for so long that nobody needs
// to wait for it again. The API server's own words are not in the error: they may
// be others each time.
func (c *patientClient) await(ctx context.Context, kind schema.GroupVersionKind) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	informer, err := c.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	left := c.patienceLeft(kind, informer)
	if left == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	if toolscache.WaitForCacheSync(limited.Done(), informer.HasSynced) {
		return nil
	}
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	return fmt.Errorf("%ss cannot be read, since the API server does not list them: kubectl get %s says why", kind.Kind, resource.GroupResource())
}

// patienceLeft is how long to wait for a cache: not at all where it is filled, and
// for a moment where that has been tried long enough.
func (c *patientClient) patienceLeft(kind schema.GroupVersionKind, informer cache.Informer) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if informer.HasSynced() {
		delete(c.waiting, kind)
		return 0
	}
	known, isWaitedFor := c.waiting[kind]
	if !isWaitedFor || known.cache != informer {
		known = waiting{cache: informer, since: c.now()}
		c.waiting[kind] = known
	}
	return max(c.patience-c.now().Sub(known.since), time.Millisecond)
}
