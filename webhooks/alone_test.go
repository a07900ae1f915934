// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

func TestAnNSMThatOnlyTheCacheKnowsIsNotInTheWay(t *testing.T) {
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(nsmv1beta1.AddToScheme(scheme)).To(Succeed())
	before := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "before"}}
	next := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "next"}}
	known := fake.NewClientBuilder().WithScheme(scheme).WithObjects(before).Build()
	gone := fake.NewClientBuilder().WithScheme(scheme).Build()

	refused, err := (&validator{reader: known, dryRun: dryRun{client: known}}).validateAlone(t.Context(), next)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(refused).To(ConsistOf(HaveField("Detail", ContainSubstring("cannot live beside the NSM nsm/before"))))
	g.Expect((&validator{reader: known, dryRun: dryRun{client: gone}}).validateAlone(t.Context(), next)).To(BeEmpty())
}

func TestTheAPIServerIsAskedAboutOneOfManyThatAreInTheWay(t *testing.T) {
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	g.Expect(nsmv1beta1.AddToScheme(scheme)).To(Succeed())
	builder := fake.NewClientBuilder().WithScheme(scheme)
	for n := range 100 {
		builder = builder.WithObjects(&nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "before-" + strconv.Itoa(n)}})
	}
	asked := 0
	known := builder.WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			asked++
			return c.Get(ctx, key, object, options...)
		},
	}).Build()
	next := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "next"}}
	g.Expect((&validator{reader: known, dryRun: dryRun{client: known}}).validateAlone(t.Context(), next)).To(HaveLen(100))
	g.Expect(asked).To(Equal(1))
}
