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

	"github.com/networkservicemesh/nsm-operator/test/hammer"
)

// reinstalling a subscription after it is gone, in two ways.
func reinstalling() {
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

	for _, removal := range []struct {
		name string
		of   func(ctx SpecContext)
	}{
		{"its CSV is deleted", func(ctx SpecContext) { usual.delete(ctx) }},
		{"the operator's namespace is deleted", func(ctx SpecContext) { deleteNamespace(ctx, usual.namespace) }},
	} {
		It("goes on where it was when "+removal.name+", and it is subscribed to again", func(ctx SpecContext) {
			before, pods, entries := specs(ctx, meshKey), podsOf(ctx, meshNamespace), registered(ctx)
			users := startFewUsers(ctx, false) // as long as there is no operator
			begin := time.Now()
			removal.of(ctx)
			figure("until the operator is gone", begin)
			Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
			expectNobodyBlocked(ctx)
			refusesOldVersion(ctx)
			forgetConverted(ctx)
			begin = time.Now()
			usual.create(ctx)
			usual.awaitCSV(ctx, current().name)
			figure("from the Subscription to Succeeded", begin)
			usual.awaitQuiet(ctx, 5*time.Second)
			users.Stop()
			users.Report("without an operator, and with it again")

			users.ExpectNothingLost(ctx)
			users.ExpectFewFailures(ctx, hammer.Failure.IsForWantOfOperator)
			Expect(specs(ctx, meshKey)).To(Equal(before))
			Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))
			Expect(registered(ctx)).To(Equal(entries), "what clients have registered")
			awaitAvailable(ctx, meshKey)
		})
	}
}

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
