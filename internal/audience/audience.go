// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package audience names the audience of tokens that are good for nothing but reading the
// operator's metrics: the API server refuses them.
package audience

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Metrics is the audience.
const Metrics = "nsm-operator-metrics"

// IsMetrics reports whether a token says that it is for that audience alone. Whether it is
// genuine, and really for it, is for the API server to say.
func IsMetrics(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Audiences []string `json:"aud"`
	}
	err = json.Unmarshal(payload, &claims)
	return err == nil && len(claims.Audiences) == 1 && claims.Audiences[0] == Metrics
}
