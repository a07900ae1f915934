// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package watchfacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// longDead: a fact that has ended by so much when it is first listed, compared with
// the others or with our clock, is not waited for. A process that starts cannot
// know when the others were renewed last.
const longDead = 5 * time.Minute

// fromCache is the resource version of what the API server has in its cache, and
// the one that a reflector asks for first where lists are not streamed.
const fromCache = "0"

// errNotYet is the answer in the moment between a refusal and an answer.
var errNotYet = errors.New("the API server has not answered yet")

// view holds the facts of one query. It is the store that a reflector fills,
// and keeps less than a store would.
type view struct {
	query Query
	// end stops the watch.
	end     context.CancelFunc
	changed func()
	// filled is closed when the first list is in.
	filled chan struct{}

	mu      sync.Mutex
	facts   map[string]*held
	failure error
	// refused is closed while the kind is not served.
	refused chan struct{}
	// disappointed: somebody has asked and got no answer.
	disappointed bool
}

// held is a fact, and how long it holds.
type held struct {
	Fact
	// ended: it was not renewed. It is kept to know a renewal.
	ended bool
	// until is when it ends; zero for never. timer tells then.
	until time.Time
	timer *time.Timer
}

func newView(query Query, end context.CancelFunc, changed func()) *view {
	return &view{
		query: query, end: end, changed: changed, filled: make(chan struct{}), refused: make(chan struct{}),
		facts: map[string]*held{},
	}
}

// watch fills the view until the context ends.
func (v *view) watch(ctx context.Context, c client.WithWatch) {
	logger := log.FromContext(ctx).WithName("watchfacts").WithValues("query", v.query.ID)
	toolscache.NewReflectorWithOptions(v.listWatch(c), nil, v, toolscache.ReflectorOptions{
		Name: v.query.ID, TypeDescription: v.query.ID, Logger: &logger,
	}).RunWithContext(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	for name := range v.facts {
		v.forget(name)
	}
}

func (v *view) listWatch(c client.WithWatch) *toolscache.ListWatch {
	options := func(raw metav1.ListOptions) *client.ListOptions {
		if v.query.Name != "" {
			raw.FieldSelector = fields.OneTermEqualSelector("metadata.name", v.query.Name).String()
		}
		return &client.ListOptions{Namespace: v.query.Namespace, Raw: &raw}
	}
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			list := v.query.List()
			if !v.query.MayLag && raw.ResourceVersion == fromCache {
				// A reflector begins so where the API server does not stream lists.
				raw.ResourceVersion = ""
			}
			return list, v.note(c.List(ctx, list, options(raw)))
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			if v.query.MayLag && raw.SendInitialEvents != nil && !v.isFilled() {
				raw.ResourceVersion = fromCache
			}
			events, err := c.Watch(ctx, v.query.List(), options(raw))
			return events, v.note(err)
		},
	}
}

// note keeps what the API server answered last, for those who wait.
func (v *view) note(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	was, is := meta.IsNoMatchError(v.failure), meta.IsNoMatchError(err)
	switch {
	case is && !was:
		close(v.refused)
	case was && !is:
		v.refused = make(chan struct{})
	}
	v.failure = err
	return err
}

// await waits for the first list. Without an answer the error tells what the API
// server said last.
func (v *view) await(ctx context.Context) error {
	if v.isFilled() {
		return nil
	}
	select {
	case <-v.filled:
		return nil
	case <-v.refusal():
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.disappointed = true
	return cmp.Or(v.failure, context.Cause(ctx), errNotYet)
}

func (v *view) refusal() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.refused
}

// values are the facts that are true now.
func (v *view) values() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	values := make(map[string]string, len(v.facts))
	for name, fact := range v.facts {
		if !fact.ended {
			values[name] = fact.Value
		}
	}
	return values
}

// names of all facts, those that have ended included.
func (v *view) names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.facts))
}

// Add implements toolscache.ReflectorStore.
func (v *view) Add(item any) error { return v.Update(item) }

// Update implements toolscache.ReflectorStore.
func (v *view) Update(item any) error {
	object, err := asObject(item)
	if err != nil {
		return err
	}
	v.notify(v.set(object))
	return nil
}

