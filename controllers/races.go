// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// quietRaces is how many passes in a row may end in a race before it is reported.
const quietRaces = 3

// isRace notes how a pass has ended, and reports whether that is a race that the next
// pass can be trusted to win.
func (m *memory) isRace(failure error) bool {
	if !isOnlyConflict(failure) {
		m.lostRaces = 0
		return false
	}
	m.lostRaces++
	return m.lostRaces <= quietRaces
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
