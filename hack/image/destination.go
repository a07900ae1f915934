// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// destination is where an image goes: an OCI layout, a registry, or both.
type destination struct{ out, push string }

func (d *destination) flags(f *flag.FlagSet) {
	f.StringVar(&d.out, "out", "", "write it as an OCI layout into this `directory`")
	f.StringVar(&d.push, "push", "", "push it as this `reference`")
}

func (d *destination) isNowhere() bool { return d.out == "" && d.push == "" }

// artifact is a v1.Image, or a v1.ImageIndex of several.
type artifact interface{ Digest() (v1.Hash, error) }

// deliver what was made, and print its digest.
func (d *destination) deliver(ctx context.Context, made artifact) error {
	if d.out != "" {
		if err := writeLayout(d.out, made); err != nil {
			return err
		}
	}
	if d.push != "" {
		if err := push(ctx, d.push, made); err != nil {
			return err
		}
	}
	digest, err := made.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, digest)
	return err
}

func writeLayout(dir string, made artifact) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	switch made := made.(type) {
	case v1.ImageIndex:
		return path.AppendIndex(made)
	case v1.Image:
		return path.AppendImage(made)
	default:
		return fmt.Errorf("a %T is no image", made)
	}
}

func push(ctx context.Context, to string, made artifact) error {
	reference, err := name.ParseReference(to)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	switch made := made.(type) {
	case v1.ImageIndex:
		return remote.WriteIndex(reference, made, options...)
	case v1.Image:
		return remote.Write(reference, made, options...)
	default:
		return fmt.Errorf("a %T is no image", made)
	}
}
