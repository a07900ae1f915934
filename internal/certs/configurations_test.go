// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs_test

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/webhook"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
)

var _ = Describe("The webhook configurations", func() {
	var running context.Context

	BeforeEach(func(ctx SpecContext) {
		var cancel context.CancelFunc
		running, cancel = context.WithCancel(context.Background()) //nolint:fatcontext // one a spec, from the background
		DeferCleanup(cancel)
		replace(ctx, "-k", "../../config/crd")
		deleteConfigurations(ctx)
	})

	It("are made as they are built in, whatever replica comes first", func(ctx SpecContext) {
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(running)
		Expect(err).NotTo(HaveOccurred())
		wanted, validating := builtIn()
		Expect(bare(mutatingConfiguration(ctx))).To(Equal(bare(wanted)))
		Expect(validatingConfiguration(ctx).Webhooks).To(HaveLen(1))
		Expect(validatingConfiguration(ctx).Webhooks[0].MatchConditions).To(Equal(validating.Webhooks[0].MatchConditions))

		By("and again when somebody deletes them")
		deleteConfigurations(ctx)
		Eventually(func() error {
			return admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &admissionregistrationv1.ValidatingWebhookConfiguration{})
		}).Should(Succeed())
	})

	It("are put right by the replica that leads, but for the selectors, which are the admin's", func(ctx SpecContext) {
		first, end := context.WithCancel(running)
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(first)
		Expect(err).NotTo(HaveOccurred())
		except := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		alter := func() {
			// Others may write it at the same time.
			Eventually(func() error {
				altered := mutatingConfiguration(ctx)
				altered.Webhooks[0].NamespaceSelector = except
				altered.Webhooks[0].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
				altered.Webhooks[0].MatchConditions = nil
				altered.Webhooks = altered.Webhooks[:1]
				return admin.Update(ctx, altered)
			}).Should(Succeed())
		}
		alter()
		By("and not by others: they may be of another version")
		Consistently(func() int { return len(mutatingConfiguration(ctx).Webhooks) }).Should(Equal(1))

		// The next is called elsewhere: the two would not agree.
		end()
		serve(running, &certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: "https://" + freeAddress()})
		wanted, _ := builtIn()
		wanted.Webhooks[0].NamespaceSelector = except
		right := func() *admissionregistrationv1.MutatingWebhookConfiguration {
			return bare(mutatingConfiguration(ctx))
		}
		Eventually(right).Should(Equal(bare(wanted)))
		alter()
		Eventually(right).Should(Equal(bare(wanted)))
	})

	It("keep the terms that others add to a namespace selector, and nobody writes any more", func(ctx SpecContext) {
		serve(running, &certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: "https://" + freeAddress()})
		terms := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "kubernetes.azure.com/managedby", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"aks"}},
			{Key: "control-plane", Operator: metav1.LabelSelectorOpDoesNotExist},
		}}
		policy := func() *admissionregistrationv1.FailurePolicyType {
			return mutatingConfiguration(ctx).Webhooks[0].FailurePolicy
		}
		alter := func(selector *metav1.LabelSelector) {
			Eventually(func() error {
				validating := validatingConfiguration(ctx)
				validating.Webhooks[0].NamespaceSelector = selector
				return admin.Update(ctx, validating)
			}).WithTimeout(time.Minute).Should(Succeed())
			Eventually(func() error {
				mutating := mutatingConfiguration(ctx)
				mutating.Webhooks[0].FailurePolicy, mutating.Webhooks[0].NamespaceSelector = ptr.To(admissionregistrationv1.Ignore), selector
				return admin.Update(ctx, mutating)
			}).WithTimeout(time.Minute).Should(Succeed())
			Eventually(policy).WithTimeout(time.Minute).Should(HaveValue(Equal(admissionregistrationv1.Fail)), "what is not the selector comes back")
		}
		By("waiting for the replica to lead")
		alter(&metav1.LabelSelector{})
		By("adding terms, and changing something else beside them")
		alter(terms)
		Expect(mutatingConfiguration(ctx).Webhooks[0].NamespaceSelector).To(Equal(terms))
		Expect(validatingConfiguration(ctx).Webhooks[0].NamespaceSelector).To(Equal(terms))
		versions := func() [2]string {
			return [2]string{mutatingConfiguration(ctx).ResourceVersion, validatingConfiguration(ctx).ResourceVersion}
		}
		Consistently(versions).WithTimeout(2 * time.Second).Should(Equal(versions()))
	})

	It("go with the operator's rights, as OLM takes them away, and stay while there is one binding", func(ctx SpecContext) {
		server.StartControllers(ctx, "garbage-collector-controller")
		bind := func(name string) *rbacv1.ClusterRoleBinding {
			binding := &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "nsm-operator"},
				Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: "nsm-operator"}},
			}
			Expect(admin.Create(ctx, binding)).To(Succeed())
			return binding
		}
		kubectl(ctx, "delete", "clusterrolebinding", "nsm-operator-manager")
		DeferCleanup(func(ctx SpecContext) {
			kubectl(ctx, "apply", "--server-side", "-k", "../../config/rbac")
			server.AwaitRights(ctx)
		})
		Expect(client.IgnoreNotFound(admin.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName}}))).To(Succeed())
		owners := func() [][]string {
			secret := &corev1.Secret{}
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: secretName}, secret)).To(Succeed())
			return [][]string{ownersOf(mutatingConfiguration(ctx)), ownersOf(validatingConfiguration(ctx)), ownersOf(secret)}
		}
		older := bind("nsm-operator.v1")
		ends, end := context.WithCancel(running)
		Eventually(func() error {
			_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ends)
			return err
		}).Should(Succeed())
		Expect(owners()).To(HaveEach(ConsistOf("nsm-operator.v1")))

		By("an upgrade")
		newer := bind("nsm-operator.v2")
		after, uninstall := context.WithCancel(running)
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(after)
		Expect(err).NotTo(HaveOccurred())
		Expect(owners()).To(HaveEach(ConsistOf("nsm-operator.v1", "nsm-operator.v2")))
		uid := validatingConfiguration(ctx).UID
		end()
		Expect(admin.Delete(ctx, older)).To(Succeed())
		Eventually(owners).Should(HaveEach(ConsistOf("nsm-operator.v2")))
		Expect(validatingConfiguration(ctx).UID).To(Equal(uid))

		By("an uninstallation, with a replica that the API server has not taken the rights from yet")
		uninstall()
		_, err = (&certs.Issuer{Config: server.Config, Namespace: namespace}).Ensure(running)
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Delete(ctx, newer)).To(Succeed())
		for _, configuration := range []client.Object{
			&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-defaults"}},
			&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-validation"}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName}},
		} {
			isGone := func() bool {
				return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(configuration), configuration))
			}
			Eventually(isGone).Should(BeTrue())
			Consistently(isGone).WithTimeout(time.Second).Should(BeTrue())
		}
	})
})

