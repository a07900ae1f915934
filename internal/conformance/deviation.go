// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conformance

import (
	"cmp"
	"slices"
	"strings"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Deviation is a way in which the operator means to differ from NSM's manifests.
type Deviation struct {
	// Path of the fields, in which "*" stands for any text.
	Path string
	// Components that differ in this way, in which "*" stands for any text; all
	// when there are none.
	Components []string
	// From and Until are the first and the last release that differ in this way;
	// from the oldest and until the newest when empty.
	From, Until string
	// Ours and Theirs are the values of both sides, in which "*" stands for any
	// text; any value when empty.
	Ours, Theirs string
	// Why the operator differs.
	Why string
}

// Judge tells the deliberate differences from the others.
type Judge struct {
	deviations []Deviation
	used       []bool
}

// NewJudge takes the differences that are meant.
func NewJudge(deviations []Deviation) *Judge {
	return &Judge{deviations: deviations, used: make([]bool, len(deviations))}
}

// Deliberate finds the deviation that a difference of a component of a release
// belongs to, the first in the table, and remembers that it was of use. Nil: the
// difference is not meant.
func (j *Judge) Deliberate(r release.Release, component string, difference Difference) *Deviation {
	for i := range j.deviations {
		if j.deviations[i].covers(r, component, difference) {
			j.used[i] = true
			return &j.deviations[i]
		}
	}
	return nil
}

// Unused lists the deviations that no difference belonged to: the operator no
// longer differs so, another one above says it already, or the pattern is wrong.
func (j *Judge) Unused() []Deviation {
	var unused []Deviation
	for i, deviation := range j.deviations {
		if !j.used[i] {
			unused = append(unused, deviation)
		}
	}
	return unused
}

func (d Deviation) covers(r release.Release, component string, difference Difference) bool {
	return d.holdsFor(r) && d.isAbout(component) && matches(d.Path, difference.Path) &&
		matches(cmp.Or(d.Ours, "*"), difference.Ours) &&
		matches(cmp.Or(d.Theirs, "*"), difference.Theirs)
}

// holdsFor tells whether the release is one of the deviation's. A release that
// cannot be read holds for none, and so shows as unused.
func (d Deviation) holdsFor(r release.Release) bool {
	if d.From != "" {
		from, err := release.Parse(d.From)
		if err != nil || !r.AtLeast(from) {
			return false
		}
	}
	if d.Until != "" {
		until, err := release.Parse(d.Until)
		if err != nil || !until.AtLeast(r) {
			return false
		}
	}
	return true
}

func (d Deviation) isAbout(component string) bool {
	return len(d.Components) == 0 || slices.ContainsFunc(d.Components, func(pattern string) bool {
		return matches(pattern, component)
	})
}

// matches tells whether text is what pattern says, "*" standing for any text.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return pattern == text
	}
	text, starts := strings.CutPrefix(text, parts[0])
	text, ends := strings.CutSuffix(text, parts[last])
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return starts && ends
}
