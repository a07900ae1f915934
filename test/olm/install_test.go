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

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

var _ = Describe("A subscription", Ordered, func() {
	var before map[string]bool

	BeforeAll(func(ctx SpecContext) {
		before = everything(ctx)
		DeferCleanup(cleanUp)
		catalog.serveShipped(ctx, predecessor())
	})

	It("installs the operator, which installs a mesh", func(ctx SpecContext) {
		begin := time.Now()
		usual.create(ctx)
		usual.follow(ctx, documented("Subscribing")...)
		figure("from the Subscription to Succeeded", begin)
		usual.awaitCSV(ctx, current().name)
		for _, plan := range usual.plans(ctx) {
			Expect(plan.Spec.ClusterServiceVersionNames).To(ConsistOf(current().name), "the bridge is for those who have 1.8.0")
		}
		usual.follow(ctx, documented("Troubleshooting")...)
		begin = time.Now()
		usual.follow(ctx, documented("The first mesh")...)
		awaitAvailable(ctx, meshKey)
		figure("from the NSM to Available", begin)
		Expect(podsOf(ctx, meshNamespace)).To(HaveLen(9))
	})

	It("leaves only what is documented when the mesh is deleted first, and then the subscription and the CSV", func(ctx SpecContext) {
		usual.follow(ctx, documented("Uninstalling")[0])
		expectGone(ctx, meshKey)
		usual.delete(ctx) // as the document says where the CSV is back
		expectNobodyBlocked(ctx)
		deleteNamespace(ctx, meshNamespace)
		expectLeft(ctx, before, leftByOLM()...)
	})

	It("starts again from what that has left", func(ctx SpecContext) {
		begin := time.Now()
		usual.create(ctx)
		usual.awaitCSV(ctx, current().name)
		figure("from the Subscription to Succeeded", begin)
		usual.follow(ctx, documentedIn(openshiftPage, "The first mesh")...)
		awaitAvailable(ctx, meshKey)
	})

	It("takes the catalog that is documented for OpenShift", func(ctx SpecContext) {
		begin := time.Now()
		kubectl(ctx, "create", "namespace", "openshift-marketplace")
		usual.follow(ctx, documentedIn(openshiftPage, "Install")...)
		kubectl(ctx, "wait", "--for=jsonpath={.status}", "catalogsource/nsm-operator", "-n", "openshift-marketplace", "--timeout=5m")
		figure("from the catalog to its status", begin)
		deleteNamespace(ctx, "openshift-marketplace")
	})

	It("lets its mesh run on when the CSV is deleted first, and lets it go when its finalizer is removed", func(ctx SpecContext) {
		pods := podsOf(ctx, meshNamespace)
		begin := time.Now()
		usual.delete(ctx)
		figure("until the operator is gone", begin)
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		expectNobodyBlocked(ctx)

		nsm := &nsmv1beta1.NSM{}
		Expect(admin.Get(ctx, meshKey, nsm)).To(Succeed())
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		release := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		Expect(client.IgnoreNotFound(admin.Patch(ctx, nsm, release))).To(Succeed())
		expectGone(ctx, meshKey)
		Eventually(func() map[string]string { return podsOf(ctx, meshNamespace) }).WithContext(ctx).Should(BeEmpty())
		Expect(admin.Delete(ctx, definition(nsmDefinition))).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, definition(nsmDefinition)) }).
			WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
		deleteNamespace(ctx, meshNamespace)
		deleteNamespace(ctx, usual.namespace)
	})
})
