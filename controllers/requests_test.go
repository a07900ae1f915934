// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
)

// requests stands between one life of the operator and the API server: it
// records what the loop asks and writes, and can let one of these go wrong.
type requests struct {
	mu   sync.Mutex
	seen []request
	// fault befalls one of the requests that are counted, after so many others of them.
	fault *fault
	after int
	// counts tells which requests count; nil for the writes, but for those of events.
	counts func(request) bool
	// number of those that have counted, and of all reads.
	number, reads int
	// more requests go wrong.
	more int
	// lag is how long the caches hear of everything later.
	lag time.Duration
	// struck is what the fault has befallen, nil for nothing yet.
	struck *request
	dead   bool
}

// fault is what becomes of a request.
type fault struct {
	name string
	// status of the answer in place of the API server's; 0 for none at all.
	status int
	// isSent: the API server acts on it all the same.
	isSent bool
	// isLast: the process ends with it.
	isLast bool
	// more of the requests that count, right after it, go wrong like it.
	more int
}

var (
	conflicting = &fault{name: "answered 409", status: http.StatusConflict}
	throttled   = &fault{name: "answered 429", status: http.StatusTooManyRequests}
	failing     = &fault{name: "answered 500", status: http.StatusInternalServerError}
	forbidden   = &fault{name: "answered 403", status: http.StatusForbidden}
	timedOut    = &fault{name: "done, and not answered in time", isSent: true}
	failedAfter = &fault{name: "done, and answered 500", status: http.StatusInternalServerError, isSent: true}
	refused     = &fault{name: "answered 403, and 8 more", status: http.StatusForbidden, more: 8}
	lastBefore  = &fault{name: "the last one, and not sent", isLast: true}
	lastAfter   = &fault{name: "the last one, and not answered", isSent: true, isLast: true}
)

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
		if isWatch := call.URL.Query().Get("watch") != ""; isWatch || isDiscovery(call.URL.Path) || isCacheList(call.URL) {
			answer, err := next.RoundTrip(call)
			if err == nil && isWatch && r.lag > 0 {
				answer.Body = &lagging{ReadCloser: answer.Body, lag: r.lag}
			}
			return answer, err
		}
		fault := r.admit(request{verb: call.Method, path: call.URL.Path})
		if fault == nil {
			return next.RoundTrip(call)
		}
		return fault.befall(call, next)
	})
}

// isCacheList: before Kubernetes 1.35, an API server that does not stream lists answers the
// watches of caches and of facts only after they have asked for one, in pages if it is of
// NSMs.
func isCacheList(asked *url.URL) bool {
	if !kubernetes.LessThan(version.MajorMinor(1, 35)) {
		return false
	}
	query := asked.Query()
	switch path := asked.Path; {
	case strings.HasSuffix(path, "/nsms"):
		return query.Get("limit") != ""
	case strings.HasSuffix(path, "/networkserviceendpoints"), strings.HasPrefix(query.Get("fieldSelector"), "metadata.name="):
		return true
	default:
		return query.Get("resourceVersion") == "0" && query.Get("labelSelector") != ""
	}
}

// lagging is a watch that tells everything later.
type lagging struct {
	io.ReadCloser
	lag time.Duration
}

// Read implements io.Reader.
func (l *lagging) Read(into []byte) (int, error) {
	n, err := l.ReadCloser.Read(into)
	<-time.After(l.lag)
	return n, err
}

// befall answers a request in the API server's place.
func (f *fault) befall(call *http.Request, next http.RoundTripper) (*http.Response, error) {
	if f.isSent {
		answer, err := next.RoundTrip(call)
		if err != nil {
			return nil, err
		}
		_ = answer.Body.Close()
	}
	switch {
	case f.isLast:
		return nil, errKilled
	case f.status == 0:
		return nil, os.ErrDeadlineExceeded
	}
	said, err := json.Marshal(apierrors.NewGenericServerResponse(f.status, call.Method, schema.GroupResource{}, "", f.name, 1, true).Status())
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if f.status == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	}
	return &http.Response{
		Status: strconv.Itoa(f.status) + " " + http.StatusText(f.status), StatusCode: f.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(said)), ContentLength: int64(len(said)), Request: call,
	}, nil
}

// admit records a request and decides what becomes of it; nil: it goes through.
func (r *requests) admit(asked request) *fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return lastBefore
	}
	counts := r.isCounted(asked)
	if counts {
		r.number++
	}
	if !asked.isWrite() {
		r.reads++
	}
	if r.fault != nil && r.struck == nil && counts {
		if r.after == 0 {
			r.struck, r.dead, r.more = &asked, r.fault.isLast, r.fault.more
			return r.fault
		}
		r.after--
	} else if counts && r.more > 0 {
		r.more--
		return r.fault
	}
	r.seen = append(r.seen, asked)
	return nil
}

// arm lets a fault befall the request that comes after so many of those that count.
func (r *requests) arm(fault *fault, after int, counts func(request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault, r.after, r.counts, r.number, r.reads, r.struck, r.more = fault, after, counts, 0, 0, nil, 0
}

func (r *requests) isCounted(asked request) bool {
	if r.counts != nil {
		return r.counts(asked)
	}
	return asked.isWrite() && !asked.isEvent()
}

// counted is how many requests have counted, and how many have read.
func (r *requests) counted() (counted, reads int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.number, r.reads
}

// hit is what the fault has befallen; nil for nothing yet.
func (r *requests) hit() *request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.struck
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

// isDiscovery reports whether a path is of the API itself and not of an object.
func isDiscovery(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	return parts[0] != "api" && parts[0] != "apis" ||
		parts[0] == "api" && len(parts) <= 2 || parts[0] == "apis" && len(parts) <= 3
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(call *http.Request) (*http.Response, error) { return f(call) }
