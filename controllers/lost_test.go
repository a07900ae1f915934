// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// setNodeReady has a node be ready, or unheard of.
func setNodeReady(ctx context.Context, name string, ready corev1.ConditionStatus) {
	GinkgoHelper()
	Eventually(func() error {
		node := &corev1.Node{}
		if err := admin.Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
			return err
		}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Message: "Kubelet stopped posting node status."}}
		return admin.Status().Update(ctx, node)
	}).WithTimeout(soon).Should(Succeed())
}

var _ = Describe("A node that is down for good", func() {
	var (
		o     *operator
		nsm   *nsmv1beta1.NSM
		nodes []*corev1.Node
	)

	// setPods has nsmgr's pods that are ready be of its current definition.
	setPods := func(ctx context.Context, areReady ...corev1.ConditionStatus) {
		GinkgoHelper()
		generation := daemonSetOf(ctx, nsm, "nsmgr").Annotations[appsv1.DeprecatedTemplateGeneration]
		for i, node := range nodes {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "nsmgr-" + node.Name}}
			ready := areReady[i]
			if admin.Get(ctx, client.ObjectKeyFromObject(pod), pod) != nil {
				pod.Labels = map[string]string{mesh.LabelName: "nsmgr", mesh.LabelComponent: string(mesh.RoleManager)}
				pod.Spec = corev1.PodSpec{
					NodeName: node.Name, Containers: []corev1.Container{{Name: "nsmgr", Image: "example.com/nsmgr:1"}},
					Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
				}
				Expect(admin.Create(ctx, pod)).To(Succeed())
			}
			if ready == corev1.ConditionTrue {
				pod.Labels["pod-template-generation"] = generation
				Expect(admin.Update(ctx, pod)).To(Succeed())
			}
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
			Expect(admin.Status().Update(ctx, pod)).To(Succeed())
		}
	}

	BeforeEach(func(ctx SpecContext) {
		o = impatient(mesh.Platform{})
		nsm = newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: oldState})
		nodes = nil
		for range 3 {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}
			Expect(admin.Create(ctx, node)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
			setNodeReady(ctx, node.Name, corev1.ConditionTrue)
			nodes = append(nodes, node)
		}
		setPods(ctx, corev1.ConditionTrue, corev1.ConditionTrue, corev1.ConditionFalse)
		setNodeReady(ctx, nodes[2].Name, corev1.ConditionUnknown)
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
	})

	down := func() string { return "node " + nodes[2].Name + " is down (Kubelet stopped posting node status.)" }

	It("is named and does not count, until it is back", func(ctx SpecContext) {
		Eventually(messageOf(ctx, nsm, available)).WithTimeout(soon).Should(Equal("NSM v1.17.0 is ready; " + down() + " and not counted"))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		Expect(reread(ctx, nsm).Status.Managers).To(Equal("2/2"))
		Expect(reread(ctx, nsm).Status.Components).To(ContainElement(And(
			HaveField("Name", "nsmgr"), HaveField("Message", down()+" and not counted"))))

		By("which hides no other pod that is not ready")
		setPods(ctx, corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionFalse)
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 1})
		Eventually(condition(ctx, nsm, available)).WithTimeout(soon).Should(Equal("False"))
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).WithTimeout(soon).Should(Equal("1/2"))

		By("until it is back")
		setNodeReady(ctx, nodes[2].Name, corev1.ConditionTrue)
		setPods(ctx, corev1.ConditionTrue, corev1.ConditionTrue, corev1.ConditionTrue)
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(messageOf(ctx, nsm, available)).WithTimeout(soon).Should(Equal("NSM v1.17.0 is ready"))
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).WithTimeout(soon).Should(Equal("3/3"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("stays known when the operator restarts", func(ctx SpecContext) {
		Eventually(messageOf(ctx, nsm, available)).WithTimeout(soon).Should(Equal("NSM v1.17.0 is ready; " + down() + " and not counted"))
		o.stop()
		was := reread(ctx, nsm).Status
		passes := reconciles()
		startOperator()
		Eventually(reconciles).WithTimeout(soon).Should(BeNumerically(">", passes))
		Consistently(func() nsmv1beta1.NSMStatus { return reread(ctx, nsm).Status }).Should(Equal(was))
	})

	It("does not hold up a change of release on the others", func(ctx SpecContext) {
		Eventually(condition(ctx, nsm, available)).WithTimeout(soon).Should(Equal("True"))
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: newState})
		Eventually(releases(ctx, nsm)).WithTimeout(soon).Should(HaveKeyWithValue("nsm-registry", newState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).WithTimeout(soon).Should(HaveKeyWithValue("nsmgr", newState))

		By("waiting for the others")
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 1, ready: 2})
		Eventually(messageOf(ctx, nsm, available)).WithTimeout(soon).Should(And(
			ContainSubstring(down()), ContainSubstring("delete the Node if it does not come back, or raise spec.upgrade.maxUnavailable")))
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("forwarder-vpp", oldState))

		setPods(ctx, corev1.ConditionTrue, corev1.ConditionTrue, corev1.ConditionFalse)
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 2, ready: 2})
		Eventually(releases(ctx, nsm)).WithTimeout(soon).Should(HaveKeyWithValue("forwarder-vpp", newState))
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(func() string { return reread(ctx, nsm).Status.Version }).WithTimeout(soon).Should(Equal(newState))
		Expect(messageOf(ctx, nsm, available)()).To(Equal("NSM v1.18.0 is ready; " + down() + " and not counted"))
	})
})
