// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package ownpolicy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/webhook"
	"github.com/networkservicemesh/nsm-operator/internal/ownpolicy"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
	"github.com/networkservicemesh/nsm-operator/test/netpol"
)

const namespace = apiserver.OperatorNamespace

var _ = Describe("The NetworkPolicy of the operator", func() {
	// watched counts the watches that have begun.
	var watched atomic.Int32
	var counting client.WithWatch
	BeforeEach(func() {
		counting = interceptor.NewClient(operator, interceptor.Funcs{
			Watch: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
				watched.Add(1)
				return c.Watch(ctx, list, options...)
			},
		})
	})
	key := client.ObjectKey{Namespace: namespace, Name: ownpolicy.Name}
	stored := func(ctx context.Context) *networkingv1.NetworkPolicy {
		policy := &networkingv1.NetworkPolicy{}
		err := admin.Get(ctx, key, policy)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		if apierrors.IsNotFound(err) {
			return nil
		}
		return policy
	}
	// ends keeps the policy until there is nothing to keep.
	ends := func(ctx context.Context, wanted bool) {
		GinkgoHelper()
		Expect((&ownpolicy.Policy{Client: counting, Namespace: namespace, Wanted: wanted}).Start(ctx)).To(Succeed())
	}
	// starts keeps it until the end of the spec, or until it is told to stop.
	starts := func(ctx context.Context) (stop func()) {
		running, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan error, 1)
		go func() {
			done <- (&ownpolicy.Policy{Client: counting, Namespace: namespace, Wanted: true}).Start(running)
		}()
		stop = func() {
			cancel()
			Eventually(done).Should(Receive(BeNil()))
			close(done)
		}
		return stop
	}
	install := func(ctx context.Context, how ...func(*appsv1.Deployment)) *appsv1.Deployment {
		GinkgoHelper()
		deployment := &appsv1.Deployment{}
		read("../../config/manager/manager.yaml", deployment)
		for _, change := range how {
			change(deployment)
		}
		Expect(admin.Create(ctx, deployment)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(admin.Delete(ctx, deployment)).To(Succeed())
			Expect(admin.DeleteAllOf(ctx, &networkingv1.NetworkPolicy{}, client.InNamespace(namespace))).To(Succeed())
		})
		return deployment
	}

	It("lets through what the operator's manifests imply, and nothing else", func(ctx SpecContext) {
		deployment := install(ctx)
		stop := starts(ctx)
		defer stop()
		Eventually(func() *networkingv1.NetworkPolicy { return stored(ctx) }).ShouldNot(BeNil())
		policy := stored(ctx)
		Expect(policy.OwnerReferences).To(ConsistOf(HaveField("UID", deployment.UID)), "it goes with the operator")

		mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
		Expect(yaml.Unmarshal(webhook.Mutating, mutating)).To(Succeed())
		Expect(yaml.Unmarshal(webhook.Validating, validating)).To(Succeed())
		webhooks, metrics := &corev1.Service{}, &corev1.Service{}
		read("../../config/manager/service.yaml", webhooks, metrics)
		m := netpol.Read([]metav1.Object{policy, deployment, webhooks, metrics, mutating, validating})
		seen := map[int32]bool{}
		for _, connection := range m.Implied() {
			Expect(netpol.Allows(m.Policies, connection)).To(BeTrue(), connection.String())
			seen[connection.Port] = true
		}
		Expect(seen).To(And(HaveKey(int32(10250)), HaveKey(int32(8443)), HaveKey(int32(8081)), HaveKey(int32(6443))))
		for _, from := range []netpol.End{netpol.Stranger, netpol.Node, netpol.Outside} {
			Expect(netpol.Allows(m.Policies, netpol.Connection{From: from, To: m.Pod("nsm-operator"), Port: 6060, Protocol: corev1.ProtocolTCP})).To(BeFalse())
		}
	})

	It("is put right when somebody changes or deletes it, and else left alone", func(ctx SpecContext) {
		install(ctx)
		stop := starts(ctx)
		Eventually(func() *networkingv1.NetworkPolicy { return stored(ctx) }).ShouldNot(BeNil())
		policy := stored(ctx)
		Expect(admin.Delete(ctx, policy.DeepCopy())).To(Succeed())
		Eventually(func() *networkingv1.NetworkPolicy { return stored(ctx) }).ShouldNot(Or(BeNil(), HaveField("UID", policy.UID)))

		policy = stored(ctx)
		policy.Spec.Ingress = policy.Spec.Ingress[:1]
		Expect(admin.Update(ctx, policy)).To(Succeed())
		Eventually(func() []networkingv1.NetworkPolicyIngressRule { return stored(ctx).Spec.Ingress }).Should(HaveLen(3))
		stop()

		By("starting again")
		before, watches := stored(ctx), watched.Load()
		stop = starts(ctx)
		defer stop()
		Eventually(watched.Load).Should(BeNumerically(">", watches), "it has applied it")
		Expect(stored(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
	})

	It("is not there without a Deployment, and not for pods on the network of their node", func(ctx SpecContext) {
		ends(ctx, true)
		Expect(stored(ctx)).To(BeNil())
		deployment := install(ctx)
		stop := starts(ctx)
		Eventually(func() *networkingv1.NetworkPolicy { return stored(ctx) }).ShouldNot(BeNil())
		stop()
		deployment.Spec.Template.Spec.HostNetwork = true
		Expect(admin.Update(ctx, deployment)).To(Succeed())
		ends(ctx, true)
		Expect(stored(ctx)).To(BeNil())
	})

	It("goes when it is not wanted any more, unless it is somebody else's", func(ctx SpecContext) {
		install(ctx)
		stop := starts(ctx)
		Eventually(func() *networkingv1.NetworkPolicy { return stored(ctx) }).ShouldNot(BeNil())
		stop()
		ends(ctx, false)
		Expect(stored(ctx)).To(BeNil())

		others := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ownpolicy.Name}}
		Expect(admin.Create(ctx, others)).To(Succeed())
		ends(ctx, false)
		Expect(stored(ctx)).NotTo(BeNil())
	})
})

// read the objects of a file.
func read(file string, objects ...client.Object) {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for _, object := range objects {
		Expect(documents.Decode(object)).To(Succeed())
	}
	Expect(errors.Is(documents.Decode(&map[string]any{}), io.EOF)).To(BeTrue(), "all of it is read")
}
