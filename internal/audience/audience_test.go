// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package audience_test

import (
	"encoding/base64"
	"testing"

	"github.com/networkservicemesh/nsm-operator/internal/audience"
)

func TestTokensForTheMetricsAlone(t *testing.T) {
	t.Parallel()
	jwt := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
	}
	for token, want := range map[string]bool{
		jwt(`{"aud":["nsm-operator-metrics"],"sub":"a"}`):                        true,
		jwt(`{"aud":["nsm-operator-metrics","https://kubernetes.default.svc"]}`): false,
		jwt(`{"aud":["https://kubernetes.default.svc"]}`):                        false,
		jwt(`{"aud":"nsm-operator-metrics"}`):                                    false, // as Kubernetes writes none
		jwt(`{}`):                                                                false,
		jwt(`nsm-operator-metrics`):                                              false,
		"sha256~nsm-operator-metrics":                                            false,
		"e30.nsm-operator-metrics.c2ln":                                          false,
		jwt(`{"aud":["nsm-operator-metrics"]}`) + ".":                            false,
		"": false,
	} {
		if got := audience.IsMetrics(token); got != want {
			t.Errorf("%q: %t", token, got)
		}
	}
}
