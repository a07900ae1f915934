// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// What render writes, in either format. What is in the objects of all samples is in the
// golden files of internal/mesh.
func TestWhatRenderWrites(t *testing.T) {
	nsm := filepath.Join("testdata", "render-nsm.yaml")
	for name, args := range map[string][]string{
		"render":           {"-f", nsm},
		"render-openshift": {"-f", nsm, "--openshift", "--cluster-spiffe-ids=false", "--image-pulls"},
	} {
		g := NewWithT(t)
		// No cluster is asked.
		dead := filepath.Join(t.TempDir(), "dead")
		g.Expect(os.WriteFile(dead, []byte(deadCluster), 0o600)).To(Succeed())
		written := map[string]string{}
		for _, format := range []string{"json", "yaml"} {
			found := runAs(t.Context(), dead, append([]string{"render", "-o", format}, args...)...)
			g.Expect(found.code).To(Equal(exitFine), found.stderr)
			g.Expect(found.stderr).To(BeEmpty())
			file := filepath.Join("testdata", name+"."+format)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				g.Expect(os.WriteFile(file, []byte(found.stdout), 0o600)).To(Succeed())
			}
			golden, err := os.ReadFile(file)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found.stdout).To(Equal(string(golden)), "make golden")
			written[format] = found.stdout
		}
		g.Expect(runAs(t.Context(), dead, append([]string{"render"}, args...)...).stdout).To(Equal(written["yaml"]), "the default")

		var list metav1.List
		g.Expect(json.Unmarshal([]byte(written["json"]), &list)).To(Succeed())
		documents := strings.Split(strings.TrimPrefix(written["yaml"], "---\n"), "\n---\n")
		g.Expect(documents).To(HaveLen(len(list.Items)))
		for i, document := range documents {
			asJSON, err := yaml.YAMLToJSON([]byte(document))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(asJSON).To(MatchJSON(list.Items[i].Raw), "the same objects, in the same order")
		}
	}
}
