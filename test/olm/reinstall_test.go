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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("A subscription with a live mesh", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		install(ctx)
		createMesh(ctx)
		awaitAvailable(ctx, meshKey)
	})

	// Nothing may be stored while nobody converts: fields would be lost.
	refusesOldVersion := func(ctx SpecContext) {
		GinkgoHelper()
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"written":"unconverted"}}}`))
		Expect(admin.Patch(ctx, object("v1alpha1", meshKey), patch)).NotTo(Succeed())
		Expect(admin.Get(ctx, meshKey, object("v1alpha1", meshKey))).NotTo(Succeed())
		stored := object("v1beta1", meshKey)
		Expect(admin.Get(ctx, meshKey, stored)).To(Succeed())
		Expect(stored.GetAnnotations()).NotTo(HaveKey("written"))
	}

	// forgetConverted has the API server forget the NSMs that it has converted before, as
	// its next start does: it answers lists from those, and OLM lists NSMs in each version
	// that is served before there is anybody to convert.
	forgetConverted := func(ctx SpecContext) {
		GinkgoHelper()
		definition := storedDefinition(ctx)
		addColumn("Forgotten")(definition)
		Expect(admin.Update(ctx, definition)).To(Succeed())
		Eventually(func() error {
			asking, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(object("v1alpha1", meshKey).GroupVersionKind())
			return admin.List(asking, list)
		}).WithContext(ctx).ShouldNot(Succeed())
	}

	It("goes on where it was when the CSV is deleted, and subscribed to again", func(ctx SpecContext) {
		before, pods := specs(ctx, meshKey), podsOf(ctx, meshNamespace)
		usual.delete(ctx)
		refusesOldVersion(ctx)
		forgetConverted(ctx)
		usual.create(ctx)
		usual.awaitCSV(ctx, current().name)
		usual.awaitQuiet(ctx)
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		awaitAvailable(ctx, meshKey)
	})

	It("goes on where it was when the operator's namespace is deleted, and made again", func(ctx SpecContext) {
		before, pods := specs(ctx, meshKey), podsOf(ctx, meshNamespace)
		deleteNamespace(ctx, usual.namespace)
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		expectNobodyBlocked(ctx)
		refusesOldVersion(ctx)
		forgetConverted(ctx)
		usual.create(ctx)
		usual.awaitCSV(ctx, current().name)
		usual.awaitQuiet(ctx)
		Expect(specs(ctx, meshKey)).To(Equal(before))
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
		awaitAvailable(ctx, meshKey)
	})
})

// expectGone waits until an NSM is.
func expectGone(ctx SpecContext, key client.ObjectKey) {
	GinkgoHelper()
	Eventually(func() error { return admin.Get(ctx, key, object("v1beta1", key)) }).
		WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
}

// deleteNamespace deletes one, and waits until it is gone.
func deleteNamespace(ctx SpecContext, name string) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(admin.Delete(ctx, namespaceOf(name)))).To(Succeed())
	Eventually(func() error { return admin.Get(ctx, client.ObjectKey{Name: name}, namespaceOf(name)) }).
		WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"), "namespace "+name)
}
