// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import "time"

// Times are how long the loop waits for what. Tests wait less.
type Times struct {
	// Patience is how long a workload may be down before the loop asks why: most
	// come up by themselves.
	Patience time.Duration
	// AskAgain is the time between two looks at what no watch tells of: at a workload
	// that stays down, at an object that is in the way.
	AskAgain time.Duration
	// Recount is the time between two counts of pods with an older client, of which no
	// watch tells either: users renew them when they like.
	Recount time.Duration
	// Unmounted is the time between two looks at whether pods still mount volumes of a CSI
	// driver that is to go. Each reads all pods of the cluster.
	Unmounted time.Duration
	// LookPause is the time for which what was found out of a workload is not asked
	// again, however often the loop comes by.
	LookPause time.Duration
	// PullPause is the time between two looks at nodes that pull images, of which no
	// watch tells either. With many nodes it is longer.
	PullPause time.Duration
	// ReportPause is the time between two statuses that differ in counts alone.
	ReportPause time.Duration
	// Cache is how long a read waits for the cache of a kind to be filled, or for the
	// first facts of a watch. With a healthy API server that takes milliseconds.
	Cache time.Duration
	// SpireWebhook is how long the admission webhook of SPIRE's controller manager may be
	// down before a ClusterSPIFFEID that it keeps from being written counts as a failure.
	// Up to 50 seconds were seen until it serves.
	SpireWebhook time.Duration
	// List is how long a deletion waits for the list of a kind.
	List time.Duration
	// Platform is the time between two looks at which kinds the cluster offers; 0 for as
	// long as by default.
	Platform time.Duration
	// Soonest is the least time after which the loop wakes itself.
	Soonest time.Duration
}

// DefaultTimes are those of an NSMReconciler that has none.
func DefaultTimes() Times {
	return Times{
		Patience:  5 * time.Second,
		AskAgain:  15 * time.Second,
		Recount:   10 * time.Minute,
		Unmounted: 30 * time.Second,
		LookPause: 5 * time.Second,
		PullPause: time.Second, ReportPause: time.Second,
		Cache:        5 * time.Second,
		SpireWebhook: 2 * time.Minute,
		List:         10 * time.Second,
		Platform:     30 * time.Second,
		Soonest:      time.Second,
	}
}

// wakeUp is when the loop has to look again though nothing happens; zero for never.
type wakeUp struct{ wakeAt time.Time }

// wake has the loop look again at a time, or earlier; zero for never.
func (w *wakeUp) wake(at time.Time) {
	if w.wakeAt.IsZero() || !at.IsZero() && at.Before(w.wakeAt) {
		w.wakeAt = at
	}
}
