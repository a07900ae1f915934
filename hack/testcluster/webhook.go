// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.
package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// labelClient is what the sample for OpenShift selects namespaces of clients by.
const labelClient = "example.com/nsm"

// notOnOpenShift is why two steps are left out there.
const notOnOpenShift = skip("nobody knows yet how OpenShift's constraints judge a pod that the webhook has changed")

// makeNamespace makes that of the clients, unless it is there.
func (w *walk) makeNamespace(ctx context.Context) error {
	labels := map[string]string{labelClient: "client", "app.kubernetes.io/managed-by": "make-test-cluster"}
	if !w.plan.isOpenShift {
		// Clients mount sockets of their node, also where the cluster's default forbids it.
		labels[mesh.LabelEnforce] = "privileged"
	}
	return client.IgnoreAlreadyExists(w.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.settings.clients, Labels: labels}}))
}

// tryWebhook asks for a pod that NSM's webhook gives a client. Nothing is stored.
func (w *walk) tryWebhook(ctx context.Context) error {
	if err := w.makeNamespace(ctx); err != nil {
		return err
	}
	if w.plan.isOpenShift {
		return notOnOpenShift
	}
	return w.Await(ctx, "a pod with a client", w.lacksClient)
}

// lacksClient says what is wrong with a pod that asks for a client.
func (w *walk) lacksClient(ctx context.Context) (string, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.settings.clients, Name: "asks-for-a-client", Annotations: map[string]string{mesh.ClientAnnotation: "kernel://tried/nsm-1"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "asks", Image: "example.com/never-run"}}},
	}
	if err := w.Create(ctx, pod, client.DryRunAll); err != nil {
		return "", err
	}
	if len(pod.Spec.Containers)+len(pod.Spec.InitContainers) == 1 {
		return "the webhook has not added a client to it", nil
	}
	return "", nil
}

// replaceWebhookPod deletes a pod of NSM's webhook, as a node that restarts does, and waits
// until it is gone and pods are let in. What was refused meanwhile is said.
func (w *walk) replaceWebhookPod(ctx context.Context) error {
	if w.plan.isOpenShift {
		return notOnOpenShift
	}
	var pods corev1.PodList
	if err := w.List(ctx, &pods, client.InNamespace(w.settings.Namespace), client.MatchingLabels{"app": mesh.WebhookName}); err != nil {
		return err
	}
	if len(pods.Items) < 2 {
		return skip("the webhook does not have two pods")
	}
	if err := w.Delete(ctx, &pods.Items[0]); err != nil {
		return err
	}
	return w.Await(ctx, "the other pods of the webhook", func(ctx context.Context) (string, error) {
		if lacking, err := w.lacksClient(ctx); lacking != "" || err != nil {
			return "a pod was refused: " + lacking, err
		}
		err := w.Get(ctx, client.ObjectKeyFromObject(&pods.Items[0]), &corev1.Pod{})
		if err == nil {
			return "the deleted pod is still there", nil
		}
		return "", client.IgnoreNotFound(err)
	})
}
