// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
)

// second is a subscription in another namespace.
var second = subscription{"nsm-operator-second", "stable", operatorsv1alpha1.ApprovalAutomatic}

// secondInstallation is one beside the first, and then instead of it.
func secondInstallation() {
	// OLM copies the CSV into all namespaces, and takes the copy for the one that the
	// second Subscription asks for.
	It("is not disturbed by a second one in another namespace, which installs nothing more", func(ctx SpecContext) {
		before, pods, replicas := specs(ctx, meshKey), podsOf(ctx, meshNamespace), podsOf(ctx, usual.namespace)
		authority, service := caBundle(ctx), conversionNamespace(ctx)
		users := startFewUsers(ctx, true)
		begin := time.Now()
		second.create(ctx)
		Eventually(func(g Gomega) {
			g.Expect(second.plans(ctx)).To(ConsistOf(HaveField("Status.Phase", operatorsv1alpha1.InstallPlanPhaseComplete)))
			g.Expect(second.csvs(ctx)).To(ConsistOf(HaveField("Labels", HaveKeyWithValue(operatorsv1alpha1.CopiedLabelKey, usual.namespace))))
		}).WithContext(ctx).Should(Succeed())
		figure("from the second Subscription to its plan's end", begin)
		usual.awaitQuiet(ctx, 5*time.Second)
		users.Stop()
		users.Report("with the second Subscription")
		users.ExpectNothingLost(ctx)
		users.ExpectFewFailures(ctx, nil)
		Expect(usual.phases(ctx)).To(ConsistOf(operatorsv1alpha1.CSVPhaseSucceeded))
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		Expect(podsOf(ctx, usual.namespace)).To(Equal(replicas), "the replicas of the operator")
		Expect(podsOf(ctx, second.namespace)).To(BeEmpty())
		Expect(caBundle(ctx)).To(Equal(authority))
		Expect(conversionNamespace(ctx)).To(Equal(service))
	})

	It("can be replaced by the second one", func(ctx SpecContext) {
		before, pods := specs(ctx, meshKey), podsOf(ctx, meshNamespace)
		usual.delete(ctx)
		second.delete(ctx)
		begin := time.Now()
		second.create(ctx)
		second.awaitCSV(ctx, csvOf(next(2)))
		figure("from the Subscription to Succeeded", begin)
		second.awaitQuiet(ctx, 5*time.Second)
		Expect(conversionNamespace(ctx)).To(Equal(second.namespace), "where the API server asks for conversion")
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		awaitAvailable(ctx, meshKey)
	})
}
