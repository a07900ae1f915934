// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestNumbersAreNotWhatAMessageSays(t *testing.T) {
	for what, test := range map[string]struct {
		one, other string
		isSame     bool
	}{
		"counts":            {"1 of 3 nodes have it, 33% in all (2/6)", "3 of 3 nodes have it, 100% in all (6/6)", true},
		"a quota":           {"exceeded quota: q, used: pods=9, limited: pods=10", "exceeded quota: q, used: pods=10, limited: pods=10", true},
		"durations":         {"no answer within 1m30.5s.", "no answer within 250ms.", true},
		"times":             {"since 2026-11-30T16:02:39Z: refused", "since 2026-11-30T16:03:41Z: refused", true},
		"addresses":         {"dial tcp 10.0.0.1:9443: connection refused", "dial tcp 10.0.0.27:9443: connection refused", true},
		"another node":      {"the image is missing (on node node-1)", "the image is missing (on node node-2)", false},
		"one more node":     {"the image is missing (on node node-1)", "the image is missing (on nodes node-1, node-2)", false},
		"another object":    {"applying DaemonSet nsm/nsmgr: forbidden", "applying Service nsm/registry: forbidden", false},
		"another cause":     {"applying DaemonSet nsm/nsmgr: forbidden", "applying DaemonSet nsm/nsmgr: exceeded quota", false},
		"another release":   {"NSM v1.17.0 runs again", "NSM v1.16.0 runs again", false},
		"another image":     {"the image nsmgr:1.2 cannot be pulled", "the image nsmgr:1.3 cannot be pulled", false},
		"something is over": {"a is refused; b is refused", "b is refused", false},
	} {
		t.Run(what, func(t *testing.T) { NewWithT(t).Expect(SaysTheSame(test.one, test.other)).To(Equal(test.isSame)) })
	}
}
