// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("PodMonitors of forwarders", func() {
	asked := nsmv1beta1.NSMSpec{Telemetry: &nsmv1beta1.TelemetrySpec{Prometheus: &nsmv1beta1.PrometheusSpec{
		Enabled: ptr.To(true), PodMonitor: ptr.To(true), Port: ptr.To[int32](9100),
	}}}

	It("are there where they are asked for, stay as they should be, and go with the mesh", func(ctx SpecContext) {
		servePodMonitors(ctx)
		o := startOperatorOn(mesh.Platform{PodMonitors: true}, &requests{})
		nsm := newAvailableNSM(ctx, o, asked)
		Expect(addresses(ctx, nsm)()).To(Equal("$1:9100"))
		Expect(podMonitors(ctx, nsm)).To(HaveLen(1))
		reconcileOften(ctx, o, nsm)

		By("somebody changing one")
		changed := podMonitors(ctx, nsm)[0]
		Expect(admin.Patch(ctx, &changed, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"podMetricsEndpoints":[]}}`)))).To(Succeed())
		Eventually(addresses(ctx, nsm)).Should(Equal("$1:9100"))

		By("the user changing the port")
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Telemetry.Prometheus.Port = ptr.To[int32](9200) })
		Eventually(addresses(ctx, nsm)).Should(Equal("$1:9200"))

		By("asking for none, and for one again")
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Telemetry.Prometheus.PodMonitor = nil })
		Eventually(func() []unstructured.Unstructured { return podMonitors(ctx, nsm) }).Should(BeEmpty())
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Telemetry.Prometheus.PodMonitor = ptr.To(true) })
		Eventually(addresses(ctx, nsm)).Should(Equal("$1:9200"))

		By("deleting the mesh")
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(podMonitors(ctx, nsm)).To(BeEmpty())
	})

	It("come and go with their kind", func(ctx SpecContext) {
		attentive(mesh.Platform{})
		nsm := newNSM(ctx, asked)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet forwarder-vpp"))
		crd := servePodMonitors(ctx)
		Eventually(addresses(ctx, nsm)).Should(Equal("$1:9100"))

		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Labels = map[string]string{"team": "blue"} })
		Eventually(func() map[string]string { return daemonSetOf(ctx, nsm, "forwarder-vpp").Labels }).
			Should(HaveKeyWithValue("team", "blue"))
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionDegraded)).Should(Equal("False"))
	})
})

// podMonitors of an NSM.
func podMonitors(ctx context.Context, nsm *nsmv1beta1.NSM) []unstructured.Unstructured {
	GinkgoHelper()
	list := mesh.EmptyList(mesh.PodMonitorKind)
	Expect(admin.List(ctx, list, client.InNamespace(nsm.Namespace), client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	return list.Items
}

// addresses is what the first rule of the PodMonitor makes an address of; "" where
// there is none.
func addresses(ctx context.Context, nsm *nsmv1beta1.NSM) func() string {
	return func() string {
		for _, monitor := range podMonitors(ctx, nsm) {
			endpoints, _, _ := unstructured.NestedSlice(monitor.Object, "spec", "podMetricsEndpoints")
			for _, endpoint := range endpoints {
				of, _ := endpoint.(map[string]any)
				rules, _, _ := unstructured.NestedSlice(of, "relabelings")
				first, _ := rules[0].(map[string]any)
				replacement, _ := first["replacement"].(string)
				return replacement
			}
		}
		return ""
	}
}

// servePodMonitors until the end of the spec, and return their definition.
func servePodMonitors(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "podmonitors." + mesh.PodMonitorKind.Group},
		"spec": map[string]any{
			"group": mesh.PodMonitorKind.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": mesh.PodMonitorKind.Kind, "plural": "podmonitors"},
			"versions": []any{map[string]any{
				"name": mesh.PodMonitorKind.Version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true,
				}},
			}},
		},
	}}
	Expect(admin.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, crd))).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	})
	list := mesh.EmptyList(mesh.PodMonitorKind)
	Eventually(func() error { return admin.List(ctx, list) }).Should(Succeed())
	return crd
}
