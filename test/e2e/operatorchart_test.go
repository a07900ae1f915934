// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/documents"
	"github.com/networkservicemesh/nsm-operator/test/hammer"
)

const (
	operatorChart = "charts/nsm-operator"
	helm4, helm3  = "helm", "helm3"
	helmPage      = "docs/helm.md"
	chartPage     = "charts/nsm-operator/README.md"
)

// chartImage has a page's own image be the one that runs here.
var chartImage = []string{"image.registry=registry.example.com,image.repository=nsm-operator", "image.registry=ghcr.io"}

// By Helm 4 and by Helm 3, with the operator running as what the chart's Deployment says.
var _ = Describe("The operator's Helm chart", Ordered, SpecPriority(2), func() {
	BeforeAll(launchWithPods)

	It("is installed by Helm 4, into a namespace that lets in nothing but restricted pods", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", operatorNamespace)
		kubectl(ctx, "label", "namespace", operatorNamespace, "pod-security.kubernetes.io/enforce=restricted")
		release(ctx, helm4, "install", "nsm-operator")
		kubectl(ctx, "apply", "-f", "config/mesh/namespace.yaml")
		kubectl(ctx, "apply", "-f", oldSample)
		waitAvailable(ctx)
		writeInBothVersions(ctx, "installed")
	}, NodeTimeout(10*time.Minute))

	It("is in a Secret of less than 300 kB", func(ctx SpecContext) {
		stored := kubectl(ctx, "get", "secret", "sh.helm.release.v1.nsm-operator.v1", "-n", operatorNamespace, "-o", "json")
		Expect(len(stored)).To(And(BeNumerically(">", 10_000), BeNumerically("<", 300_000)))
	})

	It("is upgraded twice by Helm 4, with a new CA between", func(ctx SpecContext) {
		upgradeTwice(ctx, helm4, "nsm-operator")
	}, NodeTimeout(10*time.Minute))

	It("leaves the definitions and the mesh when it is uninstalled, and nothing that would block them", func(ctx SpecContext) {
		uninstall(ctx, helm4, "nsm-operator")
		Expect(ofOperator(ctx)).To(ContainElements("crds nsms.nsm.networkservicemesh.io",
			"crds networkservices.networkservicemesh.io", "crds networkserviceendpoints.networkservicemesh.io"))
		Expect(kubectl(ctx, "get", "nsms.v1beta1.nsm.networkservicemesh.io", "-n", namespace, "-o", "name")).To(ContainSubstring("nsm-sample"))
		Eventually(func() error {
			_, err := tryKubectl(ctx, "label", "--overwrite", "nsms.v1alpha1.nsm.networkservicemesh.io/nsm-sample", "-n", namespace, "example.com/a=b")
			return err
		}).WithTimeout(time.Minute).ShouldNot(Succeed(), "nobody converts it, once the pods have ended")
	}, NodeTimeout(10*time.Minute))

	It("is installed under another name by Helm 3, and upgraded twice, with a new CA between", func(ctx SpecContext) {
		_, err := tryRelease(ctx, helm3, "install", "another")
		Expect(err).To(MatchError(ContainSubstring("invalid ownership metadata")))
		release(ctx, helm3, "install", "another", "--take-ownership")
		Expect(kubectl(ctx, "get", "crd", "nsms.nsm.networkservicemesh.io", "-o", `jsonpath={.metadata.annotations.meta\.helm\.sh/release-name}`)).
			To(Equal("another"))
		waitAvailable(ctx)
		upgradeTwice(ctx, helm3, "another")
	}, NodeTimeout(10*time.Minute))

	It("goes from Helm 3 to Helm 4", func(ctx SpecContext) {
		before := readCA(ctx)
		release(ctx, helm4, "upgrade", "another", "--reuse-values")
		Expect(readCA(ctx)).To(Equal(before))
		writeInBothVersions(ctx, "by-the-other-helm")
		uninstall(ctx, helm4, "another")
	}, NodeTimeout(10*time.Minute))

	It("takes over what make deploy has installed by Helm 3, and no pod starts anew", func(ctx SpecContext) {
		said, err := tryMake(ctx, "deploy", "5m", "SPIRE=external")
		Expect(err).NotTo(HaveOccurred(), said)
		before := operatorPods(ctx)
		Expect(before).To(HaveLen(2))
		release(ctx, helm3, "install", "nsm-operator", "--take-ownership")
		Expect(operatorPods(ctx)).To(Equal(before))
		upgradeTwice(ctx, helm3, "nsm-operator")
		uninstall(ctx, helm3, "nsm-operator")
	}, NodeTimeout(10*time.Minute))

	It("takes it over by Helm 4's server-side apply too", func(ctx SpecContext) {
		said, err := tryMake(ctx, "deploy", "5m", "SPIRE=external")
		Expect(err).NotTo(HaveOccurred(), said)
		before := operatorPods(ctx)
		Expect(before).To(HaveLen(2))
		release(ctx, helm4, "install", "nsm-operator", "--take-ownership", "--force-conflicts")
		Expect(operatorPods(ctx)).To(Equal(before))
		upgradeTwice(ctx, helm4, "nsm-operator", "--force-conflicts")
	}, NodeTimeout(10*time.Minute))

	It("takes the definitions with it where it is told to", func(ctx SpecContext) {
		release(ctx, helm4, "upgrade", "nsm-operator", "--reuse-values", "--set", "crds.keep=false")
		kubectl(ctx, "delete", "-f", oldSample, "--timeout=1m")
		uninstall(ctx, helm4, "nsm-operator")
		Eventually(installed).WithArguments(ctx).WithPolling(listing).
			Should(ConsistOf("namespaces nsm", "namespaces "+operatorNamespace))
	}, NodeTimeout(10*time.Minute))

	It("is installed and uninstalled as docs/helm.md says", func(ctx SpecContext) {
		kubectl(ctx, "delete", "namespace", operatorNamespace, "--timeout=2m")
		follow(ctx, helmPage, documents.Test, chartImage...)
	}, NodeTimeout(10*time.Minute))

	It("is installed as its own page says", func(ctx SpecContext) {
		follow(ctx, chartPage, documents.Test, chartImage...)
	}, NodeTimeout(10*time.Minute))
})

