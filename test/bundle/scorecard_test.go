// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package bundle

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	scapiv1alpha3 "github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"sigs.k8s.io/yaml"
)

const scorecardTest = "../../bin/scorecard-test"

// The tests of the Operator SDK's scorecard that its configuration in the bundle names.
func TestScorecard(t *testing.T) { each(t, passesScorecard) }

func passesScorecard(t *testing.T, dir string) {
	t.Helper()
	root := scorecardRoot(t, dir)
	var tests int
	for _, stage := range scorecardConfig(t).Stages {
		for _, test := range stage.Tests {
			tests++
			name := test.Entrypoint[len(test.Entrypoint)-1]
			for _, result := range runScorecard(t, root, name) {
				if result.State != scapiv1alpha3.PassState {
					t.Errorf("%s: %s %q %q", name, result.State, result.Errors, result.Suggestions)
				}
			}
		}
	}
	if tests != 6 {
		t.Errorf("the scorecard has 6 tests, the bundle names %d", tests)
	}
}

// The scorecard prints a failure and ends with success.
func TestScorecardFailureIsSeen(t *testing.T) {
	root := scorecardRoot(t, bundleDir)
	results := runScorecard(t, root, "no-such-test")
	if len(results) != 1 || results[0].State != scapiv1alpha3.FailState {
		t.Errorf("%+v", results)
	}
}

func scorecardConfig(t *testing.T) scapiv1alpha3.Configuration {
	t.Helper()
	var config scapiv1alpha3.Configuration
	text, err := os.ReadFile(filepath.Join(bundleDir, "tests", "scorecard", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// scorecardRoot is a directory that looks to the scorecard's program like its container: it reads /bundle.
func scorecardRoot(t *testing.T, bundle string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "bundle"), os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(scorecardTest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "scorecard-test"), program, 0o700); err != nil { //nolint:gosec // It is run.
		t.Fatal(err)
	}
	return root
}

func runScorecard(t *testing.T, root, test string) []scapiv1alpha3.TestResult {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/scorecard-test", test)
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if os.Geteuid() != 0 {
		// Root of a namespace of its own may change the root directory, too.
		command.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v (where one is not root, it takes user namespaces)", test, err)
	}
	var status scapiv1alpha3.TestStatus
	if err := json.Unmarshal(out, &status); err != nil {
		t.Fatalf("%s: %v\n%s", test, err, out)
	}
	return status.Results
}
