// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// lookTimeout is how long all the looks of a pass may take: the pass has to be
	// told of all the same.
	lookTimeout = 10 * time.Second
	// mostPods is how many pods of a workload are looked at.
	mostPods = 500
	// mostReason is how long the API server's reason for a read that failed may be.
	mostReason = 300
)

// Pods and events are read when something is down, and then only those of the
// workload that is.
//
// +kubebuilder:rbac:groups="",resources=pods;events,verbs=list

// diagnosis is what is known of a workload that may be down.
type diagnosis struct {
	// of is the definition that it is about.
	of string
	// downSince is when it was first seen down, or changed; zero while it is up.
	downSince time.Time
	// at is when its pods were looked at last; zero for not yet.
	at     time.Time
	causes []health.Cause
	// lost is what was found out about nodes that are down; nil for none.
	lost *health.Lost
	// nodes are those on which a pod is not up.
	nodes []string
}

// diagnose finds out why workloads are down that have been for a while. It is best
// effort: what cannot be looked up keeps nothing else from being told.
func (r *NSMReconciler) diagnose(ctx context.Context, d desired, seen *observation) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	for i := range seen.Workloads {
		w := &seen.Workloads[i]
		if len(w.Unseen) > 0 {
			seen.wake(r.now().Add(r.Times.AskAgain))
		}
		if w.Live == nil || w.BlockedBy != "" || w.IsGoing() || w.HeldBack || w.IsWhole() {
			w.Lost = nil
			r.diagnoses.Store(keyOf(w), diagnosis{of: w.Definition()})
			continue
		}
		known := r.diagnosisOf(w, d.input.NSM)
		switch {
		case r.now().Before(known.downSince.Add(r.Times.Patience)):
			seen.wake(known.downSince.Add(r.Times.Patience))
		case r.now().Before(known.at.Add(r.Times.LookPause)):
			w.Causes, w.Nodes = known.causes, known.nodes
			seen.wake(r.now().Add(r.Times.AskAgain))
		default:
			w.Lost = nil
			found, nodes, err := r.causesOf(ctx, d.input.Platform, w)
			if err != nil {
				log.FromContext(ctx).Error(err, "Looking for what is wrong with a workload", "workload", w.String())
				w.Unseen = append(w.Unseen, "why ("+inShort(err)+")")
			}
			known.at, known.causes, known.lost, known.nodes = r.now(), health.SameWords(known.causes, found), w.Lost, nodes
			w.Causes, w.Nodes = known.causes, known.nodes
			seen.wake(r.now().Add(r.Times.AskAgain))
		}
		r.diagnoses.Store(keyOf(w), known)
	}
}

// diagnosisOf a workload that is down. What was found out of an older definition
// is dropped. One that this process has not seen before is down since the mesh is.
func (r *NSMReconciler) diagnosisOf(w *health.Workload, nsm *nsmv1beta1.NSM) diagnosis {
	found, _ := r.diagnoses.Load(keyOf(w))
	known, isKnown := found.(diagnosis)
	if isKnown && known.of == w.Definition() && !known.downSince.IsZero() {
		return known
	}
	since := r.now()
	available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	if !isKnown && available != nil && available.Status == metav1.ConditionFalse {
		since = available.LastTransitionTime.Time
	}
	return diagnosis{of: w.Definition(), downSince: since}
}

// inShort tells what kept something from being read, without what moves.
func inShort(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err)) {
		return health.Shorten(status.Status().Message, mostReason)
	}
	return "the API server does not answer"
}

