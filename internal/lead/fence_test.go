// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package lead

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestFence(t *testing.T) {
	const lease = "/apis/coordination.k8s.io/v1/namespaces/own/leases/nsm-operator"
	g := NewWithT(t)
	now := clocktesting.NewFakePassiveClock(time.Now())
	status := http.StatusOK
	api := (&Fence{Namespace: "own", Name: "nsm-operator", Validity: 10 * time.Second, Clock: now}).Wrap(roundTripper(
		func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: status}, nil }))
	ask := func(method, url string) error {
		request, err := http.NewRequestWithContext(t.Context(), method, "https://api"+url, http.NoBody)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = api.RoundTrip(request) //nolint:bodyclose // it has none
		return err
	}
	writes := map[string]string{
		"/apis/apps/v1/namespaces/nsm/daemonsets/nsmgr":                           http.MethodPatch,
		"/apis/apps/v1/namespaces/events/daemonsets/leases":                       http.MethodDelete,
		"/api/v1/namespaces/nsm":                                                  http.MethodPatch,
		"/api/v1/namespaces/nsm/services":                                         http.MethodPost,
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/nsm":                     http.MethodPut,
		"/apis/nsm.networkservicemesh.io/v1beta1/namespaces/nsm/nsms/mesh/status": http.MethodPatch,
	}
	expectNoWrites := func() {
		t.Helper()
		for url, method := range writes {
			NewWithT(t).Expect(ask(method, url)).To(MatchError(errNotLeading), method+" "+url)
		}
	}
	expectNoWrites()

	// What every replica does.
	for url, method := range map[string]string{
		"/apis/apps/v1/daemonsets?watch=true":                          http.MethodGet,
		"/apis/authorization.k8s.io/v1/subjectaccessreviews":           http.MethodPost,
		"/apis/authentication.k8s.io/v1/tokenreviews":                  http.MethodPost,
		"/api/v1/namespaces/own/events":                                http.MethodPost,
		"/apis/apps/v1/namespaces/nsm/daemonsets?dryRun=All":           http.MethodPost,
		"/apis/coordination.k8s.io/v1/namespaces/own/leases/of-others": http.MethodPut,
	} {
		g.Expect(ask(method, url)).To(Succeed(), url)
	}
	expectNoWrites()

	status = http.StatusConflict // another one leads
	g.Expect(ask(http.MethodPut, lease)).To(Succeed())
	expectNoWrites()

	status = http.StatusOK
	for range 3 {
		g.Expect(ask(http.MethodPut, lease)).To(Succeed())
		now.SetTime(now.Now().Add(10*time.Second - 1))
		for url, method := range writes {
			g.Expect(ask(method, url)).To(Succeed(), url)
		}
	}
	// As long as it was stopped.
	now.SetTime(now.Now().Add(1))
	expectNoWrites()
	g.Expect(ask(http.MethodPost, "/apis/coordination.k8s.io/v1/namespaces/own/leases")).To(Succeed())
	for url, method := range writes {
		g.Expect(ask(method, url)).To(Succeed(), "it leads again: "+url)
	}
}
