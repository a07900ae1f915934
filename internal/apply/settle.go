// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// settleInterval is the time between two looks at the cache.
	settleInterval = 2 * time.Millisecond
	// settleTimeout is how long writes may take to reach the cache. With a healthy
	// API server it takes milliseconds.
	settleTimeout = 5 * time.Second
)

// write is one write, or deletion, that the cache has to show before anybody
// reads it again.
type write struct {
	Change
	object client.Object
	// before is the UID that the cache had, "" for nothing.
	before types.UID
	// after is the UID of the API server's answer, "" after a deletion.
	after           types.UID
	resourceVersion string
}

// writes are those of one wave.
type writes struct {
	mu  sync.Mutex
	all []write
}

// add the answer to a write; before is what the cache had, or nil.
func (w *writes) add(want *intent, before, answer client.Object) {
	one := write{Change: changeOf(want.object, ""), object: want.object, after: answer.GetUID(), resourceVersion: answer.GetResourceVersion()}
	if before != nil {
		one.before = before.GetUID()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, one)
}

// addDeletion of what the cache had.
func (w *writes) addDeletion(change Change, before client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, write{Change: change, object: before, before: before.GetUID()})
}

// addFailed adds a write of an object that has failed: it, or a part of it, may have been done
// all the same. The cache has to show what is there now, so that what is being changed is not
// taken for what it was. If that cannot be read either, nothing is known to wait for.
func (a *Applier) addFailed(ctx context.Context, want *intent, before client.Object, writes *writes) {
	if before == nil {
		return
	}
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(want.object.GroupVersionKind())
	err := a.direct.Get(ctx, client.ObjectKeyFromObject(want.object), there)
	switch {
	case err == nil:
		writes.add(want, before, there)
	case apierrors.IsNotFound(err):
		writes.addDeletion(changeOf(want.object, ""), before)
	}
}

// settle waits until the cache shows all writes, so that no pass writes anything
// twice or takes an old state for the new one. The client can do that by itself,
// but waits for ever where nothing comes: for an object that somebody has
// deleted, or whose labels a policy has changed, and for a kind that went and
// came again, whose new informer it does not know.
func (a *Applier) settle(ctx context.Context, writes *writes) error {
	limited, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	var errs []error
	for _, one := range writes.all {
		err := wait.PollUntilContextCancel(limited, settleInterval, true, func(ctx context.Context) (bool, error) {
			live, err := a.cached(ctx, one.object, client.UnsafeDisableDeepCopy)
			return one.isIn(live), err
		})
		switch {
		case wait.Interrupted(err) && ctx.Err() == nil && (one.before == "" || one.after == ""):
			// An object that has not appeared yet looks missing, and one that has not
			// disappeared yet looks as if it had to be deleted. Neither does harm.
		case wait.Interrupted(err):
			errs = append(errs, fmt.Errorf("the API server's watch does not show %s as it is now within %s", one.Change, settleTimeout))
		case err != nil:
			errs = append(errs, fmt.Errorf("reading %s: %w", one.Change, err))
		}
	}
	return errors.Join(errs...)
}

// isIn reports whether the cache, which has the live object or nil, is past the
// write.
func (w write) isIn(live client.Object) bool {
	switch {
	case live == nil:
		// What was in place, and is gone, has been seen to go.
		return w.after == "" || w.after == w.before
	case w.after == "":
		return live.GetUID() != w.before || live.GetDeletionTimestamp() != nil
	case live.GetUID() != w.after:
		// Somebody has put another in its place meanwhile.
		return live.GetUID() != w.before
	}
	order, err := resourceversion.CompareResourceVersion(live.GetResourceVersion(), w.resourceVersion)
	return err != nil || order >= 0
}
