// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("What OperatorHub offers to create", Ordered, func() {
	var examples []*unstructured.Unstructured
	var initial *unstructured.Unstructured

	BeforeAll(func(ctx SpecContext) {
		removeAll(ctx)
		server.Kubectl(ctx, "apply", "--server-side", "-f", "../config/crd/networkservicemesh")
		server.AwaitDefinitions(ctx, "networkservices.networkservicemesh.io", "networkserviceendpoints.networkservicemesh.io")
		text, err := os.ReadFile("../bundle/manifests/nsm-operator.clusterserviceversion.yaml")
		Expect(err).NotTo(HaveOccurred())
		annotations := parse(string(text)).GetAnnotations()
		Expect(json.Unmarshal([]byte(annotations["alm-examples"]), &examples)).To(Succeed())
		Expect(json.Unmarshal([]byte(annotations["operatorframework.io/initialization-resource"]), &initial)).To(Succeed())
		DeferCleanup(removeAll)
	})

	It("is taken by the API server as it stands, all of it in one cluster", func(ctx SpecContext) {
		Expect(examples).To(HaveLen(3))
		for _, example := range examples {
			created := example.DeepCopy()
			Expect(admin.Create(ctx, created, client.FieldValidation(metav1.FieldValidationStrict))).To(Succeed(), example.GetName())
			Expect(warned.take()).To(BeEmpty(), example.GetName())
			Expect(created.Object["spec"]).To(BeEquivalentTo(example.Object["spec"]), "nothing is lost, and no default is missing")
		}
	})

	It("is not all that is shown: a registry alone is taken as it stands, too", func(ctx SpecContext) {
		text, err := os.ReadFile("../config/samples/nsm_v1beta1_registry.yaml")
		Expect(err).NotTo(HaveOccurred())
		sample := parse(string(text))
		Expect(admin.Create(ctx, sample.DeepCopy(), client.FieldValidation(metav1.FieldValidationStrict), client.DryRunAll)).To(Succeed())
		Expect(warned.take()).To(BeEmpty())
		Expect(unstructured.SetNestedSlice(sample.Object, []any{map[string]any{"name": "a", "type": "vpp"}}, "spec", "forwarders")).To(Succeed())
		Expect(admin.Create(ctx, sample, client.DryRunAll)).To(MatchError(ContainSubstring(
			"spec.forwarders: Forbidden: must be left out with spec.nsmgr.enabled: false: a forwarder does what the manager on its node asks for")))
	})

	It("is not all that is shown: every sample is taken as it stands, without a warning", func(ctx SpecContext) {
		removeAll(ctx)
		files, err := filepath.Glob("../config/samples/nsm_v1beta1_*.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		for _, file := range files {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			documents := strings.Split(string(text), "\n---\n")
			sample := parse(documents[len(documents)-1])
			Expect(sample.GetKind()).To(Equal("NSM"), file)
			Expect(admin.Create(ctx, sample, client.FieldValidation(metav1.FieldValidationStrict), client.DryRunAll)).To(Succeed(), file)
			Expect(warned.take()).To(BeEmpty(), file)
		}
	})

	It("begins with the example of an NSM", func() {
		Expect(examples).To(ContainElement(initial))
	})

	It("loses nothing that a registry of another release writes", func(ctx SpecContext) {
		entry := parse(`
apiVersion: networkservicemesh.io/v1
kind: NetworkServiceEndpoint
metadata: {name: of-another-release, namespace: nsm}
spec:
  networkServiceNames: [forwarder]
  expirationTime: "2026-01-01T00:00:00Z"
  expiration_time: {seconds: 1767225600, nanos: 5}
  later: [{a: {b: 1}}]`)
		stored := entry.DeepCopy()
		Expect(admin.Create(ctx, stored)).To(Succeed())
		Expect(stored.Object["spec"]).To(Equal(entry.Object["spec"]))
	})
})
