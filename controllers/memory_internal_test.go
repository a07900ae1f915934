// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

func TestNothingIsKnownOfTheSuccessorOfAnNSM(t *testing.T) {
	g := NewWithT(t)
	cluster := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
	r := &NSMReconciler{applier: apply.New(cluster, cluster, mesh.LabelManagedBy, mesh.LabelNSM, mesh.LabelNamespace)}
	named := func(name string, uid types.UID) *nsmv1beta1.NSM {
		return &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: name, UID: uid}}
	}
	first, second, other := named("mesh", "1"), named("mesh", "2"), named("other", "3")
	for _, nsm := range []*nsmv1beta1.NSM{first, other} {
		r.recognize(nsm)
		known := r.memories.of(nsm)
		known.mayHaveObjects, known.lostRaces = true, 1
		known.diagnoses["nsmgr"] = diagnosis{of: "it"}
		known.measured.Store(&metrics.Observed{Contested: 1})
	}

	r.recognize(first)
	g.Expect(r.memories.of(first).diagnoses).To(HaveLen(1), "it is the same NSM")
	r.recognize(second)
	g.Expect(r.memories.of(second).diagnoses).To(BeEmpty())
	g.Expect(r.memories.of(second).lostRaces).To(BeZero())
	g.Expect(r.memories.measured(second)).To(Equal(metrics.Observed{}))
	g.Expect(r.memories.of(second).mayHaveObjects).To(BeTrue(), "what was made is still there")
	g.Expect(r.memories.of(other).diagnoses).To(HaveLen(1), "it has not changed")
	g.Expect(r.memories.measured(other).Contested).To(Equal(1))

	r.memories.drop(second)
	r.memories.drop(other)
	g.Expect(r.memories.measured(other)).To(Equal(metrics.Observed{}))
	g.Expect(r.memories.known).To(BeEmpty(), "Prometheus asks about every NSM, and nothing is kept for that")
}
