// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestFailedPassesAreRetriedWithinAMinute: whatever refused a write for long, a
// minute after it has gone the mesh is mended.
func TestFailedPassesAreRetriedWithinAMinute(t *testing.T) {
	g := NewWithT(t)
	backoff := loopOptions().RateLimiter
	var pauses []time.Duration
	for range 40 {
		pauses = append(pauses, backoff.When(reconcile.Request{}))
	}
	g.Expect(pauses[0]).To(BeNumerically("<=", 10*time.Millisecond), "most failures are over at once")
	g.Expect(pauses[len(pauses)-1]).To(Equal(time.Minute))
	g.Expect(pauses).To(HaveEach(BeNumerically("<=", time.Minute)))
	backoff.Forget(reconcile.Request{})
	g.Expect(backoff.When(reconcile.Request{})).To(Equal(pauses[0]), "a pass that succeeds makes a new beginning")
}
