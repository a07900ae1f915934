// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/test/documents"
	"github.com/networkservicemesh/nsm-operator/test/earlier"
)

const upgradingPage = "docs/upgrading.md"

// Everything that 1.9's own "make deploy" installs, an NSM that was written in its
// version and stored in it, and the mesh that it has made of that; over that, ours.
var _ = Describe("make deploy over an earlier operator", Ordered, SpecPriority(1), func() {
	const definition = "nsms.nsm.networkservicemesh.io"

	BeforeAll(launchWithPods)

	// apply what people have applied then, from files.
	apply := func(ctx context.Context, objects ...*unstructured.Unstructured) {
		GinkgoHelper()
		for _, object := range objects {
			content, err := yaml.Marshal(object.Object)
			Expect(err).NotTo(HaveOccurred())
			file := filepath.Join(GinkgoT().TempDir(), "object.yaml")
			Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
			kubectl(ctx, "apply", "-f", file)
		}
	}
	stored := func(ctx context.Context) []string {
		GinkgoHelper()
		versions, err := read(ctx, crdResource, "", definition, `{.status.storedVersions[*]}`)
		Expect(err).NotTo(HaveOccurred())
		return strings.Fields(versions)
	}

	DescribeTable("takes its mesh over, and what it has stored", func(ctx SpecContext, example string, pods map[string]int) {
		apply(ctx, earlier.Definitions()...)
		awaitDefinitions(ctx)
		apply(ctx, earlier.Operator()...)
		apply(ctx, earlier.NSM(example))
		old := earlier.NSM(example)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(old), old)).To(Succeed())
		before := earlier.Mesh(example, old)
		for _, object := range before {
			Expect(admin.Create(ctx, object, earlier.FieldOwner)).To(Succeed())
		}
		kubectl(ctx, "rollout", "status", "-n", namespace, "daemonset/nsmgr", "--timeout=3m")
		kubectl(ctx, "patch", "nsm", old.GetName(), "-n", namespace, "--subresource=status", "--type=merge", "-p", `{"status":{"phase":"Running"}}`)
		Expect(stored(ctx)).To(ConsistOf("v1alpha1"))

		for _, block := range blocksOf("Without OLM") {
			run(ctx, block, documentedImage, shippedImage)
		}
		err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "nsm-operator"}, &appsv1.Deployment{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)

		waitAvailable(ctx)
		// Those of workloads that were replaced may still be ending.
		Eventually(func() map[string]int { return count(podsOf(ctx)) }).WithContext(ctx).Should(Equal(pods))
		Eventually(func() []string { return stored(ctx) }).Should(ConsistOf("v1beta1"))
		for _, object := range before {
			err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
			if !apierrors.IsNotFound(err) {
				Expect(err).NotTo(HaveOccurred())
				Expect(object.GetLabels()).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "nsm-operator"), object.GetName())
			}
		}

		By("it reads in its own version as it was written")
		now := earlier.NSM(example)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(now), now)).To(Succeed())
		Expect(now.Object["spec"]).To(Equal(old.Object["spec"]))

		By("what the documents say to remove can be removed, and the mesh goes on")
		for _, block := range blocksOf("What is left of the earlier operator") {
			run(ctx, block)
		}
		for _, object := range earlier.Operator() {
			err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
			if object.GetKind() == "Namespace" {
				Expect(err).NotTo(HaveOccurred(), "the mesh is there")
				continue
			}
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%s %s: %v", object.GetKind(), object.GetName(), err)
		}
		waitAvailable(ctx)

		By("nothing is left of either after make undeploy")
		runMake(ctx, "undeploy")
		expectNothingOurs(ctx)
		kubectl(ctx, "delete", "namespace", namespace, "--timeout=3m")
	},
		Entry("of the example that OperatorHub offered", "alm-example", map[string]int{"nsm-registry": 1, "nsmgr": 3, "forwarder-vpp": 3, "admission-webhook-k8s": 1}, NodeTimeout(10*time.Minute)),
		Entry("of an NSM that uses all there was", "nested", map[string]int{
			"nsm-registry": 2, "nsmgr": 3, "forwarder-vpp": 3, "switch": 3, "admission-webhook-k8s": 1,
		}, NodeTimeout(10*time.Minute)),
	)

	It("leaves one alone that OLM has installed, and says so", func(ctx SpecContext) {
		for _, object := range earlier.Operator() {
			if object.GetKind() == "Deployment" {
				object.SetLabels(map[string]string{"control-plane": "nsm-operator", "olm.owner": "nsm-operator.v1.8.0"})
			}
			apply(ctx, object)
		}
		said, err := tryMake(ctx, "deploy", "30s", "SPIRE=external")
		Expect(err).To(HaveOccurred())
		Expect(said).To(ContainSubstring("OLM has installed the operator in namespace nsm, as nsm-operator.v1.8.0"))
		Expect(said).To(ContainSubstring("nothing was changed"))
		kubectl(ctx, "get", "deployment", "nsm-operator", "-n", namespace)
		err = admin.Get(ctx, client.ObjectKey{Name: definition}, &apiextensionsv1.CustomResourceDefinition{})
		Expect(apierrors.IsNotFound(err) || runtime.IsNotRegisteredError(err)).To(BeTrue(), "%v", err)
	}, NodeTimeout(10*time.Minute))
})

// blocksOf the document about upgrades that are run here, under a heading.
func blocksOf(heading string) []documents.Block {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(root, upgradingPage))
	Expect(err).NotTo(HaveOccurred())
	blocks := documents.Of(documents.Blocks(string(content)), func(b documents.Block) bool {
		return b.Kind == documents.Pods && b.Heading == heading
	})
	Expect(blocks).NotTo(BeEmpty(), heading)
	return blocks
}
