// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package hammer

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// client-go tells its callers nothing of what it was refused and has been granted since.
func TestWhatIsPutOffIsCounted(t *testing.T) {
	t.Parallel()
	answers := 0
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		if answers++; answers < 3 {
			response.Header().Set("Retry-After", "0")
			response.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	t.Cleanup(server.Close)
	h := New(&rest.Config{Host: server.URL}, client.ObjectKey{})
	h.config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	asks, err := rest.UnversionedRESTClientFor(h.config)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = asks.Get().AbsPath("/apis", group, "v1beta1", "nsms").Do(t.Context()).Error()
	h.note("list", "v1beta1", begin, err)
	if len(h.putOff["v1beta1"]) != 2 || len(h.putOff["v1alpha1"]) != 0 || err != nil || h.longest["v1beta1"].verb != "list" {
		t.Errorf("%v were put off, %v took longest: %v", h.putOff, h.longest, err)
	}
}

// What was put off counts until it was asked for again.
func TestWindow(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) time.Time { return time.Unix(1e9, int64(seconds*1e9)) }
	h := New(&rest.Config{}, client.ObjectKey{})
	h.failures = []Failure{{at: at(0.5), version: "v1alpha1"}, {at: at(9), version: "v1alpha1"}, {at: at(1), version: "v1beta1"}}
	h.putOff["v1alpha1"] = []time.Time{at(0), at(1.5)}
	failed, length := h.window("v1alpha1")
	if want := 2*h.Beat + 1500*time.Millisecond; failed != 2 || length != want {
		t.Errorf("%d failed, within %s and not %s", failed, length, want)
	}
}
