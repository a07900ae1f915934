// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

const (
	bundleDir = "../../bundle"
	opm       = "../../bin/opm"
)

func digestOf(t *testing.T, dir string) v1.Hash {
	t.Helper()
	image, err := imageOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// opm reads the image from a registry, over plain HTTP, and finds in it what it finds in the directory.
func TestOpmRendersTheBundleFromARegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repository := strings.TrimPrefix(server.URL, "http://") + "/nsm-operator-bundle"
	b := bundle{destination{push: repository + ":v2.0.0"}}
	if err := b.write(t.Context(), []string{bundleDir}); err != nil {
		t.Fatal(err)
	}
	reference := repository + "@" + digestOf(t, bundleDir).String()

	fromImage, fromDir := rendered(t, reference, "--use-http"), rendered(t, bundleDir)
	if fromImage["image"] != reference {
		t.Errorf("image %q", fromImage["image"])
	}
	// Where opm renders an image, that is one of those that belong to the bundle.
	own := func(image any) bool { return cmp.Equal(image, map[string]any{"name": "", "image": reference}) }
	related, _ := fromImage["relatedImages"].([]any)
	if !slices.ContainsFunc(related, own) {
		t.Errorf("related images %v", related)
	}
	fromDir["image"], fromImage["relatedImages"] = reference, slices.DeleteFunc(related, own)
	if diff := cmp.Diff(fromDir, fromImage); diff != "" {
		t.Error(diff)
	}
}

// rendered is what a catalog has of a bundle.
func rendered(t *testing.T, args ...string) map[string]any {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), opm, append([]string{"render", "--output", "json"}, args...)...)
	command.Stderr = &stderr
	command.Env = append(os.Environ(), "HOME="+homeOfOpm(t))
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var blob map[string]any
	if err := json.Unmarshal(out, &blob); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return blob
}

// homeOfOpm has the file without which opm pulls no image: whose signatures it asks for. Distributions bring it along.
func homeOfOpm(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	containers := filepath.Join(home, ".config", "containers")
	if err := os.MkdirAll(containers, 0o700); err != nil {
		t.Fatal(err)
	}
	policy := []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`)
	if err := os.WriteFile(filepath.Join(containers, "policy.json"), policy, 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// The labels are those of the Dockerfile, for those who build the image with it.
func TestBundleImageIsThatOfTheDockerfile(t *testing.T) {
	image, err := imageOf(bundleDir)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile("../../bundle.Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	var copied []string
	for line := range strings.Lines(string(dockerfile)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[0] == "LABEL" {
			key, value, _ := strings.Cut(fields[1], "=")
			labels[key] = value
		}
		if len(fields) == 3 && fields[0] == "COPY" {
			copied = append(copied, strings.Trim(fields[2], "/"))
		}
	}
	if diff := cmp.Diff(labels, config.Config.Labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"manifests", "metadata", "tests/scorecard"}, copied); diff != "" {
		t.Error(diff)
	}
}

// Neither the times nor the modes of the files are in the image.
func TestSameBundleIsTheSameImage(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bundleDir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "metadata", "annotations.yaml")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := digestOf(t, dir), digestOf(t, bundleDir); got != want {
		t.Errorf("%s and %s", got, want)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("stable"), []byte("fast")), 0o600); err != nil {
		t.Fatal(err)
	}
	if digestOf(t, dir) == digestOf(t, bundleDir) {
		t.Error("another bundle has the same digest")
	}
}

func TestBundleImageIsWrittenAsALayout(t *testing.T) {
	b := bundle{destination{out: filepath.Join(t.TempDir(), "layout")}}
	if err := b.write(t.Context(), []string{bundleDir}); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(b.out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := index.Image(digestOf(t, bundleDir)); err != nil {
		t.Error(err)
	}
}
