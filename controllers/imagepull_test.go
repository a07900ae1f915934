// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("New images are on the nodes before anything that serves is replaced", func() {
	const missing = "ghcr.io/networkservicemesh/cmd-forwarder-vpp:v1.18.0"
	var (
		o      *operator
		nsm    *nsmv1beta1.NSM
		before map[string]string
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: oldState})
		before = untouched(ctx, nsm)
	})

	upgrade := func(ctx SpecContext, how *nsmv1beta1.UpgradeSpec) {
		GinkgoHelper()
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Upgrade: how})
	}

	// halt begins a change of which one image cannot be pulled on one node.
	halt := func(ctx SpecContext) {
		GinkgoHelper()
		nodes.lack(nsm.Namespace, missing, "node-1", "manifest unknown")
		upgrade(ctx, nil)
		Eventually(messageOf(ctx, nsm, available)).Should(Equal("nothing is changed until the new images are on the nodes: " +
			"DaemonSet " + nsm.Namespace + "/forwarder-vpp: the image " + missing + " cannot be pulled: manifest unknown (on node node-1)"))
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal(
			"1 of 2 nodes have the images of DaemonSet " + nsm.Namespace + "/forwarder-vpp, not yet node node-1"))
	}

	It("an image that one node cannot pull keeps all from being touched, however often the operator starts", func(ctx SpecContext) {
		halt(ctx)
		Expect(untouched(ctx, nsm)).To(Equal(before))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)()).To(Equal("True"))
		o.stop()
		o = startOperator()
		settle(o)
		Expect(untouched(ctx, nsm)).To(Equal(before))

		By("and the change goes on when the image is there")
		nodes.mend(ctx, nsm.Namespace, missing, "node-1")
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		Eventually(pullingPods(ctx, nsm)).Should(BeEmpty(), "what has been pulled needs no pods any more")
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("forwarder-vpp", oldState))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", newState))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("forwarder-vpp", newState))
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Eventually(pulls(ctx, nsm)).Should(BeEmpty())
	}, SpecTimeout(3*time.Minute))

	It("past the deadline that is reported, and taking the change back leaves nothing behind", func(ctx SpecContext) {
		halt(ctx)
		upgrade(ctx, &nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Second}})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("the mesh has not come up within spec.upgrade.progressDeadline, 1s: nothing is changed"),
			ContainSubstring("manifest unknown (on node node-1)"), ContainSubstring("spec.version"), ContainSubstring("spec.upgrade.onFailure")))
		Expect(untouched(ctx, nsm)).To(Equal(before))
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: oldState, AdmissionWebhook: nsm.Spec.AdmissionWebhook})
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Eventually(pulls(ctx, nsm)).Should(BeEmpty())
		Eventually(pullingPods(ctx, nsm)).Should(BeEmpty())
		Expect(untouched(ctx, nsm)).To(Equal(before))
	}, SpecTimeout(3*time.Minute))

	It("with onFailure: Rollback the spec before simply stays", func(ctx SpecContext) {
		nodes.lack(nsm.Namespace, missing, "node-1", "manifest unknown")
		upgrade(ctx, &nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Second}, OnFailure: nsmv1beta1.UpgradeFailureRollback})
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("nothing was changed, and NSM " + oldState + " goes on until the spec changes"))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Eventually(pulls(ctx, nsm)).Should(BeEmpty())
		Expect(releases(ctx, nsm)()).To(HaveEach(oldState))
	}, SpecTimeout(3*time.Minute))

	It("a node that is down, and counts for ever, is not waited for", func(ctx SpecContext) {
		o.stop()
		o = impatient(mesh.Platform{})
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
		Expect(admin.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
		setNodeReady(ctx, node.Name, corev1.ConditionUnknown)
		nodes.lack(nsm.Namespace, missing, node.Name, "i/o timeout")
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{
			Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		})
		Eventually(releases(ctx, nsm)).WithTimeout(soon).Should(HaveKeyWithValue("nsm-registry", newState))
	}, SpecTimeout(3*time.Minute))

	It("a node that is down pulls for no Deployment, since any other will do, though the scheduler likes it", func(ctx SpecContext) {
		o.stop()
		o = impatient(mesh.Platform{})
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-0"}}
		Expect(admin.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
		setNodeReady(ctx, node.Name, corev1.ConditionTrue)
		nodes.lack(nsm.Namespace, "ghcr.io/networkservicemesh/cmd-registry-k8s:"+newState, node.Name, "i/o timeout")
		upgrade(ctx, nil)
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring("0 of 1 nodes have the images of Deployment " + nsm.Namespace + "/nsm-registry"))
		setNodeReady(ctx, node.Name, corev1.ConditionUnknown)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		Expect(o.requests.writesTo("pods")).To(BeEmpty(), "what keeps pods off the node stays")
	}, SpecTimeout(3*time.Minute))

	It("a new image of the same release is pulled first as well, unless prePull is off", func(ctx SpecContext) {
		image := func() string { return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec.Containers[0].Image }
		spec := nsmv1beta1.NSMSpec{Version: oldState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Nsmgr: &nsmv1beta1.NsmgrSpec{}}
		spec.Nsmgr.Image = "example.com/cmd-nsmgr:mine"
		nodes.lack(nsm.Namespace, spec.Nsmgr.Image, "node-0", "no such host")
		setSpec(ctx, nsm, spec)
		Eventually(messageOf(ctx, nsm, available)).Should(ContainSubstring("the image example.com/cmd-nsmgr:mine cannot be pulled: no such host (on node node-0)"))
		Expect(untouched(ctx, nsm)).To(Equal(before))

		spec.Upgrade = &nsmv1beta1.UpgradeSpec{PrePull: new(bool)}
		setSpec(ctx, nsm, spec)
		Eventually(image).Should(Equal("example.com/cmd-nsmgr:mine"))
		Eventually(pulls(ctx, nsm)).Should(BeEmpty())
	}, SpecTimeout(3*time.Minute))

	It("what somebody else has changed is put back at once", func(ctx SpecContext) {
		nodes.lack(nsm.Namespace, "ghcr.io/networkservicemesh/cmd-nsmgr:"+oldState, "node-1", "manifest unknown")
		change(ctx, daemonSetOf(ctx, nsm, "nsmgr"), func(daemonSet *appsv1.DaemonSet) {
			daemonSet.Spec.Template.Spec.Containers[0].Image = "example.com/other:1"
		})
		Eventually(func() string { return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec.Containers[0].Image }).Should(HaveSuffix("/cmd-nsmgr:" + oldState))
	}, SpecTimeout(2*time.Minute))
})

// untouched maps the NSM's objects to their resource versions, but for those that pull
// images.
func untouched(ctx context.Context, nsm *nsmv1beta1.NSM) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, object := range owned(ctx, nsm) {
		if !mesh.IsImagePull(object) {
			found[nameOf(object)] = object.GetResourceVersion()
		}
	}
	return found
}

// pulls are the workloads that pull images.
func pulls(ctx context.Context, nsm *nsmv1beta1.NSM) func() []string {
	return func() []string {
		GinkgoHelper()
		found := []string{}
		for _, name := range names(ctx, nsm) {
			if strings.HasSuffix(name, "-image-pull") {
				found = append(found, name)
			}
		}
		return found
	}
}

// pullingPods are the pods that do so.
func pullingPods(ctx context.Context, nsm *nsmv1beta1.NSM) func() []corev1.Pod {
	return func() []corev1.Pod {
		GinkgoHelper()
		var list corev1.PodList
		Expect(admin.List(ctx, &list, client.InNamespace(nsm.Namespace), client.MatchingLabels{mesh.LabelComponent: string(mesh.RoleImagePull)})).To(Succeed())
		return list.Items
	}
}
