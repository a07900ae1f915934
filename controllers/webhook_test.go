// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Pods of the admission webhook, as Kubernetes names them, and the last release
// that registers itself with the next one.
const (
	webhookPod      = "admission-webhook-k8s-5d7c8b9f4-x2x7p"
	nextWebhookPod  = "admission-webhook-k8s-5d7c8b9f4-bcd2f"
	lastItself      = "v1.11.2"
	firstOperators  = "v1.12.0"
	withoutSidecars = "; meanwhile pods are created without a client of NSM"
	webhookReady    = nsmv1beta1.ConditionAdmissionWebhookReady
)

var _ = Describe("What makes the API server ask the admission webhook", func() {
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(
			Equal("Deployment " + nsm.Namespace + "/admission-webhook-k8s is rolling out" + withoutSidecars))
		bringAllUp(ctx, nsm)
		settle(o)
	})

	It("stays, unharmed, whatever happens to the webhook", func(ctx SpecContext) {
		uid, drifted := configurationOf(ctx, nsm).UID, repaired("MutatingWebhookConfiguration")
		stays := func() {
			GinkgoHelper()
			settle(o)
			Expect(configurationOf(ctx, nsm).UID).To(Equal(uid))
			Expect(repaired("MutatingWebhookConfiguration")).To(Equal(drifted))
			Expect(eventsOf(ctx, nsm)()).NotTo(ContainElement(MatchRegexp("^(Repaired|Recreated|Pruned): .*MutatingWebhookConfiguration")))
		}

		By("a label that somebody takes away")
		change(ctx, webhookOf(ctx, nsm), func(d *appsv1.Deployment) { delete(d.Labels, mesh.LabelPartOf) })
		Eventually(func() map[string]string { return webhookOf(ctx, nsm).Labels }).Should(HaveKey(mesh.LabelPartOf))
		stays()

		By("a change whose pods do not come up")
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
			nsm.Spec.AdmissionWebhook.NodeSelector = map[string]string{"no": "where"}
		})
		Eventually(func() map[string]string { return webhookOf(ctx, nsm).Spec.Template.Spec.NodeSelector }).Should(HaveKey("no"))
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 1, ready: 1})
		stays()
		Expect(messageOf(ctx, nsm, webhookReady)()).NotTo(ContainSubstring(withoutSidecars), "the old pod serves")

		By("another certificate")
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.NodeSelector = nil })
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		settle(o)
		before := configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle
		expireCertificate(ctx, nsm)
		Eventually(func() []byte { return configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle }).ShouldNot(Equal(before))
		stays()
		bringAllUp(ctx, nsm)
		stays()
	})

	It("keeps the terms that others add to its namespace selector, and loses none of its own", func(ctx SpecContext) {
		selector := func() *metav1.LabelSelector { return configurationOf(ctx, nsm).Webhooks[0].NamespaceSelector }
		ours := selector().MatchExpressions
		added := []metav1.LabelSelectorRequirement{
			{Key: "kubernetes.azure.com/managedby", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"aks"}},
			{Key: "control-plane", Operator: metav1.LabelSelectorOpDoesNotExist},
		}
		change(ctx, configurationOf(ctx, nsm), func(c *admissionregistrationv1.MutatingWebhookConfiguration) {
			for n := range c.Webhooks {
				c.Webhooks[n].NamespaceSelector.MatchExpressions = append(c.Webhooks[n].NamespaceSelector.MatchExpressions, added...)
				c.Webhooks[n].NamespaceSelector.MatchLabels = map[string]string{"added": "too"}
			}
		})
		version := configurationOf(ctx, nsm).ResourceVersion
		wakeOften(ctx, nsm)
		Expect(configurationOf(ctx, nsm).ResourceVersion).To(Equal(version), "the passes have written nothing")
		Expect(messageOf(ctx, nsm, degraded)()).To(Equal("nothing is known to be wrong"))

		By("but a term of its own comes back")
		change(ctx, configurationOf(ctx, nsm), func(c *admissionregistrationv1.MutatingWebhookConfiguration) {
			c.Webhooks[0].NamespaceSelector.MatchExpressions = added
		})
		Eventually(func() []metav1.LabelSelectorRequirement { return selector().MatchExpressions }).WithTimeout(time.Minute).Should(ContainElements(ours))
	})

	It("comes back when somebody deletes it, and meanwhile people are told", func(ctx SpecContext) {
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 1, ready: 1})
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(ContainSubstring("is rolling out"))
		settle(o) // a pass that has seen it would put it back
		Expect(admin.Delete(ctx, configurationOf(ctx, nsm))).To(Succeed())
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(HaveSuffix(withoutSidecars))
		Expect(messageOf(ctx, nsm, available)()).To(HaveSuffix(withoutSidecars))
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(configurationOf(ctx, nsm).Webhooks).To(HaveLen(2))
	})

	It("refuses what asks for NSM while no pod answers, which people are told", func(ctx SpecContext) {
		down := pods{current: 2, updated: 2}
		setDeployment(ctx, nsm, mesh.WebhookName, down)
		name := "Deployment " + nsm.Namespace + "/admission-webhook-k8s has pods that are not ready"
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(Equal(name + "; meanwhile what asks for NSM, by the annotation networkservicemesh.io, " +
			"is refused in all other namespaces: spec.admissionWebhook.failurePolicy: Ignore lets it in, without a client of NSM"))
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.FailurePolicy = "Ignore" })
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(Equal(name + withoutSidecars))
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 2, ready: 1})
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(Equal(name), "one answers")
	})

	It("goes with the webhook", func(ctx SpecContext) {
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.Enabled = ptr.To(false) })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
	})

	It("stays on the way back to a release that registers itself, until our pods are gone", func(ctx SpecContext) {
		uid := configurationOf(ctx, nsm).UID
		setVersion(ctx, nsm, lastItself)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", lastItself))
		settle(o)
		Expect(configurationOf(ctx, nsm).UID).To(Equal(uid), "the others go first")
		comeUp(ctx, nsm, lastItself)
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 1, ready: 1})
		settle(o)
		Expect(configurationOf(ctx, nsm).UID).To(Equal(uid))
		Expect(names(ctx, nsm)).To(ContainElement("Secret admission-webhook-tls"))

		selfRegister(ctx, nsm, nextWebhookPod)
		setDeployment(ctx, nsm, mesh.WebhookName, oneUp)
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(
			ContainElements(HavePrefix("MutatingWebhookConfiguration "), "Secret admission-webhook-tls"))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(isRegistered(ctx, nextWebhookPod)()).To(BeTrue())
	})
})

