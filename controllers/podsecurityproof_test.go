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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

var _ = Describe("Pod Security", func() {
	// judged is what the API server says of the pods of a mesh's Deployments, by name, in a
	// namespace that enforces a level.
	judged := func(ctx context.Context, level string, spec nsmv1beta1.NSMSpec) map[string]error {
		GinkgoHelper()
		place := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-security-", Labels: map[string]string{mesh.LabelEnforce: level}}}
		Expect(admin.Create(ctx, place)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, place))).To(Succeed()) })
		nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: place.Name, Name: "mesh"}, Spec: spec}
		said := map[string]error{}
		for _, component := range mesh.Components(mesh.Input{NSM: nsm, Release: release.Newest()}) {
			if mesh.KindOf(component.Workload) != "Deployment" {
				continue
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: place.Name, Name: component.Workload.GetName()}}
			pod.Spec = *mesh.PodTemplateOf(component.Workload).Spec.DeepCopy()
			pod.Spec.PriorityClassName, pod.Spec.ServiceAccountName = "", "" // of which there is none here
			said[pod.Name] = admin.Create(ctx, pod, client.DryRunAll)
		}
		return said
	}
	restricted := nsmv1beta1.NSMSpec{
		Spire:       &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI},
		Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "one"},
		VL3:         &nsmv1beta1.VL3Spec{},
		Dashboard:   &nsmv1beta1.DashboardSpec{},
	}

	It("lets the parts that are on no node in particular run where it is restricted", func(ctx SpecContext) {
		said := judged(ctx, "restricted", restricted)
		Expect(said).To(And(HaveKey("nsm-registry"), HaveKey("registry-proxy"), HaveKey("vl3-ipam"), HaveKey("dashboard"), HaveKey(mesh.WebhookName)))
		for name, admitted := range said {
			Expect(admitted).NotTo(HaveOccurred(), name)
		}
	})

	It("lets NSM's webhook have the network of its node where the namespace is privileged, and nowhere else", func(ctx SpecContext) {
		onNode := nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{HostNetwork: ptr.To(true)}}
		Expect(judged(ctx, "baseline", onNode)[mesh.WebhookName]).To(MatchError(ContainSubstring("host namespaces (hostNetwork=true)")))
		said := judged(ctx, "privileged", onNode)
		Expect(said).To(HaveKeyWithValue(mesh.WebhookName, BeNil()))
	})
})
