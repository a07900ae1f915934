// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/netpol"
)

// expectPoliciesOf judges the NetworkPolicies of the meshes in the cluster by all else that
// they consist of, as it is stored: no network plugin runs here.
func expectPoliciesOf(ctx context.Context, limited ...string) {
	GinkgoHelper()
	var objects []metav1.Object
	for _, list := range []client.ObjectList{
		&networkingv1.NetworkPolicyList{}, &appsv1.DeploymentList{}, &appsv1.DaemonSetList{}, &corev1.ServiceList{},
		&admissionregistrationv1.MutatingWebhookConfigurationList{},
	} {
		Expect(admin.List(ctx, list, client.MatchingLabels{"app.kubernetes.io/managed-by": "nsm-operator"})).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			objects = append(objects, object)
			return err
		})).To(Succeed())
	}
	m := netpol.Read(objects)
	var names []string
	for _, policy := range m.Policies {
		names = append(names, policy.Name)
	}
	Expect(names).To(ConsistOf(limited))
	reasons := map[string]bool{}
	for _, connection := range m.Implied() {
		Expect(netpol.Allows(m.Policies, connection)).To(BeTrue(), connection.String())
		reasons[connection.Why] = true
	}
	for _, why := range []string{"a probe", "webhook /mutate", "Service registry", "NSM_REGISTRY_URL", "it has a token"} {
		Expect(reasons).To(HaveKey(why), "there are such connections")
	}
	for _, refused := range []netpol.Connection{
		{From: netpol.Stranger, To: m.Pod("nsmgr"), Port: 5001}, {From: netpol.Stranger, To: m.Pod("cluster-info"), Port: 8080},
		{From: m.Pod("dashboard"), To: netpol.Outside, Port: 443}, {From: m.Pod("nsm-csi"), To: netpol.APIServer, Port: 6443},
	} {
		refused.Protocol = corev1.ProtocolTCP
		Expect(netpol.Allows(m.Policies, refused)).To(BeFalse(), refused.String())
	}
}
