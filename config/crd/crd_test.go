// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package crd_test

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/crd"
)

// mostBytes leaves room below the 262,144 bytes that the annotations of an object may
// have: a plain kubectl apply keeps the whole definition in one, and a Helm release
// has room for it beside all else.
const mostBytes = 200_000

// Whoever adds a field sees here how much room there is left; where it is too little,
// hack/trimcrd is the place to look.
func TestSize(t *testing.T) {
	compact, err := yaml.YAMLToJSON(crd.NSM)
	if err != nil {
		t.Fatal(err)
	}
	if len(compact) >= mostBytes {
		t.Errorf("the CustomResourceDefinition has %d bytes of JSON, and must have fewer than %d", len(compact), mostBytes)
	}
	t.Logf("%d bytes of %d", len(compact), mostBytes)
}
