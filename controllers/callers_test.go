// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

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
)

func TestWhatElseCallsTheWebhookIsFoundAfterAFailedLook(t *testing.T) {
	g := NewWithT(t)
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}}
	theirs := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "theirs"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{ClientConfig: admissionregistrationv1.WebhookClientConfig{
			Service: &admissionregistrationv1.ServiceReference{Namespace: "nsm", Name: mesh.WebhookService},
		}}},
	}
	failure := errors.New("the API server restarts")
	direct := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(theirs).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if failure != nil {
				return failure
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
	now := time.Unix(1e9, 0)
	webhook := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: mesh.WebhookName, ResourceVersion: "1"}}
	c := &callers{direct: direct, memories: &memories{}, askAgain: time.Minute, now: func() time.Time { return now }}
	look := func() (*health.Workload, *observation) {
		w, seen := &health.Workload{
			Component: mesh.Component{Role: mesh.RoleWebhook, Workload: webhook}, Live: webhook,
		}, &observation{}
		c.observe(t.Context(), nsm, w, seen)
		return w, seen
	}

	w, seen := look()
	g.Expect(seen.Callers).To(BeEmpty())
	g.Expect(seen.wakeAt).To(Equal(now.Add(c.askAgain)), "nothing else wakes the loop")
	g.Expect(w.Unseen).To(ConsistOf("what else calls it (the API server does not answer)"))

	failure = nil
	w, seen = look()
	g.Expect(seen.Callers).To(ConsistOf(health.Caller{Kind: "MutatingWebhookConfiguration", Name: "theirs"}))
	g.Expect(w.Unseen).To(BeEmpty())
}
