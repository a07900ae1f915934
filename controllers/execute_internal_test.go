// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// The last object of a mesh may go at any moment: so, between the waves that wait for that.
// None of them may then overtake another one, such as the NSM the entries of its registry.
func TestWhatGoesWithinAPassOpensNoGateOfIt(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}}
	last := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "nsm", Name: "nsmgr", Labels: mesh.OwnerLabels(nsm),
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(nsm, nsmv1beta1.GroupVersion.WithKind("NSM"))},
	}}
	cluster := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(last).Build()
	gate := rollout.Gate{Gone: []mesh.Object{&appsv1.DaemonSet{}}}
	pass := func() *execution {
		return &execution{r: &NSMReconciler{applier: apply.New(cluster, cluster)}, d: desired{input: mesh.Input{NSM: nsm}}}
	}

	x := pass()
	g.Expect(x.isOpen(ctx, gate)).To(BeFalse(), "it is there")
	g.Expect(cluster.Delete(ctx, last)).To(Succeed())
	g.Expect(x.isOpen(ctx, gate)).To(BeFalse(), "what has waited for it comes first")
	g.Expect(pass().isOpen(ctx, gate)).To(BeTrue(), "in the next pass")
}
