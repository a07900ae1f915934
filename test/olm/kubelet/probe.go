// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package kubelet

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// probe asks a container as its probe says, and tells each change of the answer:
// first that it is well, or that it is not. It ends with stop.
func (p *pod) probe(probe *corev1.Probe) (results <-chan bool, stop context.CancelFunc) {
	if probe == nil {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(p.ctx)
	changes := make(chan bool)
	p.kubelet.running.Go(func() {
		if !pause(ctx, time.Duration(probe.InitialDelaySeconds)*time.Second) {
			return
		}
		p.ask(ctx, probe, changes)
	})
	return changes, cancel
}

// ask asks again and again.
func (p *pod) ask(ctx context.Context, probe *corev1.Probe, changes chan<- bool) {
	var was *bool
	successes, failures := int32(0), int32(0)
	for {
		if p.answersWell(ctx, probe) {
			successes, failures = successes+1, 0
		} else {
			successes, failures = 0, failures+1
		}
		is := successes >= max(probe.SuccessThreshold, 1)
		decided := is || failures >= max(probe.FailureThreshold, 1)
		if decided && (was == nil || *was != is) {
			select {
			case changes <- is:
				was = &is
			case <-ctx.Done():
			}
		}
		if !pause(ctx, time.Duration(max(probe.PeriodSeconds, 1))*time.Second) {
			return
		}
	}
}

// answersWell asks once.
func (p *pod) answersWell(ctx context.Context, probe *corev1.Probe) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(probe.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://127.0.0.1:%d%s", p.probePort(probe), probe.HTTPGet.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode < http.StatusBadRequest
}

// probePort is where on this machine the probe's port is; 0 where it is nowhere.
func (p *pod) probePort(probe *corev1.Probe) int {
	for _, port := range p.object.Spec.Containers[0].Ports {
		if port.Name == probe.HTTPGet.Port.StrVal || port.ContainerPort == probe.HTTPGet.Port.IntVal {
			return p.ports[port.Name]
		}
	}
	return 0
}

// pause waits, and reports whether there is more to do.
func pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}
