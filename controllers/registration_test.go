// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("A forwarder is ready when the registry has a live endpoint for it", func() {
	const workload = "forwarder-vpp"
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
	)

	BeforeEach(func(ctx SpecContext) {
		o = impatient(mesh.Platform{})
		nsm = newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		for node := range int32(3) {
			newForwarder(ctx, nsm, workload, node)
		}
		// The kubelet says that the pods are ready, and nobody has registered them.
		setDaemonSetStatus(ctx, nsm, workload, threeUp)
	})

	forwarders := func(ctx SpecContext) func() string {
		return func() string { return reread(ctx, nsm).Status.Forwarders }
	}
	ready := func(ctx SpecContext) func() string { return condition(ctx, nsm, nsmv1beta1.ConditionForwardersReady) }
	why := func(ctx SpecContext) func() string { return messageOf(ctx, nsm, nsmv1beta1.ConditionForwardersReady) }

	It("one after the other", func(ctx SpecContext) {
		Eventually(why(ctx)).Should(ContainSubstring("no live NetworkServiceEndpoint"))
		for node, count := range []string{"1/3", "2/3"} {
			register(ctx, nsm, forwarderPod(workload, int32(node)), time.Hour)
			Eventually(forwarders(ctx)).Should(Equal(count))
			Expect(condition(ctx, nsm, available)()).To(Equal("False"))
		}
		register(ctx, nsm, forwarderPod(workload, 2), time.Hour)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(forwarders(ctx)()).To(Equal("3/3"))

		By("and renewals wake nobody")
		settle(o)
		passes := reconciles()
		for node := range int32(3) {
			register(ctx, nsm, forwarderPod(workload, node), 2*time.Hour)
		}
		Consistently(reconciles).Should(Equal(passes))
		Expect(o.requests.all()).To(BeEmpty())
	})

	It("and endpoints that come and go cost no list of pods, as long as none is missed", func(ctx SpecContext) {
		for node := range int32(3) {
			register(ctx, nsm, forwarderPod(workload, node), time.Hour)
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		settle(o)
		lists := func() int {
			return o.requests.count(request{verb: "GET", path: "/api/v1/namespaces/" + nsm.Namespace + "/pods"})
		}
		for node := int32(4); node < 7; node++ {
			passes := reconciles()
			register(ctx, nsm, forwarderPod(workload, node), time.Hour)
			Eventually(reconciles).Should(BeNumerically(">", passes))
			passes = reconciles()
			Expect(admin.Delete(ctx, entry(nsm, forwarderPod(workload, node)))).To(Succeed())
			Eventually(reconciles).Should(BeNumerically(">", passes))
		}
		Expect(lists()).To(BeZero())
		Expect(forwarders(ctx)()).To(Equal("3/3"))

		By("and those that are replaced so fast that the counts stay are found, one soon after the other, too")
		o.stop()
		o = impatient(mesh.Platform{}, func(times *controllers.Times) { times.LookPause = 5 * time.Second })
		for node := range int32(2) {
			newForwarder(ctx, nsm, workload, 3+node)
			Expect(admin.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: forwarderPod(workload, node)}},
				client.GracePeriodSeconds(0))).To(Succeed())
			passes := reconciles()
			register(ctx, nsm, forwarderPod(workload, 3+node), time.Hour)
			Eventually(reconciles).Should(BeNumerically(">", passes))
			passes = reconciles()
			Expect(admin.Delete(ctx, entry(nsm, forwarderPod(workload, node)))).To(Succeed())
			Eventually(reconciles).Should(BeNumerically(">", passes))
		}
		Eventually(forwarders(ctx)).Should(Equal("3/3"))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	})

	It("by whatever clock that is renewed, until it goes", func(ctx SpecContext) {
		// The clock of the registry is a minute and a half behind ours.
		for node := range int32(3) {
			register(ctx, nsm, forwarderPod(workload, node), -90*time.Second)
		}
		Eventually(ready(ctx)).Should(Equal("True"))
		settle(o)
		for node := range int32(3) {
			register(ctx, nsm, forwarderPod(workload, node), -60*time.Second)
		}
		Consistently(o.requests.all).Should(BeEmpty(), "a renewal wakes nobody")

		By("in a new process, too")
		o.stop()
		passes := reconciles()
		o = startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(ready(ctx)).Should(Equal("True"))

		endpoint := entry(nsm, forwarderPod(workload, 0))
		Expect(admin.Delete(ctx, endpoint)).To(Succeed())
		Eventually(forwarders(ctx)).Should(Equal("2/3"))
		register(ctx, nsm, forwarderPod(workload, 0), -60*time.Second)
		Eventually(ready(ctx)).Should(Equal("True"))
	})

	It("which one that is left of a pod that has gone is not", func(ctx SpecContext) {
		for node := range int32(2) {
			register(ctx, nsm, forwarderPod(workload, node), time.Hour)
		}
		register(ctx, nsm, forwarderPod(workload, 7), time.Hour)
		Eventually(forwarders(ctx)).Should(Equal("2/3"))
		Eventually(why(ctx)).Should(ContainSubstring("(on node node-2)"), "the loop finds out which")
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))

		register(ctx, nsm, forwarderPod(workload, 2), time.Hour)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	})

	It("which those of the pods before are not, for an operator that has just started either", func(ctx SpecContext) {
		for node := range int32(3) {
			register(ctx, nsm, forwarderPod(workload, node), time.Hour)
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		o.stop()
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{LogLevel: "DEBUG"})
		o = impatient(mesh.Platform{})
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		settle(o)
		o.stop()

		By("starting again when all pods are new, and nobody has registered them")
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		for node := range int32(3) {
			Expect(admin.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: forwarderPod(workload, node)}},
				client.GracePeriodSeconds(0))).To(Succeed())
			newForwarder(ctx, nsm, workload, 3+node)
		}
		setDaemonSetStatus(ctx, nsm, workload, threeUp)
		passes := reconciles()
		o = impatient(mesh.Platform{})
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(condition(ctx, nsm, available)).Should(Equal("False"))
		Eventually(forwarders(ctx)).Should(Equal("0/3"))
	})

	It("which one of another service is not", func(ctx SpecContext) {
		for node := range int32(2) {
			register(ctx, nsm, forwarderPod(workload, node), time.Hour)
		}
		endpoint := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "networkservicemesh.io/v1", "kind": "NetworkServiceEndpoint",
			"metadata": map[string]any{"namespace": nsm.Namespace, "name": forwarderPod(workload, 2)},
			"spec":     map[string]any{"network_service_names": []any{"icmp-responder"}},
		}}
		Expect(admin.Create(ctx, endpoint)).To(Succeed())
		Eventually(forwarders(ctx)).Should(Equal("2/3"))
		Consistently(forwarders(ctx)).Should(Equal("2/3"))
	})
})

