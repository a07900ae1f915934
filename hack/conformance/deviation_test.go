// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

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
	words := map[string]map[string]string{"registry-k8s": {"kind": "Service", "type": "ClusterIP"}, "nsmgr": {"name": "nsmgr"}}
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
		{"no value of theirs", Deviation{Path: "*", Theirs: absent}, false},
		{"no value of ours", Deviation{Path: "*", Ours: absent}, false},
		{"the component's words", Deviation{Path: "{kind}.spec.*", Ours: "{type}"}, true},
		{"another component's word", Deviation{Path: "*", Ours: "{name}"}, false},
		{"the release", Deviation{Path: "*", Ours: "{release}"}, false},
		{"a field", Deviation{Path: "Service", Fields: map[string]string{".spec.type": "{type}"}}, true},
		{"another value of a field", Deviation{Path: "Service", Fields: map[string]string{".spec.type": "NodePort"}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			judge := NewJudge([]Deviation{tc.deviation}, words)
			if got := judge.Deliberate(parseRelease(t, "v1.9.0"), "registry-k8s", difference) != nil; got != tc.want {
				t.Errorf("deliberate: %t, want %t", got, tc.want)
			}
			if got := len(judge.Unused()) == 0; got != tc.want {
				t.Errorf("used: %t, want %t", got, tc.want)
			}
		})
	}
}

// That there is no value has to be said: nothing else stands for it.
func TestDeliberateAbsence(t *testing.T) {
	for _, tc := range []struct {
		name         string
		deviation    Deviation
		ours, theirs string
		want         bool
	}{
		{"any value of ours", Deviation{}, "x", "y", true},
		{"an empty value of ours", Deviation{}, "", "y", true},
		{"none of ours", Deviation{}, absent, "y", false},
		{"none of ours, and a pattern", Deviation{Ours: "*"}, absent, "y", false},
		{"none of ours, said", Deviation{Ours: absent}, absent, "y", true},
		{"none of theirs", Deviation{}, "x", absent, false},
		{"none of theirs, and a pattern", Deviation{Theirs: "(*"}, "x", absent, false},
		{"none of theirs, said", Deviation{Theirs: absent}, "x", absent, true},
		{"the release", Deviation{Ours: "{release}"}, "v1.9.0", "y", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.deviation.Path = "A"
			judge := NewJudge([]Deviation{tc.deviation}, nil)
			found := judge.Deliberate(parseRelease(t, "v1.9.0"), "nsmgr", Difference{"A", tc.ours, tc.theirs})
			if got := found != nil; got != tc.want {
				t.Errorf("deliberate: %t, want %t", got, tc.want)
			}
		})
	}
}

// Of two deviations that hold, the first is the reason, and the second of no use.
func TestUnused(t *testing.T) {
	deviations := []Deviation{{Path: "A.*", Why: "one"}, {Path: "A.b", Why: "two"}, {Path: "C", Why: "three"}}
	judge := NewJudge(deviations, nil)
	found := judge.Deliberate(release.Newest(), "nsmgr", Difference{Path: "A.b"})
	if found == nil || found.Why != "one" {
		t.Errorf("found %v, want the first", found)
	}
	if diff := cmp.Diff(deviations[1:], judge.Unused()); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

// A deviation that is not true in all that it holds for is a gap, field by field.
func TestGaps(t *testing.T) {
	judge := NewJudge([]Deviation{
		{Path: "A", Fields: map[string]string{".b": "1", ".c": "{name}"}, Why: "several"},
		{Path: "D", Until: "v1.8.0"},
		{Path: "E", Components: []string{"other"}},
		{Path: "F"},
	}, map[string]map[string]string{"nsmgr": {"name": "x"}})
	for _, text := range []string{"v1.8.0", "v1.9.0", "v1.10.0"} {
		r := parseRelease(t, text)
		judge.Deliberate(r, "nsmgr", Difference{"A.b", "1", "0"})
		if text == "v1.8.0" {
			judge.Deliberate(r, "nsmgr", Difference{"A.c", "x", "0"})
			judge.Deliberate(r, "nsmgr", Difference{"D", "1", "0"})
		}
		judge.Compared(r, "nsmgr")
	}
	want := []Gap{{Deviation{Path: "A.c", Ours: "{name}", Why: "several"}, []string{"v1.9.0 nsmgr", "v1.10.0 nsmgr"}}}
	if diff := cmp.Diff(want, judge.Gaps()); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	unused := []Deviation{{Path: "E", Components: []string{"other"}}, {Path: "F"}}
	if diff := cmp.Diff(unused, judge.Unused()); diff != "" {
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
