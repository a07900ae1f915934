// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"fmt"
	"time"

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

var _ = Describe("Guarantee 3: a crash between any two API calls leaves nothing that the next start does not finish or clean up", func() {
	// crash lets an operator die after each number of writes that the work takes,
	// before the next one or before the next one's answer, and then start again.
	crash := func(ctx context.Context, prepare func() *nsmv1beta1.NSM, work func(*nsmv1beta1.NSM), finished func(Gomega, *nsmv1beta1.NSM)) {
		GinkgoHelper()
		died := true
		for writes := 0; died; writes++ {
			lost := writes%2 == 1
			By(fmt.Sprintf("dying after %d writes, the next one done unheard: %t", writes, lost))
			nsm := prepare()
			first := startMortalOperator(writes, lost)
			work(nsm)
			Eventually(func(g Gomega) {
				if !first.requests.isDead() {
					finished(g, nsm)
				}
			}).Should(Succeed())
			first.stop()
			died = first.requests.isDead()

			second := startOperator()
			Eventually(func(g Gomega) { finished(g, nsm) }).Should(Succeed())
			second.stop()
			remove(ctx, nsm)
			Expect(died || writes > 4).To(BeTrue(), "there is something to interrupt")
		}
	}
	installed := func(ctx context.Context) *nsmv1beta1.NSM {
		GinkgoHelper()
		o := startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() bool { return hasAll(ctx, nsm) }).Should(BeTrue())
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionAvailable)).Should(Equal("False"))
		o.stop()
		return nsm
	}

	It("of an installation", func(ctx SpecContext) {
		crash(ctx,
			func() *nsmv1beta1.NSM { return newNSM(ctx, nsmv1beta1.NSMSpec{}) },
			func(*nsmv1beta1.NSM) {},
			func(g Gomega, nsm *nsmv1beta1.NSM) {
				g.Expect(names(ctx, nsm)).To(ConsistOf(wholeMesh))
				g.Expect(condition(ctx, nsm, available)()).To(Equal("False"))
			})
	})

	It("of a change that creates, updates and prunes", func(ctx SpecContext) {
		crash(ctx,
			func() *nsmv1beta1.NSM { return installed(ctx) },
			func(nsm *nsmv1beta1.NSM) {
				setSpec(ctx, nsm, nsmv1beta1.NSMSpec{LogLevel: "DEBUG", Version: nsm.Spec.Version, Forwarders: []nsmv1beta1.ForwarderSpec{
					{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP},
				}})
			},
			func(g Gomega, nsm *nsmv1beta1.NSM) {
				g.Expect(names(ctx, nsm)).To(And(ContainElements("DaemonSet vpp", "ServiceAccount vpp"), HaveLen(len(wholeMesh))))
				g.Expect(templates(ctx, nsm)["DaemonSet nsmgr"]).To(ContainSubstring("DEBUG"))
				g.Expect(reread(ctx, nsm).Status.ObservedGeneration).To(Equal(reread(ctx, nsm).Generation))
			})
	})

	It("of a deletion", func(ctx SpecContext) {
		crash(ctx,
			func() *nsmv1beta1.NSM { return installed(ctx) },
			func(nsm *nsmv1beta1.NSM) { Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed()) },
			func(g Gomega, nsm *nsmv1beta1.NSM) {
				g.Expect(isGone(ctx, nsm)).To(BeTrue())
				g.Expect(names(ctx, nsm)).To(BeEmpty())
			})
	})

	It("nor does a removed finalizer: the next start cleans up what no owner reference can", func(ctx SpecContext) {
		nsm := installed(ctx)
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = nil })
		Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue())
		Expect(names(ctx, nsm)).To(ConsistOf(wholeMesh), "nothing cleans up yet")

		startOperator()
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(HavePrefix("ClusterRole")))
	})
})

var _ = Describe("Guarantee 4: deleting the NSM removes everything it made", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

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
		Eventually(isRegistered(ctx, configuration)).WithTimeout(2 * time.Second).Should(BeFalse())
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
		o = startOperator()
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
		startOperator()
		expectNothingLeft(ctx, nsm)
	})
})

// expectNothingLeft waits until an NSM and all that it made are gone.
func expectNothingLeft(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue(), "the NSM goes")
	Eventually(func() []string { return names(ctx, nsm) }).Should(BeEmpty())
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
