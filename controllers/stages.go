// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// recordStages records, as events, which stages of a change of release have begun or
// ended between two statuses, and how long they took. The status is what tells, so that
// a restart of the operator reports no stage twice; it loses one only where the process
// ends between writing the status and this.
func (r *NSMReconciler) recordStages(before, after *nsmv1beta1.NSM, seen *observation) {
	r.recordPull(before, after, seen)
	if !seen.Staged {
		return
	}
	for _, stage := range seen.Stages(&before.Status, &after.Status) {
		related := stage.Workload.Live
		if stage.From != "" {
			r.recorder.Eventf(after, related, corev1.EventTypeNormal, "StageBegun", "Upgrade", "stage %d of %d: %s changes from %s to %s",
				stage.Number, len(seen.Workloads), stage.Workload, stage.From, seen.Release)
		}
		if stage.Ended {
			took := r.now().Sub(mesh.WrittenAt(stage.Workload.Live))
			metrics.StageDuration.WithLabelValues(string(stage.Workload.Role)).Observe(took.Seconds())
			r.recorder.Eventf(after, related, corev1.EventTypeNormal, "StageEnded", "Upgrade", "stage %d of %d: %s runs %s after %s",
				stage.Number, len(seen.Workloads), stage.Workload, seen.Release, took.Round(time.Second))
		}
	}
}

// recordPull records that nodes have begun to pull images, or have them all.
func (r *NSMReconciler) recordPull(before, after *nsmv1beta1.NSM, seen *observation) {
	is := func(nsm *nsmv1beta1.NSM) bool {
		progressing := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionProgressing)
		return progressing != nil && progressing.Reason == nsmv1beta1.ReasonPullingImages
	}
	switch {
	case is(after) && !is(before):
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, nsmv1beta1.ReasonPullingImages, "Upgrade",
			"nodes pull the new images; nothing is changed until they have them")
	case is(before) && !is(after) && len(seen.Pulls) == 0 && seen.NotBegun == "" && seen.RollBackTo == "" && !seen.RolledBack &&
		before.Status.ObservedGeneration == after.Status.ObservedGeneration:
		took := r.now().Sub(meta.FindStatusCondition(before.Status.Conditions, nsmv1beta1.ConditionProgressing).LastTransitionTime.Time)
		metrics.StageDuration.WithLabelValues(string(mesh.RoleImagePull)).Observe(took.Seconds())
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, "ImagesPulled", "Upgrade", "the new images are on the nodes after %s", took.Round(time.Second))
	}
}
