// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("Where a mesh names its domain", func() {
	// What cluster-info writes (cmd-cluster-info-k8s, main.go).
	const file, written = "config.yaml", "clusterName: one\n"
	var (
		o         *operator
		nsm       *nsmv1beta1.NSM
		configMap *corev1.ConfigMap
	)

	// write changes the ConfigMap as cluster-info does: it gets and updates it.
	write := func(ctx context.Context, how func(*corev1.ConfigMap)) {
		GinkgoHelper()
		passes := reconciles()
		change(ctx, configMap, how)
		Eventually(reconciles).Should(BeNumerically(">", passes))
		settle(o)
	}

	BeforeEach(func(ctx SpecContext) {
		serveClusterProperties(ctx)
		o = startOperatorOn(mesh.Platform{ClusterProperties: true}, &requests{})
		nsm = newDomain(ctx, "one")
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements(
			"DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry",
			"Deployment nsmgr-proxy", "Deployment registry-proxy", "Deployment cluster-info", "ConfigMap cluster-info"))
		configMap = get(ctx, nsm, "cluster-info", &corev1.ConfigMap{})
		bringAllUp(ctx, nsm)
		settle(o)
	})

	It("the ConfigMap for it is there, and empty", func(ctx SpecContext) {
		Expect(configMap.Data).To(BeEmpty())
		Expect(metav1.IsControlledBy(configMap, nsm)).To(BeTrue())
		reconcileOften(ctx, o, nsm)
	})

	It("what cluster-info writes stays, and is no drift", func(ctx SpecContext) {
		before := repaired("ConfigMap")
		write(ctx, func(c *corev1.ConfigMap) { c.Data = map[string]string{file: written} })
		reconcileOften(ctx, o, nsm)
		Expect(repaired("ConfigMap")).To(Equal(before))

		By("also when the ConfigMap is written")
		write(ctx, func(c *corev1.ConfigMap) { delete(c.Labels, mesh.LabelName) })
		Eventually(func() float64 { return repaired("ConfigMap") - before }).Should(Equal(1.0))
		Expect(get(ctx, nsm, "cluster-info", &corev1.ConfigMap{}).Data).To(Equal(map[string]string{file: written}))
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Version = "v1.17.0" })
		Eventually(func() string {
			return get(ctx, nsm, "cluster-info", &corev1.ConfigMap{}).Labels[mesh.LabelVersion]
		}).Should(Equal("v1.17.0"))
		Expect(get(ctx, nsm, "cluster-info", &corev1.ConfigMap{}).Data).To(Equal(map[string]string{file: written}))
	})

	It("cluster-info may write it, in this namespace alone", func(ctx SpecContext) {
		// The API server would let nobody grant what he has not.
		binding := get(ctx, nsm, "cluster-info", &rbacv1.RoleBinding{})
		Expect(binding.Subjects).To(ConsistOf(rbacv1.Subject{Kind: "ServiceAccount", Name: "cluster-info", Namespace: nsm.Namespace}))
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(binding), binding) }).Should(Succeed())
	})

	It("the ConfigMap goes with the name", func(ctx SpecContext) {
		write(ctx, func(c *corev1.ConfigMap) { c.Data = map[string]string{file: written} })
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Interdomain.ClusterName = "" })
		expectNoClusterInfo(ctx, nsm)
	})

	It("the ConfigMap goes with the mesh", func(ctx SpecContext) {
		write(ctx, func(c *corev1.ConfigMap) { c.Data = map[string]string{file: written} })
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		expectNoClusterInfo(ctx, nsm)
	})
})