// ownersOf an object, by their names.
func ownersOf(object client.Object) []string {
	var names []string
	for _, owner := range object.GetOwnerReferences() {
		names = append(names, owner.Name)
	}
	return names
}

// builtIn are the configurations as config/webhook has them.
func builtIn() (*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration) {
	GinkgoHelper()
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(yaml.UnmarshalStrict(webhook.Mutating, mutating)).To(Succeed())
	Expect(yaml.UnmarshalStrict(webhook.Validating, validating)).To(Succeed())
	return mutating, validating
}

// bare is a configuration without what differs from one cluster to another.
func bare(configuration *admissionregistrationv1.MutatingWebhookConfiguration) *admissionregistrationv1.MutatingWebhookConfiguration {
	copied := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: configuration.Name, Labels: configuration.Labels}}
	for _, entry := range configuration.DeepCopy().Webhooks {
		entry.ClientConfig = admissionregistrationv1.WebhookClientConfig{}
		copied.Webhooks = append(copied.Webhooks, entry)
	}
	return copied
}

func mutatingConfiguration(ctx context.Context) *admissionregistrationv1.MutatingWebhookConfiguration {
	GinkgoHelper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, configuration)).To(Succeed())
	return configuration
}

func validatingConfiguration(ctx context.Context) *admissionregistrationv1.ValidatingWebhookConfiguration {
	GinkgoHelper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, configuration)).To(Succeed())
	return configuration
}

// serve runs an issuer with a webhook server, as main does, as a replica that leads.
func serve(ctx context.Context, issuer *certs.Issuer) {
	GinkgoHelper()
	issued, err := issuer.Ensure(ctx)
	Expect(err).NotTo(HaveOccurred())
	address, err := net.ResolveTCPAddr("tcp", issuer.URL[len("https://"):])
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(operatorConfig, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host: "127.0.0.1", Port: address.Port, TLSOpts: []func(*tls.Config){issued},
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(issuer.SetupWithManager(mgr)).To(Succeed())
	ends, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ends) }()
	DeferCleanup(func() {
		end()
		Eventually(done).Should(Receive(Succeed()))
	})
	Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).Should(Succeed())
}

func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}
