// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// samples are the files with an NSM, from the directory of this package.
func samples() []string {
	files, err := filepath.Glob("../../config/samples/nsm_*.yaml")
	if err != nil || len(files) == 0 {
		panic("there are samples in config/samples")
	}
	return files
}

// tableOfSamples has an entry for each sample.
func tableOfSamples() []any {
	var entries []any
	for _, file := range samples() {
		entries = append(entries, Entry(filepath.Base(file), filepath.Join("config", "samples", filepath.Base(file))))
	}
	return entries
}

// runSample applies a sample, waits until its mesh is Available, and takes it away.
func runSample(ctx SpecContext, file string) {
	kubectl(ctx, "apply", "-f", file)
	mesh := strings.Fields(kubectl(ctx, "get", "nsm", "-A", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.namespace} {end}`))
	Expect(mesh).To(HaveLen(2), "a sample has one NSM")
	_, err := tryKubectl(ctx, "wait", "--for=condition=Available", "nsm/"+mesh[0], "-n", mesh[1], "--timeout=3m")
	Expect(err).NotTo(HaveOccurred(), kubectl(ctx, "describe", "nsm", mesh[0], "-n", mesh[1]))
	kubectl(ctx, "delete", "nsm", mesh[0], "-n", mesh[1], "--timeout=3m")
}

// The first line says when one wants a sample. One is as it has been published, and as
// the documents of NSM have it.
func TestSamplesSayWhatTheyAreFor(t *testing.T) {
	g := NewWithT(t)
	for _, file := range samples() {
		content, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		if filepath.Base(file) != filepath.Base(oldSample) {
			g.Expect(string(content)).To(HavePrefix("# "), file)
		}
	}
	old, err := os.ReadFile(filepath.Join("../..", oldSample))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(old)).To(Equal(publishedSample))
}

// publishedSample is the NSM of the first release, to the letter.
const publishedSample = `apiVersion: nsm.networkservicemesh.io/v1alpha1
kind: NSM
metadata: {name: nsm-sample, namespace: nsm}
spec:
  tag: v1.0.0
  nsmPullPolicy: IfNotPresent
  registry: ghcr.io
  organization: networkservicemesh
  registryMemoryImage: cmd-registry-memory
  nsmgrImage: cmd-nsmgr
  forwardingPlaneName: vpp
  forwardingPlaneImage: cmd-forwarder-vpp
`
