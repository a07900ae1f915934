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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// The validator asks a container engine for the platforms of each image. This one says that NSM's vpp forwarder is for
// amd64, and all others for the given architectures.
func engineOf(t *testing.T, arches string) (path string) {
	t.Helper()
	const engine = `#!/bin/sh
case "$1 $3" in
manifest*cmd-forwarder-vpp:*) arches=amd64 ;;
manifest*) arches="%s" ;;
*) exit ;;
esac
for arch in $arches; do
  manifests="$manifests${manifests:+, }{\"platform\": {\"os\": \"linux\", \"architecture\": \"$arch\"}}"
done
echo "{\"manifests\": [$manifests]}"
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), fmt.Appendf(nil, engine, arches), 0o700); err != nil { //nolint:gosec // It is run.
		t.Fatal(err)
	}
	return dir + ":" + os.Getenv("PATH")
}

func TestPlatformsOfLabelsAndNodeAffinityAgree(t *testing.T) {
	path := engineOf(t, "amd64")
	each(t, func(t *testing.T, dir string) {
		for _, text := range complaints(t, dir, path, "--select-optional", "name=multiarch") {
			t.Error(text)
		}
	})
}

// The operator's image is released for arm64 as well, of which the validator warns. It would not let the bundle say so:
// that label stands for all images of a mesh.
func TestBundleIsForThePlatformsOfAllImages(t *testing.T) {
	path := engineOf(t, arches(t))
	for _, text := range complaints(t, bundleDir, path, "--select-optional", "name=multiarch") {
		if !strings.HasPrefix(text, "warning: ") || !strings.Contains(text, "arm64") {
			t.Error(text)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bundleDir)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "manifests", "nsm-operator.clusterserviceversion.yaml"), map[string]string{
		"    operatorframework.io/arch.amd64: supported\n": "    operatorframework.io/arch.amd64: supported\n    operatorframework.io/arch.arm64: supported\n",
		"                        - amd64\n":                "                        - amd64\n                        - arm64\n",
	})
	var refusals []string
	for _, text := range complaints(t, dir, path, "--select-optional", "name=multiarch") {
		if strings.HasPrefix(text, "error: ") {
			refusals = append(refusals, text)
		}
	}
	if len(refusals) != 1 || !strings.Contains(refusals[0], "(linux.arm64) was not found") || !strings.Contains(refusals[0], "cmd-forwarder-vpp") {
		t.Errorf("the bundle could be for arm64, too: the validator says %q", refusals)
	}
}

// edit a file, in which each of the old texts is.
func edit(t *testing.T, file string, changes map[string]string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for old, changed := range changes {
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %q", file, old)
		}
		text = strings.Replace(text, old, changed, 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// arches are the architectures that a release is built for.
func arches(t *testing.T) string {
	t.Helper()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^ARCHES +\?= (.+)$`).FindSubmatch(makefile)
	if found == nil {
		t.Fatal("the Makefile says nothing of ARCHES")
	}
	return string(found[1])
}

// What the two tests above rely on: a bundle that is worse is found out.
func TestComplaintsAreSeen(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bundleDir)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "manifests", "nsm-operator.clusterserviceversion.yaml"), map[string]string{"capabilities: ": "capabilities: Very "})
	if found := complaints(t, dir, os.Getenv("PATH"), "--select-optional", "suite=operatorframework"); len(found) != 1 {
		t.Errorf("a capability level that there is not: %q", found)
	}
}
