// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health_test

import (
	"errors"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/networkservicemesh/nsm-operator/internal/health"
)

const (
	// called begins what the API server says of a webhook that it calls.
	called = `ClusterSPIFFEID nsm-nsm-workloads: Internal error occurred: failed calling webhook "vclusterspiffeid.kb.io": failed to call webhook: `
	posts  = called + `Post "https://spire-controller-manager-webhook.spire.svc:443/validate-spire-spiffe-io-v1alpha1-clusterspiffeid?timeout=10s": `
)

// A webhook that does not answer yet is waited for, and nothing of the message changes
// with each try.
func TestWebhooksThatDoNotAnswerAreWaitedFor(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	notReached := called + "waiting for Service spire/spire-controller-manager-webhook, which the API server does not reach: " +
		"its pods may be starting, or a firewall or a NetworkPolicy is in between"
	for said, want := range map[string]string{
		posts + `context deadline exceeded`:                                                        notReached,
		posts + `dial tcp 10.96.14.3:443: connect: connection refused`:                             notReached,
		posts + `read tcp 10.0.0.1:41234->10.96.14.3:443: i/o timeout`:                             notReached,
		posts + `no endpoints available for service "spire-controller-manager-webhook"`:            called + "waiting for pods behind Service spire/spire-controller-manager-webhook",
		posts + `tls: failed to verify certificate: x509: certificate signed by unknown authority`: posts + `tls: failed to verify certificate: x509: certificate signed by unknown authority`,
		posts + `tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-30T08:00:00Z is after 2026-11-29T08:00:00Z`: called +
			"waiting for another certificate of Service spire/spire-controller-manager-webhook: the one that it serves has expired, or is not valid yet",
		`admission webhook "vclusterspiffeid.kb.io" denied the request: timeout is not a field`: `admission webhook "vclusterspiffeid.kb.io" denied the request: timeout is not a field`,
	} {
		g.Expect(health.FailureMessage(errors.New(said))).To(Equal(want))
	}
	g.Expect(health.FailureMessage(errors.Join(errors.New("one"), errors.New(posts+"context deadline exceeded")))).To(Equal("one; " + notReached))
}