// causesOf reads the pods of a workload and tells what is wrong with them, and on which
// nodes they are not up. With an error it tells what it has found out nevertheless.
func (r *NSMReconciler) causesOf(ctx context.Context, platform mesh.Platform, w *health.Workload) (causes []health.Cause, nodes []string, err error) {
	namespace := w.Workload.GetNamespace()
	var list corev1.PodList
	if err := r.direct.List(ctx, &list, client.InNamespace(namespace), client.Limit(mostPods), podLabels(w)); err != nil {
		return nil, nil, fmt.Errorf("reading the pods of %s: %w", w, err)
	}
	failure := r.findLost(ctx, w, list.Items)
	isMissing := len(list.Items) < int(w.Pods().Desired)
	nodes = health.NotUpOn(list.Items)
	// What is wrong with pods on nodes that are down is known.
	pods := slices.DeleteFunc(w.Current(list.Items), func(pod corev1.Pod) bool {
		return w.Lost != nil && slices.Contains(w.Lost.Nodes, pod.Spec.NodeName)
	})
	for i := range pods {
		found, err := r.causeOf(ctx, w, &pods[i])
		failure = cmp.Or(failure, err)
		var isRoom bool
		if causes, isRoom = health.AddCause(causes, found, pods[i].Spec.NodeName); !isRoom {
			break
		}
	}
	switch {
	case len(causes) > 0 || w.Lost != nil:
		return causes, nodes, failure
	case w.Refused() == "" && !isMissing:
		return nil, nodes, failure
	}
	causes, err = r.creationFailure(ctx, w, labelCommand(namespace, platform))
	return causes, nodes, cmp.Or(failure, err)
}

// suspectsOf reads the nodes of pods that are not ready, a few of them, by name. It takes
// the right to list nodes, which exclude-prefixes is handed on anyway.
func (r *NSMReconciler) suspectsOf(ctx context.Context, pods []corev1.Pod) (map[string]*corev1.Node, error) {
	nodes := map[string]*corev1.Node{}
	for _, name := range health.Suspects(pods) {
		var list corev1.NodeList
		if err := r.direct.List(ctx, &list, client.MatchingFields{"metadata.name": name}); err != nil {
			return nil, fmt.Errorf("reading node %s: %w", name, err)
		}
		// The pods of one that is not there any more go by themselves.
		if len(list.Items) > 0 {
			nodes[name] = &list.Items[0]
		}
	}
	return nodes, nil
}

// findLost tells which nodes of a workload's pods are down.
func (r *NSMReconciler) findLost(ctx context.Context, w *health.Workload, pods []corev1.Pod) error {
	nodes, err := r.suspectsOf(ctx, pods)
	if err != nil {
		return err
	}
	w.Lost = w.FindLost(pods, nodes)
	if _, isDaemonSet := w.Live.(*appsv1.DaemonSet); w.Lost == nil || !isDaemonSet || w.Revision != "" {
		return nil
	}
	// Now the pods on the other nodes are counted here, and a number alone does not tell
	// whether one is of a definition that has come back.
	if err := r.findRevision(ctx, w); err != nil {
		return err
	}
	w.Lost = w.FindLost(pods, nodes)
	return nil
}

// creationFailure tells why the pods of a workload are not even created: where it does
// not say so itself, only events tell that admission refuses them.
func (r *NSMReconciler) creationFailure(ctx context.Context, w *health.Workload, labelCommand string) ([]health.Cause, error) {
	var events []corev1.Event
	if w.Refused() == "" {
		var err error
		if events, err = r.warnings(ctx, w.Workload.GetNamespace(), "FailedCreate", nil); err != nil {
			return nil, fmt.Errorf("reading the events of %s: %w", w, err)
		}
	}
	causes, _ := health.AddCause(nil, w.CreationFailure(events, labelCommand), "")
	return causes, nil
}

// causeOf tells what is wrong with a pod: only an event tells that a directory is
// missing on the node, or what a probe said.
func (r *NSMReconciler) causeOf(ctx context.Context, w *health.Workload, pod *corev1.Pod) (health.Cause, error) {
	found, question := w.CauseOf(pod, r.now())
	if question.Reason == "" {
		return found, nil
	}
	events, err := r.warnings(ctx, pod.Namespace, question.Reason, pod)
	if err != nil {
		return found, fmt.Errorf("reading the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return question.Answer(events), nil
}

// warnings reads the events of a namespace that warn for a reason, about a pod or
// about anything.
func (r *NSMReconciler) warnings(ctx context.Context, namespace, reason string, pod *corev1.Pod) ([]corev1.Event, error) {
	which := fields.Set{"reason": reason, "type": corev1.EventTypeWarning}
	if pod != nil {
		which["involvedObject.uid"] = string(pod.UID)
	}
	var events corev1.EventList
	err := r.direct.List(ctx, &events, client.InNamespace(namespace), client.Limit(mostPods), client.MatchingFieldsSelector{Selector: fields.SelectorFromSet(which)})
	return events.Items, err
}
