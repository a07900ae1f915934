// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package watchfacts keeps what the loop has to know of objects that are not ours:
// of each a short fact, from a watch as narrow as the API allows. Nothing else of
// such objects is held, and nothing at all once nobody asks for it.
package watchfacts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Query is what to watch: the objects of one kind in a namespace, or one of
// them.
type Query struct {
	// ID tells an owner's queries apart.
	ID string
	// List makes an empty list of the objects' kind.
	List func() client.ObjectList
	// Namespace of the objects; "" for those that have none.
	Namespace string
	// Name of the only object to watch; "" for all.
	Name string
	// Keep turns an object into a fact; false where there is nothing to keep.
	Keep func(client.Object) (Fact, bool)
	// MayLag: the first answer may come from the API server's own cache, which can be
	// behind by moments. To be up to date takes the API server up to a tenth of a
	// second. Only for facts that do no harm when they are put right a moment later.
	MayLag bool
	// Life is how long a fact that ends holds at least after it was seen to be
	// renewed.
	Life time.Duration
}

// Fact is what is kept of an object.
type Fact struct {
	// Value is what there is to know.
	Value string
	// Ends is when it is true no longer unless it is renewed before, by the clock of
	// whoever writes the object; zero for never. That clock and ours may differ, so
	// it is renewals that count: another end is one. Without any a fact holds for
	// the query's Life, or twice the time by which it was renewed last.
	Ends time.Time
}

// Watcher answers queries of NSMs from watches. Watch starts and stops them; Facts
// starts the one that it needs.
type Watcher struct {
	// Patience is how long an answer may take that has to wait for the API server.
	Patience time.Duration

	client client.WithWatch
	// changed is called when an answer to the owner's query has become another.
	changed func(ctx context.Context, owner types.NamespacedName)

	mu    sync.Mutex
	views map[viewKey]*view
	// life is that of all watches.
	life    context.Context //nolint:containedctx // a watch outlives the call that starts it
	end     context.CancelFunc
	running sync.WaitGroup
}

type viewKey struct {
	owner types.NamespacedName
	query string
}

// New makes a Watcher. It calls changed when an answer to an owner's query has
// become another; that must not outlast its context.
func New(c client.WithWatch, changed func(ctx context.Context, owner types.NamespacedName)) *Watcher {
	life, end := context.WithCancel(context.Background())
	return &Watcher{Patience: 5 * time.Second, client: c, changed: changed, views: map[viewKey]*view{}, life: life, end: end}
}

// Start implements manager.Runnable: all watches end with the manager.
func (w *Watcher) Start(ctx context.Context) error {
	<-ctx.Done()
	w.end()
	w.running.Wait()
	return nil
}

// Watch watches exactly these queries of an owner from now on: what is new is
// watched at once, without waiting for answers, so that those who ask later wait
// for all of them at the same time; what is not among them is forgotten.
func (w *Watcher) Watch(owner types.NamespacedName, queries ...Query) {
	wanted := map[string]bool{}
	for _, query := range queries {
		wanted[query.ID] = true
		w.view(owner, query)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, view := range w.views {
		if key.owner == owner && !wanted[key.query] {
			view.end()
			delete(w.views, key)
		}
	}
}

// Facts returns the facts of a query, by the names of the objects. The first time
// it waits until the API server has answered, but not for a kind that is not
// served; an error says what it answered instead. The owner is woken when there is an
// answer after all.
func (w *Watcher) Facts(ctx context.Context, owner types.NamespacedName, query Query) (map[string]string, error) {
	view := w.view(owner, query)
	ctx, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	if err := view.await(ctx); err != nil {
		return nil, fmt.Errorf("%s cannot be read yet: %w", query.ID, err)
	}
	return view.values(), nil
}

// view of a query, which is watched from now on.
//
//nolint:contextcheck,nolintlint // a watch outlives the call that starts it; the one linter heeds this, the other does not see it
func (w *Watcher) view(owner types.NamespacedName, query Query) *view {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := viewKey{owner: owner, query: query.ID}
	if known := w.views[key]; known != nil {
		return known
	}
	life, end := context.WithCancel(w.life)
	started := newView(query, end, func() { w.changed(life, owner) })
	w.views[key] = started
	w.running.Go(func() { started.watch(life, w.client) })
	return started
}
