// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// pausePerNode stretches the pause between two looks at nodes that pull images, so that
// a large mesh costs no more requests than a small one.
const pausePerNode = 5 * time.Millisecond

// imagePulls look how far nodes are with the images that have to be there before anything
// is changed.
type imagePulls struct {
	applier *apply.Applier
	// direct reads from the API server.
	direct   client.Reader
	pods     podReader
	memories *memories
	times    Times
	now      func() time.Time
}

// pullSeen is what was seen last of nodes that pull images.
type pullSeen struct {
	// of is the definition that it is about.
	of   string
	at   time.Time
	pull health.ImagePull
	// nodesAt is when it was last looked whether nodes that have not pulled are down.
	nodesAt time.Time
}

// observe looks how far all are, and notes it. Before a change of release may begin, nothing
// is pulled.
func (p *imagePulls) observe(ctx context.Context, d *desired, in *rollout.Input) error {
	if d.notBegun != "" {
		return nil
	}
	in.Pulled = map[string]bool{}
	for _, pull := range in.Pulls() {
		live, err := p.applier.Cached(ctx, pull.Pulling)
		if err != nil {
			return err
		}
		if live != nil {
			d.pulling = append(d.pulling, live)
		}
		seen, again, err := p.observeOne(ctx, in, pull, live)
		if err != nil {
			return err
		}
		if seen == nil {
			in.Pulled[pull.Name()] = true
			continue
		}
		d.pulls = append(d.pulls, *seen)
		if !again.IsZero() {
			d.wake(again)
		}
	}
	return nil
}

// observeOne looks how far nodes are with the images of one workload, and tells when to
// look again, where no watch does; nil where they have all. Once they had, that shows in the
// cache, and no pod is there to be looked at any more.
func (p *imagePulls) observeOne(
	ctx context.Context, in *rollout.Input, pull rollout.Pull, live mesh.Object,
) (*health.ImagePull, time.Time, error) {
	w := health.Workload{Component: mesh.Component{Workload: pull.Pulling}, Live: live}
	seen := &health.ImagePull{
		Workload: fmt.Sprintf("%s %s", mesh.KindOf(pull.Workload), client.ObjectKeyFromObject(pull.Workload)), Images: pull.Images,
	}
	if w.Live == nil {
		return seen, time.Time{}, nil
	}
	isDone, err := p.isWrittenFrom(w.Live, pull.Done)
	if isDone || err != nil {
		return nil, time.Time{}, err
	}
	isPulling, err := p.isWrittenFrom(w.Live, pull.Pulling)
	desired, isCounted := desiredOf(w.Live)
	if seen.Desired = desired; !isPulling || !isCounted || err != nil {
		return seen, time.Time{}, err
	}
	remembered := p.memories.of(in.NSM).pulls
	last := remembered[w.Name()]
	if last.of != w.Definition() {
		last = pullSeen{of: w.Definition()}
	}
	if again := last.at.Add(p.pause(&last.pull)); !last.at.IsZero() && p.now().Before(again) {
		last.pull.Desired = desired
		return &last.pull, again, nil
	}
	waitedFor, err := p.count(ctx, in.Platform, &w, seen)
	if err != nil {
		return seen, time.Time{}, err
	}
	p.findLost(ctx, &w, waitedFor, seen, &last)
	if _, isDeployment := w.Live.(*appsv1.Deployment); isDeployment && seen.Lost != nil {
		// If its pods tolerate all taints, nobody else takes them off a node that is down.
		in.Avoided[w.Name()] = append(in.Avoided[w.Name()], seen.Lost.Nodes...)
	}
	if seen.IsDone() {
		delete(remembered, w.Name())
		return nil, time.Time{}, nil
	}
	seen.KeepWords(last.pull)
	remembered[w.Name()] = pullSeen{of: last.of, at: p.now(), pull: *seen, nodesAt: last.nodesAt}
	return seen, p.now().Add(p.pause(seen)), nil
}

func (p *imagePulls) isWrittenFrom(live, object mesh.Object) (bool, error) {
	intent, _, err := p.applier.Wanted(nil, object, live)
	return mesh.IsWrittenFrom(live, intent), err
}

// desiredOf a workload is how many pods should be there, as far as its controller has said.
func desiredOf(workload mesh.Object) (desired int32, isCounted bool) {
	switch live := workload.(type) {
	case *appsv1.DaemonSet:
		return live.Status.DesiredNumberScheduled, live.Status.ObservedGeneration >= live.Generation
	case *appsv1.Deployment:
		return ptr.Deref(live.Spec.Replicas, 1), live.Status.ObservedGeneration >= live.Generation
	default:
		return 0, false
	}
}

// findLost finds out, now and then, whether nodes that have not pulled are down. It is best
// effort: without an answer they are waited for.
func (p *imagePulls) findLost(ctx context.Context, w *health.Workload, waitedFor []corev1.Pod, seen *health.ImagePull, last *pullSeen) {
	seen.Lost = last.pull.Lost
	if len(waitedFor) == 0 || p.now().Before(mesh.WrittenAt(w.Live).Add(p.times.Patience)) || p.now().Before(last.nodesAt.Add(p.times.AskAgain)) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	last.nodesAt = p.now()
	nodes, err := p.pods.suspectsOf(ctx, waitedFor)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking for nodes that are down and pull images", "workload", w.String())
		return
	}
	seen.Lost = w.FindLost(waitedFor, nodes)
}

// count reads the pods that pull images. Of those whose nodes have not pulled yet it
// returns what tells whether the node counts.
func (p *imagePulls) count(ctx context.Context, platform mesh.Platform, w *health.Workload, seen *health.ImagePull) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	namespace := w.Workload.GetNamespace()
	var waitedFor []corev1.Pod
	err := eachPod(ctx, p.direct, func(pod *corev1.Pod) {
		if seen.Add(pod) {
			waitedFor = append(waitedFor, corev1.Pod{Spec: corev1.PodSpec{NodeName: pod.Spec.NodeName, Tolerations: pod.Spec.Tolerations}})
		}
	}, client.InNamespace(namespace), client.MatchingLabels(mesh.ImagePullSelector(w.Workload)))
	if err != nil {
		return nil, fmt.Errorf("reading the pods of %s: %w", w, err)
	}
	if seen.Pods >= seen.Desired || p.now().Before(mesh.WrittenAt(w.Live).Add(p.times.Patience)) {
		return waitedFor, nil
	}
	causes, err := p.pods.creationFailure(ctx, w, labelCommand(namespace, platform))
	if len(causes) > 0 {
		seen.Refused = causes[0].String()
	}
	return waitedFor, err
}

// pause is the time until the nodes are looked at again.
func (p *imagePulls) pause(seen *health.ImagePull) time.Duration {
	if seen.Refused != "" || len(seen.Failures) > 0 && len(seen.Nodes) == 0 {
		return p.times.AskAgain
	}
	return max(p.times.PullPause, time.Duration(seen.Desired)*pausePerNode)
}