// release installs or upgrades a release of the operator's chart, and waits for it. Helm 4
// ends its wait when all is ready at one moment, and fails if anything is not at the next
// one (wait, in its pkg/kube/statuswait.go): on a busy machine a late probe is enough.
func release(ctx context.Context, helm, verb, name string, args ...string) {
	GinkgoHelper()
	_, err := tryRelease(ctx, helm, verb, name, args...)
	if err != nil && strings.Contains(err.Error(), "not ready. status: InProgress") {
		_, err = tryRelease(ctx, helm, "upgrade", name, args...)
	}
	Expect(err).NotTo(HaveOccurred())
}

func tryRelease(ctx context.Context, helm, verb, name string, args ...string) (string, error) {
	GinkgoHelper()
	return tryHelm(ctx, helm, append([]string{verb, name, operatorChart, "-n", operatorNamespace, "--wait", "--timeout=5m"}, args...)...)
}

// upgradeTwice upgrades a release: to what it is, with nothing to do, and then, with
// another CA of which the release knows nothing, to what has the pods start anew.
func upgradeTwice(ctx context.Context, helm, name string, args ...string) {
	GinkgoHelper()
	before, pods := readCA(ctx), operatorPods(ctx)
	release(ctx, helm, "upgrade", name, args...)
	Expect(readCA(ctx)).To(Equal(before))
	Expect(operatorPods(ctx)).To(Equal(pods))

	By("rotating the CA")
	kubectl(ctx, "delete", "secret", "nsm-operator-webhook-cert", "-n", operatorNamespace)
	Eventually(readCA).WithArguments(ctx).WithPolling(listing).ShouldNot(Equal(before))
	rotated := readCA(ctx)
	whileUsed(ctx, "while "+helm+" upgrades", func() {
		release(ctx, helm, "upgrade", name, append(args, "--set", "log.level=debug")...)
	})
	Expect(operatorPods(ctx)).NotTo(ContainElement(BeElementOf(pods)), "they started anew")
	Expect(readCA(ctx)).To(Equal(rotated))
	writeInBothVersions(ctx, "upgraded-by-"+helm)
}