var _ = Describe("What pods of an admission webhook before v1.12.0 have registered", func() {
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newNSM(ctx, nsmv1beta1.NSMSpec{Version: lastItself, AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment admission-webhook-k8s"))
	})

	// startWebhook brings the mesh up, with a webhook that has registered itself.
	startWebhook := func(ctx SpecContext) {
		GinkgoHelper()
		selfRegister(ctx, nsm, webhookPod)
		bringAllUp(ctx, nsm)
		settle(o)
	}

	It("stays as long as the pod lives", func(ctx SpecContext) {
		startWebhook(ctx)
		change(ctx, webhookOf(ctx, nsm), func(d *appsv1.Deployment) { delete(d.Labels, mesh.LabelPartOf) })
		Eventually(func() map[string]string { return webhookOf(ctx, nsm).Labels }).Should(HaveKey(mesh.LabelPartOf))
		settle(o)
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 1, ready: 1})
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		settle(o)
		Expect(isRegistered(ctx, webhookPod)()).To(BeTrue())
		Expect(messageOf(ctx, nsm, webhookReady)()).NotTo(ContainSubstring(withoutSidecars))
	})

	It("is looked at only when the webhook has changed", func(ctx SpecContext) {
		startWebhook(ctx)
		reconcileOften(ctx, o, nsm)
		o.stop()
		passes := reconciles()
		second := startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(second.requests.all).Should(BeEmpty())
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
	})

	DescribeTable("goes with the pod", func(ctx SpecContext, end func(context.Context, *corev1.Pod)) {
		startWebhook(ctx)
		selfRegister(ctx, nsm, nextWebhookPod)
		register := func(name string) { newConfiguration(ctx, nsm.Namespace, name) }
		register("of-somebody-else")
		o.stop()
		o = patient(mesh.Platform{})
		settle(o)
		end(ctx, get(ctx, nsm, webhookPod, &corev1.Pod{}))
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 1, updated: 1})
		Eventually(isRegistered(ctx, webhookPod)).Should(BeFalse())
		Expect(isRegistered(ctx, nextWebhookPod)()).To(BeTrue())
		Expect(isRegistered(ctx, "of-somebody-else")()).To(BeTrue())
	},
		Entry("that was killed", func(ctx context.Context, pod *corev1.Pod) {
			Expect(admin.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		}),
		Entry("whose node was lost, so that it never ends", func(ctx context.Context, pod *corev1.Pod) {
			Expect(admin.Delete(ctx, pod)).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		}),
		Entry("that was evicted, and has failed", func(ctx context.Context, pod *corev1.Pod) {
			pod.Status.Phase = corev1.PodFailed
			Expect(admin.Status().Update(ctx, pod)).To(Succeed())
		}),
	)

	It("goes with the pod also where the mesh cannot be rendered", func(ctx SpecContext) {
		startWebhook(ctx)
		o.stop()
		forbid(ctx, "namespaces", "list", "watch")
		Expect(admin.Delete(ctx, get(ctx, nsm, webhookPod, &corev1.Pod{}), client.GracePeriodSeconds(0))).To(Succeed())
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 1, updated: 1})
		o = impatient(mesh.Platform{})
		Eventually(isRegistered(ctx, webhookPod)).Should(BeFalse())
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("namespaces"))
	})

	It("is reported while somebody does not let go of it", func(ctx SpecContext) {
		startWebhook(ctx)
		selfRegister(ctx, nsm, nextWebhookPod)
		let := refuseDeletion(ctx, "mutatingwebhookconfigurations", &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: webhookPod},
		})
		o.stop()
		o = impatient(mesh.Platform{})
		settle(o)
		Expect(admin.Delete(ctx, get(ctx, nsm, webhookPod, &corev1.Pod{}), client.GracePeriodSeconds(0))).To(Succeed())
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 1, updated: 1})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("deleting MutatingWebhookConfiguration "+webhookPod+": "), ContainSubstring(refusal)))
		let()
		Eventually(isRegistered(ctx, webhookPod)).Should(BeFalse())
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
	})

	It("is waited for", func(ctx SpecContext) {
		Eventually(func() string {
			setAllReady(ctx, nsm) // also what is made only now
			return messageOf(ctx, nsm, available)()
		}).Should(Equal("Deployment " + nsm.Namespace + "/admission-webhook-k8s has pods that are ready " +
			"and have not registered themselves with the API server: kubectl rollout restart -n " + nsm.Namespace +
			" deployment/admission-webhook-k8s" + withoutSidecars))
		selfRegister(ctx, nsm, webhookPod)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	})

	It("goes after the upgrade, with the last of those pods", func(ctx SpecContext) {
		startWebhook(ctx)
		setVersion(ctx, nsm, firstOperators)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", firstOperators))
		settle(o)
		Expect(isRegistered(ctx, webhookPod)()).To(BeTrue())
		Expect(condition(ctx, nsm, webhookReady)()).To(Equal("True"), "it serves until it is its turn")
		comeUp(ctx, nsm, firstOperators)
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 1, ready: 2})
		settle(o)
		Expect(isRegistered(ctx, webhookPod)()).To(BeTrue())
		Expect(names(ctx, nsm)).NotTo(ContainElement(HavePrefix("MutatingWebhookConfiguration ")), "a pod has a certificate of its own")

		By("also where the operator has been away")
		o.stop()
		Expect(admin.Delete(ctx, get(ctx, nsm, webhookPod, &corev1.Pod{}), client.GracePeriodSeconds(0))).To(Succeed())
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		o = startOperator()
		Eventually(isRegistered(ctx, webhookPod)).Should(BeFalse())
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(configurationOf(ctx, nsm).Webhooks).To(HaveLen(2))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("goes with a webhook that is no longer wanted", func(ctx SpecContext) {
		startWebhook(ctx)
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.Enabled = ptr.To(false) })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Expect(isRegistered(ctx, webhookPod)()).To(BeFalse())
	})

	It("goes with the mesh", func(ctx SpecContext) {
		startWebhook(ctx)
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(isRegistered(ctx, webhookPod)()).To(BeFalse())
	})
})

