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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/hammer"
)

// The worst moment: the definition is a new one, and nobody can convert.
var _ = Describe("An upgrade from the published 1.8.0 whose operator never starts", func() {
	var (
		spec      any
		workloads map[string]string
		entries   map[string]any
		users     *hammer.Hammer
	)

	BeforeEach(func(ctx SpecContext) {
		DeferCleanup(cleanUp)
		old := predecessor()
		catalog.serve(ctx, []channel{{"alpha", []entry{{Name: old.name}}}}, old)
		published.create(ctx)
		published.awaitCSV(ctx, old.name)
		spec, _ = createEarlierMesh(ctx, "alm-example")
		workloads, entries = workloadsOf(ctx, meshNamespace), registered(ctx)
		users = startHammer(ctx, "v1beta1")
		begin := time.Now()
		bad := bridge().copy(bridge().name).changeCSV(withImage(operatorImages + "missing"))
		catalog.serve(ctx, []channel{upgradeOf("alpha", old, bad)}, old, bad)
		Eventually(func() []string { return waitingFor(ctx) }).WithContext(ctx).Should(ContainElement("ImagePullBackOff"))
		figure("from the new catalog to ImagePullBackOff", begin)

		By("what the earlier operator has left can be read and written as before")
		users.Stop()
		users.Report("with the bridge that does not start")
		users.ExpectNothingLost(ctx)
		users.ExpectServed("v1alpha1")
		users.ExpectFewFailures(ctx, nil)
		Expect(storedDefinition(ctx).Status.StoredVersions).To(Equal([]string{"v1alpha1"}))
		Expect(admin.Get(ctx, meshKey, object("v1beta1", meshKey))).NotTo(Succeed())
	})

	It("goes on by the documented commands, and loses nothing", func(ctx SpecContext) {
		published.awaitPlans(ctx)
		commands := documented("Starting again")
		published.follow(ctx, commands[0], commands[2])
		published.expectNobody(ctx, NewWithT(GinkgoT()))
		readable := object("v1alpha1", meshKey)
		Eventually(func() error { return admin.Get(ctx, meshKey, readable) }).WithContext(ctx).Should(Succeed())
		Expect(readable.Object["spec"]).To(Equal(spec))
		Expect(workloadsOf(ctx, meshNamespace)).To(Equal(workloads), "the mesh")

		catalog.serve(ctx, []channel{{"alpha", []entry{{Name: current().name}}}}, current())
		begin := time.Now()
		published.create(ctx)
		published.awaitCSV(ctx, current().name)
		figure("from the Subscription to Succeeded", begin)
		awaitTakenOver(ctx)
		figure("from the Subscription to Available", begin)
		users.ExpectNothingLost(ctx)
		Expect(specs(ctx, meshKey)["v1alpha1"]).To(Equal(spec))
		Expect(registered(ctx)).To(Equal(entries), "what clients have registered")
		Eventually(func() []string { return storedDefinition(ctx).Status.StoredVersions }).WithContext(ctx).Should(Equal([]string{"v1beta1"}))
	})

	It("is given up by the documented commands, and leaves nothing undeletable", func(ctx SpecContext) {
		published.awaitPlans(ctx)
		published.follow(ctx, documented("Starting again")[0])
		published.follow(ctx, documented("Giving up an upgrade from 1.8.0")...)
		published.expectNobody(ctx, NewWithT(GinkgoT()))
		Expect(admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, definition(nsmDefinition))).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		deleteNamespace(ctx, meshNamespace)
	})
})