// whileUsed upgrades the operator while both versions of the sample are used. Nothing is
// lost or altered, and what fails was asked of a replica that had just ended.
func whileUsed(ctx context.Context, when string, upgrade func()) {
	GinkgoHelper()
	key := client.ObjectKey{Namespace: namespace, Name: "nsm-sample"}
	specs := func() map[string]any {
		GinkgoHelper()
		found := map[string]any{}
		for _, version := range hammer.Versions {
			nsm := hammer.Object(version, key)
			Eventually(func() error { return admin.Get(ctx, key, nsm) }).WithContext(ctx).Should(Succeed())
			found[version] = nsm.Object["spec"]
		}
		return found
	}
	before, users := specs(), hammer.New(config, key)
	users.Beat = 200 * time.Millisecond
	users.Start(ctx)
	upgrade()
	users.Stop()
	users.Report(when)
	users.ExpectNothingLost(ctx)
	users.ExpectFewFailures(ctx, hammer.Failure.IsForWantOfAnswer)
	Expect(specs()).To(Equal(before))
}

// uninstall takes a release away, and expects nothing of the operator to be left but
// definitions and namespaces. Helm 4 ends its wait when the first object is gone, if it has
// not yet seen the others, and says of them that they still exist.
func uninstall(ctx context.Context, helm, name string) {
	GinkgoHelper()
	_, err := tryHelm(ctx, helm, "uninstall", name, "-n", operatorNamespace, "--wait", "--timeout=5m")
	Expect(err).To(Or(Succeed(), MatchError(ContainSubstring("still exists. status: Terminating"))))
	Eventually(ofOperator).WithArguments(ctx).WithPolling(listing).
		Should(HaveEach(Or(HavePrefix("namespaces "), HavePrefix("crds "))))
	Eventually(reading(ctx, secretResource, operatorNamespace, "", "{.items[*].metadata.name}")).ShouldNot(ContainSubstring("webhook-cert"))
}

// ofOperator is what there is of the operator, and nothing of its meshes.
func ofOperator(ctx context.Context) []string {
	GinkgoHelper()
	meshes := map[string]bool{}
	for _, object := range ours(ctx) {
		meshes[object] = true
		meshes[strings.Replace(object, " /", " ", 1)] = true
	}
	var found []string
	for _, object := range installed(ctx) {
		if !meshes[object] {
			found = append(found, object)
		}
	}
	return found
}

// readCA is the CA by which the API server trusts conversion. All else of the stanza is
// expected to be what the chart has.
func readCA(ctx context.Context) string {
	GinkgoHelper()
	var stanza apiextensionsv1.CustomResourceConversion
	text, err := read(ctx, crdResource, "", "nsms.nsm.networkservicemesh.io", "{.spec.conversion}")
	Expect(err).NotTo(HaveOccurred())
	Expect(json.Unmarshal([]byte(text), &stanza)).To(Succeed())
	ca := stanza.Webhook.ClientConfig.CABundle
	stanza.Webhook.ClientConfig.CABundle = nil
	Expect(json.Marshal(stanza)).To(MatchJSON(`{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"service":
		{"name":"nsm-operator-service","namespace":"nsm-operator-system","path":"/convert","port":443}}}}`))
	return string(ca)
}

// operatorPods are the names of those that are not about to go.
func operatorPods(ctx context.Context) []string {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(admin.List(ctx, pods, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/name": "nsm-operator"})).To(Succeed())
	var names []string
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			names = append(names, pods.Items[i].Name)
		}
	}
	return names
}

// writeInBothVersions writes the sample in each version, and reads it in the other. It may
// fail for a moment after an upgrade: a replica that has just ended is called once more.
func writeInBothVersions(ctx context.Context, mark string) {
	GinkgoHelper()
	const alpha, beta = "nsms.v1alpha1.nsm.networkservicemesh.io", "nsms.v1beta1.nsm.networkservicemesh.io"
	for _, pair := range [][2]string{{alpha, beta}, {beta, alpha}} {
		written, read := pair[0], pair[1]
		value := mark + "-" + strings.Split(written, ".")[1]
		Eventually(func() error {
			_, err := tryKubectl(ctx, "annotate", "--overwrite", written+"/nsm-sample", "-n", namespace, "example.com/mark="+value)
			return err
		}).WithContext(ctx).Should(Succeed())
		Eventually(func() (string, error) {
			return tryKubectl(ctx, "get", read+"/nsm-sample", "-n", namespace, "-o", `jsonpath={.metadata.annotations.example\.com/mark}`)
		}).WithContext(ctx).Should(HaveSuffix(value), "after a warning that the older version is deprecated")
	}
}
