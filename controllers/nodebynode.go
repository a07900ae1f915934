// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// Where a forwarder is rolled node by node, its pods are deleted one after the other.
//
// +kubebuilder:rbac:groups="",resources=pods,verbs=delete

// turnSeen is what was seen last of a workload that is rolled node by node.
type turnSeen struct {
	// of is the state of the cluster that it was found out of.
	of   string
	at   time.Time
	turn rollout.Turn
}

// observeTurns finds the pods to replace next, for workloads that the operator rolls
// itself. It leaves out a workload that is not as it should be, because that is written
// first. Before a change of release has begun it does not, because nothing is written
// then, and the change waits for what is still rolling.
func (r *NSMReconciler) observeTurns(ctx context.Context, d *desired, in *rollout.Input) error {
	in.Turns = map[string]rollout.Turn{}
	for _, component := range d.components {
		name := component.Workload.GetName()
		if !component.NodeByNode || in.Blocked[name] || !in.Current[name] && d.notBegun == "" {
			continue
		}
		w, err := r.observeWorkload(ctx, *d, component)
		if err != nil {
			return err
		}
		if w.Live == nil || w.HeldBack || !isRolledByHand(w.Live) {
			delete(r.memories.of(in.NSM).turns, w.Name())
			continue
		}
		turn, again, err := r.observeTurn(ctx, *d, &w)
		if err != nil {
			return err
		}
		in.Turns[name] = turn
		d.wake(again)
	}
	d.turns = in.Turns
	return nil
}

// isRolledByHand reports whether a DaemonSet has pods of an older definition that
// Kubernetes does not replace.
func isRolledByHand(workload mesh.Object) bool {
	daemonSet, is := workload.(*appsv1.DaemonSet)
	return is && daemonSet.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType && daemonSet.DeletionTimestamp == nil &&
		daemonSet.Status.ObservedGeneration >= daemonSet.Generation &&
		daemonSet.Status.UpdatedNumberScheduled < daemonSet.Status.CurrentNumberScheduled
}

// observeTurn looks which pods of a workload come next, and tells when to look again
// though no watch tells of anything. As long as nothing has changed, it is as before.
func (r *NSMReconciler) observeTurn(ctx context.Context, d desired, w *health.Workload) (rollout.Turn, time.Time, error) {
	managers, err := r.observeManagers(ctx, d)
	if err != nil {
		return rollout.Turn{}, time.Time{}, err
	}
	of := turnState(d, w, managers)
	remembered := r.memories.of(d.input.NSM).turns
	last := remembered[w.Name()]
	pause := r.Times.AskAgain
	if last.of != of {
		// A look at many nodes is not cheap.
		pause = time.Duration(w.Pods().Desired) * pausePerNode
	}
	if again := last.at.Add(pause); !last.at.IsZero() && r.now().Before(again) {
		return last.turn.Done(), again, nil
	}
	turn, err := r.nextTurn(ctx, d, w, managers)
	if err != nil {
		return rollout.Turn{}, time.Time{}, err
	}
	remembered[w.Name()] = turnSeen{of: of, at: r.now(), turn: turn}
	return turn, r.now().Add(r.Times.AskAgain), nil
}

// observeManagers looks at the workload of the managers; nil where the mesh has none.
func (r *NSMReconciler) observeManagers(ctx context.Context, d desired) (*health.Workload, error) {
	for _, component := range d.components {
		if component.Role == mesh.RoleManager {
			w, err := r.observeWorkload(ctx, d, component)
			return &w, err
		}
	}
	return nil, nil
}

// turnState is what a turn follows from, as far as a watch tells of it.
func turnState(d desired, w, managers *health.Workload) string {
	limit := mesh.MaxUnavailable(&d.input.NSM.Spec)
	state := []string{w.Live.GetResourceVersion(), limit.String()}
	if managers != nil && managers.Live != nil {
		state = append(state, managers.Live.GetResourceVersion())
	}
	if w.Registration != nil {
		state = append(state, fmt.Sprint(w.Registration.IsRead, w.Registration.Endpoints))
	}
	return strings.Join(state, " ")
}

// nextTurn reads the pods of a workload and decides which come next.
func (r *NSMReconciler) nextTurn(ctx context.Context, d desired, w, managers *health.Workload) (rollout.Turn, error) {
	pods, err := r.pods.withRevision(ctx, w)
	if err != nil {
		return rollout.Turn{}, err
	}
	if err := r.pods.findLost(ctx, w, pods); err != nil {
		return rollout.Turn{}, err
	}
	hasManager, err := r.readyManagers(ctx, managers)
	if err != nil {
		return rollout.Turn{}, err
	}
	nodes := rollout.NodeByNode{Workload: w, Pods: pods, MaxUnavailable: mesh.MaxUnavailable(&d.input.NSM.Spec), HasManager: hasManager}
	return nodes.Turn(), nil
}

// readyManagers tells which nodes have a manager that is ready in its current
// definition. Where the managers are ready as a whole, that is every node that should
// have one.
func (r *NSMReconciler) readyManagers(ctx context.Context, managers *health.Workload) (func(node string) bool, error) {
	ready := map[string]bool{}
	switch {
	case managers == nil || managers.IsReady() && managers.IsWritten():
		return func(string) bool { return true }, nil
	case managers.Live == nil:
		return func(string) bool { return false }, nil
	}
	pods, err := r.pods.withRevision(ctx, managers)
	for i := range pods {
		if pod := &pods[i]; pod.DeletionTimestamp == nil && health.IsReady(pod) && managers.IsOfRevision(pod) {
			ready[pod.Spec.NodeName] = true
		}
	}
	return func(node string) bool { return ready[node] }, err
}

// replacePods deletes pods whose workloads make new ones. If one cannot be deleted, it is
// looked for again.
func (x *execution) replacePods(ctx context.Context, pods []mesh.Object) error {
	err := x.r.applier.DeleteExactly(ctx, pods...)
	if err != nil {
		clear(x.r.memories.of(x.d.input.NSM).turns)
	}
	return err
}
