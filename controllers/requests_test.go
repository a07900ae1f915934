// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// requests stands between one life of the operator and the API server: it
// records what the loop asks and writes, and can end that life between any two
// writes.
type requests struct {
	mu   sync.Mutex
	seen []request
	// writesLeft is how many writes go through; negative for all.
	writesLeft int
	// loseAnswer: the first write that should not go through does, but nobody
	// hears of it.
	loseAnswer bool
	dead       bool
}

// request is one call of the API.
type request struct {
	// verb is the HTTP method.
	verb string
	// path of the object or collection.
	path string
}

func (r request) String() string { return r.verb + " " + r.path }

func (r request) isWrite() bool { return r.verb != http.MethodGet }

func (r request) isEvent() bool { return strings.Contains(r.path, "/events") }

var errKilled = errors.New("killed")

// wrap is for rest.Config.
func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(call *http.Request) (*http.Response, error) {
		// The caches watch, and the client asks once what there is; neither is the
		// loop's doing.
		if call.URL.Query().Get("watch") != "" || isDiscovery(call.URL.Path) {
			return next.RoundTrip(call)
		}
		send, hear := r.admit(request{verb: call.Method, path: call.URL.Path})
		if !send {
			return nil, errKilled
		}
		answer, err := next.RoundTrip(call)
		if err == nil && !hear {
			_ = answer.Body.Close()
			return nil, errKilled
		}
		return answer, err
	})
}

// admit records a request and decides whether it is sent and its answer heard.
func (r *requests) admit(asked request) (send, hear bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return false, false
	}
	if asked.isWrite() && !asked.isEvent() {
		if r.writesLeft == 0 {
			r.dead = true
			return r.loseAnswer, false
		}
		r.writesLeft--
	}
	r.seen = append(r.seen, asked)
	return true, true
}

// all that were made since the last reset.
func (r *requests) all() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// writesTo a resource.
func (r *requests) writesTo(resource string) []request {
	return slices.DeleteFunc(r.all(), func(one request) bool {
		return !one.isWrite() || !strings.Contains(one.path, "/"+resource+"/")
	})
}

// count of one request.
func (r *requests) count(wanted request) int {
	return len(slices.DeleteFunc(r.all(), func(one request) bool { return one != wanted }))
}

func (r *requests) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

func (r *requests) isDead() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

// isDiscovery tells whether a path is of the API itself and not of an object.
func isDiscovery(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	return parts[0] != "api" && parts[0] != "apis" ||
		parts[0] == "api" && len(parts) <= 2 || parts[0] == "apis" && len(parts) <= 3
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(call *http.Request) (*http.Response, error) { return f(call) }
