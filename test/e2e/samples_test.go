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
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
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

// There is a sample for each use of a mesh.
func TestSamples(t *testing.T) {
	g := NewWithT(t)
	var names []string
	for _, file := range samples() {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "nsm_"), ".yaml"))
	}
	g.Expect(names).To(Equal([]string{
		"v1alpha1_nested", "v1alpha1_nsm", "v1beta1_csi", "v1beta1_dashboard", "v1beta1_disconnected", "v1beta1_forwarders", "v1beta1_interdomain",
		"v1beta1_minimal", "v1beta1_nsm", "v1beta1_openshift", "v1beta1_ovs", "v1beta1_production", "v1beta1_registry", "v1beta1_sriov",
		"v1beta1_telemetry", "v1beta1_vl3",
	}))
}

// What people depend on has a second pod, room and a place.
func TestProductionSample(t *testing.T) {
	g := NewWithT(t)
	content, err := os.ReadFile("../../config/samples/nsm_v1beta1_production.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	nsm := &nsmv1beta1.NSM{}
	g.Expect(yaml.UnmarshalStrict(content, nsm)).To(Succeed())
	spec := nsm.Spec
	g.Expect(spec.Registry.Type).To(BeEquivalentTo("k8s"))
	g.Expect(spec.Registry.Replicas).To(HaveValue(BeEquivalentTo(2)))
	g.Expect(spec.Tolerations).NotTo(BeEmpty())
	g.Expect(spec.PriorityClassName).NotTo(BeEmpty())
	for name, resources := range map[string]*corev1.ResourceRequirements{
		"registry": spec.Registry.Resources, "nsmgr": spec.Nsmgr.Resources, "forwarder": spec.Forwarders[0].Resources,
	} {
		g.Expect(resources).NotTo(BeNil(), name)
		g.Expect(resources.Requests).To(HaveLen(2), name)
		g.Expect(resources.Limits).To(HaveLen(2), name)
	}
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
