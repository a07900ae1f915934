// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spdx/tools-golang/json"
)

// The list of what this very test is built from is SPDX, and complete.
func TestSBOM(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	if err := (&sbom{version: "2.0.0", created: "2026-01-31T12:00:00Z", name: "gather", base: "registry.example.com/ubi9/ubi:9.8"}).write([]string{program}, &written); err != nil {
		t.Fatal(err)
	}
	read, err := json.Read(&written)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	ids := map[string]bool{}
	for _, one := range read.Packages {
		names[one.PackageName] = one.PackageVersion
		id := string(one.PackageSPDXIdentifier)
		if !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(id) || ids[id] {
			t.Errorf("%q is no identifier, or is there twice", id)
		}
		ids[id] = true
	}
	if names["github.com/networkservicemesh/nsm-operator/hack/image"] != "v2.0.0" ||
		names["github.com/google/go-containerregistry"] == "" || names["stdlib"] == "" || names["registry.example.com/ubi9/ubi"] != "9.8" {
		t.Errorf("%v", names)
	}
	if len(read.Relationships) != len(read.Packages) {
		t.Errorf("%d relationships of %d packages", len(read.Relationships), len(read.Packages))
	}
	if read.DocumentName != "gather-2.0.0" || !strings.Contains(read.DocumentNamespace, "/sbom/gather/") {
		t.Errorf("the document is called %s, %s", read.DocumentName, read.DocumentNamespace)
	}
	if err := (&sbom{version: "2.0.0", name: "gather"}).write([]string{program}, &written); err == nil {
		t.Error("a document needs a time")
	}
}
