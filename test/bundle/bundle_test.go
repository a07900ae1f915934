// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package bundle has the rules of others judge the OLM bundle: those of OLM, of
// the Operator SDK's scorecard, of the community's catalogs, and of OLM v1.
package bundle

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/manifests"
)

const (
	bundleDir = "../../bundle"
	// bridgeDir is the bundle by which OLM gets from the published 1.8.0 to the other.
	bridgeDir   = "../../bridge"
	operatorSDK = "../../bin/operator-sdk"
)

// each judges both.
func each(t *testing.T, judge func(t *testing.T, dir string)) {
	t.Helper()
	for _, dir := range []string{bundleDir, bridgeDir} {
		t.Run(filepath.Base(dir), func(t *testing.T) { judge(t, dir) })
	}
}

func load(t *testing.T) *manifests.Bundle {
	t.Helper()
	return loadFrom(t, bundleDir)
}

func loadFrom(t *testing.T, dir string) *manifests.Bundle {
	t.Helper()
	bundle, err := manifests.GetBundleFromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// complaints runs `operator-sdk bundle validate` and returns all that it has to say.
func complaints(t *testing.T, dir, path string, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	args = append([]string{"bundle", "validate", dir, "--output", "json-alpha1"}, args...)
	command := exec.CommandContext(t.Context(), operatorSDK, args...)
	command.Env = append(os.Environ(), "PATH="+path)
	command.Stderr = &stderr
	out, runErr := command.Output()
	var result struct {
		Passed  bool `json:"passed"`
		Outputs []struct{ Type, Message string }
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v: %v\n%s%s", runErr, err, out, stderr.String())
	}
	var texts []string
	for _, output := range result.Outputs {
		texts = append(texts, output.Type+": "+output.Message)
	}
	if result.Passed != (runErr == nil) {
		t.Fatalf("passed: %t, and %v\n%s", result.Passed, runErr, stderr.String())
	}
	return texts
}

func TestOperatorFrameworkHasNothingToSay(t *testing.T) {
	each(t, func(t *testing.T, dir string) {
		for _, text := range complaints(t, dir, os.Getenv("PATH"), "--select-optional", "suite=operatorframework") {
			t.Error(text)
		}
	})
}

// The validator asks a container engine for the platforms of each image. This one says what the labels of the bundle
// say, without a look at any image: so it is the bundle that is judged, whose labels and node affinity have to agree.
// Of the released image, which is for arm64 as well, the validator warns that the bundle does not offer it: no mesh
// with the vpp forwarder runs there.
const engine = `#!/bin/sh
if [ "$1" = manifest ]; then echo '{"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}}]}'; fi
`

func TestPlatformsOfLabelsAndNodeAffinityAgree(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(engine), 0o700); err != nil { //nolint:gosec // It is run.
		t.Fatal(err)
	}
	each(t, func(t *testing.T, bundle string) {
		for _, text := range complaints(t, bundle, dir+":"+os.Getenv("PATH"), "--select-optional", "name=multiarch") {
			t.Error(text)
		}
	})
}

// What the two tests above rely on: a bundle that is worse is found out.
func TestComplaintsAreSeen(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bundleDir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "manifests", "nsm-operator.clusterserviceversion.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	worse := strings.Replace(string(text), "capabilities: ", "capabilities: Very ", 1)
	if err := os.WriteFile(file, []byte(worse), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := complaints(t, dir, os.Getenv("PATH"), "--select-optional", "suite=operatorframework"); len(found) != 1 {
		t.Errorf("a capability level that there is not: %q", found)
	}
}
