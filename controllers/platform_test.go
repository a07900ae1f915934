// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// staticEntries is another kind in the group of ClusterSPIFFEIDs.
const staticEntries = `{
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "clusterstaticentries.spire.spiffe.io"},
  "spec": {
    "group": "spire.spiffe.io", "scope": "Cluster",
    "names": {"kind": "ClusterStaticEntry", "plural": "clusterstaticentries"},
    "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]
  }
}`

var _ = Describe("A kind that the cluster does not serve, though it serves the group", func() {
	It("takes no mesh down, and holds up no deletion", func(ctx SpecContext) {
		crd := &unstructured.Unstructured{}
		Expect(crd.UnmarshalJSON([]byte(staticEntries))).To(Succeed())
		Expect(admin.Create(ctx, crd)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, crd)).To(Succeed()) })
		server.AwaitDefinitions(ctx, crd.GetName())

		// As if the kind had been there when it looked, and gone since.
		startOperatorOn(mesh.Platform{ClusterSPIFFEIDs: true}, &requests{})
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(Succeed())
			g.Expect(meta.IsStatusConditionFalse(nsm.Status.Conditions, nsmv1beta1.ConditionDegraded)).To(BeTrue(), "%v", nsm.Status.Conditions)
			g.Expect(meta.IsStatusConditionTrue(nsm.Status.Conditions, nsmv1beta1.ConditionSpireReady)).To(BeFalse())
		}).Should(Succeed())
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm) }).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
	})
})
