// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package release knows the releases of NSM: how to read and order them, and
// the facts in which they differ, as data. Every fact comes from the manifests
// that NSM published for the release that the row names
// (networkservicemesh/deployments-k8s, folder apps).
package release

import (
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/version"
)

// known lists the published releases, oldest first. A new release is one line
// here, and a row in facts.go for each thing in which it differs.
var known = []string{
	"v1.0.0",
	"v1.1.0", "v1.1.1",
	"v1.2.0",
	"v1.3.0", "v1.3.1",
	"v1.4.0",
	"v1.5.0",
	"v1.6.0", "v1.6.1", "v1.6.2",
	"v1.7.0", "v1.7.1",
	"v1.8.0",
	"v1.9.0",
	"v1.10.0",
	"v1.11.0", "v1.11.1", "v1.11.2",
	"v1.12.0",
	"v1.13.0", "v1.13.1", "v1.13.2", "v1.13.3",
	"v1.14.0", "v1.14.1", "v1.14.2", "v1.14.3", "v1.14.4", "v1.14.5",
	"v1.15.0",
	"v1.16.0",
	"v1.17.0",
	"v1.18.0",
}

// knownReleases are the known ones, each read once.
var knownReleases = sync.OnceValue(func() []Release {
	releases := make([]Release, len(known))
	for i, text := range known {
		releases[i] = must(text)
	}
	return releases
})

// Release is one release of NSM. The zero value is none.
type Release struct {
	version *version.Version
}

// Newest is the newest release that this operator knows.
func Newest() Release {
	return must(known[len(known)-1])
}

// Oldest is the oldest release that this operator can run.
func Oldest() Release {
	return must(known[0])
}

// Known lists the releases that this operator knows, oldest first.
func Known() []string {
	return slices.Clone(known)
}

// Parse reads a release such as "v1.18.0". The error, when there is one, is a
// sentence for people: what the text must be.
func Parse(text string) (Release, error) {
	parsed, err := version.ParseSemantic(text)
	if err != nil || text != "v"+parsed.String() || parsed.BuildMetadata() != "" {
		return Release{}, fmt.Errorf("must be an NSM release written in full, such as %s", Newest())
	}
	if parsed.LessThan(Oldest().version) {
		return Release{}, fmt.Errorf("must be an NSM release from %s up", Oldest())
	}
	return Release{version: parsed}, nil
}

// must reads a release of this package's own tables, which its tests read all.
func must(text string) Release {
	return Release{version: version.MustParseSemantic(text)}
}

// String is the release as NSM tags it: "v1.18.0".
func (r Release) String() string {
	if r.version == nil {
		return ""
	}
	return "v" + r.version.String()
}

// IsKnown reports whether the operator knows the release by name. One that it
// does not know renders as the one that Like names.
func (r Release) IsKnown() bool {
	return slices.Contains(known, r.String())
}

// Like is the known release whose manifests a release is run with: itself where it
// is known; else the nearest one of the same minor, so that a candidate is run like
// the release that it became; else the one before it.
func (r Release) Like() Release {
	like := Oldest()
	for _, other := range knownReleases() {
		switch {
		case other.isSameMinor(r):
			if !like.isSameMinor(r) || other.patchesFrom(r) < like.patchesFrom(r) {
				like = other
			}
		case r.AtLeast(other):
			like = other
		}
	}
	return like
}

func (r Release) isSameMinor(other Release) bool {
	return r.version.Major() == other.version.Major() && r.version.Minor() == other.version.Minor()
}

// patchesFrom is how many patches lie between two releases of one minor.
func (r Release) patchesFrom(other Release) uint {
	one, two := r.version.Patch(), other.version.Patch()
	return max(one, two) - min(one, two)
}

// Caveat tells, in brackets and behind a space, that a release is run like
// another one; "" for a release that the operator knows.
func (r Release) Caveat() string {
	if r.IsKnown() {
		return ""
	}
	return " (this operator does not know the release, and runs it like " + r.Like().String() + ")"
}

// AtLeast reports whether the release is other or a later one.
func (r Release) AtLeast(other Release) bool {
	return r.version.AtLeast(other.version)
}
