// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gatherer is the script of the image for must-gather, with other programs than the image's:
// the plugin writes down how it was called, makes an archive, and ends as it is told.
func gatherer(t *testing.T, programs map[string]string, env ...string) (calls string, err error) {
	t.Helper()
	directory := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(directory, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), filepath.Join(root, "config", "must-gather", "gather"))
	command.Env = slices.Concat(env, []string{"PATH=" + directory + ":" + os.Getenv("PATH"), "CALLS=" + filepath.Join(directory, "calls")})
	output, err := command.CombinedOutput()
	written, readErr := os.ReadFile(filepath.Join(directory, "calls"))
	if readErr != nil {
		t.Fatalf("it was not called: %v\n%s", readErr, output)
	}
	return strings.TrimSpace(string(written)), err
}

// The script tells the plugin how old lines of logs may be, as oc tells it, and ends well
// where there is an archive.
func TestGatherObeysWhatOCTellsIt(t *testing.T) {
	t.Parallel()
	const plugin = `echo "$@" >"$CALLS"
mkdir -p "$0.d/nsm-support" && echo content >"$0.d/nsm-support/index.html" && tar -czf - -C "$0.d" nsm-support
exit "$CODE"
`
	for name, c := range map[string]struct {
		env   []string
		code  string
		calls string
		fails bool
	}{
		"nothing":                    {nil, "0", "support --in-cluster --archive=-", false},
		"something missing":          {nil, "1", "support --in-cluster --archive=-", false},
		"no answer":                  {nil, "2", "support --in-cluster --archive=-", true},
		"MUST_GATHER_SINCE":          {[]string{"MUST_GATHER_SINCE=2h"}, "0", "support --in-cluster --archive=- --since=2h", false},
		"MUST_GATHER_SINCE_TIME":     {[]string{"MUST_GATHER_SINCE_TIME=2026-01-02T03:04:05Z"}, "0", "support --in-cluster --archive=- --since-time=2026-01-02T03:04:05Z", false},
		"both, one of them is empty": {[]string{"MUST_GATHER_SINCE=", "MUST_GATHER_SINCE_TIME=2026-01-02T03:04:05Z"}, "0", "support --in-cluster --archive=- --since-time=2026-01-02T03:04:05Z", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			calls, err := gatherer(t, map[string]string{"kubectl-nsm": plugin}, append(c.env, "CODE="+c.code, "VERSION=v2.0.0", "BASE_COLLECTION_PATH="+directory)...)
			if calls != c.calls || (err != nil) != c.fails {
				t.Errorf("the plugin was called with %q, want %q; it ends with %v", calls, c.calls, err)
			}
			for name, want := range map[string]string{"version": "networkservicemesh/nsm-operator\nv2.0.0\n", "index.html": "content\n"} {
				if found, err := os.ReadFile(filepath.Join(directory, name)); err != nil || string(found) != want {
					t.Errorf("%s is %q: %v", name, found, err)
				}
			}
		})
	}
}

// Without another directory all goes to the one that oc copies. It cannot be made here, so
// that nothing is written.
func TestGatherWritesWhereOCLooks(t *testing.T) {
	t.Parallel()
	const mkdir = `echo "$@" >"$CALLS"
exit 1
`
	calls, err := gatherer(t, map[string]string{"mkdir": mkdir, "kubectl-nsm": "exit 1"})
	if calls != "-p /must-gather" || err == nil {
		t.Errorf("made was %q, want /must-gather; it ends with %v", calls, err)
	}
}
