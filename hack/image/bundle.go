// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"
)

// bundle makes the image of an OLM bundle that bundle.Dockerfile describes: its directories, and what its metadata says
// as labels. The same bundle gives the same digest.
type bundle struct{ destination }

func (b *bundle) flags(f *flag.FlagSet) {
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "image bundle [flags] BUNDLE\n\n"+
			"Makes the image of a bundle directory, and prints its digest. The credentials for -push are those of `docker login`.")
		f.PrintDefaults()
	}
	b.destination.flags(f)
}

func (b *bundle) write(ctx context.Context, args []string) error {
	if len(args) != 1 || b.isNowhere() {
		return errors.New("bundle: needs one bundle, and -out or -push")
	}
	image, err := imageOf(args[0])
	if err != nil {
		return fmt.Errorf("bundle %s: %w", args[0], err)
	}
	return b.deliver(ctx, image)
}

// imageOf makes the image of the bundle in dir. It is for every platform, since it holds no programs; but a client that
// asks for one has to find something, as with an image that was built from the Dockerfile.
func imageOf(dir string) (v1.Image, error) {
	labels, err := labelsOf(dir)
	if err != nil {
		return nil, err
	}
	content, err := archive(dir, "manifests", "metadata", "tests")
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: "amd64",
		OS:           "linux",
		Config:       v1.Config{Labels: labels},
		RootFS:       v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(image, layer)
}

// labelsOf reads the annotations of the bundle in dir. OLM reads them from the labels of the image.
func labelsOf(dir string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "metadata", "annotations.yaml"))
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := yaml.Unmarshal(text, &metadata); err != nil {
		return nil, err
	}
	return metadata.Annotations, nil
}

// archive is a tar of directories below root, in the order of their names and without times, owners and modes of their
// own.
func archive(root string, dirs ...string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	files := os.DirFS(root)
	for _, dir := range dirs {
		err := fs.WalkDir(files, dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return addFile(w, files, path, entry)
		})
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func addFile(w *tar.Writer, files fs.FS, path string, entry fs.DirEntry) error {
	if entry.IsDir() {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: 0o755, ModTime: time.Unix(0, 0)})
	}
	content, err := fs.ReadFile(files, path)
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
