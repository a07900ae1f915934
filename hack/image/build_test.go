// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"archive/tar"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// programs writes stand-ins for the operator's binary.
func programs(t *testing.T, names ...string) (paths []string, license string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append(names, "LICENSE") {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("the content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths[:len(names)], paths[len(names)]
}

// An image for several architectures is one reference, behind which each node finds its own; the
// same programs give the same digest.
func TestImageForSeveralArchitectures(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	reference := strings.TrimPrefix(server.URL, "http://") + "/nsm-operator:v2.0.0"
	paths, license := programs(t, "one", "other")
	b := build{version: "2.0.0", license: license, destination: destination{push: reference, out: t.TempDir()}}
	args := []string{"amd64=" + paths[0], "arm64=" + paths[1]}
	if err := b.write(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	for arch, want := range map[string]string{"amd64": "the content of one", "arm64": "the content of other"} {
		image, err := remote.Image(parsed, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != arch {
			t.Errorf("%s: the image is for %s", arch, config.Architecture)
		}
		if got := manager(t, image); got != want {
			t.Errorf("%s: the program is %q", arch, got)
		}
	}
	index, err := remote.Index(parsed)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.make(args)
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := again.Digest(); err != nil || digest != pushed {
		t.Errorf("pushed %s, made anew %s, %v", pushed, digest, err)
	}
	written, err := layout.ImageIndexFromPath(b.out)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err := written.IndexManifest(); err != nil || manifest.Manifests[0].Digest != pushed {
		t.Errorf("pushed %s, written %+v, %v", pushed, manifest, err)
	}
}

// manager is the program in an image: the last layer's only file.
func manager(t *testing.T, image v1.Image) string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	file := tar.NewReader(content)
	if header, err := file.Next(); err != nil || header.Name != "manager" {
		t.Fatalf("%+v, %v", header, err)
	}
	program, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}

func TestProgramsNeedTheirArchitectures(t *testing.T) {
	t.Parallel()
	paths, license := programs(t, "one", "other")
	b := build{license: license, arch: "amd64", destination: destination{out: t.TempDir()}}
	for _, args := range [][]string{{}, {paths[0], paths[1]}, {"amd64="}, {"=" + paths[0]}} {
		if err := b.write(t.Context(), args); err == nil || !strings.HasPrefix(err.Error(), "build: ") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