// Delete implements toolscache.ReflectorStore.
func (v *view) Delete(item any) error {
	object, err := asObject(item)
	if err != nil {
		return err
	}
	v.notify(v.drop(object.GetName()))
	return nil
}

// Replace implements toolscache.ReflectorStore: this is what there is now.
func (v *view) Replace(items []any, _ string) error {
	objects := make([]client.Object, 0, len(items))
	listed := map[string]bool{}
	for _, item := range items {
		object, err := asObject(item)
		if err != nil {
			return err
		}
		objects = append(objects, object)
		listed[object.GetName()] = true
	}
	isFirst := !v.isFilled()
	changed := false
	for _, object := range objects {
		changed = v.set(object) || changed
	}
	for _, name := range v.names() {
		if !listed[name] {
			changed = v.drop(name) || changed
		}
	}
	if isFirst {
		v.buryTheDead()
		changed = v.fill()
	}
	v.notify(changed)
	return nil
}

// buryTheDead ends, of the facts that were listed first, those that ended long
// ago: by our clock, or by the last of them where our clock is ahead of it.
func (v *view) buryTheDead() {
	v.mu.Lock()
	defer v.mu.Unlock()
	var last time.Time
	for _, fact := range v.facts {
		if fact.Ends.After(last) {
			last = fact.Ends
		}
	}
	now := time.Now()
	if last.After(now) {
		last = now
	}
	for _, fact := range v.facts {
		if !fact.Ends.IsZero() && fact.Ends.Before(last.Add(-longDead)) {
			fact.end()
		}
	}
}

func (v *view) isFilled() bool {
	select {
	case <-v.filled:
		return true
	default:
		return false
	}
}

// fill notes that the first list is in, and reports whether somebody has to be
// woken: those who wait are not.
func (v *view) fill() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.filled)
	return v.disappointed
}

// Resync implements toolscache.ReflectorStore; there is nothing to do.
func (v *view) Resync() error { return nil }

func asObject(item any) (client.Object, error) {
	object, ok := item.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not an object", item)
	}
	return object, nil
}

// set keeps an object's fact and reports whether that changes an answer.
func (v *view) set(object client.Object) (changed bool) {
	name := object.GetName()
	fact, keep := v.query.Keep(object)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !keep {
		return v.forget(name)
	}
	before := v.facts[name]
	if before != nil && before.Ends.Equal(fact.Ends) {
		// It was not renewed.
		changed = !before.ended && before.Value != fact.Value
		before.Value = fact.Value
		return changed
	}
	wasTrue := v.forget(name)
	now := &held{Fact: fact}
	v.facts[name] = now
	if !fact.Ends.IsZero() {
		life := max(v.query.Life, lifeOf(before, fact))
		now.until = time.Now().Add(life)
		now.timer = time.AfterFunc(life, func() { v.notify(v.expire(name)) })
	}
	return !wasTrue || before.Value != fact.Value
}

// lifeOf is how long a fact that was renewed holds without the next renewal, as
// the last one tells; of a new one nothing but its end is known.
func lifeOf(before *held, fact Fact) time.Duration {
	if before == nil {
		return time.Until(fact.Ends)
	}
	return 2 * fact.Ends.Sub(before.Ends)
}

// drop forgets a fact and reports whether it was true.
func (v *view) drop(name string) (wasTrue bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.forget(name)
}

// expire ends a fact whose time is over, unless it has been renewed meanwhile.
func (v *view) expire(name string) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fact := v.facts[name]
	if fact == nil || fact.ended || fact.until.IsZero() || time.Now().Before(fact.until) {
		return false
	}
	fact.end()
	return true
}

// forget is drop for those who hold the lock.
func (v *view) forget(name string) (wasTrue bool) {
	fact := v.facts[name]
	if fact == nil {
		return false
	}
	delete(v.facts, name)
	wasTrue = !fact.ended
	fact.end()
	return wasTrue
}

// end of a fact.
func (f *held) end() {
	f.ended = true
	if f.timer != nil {
		f.timer.Stop()
	}
}

// notify the owner of a change.
func (v *view) notify(changed bool) {
	if changed {
		v.changed()
	}
}
