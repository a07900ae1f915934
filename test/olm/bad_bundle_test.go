// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
)

// badRelease is one whose image cannot be pulled.
func badRelease() {
	var before map[string]any
	var pods map[string]string

	It("leaves the replicas of the version before at work when the next one's image cannot be pulled", func(ctx SpecContext) {
		before, pods = specs(ctx, meshKey), podsOf(ctx, meshNamespace)
		users := startFewUsers(ctx, true)
		bad := release(next(1)).changeCSV(withImage(operatorImages + "missing"))
		begin := time.Now()
		catalog.serve(ctx, []channel{upgradeOf("stable", current(), bad)}, current(), bad)
		Eventually(func() []string { return waitingFor(ctx) }).WithContext(ctx).Should(ContainElement("ImagePullBackOff"))
		figure("from the new catalog to ImagePullBackOff", begin)
		users.Stop()
		users.Report("with the bad release")
		users.ExpectNothingLost(ctx)
		users.ExpectFewFailures(ctx, nil)
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(operatorRuns(ctx)).To(BeTrue())
	})

	It("leaves that release behind by subscribing again to the next one", func(ctx SpecContext) {
		good := release(next(2))
		usual.awaitPlans(ctx)
		usual.follow(ctx, documented("Starting again")[:2]...)
		usual.expectNobody(ctx, NewWithT(GinkgoT()))
		catalog.serve(ctx, []channel{upgradeOf("stable", current(), good)}, current(), good)
		begin := time.Now()
		usual.create(ctx)
		usual.awaitCSV(ctx, good.name)
		figure("from the Subscription to Succeeded", begin)
		usual.awaitQuiet(ctx, 5*time.Second)
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		awaitAvailable(ctx, meshKey)
	})
}

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
