// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// helmRelease is the name of the Helm release of clients and endpoint.
const helmRelease = "test-cluster"

// chartValues are what clients and endpoint need to fit a mesh.
func chartValues(nsm *unstructured.Unstructured, isOpenShift bool) []string {
	text := func(fields ...string) string {
		found, _, _ := unstructured.NestedString(nsm.Object, append([]string{"spec"}, fields...)...)
		return found
	}
	values := []string{"release=" + text("version"), "meshNamespace=" + nsm.GetNamespace()}
	if socket := text("spire", "agentSocket"); socket != "" {
		values = append(values, "sockets.spireAgent="+socket)
	}
	if _, hasDriver, _ := unstructured.NestedMap(nsm.Object, "spec", "csiDriver"); hasDriver && text("spire", "mount") == "CSI" {
		values = append(values, "sockets.mount=CSI")
	}
	if isOpenShift {
		values = append(values, "openshift=true")
	}
	return values
}

func (w *walk) installClients(ctx context.Context) error {
	nsm, err := w.readMesh()
	if err != nil {
		return err
	}
	args := []string{"install", helmRelease, w.settings.chart, "--wait"}
	if w.settings.values != "" {
		args = append(args, "--values", w.settings.values)
	}
	for _, value := range chartValues(nsm, w.plan.isOpenShift) {
		args = append(args, "--set", value)
	}
	return w.runHelm(ctx, args...)
}

// testLimit is for each of the two pods of "helm test": the chart ends one that runs for
// longer, and nothing but this ends one that never starts.
const testLimit = 90 * time.Second

// testClients has the chart ping: twice, and with packets of three sizes. A pod that has
// not started says nothing by itself.
func (w *walk) testClients(ctx context.Context) error {
	err := w.runHelmFor(ctx, min(testLimit, w.settings.Timeout), "test", helmRelease, "--logs")
	if err == nil {
		return nil
	}
	return errors.Join(err, w.eventsOfTests(ctx))
}

// eventsOfTests is what Kubernetes complains about where the pods of "helm test" are: an
// image, a volume, no node.
func (w *walk) eventsOfTests(ctx context.Context) error {
	var pods corev1.PodList
	err := w.List(ctx, &pods, client.InNamespace(w.settings.clients), client.MatchingLabels{"app.kubernetes.io/component": "test"})
	if err != nil {
		return err
	}
	var events corev1.EventList
	if err := w.List(ctx, &events, client.InNamespace(w.settings.clients), client.MatchingFields{"type": corev1.EventTypeWarning}); err != nil {
		return err
	}
	return complaints(pods.Items, events.Items)
}

// complaints about pods: the last event of each reason.
func complaints(pods []corev1.Pod, events []corev1.Event) error {
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	var all []error
	for i := range pods {
		last := map[string]string{}
		for _, event := range events {
			if event.InvolvedObject.UID == pods[i].UID {
				last[event.Reason] = event.Message
			}
		}
		for _, reason := range slices.Sorted(maps.Keys(last)) {
			all = append(all, fmt.Errorf("pod %s: %s: %s", pods[i].Name, reason, last[reason]))
		}
	}
	return errors.Join(all...)
}

// removeClients removes the chart, and the namespace with all that is left of it.
func (w *walk) removeClients(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.settings.clients}}
	err := w.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if err := w.runHelm(ctx, "uninstall", helmRelease, "--ignore-not-found", "--wait"); err != nil {
		fmt.Println(err) // it goes with its namespace
	}
	if err := w.Delete(ctx, namespace); err != nil {
		return client.IgnoreNotFound(err)
	}
	return w.Await(ctx, "the end of namespace "+w.settings.clients, func(ctx context.Context) (string, error) {
		err := w.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		if err == nil {
			return "it is still there", nil
		}
		return "", client.IgnoreNotFound(err)
	})
}

// runHelm runs Helm in the namespace of the clients, and prints what it says.
func (w *walk) runHelm(ctx context.Context, args ...string) error {
	return w.runHelmFor(ctx, w.settings.Timeout, args...)
}

// runHelmFor runs it with a limit of what it waits for.
func (w *walk) runHelmFor(ctx context.Context, limit time.Duration, args ...string) error {
	args = append(args, "--namespace", w.settings.clients, "--timeout", limit.Round(time.Second).String())
	output, err := w.output(ctx, nil, w.settings.helm, args...)
	fmt.Print(string(output))
	return err
}
