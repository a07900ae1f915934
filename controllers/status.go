// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
)

// reportTimeout is how long the status of a pass that has run out of time may
// take to be written.
const reportTimeout = 10 * time.Second

const (
	// mostEvents is how many events in a row may tell that what is wrong has changed, and
	// eventPause the time after which there may be one more.
	mostEvents = 5
	eventPause = 5 * time.Minute
)

// report writes what was seen, or the error, into the status, when it differs.
func (r *NSMReconciler) report(ctx context.Context, nsm *nsmv1beta1.NSM, seen *observation, failure error) error {
	var observed *health.Mesh
	if seen != nil {
		observed = &seen.Mesh
	}
	before, status := nsm.DeepCopy(), health.Status(nsm, observed, failure)
	if again := r.nextReport(nsm, &status); seen != nil && failure == nil && r.now().Before(again) {
		seen.wake(again)
		return nil
	}
	isWritten, err := r.writeStatus(ctx, nsm, status, failure)
	if isWritten && seen != nil {
		// Also where the pass has failed: the next one sees nothing new in the status.
		r.recordStages(before, nsm, seen)
		r.recordStaleClients(before, nsm, seen)
	}
	return err
}

// nextReport is when a status may be written that differs from the last one in counts
// alone; zero for at once. With many nodes they change many times a second.
func (r *NSMReconciler) nextReport(nsm *nsmv1beta1.NSM, status *nsmv1beta1.NSMStatus) time.Time {
	at := r.memories.of(nsm).reported
	if at.IsZero() || !equality.Semantic.DeepEqual(health.WithoutCounts(&nsm.Status), health.WithoutCounts(status)) ||
		equality.Semantic.DeepEqual(&nsm.Status, status) {
		return time.Time{}
	}
	return at.Add(r.Times.ReportPause)
}

// reportDeletion reports why the mesh of an NSM that is being deleted could not be
// removed, or what the NSM waits for, or that what was reported is over. A deletion that
// takes no time is not worth a word.
func (r *NSMReconciler) reportDeletion(ctx context.Context, nsm *nsmv1beta1.NSM, left deletionProgress, failure error) error {
	isWorthIt := failure != nil || len(left.held) > 0 || health.ReportsDeletion(&nsm.Status)
	if !left.waits || !isWorthIt {
		return failure
	}
	_, err := r.writeStatus(ctx, nsm, health.DeletionStatus(nsm, left.held, failure), failure)
	return err
}

// writeStatus writes a status when it differs from what the NSM has, and reports whether it
// has. The error is the pass's failure, and what the write itself has met. That somebody
// else wrote at the same moment is not worth a word: the next pass comes at once.
// Only when that does not end is it reported.
func (r *NSMReconciler) writeStatus(ctx context.Context, nsm *nsmv1beta1.NSM, status nsmv1beta1.NSMStatus, failure error) (isWritten bool, err error) {
	remembered := r.memories.of(nsm)
	if remembered.isRace(failure) {
		return false, failure
	}
	before := nsm.DeepCopy()
	nsm.Status = status
	if equality.Semantic.DeepEqual(before.Status, nsm.Status) {
		return false, failure
	}
	ctx, cancel := timeToReport(ctx)
	defer cancel()
	if err := r.client.Status().Patch(ctx, nsm, client.MergeFrom(before)); err != nil {
		return false, errors.Join(failure, client.IgnoreNotFound(err))
	}
	remembered.reported = r.now()
	r.recordAvailability(before, nsm)
	r.recordDegradation(before, nsm)
	return true, failure
}

// timeToReport is a pass' own time, or a little more where that has run out: what
// took so long has to be told.
func timeToReport(ctx context.Context) (context.Context, context.CancelFunc) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	}
	return ctx, func() {}
}

// recordAvailability records an event when a mesh comes up or goes down.
func (r *NSMReconciler) recordAvailability(before, after *nsmv1beta1.NSM) {
	was := meta.IsStatusConditionTrue(before.Status.Conditions, nsmv1beta1.ConditionAvailable)
	available := meta.FindStatusCondition(after.Status.Conditions, nsmv1beta1.ConditionAvailable)
	switch {
	case available == nil:
	case !was && available.Status == metav1.ConditionTrue:
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, "Available", "Observe", "%s", available.Message)
	case was && available.Status != metav1.ConditionTrue:
		r.recorder.Eventf(after, nil, corev1.EventTypeWarning, "Unavailable", "Observe", "%s", available.Message)
	}
}

// recordDegradation records an event when something goes wrong, or something else
// does, or nothing is wrong any more.
func (r *NSMReconciler) recordDegradation(before, after *nsmv1beta1.NSM) {
	was := health.Degradation(&before.Status)
	is := health.Degradation(&after.Status)
	switch {
	case is == nil && was == nil:
	case is == nil:
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, "Recovered", "Observe", "%s is over", was.Reason)
	case was == nil || was.Reason != is.Reason || !health.SaysTheSame(was.Message, is.Message) && r.mayRecordAgain(after):
		r.recorder.Eventf(after, nil, corev1.EventTypeWarning, is.Reason, "Observe", "%s", is.Message)
	}
}

// mayRecordAgain reports whether there may be one more event about something else that is wrong for
// the same reason. Where things take turns, the condition alone says which it is.
func (r *NSMReconciler) mayRecordAgain(nsm *nsmv1beta1.NSM) bool {
	remembered := r.memories.of(nsm)
	if remembered.eventLimit == nil {
		remembered.eventLimit = rate.NewLimiter(rate.Every(eventPause), mostEvents)
	}
	return remembered.eventLimit.AllowN(r.now(), 1)
}
