// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Fields that the operator does not set belong to whoever sets them, and stay. Some of
// them can keep a workload from being ready, so they are named while it is not.

// isPaused reports whether somebody has paused a Deployment: Kubernetes then replaces none
// of its pods.
func (w *Workload) isPaused() bool {
	deployment, isDeployment := w.Live.(*appsv1.Deployment)
	return isDeployment && deployment.Spec.Paused
}

// whyPaused tells what is paused, and how to go on.
func (w *Workload) whyPaused() string {
	return fmt.Sprintf("somebody has set its spec.paused, so it does not roll out: kubectl rollout resume -n %s deployment/%s",
		w.Workload.GetNamespace(), w.Name())
}

// additions tell what somebody has added to the pods of a workload that is not ready; ""
// for nothing. Of a workload that was written from something else, nobody can tell.
func (w *Workload) additions() string {
	if w.Live == nil || w.IsGoing() || w.Intent == "" || !w.IsWritten() {
		return ""
	}
	added := addedTo(mesh.PodTemplateOf(w.Workload).Spec, mesh.PodTemplateOf(w.Live).Spec)
	if len(added) == 0 {
		return ""
	}
	return "; somebody has added to its pod template: " + strings.Join(added, ", ")
}

// addedTo names what the live pods have beyond those that are wanted, of what can keep
// a pod from being placed, from starting or from being ready.
func addedTo(wanted, live corev1.PodSpec) []string {
	var added []string
	add := func(is bool, field string) {
		if is {
			added = append(added, field)
		}
	}
	add(wanted.Affinity == nil && live.Affinity != nil, "affinity")
	add(len(wanted.TopologySpreadConstraints) < len(live.TopologySpreadConstraints), "topologySpreadConstraints")
	add(len(wanted.ReadinessGates) < len(live.ReadinessGates), "readinessGates")
	add(wanted.RuntimeClassName == nil && live.RuntimeClassName != nil, "runtimeClassName")
	add(wanted.SchedulerName == "" && live.SchedulerName != "" && live.SchedulerName != corev1.DefaultSchedulerName, "schedulerName "+live.SchedulerName)
	added = append(added, newNames("init container", containerNames(wanted.InitContainers), containerNames(live.InitContainers))...)
	added = append(added, newNames("container", containerNames(wanted.Containers), containerNames(live.Containers))...)
	return append(added, newNames("volume", volumeNames(wanted.Volumes), volumeNames(live.Volumes))...)
}

// newNames are the live names that are not wanted.
func newNames(what string, wanted, live []string) []string {
	var added []string
	for _, name := range live {
		if !slices.Contains(wanted, name) {
			added = append(added, what+" "+name)
		}
	}
	return added
}

func containerNames(containers []corev1.Container) []string {
	var names []string
	for _, container := range containers {
		names = append(names, container.Name)
	}
	return names
}

func volumeNames(volumes []corev1.Volume) []string {
	var names []string
	for _, volume := range volumes {
		names = append(names, volume.Name)
	}
	return names
}
