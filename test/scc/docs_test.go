// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Every NSM that docs/openshift.md shows is a mesh whose pods are admitted; that
// of the Zero Trust Workload Identity Manager is one of them.
func TestDocumentedMeshesAreAdmitted(t *testing.T) {
	specs := documentedSpecs(t)
	if len(specs) < 3 {
		t.Fatalf("docs/openshift.md shows %d meshes", len(specs))
	}
	for _, spec := range specs {
		mesh := render(t, spec)
		for _, pod := range mesh.pods {
			if _, scc, err := mesh.admit(t, pod); err != nil || scc != meantFor(pod) {
				t.Errorf("%v: %s is admitted under %q, want %q: %v", spec, pod.Name, scc, meantFor(pod), err)
			}
		}
	}
}

func documentedSpecs(t *testing.T) []map[string]any {
	t.Helper()
	page, err := os.ReadFile("../../docs/openshift.md")
	if err != nil {
		t.Fatal(err)
	}
	var specs []map[string]any
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var nsm struct {
			Kind string         `json:"kind"`
			Spec map[string]any `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(block), &nsm); err != nil {
			t.Fatalf("%v\n%s", err, block)
		}
		if nsm.Kind == "NSM" {
			specs = append(specs, nsm.Spec)
		}
	}
	return specs
}

// The operator's own pods need nothing but what everybody has.
func TestOperatorIsRestricted(t *testing.T) {
	operator := readFile(t, "../../config/manager/manager.yaml")
	if len(operator.pods) != 1 {
		t.Fatalf("config/manager/manager.yaml has %d workloads", len(operator.pods))
	}
	pod := in(meshNamespace, operator.pods[0])
	if _, scc, err := stockCluster(t).admit(t, pod); err != nil || scc != restricted {
		t.Errorf("admitted under %q, want %q: %v", scc, restricted, err)
	}
}