func webhookOf(ctx context.Context, nsm *nsmv1beta1.NSM) *appsv1.Deployment {
	GinkgoHelper()
	return get(ctx, nsm, mesh.WebhookName, &appsv1.Deployment{})
}

// configurationOf is the operator's own for an NSM.
func configurationOf(ctx context.Context, nsm *nsmv1beta1.NSM) *admissionregistrationv1.MutatingWebhookConfiguration {
	GinkgoHelper()
	found := &admissionregistrationv1.MutatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: mesh.WebhookConfigurationName(nsm.Namespace)}, found)).To(Succeed())
	return found
}

// setVersion changes the release and nothing else.
func setVersion(ctx context.Context, nsm *nsmv1beta1.NSM, version string) {
	GinkgoHelper()
	change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Version = version })
}

// comeUp lets the workloads change to a release, up to the webhook.
func comeUp(ctx context.Context, nsm *nsmv1beta1.NSM, version string) {
	GinkgoHelper()
	setDeployment(ctx, nsm, "nsm-registry", oneUp)
	for _, daemonSet := range []string{"nsmgr", "forwarder-vpp"} {
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue(daemonSet, version))
		setDaemonSet(ctx, nsm, daemonSet, threeUp)
	}
	Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue(mesh.WebhookName, version))
}

