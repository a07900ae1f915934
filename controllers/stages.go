// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// stageOrder is the order in which the parts of a mesh change to another
// release, after the roles and identities of all: each must be ready before the
// next. A registry outlives its clients' connections; the CSI driver comes
// before those who mount its volumes; a node's manager comes before its
// forwarders; new clients come last.
var stageOrder = []mesh.Role{
	mesh.RoleRegistry, mesh.RoleInterdomain, mesh.RoleCSI, mesh.RoleManager, mesh.RoleForwarder, mesh.RoleWebhook,
}

// defaultProgressDeadline is the time that a stage may take.
const defaultProgressDeadline = 10 * time.Minute

// reasonRolledBack marks, in the condition Degraded, an NSM whose new release
// did not come up and which runs the one before.
const reasonRolledBack = "RolledBack"

// reasonOverdue marks, in the condition Degraded, an NSM that takes longer to come
// up than it may.
const reasonOverdue = "ProgressDeadlineExceeded"

// isStaged tells whether the mesh runs another release than it should.
func isStaged(nsm *nsmv1beta1.NSM) bool {
	return nsm.Status.Version != "" && nsm.Status.Version != targetOf(nsm)
}

// targetOf is the release that the mesh should run: the one of its spec, or the
// one before where that was taken back.
func targetOf(nsm *nsmv1beta1.NSM) string {
	if isRolledBack(nsm) {
		return nsm.Status.Version
	}
	return versionOf(nsm)
}

// isRolledBack tells whether the mesh runs the release before that of its spec.
// The status alone does not decide that: whoever may write it, and not the spec,
// shall not choose what runs.
func isRolledBack(nsm *nsmv1beta1.NSM) bool {
	_, err := release.Parse(nsm.Status.Version)
	return err == nil && ptr.Deref(nsm.Spec.Upgrade, nsmv1beta1.UpgradeSpec{}).OnFailure == nsmv1beta1.UpgradeFailureRollback &&
		reportsRollback(&nsm.Status, nsm.Generation)
}

// reportsRollback tells whether a status says that the spec of a generation has
// been tried and taken back.
func reportsRollback(status *nsmv1beta1.NSMStatus, generation int64) bool {
	degraded := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionDegraded)
	return degraded != nil && degraded.Status == metav1.ConditionTrue &&
		degraded.Reason == reasonRolledBack && degraded.ObservedGeneration == generation
}

// applyStaged applies the workloads one after the other, up to the first that is
// not ready, and returns the names of those that have to wait for it.
func (r *NSMReconciler) applyStaged(ctx context.Context, plan plan) ([]apply.Change, []string, error) {
	var changes []apply.Change
	staged := inOrder(plan.components)
	for i, component := range staged {
		if plan.survey.Leaves(component.Workload) {
			continue // it comes no further, and the others do not depend on that
		}
		if component.Role == mesh.RoleWebhook {
			// Ours would answer them with a certificate that they do not trust.
			if err := r.dropCallers(ctx, plan.input.NSM); err != nil {
				return changes, nil, err
			}
		}
		applied, err := r.applier.Apply(ctx, plan.survey, stageOf(component))
		changes = append(changes, applied...)
		if err != nil {
			return changes, nil, err
		}
		observed, err := r.observeWorkload(ctx, plan.input.NSM, component)
		if err != nil {
			return changes, nil, err
		}
		if !observed.isReady() {
			return changes, namesOf(staged[i+1:]), nil
		}
	}
	return changes, nil, nil
}

// stageOf a component are its workload, and the Services that lead to the
// workload's pods: what an earlier operator has made of those finds pods by other
// labels, which must not be left alone before their turn. Least of all those of
// the admission webhook, without which no pod could be made.
func stageOf(component mesh.Component) []client.Object {
	stage := []client.Object{component.Workload}
	for _, object := range component.Others {
		if isService(object) {
			stage = append(stage, object)
		}
	}
	return stage
}

// inOrder sorts components into stages; those of one role keep their order, and
// go one after the other, too: never do all forwarders of a node go at once.
func inOrder(components []mesh.Component) []mesh.Component {
	staged := slices.Clone(components)
	slices.SortStableFunc(staged, func(one, other mesh.Component) int {
		return cmp.Compare(slices.Index(stageOrder, one.Role), slices.Index(stageOrder, other.Role))
	})
	return staged
}

func namesOf(components []mesh.Component) []string {
	var names []string
	for _, component := range components {
		names = append(names, component.Workload.GetName())
	}
	return names
}

func workloadsOf(components []mesh.Component) []client.Object {
	var workloads []client.Object
	for _, component := range components {
		workloads = append(workloads, component.Workload)
	}
	return workloads
}

// hold notes the workloads that wait for others.
func (o *observation) hold(names []string) {
	for i := range o.workloads {
		o.workloads[i].held = slices.Contains(names, o.workloads[i].name)
	}
}

// checkDeadline notes in the observation what a change has been waiting for
// longer than it may, or when that will be.
func (r *NSMReconciler) checkDeadline(nsm *nsmv1beta1.NSM, seen *observation) {
	seen.rolledBack = isRolledBack(nsm)
	progressing := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionProgressing)
	if progressing == nil || progressing.Status != metav1.ConditionTrue || progressing.ObservedGeneration != nsm.Generation {
		return
	}
	upgrade := ptr.Deref(nsm.Spec.Upgrade, nsmv1beta1.UpgradeSpec{})
	deadline := ptr.Deref(upgrade.ProgressDeadline, metav1.Duration{Duration: defaultProgressDeadline}).Duration
	for _, concern := range concerns {
		down := meta.FindStatusCondition(nsm.Status.Conditions, concern.condition)
		message := seen.messageOf(concern.role)
		if message == "" || down == nil || down.Status != metav1.ConditionFalse {
			continue
		}
		end := later(down.LastTransitionTime.Time, progressing.LastTransitionTime.Time).Add(deadline)
		if r.now().Before(end) {
			seen.wake(end)
			continue
		}
		seen.overdue = fmt.Sprintf("within spec.upgrade.progressDeadline, %s: %s", deadline, message)
		if seen.rollBack = upgrade.OnFailure == nsmv1beta1.UpgradeFailureRollback && isStaged(nsm); seen.rollBack {
			seen.wake(r.now())
		}
		return
	}
}

func later(one, other time.Time) time.Time {
	if one.After(other) {
		return one
	}
	return other
}
