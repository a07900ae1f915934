// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import "fmt"

// hurdle is a release, or the first of several, that is known to break what ran
// before, or to be broken itself.
type hurdle struct {
	// from is the first release concerned.
	from string
	// until is the last one, where the trouble was mended; "" where it stays.
	until string
	// reason says what happens, and what to do.
	reason string
	// source is where it is written down.
	source string
}

// hurdles hold one row a fact, oldest first.
var hurdles = []hurdle{
	{"v1.7.0", "",
		"registries check requests against policies that older managers and clients do not meet: give nsmgr and registry the variables NSM_REGISTRY_SERVER_POLICIES and NSM_REGISTRY_CLIENT_POLICIES with an empty value until all clients are upgraded",
		"https://github.com/networkservicemesh/deployments-k8s/issues/8187"},
	{"v1.11.0", "",
		"managers of older releases and of this one do not understand each other: connections between nodes fail until every node is upgraded",
		"https://github.com/networkservicemesh/sdk/issues/1510"},
	{"v1.12.0", "",
		"the admission webhook takes its certificate from elsewhere: pods annotated for NSM may be refused while it is replaced",
		"https://github.com/networkservicemesh/cmd-admission-webhook-k8s, internal/config, v1.12.0"},
	{"v1.13.1", "",
		"environment variables have new names and the old ones are silently ignored (OPENTELEMETRYENDPOINT is OPEN_TELEMETRY_ENDPOINT, BRIDGENAME is BRIDGE_NAME, REGISTRY_MEMORY_ is NSM_): rename those in your env fields",
		"https://github.com/networkservicemesh/deployments-k8s, apps, v1.13.1"},
	{"v1.14.2", "v1.14.5",
		"connections are lost for about a minute whenever a registry restarts: v1.15.0 mends it",
		"https://github.com/networkservicemesh/deployments-k8s/issues/13118"},
	{"v1.14.3", "",
		"the vpp forwarder is for amd64 alone from this release on: nodes of other architectures have none",
		"https://github.com/networkservicemesh/govpp/pull/45"},
	{"v1.16.0", "v1.16.0",
		"managers cannot listen on an IPv6 address: where pods have such, take v1.17.0 or later; on a cluster without IPv6 nothing is wrong",
		"https://github.com/networkservicemesh/deployments-k8s/pull/13554"},
}

// Bugs tells what is known to be broken in a release: a sentence each, with its
// source. Warnings has them too, for those who come from another release.
func Bugs(of Release) []string {
	var bugs []string
	for _, hurdle := range hurdles {
		// What stays lies between two releases, and in none.
		if hurdle.lies(of, of) {
			bugs = append(bugs, hurdle.String())
		}
	}
	return bugs
}

// Warnings tells what is known to go wrong on the way from one release to
// another: a sentence each, with its source. The way may lead back.
func Warnings(from, to Release) []string {
	if from.String() == to.String() {
		return nil
	}
	var warnings []string
	if !to.AtLeast(from) {
		warnings = append(warnings, fmt.Sprintf(
			"%s is older than %s: NSM does not test the way back", to, from))
	}
	for _, hurdle := range hurdles {
		if hurdle.lies(from, to) {
			warnings = append(warnings, hurdle.String())
		}
	}
	return warnings
}

// String is a sentence for people.
func (h hurdle) String() string { return fmt.Sprintf("%s: %s (%s)", h.from, h.reason, h.source) }

// lies reports whether a hurdle lies between two releases, either way, or, where
// it was mended, at the end of the way.
func (h hurdle) lies(from, to Release) bool {
	first := must(h.from)
	if h.until != "" {
		return to.AtLeast(first) && must(h.until).AtLeast(to)
	}
	return from.AtLeast(first) != to.AtLeast(first)
}
