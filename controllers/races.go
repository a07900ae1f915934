// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"errors"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// quietRaces is how many passes in a row may end in a race before it is reported.
const quietRaces = 3

// races count, by NSM, the passes in a row that failed for nothing but that somebody
// else wrote at the same moment.
type races struct {
	known sync.Map // of types.NamespacedName: int
}

// isRace notes how a pass of an NSM has ended, and reports whether that is a race that
// the next pass can be trusted to win.
func (r *races) isRace(nsm types.NamespacedName, failure error) bool {
	if !isOnlyConflict(failure) {
		r.known.Delete(nsm)
		return false
	}
	found, _ := r.known.Load(nsm)
	lost, _ := found.(int)
	r.known.Store(nsm, lost+1)
	return lost < quietRaces
}

// isOnlyConflict reports whether every part of an error is the API server's answer
// that the object has changed meanwhile, or that somebody else owns a field.
func isOnlyConflict(err error) bool {
	return !slices.ContainsFunc(flatten(err), func(part error) bool { return !apierrors.IsConflict(part) })
}

// flatten returns the errors that an error joins, and those that these join.
func flatten(err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, flatten(part)...)
	}
	return all
}
