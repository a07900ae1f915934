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
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// lookTimeout is how long all the looks of a pass may take: the pass has to be
	// told of all the same.
	lookTimeout = 10 * time.Second
	// mostReason is how long the API server's reason for a read that failed may be.
	mostReason = 300
)

// diagnoses find out why workloads are down.
type diagnoses struct {
	pods     podReader
	memories *memories
	times    Times
	now      func() time.Time
}

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

// observe finds out why workloads are down that have been for a while. It is best
// effort: what cannot be looked up keeps nothing else from being told.
func (g *diagnoses) observe(ctx context.Context, d desired, seen *observation) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	remembered := g.memories.of(d.input.NSM).diagnoses
	for i := range seen.Workloads {
		w := &seen.Workloads[i]
		if len(w.Unseen) > 0 {
			seen.wake(g.now().Add(g.times.AskAgain))
		}
		if w.Live == nil || w.BlockedBy != "" || w.IsGoing() || w.HeldBack || w.IsWhole() {
			w.Lost = nil
			remembered[w.Name()] = diagnosis{of: w.Definition()}
			continue
		}
		known := g.recall(w, d.input.NSM)
		switch {
		case g.now().Before(known.downSince.Add(g.times.Patience)):
			seen.wake(known.downSince.Add(g.times.Patience))
		case g.now().Before(known.at.Add(g.pause(w))):
			w.Causes, w.Nodes = known.causes, known.nodes
			seen.wake(g.now().Add(g.times.AskAgain))
		default:
			w.Lost = nil
			found, nodes, err := g.causesOf(ctx, d.input.Platform, w)
			if err != nil {
				log.FromContext(ctx).Error(err, "Looking for what is wrong with a workload", "workload", w.String())
				w.Unseen = append(w.Unseen, "why ("+inShort(err)+")")
			}
			known.at, known.causes, known.lost, known.nodes = g.now(), health.SameWords(known.causes, found), w.Lost, nodes
			w.Causes, w.Nodes = known.causes, known.nodes
			seen.wake(g.now().Add(g.times.AskAgain))
		}
		remembered[w.Name()] = known
	}
}

// pause is the time until the pods of a workload are looked at again. Each look reads all of
// them, so with many it is longer.
func (g *diagnoses) pause(w *health.Workload) time.Duration {
	const perPod = 15 * time.Millisecond
	return max(g.times.LookPause, time.Duration(w.Pods().Desired)*perPod)
}

// recall returns what was found out about a workload that is down. What is of an older
// definition is dropped. One that this process has not seen before is down since the mesh is. If the
// mesh is not, an earlier process has found out why: it is looked at now.
func (g *diagnoses) recall(w *health.Workload, nsm *nsmv1beta1.NSM) diagnosis {
	known, isKnown := g.memories.of(nsm).diagnoses[w.Name()]
	if isKnown && known.of == w.Definition() && !known.downSince.IsZero() {
		return known
	}
	since := g.now()
	available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	switch {
	case isKnown || available == nil:
	case available.Status == metav1.ConditionFalse:
		since = available.LastTransitionTime.Time
	case available.Status == metav1.ConditionTrue && available.ObservedGeneration == nsm.Generation:
		since = since.Add(-g.times.Patience)
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
func (g *diagnoses) causesOf(ctx context.Context, platform mesh.Platform, w *health.Workload) (causes []health.Cause, nodes []string, err error) {
	all, err := g.pods.podsOf(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	failure := g.pods.findLost(ctx, w, all)
	isMissing := len(all) < int(w.Pods().Desired)
	nodes = health.NotUpOn(all)
	// What is wrong with pods on nodes that are down is known.
	pods := slices.DeleteFunc(w.Current(all), func(pod corev1.Pod) bool { return w.Lost.Has(pod.Spec.NodeName) })
	asked := 0
	for i := range pods {
		found, question := w.CauseOf(&pods[i], g.now())
		if question.Reason != "" && asked < mostAsked {
			asked++
			found, err = g.pods.answer(ctx, question, &pods[i])
			failure = cmp.Or(failure, err)
		}
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
	causes, err = g.pods.creationFailure(ctx, w, labelCommand(w.Workload.GetNamespace(), platform))
	return causes, nodes, cmp.Or(failure, err)
}
