// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestMemoryIsCollectedBeforeTheLimitIsReached(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for name, tc := range map[string]struct {
		limit, users string
		want         int64
		isWrong      bool
	}{
		"as the manifest has it":      {limit: "268435456", want: 214748364},
		"without a limit":             {want: math.MaxInt64},
		"where the user has set one":  {limit: "268435456", users: "100MiB", want: math.MaxInt64},
		"what is no number":           {limit: "256Mi", want: math.MaxInt64, isWrong: true},
		"what would stop the process": {limit: "0", want: math.MaxInt64, isWrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(math.MaxInt64)
			t.Setenv("GOMEMLIMIT", tc.users)
			if err := limitMemory(tc.limit); (err != nil) != tc.isWrong {
				t.Errorf("got the error %v", err)
			}
			if got := debug.SetMemoryLimit(-1); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

// A typo must not leave a policy on that somebody wanted off.
func TestNetworkPolicyIsTurnedOff(t *testing.T) {
	for variable, want := range map[string]bool{"": true, "true": true, "false": false, "False": false, "0": false} {
		if is, err := allowsNetworkPolicy(variable); err != nil || is != want {
			t.Errorf("%q: want %t, have %t and %v", variable, want, is, err)
		}
	}
	_, err := allowsNetworkPolicy("off")
	if err == nil || err.Error() != `NETWORK_POLICY: "off": must be true or false` {
		t.Errorf("a typo: %v", err)
	}
}
