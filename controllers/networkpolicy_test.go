// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/netpol"
)

var _ = Describe("NetworkPolicies", func() {
	policies := []string{
		"NetworkPolicy nsm-registry", "NetworkPolicy nsmgr", "NetworkPolicy vl3-ipam", "NetworkPolicy dashboard", "NetworkPolicy admission-webhook-k8s",
	}
	spec := nsmv1beta1.NSMSpec{VL3: &nsmv1beta1.VL3Spec{}, Dashboard: &nsmv1beta1.DashboardSpec{}, AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}}

	It("come when they are asked for, change no pod, and go when they are not", func(ctx SpecContext) {
		o := startOperator()
		nsm := newNSM(ctx, spec)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment dashboard"))
		bringAllUp(ctx, nsm)
		settle(o)
		before, pods := names(ctx, nsm), generations(ctx, nsm)

		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.NetworkPolicy = nsmv1beta1.NetworkPolicyManaged })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(append(policies, before...)))
		settle(o)
		reconcileOften(ctx, o, nsm)
		Expect(generations(ctx, nsm)).To(Equal(pods))

		By("allowing what the objects in the cluster imply")
		var objects []metav1.Object
		for _, object := range owned(ctx, nsm) {
			objects = append(objects, object)
		}
		live := netpol.Read(objects)
		implied := live.Implied()
		Expect(len(implied)).To(BeNumerically(">", 20))
		for _, connection := range implied {
			Expect(netpol.Allows(live.Policies, connection)).To(BeTrue(), connection.String())
		}
		Expect(netpol.Allows(live.Policies, netpol.Connection{
			From: netpol.Stranger, To: live.Pod("nsmgr"), Port: 5001, Protocol: corev1.ProtocolTCP,
		})).To(BeFalse())

		By("putting right what somebody changes or deletes")
		change(ctx, get(ctx, nsm, "nsm-registry", &networkingv1.NetworkPolicy{}), func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = nil })
		Expect(admin.Delete(ctx, get(ctx, nsm, "nsmgr", &networkingv1.NetworkPolicy{}))).To(Succeed())
		Eventually(func() []networkingv1.NetworkPolicyIngressRule {
			return get(ctx, nsm, "nsm-registry", &networkingv1.NetworkPolicy{}).Spec.Ingress
		}).Should(HaveLen(1))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(append(policies, before...)))

		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.NetworkPolicy = nsmv1beta1.NetworkPolicyNone })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(before))
		Expect(generations(ctx, nsm)).To(Equal(pods))
	})

	It("are there before the pods that they limit, and go with the mesh", func(ctx SpecContext) {
		o := startOperator()
		limited := spec
		limited.NetworkPolicy = nsmv1beta1.NetworkPolicyManaged
		nsm := newNSM(ctx, limited)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements(append(policies, "DaemonSet nsmgr", "DaemonSet forwarder-vpp")))
		written := slices.DeleteFunc(o.requests.all(), func(r request) bool { return !r.isWrite() })
		isOf := func(resources ...string) func(request) bool {
			return func(r request) bool {
				return slices.ContainsFunc(resources, func(resource string) bool { return strings.Contains(r.path, "/"+resource+"/") })
			}
		}
		firstPod := slices.IndexFunc(written, isOf("daemonsets", "deployments"))
		Expect(firstPod).To(BeNumerically(">", 0))
		// A cache that is behind may have one written once more later.
		made := map[string]bool{}
		for _, r := range written[:firstPod] {
			if isOf("networkpolicies")(r) {
				made[r.path] = true
			}
		}
		Expect(made).To(HaveLen(len(policies)))

		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() []string { return names(ctx, nsm) }).Should(BeEmpty())
	})
})

// generations of the workloads of a mesh: each change of their pods is one more.
func generations(ctx context.Context, nsm *nsmv1beta1.NSM) map[string]int64 {
	GinkgoHelper()
	found := map[string]int64{}
	for _, object := range owned(ctx, nsm) {
		if name := nameOf(object); strings.HasPrefix(name, "DaemonSet ") || strings.HasPrefix(name, "Deployment ") {
			found[name] = object.GetGeneration()
		}
	}
	return found
}
