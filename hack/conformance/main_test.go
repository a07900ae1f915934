// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// A reference that holds little, all of it wrong: each kind of trouble is told.
func TestRunTellsWhatIsWrong(t *testing.T) {
	reference := t.TempDir()
	for _, known := range append(release.Known(), "v99.0.0") {
		write(t, filepath.Join(reference, known, "nsmgr", "sa.yaml"), "{apiVersion: v1, kind: Secret, metadata: {name: surprise}}")
		write(t, filepath.Join(reference, known, "something-new", "x.yaml"), "{}")
	}
	var out bytes.Buffer
	conforms, err := run([]string{reference}, false, &out)
	if err != nil {
		t.Fatal(err)
	}
	if conforms {
		t.Error("conforms, although nothing is right")
	}
	for _, want := range []string{
		"v1.0.0 nsmgr Secret[surprise]: (absent) | (present)\n",
		release.Newest().String() + " nsmgr DaemonSet[nsmgr]: (present) | (absent)\n",
		"not rendered: v1.0.0 something-new\n",
		"not a known release: v99.0.0\n",
		"no manifests: v1.0.0 registry-k8s\n",
		"no manifests: v1.1.0 forwarder-ovs\n",
		"no manifests: v1.6.0 cluster-info\n",
		"no manifests: v1.10.0 csi-driver\n",
		"unused in the table of deliberate differences: CustomResourceDefinition[",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	for _, known := range []string{"no manifests: v1.0.0 forwarder-ovs", "v1.5.0 cluster-info\n", "v1.9.0 csi-driver\n"} {
		if strings.Contains(out.String(), known) {
			t.Errorf("the output complains of a known exception: %q", known)
		}
	}
}

func TestRunNeedsAReference(t *testing.T) {
	if _, err := run([]string{filepath.Join(t.TempDir(), "nowhere")}, false, &bytes.Buffer{}); err == nil {
		t.Error("no error, although there is no reference")
	}
}

// What is spread over several references is compared as if it lay in one.
func TestRunReadsSeveralReferences(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "v1.0.0", "nsmgr", "x.yaml"), "{apiVersion: v1, kind: Secret, metadata: {name: one}}")
	write(t, filepath.Join(second, "v1.0.0", "registry-k8s", "x.yaml"), "{apiVersion: v1, kind: Secret, metadata: {name: two}}")
	write(t, filepath.Join(second, "v1.6.0", "cluster-info", "x.yaml"), "{apiVersion: v1, kind: Secret, metadata: {name: three}}")
	var out bytes.Buffer
	if _, err := run([]string{first, second}, false, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"v1.0.0 nsmgr Secret[one]: (absent)", "v1.0.0 registry-k8s Secret[two]: (absent)", "v1.6.0 cluster-info Secret[three]: (absent)",
		"no manifests: v1.6.0 nsmgr\n", "no manifests of a known release: v1.1.0\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "no manifests: v1.0.0 nsmgr\n") {
		t.Error("manifests of the first reference are not found")
	}

	write(t, filepath.Join(second, "v1.0.0", "nsmgr", "x.yaml"), "{}")
	_, err := run([]string{first, second}, false, &out)
	if err == nil || !strings.Contains(err.Error(), "the manifests of v1.0.0 nsmgr are in "+first) {
		t.Errorf("the same manifests in two references: %v", err)
	}
}

// Whatever is missing, or there against what is known, fails the run by itself.
func TestMissingManifestsAreWrong(t *testing.T) {
	for _, tc := range []struct {
		name  string
		trial func(*comparison) error
		want  string
	}{
		{"a component", func(c *comparison) error {
			return c.component(release.Oldest(), byDirectory(t, "nsmgr"), false)
		}, "no manifests: v1.0.0 nsmgr\n"},
		{"a component that the release does not have", func(c *comparison) error {
			return c.component(release.Oldest(), byDirectory(t, "forwarder-ovs"), false)
		}, ""},
		{"such a component, found", func(c *comparison) error {
			return c.component(release.Oldest(), byDirectory(t, "forwarder-ovs"), true)
		}, "found, but known to be missing: v1.0.0 forwarder-ovs (its first release is v1.1.0)\n"},
		{"a workload in no folder", func(c *comparison) error {
			c.judge, c.rendered = NewJudge(nil, nil), []string{"nsmgr", "something-new"}
			c.report()
			return nil
		}, "rendered, but in no folder: something-new\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			c := &comparison{out: &out}
			if err := tc.trial(c); err != nil {
				t.Fatal(err)
			}
			if got := c.wrong > 0; got != (tc.want != "") {
				t.Errorf("wrong: %t", got)
			}
			if !strings.HasPrefix(out.String(), tc.want) {
				t.Errorf("the output is %q, want %q", out.String(), tc.want)
			}
		})
	}
}

func TestRunTellsOfMissingReleases(t *testing.T) {
	var out bytes.Buffer
	conforms, err := run([]string{t.TempDir()}, false, &out)
	if err != nil {
		t.Fatal(err)
	}
	if conforms || !strings.Contains(out.String(), "no manifests of a known release: v1.0.0\n") {
		t.Errorf("conforms: %t, and the output is %q", conforms, out.String())
	}
}

// An exception for nothing, or without a reason, is a typing error.
func TestEveryExceptionIsAboutSomething(t *testing.T) {
	for _, e := range unpublished {
		byDirectory(t, e.directory)
		if e.why == "" {
			t.Errorf("%s: no reason", e.directory)
		}
		if !slices.ContainsFunc(release.Known(), func(known string) bool { return e.missing(parseRelease(t, known).Facts()) }) {
			t.Errorf("%s: missing in no release", e.directory)
		}
	}
}

// A table without words why is a table of excuses.
func TestEveryDeviationSaysWhy(t *testing.T) {
	for _, deviation := range deliberate {
		if deviation.Why == "" {
			t.Errorf("%s: no reason", deviation.Path)
		}
		for _, text := range []string{deviation.From, deviation.Until} {
			if _, err := release.Parse(text); text != "" && err != nil {
				t.Errorf("%s: %s %v", deviation.Path, text, err)
			}
		}
	}
}

func byDirectory(t *testing.T, directory string) component {
	t.Helper()
	i := slices.IndexFunc(components, func(one component) bool { return one.directory == directory })
	if i < 0 {
		t.Fatalf("no component %q", directory)
	}
	return components[i]
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
