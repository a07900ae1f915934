// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

const (
	namespace  = apiserver.OperatorNamespace
	crdName    = "nsms.nsm.networkservicemesh.io"
	secretName = "nsm-operator-webhook-cert"
)

var (
	server *apiserver.Server
	// admin may do everything.
	admin client.WithWatch
	// operatorConfig is the operator's access, with exactly the shipped roles.
	operatorConfig *rest.Config
	// kubectl runs the kubectl that was built.
	kubectl func(ctx context.Context, args ...string) string
	// replace runs "kubectl replace", until nobody writes in between.
	replace func(ctx context.Context, args ...string)
)

func TestCerts(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	RunSpecs(t, "Certificates")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = apiserver.Start(&envtest.Environment{})
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	var err error
	admin, err = client.NewWithWatch(server.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	kubectl, replace = server.Kubectl, server.Replace
	operatorConfig = server.Operator()
	server.Install(ctx)
})

// calls is how the API server is told to call the webhooks: by the CRD, and by
// the two webhook configurations.
type calls struct {
	url, service string
	ca           string
}

// told reads what the API server was told, in all three places.
func told(ctx context.Context) []calls {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: crdName}, crd)).To(Succeed())
	conversion := crd.Spec.Conversion.Webhook.ClientConfig
	found := []calls{{ca: string(conversion.CABundle)}}
	if conversion.URL != nil {
		found[0].url = *conversion.URL
	} else {
		found[0].service = conversion.Service.Namespace + "/" + conversion.Service.Name
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, mutating)).To(Succeed())
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, validating)).To(Succeed())
	for _, config := range []admissionregistrationv1.WebhookClientConfig{
		mutating.Webhooks[0].ClientConfig, validating.Webhooks[0].ClientConfig,
	} {
		call := calls{ca: string(config.CABundle)}
		if config.URL != nil {
			call.url = *config.URL
		} else {
			call.service = config.Service.Namespace + "/" + config.Service.Name
		}
		found = append(found, call)
	}
	return found
}

// deleteConfigurations leaves nobody to be asked about NSMs.
func deleteConfigurations(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "delete", "mutatingwebhookconfiguration", "nsm-operator-defaults", "--ignore-not-found")
	kubectl(ctx, "delete", "validatingwebhookconfiguration", "nsm-operator-validation", "--ignore-not-found")
}

// shared reads the Secret with the pair.
func shared(ctx context.Context) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: secretName}, secret)).To(Succeed())
	return secret
}
