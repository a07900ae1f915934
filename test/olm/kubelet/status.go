// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"encoding/json"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// state of a pod's container.
type state struct {
	phase   corev1.PodPhase
	ready   bool
	waiting *corev1.ContainerStateWaiting
}

func running(ready bool) state { return state{phase: corev1.PodRunning, ready: ready} }

// waiting is the state of a container that does not run.
func waiting(err error) state {
	why := &corev1.ContainerStateWaiting{Reason: "CreateContainerError", Message: err.Error()}
	if known, ok := errors.AsType[*stuck](err); ok {
		why.Reason, why.Message = known.reason, known.message
	}
	phase := corev1.PodPending
	if why.Reason == "CrashLoopBackOff" {
		phase = corev1.PodRunning
	}
	return state{phase: phase, waiting: why}
}

// report writes the status of the pod.
func (p *pod) report(is state) {
	if p.ctx.Err() != nil {
		return
	}
	p.kubelet.noteReady(p, is.ready)
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": p.object.UID},
		"status":   p.status(is),
	})
	if err != nil {
		p.kubelet.complain("%s/%s: %v", p.object.Namespace, p.object.Name, err)
		return
	}
	_, err = p.kubelet.client.CoreV1().Pods(p.object.Namespace).
		Patch(p.ctx, p.object.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil && p.ctx.Err() == nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		p.kubelet.complain("the status of %s/%s is not written: %v", p.object.Namespace, p.object.Name, err)
	}
}

func (p *pod) status(is state) corev1.PodStatus {
	ready, now := corev1.ConditionFalse, metav1.Now()
	if is.ready {
		ready = corev1.ConditionTrue
	}
	container := &p.object.Spec.Containers[0]
	about := corev1.ContainerStatus{
		Name: container.Name, Image: container.Image, ImageID: container.Image,
		RestartCount: p.restarts, Ready: is.ready, Started: new(is.waiting == nil),
		State: corev1.ContainerState{Waiting: is.waiting},
	}
	if is.waiting == nil {
		about.State.Running = &corev1.ContainerStateRunning{StartedAt: p.started}
	}
	conditions := []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: p.started},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: p.started},
		{Type: corev1.ContainersReady, Status: ready, LastTransitionTime: now},
		{Type: corev1.PodReady, Status: ready, LastTransitionTime: now},
	}
	return corev1.PodStatus{
		Phase: is.phase, Conditions: conditions, StartTime: &p.started, HostIP: "198.18.0.1",
		PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}}, ContainerStatuses: []corev1.ContainerStatus{about},
	}
}
