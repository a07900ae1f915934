// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func TestWhatAWebhooksPodsHaveRegisteredIsKnownWhileItsDeploymentChanges(t *testing.T) {
	g := NewWithT(t)
	const gone, alive = "admission-webhook-k8s-5d7c8b9f4-x2x7p", "admission-webhook-k8s-5d7c8b9f4-bcd2f"
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}}
	pods := []string{gone, alive}
	direct := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(registeredBy(gone), registeredBy(alive)).
		WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				found, isOfPods := list.(*metav1.PartialObjectMetadataList)
				if !isOfPods {
					return c.List(ctx, list, options...)
				}
				for _, name := range pods {
					found.Items = append(found.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}})
				}
				return nil
			},
		}).Build()
	old, err := release.Parse("v1.11.2")
	g.Expect(err).NotTo(HaveOccurred())
	webhook := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "nsm", Name: mesh.WebhookName, ResourceVersion: "1", Labels: map[string]string{mesh.LabelVersion: old.String()},
	}}
	w := &health.Workload{Component: mesh.Component{Role: mesh.RoleWebhook, Workload: webhook, RegistersItself: true}, Live: webhook}
	s := &selfRegistrations{direct: direct, pods: podReader{direct: direct}, memories: &memories{}}
	find := func() []mesh.Object {
		t.Helper()
		found, err := s.find(t.Context(), nsm, old, w)
		g.Expect(err).NotTo(HaveOccurred())
		return found
	}
	has := func() []bool {
		has, isSure := s.has(nsm, old, w)
		return []bool{has, isSure}
	}

	g.Expect(find()).To(BeEmpty())
	g.Expect(has()).To(Equal([]bool{true, true}))

	webhook.ResourceVersion, pods = "2", pods[1:]
	g.Expect(has()).To(Equal([]bool{true, false}), "it injects, and nobody knows whether the new pods have registered")
	g.Expect(find()).To(ConsistOf(HaveField("Name", gone)))
	g.Expect(has()).To(Equal([]bool{true, true}), "the other one is there")
	g.Expect(find()).To(ConsistOf(HaveField("Name", gone)), "until it is seen that it has gone")
	g.Expect(direct.Delete(t.Context(), registeredBy(gone))).To(Succeed())
	g.Expect(find()).To(BeEmpty())
	pods = nil
	g.Expect(find()).To(BeEmpty(), "it is looked at only when the webhook has changed")
}

// registeredBy is what a pod of a webhook has registered.
func registeredBy(pod string) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: pod},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{ClientConfig: admissionregistrationv1.WebhookClientConfig{
			Service: &admissionregistrationv1.ServiceReference{Namespace: "nsm", Name: mesh.WebhookService},
		}}},
	}
}
