// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/earlier"
)

// meshNamespace is where the samples have their mesh.
const meshNamespace = "nsm"

var meshKey = client.ObjectKey{Namespace: meshNamespace, Name: "nsm-sample"}

// createMesh applies the sample.
func createMesh(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "apply", "-f", "config/mesh/namespace.yaml")
	kubectl(ctx, "apply", "-f", "config/samples/nsm_v1beta1_nsm.yaml")
	register(ctx)
}

// register what a registry keeps. It belongs to clients: nobody else changes it.
func register(ctx context.Context) {
	GinkgoHelper()
	for _, entry := range earlier.Registered() {
		Expect(admin.Create(ctx, entry)).To(Succeed(), entry.GetName())
	}
}

// registered is what has become of it: the UID of each entry, and what it says.
func registered(ctx context.Context) map[string]any {
	GinkgoHelper()
	found := map[string]any{}
	for _, entry := range earlier.Registered() {
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(entry), entry)).To(Succeed(), entry.GetName())
		found[entry.GetKind()] = map[string]any{"uid": entry.GetUID(), "spec": entry.Object["spec"]}
	}
	return found
}

func awaitAvailable(ctx context.Context, key client.ObjectKey) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		nsm := &nsmv1beta1.NSM{}
		g.Expect(admin.Get(ctx, key, nsm)).To(Succeed())
		expectAvailable(g, nsm)
	}).WithContext(ctx).Should(Succeed())
}

func expectAvailable(g Gomega, nsm *nsmv1beta1.NSM) {
	available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	g.Expect(available).NotTo(BeNil())
	g.Expect(available.Status).To(Equal(metav1.ConditionTrue), "%v", nsm.Status.Conditions)
	g.Expect(available.ObservedGeneration).To(Equal(nsm.Generation))
}

// podsOf are the UIDs of the pods in a namespace, by name.
func podsOf(ctx context.Context, namespace string) map[string]string {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	found := map[string]string{}
	for i := range list.Items {
		found[list.Items[i].Name] = string(list.Items[i].UID)
	}
	return found
}

// workloadsOf are the UIDs of the workloads of the mesh in a namespace, by kind and name.
func workloadsOf(ctx context.Context, namespace string) map[string]string {
	GinkgoHelper()
	var deployments appsv1.DeploymentList
	Expect(admin.List(ctx, &deployments, client.InNamespace(namespace))).To(Succeed())
	var daemonSets appsv1.DaemonSetList
	Expect(admin.List(ctx, &daemonSets, client.InNamespace(namespace))).To(Succeed())
	found := map[string]string{}
	for i := range deployments.Items {
		if one := &deployments.Items[i]; one.Name != packageName {
			found["Deployment "+one.Name] = string(one.UID)
		}
	}
	for i := range daemonSets.Items {
		found["DaemonSet "+daemonSets.Items[i].Name] = string(daemonSets.Items[i].UID)
	}
	return found
}

func namespaceOf(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}
