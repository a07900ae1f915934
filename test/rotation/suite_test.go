// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package rotation_test is about what keeps both versions of the API usable:
// certificates that rotate, storage that is migrated, and outages of the
// webhooks. It runs against a real API server, as the operator's own
// ServiceAccount with exactly the shipped roles.
package rotation_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

const (
	operatorNamespace = apiserver.OperatorNamespace
	secretName        = "nsm-operator-webhook-cert"
	crdName           = "nsms.nsm.networkservicemesh.io"
)

var (
	server *apiserver.Server
	// admin may do everything, and is never throttled.
	admin       client.WithWatch
	adminConfig *rest.Config
	// operatorConfig is the operator's access.
	operatorConfig *rest.Config
	scheme         = newScheme()
)

func TestRotation(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Rotation")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = apiserver.Start(&envtest.Environment{})
	adminConfig = rest.CopyConfig(server.Config)
	adminConfig.QPS = -1
	var err error
	admin, err = client.NewWithWatch(adminConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	server.Install(ctx)
	server.Kubectl(ctx, "create", "-f", "../../config/webhook/mutating.yaml", "-f", "../../config/webhook/validating.yaml")
	allowUnvalidated(ctx)
	operatorConfig = server.Operator()
})

// unvalidated is a label of namespaces in which NSMs may be what validation does
// not let in today, such as one of several meshes on all nodes.
const unvalidated = "unvalidated"

func allowUnvalidated(ctx context.Context) {
	GinkgoHelper()
	validated := &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: unvalidated, Operator: metav1.LabelSelectorOpDoesNotExist}},
	}
	Eventually(func(g Gomega) {
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &configuration)).To(Succeed())
		configuration.Webhooks[0].NamespaceSelector = validated
		g.Expect(admin.Update(ctx, &configuration)).To(Succeed())
	}).Should(Succeed())
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, nsmv1alpha1.AddToScheme, nsmv1beta1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}

func getCRD(ctx context.Context) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: crdName}, crd)).To(Succeed())
	return crd
}

func getSecret(ctx context.Context) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: secretName}, secret)).To(Succeed())
	return secret
}

// bundles are the CAs that the API server trusts, one for each webhook.
func bundles(ctx context.Context) []string {
	GinkgoHelper()
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, &mutating)).To(Succeed())
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &validating)).To(Succeed())
	return []string{
		string(getCRD(ctx).Spec.Conversion.Webhook.ClientConfig.CABundle),
		string(mutating.Webhooks[0].ClientConfig.CABundle), string(validating.Webhooks[0].ClientConfig.CABundle),
	}
}

func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	return newNamespaceWith(ctx, nil)
}

func newNamespaceWith(ctx context.Context, labels map[string]string) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "rotation-", Labels: labels}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// newNSM makes an NSM in a namespace of its own, on nodes of its own, so that
// validation lets it live beside others. It goes at the end of the spec, when
// conversion works.
func newNSM(ctx context.Context) *nsmv1beta1.NSM {
	GinkgoHelper()
	nsm := nsmIn(newNamespace(ctx))
	// The API server takes a moment to notice how to call the webhooks.
	Eventually(func() error { return admin.Create(ctx, nsm) }).Should(Succeed())
	DeferCleanup(remove, nsm)
	// And another one to notice who converts.
	Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{}) }).Should(Succeed())
	return nsm
}

func nsmIn(namespace string) *nsmv1beta1.NSM {
	nodes := map[string]string{"mesh": namespace}
	return &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mesh"},
		Spec: nsmv1beta1.NSMSpec{
			// Of the meshes of a cluster one may have it.
			AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)},
			Nsmgr:            &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: nodes}},
			Forwarders: []nsmv1beta1.ForwarderSpec{{
				Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: nodes},
			}},
		},
	}
}

func remove(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(admin.Delete(ctx, nsm))).To(Succeed())
	release := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	Expect(client.IgnoreNotFound(admin.Patch(ctx, nsm.DeepCopy(), release))).To(Succeed())
}
