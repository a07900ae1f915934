// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// mostPods is how many pods, nodes or events are held at a time while they are read.
	mostPods = 100
	// mostAsked is how many nodes, or events of pods, are asked for one by one.
	mostAsked = 20
)

// Pods and events are read when something is down or changes, and then only those of the
// workload that does. Pods of users are read to find clients that are stale, and what keeps a
// CSI driver.
//
// +kubebuilder:rbac:groups="",resources=pods;events,verbs=list

// podReader reads the pods of a workload, and what tells more about them: their nodes,
// revisions and events. None of them is in a cache.
type podReader struct {
	// direct reads from the API server.
	direct client.Reader
}

// eachPage reads a list page by page: it may be long.
func eachPage[L client.ObjectList](ctx context.Context, direct client.Reader, empty L, look func(L), which ...client.ListOption) error {
	for page := ""; ; {
		list, _ := empty.DeepCopyObject().(L)
		if err := direct.List(ctx, list, append(which, client.Limit(mostPods), client.Continue(page))...); err != nil {
			return err
		}
		look(list)
		if page = list.GetContinue(); page == "" {
			return nil
		}
	}
}

// eachPod looks at pods of the whole cluster, or of some of it.
func eachPod(ctx context.Context, direct client.Reader, look func(*corev1.Pod), which ...client.ListOption) error {
	return eachPage(ctx, direct, &corev1.PodList{}, func(list *corev1.PodList) {
		for i := range list.Items {
			look(&list.Items[i])
		}
	}, which...)
}

// podsOf reads all pods of a workload, and keeps what tells how they are.
func (p podReader) podsOf(ctx context.Context, w *health.Workload) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	err := eachPod(ctx, p.direct, func(pod *corev1.Pod) {
		pods = append(pods, health.Outline(pod))
	}, client.InNamespace(w.Workload.GetNamespace()), podLabels(w))
	if err != nil {
		return nil, fmt.Errorf("reading the pods of %s: %w", w, err)
	}
	return pods, nil
}

// suspectsOf reads the nodes of pods that are not ready: a few by name, of many all that
// there are. It takes the right to list nodes, which exclude-prefixes is handed on anyway.
func (p podReader) suspectsOf(ctx context.Context, pods []corev1.Pod) (map[string]*corev1.Node, error) {
	names := health.Suspects(pods)
	nodes := map[string]*corev1.Node{}
	keep := func(list *corev1.NodeList) {
		for i := range list.Items {
			if node := &list.Items[i]; slices.Contains(names, node.Name) {
				nodes[node.Name] = &corev1.Node{
					Spec: corev1.NodeSpec{Taints: node.Spec.Taints}, Status: corev1.NodeStatus{Conditions: node.Status.Conditions},
				}
			}
		}
	}
	if len(names) > mostAsked {
		if err := eachPage(ctx, p.direct, &corev1.NodeList{}, keep); err != nil {
			return nil, fmt.Errorf("reading nodes: %w", err)
		}
		return nodes, nil
	}
	for _, name := range names {
		// The pods of one that is not there any more go by themselves.
		if err := eachPage(ctx, p.direct, &corev1.NodeList{}, keep, client.MatchingFields{"metadata.name": name}); err != nil {
			return nil, fmt.Errorf("reading node %s: %w", name, err)
		}
	}
	return nodes, nil
}

// findLost tells which nodes of a workload's pods are down.
func (p podReader) findLost(ctx context.Context, w *health.Workload, pods []corev1.Pod) error {
	nodes, err := p.suspectsOf(ctx, pods)
	if err != nil {
		return err
	}
	w.Lost = w.FindLost(pods, nodes)
	if _, isDaemonSet := w.Live.(*appsv1.DaemonSet); w.Lost == nil || !isDaemonSet || w.Revision != "" {
		return nil
	}
	// Now the pods on the other nodes are counted here, and a number alone does not tell
	// whether one is of a definition that has come back.
	if err := p.findRevision(ctx, w); err != nil {
		return err
	}
	w.Lost = w.FindLost(pods, nodes)
	return nil
}

// withRevision reads all pods of a DaemonSet, and notes which revision they should be of.
func (p podReader) withRevision(ctx context.Context, w *health.Workload) ([]corev1.Pod, error) {
	pods, err := p.podsOf(ctx, w)
	if err != nil {
		return nil, err
	}
	return pods, p.findRevision(ctx, w)
}

// findRevision notes which revision the pods of a DaemonSet should be of.
func (p podReader) findRevision(ctx context.Context, w *health.Workload) error {
	var revisions appsv1.ControllerRevisionList
	if err := p.direct.List(ctx, &revisions, client.InNamespace(w.Workload.GetNamespace()), podLabels(w)); err != nil {
		return fmt.Errorf("reading the revisions of %s: %w", w, err)
	}
	w.Revision = health.RevisionOf(w.Live, revisions.Items)
	return nil
}

// running has the names of the workload's pods that have not ended, and which of them are not
// about to: whoever is being deleted is no longer asked.
func (p podReader) running(ctx context.Context, w *health.Workload) (map[string]bool, error) {
	ended := fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)))
	running := map[string]bool{}
	pods := mesh.EmptyMetadataList(corev1.SchemeGroupVersion.WithKind("Pod"))
	err := eachPage(ctx, p.direct, pods, func(list *metav1.PartialObjectMetadataList) {
		for i := range list.Items {
			running[list.Items[i].Name] = list.Items[i].DeletionTimestamp == nil
		}
	}, client.MatchingFieldsSelector{Selector: ended}, client.InNamespace(w.Workload.GetNamespace()), podLabels(w))
	return running, err
}

// creationFailure tells why the pods of a workload are not even created: where it does
// not say so itself, only events tell that admission refuses them.
func (p podReader) creationFailure(ctx context.Context, w *health.Workload, labelCommand string) ([]health.Cause, error) {
	var events []corev1.Event
	if w.Refused() == "" {
		var err error
		if events, err = p.warnings(ctx, w.Workload.GetNamespace(), "FailedCreate", nil); err != nil {
			return nil, fmt.Errorf("reading the events of %s: %w", w, err)
		}
	}
	causes, _ := health.AddCause(nil, w.CreationFailure(events, labelCommand), "")
	return causes, nil
}

// answer tells what is wrong with a pod: only an event tells that a directory is
// missing on the node, or what a probe said.
func (p podReader) answer(ctx context.Context, question health.Question, pod *corev1.Pod) (health.Cause, error) {
	events, err := p.warnings(ctx, pod.Namespace, question.Reason, pod)
	if err != nil {
		return health.Cause{}, fmt.Errorf("reading the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return question.Answer(events), nil
}

// warnings reads the events of a namespace that warn for a reason, about a pod or
// about anything.
func (p podReader) warnings(ctx context.Context, namespace, reason string, pod *corev1.Pod) ([]corev1.Event, error) {
	which := fields.Set{"reason": reason, "type": corev1.EventTypeWarning}
	if pod != nil {
		which["involvedObject.uid"] = string(pod.UID)
	}
	var events []corev1.Event
	err := eachPage(ctx, p.direct, &corev1.EventList{}, func(list *corev1.EventList) {
		for i := range list.Items {
			event := &list.Items[i]
			events = append(events, corev1.Event{
				InvolvedObject: event.InvolvedObject, Message: event.Message,
				EventTime: event.EventTime, LastTimestamp: event.LastTimestamp, Series: event.Series,
			})
		}
	}, client.InNamespace(namespace), client.MatchingFieldsSelector{Selector: fields.SelectorFromSet(which)})
	return events, err
}
