// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	// passTimeout ends a pass that the API server keeps waiting.
	passTimeout = 2 * time.Minute
	// passesInVain is how many passes for one NSM may time out in a row before the
	// process is unhealthy.
	passesInVain = 5
	// parallelPasses lets one mesh not wait for another.
	parallelPasses = 4
)

// passes watches over the passes of the loop. What has wedged this process, a
// cache that has stopped, say, a new process may not have: the kubelet starts one
// when this is unhealthy.
type passes struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// begun is when the pass that runs has begun, by NSM.
	begun map[types.NamespacedName]time.Time
	// timedOut counts the passes that have timed out in a row, by NSM.
	timedOut map[types.NamespacedName]int
}

func newPasses(c clock.PassiveClock) *passes {
	return &passes{clock: c, begun: map[types.NamespacedName]time.Time{}, timedOut: map[types.NamespacedName]int{}}
}

// begin notes that a pass begins, and returns what notes that it ends. The
// context is the one that passTimeout ends.
func (p *passes) begin(ctx context.Context, nsm types.NamespacedName) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun[nsm] = p.clock.Now()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.begun, nsm)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			p.timedOut[nsm]++
		} else {
			delete(p.timedOut, nsm)
		}
	}
}

// check is a health check.
func (p *passes) check(*http.Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for nsm, begun := range p.begun {
		if p.clock.Since(begun) > 2*passTimeout {
			return fmt.Errorf("the pass for NSM %s has not ended for %s", nsm, 2*passTimeout)
		}
	}
	for nsm, times := range p.timedOut {
		if times >= passesInVain {
			return fmt.Errorf("the last %d passes for NSM %s have each taken longer than %s", passesInVain, nsm, passTimeout)
		}
	}
	return nil
}

// restPerPod is how much longer the loop rests between two passes for each pod that a mesh
// should have. While a large mesh rolls out, something of it changes many times a second.
const restPerPod = 250 * time.Microsecond

// restAfter is how long the loop rests at least after a pass: not at all for a small mesh.
func restAfter(seen *observation) time.Duration {
	var pods int32
	for i := range seen.Workloads {
		pods += seen.Workloads[i].Pods().Desired
	}
	const worthwhile = 10 * time.Millisecond
	if rest := time.Duration(pods) * restPerPod; rest >= worthwhile {
		return rest
	}
	return 0
}

// restOf an NSM is for how long it is not looked at yet. What a user has written is looked
// at at once.
func (r *NSMReconciler) restOf(nsm *nsmv1beta1.NSM) time.Duration {
	if nsm.Generation != nsm.Status.ObservedGeneration {
		return 0
	}
	return r.memories.of(nsm).restUntil.Sub(r.now())
}
