// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// what the program and its license are here.
func sources(t *testing.T) (program, license string) {
	t.Helper()
	program, license = filepath.Join(t.TempDir(), "manager-of-today"), filepath.Join(t.TempDir(), "LICENSE")
	for path, content := range map[string]string{program: "#!", license: "Apache"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return program, license
}

// The digest depends on nothing but what the image holds.
func TestBuildIsReproducible(t *testing.T) {
	var digests []string
	for range 2 {
		program, license := sources(t)
		image, err := (&build{arch: "arm64", version: "2.0.0", license: license}).image("arm64", program)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != "arm64" || config.Config.User != "65532:65532" || config.Config.Entrypoint[0] != "/manager" {
			t.Errorf("it is %+v", config)
		}
		digests = append(digests, digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("the same image has the digests %v", digests)
	}
}

// Only a registry that says so makes an image absent.
func TestCheck(t *testing.T) {
	serving, stop := context.WithCancel(t.Context())
	said, saying := io.Pipe()
	ended := make(chan error)
	go func() { ended <- serve(serving, nil, saying) }()
	host, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	host = strings.TrimSpace(host)
	program, license := sources(t)
	there := host + "/nsm-operator:v2.0.0"
	pushing := &build{arch: "amd64", license: license, destination: destination{push: there}}
	if err := pushing.write(t.Context(), []string{program}); err != nil {
		t.Fatal(err)
	}
	if err := check(t.Context(), []string{there}); err != nil {
		t.Errorf("%s: %v", there, err)
	}
	for _, absent := range []string{host + "/nsm-operator:v1", host + "/other:v2.0.0"} {
		if err := check(t.Context(), []string{absent}); !errors.Is(err, errAbsent) {
			t.Errorf("%s: %v", absent, err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := check(t.Context(), []string{there}); err == nil || errors.Is(err, errAbsent) {
		t.Errorf("a registry that does not answer: %v", err)
	}
	if err := check(t.Context(), []string{"UPPER"}); err == nil || errors.Is(err, errAbsent) {
		t.Errorf("no reference at all: %v", err)
	}
}
