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
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("An NSM that goes without its finalizer", func() {
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
	)

	// vanish takes the NSM away, and what owner references would remove with it.
	vanish := func(ctx context.Context) {
		GinkgoHelper()
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = []string{"example.com/hold"} })
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = nil })
		Eventually(func() bool { return isGone(ctx, nsm) }).WithTimeout(soon).Should(BeTrue())
		for _, object := range owned(ctx, nsm) {
			if object.GetNamespace() != "" {
				Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
			}
		}
	}

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		namespace := newNamespace(ctx)
		letLabel(ctx, namespace)
		nsm = newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
		newConfiguration(ctx, nsm.Namespace, oldWebhookPod)
		register(ctx, nsm, "a-client", longLife)
		Expect(podSecurityLabels(labelsOf(ctx, nsm.Namespace)())).NotTo(BeEmpty())
	})

	expectAllGone := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(func() map[string]string { return stateOf(ctx, mesh.Platform{}, nsm) }).WithTimeout(soon).Should(BeEmpty())
		Eventually(isRegistered(ctx, oldWebhookPod)).WithTimeout(soon).Should(BeFalse())
	}

	It("leaves nothing that no owner reference removes", func(ctx SpecContext) {
		vanish(ctx)
		expectAllGone(ctx)
		settle(o)
		Consistently(o.requests.all).Should(BeEmpty())
	})

	It("leaves none of that beyond the operator's next start", func(ctx SpecContext) {
		o.stop()
		vanish(ctx)
		Expect(stateOf(ctx, mesh.Platform{}, nsm)).NotTo(BeEmpty(), "nothing cleans up yet")
		startOperator()
		expectAllGone(ctx)
	})

	It("gets it back while it is there", func(ctx SpecContext) {
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = nil })
		Eventually(func() []string { return reread(ctx, nsm).Finalizers }).WithTimeout(soon).Should(ConsistOf(controllers.Finalizer))
	})
})

