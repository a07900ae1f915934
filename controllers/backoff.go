// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// firstRetry is the pause after the first pass that fails; after each further
	// one it is twice as long.
	firstRetry = 5 * time.Millisecond
	// longestRetry is where that ends: nothing tells when what refused a write has
	// gone. controller-runtime's own limit is a quarter of an hour.
	longestRetry = time.Minute
)

// newBackoff decides when a pass that has failed is tried again.
func newBackoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, longestRetry)
}
