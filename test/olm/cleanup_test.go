// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const nsmDefinition = "nsms.nsm.networkservicemesh.io"

// cleanUp removes all that a scene may have left: in good order where an operator
// runs, and by force where it has to.
func cleanUp(ctx SpecContext) {
	GinkgoHelper()
	deleteMeshes(ctx)
	unsubscribeAll(ctx)
	stopConversion(ctx)
	releaseMeshes(ctx)
	deleteLeftovers(ctx)
	deleteNamespaces(ctx)
}

// deleteMeshes has the operator take them away, if there is one.
func deleteMeshes(ctx context.Context) {
	GinkgoHelper()
	meshes, err := listMeshes(ctx)
	if err != nil {
		return
	}
	for i := range meshes {
		_ = admin.Delete(ctx, &meshes[i])
	}
	// What it does not manage is done by force.
	_ = wait.PollUntilContextTimeout(ctx, time.Second, 15*time.Second, true, func(ctx context.Context) (bool, error) {
		meshes, err = listMeshes(ctx)
		return len(meshes) == 0 || !operatorRuns(ctx), err
	})
}

// operatorRuns reports whether a pod of it is Ready.
func operatorRuns(ctx context.Context) bool {
	GinkgoHelper()
	for _, pod := range operatorPods(ctx) {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return true
			}
		}
	}
	return false
}

func operatorPods(ctx context.Context) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.MatchingLabels{"app.kubernetes.io/name": packageName})).To(Succeed())
	return list.Items
}

func listMeshes(ctx context.Context) ([]nsmv1beta1.NSM, error) {
	var list nsmv1beta1.NSMList
	err := admin.List(ctx, &list)
	return list.Items, err
}

// unsubscribeAll removes all that OLM knows of operators. A plan that is at work
// makes a CSV again.
func unsubscribeAll(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		for _, namespace := range installed(ctx) {
			for _, kind := range []client.Object{
				&operatorsv1alpha1.Subscription{}, &operatorsv1alpha1.InstallPlan{}, &operatorsv1alpha1.ClusterServiceVersion{},
			} {
				g.Expect(admin.DeleteAllOf(ctx, kind, client.InNamespace(namespace))).To(Succeed())
			}
		}
		g.Expect(installed(ctx)).To(BeEmpty())
		g.Expect(operatorPods(ctx)).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
}

// installed are the namespaces that have something of OLM's, other than copies.
func installed(ctx context.Context) []string {
	GinkgoHelper()
	var subscriptions operatorsv1alpha1.SubscriptionList
	var csvs operatorsv1alpha1.ClusterServiceVersionList
	Expect(admin.List(ctx, &subscriptions)).To(Succeed())
	Expect(admin.List(ctx, &csvs)).To(Succeed())
	namespaces := []string{}
	for i := range subscriptions.Items {
		namespaces = append(namespaces, subscriptions.Items[i].Namespace)
	}
	for i := range csvs.Items {
		if !csvs.Items[i].IsCopied() {
			namespaces = append(namespaces, csvs.Items[i].Namespace)
		}
	}
	return namespaces
}

// stopConversion makes NSMs readable without an operator, in the version that they
// are stored in.
func stopConversion(ctx context.Context) {
	GinkgoHelper()
	definition := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: nsmDefinition}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"conversion":{"strategy":"None","webhook":null}}}`))
	Expect(client.IgnoreNotFound(admin.Patch(ctx, definition, patch))).To(Succeed())
}

// releaseMeshes lets the NSMs go that nobody takes away any more.
func releaseMeshes(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		meshes, err := listMeshes(ctx)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return
		}
		g.Expect(err).NotTo(HaveOccurred())
		for i := range meshes {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
			_ = admin.Patch(ctx, &meshes[i], patch)
			_ = admin.Delete(ctx, &meshes[i])
		}
		g.Expect(meshes).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
}

// deleteLeftovers deletes what is in no namespace.
func deleteLeftovers(ctx context.Context) {
	GinkgoHelper()
	ours := client.MatchingLabels{"app.kubernetes.io/managed-by": packageName}
	for _, kind := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{},
		&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{},
	} {
		Expect(admin.DeleteAllOf(ctx, kind, ours)).To(Succeed())
	}
	for _, role := range clusterRoles {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role}}))).To(Succeed())
	}
	for _, object := range []client.Object{
		&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: packageName}},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-defaults"}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-validation"}},
		definition(nsmDefinition), definition("networkservices.networkservicemesh.io"), definition("networkserviceendpoints.networkservicemesh.io"),
	} {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
	}
	Eventually(func() error { return admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, definition(nsmDefinition)) }).
		WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
}

func definition(name string) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// deleteNamespaces deletes those that the cluster did not have in the beginning.
func deleteNamespaces(ctx context.Context) {
	GinkgoHelper()
	var list corev1.NamespaceList
	Eventually(func(g Gomega) {
		g.Expect(admin.List(ctx, &list)).To(Succeed())
		left := []string{}
		for i := range list.Items {
			if found := &list.Items[i]; !slices.Contains(ownNamespaces, found.Name) {
				left = append(left, found.Name)
				_ = admin.Delete(ctx, found)
			}
		}
		g.Expect(left).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
}

// ownNamespaces are the cluster's.
var ownNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease", olmNamespace}
