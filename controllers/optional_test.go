// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

var _ = Describe("vL3's IP address managers and the dashboard", func() {
	optional := []string{
		"Deployment vl3-ipam", "Service vl3-ipam", "ServiceAccount vl3-ipam",
		"Deployment vl3-ipam-ipv6", "Service vl3-ipam-ipv6", "ServiceAccount vl3-ipam-ipv6",
		"Deployment dashboard", "Service dashboard-ui", "Service dashboard-backend", "ServiceAccount dashboard",
	}
	var (
		o      *operator
		nsm    *nsmv1beta1.NSM
		before []string
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newNSM(ctx, nsmv1beta1.NSMSpec{Version: oldState})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet forwarder-vpp"))
		bringAllUp(ctx, nsm)
		before = names(ctx, nsm)
		for _, conditionType := range []string{nsmv1beta1.ConditionVL3Ready, nsmv1beta1.ConditionDashboardReady} {
			Expect(condition(ctx, nsm, conditionType)()).To(BeEmpty())
		}
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) {
			n.Spec.VL3 = &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{}, {Name: "vl3-ipam-ipv6", Prefix: "2001:db8::/64"}}}
			n.Spec.Dashboard = &nsmv1beta1.DashboardSpec{}
		})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements(optional))
	})

	It("come when they are asked for, count as parts of the mesh, and go when they are not", func(ctx SpecContext) {
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionVL3Ready)).Should(Equal("False"))
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionDashboardReady)).Should(Equal("False"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionAvailable)()).To(Equal("False"))

		setDeployment(ctx, nsm, "vl3-ipam", oneUp)
		setDeployment(ctx, nsm, "dashboard", oneUp)
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionDashboardReady)).Should(Equal("True"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionVL3Ready)()).To(Equal("False"), "one of two is not ready")
		bringAllUp(ctx, nsm)
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionVL3Ready)()).To(Equal("True"))
		settle(o)
		reconcileOften(ctx, o, nsm)

		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.VL3.IPAMs = n.Spec.VL3.IPAMs[:1] })
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(ContainSubstring("vl3-ipam-ipv6")))
		Expect(names(ctx, nsm)).To(ContainElement("Deployment vl3-ipam"))
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.VL3, n.Spec.Dashboard = nil, nil })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(before))
		for _, conditionType := range []string{nsmv1beta1.ConditionVL3Ready, nsmv1beta1.ConditionDashboardReady} {
			Eventually(condition(ctx, nsm, conditionType)).Should(BeEmpty())
		}
	})

	It("change to another release in their turn: managers of addresses early, the dashboard last", func(ctx SpecContext) {
		bringAllUp(ctx, nsm)
		settle(o)
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Version = newState })
		turns := []string{"nsm-registry", "vl3-ipam", "vl3-ipam-ipv6", "nsmgr", "forwarder-vpp", "dashboard"}
		for i, workload := range turns {
			Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue(workload, newState))
			settle(o)
			for _, later := range turns[i+1:] {
				Expect(releases(ctx, nsm)()).To(HaveKeyWithValue(later, oldState), later+" waits for "+workload)
			}
			if workload == "nsmgr" || workload == "forwarder-vpp" {
				setDaemonSet(ctx, nsm, workload, threeUp)
			} else {
				setDeployment(ctx, nsm, workload, oneUp)
			}
		}
		bringAllUp(ctx, nsm)
		Expect(get(ctx, nsm, "dashboard-ui", &corev1.Service{}).Labels["app.kubernetes.io/version"]).To(Equal(newState))
	})
})
