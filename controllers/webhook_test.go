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

// A pod of the admission webhook, as Kubernetes names it, and the last release that
// registers itself.
const (
	nextWebhookPod  = "admission-webhook-k8s-5d7c8b9f4-bcd2f"
	lastItself      = "v1.11.2"
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
		setAllReady(ctx, nsm)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
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
		setDeployment(ctx, nsm, mesh.WebhookName, oneUp)
		settle(o)
		before := configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle
		expireCertificate(ctx, nsm)
		Eventually(func() []byte { return configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle }).ShouldNot(Equal(before))
		stays()
		setAllReady(ctx, nsm)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		stays()
	})

	It("comes back when somebody deletes it, and meanwhile people are told", func(ctx SpecContext) {
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 2, updated: 1, ready: 1})
		Expect(admin.Delete(ctx, configurationOf(ctx, nsm))).To(Succeed())
		Eventually(messageOf(ctx, nsm, webhookReady)).Should(HaveSuffix(withoutSidecars))
		Expect(messageOf(ctx, nsm, available)()).To(HaveSuffix(withoutSidecars))
		setDeployment(ctx, nsm, mesh.WebhookName, oneUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(configurationOf(ctx, nsm).Webhooks).To(HaveLen(1))
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

// isRegistered returns a function that tells whether there is a configuration.
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