// selfRegister makes a pod of the webhook, on a node, and what it registers.
func selfRegister(ctx context.Context, nsm *nsmv1beta1.NSM, name string) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: name, Labels: map[string]string{
			mesh.LabelName: mesh.WebhookName, mesh.LabelComponent: string(mesh.RoleWebhook),
		}},
		Spec: corev1.PodSpec{NodeName: "node-0", Containers: []corev1.Container{{Name: "webhook", Image: "example.com/webhook:1"}}},
	}
	Expect(admin.Create(ctx, pod)).To(Succeed())
	newConfiguration(ctx, nsm.Namespace, name)
}

// newConfiguration makes one that calls the admission webhook of a namespace,
// for nothing that is there. It goes at the end of the spec.
func newConfiguration(ctx context.Context, namespace, name string) {
	GinkgoHelper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: name + ".networkservicemesh.io",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
				Namespace: namespace, Name: mesh.WebhookService, Path: ptr.To("/mutate"),
			}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"example.com"}, APIVersions: []string{"v1"}, Resources: []string{"nothing"},
				},
			}},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}
	Expect(admin.Create(ctx, configuration)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, configuration))).To(Succeed()) })
}

// isRegistered returns a function that reports whether there is a configuration.
func isRegistered(ctx context.Context, name string) func() bool {
	return func() bool {
		GinkgoHelper()
		err := admin.Get(ctx, client.ObjectKey{Name: name}, &admissionregistrationv1.MutatingWebhookConfiguration{})
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return !apierrors.IsNotFound(err)
	}
}

// expireCertificate lets the webhook's certificate be one whose time has come.
func expireCertificate(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	old, err := certs.Issue(mesh.WebhookServerNames(nsm.Namespace), time.Now().AddDate(-2, 0, 0))
	Expect(err).NotTo(HaveOccurred())
	patch := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: mesh.WebhookSecret}}
	before := patch.DeepCopy()
	patch.Data = map[string][]byte{corev1.TLSCertKey: old.Certificate, corev1.TLSPrivateKeyKey: old.Key, mesh.CABundleKey: old.CA}
	Expect(admin.Patch(ctx, patch, client.MergeFrom(before))).To(Succeed())
}