var _ = Describe("A mesh that federates with other trust domains", func() {
	It("names those that SPIRE has not been told of", func(ctx SpecContext) {
		const noBundle = ": until SPIRE's server has the bundle of each trust domain in spec.interdomain.federatesWith, no new pod of the mesh gets an identity"
		serveSPIFFEIDs(ctx)
		o := patient(mesh.Platform{ClusterSPIFFEIDs: true})
		nsm := newDomain(ctx, "")
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) {
			n.Spec.Interdomain = &nsmv1beta1.InterdomainSpec{ServiceType: corev1.ServiceTypeNodePort, FederatesWith: []string{"one", "two"}}
		})
		Eventually(func() []string { return names(ctx, nsm) }).WithTimeout(soon).Should(ContainElements("DaemonSet forwarder-vpp", "Deployment registry-proxy"))
		reach := func() string {
			setAllReady(ctx, nsm) // also what is made only now
			return messageOf(ctx, nsm, nsmv1beta1.ConditionInterdomainReady)()
		}
		Eventually(reach).WithTimeout(soon).Should(Equal("there is no ClusterFederatedTrustDomain for one, two"+noBundle), "the kind is not even served")

		By("the kind coming, and one of the two")
		federation := serveFederation(ctx, "one")
		Eventually(reach).WithTimeout(3 * time.Minute).Should(Equal("there is no ClusterFederatedTrustDomain for two" + noBundle))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"), "the mesh itself is up")
		Expect(admin.Delete(ctx, federation)).To(Succeed())
		Eventually(reach).WithTimeout(soon).Should(ContainSubstring("for one, two" + noBundle))

		By("SPIRE's controller manager saying that all is registered")
		say(ctx, nsm, map[string]any{"podsSelected": 3, "entriesToSet": 3})
		Eventually(reach).WithTimeout(soon).Should(HavePrefix("ready: "))
		settle(o)
		reconcileOften(ctx, o, nsm)
	}, SpecTimeout(8*time.Minute))
})

// serveFederation has the API server serve ClusterFederatedTrustDomains until the spec
// ends, and makes one.
func serveFederation(ctx context.Context, trustDomain string) *unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("..", "config", "spire", "crd", "spire.spiffe.io_clusterfederatedtrustdomains.yaml"))
	Expect(err).NotTo(HaveOccurred())
	crd := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(text, &crd.Object)).To(Succeed())
	Expect(admin.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	})
	server.AwaitDefinitions(ctx, crd.GetName())
	federation := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"trustDomain": trustDomain, "bundleEndpointURL": "https://example.com", "bundleEndpointProfile": map[string]any{"type": "https_web"},
	}}}
	federation.SetGroupVersionKind(mesh.FederationKind)
	federation.SetName(trustDomain)
	// It is established a moment before it can be made.
	Eventually(func() error { return admin.Create(ctx, federation) }).Should(Succeed())
	return federation
}

// newDomain makes an NSM that names its domain, in the namespace where other
// domains look for it.
func newDomain(ctx context.Context, name string) *nsmv1beta1.NSM {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "nsm-system"}}
	if err := admin.Create(ctx, namespace); !apierrors.IsAlreadyExists(err) {
		Expect(err).NotTo(HaveOccurred())
	}
	return newNSMIn(ctx, namespace.Name, nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: name}})
}

// expectNoClusterInfo waits until nothing of cluster-info is there.
func expectNoClusterInfo(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	key := client.ObjectKey{Namespace: nsm.Namespace, Name: "cluster-info"}
	for _, object := range []client.Object{&corev1.ConfigMap{}, &rbacv1.RoleBinding{}} {
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, key, object)) }).Should(BeTrue(), "%T", object)
	}
	Expect(names(ctx, nsm)).NotTo(ContainElement(ContainSubstring("cluster-info")))
}

// serveClusterProperties until the end of the spec.
func serveClusterProperties(ctx context.Context) {
	GinkgoHelper()
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{
			"name":        "clusterproperties.about.k8s.io",
			"annotations": map[string]any{"api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements/pull/1998"},
		},
		"spec": map[string]any{
			"group": mesh.ClusterPropertyKind.Group, "scope": "Cluster",
			"names": map[string]any{"kind": mesh.ClusterPropertyKind.Kind, "plural": "clusterproperties"},
			"versions": []any{map[string]any{
				"name": mesh.ClusterPropertyKind.Version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true,
				}},
			}},
		},
	}}
	Expect(admin.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	})
	list := mesh.EmptyList(mesh.ClusterPropertyKind)
	Eventually(func() error { return admin.List(ctx, list) }).Should(Succeed())
}
