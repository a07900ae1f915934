// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("What the registry has kept", func() {
	const registry, entriesRole = "nsm-registry", "ClusterRole nsm:NAMESPACE:nsm-registry:namespace"
	var (
		o                 *operator
		nsm, elsewhere    *nsmv1beta1.NSM
		writtenByPeople   *unstructured.Unstructured
		forwarderEntry    string
		entriesOfRegistry int
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		forwarderEntry = forwarderPod("forwarder-vpp", 0)
		entriesOfRegistry = entriesIn(ctx, nsm.Namespace)
		Expect(entriesOfRegistry).To(BeNumerically(">", 1))
		elsewhere = &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx)}}
		register(ctx, elsewhere, "nse-elsewhere", time.Hour)
		writtenByPeople = &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"payload": "ETHERNET"}}}
		writtenByPeople.SetAPIVersion("networkservicemesh.io/v1")
		writtenByPeople.SetKind("NetworkService")
		writtenByPeople.SetNamespace(nsm.Namespace)
		writtenByPeople.SetName("by-people")
		Expect(admin.Create(ctx, writtenByPeople)).To(Succeed())
	})

	expectOthersToStay := func(ctx context.Context) {
		GinkgoHelper()
		Expect(entriesIn(ctx, elsewhere.Namespace)).To(Equal(1))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(writtenByPeople), writtenByPeople)).To(Succeed())
	}
	// turnToMemory changes the registry's type, and returns when the Deployment has
	// been changed and the old registry's pods have not gone.
	turnToMemory := func(ctx context.Context) {
		GinkgoHelper()
		change(ctx, nsm.DeepCopy(), useMemory)
		Eventually(func() appsv1.DeploymentStrategyType {
			return get(ctx, nsm, registry, &appsv1.Deployment{}).Spec.Strategy.Type
		}).Should(Equal(appsv1.RecreateDeploymentStrategyType))
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement("RoleBinding nsm-registry"))
	}
	deletions := func() []request {
		return slices.DeleteFunc(o.requests.all(), func(one request) bool {
			return one.verb != http.MethodDelete || !strings.Contains(one.path, "/networkserviceendpoints")
		})
	}

	It("goes with the mesh, and what people have written stays", func(ctx SpecContext) {
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue())
		Expect(entriesIn(ctx, nsm.Namespace)).To(BeZero())
		expectOthersToStay(ctx)
	})

	It("goes when the spec has replaced the registry by one in memory, once no pod of the old one is left", func(ctx SpecContext) {
		turnToMemory(ctx)
		Consistently(deletions).Should(BeEmpty(), "the old registry may still run")
		Expect(names(ctx, nsm)).To(ContainElement(entriesRole), "what shows that there is something to do")

		setDeployment(ctx, nsm, registry, oneUp)
		Eventually(func() int { return entriesIn(ctx, nsm.Namespace) }).Should(BeZero())
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(ContainSubstring("nsm-registry:namespace")))
		expectOthersToStay(ctx)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))

		By("and what is there later is not looked at")
		settle(o)
		register(ctx, nsm, forwarderEntry, time.Hour)
		reconcileOften(ctx, o, nsm)
		o.stop()
		passes := reconciles()
		o = startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(o.requests.all).Should(BeEmpty())
		Expect(entriesIn(ctx, nsm.Namespace)).To(Equal(1))
	})

	It("goes also with a mesh that is deleted in the middle of that", func(ctx SpecContext) {
		turnToMemory(ctx)
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(entriesIn(ctx, nsm.Namespace)).To(BeZero())
	})

	It("stays where the spec turns back in the middle of that", func(ctx SpecContext) {
		turnToMemory(ctx)
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Registry = nil })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		setDeployment(ctx, nsm, registry, oneUp)
		settle(o)
		Expect(entriesIn(ctx, nsm.Namespace)).To(Equal(entriesOfRegistry))
	})

	It("stays where another registry runs in the namespace, by NSM's own manifests", func(ctx SpecContext) {
		theirs := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "registry-k8s"},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "registry"}},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "registry"}},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/cmd-registry-k8s:v1.18.0"}}},
				},
			},
		}
		Expect(admin.Create(ctx, theirs)).To(Succeed())
		turnToMemory(ctx)
		setDeployment(ctx, nsm, registry, oneUp)
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(entriesRole), "it was looked at, once")
		Expect(entriesIn(ctx, nsm.Namespace)).To(Equal(entriesOfRegistry))
	})

	It("is reported while somebody does not let go of it, and goes after that", func(ctx SpecContext) {
		o.stop()
		o = impatient(mesh.Platform{})
		let := refuseDeletion(ctx, "networkserviceendpoints", entry(nsm, forwarderEntry))
		turnToMemory(ctx)
		setDeployment(ctx, nsm, registry, oneUp)
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			ContainSubstring("deleting what the registry has kept: deleting NetworkServiceEndpoint "+nsm.Namespace+"/"+forwarderEntry+": "),
			ContainSubstring(refusal)))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"), "the mesh runs")
		Expect(entriesIn(ctx, nsm.Namespace)).To(Equal(1), "the others go")

		let()
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
		Expect(entriesIn(ctx, nsm.Namespace)).To(BeZero())
	})
})

var _ = Describe("What the registry of the earlier operator has kept", func() {
	const entriesRole = "ClusterRole nsm:NAMESPACE:nsm-registry:namespace"

	// untilRegistry has the operator take over an earlier mesh whose NSM asks for a
	// registry in memory by now, until the new registry is there and not up.
	untilRegistry := func(ctx context.Context, example string) *nsmv1beta1.NSM {
		GinkgoHelper()
		nsm, old := earlierMesh(ctx, example)
		change(ctx, nsm, useMemory)
		register(ctx, nsm, "nse-client", time.Hour)
		startOperator()
		Eventually(releases(ctx, nsm)).Should(HaveKey(mesh.RegistryName))
		Expect(old).NotTo(BeEmpty())
		return nsm
	}

	It("goes where a registry in memory takes its place, once no pod of the old one is left", func(ctx SpecContext) {
		nsm := untilRegistry(ctx, "nested")
		Expect(entriesIn(ctx, nsm.Namespace)).To(Equal(1), "the old registry may still run")
		Expect(names(ctx, nsm)).To(And(ContainElement(entriesRole), Not(ContainElement("RoleBinding nsm-registry"))))
		setDeployment(ctx, nsm, mesh.RegistryName, oneUp)
		Eventually(func() int { return entriesIn(ctx, nsm.Namespace) }).Should(BeZero())
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(entriesRole))
	})

	It("is not looked for where that was one in memory as well", func(ctx SpecContext) {
		nsm := untilRegistry(ctx, "memory")
		Expect(names(ctx, nsm)).NotTo(ContainElement(entriesRole))
		setDeployment(ctx, nsm, mesh.RegistryName, oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey("nsmgr"))
		Expect(entriesIn(ctx, nsm.Namespace)).To(Equal(1))
	})
})

// useMemory has the mesh use a registry that keeps nothing in the API.
func useMemory(nsm *nsmv1beta1.NSM) {
	nsm.Spec.Registry = &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}
}

// entriesIn counts the entries of registries in a namespace.
func entriesIn(ctx context.Context, namespace string) int {
	GinkgoHelper()
	list := endpoints()
	Expect(admin.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	return len(list.Items)
}
