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
)

var _ = Describe("A release whose image cannot be pulled", Ordered, func() {
	var before map[string]any
	var pods map[string]string

	BeforeAll(func(ctx SpecContext) {
		install(ctx)
		createMesh(ctx)
		awaitAvailable(ctx, meshKey)
		before, pods = specs(ctx, meshKey), podsOf(ctx, meshNamespace)
	})

	It("leaves the replicas of the version before at work", func(ctx SpecContext) {
		bad := release("2.1.0").changeCSV(withImage(operatorImages + "missing"))
		catalog.serve(ctx, []channel{upgradeOf("stable", current(), bad)}, current(), bad)
		Eventually(func() []string { return waitingFor(ctx) }).WithContext(ctx).Should(ContainElement("ImagePullBackOff"))
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(operatorRuns(ctx)).To(BeTrue())
	})

	It("is left behind by subscribing again to the next one", func(ctx SpecContext) {
		good := release("2.1.1")
		usual.delete(ctx)
		catalog.serve(ctx, []channel{upgradeOf("stable", current(), good)}, current(), good)
		usual.create(ctx)
		usual.awaitCSV(ctx, good.name)
		usual.awaitQuiet(ctx)
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		awaitAvailable(ctx, meshKey)
	})
})

func withImage(image string) func(*operatorsv1alpha1.ClusterServiceVersion) {
	return func(csv *operatorsv1alpha1.ClusterServiceVersion) {
		deployment := &csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0]
		deployment.Spec.Template.Spec.Containers[0].Image = image
	}
}

// waitingFor are the reasons for which containers of the operator do not run.
func waitingFor(ctx context.Context) []string {
	GinkgoHelper()
	var reasons []string
	for _, pod := range operatorPods(ctx) {
		for _, container := range pod.Status.ContainerStatuses {
			if waiting := container.State.Waiting; waiting != nil {
				reasons = append(reasons, waiting.Reason)
			}
		}
	}
	return reasons
}
