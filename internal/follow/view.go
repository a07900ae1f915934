// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// errNotYet is told in the moment between a refusal and an answer.
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
	facts   map[string]Fact
	timers  map[string]*time.Timer
	failure error
	// refused is closed while the kind is not served.
	refused chan struct{}
	// disappointed: somebody has asked and got no answer.
	disappointed bool
}

func newView(query Query, end context.CancelFunc, changed func()) *view {
	return &view{
		query: query, end: end, changed: changed, filled: make(chan struct{}), refused: make(chan struct{}),
		facts: map[string]Fact{}, timers: map[string]*time.Timer{},
	}
}

// watch fills the view until the context ends.
func (v *view) watch(ctx context.Context, c client.WithWatch) {
	logger := log.FromContext(ctx).WithName("follow").WithValues("query", v.query.ID)
	toolscache.NewReflectorWithOptions(v.listWatch(c), nil, v, toolscache.ReflectorOptions{
		Name: v.query.ID, TypeDescription: v.query.ID, Logger: &logger,
	}).RunWithContext(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	for name := range v.timers {
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
			return list, v.note(c.List(ctx, list, options(raw)))
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
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
	select {
	case <-v.filled:
		return nil
	default:
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
		values[name] = fact.Value
	}
	return values
}

// Add implements toolscache.ReflectorStore.
func (v *view) Add(item any) error { return v.Update(item) }

// Update implements toolscache.ReflectorStore.
func (v *view) Update(item any) error {
	object, err := asObject(item)
	if err != nil {
		return err
	}
	v.tell(v.set(object))
	return nil
}

// Delete implements toolscache.ReflectorStore.
func (v *view) Delete(item any) error {
	object, err := asObject(item)
	if err != nil {
		return err
	}
	v.tell(v.drop(object.GetName()))
	return nil
}

// Replace implements toolscache.ReflectorStore: this is what there is now.
func (v *view) Replace(items []any, _ string) error {
	listed := map[string]bool{}
	changed := false
	for _, item := range items {
		object, err := asObject(item)
		if err != nil {
			return err
		}
		listed[object.GetName()] = true
		changed = v.set(object) || changed
	}
	for name := range v.values() {
		if !listed[name] {
			changed = v.drop(name) || changed
		}
	}
	select {
	case <-v.filled:
		v.tell(changed)
	default:
		v.tell(v.fill())
	}
	return nil
}

// fill notes that the first list is in, and tells whether somebody has to be
// told: those who wait are not.
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

// set keeps an object's fact and tells whether that changes an answer.
func (v *view) set(object client.Object) (changed bool) {
	name := object.GetName()
	fact, keep := v.query.Keep(object)
	left := time.Until(fact.Ends)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !keep || !fact.Ends.IsZero() && left <= 0 {
		return v.forget(name)
	}
	before, known := v.facts[name]
	v.forget(name)
	v.facts[name] = fact
	if !fact.Ends.IsZero() {
		v.timers[name] = time.AfterFunc(left, func() { v.tell(v.expire(name)) })
	}
	return !known || before.Value != fact.Value
}

// drop forgets a fact and tells whether there was one.
func (v *view) drop(name string) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.forget(name)
}

// expire forgets a fact whose time is over, unless it has been renewed meanwhile.
func (v *view) expire(name string) (changed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if fact := v.facts[name]; fact.Ends.IsZero() || time.Now().Before(fact.Ends) {
		return false
	}
	return v.forget(name)
}

// forget is drop for those who hold the lock.
func (v *view) forget(name string) (known bool) {
	_, known = v.facts[name]
	delete(v.facts, name)
	if timer := v.timers[name]; timer != nil {
		timer.Stop()
	}
	delete(v.timers, name)
	return known
}

func (v *view) tell(changed bool) {
	if changed {
		v.changed()
	}
}
