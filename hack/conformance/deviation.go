// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Deviation is a way in which the operator means to differ from NSM's manifests:
// in every release and component that it holds for. In its path and its values
// "{release}" stands for the release, and other words in braces for what the
// Judge knows of the component.
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
	// text. Any value when empty, but not that there is none: that is absent.
	Ours, Theirs string
	// Fields make one deviation of several: the ends of their paths, which follow
	// Path, with our value of each in place of Ours.
	Fields map[string]string
	// Why the operator differs.
	Why string
}

// Gap is a deviation that is true elsewhere, but not in all that it holds for.
type Gap struct {
	Deviation
	// Where it is not true: release and component.
	Where []string
}

// Judge tells the deliberate differences from the others.
type Judge struct {
	deviations []Deviation
	words      map[string]map[string]string
	// used tells where each deviation was of use, gaps where it was not.
	used []map[string]bool
	gaps [][]string
	// held are the deviations that hold for a release and component.
	held map[string][]held
}

// held is a deviation with the words of one release and component, and its
// place in the Judge's list.
type held struct {
	Deviation
	index int
}

// NewJudge takes the differences that are meant, and by component the words that
// they have in braces.
func NewJudge(deviations []Deviation, words map[string]map[string]string) *Judge {
	j := &Judge{words: words, held: map[string][]held{}}
	for _, deviation := range deviations {
		j.deviations = append(j.deviations, deviation.single()...)
	}
	j.used = make([]map[string]bool, len(j.deviations))
	j.gaps = make([][]string, len(j.deviations))
	return j
}

// Deliberate finds the deviation that a difference of a component of a release
// belongs to, the first in the table, and remembers that it was of use. Nil: the
// difference is not meant.
func (j *Judge) Deliberate(r release.Release, component string, difference Difference) *Deviation {
	for _, deviation := range j.holding(r, component) {
		if deviation.covers(difference) {
			if j.used[deviation.index] == nil {
				j.used[deviation.index] = map[string]bool{}
			}
			j.used[deviation.index][place(r, component)] = true
			return &j.deviations[deviation.index]
		}
	}
	return nil
}

// Compared says that all differences of a component of a release have been
// judged: a deviation that holds there and covered none of them is a gap. Where
// NSM has no value there is no other way to see that ours is missing.
func (j *Judge) Compared(r release.Release, component string) {
	for _, deviation := range j.holding(r, component) {
		if !j.used[deviation.index][place(r, component)] {
			j.gaps[deviation.index] = append(j.gaps[deviation.index], place(r, component))
		}
	}
}

// Unused lists the deviations that no difference belonged to: the operator no
// longer differs so, another one above says it already, or the pattern is wrong.
func (j *Judge) Unused() []Deviation {
	var unused []Deviation
	for i, deviation := range j.deviations {
		if len(j.used[i]) == 0 {
			unused = append(unused, deviation)
		}
	}
	return unused
}

// Gaps lists the deviations that were of use, but not in all that was compared.
func (j *Judge) Gaps() []Gap {
	var gaps []Gap
	for i, deviation := range j.deviations {
		if len(j.used[i]) > 0 && len(j.gaps[i]) > 0 {
			gaps = append(gaps, Gap{deviation, j.gaps[i]})
		}
	}
	return gaps
}

// holding lists the deviations of a component of a release. They are asked for
// with every difference, and found once.
func (j *Judge) holding(r release.Release, component string) []held {
	if found, ok := j.held[place(r, component)]; ok {
		return found
	}
	pairs := []string{"{release}", r.String()}
	for word, meaning := range j.words[component] {
		pairs = append(pairs, "{"+word+"}", meaning)
	}
	words := strings.NewReplacer(pairs...)
	var all []held
	for i, deviation := range j.deviations {
		if deviation.holdsFor(r) && deviation.isAbout(component) {
			all = append(all, held{deviation.with(words), i})
		}
	}
	j.held[place(r, component)] = all
	return all
}

func place(r release.Release, component string) string {
	return r.String() + " " + component
}

// single splits a deviation into those of its fields.
func (d Deviation) single() []Deviation {
	if len(d.Fields) == 0 {
		return []Deviation{d}
	}
	var all []Deviation
	for _, end := range slices.Sorted(maps.Keys(d.Fields)) {
		one := d
		one.Path, one.Ours, one.Fields = d.Path+end, d.Fields[end], nil
		all = append(all, one)
	}
	return all
}

// with puts in what the words in braces stand for.
func (d Deviation) with(words *strings.Replacer) Deviation {
	d.Path, d.Ours, d.Theirs = words.Replace(d.Path), words.Replace(d.Ours), words.Replace(d.Theirs)
	return d
}

func (d Deviation) covers(difference Difference) bool {
	return matches(d.Path, difference.Path) && isValue(d.Ours, difference.Ours) && isValue(d.Theirs, difference.Theirs)
}

// isValue reports whether a value is what a pattern says. That there is none has to
// be said: no pattern stands for it.
func isValue(pattern, value string) bool {
	if value == absent {
		return pattern == absent
	}
	return matches(cmp.Or(pattern, "*"), value)
}

// holdsFor reports whether the release is one of the deviation's. A release that
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

// matches reports whether text is what pattern says, "*" standing for any text.
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
