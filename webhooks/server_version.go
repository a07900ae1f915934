// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
)

// showsValues is the Kubernetes release from which on the API server says which value
// breaks a CEL rule. Before, it says "string" of every text
// (apiextensions-apiserver, pkg/apiserver/schema/cel/validation.go).
var showsValues = version.MajorMinor(1, 35)

// serverVersion asks the API server for its version at the first write of an NSM, and
// keeps the answer.
type serverVersion struct {
	client discovery.ServerVersionInterfaceWithContext

	mu    sync.Mutex
	known *version.Version
}

// hidesValues reports whether the API server is one that does not say which value
// breaks a rule. Without an answer it is taken for a newer one.
func (s *serverVersion) hidesValues(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		info, err := s.client.ServerVersionWithContext(ctx)
		if err != nil {
			return false
		}
		if s.known, err = version.ParseSemantic(info.GitVersion); err != nil {
			return false
		}
	}
	return s.known.LessThan(showsValues)
}
