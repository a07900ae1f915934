// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// own notes whose the objects are, for Forget.
func (a *Applier) own(objects []mesh.Object) {
	for _, object := range objects {
		if id, err := a.identify(object); err == nil {
			a.owners.Store(id, labels.Set(object.GetLabels()))
		}
	}
}

// Forget all that is known of the objects with the labels, and of the others that
// are named: their owner has gone, with them or not. One that is made anew for an
// owner of the same name is created then, and not repaired.
func (a *Applier) Forget(owner client.MatchingLabels, others ...mesh.Object) {
	selector := labels.SelectorFromSet(labels.Set(owner))
	a.owners.Range(func(key, value any) bool {
		id, isID := key.(identity)
		if set, isSet := value.(labels.Set); isID && isSet && selector.Matches(set) {
			a.forget(id)
		}
		return true
	})
	for _, object := range others {
		if id, err := a.identify(object); err == nil {
			a.forget(id)
		}
	}
}

func (a *Applier) forget(id identity) {
	a.owners.Delete(id)
	a.inPlace.Delete(id)
	a.verdicts.Delete(id)
	a.backoff.Forget(id)
}