var _ = Describe("Whether a forwarder is registered", func() {
	It("is not told by the endpoints of one with a longer name, after a restart either", func(ctx SpecContext) {
		o := startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{
			{Name: "fwd", Type: nsmv1beta1.ForwarderTypeVPP}, {Name: "fwd-xdp", Type: nsmv1beta1.ForwarderTypeVPP},
		}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("DaemonSet fwd", "DaemonSet fwd-xdp", "DaemonSet nsmgr"))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		setDaemonSet(ctx, nsm, "fwd-xdp", threeUp)
		setDaemonSetStatus(ctx, nsm, "fwd", threeUp)
		Eventually(func() string { return reread(ctx, nsm).Status.Forwarders }).Should(Equal("3/6"))
		o.stop()

		passes := reconciles()
		startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(func() string { return reread(ctx, nsm).Status.Forwarders }).Should(Equal("3/6"))
	})

	It("cannot be known without the kind, until that is installed", func(ctx SpecContext) {
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		crd.SetName("networkserviceendpoints.networkservicemesh.io")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)).To(Succeed())
		again := crd.DeepCopy()
		again.SetResourceVersion("")
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreAlreadyExists(admin.Create(ctx, again.DeepCopy()))).To(Succeed())
		})

		startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		setDaemonSetStatus(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(messageOf(ctx, nsm, available)).Should(ContainSubstring(
			"install the CustomResourceDefinition networkserviceendpoints.networkservicemesh.io"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)()).To(Equal("True"), "the rest of the mesh is reported")

		Expect(admin.Create(ctx, again.DeepCopy())).To(Succeed())
		Eventually(func() error { return admin.List(ctx, endpoints()) }).Should(Succeed())
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(condition(ctx, nsm, available)).WithTimeout(time.Minute).Should(Equal("True"))
	})
})

// entry is an entry of the registry, by its name.
func entry(nsm *nsmv1beta1.NSM, name string) *unstructured.Unstructured {
	endpoint := &unstructured.Unstructured{}
	endpoint.SetGroupVersionKind(schema.GroupVersionKind{Group: "networkservicemesh.io", Version: "v1", Kind: "NetworkServiceEndpoint"})
	endpoint.SetNamespace(nsm.Namespace)
	endpoint.SetName(name)
	return endpoint
}

// endpoints is an empty list of the registry's entries.
func endpoints() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "networkservicemesh.io", Version: "v1", Kind: "NetworkServiceEndpointList"})
	return list
}

var _ = Describe("A forwarder's file in a ConfigMap", func() {
	const annotation = "nsm.networkservicemesh.io/sriov-config-hash"
	var (
		o         *operator
		nsm       *nsmv1beta1.NSM
		configMap *corev1.ConfigMap
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		namespace := newNamespace(ctx)
		configMap = &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "sriov"}, Data: map[string]string{"sriov.config": "one", "other": "x"},
		}
		Expect(admin.Create(ctx, configMap)).To(Succeed())
		nsm = newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{
			Name: "forwarder-sriov", Type: nsmv1beta1.ForwarderTypeSRIOV,
			SRIOVConfig: &nsmv1beta1.FileSource{ConfigMap: &nsmv1beta1.ConfigMapKey{Name: "sriov", Key: "sriov.config"}},
		}}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet forwarder-sriov"))
	})

	hash := func(ctx SpecContext) func() string {
		return func() string {
			return daemonSetOf(ctx, nsm, "forwarder-sriov").Spec.Template.Annotations[annotation]
		}
	}

	It("rolls the pods when it changes, and not when it goes", func(ctx SpecContext) {
		first := hash(ctx)()
		Expect(first).NotTo(BeEmpty())
		change(ctx, configMap, func(c *corev1.ConfigMap) { c.Data["sriov.config"] = "two" })
		Eventually(hash(ctx)).Should(And(Not(Equal(first)), Not(BeEmpty())))
		second := hash(ctx)()

		By("nor when another key changes")
		settle(o)
		change(ctx, configMap, func(c *corev1.ConfigMap) { c.Data["other"] = "y" })
		Consistently(hash(ctx)).Should(Equal(second))

		By("nor after a restart of the operator that finds none")
		Expect(admin.Delete(ctx, configMap)).To(Succeed())
		settle(o)
		o.stop()
		passes := reconciles()
		startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(hash(ctx)).Should(Equal(second))
	})
})
