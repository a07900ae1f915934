// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func parseRelease(t *testing.T, text string) release.Release {
	t.Helper()
	parsed, err := release.Parse(text)
	if err != nil {
		t.Fatalf("%s %v", text, err)
	}
	return parsed
}

func TestDeliberate(t *testing.T) {
	difference := Difference{Path: "Service.spec.type", Ours: "ClusterIP", Theirs: "LoadBalancer"}
	for _, tc := range []struct {
		name      string
		deviation Deviation
		want      bool
	}{
		{"the path", Deviation{Path: "Service.spec.type"}, true},
		{"a pattern", Deviation{Path: "*.spec.*"}, true},
		{"another path", Deviation{Path: "Service.spec"}, false},
		{"no pattern of its middle", Deviation{Path: "*.metadata.*"}, false},
		{"the component", Deviation{Path: "*", Components: []string{"nsmgr", "registry-*"}}, true},
		{"another component", Deviation{Path: "*", Components: []string{"nsmgr"}}, false},
		{"from this release", Deviation{Path: "*", From: "v1.9.0"}, true},
		{"from a later release", Deviation{Path: "*", From: "v1.10.0"}, false},
		{"until this release", Deviation{Path: "*", Until: "v1.9.0"}, true},
		{"until an earlier release", Deviation{Path: "*", Until: "v1.8.0"}, false},
		{"until a later release, by number", Deviation{Path: "*", Until: "v1.10.0"}, true},
		{"from something unreadable", Deviation{Path: "*", From: "1.9"}, false},
		{"until something unreadable", Deviation{Path: "*", Until: "1.9"}, false},
		{"both values", Deviation{Path: "*", Ours: "ClusterIP", Theirs: "Load*"}, true},
		{"another value of ours", Deviation{Path: "*", Ours: "NodePort"}, false},
		{"another value of theirs", Deviation{Path: "*", Theirs: Absent}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			judge := NewJudge([]Deviation{tc.deviation})
			if got := judge.Deliberate(parseRelease(t, "v1.9.0"), "registry-k8s", difference) != nil; got != tc.want {
				t.Errorf("deliberate: %t, want %t", got, tc.want)
			}
			if got := len(judge.Unused()) == 0; got != tc.want {
				t.Errorf("used: %t, want %t", got, tc.want)
			}
		})
	}
}

// Of two deviations that hold, the first is the reason, and the second of no use.
func TestUnused(t *testing.T) {
	deviations := []Deviation{{Path: "A.*", Why: "one"}, {Path: "A.b", Why: "two"}, {Path: "C", Why: "three"}}
	judge := NewJudge(deviations)
	found := judge.Deliberate(release.Newest(), "nsmgr", Difference{Path: "A.b"})
	if found == nil || found.Why != "one" {
		t.Errorf("found %v, want the first", found)
	}
	if diff := cmp.Diff(deviations[1:], judge.Unused()); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"*", "", true},
		{"*", "anything[/at].all", true},
		{"a*", "ab", true},
		{"*b", "ab", true},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "a-c", false},
		{"ab*ba", "aba", false},
		{"env[*LOG_LEVEL].value", "env[NSM_LOG_LEVEL].value", true},
		{"a.b", "axb", false},
	} {
		if got := matches(tc.pattern, tc.text); got != tc.want {
			t.Errorf("%q matches %q: %t, want %t", tc.pattern, tc.text, got, tc.want)
		}
	}
}
