// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// descriptor of a part of an OCI image layout.
type descriptor struct {
	Digest string `json:"digest"`
}

// unpacked is where unpackedImage has put the image, and program what its configuration
// starts; "" as long as nobody has asked.
var unpacked, program string

var _ = AfterSuite(func() { Expect(os.RemoveAll(unpacked)).To(Succeed()) })

// unpackedImage makes the operator's image as "make image" does, once, and returns the path
// of the program that its configuration starts, taken out of its layers.
func unpackedImage(ctx context.Context) string {
	GinkgoHelper()
	if program == "" {
		program = unpackImage(ctx)
	}
	return program
}

func unpackImage(ctx context.Context) string {
	GinkgoHelper()
	layout := filepath.Join(GinkgoT().TempDir(), "layout")
	output, err := exec.CommandContext(ctx, filepath.Join(root, "bin", "image"), "build", "-version", "2.0.0", "-license",
		filepath.Join(root, "LICENSE"), "-out", layout, filepath.Join(root, "bin", "manager")).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))

	blob := func(one descriptor) string {
		return filepath.Join(layout, "blobs", strings.Replace(one.Digest, ":", "/", 1))
	}
	var index struct{ Manifests []descriptor }
	readJSON(filepath.Join(layout, "index.json"), &index)
	Expect(index.Manifests).To(HaveLen(1))
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	readJSON(blob(index.Manifests[0]), &manifest)
	var configuration struct {
		OS     string
		Config struct {
			User       string
			Entrypoint []string
		}
	}
	readJSON(blob(manifest.Config), &configuration)
	Expect(configuration.OS).To(Equal("linux"))
	Expect(configuration.Config.User).To(Equal("65532:65532"), "a number, or the kubelet cannot tell that it is not root")
	Expect(configuration.Config.Entrypoint).To(HaveLen(1))

	unpacked, err = os.MkdirTemp("", "image")
	Expect(err).NotTo(HaveOccurred())
	for _, layer := range manifest.Layers {
		unpack(blob(layer), unpacked)
	}
	Expect(filepath.Join(unpacked, "licenses", "LICENSE")).To(BeARegularFile())
	started := filepath.Join(unpacked, configuration.Config.Entrypoint[0])
	content, err := os.ReadFile(started)
	Expect(err).NotTo(HaveOccurred())
	Expect(strings.Contains(string(content), "text/template.(*state).evalField")).To(BeFalse(),
		"a program that may call any method by its name keeps all methods of all types: that is a quarter of it")
	// Whoever the image's user is here, it has to find it.
	for directory := filepath.Dir(started); directory != os.TempDir() && directory != "/"; directory = filepath.Dir(directory) {
		Expect(os.Chmod(directory, 0o755)).To(Succeed())
	}
	return started
}

func readJSON(path string, into any) {
	GinkgoHelper()
	content, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	Expect(json.Unmarshal(content, into)).To(Succeed())
}

// unpack writes the files of a layer below a directory.
func unpack(layer, directory string) {
	GinkgoHelper()
	file, err := os.Open(layer)
	Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	compressed, err := gzip.NewReader(file)
	Expect(err).NotTo(HaveOccurred())
	archive := tar.NewReader(compressed)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		Expect(err).NotTo(HaveOccurred())
		path := filepath.Join(directory, header.Name)
		Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
		written, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, header.FileInfo().Mode())
		Expect(err).NotTo(HaveOccurred())
		_, err = io.Copy(written, archive)
		Expect(err).NotTo(HaveOccurred())
		Expect(written.Close()).To(Succeed())
	}
}
