// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

// TestPassesThatHangAreUnhealthy: the kubelet restarts a process whose passes
// never end, or only by their timeout, and no other.
func TestPassesThatHangAreUnhealthy(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	p := newPasses(clock)
	nsm, other := types.NamespacedName{Namespace: "nsm", Name: "mesh"}, types.NamespacedName{Namespace: "other", Name: "mesh"}
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()

	healthy := func(when string) {
		t.Helper()
		if err := p.check(nil); err != nil {
			t.Errorf("unhealthy %s: %v", when, err)
		}
	}
	unhealthy := func(when, why string) {
		t.Helper()
		if err := p.check(nil); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want an error with %q", when, err, why)
		}
	}

	healthy("before the first pass")
	end := p.begin(t.Context(), nsm)
	clock.Step(2 * passTimeout)
	healthy("while a pass may still end")
	clock.Step(time.Second)
	unhealthy("in a pass without an end", "nsm/mesh has not ended for 4m0s")
	end()
	healthy("when it ends after all")

	for range passesInVain - 1 {
		p.begin(expired, nsm)()
	}
	healthy("while the timeouts may pass")
	p.begin(t.Context(), other)()
	p.begin(expired, nsm)()
	unhealthy("when all passes for one NSM time out", "the last 5 passes for NSM nsm/mesh")
	p.begin(t.Context(), nsm)()
	healthy("when one has ended in time")
}
