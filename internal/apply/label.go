// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Label gives an object that is not ours its labels, whoever had others there
// before, and tells what it had to change. What was found of the object's labels
// comes from the caller: the object is in no cache. All else of the object stays
// as it is. Like Apply, it does not fight.
func (a *Applier) Label(ctx context.Context, object *metav1.PartialObjectMetadata, found map[string]string) ([]Change, error) {
	want, err := a.newIntent(object)
	if err != nil {
		return nil, err
	}
	id, change := want.identity(), changeOf(want.object, Updated)
	last, isKnown := a.inPlace.Load(id)
	if labels.SelectorFromSet(object.Labels).Matches(labels.Set(found)) {
		// The labels are right. If somebody removes them from now on, that is drift.
		a.inPlace.Store(id, comparison{intent: want.hash})
		return nil, nil
	}
	if a.backoff.Holds(id, want.hash) {
		return nil, nil
	}
	answer, err := a.send(ctx, want.object, client.ForceOwnership)
	if err != nil {
		return nil, fmt.Errorf("labelling %s: %w", change, err)
	}
	now := comparison{intent: want.hash, resourceVersion: answer.GetResourceVersion()}
	if last == now {
		// The caller has not seen the last write yet, and nobody has undone it.
		return nil, nil
	}
	a.inPlace.Store(id, now)
	a.backoff.Wrote(id, want.hash)
	if isKnown {
		change.Action = Repaired
	}
	return []Change{change}, nil
}

// Unlabel takes off what Label gave an object, but for what somebody else has
// said as well.
func (a *Applier) Unlabel(ctx context.Context, object *metav1.PartialObjectMetadata) error {
	bare := object.DeepCopy()
	bare.Labels = nil
	want, err := a.newIntent(bare)
	if err != nil {
		return err
	}
	if _, err := a.send(ctx, want.object, client.ForceOwnership); err != nil {
		return fmt.Errorf("taking labels off %s: %w", changeOf(want.object, Updated), err)
	}
	a.backoff.Forget(want.identity())
	a.inPlace.Delete(want.identity())
	return nil
}