var _ = Describe("Guarantee 4: deleting the NSM removes everything it made", func() {
	var o *operator

	BeforeEach(func() { o = patient(mesh.Platform{}) })

	It("cluster-scoped objects included, and nothing of anybody else's", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		Expect(nsm.Finalizers).To(ConsistOf(controllers.Finalizer))
		theirs := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "theirs"}}
		Expect(admin.Create(ctx, theirs)).To(Succeed())

		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		settle(o)
		Expect(o.requests.all()).To(BeEmpty())

		By("and the same NSM can be made again")
		again := newNSMIn(ctx, nsm.Namespace, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, again) }).Should(ConsistOf(wholeMesh))
	})

	It("waits for what others hold back, and goes when they let go", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		held := getClusterRole(ctx, nsm)
		held.Finalizers = []string{"example.com/hold"}
		Expect(admin.Update(ctx, held)).To(Succeed())

		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf("ClusterRole nsm:NAMESPACE:nsmgr"))
		Consistently(func() bool { return isGone(ctx, nsm) }).Should(BeFalse())
		settle(o)
		Consistently(o.requests.all).Should(BeEmpty(), "it does not ask again and again")

		change(ctx, getClusterRole(ctx, nsm), func(o *rbacv1.ClusterRole) { o.Finalizers = nil })
		expectNothingLeft(ctx, nsm)
	})

	It("in a namespace that is being deleted, with the mesh in it", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		deleteNamespace(ctx, nsm.Namespace)
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
	})

	It("in a namespace that is deleted object by object, the NSM last", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		deleteNamespace(ctx, nsm.Namespace)
		Expect(admin.Delete(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}))).To(Succeed())
		Expect(admin.Delete(ctx, get(ctx, nsm, "registry", &corev1.Service{}))).To(Succeed())
		settle(o)
		Consistently(o.requests.all).Should(BeEmpty(), "it does not try again and again what cannot succeed")
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
	})

	It("in a namespace that is being deleted: pods elsewhere are never refused for it, whoever goes first", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment admission-webhook-k8s"))
		setAllReady(ctx, nsm)
		configuration := mesh.WebhookConfigurationName(nsm.Namespace)
		Eventually(isRegistered(ctx, configuration)).Should(BeTrue())
		settle(o)
		failed := metric("controller_runtime_reconcile_errors_total", "controller", "nsm")

		By("the configuration goes while the webhook, its pods and the NSM are still there")
		deleteNamespace(ctx, nsm.Namespace)
		Eventually(isRegistered(ctx, configuration)).Should(BeFalse())
		Expect(webhookOf(ctx, nsm).DeletionTimestamp).To(BeNil())
		Expect(reread(ctx, nsm).DeletionTimestamp).To(BeNil())

		By("and stays away, as one object after the other goes")
		settle(o)
		for _, object := range owned(ctx, nsm) {
			if object.GetNamespace() != "" {
				Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
			}
		}
		settle(o)
		Expect(isRegistered(ctx, configuration)()).To(BeFalse())
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(metric("controller_runtime_reconcile_errors_total", "controller", "nsm")).To(Equal(failed), "what a terminating namespace refuses is no error")
	})

	It("in a namespace that is being deleted, from the API server's list of webhooks also where the NSM is refused", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment admission-webhook-k8s"))
		setAllReady(ctx, nsm)
		configuration := mesh.WebhookConfigurationName(nsm.Namespace)
		Eventually(isRegistered(ctx, configuration)).Should(BeTrue())
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
			nsm.Labels = map[string]string{uncheckedLabel: ""}
		})
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Version = "v99999999999999999999.0.0" })
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix("spec.version: "))
		settle(o)
		Expect(isRegistered(ctx, configuration)()).To(BeTrue(), "what runs stays as it is")

		deleteNamespace(ctx, nsm.Namespace)
		Eventually(isRegistered(ctx, configuration)).Should(BeFalse())
	})

	It("in a namespace that was being deleted before the operator saw the NSM", func(ctx SpecContext) {
		o.stop()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		deleteNamespace(ctx, nsm.Namespace)
		passes := reconciles()
		o = patient(mesh.Platform{})
		Eventually(reconciles).Should(BeNumerically(">", passes))
		settle(o)
		Consistently(o.requests.all).Should(BeEmpty(), "it does not try what cannot succeed")
		Expect(names(ctx, nsm)).To(BeEmpty())
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
	})

	It("and forgets it, so that a new mesh in a new namespace of that name is no drift", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		deleteNamespace(ctx, nsm.Namespace)
		for _, object := range owned(ctx, nsm) {
			if object.GetNamespace() != "" {
				Expect(admin.Delete(ctx, object)).To(Succeed())
			}
		}
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		finishNamespace(ctx, nsm.Namespace)
		settle(o)
		before := repaired("DaemonSet")

		again := newNSMIn(ctx, nsm.Namespace, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, again) }).Should(ConsistOf(wholeMesh))
		settle(o)
		Expect(repaired("DaemonSet")).To(Equal(before))
		Expect(eventsOf(ctx, again)()).NotTo(ContainElement(HavePrefix("Repaired: ")))
	})

	It("with the NSM deleted while the operator was away", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		o.stop()
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Consistently(func() bool { return isGone(ctx, nsm) }).Should(BeFalse())
		patient(mesh.Platform{})
		expectNothingLeft(ctx, nsm)
	})
})

// expectNothingLeft waits until an NSM and all that it made are gone.
func expectNothingLeft(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue(), "the NSM goes")
	Eventually(func() []client.Object { return owned(ctx, nsm) }).Should(BeEmpty())
}

func isGone(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1beta1.NSM{}))
}

// deleteNamespace begins the deletion of a namespace, which nobody finishes here.
func deleteNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(admin.Delete(ctx, namespace)).To(Succeed())
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
	Expect(namespace.Status.Phase).To(Equal(corev1.NamespaceTerminating))
}

// finishNamespace ends the deletion of a namespace, and makes one of that name.
func finishNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
	namespace.Spec.Finalizers = nil
	Expect(admin.SubResource("finalize").Update(ctx, namespace)).To(Succeed())
	Eventually(func() error {
		return admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}).Should(Succeed())
}
