// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
)

var _ = Describe("Metrics about a mesh", func() {
	It("tell what its status says, and are gone with it", func(ctx SpecContext) {
		registry := prometheus.NewPedanticRegistry()
		o := startOperatorWith(&controllers.NSMReconciler{Namespace: operatorNamespace, Metrics: registry}, &requests{})
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{
			Version: "v1.18.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(true)},
		})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment admission-webhook-k8s"))
		bringAllUp(ctx, nsm)

		By("its components and conditions")
		Eventually(func() map[string]float64 { return series(registry, nsm, "nsm_mesh_info") }).Should(HaveKeyWithValue("target=v1.18.0,version=v1.18.0", 1.0))
		Expect(series(registry, nsm, "nsm_mesh_condition")).To(HaveKey("condition=Available,reason=Ready,status=True"))
		Expect(series(registry, nsm, "nsm_mesh_component_pods_ready")).To(And(
			HaveKey("component=nsmgr,kind=DaemonSet"), HaveKey("component=nsm-registry,kind=Deployment")))
		Expect(series(registry, nsm, "nsm_mesh_component_pods_tolerated")).To(HaveEach(0.0))

		By("a certificate that ends in a year")
		Expect(series(registry, nsm, "nsm_mesh_certificate_not_after_timestamp_seconds")).To(HaveLen(1))

		By("what is repaired")
		manager := daemonSetOf(ctx, nsm, "nsmgr")
		Expect(admin.Delete(ctx, manager)).To(Succeed())
		Eventually(func() map[string]float64 { return series(crmetrics.Registry, nsm, "nsm_mesh_repairs_total") }).
			Should(Equal(map[string]float64{"kind=DaemonSet": 1}))

		By("nothing after it has gone")
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() error { return client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(Succeed())
		for _, name := range []string{"nsm_mesh_info", "nsm_mesh_condition", "nsm_mesh_component_pods_ready"} {
			Eventually(func() map[string]float64 { return series(registry, nsm, name) }).Should(BeEmpty(), name)
		}
		Eventually(func() map[string]float64 { return series(crmetrics.Registry, nsm, "nsm_mesh_repairs_total") }).Should(BeEmpty())

		By("nor by a replica that does not lead any more")
		o.stop()
		Eventually(registry.Gather).Should(BeEmpty())
	})
})

// series of a metric for a mesh, by the labels beside those of the mesh.
func series(from prometheus.Gatherer, nsm *nsmv1beta1.NSM, name string) map[string]float64 {
	GinkgoHelper()
	families, err := from.Gather()
	Expect(err).NotTo(HaveOccurred())
	found := map[string]float64{}
	for _, family := range families {
		for _, one := range family.GetMetric() {
			if family.GetName() != name || !hasLabel(one, "mesh", nsm.Name) || !hasLabel(one, "mesh_namespace", nsm.Namespace) {
				continue
			}
			found[otherLabels(one)] = one.GetGauge().GetValue() + one.GetCounter().GetValue()
		}
	}
	return found
}

func otherLabels(one *dto.Metric) string {
	var labels []string
	for _, pair := range one.GetLabel() {
		if !slices.Contains([]string{"mesh", "mesh_namespace"}, pair.GetName()) {
			labels = append(labels, pair.GetName()+"="+pair.GetValue())
		}
	}
	return strings.Join(labels, ",")
}
