// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("Pods that keep an older client", func() {
	start := func() *operator {
		GinkgoHelper()
		times := controllers.DefaultTimes()
		times.Recount, times.Soonest = 200*time.Millisecond, 100*time.Millisecond
		return startOperatorWith(&controllers.NSMReconciler{Namespace: operatorNamespace, Times: times}, &requests{})
	}
	stale := func(ctx context.Context, nsm *nsmv1beta1.NSM) func() *int32 {
		return func() *int32 { return reread(ctx, nsm).Status.StaleClients }
	}
	asksForPods := func(o *operator) bool {
		return slices.ContainsFunc(o.requests.all(), func(r request) bool { return r.path == "/api/v1/pods" })
	}

	It("are counted when the webhook injects another one, until they have gone", func(ctx SpecContext) {
		o := start()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(true)}})
		setAllReady(ctx, nsm)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment admission-webhook-k8s"))
		bringAllUp(ctx, nsm)
		Expect(stale(ctx, nsm)()).To(HaveValue(BeZero()))
		settle(o)

		By("nobody asks for pods again while there are none")
		for _, name := range []string{"a", "b"} {
			newClient(ctx, nsm, name, "ghcr.io/networkservicemesh/cmd-nsc:v1.18.0")
		}
		wakeOften(ctx, nsm)
		Expect(asksForPods(o)).To(BeFalse())
		o.stop()
		o = start()
		wakeOften(ctx, nsm)
		Expect(asksForPods(o)).To(BeFalse(), "not after a restart either")

		By("another image of the client")
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
			nsm.Spec.AdmissionWebhook.Client = &nsmv1beta1.InjectedClientSpec{Image: "ghcr.io/networkservicemesh/cmd-nsc:v1.18.1"}
		})
		newClient(ctx, nsm, "c", "ghcr.io/networkservicemesh/cmd-nsc:v1.18.1")
		Eventually(func() string {
			return string(mesh.ClientImagesOf(mesh.Component{Workload: webhookOf(ctx, nsm)}))
		}).Should(ContainSubstring("v1.18.1"))
		Expect(stale(ctx, nsm)()).To(HaveValue(BeZero()), "the webhook still rolls out")
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		Eventually(stale(ctx, nsm)).Should(HaveValue(BeEquivalentTo(2)))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(MatchRegexp(
			`^StaleClients: 2 pods have another client \(cmd-nsc\) than the admission webhook injects now: ` + nsm.Namespace + "/a, " + nsm.Namespace + "/b")))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"), "they work on")

		By("users renew them")
		for n, name := range []string{"a", "b"} {
			Expect(admin.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: name}})).To(Succeed())
			Eventually(stale(ctx, nsm)).Should(HaveValue(BeEquivalentTo(1 - n)))
		}
		settle(o)
		wakeOften(ctx, nsm)
		Expect(asksForPods(o)).To(BeFalse())

		By("no webhook any more")
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.Enabled = ptr.To(false) })
		Eventually(stale(ctx, nsm)).Should(BeNil())
	})
})

// newClient makes a pod with a client, as the admission webhook would have. It goes at
// the end of the spec: clients are counted in the whole cluster.
func newClient(ctx context.Context, nsm *nsmv1beta1.NSM, name, image string) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: name, Labels: mesh.IdentityLabels()},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "app", Image: "example.com/app:1"}, {Name: mesh.InjectedContainerName(image), Image: image},
		}},
	}
	Expect(admin.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(nsm.Namespace))).To(Succeed())
	})
}
