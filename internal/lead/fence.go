// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package lead keeps a replica that leads no more from writing.
package lead

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// Fence lets a replica change something only while it holds the lead for sure.
//
// Leader election alone leaves a gap: a process that was stopped for longer than its
// lease, and then goes on, works for up to RenewDeadline before it notices that it
// cannot renew the lease, which is another's by then. The fence sees each renewal,
// and each request that changes something: those that come later than Validity after
// the last renewal was sent are not sent at all. What remains is a request that has
// left the process already.
type Fence struct {
	// Namespace and Name of the Lease.
	Namespace, Name string
	// Validity of a renewal: no longer than the lease, by the time of its sending.
	Validity time.Duration
	// Clock tells the time. Without it: the system's.
	Clock clock.PassiveClock

	// renewed is when the last renewal was sent; nil for never.
	renewed atomic.Pointer[time.Time]
}

// errNotLeading is what a write ends with.
var errNotLeading = errors.New("this replica has not renewed its lease in time; another one may lead by now, so nothing is written")

// Wrap puts the fence before a connection with the API server, for rest.Config.Wrap.
func (f *Fence) Wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		sent := f.now()
		if f.stops(request, sent) {
			if request.Body != nil {
				_ = request.Body.Close()
			}
			return nil, errNotLeading
		}
		answer, err := next.RoundTrip(request)
		if err == nil && answer.StatusCode < http.StatusMultipleChoices && f.renews(request) {
			f.renewed.Store(&sent)
		}
		return answer, err
	})
}

func (f *Fence) now() time.Time {
	if f.Clock == nil {
		return time.Now()
	}
	return f.Clock.Now()
}

// stops reports whether a request must not be sent.
func (f *Fence) stops(request *http.Request, now time.Time) bool {
	renewed := f.renewed.Load()
	return changes(request) && (renewed == nil || now.Sub(*renewed) >= f.Validity)
}

// everybodys are the resources that replicas write that do not lead: for the
// election itself, and to answer requests.
var everybodys = []string{"leases", "events", "tokenreviews", "subjectaccessreviews"}

// changes reports whether a request changes something that is the leader's.
func changes(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return !slices.Contains(everybodys, resourceOf(request.URL.Path)) && request.URL.Query().Get("dryRun") == ""
}

// resourceOf the path of a request: /api/<version>/... or
// /apis/<group>/<version>/..., within a namespace or not.
func resourceOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	parts = parts[min(len(parts), map[string]int{"api": 2, "apis": 3}[parts[0]]):]
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) == 0 {
		return ""
	}
	return parts[0]
}

// renews reports whether a request takes or renews the lease.
func (f *Fence) renews(request *http.Request) bool {
	leases := "/apis/coordination.k8s.io/v1/namespaces/" + f.Namespace + "/leases"
	return request.Method == http.MethodPut && request.URL.Path == leases+"/"+f.Name ||
		request.Method == http.MethodPost && request.URL.Path == leases
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
