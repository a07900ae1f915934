// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/certs"
)

var _ = Describe("The guard of the CRD", Ordered, func() {
	var (
		running context.Context
		url     string
		right   *apiextensionsv1.CustomResourceConversion
	)

	BeforeAll(func(ctx SpecContext) {
		var cancel context.CancelFunc
		running, cancel = context.WithCancel(context.Background()) //nolint:fatcontext // one for all specs
		DeferCleanup(cancel)
		deleteConfigurations(ctx)
		replace(ctx, "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		url = "https://" + freeAddress()
		serve(running, &certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: url, Annotation: "example.com/noted"})
		right = definition(ctx).Spec.Conversion
		Expect(right.Webhook.ClientConfig.URL).To(Equal(ptr.To(url + "/convert")))
		Expect(served(definition(ctx))).To(Equal([]bool{true, true}), "by the operator itself")
		// The API server takes a moment to notice that there is one.
		Eventually(func() *apiextensionsv1.CustomResourceConversion {
			return overwrite(ctx, func(crd *apiextensionsv1.CustomResourceDefinition) {
				crd.Spec.Conversion.Webhook.ClientConfig.CABundle = nil
			}).Spec.Conversion
		}).Should(Equal(right))
	})

	It("has the CRD of a bundle never stored without the CA, nor with a version that is not served", func(ctx SpecContext) {
		kubectl(ctx, "annotate", "crd", crdName, "example.com/noted=by the operator")
		events, err := admin.Watch(ctx, &apiextensionsv1.CustomResourceDefinitionList{}, client.MatchingFields{"metadata.name": crdName})
		Expect(err).NotTo(HaveOccurred())
		defer events.Stop()
		Eventually(events.ResultChan()).Should(Receive(HaveField("Type", watch.Added)))
		file, err := os.ReadFile("../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		Expect(err).NotTo(HaveOccurred())
		var written *apiextensionsv1.CustomResourceDefinition
		// As OLM writes it.
		Eventually(func() error {
			bundled := &apiextensionsv1.CustomResourceDefinition{}
			Expect(yaml.Unmarshal(file, bundled)).To(Succeed())
			Expect(served(bundled)).To(Equal([]bool{false, true}))
			bundled.ResourceVersion = definition(ctx).ResourceVersion
			bundled.Labels = map[string]string{"changed": "yes"}
			written = bundled
			return admin.Update(ctx, bundled)
		}).Should(Succeed())
		Expect(written.Spec.Conversion).To(Equal(right))
		Expect(served(written)).To(Equal([]bool{true, true}))
		Expect(written.Annotations).To(HaveKeyWithValue("example.com/noted", "by the operator"))
		for seen := ""; seen != written.ResourceVersion; {
			var event watch.Event
			Eventually(events.ResultChan()).Should(Receive(&event))
			crd, ok := event.Object.(*apiextensionsv1.CustomResourceDefinition)
			Expect(ok).To(BeTrue())
			Expect(crd.Spec.Conversion).To(Equal(right))
			Expect(served(crd)).To(Equal([]bool{true, true}))
			seen = crd.ResourceVersion
		}
	})

	It("leaves nothing to store of what OLM v1 applies whenever the CRD changes: so nothing wakes it again", func(ctx SpecContext) {
		file, err := os.ReadFile("../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		Expect(err).NotTo(HaveOccurred())
		bundled := &apiextensionsv1.CustomResourceDefinition{}
		Expect(yaml.Unmarshal(file, bundled)).To(Succeed())
		Eventually(func(g Gomega) {
			stored := definition(ctx)
			applied := stored.DeepCopy()
			err := admin.Patch(ctx, applied, client.RawPatch(types.JSONPatchType, asOLMv1Applies(g, stored, bundled)))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(applied.Spec).To(Equal(stored.Spec))
			g.Expect(applied.ResourceVersion).To(Equal(stored.ResourceVersion))
		}).Should(Succeed())
	})

	DescribeTable("corrects whatever somebody writes", func(ctx SpecContext, change func(*apiextensionsv1.CustomResourceDefinition)) {
		// The API server waits for three seconds at most, and stores what it was sent.
		Eventually(func() *apiextensionsv1.CustomResourceConversion { return overwrite(ctx, change).Spec.Conversion }).Should(Equal(right))
	},
		Entry("no conversion, as OLM leaves it behind", func(crd *apiextensionsv1.CustomResourceDefinition) {
			crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
		}),
		Entry("another Service", func(crd *apiextensionsv1.CustomResourceDefinition) {
			crd.Spec.Conversion.Webhook.ClientConfig.URL = nil
			crd.Spec.Conversion.Webhook.ClientConfig.Service = &apiextensionsv1.ServiceReference{Namespace: "elsewhere", Name: "nsm-operator-service"}
		}),
	)

	It("leaves the operator's own writes alone: one of its replicas may know a newer CA", func(ctx SpecContext) {
		operator, err := client.New(operatorConfig, client.Options{Scheme: admin.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		crd := definition(ctx)
		crd.Spec.Conversion.Webhook.ClientConfig.CABundle = nil
		Expect(operator.Update(ctx, crd)).To(Succeed())
		Expect(crd.Spec.Conversion.Webhook.ClientConfig.CABundle).To(BeEmpty())
		Eventually(func() *apiextensionsv1.CustomResourceConversion { return definition(ctx).Spec.Conversion }).Should(Equal(right), "the operator restores it")
	})

	It("corrects a CRD that is made anew", func(ctx SpecContext) {
		kubectl(ctx, "delete", "crd", crdName)
		kubectl(ctx, "create", "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		Expect(definition(ctx).Generation).To(BeEquivalentTo(1))
		Expect(definition(ctx).Spec.Conversion).To(Equal(right))
		Expect(served(definition(ctx))).To(Equal([]bool{true, true}))
	})

	It("holds nobody up while nobody answers", func(ctx SpecContext) {
		configuration := mutatingConfiguration(ctx)
		Expect(configuration.Webhooks[1].FailurePolicy).To(HaveValue(BeEquivalentTo("Ignore")))
		Expect(configuration.Webhooks[1].TimeoutSeconds).To(HaveValue(BeNumerically("<=", 3)))
		kubectl(ctx, "label", "crd", "networkservices.networkservicemesh.io", "not-asked-about=yes", "--overwrite")
	})
})

// asOLMv1Applies is the patch that OLM v1 sends where an object is not as its bundle has it: what is in the
// bundle is set, and nothing is removed (createPatch of helm-operator-plugins v0.9.1).
func asOLMv1Applies(g Gomega, stored, bundled *apiextensionsv1.CustomResourceDefinition) []byte {
	GinkgoHelper()
	before, err := json.Marshal(stored)
	g.Expect(err).NotTo(HaveOccurred())
	after, err := json.Marshal(bundled)
	g.Expect(err).NotTo(HaveOccurred())
	operations, err := jsonpatch.CreatePatch(before, after)
	g.Expect(err).NotTo(HaveOccurred())
	operations = slices.DeleteFunc(operations, func(o jsonpatch.Operation) bool {
		return o.Operation == "remove" || o.Operation == "add" && o.Value == nil
	})
	g.Expect(operations).To(ContainElement(HaveField("Path", "/spec/versions/0/served")))
	patch, err := json.Marshal(operations)
	g.Expect(err).NotTo(HaveOccurred())
	return patch
}

var _ = Describe("With an operator behind its Service, the guard", func() {
	It("does not get into the way of server-side apply: no conflict, and nothing to write the second time", func(ctx SpecContext) {
		running, cancel := context.WithCancel(context.Background())
		defer cancel()
		replace(ctx, "-k", "../../config/crd")
		kubectl(ctx, "patch", "crd", crdName, "--type=json", "-p", `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
		kubectl(ctx, "apply", "--server-side", "-k", "../../config/crd")
		issuer := &certs.Issuer{Config: operatorConfig, Namespace: namespace}
		_, err := issuer.Ensure(running)
		Expect(err).NotTo(HaveOccurred())
		right := definition(ctx).Spec.Conversion
		callByURL(ctx, issuer)

		kubectl(ctx, "apply", "--server-side", "-k", "../../config/crd")
		Expect(definition(ctx).Spec.Conversion).To(Equal(right))
		version := definition(ctx).ResourceVersion
		kubectl(ctx, "apply", "--server-side", "-k", "../../config/crd")
		Expect(definition(ctx).ResourceVersion).To(Equal(version))

		By("also of a bundle's, by OLM's next version, with the Service in the operator's own namespace")
		for range 2 {
			kubectl(ctx, "apply", "--server-side", "--field-manager=olm", "--force-conflicts", "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
			Expect(definition(ctx).Spec.Conversion).To(Equal(right))
			Expect(served(definition(ctx))).To(Equal([]bool{true, true}))
		}
		Expect(ownersOfVersions(ctx)).To(ConsistOf("olm Apply"), "nobody takes them from it, so it sees no reason to apply again")
		version = definition(ctx).ResourceVersion
		kubectl(ctx, "apply", "--server-side", "--field-manager=olm", "--force-conflicts", "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		Expect(definition(ctx).ResourceVersion).To(Equal(version))
	})
})

// ownersOfVersions are the field managers that own spec.versions of the CRD, which is one list.
func ownersOfVersions(ctx context.Context) []string {
	GinkgoHelper()
	var managers []string
	for _, entry := range definition(ctx).ManagedFields {
		if entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.GetRawString(), `"f:versions"`) && entry.Subresource == "" {
			managers = append(managers, entry.Manager+" "+string(entry.Operation))
		}
	}
	return managers
}

// callByURL has the API server ask an issuer about the CRD where no Service leads to it.
func callByURL(ctx context.Context, issuer *certs.Issuer) {
	GinkgoHelper()
	pair, err := certs.Issue([]string{"127.0.0.1"}, time.Now())
	Expect(err).NotTo(HaveOccurred())
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	Expect(err).NotTo(HaveOccurred())
	listening := httptest.NewUnstartedServer(&admission.Webhook{Handler: issuer})
	listening.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	listening.StartTLS()
	DeferCleanup(listening.Close)
	configuration, _ := builtIn()
	configuration.Name = "guard-by-url"
	configuration.Webhooks = configuration.Webhooks[1:]
	configuration.Webhooks[0].ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: ptr.To(listening.URL + "/"), CABundle: pair.CA}
	configuration.Webhooks[0].FailurePolicy, configuration.Webhooks[0].TimeoutSeconds = ptr.To(admissionregistrationv1.Fail), ptr.To[int32](30)
	Expect(admin.Create(ctx, configuration)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, configuration)).To(Succeed()) })
	Eventually(func() []byte {
		return overwrite(ctx, func(crd *apiextensionsv1.CustomResourceDefinition) {
			crd.Spec.Conversion.Webhook.ClientConfig.CABundle = nil
		}).
			Spec.Conversion.Webhook.ClientConfig.CABundle
	}).ShouldNot(BeEmpty())
}

var _ = Describe("Without the guard", func() {
	It("a write of the CRD is stored as it is, and the operator corrects it", func(ctx SpecContext) {
		replace(ctx, "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		running, cancel := context.WithCancel(context.Background())
		defer cancel()
		// It is called there, and nobody listens.
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: "https://" + freeAddress()}).Ensure(running)
		Expect(err).NotTo(HaveOccurred())
		right := definition(ctx).Spec.Conversion
		replace(ctx, "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		Eventually(func() *apiextensionsv1.CustomResourceConversion { return definition(ctx).Spec.Conversion }).
			Should(Equal(right))
		Expect(served(definition(ctx))).To(Equal([]bool{true, true}))
	})
})

// overwrite the CRD as an admin, and return what was stored.
func overwrite(ctx context.Context, change func(*apiextensionsv1.CustomResourceDefinition)) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	var crd *apiextensionsv1.CustomResourceDefinition
	Eventually(func() error {
		crd = definition(ctx)
		change(crd)
		return admin.Update(ctx, crd)
	}).Should(Succeed())
	return crd
}

func definition(ctx context.Context) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: crdName}, crd)).To(Succeed())
	return crd
}

// served tells of each version whether it is.
func served(crd *apiextensionsv1.CustomResourceDefinition) []bool {
	var all []bool
	for n := range crd.Spec.Versions {
		all = append(all, crd.Spec.Versions[n].Served)
	}
	return all
}
