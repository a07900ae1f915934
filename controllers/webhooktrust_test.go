// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const certificateAnnotation = "nsm.networkservicemesh.io/certificate"

var _ = Describe("The API server trusts what the webhook's pods serve, whatever happens to its Secret", func() {
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
		// serving are the certificates that pods serve now. What watches the configuration
		// reads them, too.
		serving atomic.Pointer[[][]byte]
	)
	nowServe := func(chains ...[]byte) { serving.Store(&chains) }
	serveAlso := func(chain []byte) { nowServe(append(slices.Clone(*serving.Load()), chain)...) }

	// trustedBy tells, by an error, whether all of them are trusted by all entries.
	trustedBy := func(configuration *admissionregistrationv1.MutatingWebhookConfiguration) error {
		var errs []error
		for _, webhook := range configuration.Webhooks {
			for _, chain := range *serving.Load() {
				errs = append(errs, verify(webhook.ClientConfig.CABundle, chain, nsm))
			}
		}
		return errors.Join(errs...)
	}
	secretOf := func(ctx context.Context) *corev1.Secret {
		GinkgoHelper()
		return get(ctx, nsm, mesh.WebhookSecret, &corev1.Secret{})
	}
	// rolledTo waits until the Deployment goes to another certificate than one with
	// the annotation, and returns its own annotation and certificate.
	rolledTo := func(ctx context.Context, before string) (annotation string, chain []byte) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			annotation = webhookOf(ctx, nsm).Spec.Template.Annotations[certificateAnnotation]
			g.Expect(annotation).NotTo(Equal(before))
			chain = secretOf(ctx).Data[corev1.TLSCertKey]
			g.Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed())
			g.Expect(verify(configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle, chain, nsm)).To(Succeed())
		}).Should(Succeed())
		return annotation, chain
	}
	annotated := func(ctx context.Context) string {
		GinkgoHelper()
		return webhookOf(ctx, nsm).Spec.Template.Annotations[certificateAnnotation]
	}
	authorities := func(ctx context.Context) func() int {
		return func() int {
			GinkgoHelper()
			found, err := cert.ParseCertsPEM(configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle)
			Expect(err).NotTo(HaveOccurred())
			return len(found)
		}
	}
	// watchTrust sees every version of the configuration, until what it returns is
	// called: each trusts what pods serve at the moment.
	watchTrust := func(ctx context.Context) (stop func()) {
		GinkgoHelper()
		watch, err := adminWatch.Watch(ctx, &admissionregistrationv1.MutatingWebhookConfigurationList{},
			client.MatchingFields{"metadata.name": mesh.WebhookConfigurationName(nsm.Namespace)})
		Expect(err).NotTo(HaveOccurred())
		done := make(chan error, 1)
		go func() {
			var errs []error
			for event := range watch.ResultChan() {
				if configuration, ok := event.Object.(*admissionregistrationv1.MutatingWebhookConfiguration); ok {
					errs = append(errs, trustedBy(configuration))
				}
			}
			done <- errors.Join(errs...)
		}()
		return func() {
			GinkgoHelper()
			watch.Stop()
			Eventually(done).Should(Receive(Succeed()))
		}
	}

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment admission-webhook-k8s"))
	})

	comeUp := func(ctx context.Context) {
		GinkgoHelper()
		bringAllUp(ctx, nsm)
		settle(o)
		nowServe(secretOf(ctx).Data[corev1.TLSCertKey])
		Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed())
		Expect(authorities(ctx)()).To(Equal(1))
	}

	set := func(change func(*corev1.Secret)) func(context.Context) {
		return func(ctx context.Context) {
			GinkgoHelper()
			secret := secretOf(ctx)
			change(secret)
			Expect(admin.Update(ctx, secret)).To(Succeed())
		}
	}

	DescribeTable("while its pods change over", func(ctx SpecContext, mistreat func(context.Context)) {
		comeUp(ctx)
		before, stop := annotated(ctx), watchTrust(ctx)
		mistreat(ctx)
		_, next := rolledTo(ctx, before)

		By("some of the pods")
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 3, updated: 1, ready: 3})
		serveAlso(next)
		settle(o)
		Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed())
		stop()

		By("all of them")
		nowServe(next)
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		Eventually(authorities(ctx)).Should(Equal(1))
		Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed())
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	},
		Entry("since it was deleted", func(ctx context.Context) { Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed()) }),
		Entry("since it was emptied", set(func(secret *corev1.Secret) {
			secret.Data = map[string][]byte{corev1.TLSCertKey: nil, corev1.TLSPrivateKeyKey: nil}
		})),
		Entry("since its key was overwritten", set(func(secret *corev1.Secret) { secret.Data[corev1.TLSPrivateKeyKey] = []byte("x") })),
		Entry("since its certificate was overwritten", set(func(secret *corev1.Secret) { secret.Data[corev1.TLSCertKey] = []byte("x") })),
		Entry("since its CAs were taken out", set(func(secret *corev1.Secret) { delete(secret.Data, mesh.CABundleKey) })),
		Entry("since somebody put another certificate there", set(func(secret *corev1.Secret) {
			theirs, err := certs.Issue(mesh.WebhookServerNames(nsm.Namespace), time.Now())
			Expect(err).NotTo(HaveOccurred())
			secret.Data = map[string][]byte{corev1.TLSCertKey: theirs.Certificate, corev1.TLSPrivateKeyKey: theirs.Key, mesh.CABundleKey: theirs.CA}
		})),
		Entry("since its time has come", func(ctx context.Context) { expireCertificate(ctx, nsm) }),
	)

	It("also where it is deleted again before all pods have changed over", func(ctx SpecContext) {
		comeUp(ctx)
		annotation, stop := annotated(ctx), watchTrust(ctx)
		for range 3 {
			Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed())
			var next []byte
			annotation, next = rolledTo(ctx, annotation)
			setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 3, updated: 1, ready: 3})
			serveAlso(next)
			settle(o)
			Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed())
		}
		Expect(authorities(ctx)()).To(Equal(4))
		stop()
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		Eventually(authorities(ctx)).Should(Equal(1))
	})

	It("and no endless number of CAs, however often it is deleted", func(ctx SpecContext) {
		comeUp(ctx)
		annotation, stop := annotated(ctx), watchTrust(ctx)
		for range 10 {
			// Deleted before the operator has seen it, it would come back as it was.
			settle(o)
			Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed())
			annotation, _ = rolledTo(ctx, annotation)
			Expect(authorities(ctx)()).To(BeNumerically("<=", 8))
		}
		stop()
		Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed(), "the pods of the first one still serve")
	})

	It("also where it is deleted while the operator is away", func(ctx SpecContext) {
		comeUp(ctx)
		before, stop := annotated(ctx), watchTrust(ctx)
		o.stop()
		Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed())
		o = startOperator()
		rolledTo(ctx, before)
		stop()
	})

	It("and is not told to ask before all pods serve what it trusts", func(ctx SpecContext) {
		comeUp(ctx)
		before := annotated(ctx)
		o.stop()
		Expect(admin.Delete(ctx, configurationOf(ctx, nsm))).To(Succeed())
		Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed())
		o = startOperator()
		Eventually(func() string { return annotated(ctx) }).ShouldNot(Equal(before))
		settle(o)
		Expect(isRegistered(ctx, mesh.WebhookConfigurationName(nsm.Namespace))()).To(BeFalse(), "the pods serve what nobody can trust any more")
		setDeployment(ctx, nsm, mesh.WebhookName, pods{current: 3, updated: 2, ready: 3})
		settle(o)
		Expect(isRegistered(ctx, mesh.WebhookConfigurationName(nsm.Namespace))()).To(BeFalse())
		setDeployment(ctx, nsm, mesh.WebhookName, twoUp)
		Eventually(isRegistered(ctx, mesh.WebhookConfigurationName(nsm.Namespace))).Should(BeTrue())
		nowServe(secretOf(ctx).Data[corev1.TLSCertKey])
		Expect(trustedBy(configurationOf(ctx, nsm))).To(Succeed())
	})

	It("before the webhook is up nothing is kept of what nobody serves", func(ctx SpecContext) {
		settle(o)
		before := annotated(ctx)
		Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed())
		Eventually(func() string { return annotated(ctx) }).ShouldNot(Equal(before))
		comeUp(ctx)
	})

	It("changes no pod as long as the new certificate cannot be kept", func(ctx SpecContext) {
		comeUp(ctx)
		before, stop := annotated(ctx), watchTrust(ctx)
		let := refuse(ctx, nsm.Namespace, "secrets")
		Expect(admin.Delete(ctx, secretOf(ctx))).To(Succeed())
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionDegraded)).Should(ContainSubstring(mesh.WebhookSecret))
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.LogLevel = "DEBUG" })
		Eventually(func() string { return templates(ctx, nsm)["DaemonSet nsmgr"] }).Should(ContainSubstring("DEBUG"), "all else goes on")
		Expect(annotated(ctx)).To(Equal(before))
		Expect(authorities(ctx)()).To(Equal(2), "the same one is tried again")
		let()
		rolledTo(ctx, before)
		stop()
	})
})

