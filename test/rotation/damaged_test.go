// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rotation_test

import (
	"context"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
)

// An earlier operator's removal by OLM leaves the CRD without conversion. What somebody
// writes in v1alpha1 then is stored as if it were v1beta1: fields are lost, and
// forwarders have neither name nor, some of them, type.
var _ = Describe("An NSM that was written while nobody converted", Ordered, func() {
	// damaged are some to be changed, and some that nobody writes before they are deleted.
	var damaged, deleted []*unstructured.Unstructured

	BeforeAll(func(ctx SpecContext) {
		DeferCleanup(allowUnvalidated)
		server.Kubectl(ctx, "delete", "mutatingwebhookconfiguration/nsm-operator-defaults", "validatingwebhookconfiguration/nsm-operator-validation")
		crd := getCRD(ctx)
		crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
		Expect(admin.Update(ctx, crd)).To(Succeed())
		for _, shape := range []string{"flat", "lists", "lists-capital", "nested"} {
			damaged = append(damaged, storeUnconverted(ctx, shape))
			deleted = append(deleted, storeUnconverted(ctx, shape), storeUnconverted(ctx, shape))
		}
	}, NodeTimeout(10*time.Minute))

	It("is deleted by hand, in v1alpha1, while there is no operator", func(ctx SpecContext) {
		for _, shape := range []string{"flat", "lists", "lists-capital", "nested"} {
			nsm := storeUnconverted(ctx, shape)
			Expect(admin.Delete(ctx, nsmIn(nsm.GetNamespace()))).To(Succeed())
			Expect(admin.Patch(ctx, nsm, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(WithTransform(apierrors.IsNotFound, BeTrue()))
		}
	}, NodeTimeout(10*time.Minute))

	Context("with an operator", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			service := newService()
			service.add(startOperator(service.url), "")
			for _, nsm := range damaged {
				Eventually(func() error {
					return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{})
				}).Should(Succeed())
			}
		}, NodeTimeout(10*time.Minute))

		AfterAll(func(ctx SpecContext) {
			for _, nsm := range damaged {
				removeIn(ctx, nsm.GetNamespace())
			}
		}, NodeTimeout(10*time.Minute))

		It("can be read, labelled and corrected, in both versions", func(ctx SpecContext) {
			for _, nsm := range damaged {
				for _, version := range []string{nsmv1alpha1.GroupVersion.String(), nsmv1beta1.GroupVersion.String()} {
					object := nsm.DeepCopy()
					object.SetAPIVersion(version)
					Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
					Expect(admin.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"`+object.GetKind()+`"}}}`)))).To(Succeed())
				}
				correct := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"forwarders":[{"name":"forwarder-vpp","type":"vpp"}]}}`))
				Expect(admin.Patch(ctx, nsmIn(nsm.GetNamespace()), correct)).To(Succeed())
			}
		}, NodeTimeout(10*time.Minute))

		It("is deleted by the operator, or by hand in v1beta1", func(ctx SpecContext) {
			for n, nsm := range deleted {
				object := nsmIn(nsm.GetNamespace())
				Expect(admin.Delete(ctx, object)).To(Succeed())
				if byHand := n%2 == 0; byHand {
					// The operator repairs it first.
					Eventually(func() error {
						return client.IgnoreNotFound(admin.Patch(ctx, nsmIn(nsm.GetNamespace()), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
					}).Should(Succeed())
				}
				Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(object), object) }).
					Should(WithTransform(apierrors.IsNotFound, BeTrue()))
			}
		}, NodeTimeout(10*time.Minute))
	})
})

// storeUnconverted writes one of the shapes of v1alpha1, without the names of its forwarders.
func storeUnconverted(ctx context.Context, shape string) *unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile("../../internal/conversion/testdata/shapes/" + shape + ".yaml")
	Expect(err).NotTo(HaveOccurred())
	nsm := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(text, &nsm.Object)).To(Succeed())
	nsm.SetNamespace(newNamespaceWith(ctx, map[string]string{unvalidated: ""}))
	nsm.SetName("mesh")
	nsm.SetFinalizers([]string{controllers.Finalizer})
	unstructured.RemoveNestedField(nsm.Object, "status")
	forwarders, _, err := unstructured.NestedSlice(nsm.Object, "spec", "forwarders")
	Expect(err).NotTo(HaveOccurred())
	for _, forwarder := range forwarders {
		if fields, ok := forwarder.(map[string]any); ok {
			delete(fields, "name")
		}
	}
	if forwarders != nil {
		Expect(unstructured.SetNestedSlice(nsm.Object, forwarders, "spec", "forwarders")).To(Succeed())
	}
	// The API server takes a moment to notice that it converts no more.
	Eventually(func() error { return admin.Create(ctx, nsm.DeepCopy()) }).Should(Succeed())
	return nsm
}
