// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// NewServer returns a webhook server that serves one request on a connection. The API
// server keeps connections for later requests, by HTTP/1.1. One that it uses in the
// moment in which a pod ends and closes it fails, and with it a user's request.
func NewServer(options webhook.Options) webhook.Server {
	return server{webhook.NewServer(options)}
}

type server struct{ webhook.Server }

// Register implements webhook.Server.
func (s server) Register(path string, hook http.Handler) {
	s.Server.Register(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		hook.ServeHTTP(w, r)
	}))
}
