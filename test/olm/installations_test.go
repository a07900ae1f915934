// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
)

var _ = Describe("A second subscription in another namespace", Ordered, func() {
	second := subscription{"nsm-operator-second", "stable", operatorsv1alpha1.ApprovalAutomatic}

	BeforeAll(func(ctx SpecContext) {
		install(ctx)
		createMesh(ctx)
		awaitAvailable(ctx, meshKey)
	})

	// OLM copies the CSV into all namespaces, and takes the copy for the one that the
	// second Subscription asks for.
	It("installs nothing more, and does not disturb the first", func(ctx SpecContext) {
		usual.awaitQuiet(ctx)
		before, pods, replicas := specs(ctx, meshKey), podsOf(ctx, meshNamespace), podsOf(ctx, usual.namespace)
		authority, service := caBundle(ctx), conversionNamespace(ctx)
		second.create(ctx)
		Eventually(func(g Gomega) {
			g.Expect(second.plans(ctx)).To(ConsistOf(HaveField("Status.Phase", operatorsv1alpha1.InstallPlanPhaseComplete)))
			g.Expect(second.csvs(ctx)).To(ConsistOf(HaveField("Labels", HaveKeyWithValue(operatorsv1alpha1.CopiedLabelKey, usual.namespace))))
		}).WithContext(ctx).Should(Succeed())
		usual.awaitQuiet(ctx)
		usual.awaitCSV(ctx, current().name)
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		Expect(podsOf(ctx, usual.namespace)).To(Equal(replicas), "the replicas of the operator")
		Expect(podsOf(ctx, second.namespace)).To(BeEmpty())
		Expect(caBundle(ctx)).To(Equal(authority))
		Expect(conversionNamespace(ctx)).To(Equal(service))
	})

	It("works once the first is gone", func(ctx SpecContext) {
		before, pods := specs(ctx, meshKey), podsOf(ctx, meshNamespace)
		usual.delete(ctx)
		second.delete(ctx)
		second.create(ctx)
		second.awaitCSV(ctx, current().name)
		second.awaitQuiet(ctx)
		Expect(conversionNamespace(ctx)).To(Equal(second.namespace), "where the API server asks for conversion")
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		awaitAvailable(ctx, meshKey)
	})
})
