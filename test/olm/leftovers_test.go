// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clusterRoles are those that the bundle has beside the operator's own rights.
var clusterRoles = []string{"nsm-operator-mesh-admin", "nsm-operator-mesh-viewer", "nsm-operator-metrics-reader", "nsm-operator-pod-security"}

// leftByOLM is what is left when the operator is uninstalled. docs/k8s_olm_install.md
// has the commands to remove it.
func leftByOLM() []string {
	left := []string{
		"namespaces /" + usual.namespace,
		"priorityclasses /" + packageName,
	}
	for _, role := range clusterRoles {
		left = append(left, "clusterroles /"+role)
	}
	// OLM's own go with the OperatorGroup, and with the definitions.
	for _, role := range []string{"admin", "edit", "view"} {
		left = append(left, "clusterroles /olm.og."+packageName+"."+role+"-*")
	}
	for name, version := range map[string]string{
		nsmDefinition: "v1beta1", "networkservices.networkservicemesh.io": "v1", "networkserviceendpoints.networkservicemesh.io": "v1",
	} {
		left = append(left, "customresourcedefinitions /"+name)
		for _, role := range []string{"admin", "crdview", "edit", "view"} {
			left = append(left, "clusterroles /"+name+"-"+version+"-"+role)
		}
	}
	return left
}

// hash is what OLM adds to the names of the roles of an OperatorGroup.
var hash = regexp.MustCompile(`-[0-9A-Za-z]{32,}$`)

// ofEachNamespace are the objects that Kubernetes puts into each.
var ofEachNamespace = []string{"default", "kube-root-ca.crt"}

// passing are resources whose objects come and go by themselves.
var passing = []string{"events", "leases", "endpointslices", "endpoints", "controllerrevisions", "apiservices"}

// everything in the cluster that does not come and go by itself, and is not OLM's.
func everything(ctx context.Context) map[string]bool {
	GinkgoHelper()
	_, lists, err := discovery.NewDiscoveryClientForConfigOrDie(config).ServerGroupsAndResources()
	Expect(err).NotTo(HaveOccurred())
	reader, found := metadata.NewForConfigOrDie(config), map[string]bool{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range list.APIResources {
			if version.Group == "operators.coreos.com" || slices.Contains(passing, resource.Name) {
				continue
			}
			objects, err := reader.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue // its definition has gone since it was discovered
			}
			Expect(err).NotTo(HaveOccurred(), resource.Name)
			for _, object := range objects.Items {
				if !slices.Contains(ofEachNamespace, object.Name) {
					found[fmt.Sprintf("%s %s/%s", resource.Name, object.Namespace, hash.ReplaceAllString(object.Name, "-*"))] = true
				}
			}
		}
	}
	return found
}

// expectLeft waits until nothing is left but what is named, and what there was before.
func expectLeft(ctx context.Context, before map[string]bool, names ...string) {
	GinkgoHelper()
	Eventually(func() []string { return added(before, everything(ctx)) }).
		WithContext(ctx).WithPolling(2 * time.Second).Should(ConsistOf(names))
	AddReportEntry("left behind", strconv.Itoa(len(names))+" objects, all documented")
}

// added is what there is now and was not before.
func added(before, now map[string]bool) []string {
	found := []string{}
	for name := range now {
		if !before[name] {
			found = append(found, name)
		}
	}
	return found
}

// expectNobodyBlocked: pods, namespaces and NSMs can be made without the operator.
func expectNobodyBlocked(ctx context.Context) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "somebody"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/main"}}},
	}
	Eventually(func() error { return admin.Create(ctx, pod.DeepCopy(), client.DryRunAll) }).WithContext(ctx).Should(Succeed())
	Expect(admin.Create(ctx, namespaceOf("somebodys"), client.DryRunAll)).To(Succeed())
	mesh := object("v1beta1", client.ObjectKey{Namespace: "default", Name: "somebodys"})
	mesh.Object["spec"] = map[string]any{}
	Eventually(func() error {
		// Where there is no definition, there is nothing to create.
		return client.IgnoreNotFound(admin.Create(ctx, mesh.DeepCopy(), client.DryRunAll))
	}).WithContext(ctx).Should(Or(Succeed(), MatchError(meta.IsNoMatchError, "IsNoMatchError")))
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: "default", Name: "kubernetes"}, &corev1.Service{})).To(Succeed())
}
