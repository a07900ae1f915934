// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("A subscription with manual approval", Ordered, func() {
	manual := subscription{usual.namespace, "stable", operatorsv1alpha1.ApprovalManual}
	var next bundle

	BeforeAll(func(ctx SpecContext) {
		DeferCleanup(cleanUp)
		next = release("2.1.0").changeCRD(addColumn(columnOf("2.1.0")))
		catalog.serve(ctx, []channel{{"stable", []entry{{Name: current().name}}}}, current())
	})

	It("installs nothing before it is approved", func(ctx SpecContext) {
		manual.create(ctx)
		manual.awaitPlan(ctx, current().name)
		Expect(manual.csvs(ctx)).To(BeEmpty())
		Expect(admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, definition(nsmDefinition))).NotTo(Succeed())
		manual.follow(ctx, documented("Approving by hand")...)
		manual.awaitCSV(ctx, current().name)
	})

	It("changes nothing before an upgrade is approved", func(ctx SpecContext) {
		createMesh(ctx)
		awaitAvailable(ctx, meshKey)
		catalog.serve(ctx, []channel{upgradeOf("stable", current(), next)}, current(), next)
		manual.awaitPlan(ctx, next.name)
		Expect(manual.phases(ctx)).To(HaveLen(1))
		Expect(columns(ctx)).NotTo(ContainElement(columnOf("2.1.0")))
		manual.follow(ctx, documented("Approving by hand")...)
		manual.awaitCSV(ctx, next.name)
		Expect(columns(ctx)).To(ContainElement(columnOf("2.1.0")))
		awaitAvailable(ctx, meshKey)
	})
})

// awaitPlan waits until there is a plan for a version that waits for approval.
func (s subscription) awaitPlan(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var waiting []string
		for _, plan := range s.plans(ctx) {
			if plan.Status.Phase == operatorsv1alpha1.InstallPlanPhaseRequiresApproval {
				waiting = append(waiting, plan.Spec.ClusterServiceVersionNames...)
			}
		}
		g.Expect(waiting).To(ConsistOf(name))
	}).WithContext(ctx).Should(Succeed())
}
