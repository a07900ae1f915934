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
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/platform"
)

var _ = Describe("The kubelet's directory", func() {
	const ofK0s = "/var/lib/k0s/kubelet"

	// newNode makes a node as a kubelet of a version registers it.
	newNode := func(ctx context.Context, version string) {
		GinkgoHelper()
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-", Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
		Expect(admin.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
		node.Status.NodeInfo.KubeletVersion = version
		Expect(admin.Status().Update(ctx, node)).To(Succeed())
	}
	// detected is what an operator that starts now finds.
	detected := func(ctx context.Context) mesh.Platform {
		GinkgoHelper()
		found, err := platform.Detect(ctx, discovery.NewDiscoveryClientForConfigOrDie(operatorConfig))
		Expect(err).NotTo(HaveOccurred())
		return found
	}
	mounted := func(ctx context.Context, nsm *nsmv1beta1.NSM) func() string {
		return func() string {
			return mesh.MountedKubeletDirectory(get(ctx, nsm, "forwarder-vpp", &appsv1.DaemonSet{}))
		}
	}

	It("is the one that all nodes show, and stays where they differ later", func(ctx SpecContext) {
		newNode(ctx, "v1.33.1+k0s")
		newNode(ctx, "v1.33.1+k0s")
		o := startOperatorOn(detected(ctx), &requests{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		Expect(mounted(ctx, nsm)()).To(Equal(ofK0s))
		Eventually(eventsOf(ctx, nsm)).WithTimeout(soon).Should(ContainElement(
			"KubeletDirectory: the nodes show that their kubelets keep their files in /var/lib/k0s/kubelet: pods mount that"))
		reconcileOften(ctx, o, nsm)

		By("an operator that starts when another node has joined")
		o.stop()
		newNode(ctx, "v1.33.1")
		before := get(ctx, nsm, "forwarder-vpp", &appsv1.DaemonSet{}).Generation
		o = startOperatorOn(detected(ctx), &requests{})
		Eventually(messageOf(ctx, nsm, degraded)).WithTimeout(soon).Should(Equal(
			"the kubelets of the nodes keep their files in different directories: /var/lib/k0s/kubelet, /var/lib/kubelet; " +
				"pods mount /var/lib/k0s/kubelet on all of them, which works on some: set spec.kubeletDirectory, and spec.nodeSelector to the nodes that have it"))
		settle(o)
		Expect(get(ctx, nsm, "forwarder-vpp", &appsv1.DaemonSet{}).Generation).To(Equal(before), "no pod was replaced")

		By("until the user says which one counts")
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{KubeletDirectory: mesh.UsualKubeletDirectory})
		Eventually(mounted(ctx, nsm)).WithTimeout(soon).Should(Equal(mesh.UsualKubeletDirectory))
		bringAllUp(ctx, nsm)
		Eventually(messageOf(ctx, nsm, degraded)).WithTimeout(soon).Should(Equal("nothing is known to be wrong"))
	})

	It("is the usual one for a new mesh where nodes differ", func(ctx SpecContext) {
		newNode(ctx, "v1.33.1+k0s")
		newNode(ctx, "v1.33.1")
		startOperatorOn(detected(ctx), &requests{})
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(messageOf(ctx, nsm, degraded)).WithTimeout(soon).Should(ContainSubstring("pods mount /var/lib/kubelet on all of them"))
		Expect(mounted(ctx, nsm)()).To(Equal(mesh.UsualKubeletDirectory))
	})
})
