// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestWhatSomebodyHasSetAndHoldsAWorkloadIsNamed(t *testing.T) {
	const rolling = "Deployment nsm/nsm-registry is rolling out"
	const added = rolling + "; somebody has added to its pod template: "
	of := func(change func(*appsv1.Deployment)) Workload {
		w := Workload{Component: registry(), Live: live("now", 1), Intent: "now"}
		deployment, _ := w.Live.(*appsv1.Deployment)
		deployment.Status.UpdatedReplicas = 1
		change(deployment)
		return w
	}
	for what, test := range map[string]struct {
		change  func(*appsv1.Deployment)
		message string
	}{
		"nothing": {func(*appsv1.Deployment) {}, rolling},
		"it is paused": {func(d *appsv1.Deployment) { d.Spec.Paused = true },
			"Deployment nsm/nsm-registry: somebody has set its spec.paused, so it does not roll out: kubectl rollout resume -n nsm deployment/nsm-registry"},
		"it is paused, and there is nothing to roll out": {func(d *appsv1.Deployment) { d.Spec.Paused, d.Status.UpdatedReplicas = true, 2 },
			"Deployment nsm/nsm-registry has pods that are not ready"},
		"an affinity": {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Affinity = &corev1.Affinity{} }, added + "affinity"},
		"a sidecar with its volume": {func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "proxy"}}
			d.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "init"}}
			d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "certs"}}
		}, added + "init container init, container proxy, volume certs"},
		"where its pods may run": {func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{}}
			d.Spec.Template.Spec.ReadinessGates = []corev1.PodReadinessGate{{}}
			d.Spec.Template.Spec.RuntimeClassName, d.Spec.Template.Spec.SchedulerName = ptr.To("kata"), "theirs"
		}, added + "topologySpreadConstraints, readinessGates, runtimeClassName, schedulerName theirs"},
		"what the API server fills in": {func(d *appsv1.Deployment) { d.Spec.Template.Spec.SchedulerName = "default-scheduler" }, rolling},
		"all is ready": {func(d *appsv1.Deployment) {
			d.Spec.Paused, d.Spec.Template.Spec.Affinity = true, &corev1.Affinity{}
			d.Status.UpdatedReplicas, d.Status.ReadyReplicas = 2, 2
		}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := of(test.change)
			NewWithT(t).Expect(w.Message()).To(Equal(test.message))
		})
	}
}

func TestWhatAnOlderDefinitionHasIsNobodysAddition(t *testing.T) {
	for _, intent := range []string{"new", ""} {
		w := Workload{Component: registry(), Live: live("old", 1), Intent: intent}
		deployment, _ := w.Live.(*appsv1.Deployment)
		deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "old"}}
		NewWithT(t).Expect(w.Message()).To(HaveSuffix(" has pods that are not ready"))
	}
}