// verify tells, by an error, whether a server of the webhook that serves a
// certificate is trusted by a bundle.
func verify(bundle, chain []byte, nsm *nsmv1beta1.NSM) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	certificates, err := cert.ParseCertsPEM(chain)
	if err != nil {
		return err
	}
	_, err = certificates[0].Verify(x509.VerifyOptions{DNSName: mesh.WebhookServerNames(nsm.Namespace)[0], Roots: roots})
	return err
}

// refuse has the API server refuse the creation of a resource in a namespace, until
// what it returns is called.
func refuse(ctx context.Context, namespace, resource string) (let func()) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "refuse-" + namespace}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{resource}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "refused by the test"}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: meta.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	Expect(admin.Create(ctx, policy)).To(Succeed())
	Expect(admin.Create(ctx, binding)).To(Succeed())
	remove := func(ctx context.Context) {
		GinkgoHelper()
		Expect(client.IgnoreNotFound(admin.Delete(ctx, binding))).To(Succeed())
		Expect(client.IgnoreNotFound(admin.Delete(ctx, policy))).To(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) { remove(ctx) })
	probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
	Eventually(func() bool {
		return apierrors.IsInvalid(admin.Create(ctx, probe.DeepCopy(), client.DryRunAll)) ||
			apierrors.IsForbidden(admin.Create(ctx, probe.DeepCopy(), client.DryRunAll))
	}).Should(BeTrue())
	return func() {
		GinkgoHelper()
		remove(ctx)
		Eventually(func() error { return admin.Create(ctx, probe.DeepCopy(), client.DryRunAll) }).Should(Succeed())
	}
}
