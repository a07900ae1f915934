// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

func TestNoConnectionIsKeptForAPodThatMayEnd(t *testing.T) {
	g := NewWithT(t)
	mux := http.NewServeMux()
	NewServer(webhook.Options{WebhookMux: mux}).
		Register("/convert", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	served := httptest.NewServer(mux)
	t.Cleanup(served.Close)

	answer, err := served.Client().Post(served.URL+"/convert", "application/json", http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Body.Close()).To(Succeed())
	g.Expect(answer.StatusCode).To(Equal(http.StatusAccepted))
	g.Expect(answer.Close).To(BeTrue(), "the connection ends with the answer")
}
