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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// absent stands for the value of a field, or an object, that one side does not
// have.
const absent = "(absent)"

// present stands for an object as a whole.
const present = "(present)"

// Difference is one field, or one object, in which the two sides differ.
type Difference struct {
	// Path of the field: the object's kind, then the field, such as
	// "DaemonSet.spec.template.spec.containers[nsmgr].env[NSM_NAME].value". The
	// elements of a list are named by what Kubernetes tells them apart by.
	Path string
	// Ours and Theirs are the values of both sides, or absent.
	Ours, Theirs string
}

// Compare lists all differences between two sets of objects, ordered by path:
// object by object and field by field, leaving out what the API server treats as
// the same.
func Compare(ours, theirs []*unstructured.Unstructured) []Difference {
	var differences []Difference
	for _, pair := range pairs(ours, theirs) {
		differences = append(differences, pair.compare()...)
	}
	slices.SortFunc(differences, func(a, b Difference) int { return cmp.Compare(a.Path, b.Path) })
	return differences
}

// pair is the same object on both sides; where one side lacks it that is nil.
type pair struct {
	path         string
	ours, theirs *unstructured.Unstructured
}

// pairs finds the objects that belong together, a kind at a time.
func pairs(ours, theirs []*unstructured.Unstructured) []pair {
	ourKinds, theirKinds := byKind(ours), byKind(theirs)
	kinds := maps.Clone(ourKinds)
	maps.Copy(kinds, theirKinds)

	var all []pair
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, pairsOfKind(kind, ourKinds[kind], theirKinds[kind])...)
	}
	return all
}

// pairsOfKind takes the objects of one kind by name. Where both sides have one
// left over, these are the same under different names.
func pairsOfKind(kind string, ours, theirs []*unstructured.Unstructured) []pair {
	var all []pair
	if len(ours) == 1 && len(theirs) == 1 {
		return []pair{{kind, ours[0], theirs[0]}}
	}
	if len(theirs) == 1 && len(ours) > 1 && kind == "ClusterRole" {
		// What NSM has in one role, ours may have in several: the first is for the
		// whole cluster, as theirs is.
		all = append(all, pair{kind, ours[0], theirs[0]})
		for _, our := range ours[1:] {
			all = append(all, pair{kind + "[" + our.GetName() + "]", our, nil})
		}
		return all
	}
	for _, their := range theirs {
		path := kind + "[" + their.GetName() + "]"
		i := slices.IndexFunc(ours, func(our *unstructured.Unstructured) bool { return our.GetName() == their.GetName() })
		if i < 0 {
			all = append(all, pair{path, nil, their})
			continue
		}
		all = append(all, pair{path, ours[i], their})
		ours = slices.Delete(slices.Clone(ours), i, i+1)
	}
	for _, our := range ours {
		all = append(all, pair{kind + "[" + our.GetName() + "]", our, nil})
	}
	return joinLeftOvers(kind, all)
}

// joinLeftOvers makes one pair of the only object that they lack and the only
// one that we lack.
func joinLeftOvers(kind string, all []pair) []pair {
	lacksOurs := slices.IndexFunc(all, func(p pair) bool { return p.ours == nil })
	lacksTheirs := slices.IndexFunc(all, func(p pair) bool { return p.theirs == nil })
	if lacksOurs < 0 || lacksTheirs < 0 || leftOver(all) != 2 {
		return all
	}
	joined := pair{kind + "[" + all[lacksOurs].theirs.GetName() + "]", all[lacksTheirs].ours, all[lacksOurs].theirs}
	all = slices.DeleteFunc(all, func(p pair) bool { return p.ours == nil || p.theirs == nil })
	return append(all, joined)
}

func leftOver(all []pair) int {
	count := 0
	for _, p := range all {
		if p.ours == nil || p.theirs == nil {
			count++
		}
	}
	return count
}

func byKind(objects []*unstructured.Unstructured) map[string][]*unstructured.Unstructured {
	kinds := map[string][]*unstructured.Unstructured{}
	for _, object := range objects {
		kinds[object.GetKind()] = append(kinds[object.GetKind()], object)
	}
	return kinds
}

func (p pair) compare() []Difference {
	switch {
	case p.ours == nil:
		return []Difference{{Path: p.path, Ours: absent, Theirs: present}}
	case p.theirs == nil:
		return []Difference{{Path: p.path, Ours: present, Theirs: absent}}
	}
	ours, theirs := fields(p.ours), fields(p.theirs)
	paths := maps.Clone(ours)
	maps.Copy(paths, theirs)

	var differences []Difference
	for path := range paths {
		our, their := valueOr(ours, path), valueOr(theirs, path)
		if our != their {
			differences = append(differences, Difference{Path: p.path + "." + path, Ours: our, Theirs: their})
		}
	}
	return differences
}

func valueOr(values map[string]string, path string) string {
	if value, ok := values[path]; ok {
		return value
	}
	return cmp.Or(defaultOf(path), absent)
}
