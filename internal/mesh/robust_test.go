// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"encoding/json"
	"math/rand" //nolint:depguard // what the filler takes
	"testing"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/randfill"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// odd is how many NSMs that no schema lets in are tried.
const odd = 3000

// TestAnyNSMCanBeRendered: whatever can be decoded must not make the operator
// panic. Such objects are refused before they are rendered, and yet one that came
// by another way than the API server's checks must not end the process.
func TestAnyNSMCanBeRendered(t *testing.T) {
	filler := anyNSM(1)
	input := newGenerator(1)
	var last *nsmv1beta1.NSM
	for range odd {
		nsm := &nsmv1beta1.NSM{}
		filler.Fill(nsm)
		if len(nsm.Spec.Forwarders) > 0 && input.maybe() {
			nsm.Spec.Forwarders[0].Type = oneOf[nsmv1beta1.ForwarderType](input, "", "vpp", "ovs", "sriov", "none")
		}
		in := input.input()
		in.NSM = nsm
		renderAll(t, in)
		if last != nil {
			mesh.Conflict(last, nsm)
			mesh.Conflict(nsm, last)
		}
		last = nsm
	}
}

// TestForwardersOfNoTypeAreLeftOut: conversion once made such out of a forged
// annotation, and every pass of the loop panicked.
func TestForwardersOfNoTypeAreLeftOut(t *testing.T) {
	in := newGenerator(1).input()
	in.NSM.Spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Name: "a"}, {Name: "b", Type: "ovs"}, {Name: "c", Type: "none"}}
	renderAll(t, in)
	if forwarders := mesh.Forwarders(&in.NSM.Spec); len(forwarders) != 1 || forwarders[0].Name != "b" {
		t.Errorf("got %+v", forwarders)
	}
}

// renderAll does with a mesh all that the loop does.
func renderAll(t *testing.T, in mesh.Input) {
	t.Helper()
	for _, object := range allObjects(in, mesh.Components(in)) {
		if _, err := json.Marshal(object); err != nil {
			t.Errorf("%T %s: %v", object, object.GetName(), err)
		}
	}
	mesh.ConfigFiles(&in.NSM.Spec)
	mesh.Registers(in)
	mesh.ClientSelector(in)
	mesh.NeedsWebhookCertificate(&in.NSM.Spec, in.Release)
}

// anyNSM fills NSMs with whatever their Go types hold.
func anyNSM(seed int64) *randfill.Filler {
	ours := func(serializer.CodecFactory) []any {
		return []any{func(unread *map[string]json.RawMessage, _ randfill.Continue) { *unread = nil }}
	}
	return fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, ours), rand.NewSource(seed), serializer.NewCodecFactory(runtime.NewScheme())).
		NilChance(0.4).NumElements(0, 3)
}
