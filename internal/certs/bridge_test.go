// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/certs"
)

var _ = Describe("On the CRD of the bridge from the earlier operator", Ordered, func() {
	const bridge, bundle = "../../bridge/manifests/nsm.networkservicemesh.io_nsms.yaml", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml"
	key := client.ObjectKey{Namespace: "default", Name: "of-the-earlier-operator"}
	var (
		issuer  *certs.Issuer
		running context.Context
	)

	// use the older version, as others do all the time. Nothing may be left, since nobody
	// converts it here.
	use := func(ctx context.Context) error {
		nsm := &unstructured.Unstructured{}
		nsm.SetGroupVersionKind(schema.GroupVersionKind{Group: "nsm.networkservicemesh.io", Version: "v1alpha1", Kind: "NSM"})
		nsm.SetNamespace(key.Namespace)
		nsm.SetName(key.Name)
		return errors.Join(client.IgnoreAlreadyExists(admin.Create(ctx, nsm)), admin.Delete(ctx, nsm))
	}

	BeforeAll(func(ctx SpecContext) {
		var cancel context.CancelFunc
		running, cancel = context.WithCancel(context.Background()) //nolint:fatcontext // one for all specs
		DeferCleanup(cancel)
		deleteConfigurations(ctx)
		kubectl(ctx, "delete", "crd", crdName)
		kubectl(ctx, "create", "-f", bridge)
		DeferCleanup(func(ctx SpecContext) {
			cancel()
			deleteConfigurations(ctx)
			kubectl(ctx, "delete", "crd", crdName)
			kubectl(ctx, "create", "-f", bundle)
		})
		server.AwaitDefinitions(ctx, crdName)
		issuer = &certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: "https://" + freeAddress()}
		serve(running, issuer)
	})

	It("the operator changes nothing for users before it can be called", func(ctx SpecContext) {
		Expect(definition(ctx).Generation).To(BeEquivalentTo(1))
		Expect(mutatingConfiguration(ctx).Webhooks).To(ConsistOf(HaveField("Name", "definition.nsm.networkservicemesh.io")), "the guard")
		validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, validating)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		Eventually(func() error { return use(ctx) }).Should(Succeed())
	})

	It("then serves both versions, and leaves it at the older one to be stored", func(ctx SpecContext) {
		issuer.Ready(ctx)
		Eventually(func() []bool { return served(definition(ctx)) }).Should(Equal([]bool{true, true}))
		Expect(stored(definition(ctx))).To(Equal([]bool{true, false}))
		Expect(definition(ctx).Spec.Conversion.Webhook.ClientConfig.CABundle).NotTo(BeEmpty())
		Eventually(func() int { return len(mutatingConfiguration(ctx).Webhooks) }).Should(Equal(2))
		Eventually(func() []admissionregistrationv1.ValidatingWebhook { return validatingConfiguration(ctx).Webhooks }).Should(HaveLen(1))
	})

	It("OLM's next step stores the newer one, with all that the operator has written, and nobody goes back", func(ctx SpecContext) {
		right := definition(ctx).Spec.Conversion
		for _, file := range []string{bundle, bridge} {
			replace(ctx, "-f", file)
			Expect(served(definition(ctx))).To(Equal([]bool{true, true}), file)
			Expect(stored(definition(ctx))).To(Equal([]bool{false, true}), file)
			Expect(definition(ctx).Spec.Conversion).To(Equal(right), file)
		}
	})
})

// stored tells of each version whether it is.
func stored(crd *apiextensionsv1.CustomResourceDefinition) []bool {
	var all []bool
	for n := range crd.Spec.Versions {
		all = append(all, crd.Spec.Versions[n].Storage)
	}
	return all
}
