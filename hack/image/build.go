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
	"os"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// build makes the image that the Dockerfile describes: from nothing, with the program and its license; of programs for
// several architectures an index of images. The same programs give the same digest.
type build struct {
	destination
	arch, version, license string
}

func (b *build) flags(f *flag.FlagSet) {
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "image build [flags] MANAGER | ARCHITECTURE=MANAGER ...\n\n"+
			"Makes the operator's image of the program, or one for several architectures, and prints its digest. "+
			"The credentials for -push are those of `docker login`.")
		f.PrintDefaults()
	}
	f.StringVar(&b.arch, "arch", runtime.GOARCH, "the `architecture` that the program is for")
	f.StringVar(&b.version, "version", "", "the `version` of the operator")
	f.StringVar(&b.license, "license", "LICENSE", "the `file` with the license")
	b.destination.flags(f)
}

func (b *build) write(ctx context.Context, args []string) error {
	if len(args) == 0 || b.isNowhere() {
		return errors.New("build: needs a program, and -out or -push")
	}
	made, err := b.make(args)
	if err != nil {
		return err
	}
	return b.deliver(ctx, made)
}

// make an image of one program, or an index of images of programs with their architectures.
func (b *build) make(programs []string) (artifact, error) {
	if arch, program, isOfSeveral := strings.Cut(programs[0], "="); !isOfSeveral {
		if len(programs) > 1 {
			return nil, fmt.Errorf("build: %q is one of several programs: say for which architecture each is, as in amd64=%s", programs[0], programs[0])
		}
		return b.image(b.arch, programs[0])
	} else if arch == "" || program == "" {
		return nil, fmt.Errorf("build: %q: must be ARCHITECTURE=PROGRAM", programs[0])
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, one := range programs {
		arch, program, _ := strings.Cut(one, "=")
		image, err := b.image(arch, program)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index, nil
}

func (b *build) image(arch, program string) (v1.Image, error) {
	license, err := layer(b.license, "licenses/LICENSE", 0o644)
	if err != nil {
		return nil, err
	}
	manager, err := layer(program, "manager", 0o755)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: arch,
		OS:           "linux",
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       "65532:65532",
			Entrypoint: []string{"/manager"},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "nsm-operator",
				"org.opencontainers.image.description": "Kubernetes operator for Network Service Mesh",
				"org.opencontainers.image.version":     b.version,
				"org.opencontainers.image.source":      "https://github.com/networkservicemesh/nsm-operator",
				"org.opencontainers.image.vendor":      "Network Service Mesh",
				"org.opencontainers.image.licenses":    "Apache-2.0",
			},
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(image, license, manager)
}

// layer has one file of this machine, at a path in the image, without its times and owner.
func layer(file, path string, mode int64) (v1.Layer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(0, 0)}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}
