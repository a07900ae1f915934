// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
)

func TestTheLoopRestsLongerBetweenPassesForALargerMesh(t *testing.T) {
	g := NewWithT(t)
	after := func(nodes int32) time.Duration {
		forwarders := &appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: nodes}}
		return restAfter(&observation{Mesh: health.Mesh{Workloads: []health.Workload{{Live: forwarders}, {}, {Live: forwarders}}}})
	}
	g.Expect(after(3)).To(BeZero())
	g.Expect(after(100)).To(Equal(50 * time.Millisecond))
	g.Expect(after(1000)).To(Equal(500 * time.Millisecond))
}

func TestAPassIsPutOffWhileTheLoopRests(t *testing.T) {
	g := NewWithT(t)
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1", Generation: 2}}
	nsm.Status.ObservedGeneration = 2
	now := time.Now()
	r := &NSMReconciler{now: func() time.Time { return now }}
	scheme := runtime.NewScheme()
	g.Expect(nsmv1beta1.AddToScheme(scheme)).To(Succeed())
	r.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(nsm).WithStatusSubresource(nsm).Build()
	g.Expect(r.restOf(nsm)).To(BeNumerically("<=", 0), "of a mesh that was not looked at yet nothing is known")

	r.recognize(nsm)
	r.memories.of(nsm).restUntil = now.Add(300 * time.Millisecond)
	result, err := r.pass(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(nsm)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result).To(Equal(ctrl.Result{RequeueAfter: 300 * time.Millisecond}))

	now = now.Add(time.Second)
	g.Expect(r.restOf(nsm)).To(BeNumerically("<=", 0))
	now = now.Add(-time.Second)
	nsm.Generation = 3
	g.Expect(r.restOf(nsm)).To(BeZero(), "the user has written")
}
