// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const generated = `
properties:
  ours:
    description: ours.
    type: array
    x-kubernetes-list-type: atomic
  percent:
    anyOf: [{type: integer}, {type: string}]
    x-kubernetes-int-or-string: true
  tolerations:
    description: ours as well.
    type: array
    x-kubernetes-list-type: atomic
    items:
      description: Kubernetes' own.
      type: object
      properties:
        description: {type: string, description: a property that is called so.}
        values: {type: array, x-kubernetes-list-type: atomic}
        keyed: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name]}
        selector: {type: object, x-kubernetes-map-type: atomic}
`

const trimmed = `
properties:
  ours:
    description: ours.
    type: array
    x-kubernetes-list-type: atomic
  percent:
    x-kubernetes-int-or-string: true
  tolerations:
    description: ours as well.
    type: array
    items:
      type: object
      properties:
        description: {type: string}
        values: {type: array}
        keyed: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name]}
        selector: {type: object, x-kubernetes-map-type: atomic}
`

// Only what says nothing, or is of no use here, is taken out.
func TestTrim(t *testing.T) {
	file := filepath.Join(t.TempDir(), "crd.yaml")
	if err := os.WriteFile(file, []byte(generated), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trimFile(file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := yaml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(trimmed), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
