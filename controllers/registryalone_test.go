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
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// The workloads of a mesh that has all.
var managersAndAll = []string{"DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment admission-webhook-k8s"}

var _ = Describe("A registry alone", func() {
	alone := nsmv1beta1.NSMSpec{
		Version:  "v1.18.0",
		Spire:    &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI},
		Registry: &nsmv1beta1.RegistrySpec{ServiceType: corev1.ServiceTypeLoadBalancer},
		Nsmgr:    &nsmv1beta1.NsmgrSpec{Enabled: ptr.To(false)},
	}

	It("is a whole mesh, with conditions of the registry alone, and no node is needed", func(ctx SpecContext) {
		o := startOperator()
		namespace := newNamespace(ctx)
		change(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, func(n *corev1.Namespace) {
			n.Labels[mesh.LabelEnforce] = "restricted"
		})
		nsm := newNSMIn(ctx, namespace, alone)
		Eventually(func() []string { return names(ctx, nsm) }).WithTimeout(time.Minute).Should(ContainElement("Deployment nsm-registry"))
		setAllReady(ctx, nsm)
		for _, expected := range []string{available, nsmv1beta1.ConditionReady, nsmv1beta1.ConditionRegistryReady} {
			Eventually(condition(ctx, nsm, expected)).WithTimeout(time.Minute).Should(Equal("True"), expected)
		}
		settle(o)
		Expect(names(ctx, nsm)).NotTo(ContainElements(managersAndAll))
		seen := &nsmv1beta1.NSM{}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), seen)).To(Succeed())
		for _, absent := range []string{
			nsmv1beta1.ConditionManagersReady, nsmv1beta1.ConditionForwardersReady, nsmv1beta1.ConditionAdmissionWebhookReady,
		} {
			Expect(meta.FindStatusCondition(seen.Status.Conditions, absent)).To(BeNil(), absent)
		}
		Expect(seen.Status.Components).To(HaveLen(1))
		Expect([]string{seen.Status.Managers, seen.Status.Forwarders}).To(Equal([]string{"", ""}), "not 0/0")
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"), "no pod of it needs its node, so that the namespace's level is enough")
		Expect(get(ctx, nsm, "registry", &corev1.Service{}).Spec.Type).To(Equal(corev1.ServiceTypeLoadBalancer))
	})

	It("is what is left of a mesh when its managers are turned off, and a mesh again when they come back", func(ctx SpecContext) {
		startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).WithTimeout(time.Minute).Should(ContainElements(managersAndAll))
		bringAllUp(ctx, nsm)
		Expect(configurationOf(ctx, nsm).Webhooks).NotTo(BeEmpty())
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Nsmgr = &nsmv1beta1.NsmgrSpec{Enabled: ptr.To(false)} })
		for _, gone := range managersAndAll {
			Eventually(func() []string { return names(ctx, nsm) }).WithTimeout(time.Minute).ShouldNot(ContainElement(gone))
		}
		Eventually(func() bool {
			configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
			configuration.Name = mesh.WebhookConfigurationName(nsm.Namespace)
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(configuration), configuration))
		}).WithTimeout(time.Minute).Should(BeTrue(), "nobody waits for a webhook that is not there")
		Eventually(condition(ctx, nsm, available)).WithTimeout(time.Minute).Should(Equal("True"))
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)).WithTimeout(time.Minute).Should(BeEmpty())

		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Nsmgr.Enabled = nil })
		Eventually(func() []string { return names(ctx, nsm) }).WithTimeout(time.Minute).Should(ContainElements(managersAndAll))
		setAllReady(ctx, nsm)
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)).WithTimeout(time.Minute).Should(Equal("True"))
	})
})
