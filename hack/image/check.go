// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// exitAbsent is the exit code where the registry says that there is no such image. Any other failure leaves it open.
const exitAbsent = 3

// patience with a registry that may not be reachable from here at all.
const patience = 15 * time.Second

var errAbsent = errors.New("the registry does not have it")

// check asks the registry, with the credentials of `docker login`, whether it has an image.
func check(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("check: needs one image")
	}
	reference, err := name.ParseReference(args[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = remote.Head(reference, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithRetryStatusCodes(), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %w", errAbsent, err)
	}
	return err
}
