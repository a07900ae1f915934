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
	conforms, err := run(reference, false, &out)
	if err != nil {
		t.Fatal(err)
	}
	if conforms {
		t.Error("conforms, although nothing is right")
	}
	for _, want := range []string{
		"v1.0.0 nsmgr Secret[surprise]: (absent) | (present)\n",
		release.Newest().String() + " nsmgr DaemonSet[nsmgr]: (present) | (absent)\n",
		"not rendered yet: something-new\n",
		"not a known release: v99.0.0\n",
		"no manifests found: registry-k8s\n",
		"rendered, but nothing to compare with: nsm-registry\n",
		"unused in the table of deliberate differences: CustomResourceDefinition[*]",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
}

func TestRunNeedsEveryKnownRelease(t *testing.T) {
	reference := t.TempDir()
	write(t, filepath.Join(reference, "v1.0.0", "something-new", "x.yaml"), "{}")
	if _, err := run(reference, false, &bytes.Buffer{}); err == nil {
		t.Error("no error, although most releases are missing")
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

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
