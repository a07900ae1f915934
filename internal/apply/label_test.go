// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/networkservicemesh/nsm-operator/internal/backoff"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("The labels of an object that is not ours", func() {
	var (
		api     client.Client
		applier *Applier
		now     *clocktesting.FakePassiveClock
		object  *metav1.PartialObjectMetadata
	)

	BeforeEach(func() {
		api = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithReturnManagedFields().WithObjects(&corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "nsm", Labels: map[string]string{"theirs": "1", "ours": "theirs"}},
		}).Build()
		applier, now = New(api, api), clocktesting.NewFakePassiveClock(time.Now())
		applier.backoff = backoff.New[identity](now)
		object = &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: "nsm", Labels: map[string]string{"ours": "1"}},
		}
	})

	live := func(ctx SpecContext) map[string]string {
		GinkgoHelper()
		namespace := &corev1.Namespace{}
		Expect(api.Get(ctx, client.ObjectKeyFromObject(object), namespace)).To(Succeed())
		return namespace.Labels
	}
	label := func(ctx SpecContext, found map[string]string) []Change {
		GinkgoHelper()
		changes, err := applier.Label(ctx, object, found)
		Expect(err).NotTo(HaveOccurred())
		return changes
	}
	meddle := func(ctx SpecContext) {
		GinkgoHelper()
		Expect(api.Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"ours":"theirs"}}}`)))).To(Succeed())
	}
	updated := Change{Action: Updated, APIVersion: "v1", Kind: "Namespace", Name: "nsm"}
	repaired := updated
	repaired.Action = Repaired

	It("are put there, brought back, and taken off, and those of others stay", func(ctx SpecContext) {
		Expect(label(ctx, live(ctx))).To(ConsistOf(updated))
		Expect(live(ctx)).To(Equal(map[string]string{"theirs": "1", "ours": "1"}))
		Expect(label(ctx, live(ctx))).To(BeEmpty())
		meddle(ctx)
		Expect(label(ctx, live(ctx))).To(ConsistOf(repaired))
		Expect(applier.Unlabel(ctx, object)).To(Succeed())
		Expect(live(ctx)).To(Equal(map[string]string{"theirs": "1"}))
		Expect(label(ctx, live(ctx))).To(ConsistOf(updated), "what was taken off on purpose nobody has undone")
	})

	It("are brought back when they were right before we came", func(ctx SpecContext) {
		Expect(label(ctx, map[string]string{"ours": "1"})).To(BeEmpty())
		Expect(label(ctx, live(ctx))).To(ConsistOf(repaired))
	})

	It("count once for a caller who has not seen them yet", func(ctx SpecContext) {
		// As an API server does, and the fake client does not: writing what is there
		// makes no new version.
		applier.client = interceptor.NewClient(fake.NewFakeClient(), interceptor.Funcs{
			Apply: func(_ context.Context, _ client.WithWatch, written runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
				namespace, ok := written.(metav1.Object)
				Expect(ok).To(BeTrue())
				namespace.SetResourceVersion("7")
				return nil
			},
		})
		before := map[string]string{"ours": "theirs"}
		Expect(label(ctx, before)).To(ConsistOf(updated))
		for range 2 * backoff.FreeRepeats {
			Expect(label(ctx, before)).To(BeEmpty())
		}
		names, _ := applier.Contested([]mesh.Object{object})
		Expect(names).To(BeEmpty())
	})

	It("are no cause for a fight", func(ctx SpecContext) {
		for range backoff.FreeRepeats + 1 {
			Expect(label(ctx, live(ctx))).To(HaveLen(1))
			meddle(ctx)
		}
		Expect(label(ctx, live(ctx))).To(BeEmpty())
		names, again := applier.Contested([]mesh.Object{object})
		Expect(names).To(ConsistOf("Namespace nsm"))
		now.SetTime(now.Now().Add(again))
		Expect(label(ctx, live(ctx))).To(ConsistOf(repaired))
	})
})
