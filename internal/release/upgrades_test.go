// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import (
	"strings"
	"testing"
)

func TestBugs(t *testing.T) {
	for release, want := range map[string]string{
		"v1.14.1": "", "v1.14.2": "v1.14.2: connections are lost", "v1.14.5": "v1.14.2: connections are lost", "v1.15.0": "",
		"v1.16.0": "v1.16.0: managers cannot listen", "v1.7.0": "", "v1.18.0": "",
	} {
		got := strings.Join(Bugs(must(release)), "; ")
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", release, got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     []string
	}{
		{"v1.18.0", "v1.18.0", nil},
		{"v1.14.2", "v1.14.2", nil},
		{"v1.17.0", "v1.18.0", nil},
		{"v1.6.2", "v1.7.0", []string{"v1.7.0: registries check"}},
		{"v1.10.0", "v1.11.2", []string{"v1.11.0: managers"}},
		{"v1.11.0", "v1.11.2", nil},
		{"v1.11.2", "v1.12.0", []string{"v1.12.0: the admission webhook"}},
		{"v1.13.0", "v1.13.1", []string{"v1.13.1: environment"}},
		{"v1.14.1", "v1.14.3", []string{"v1.14.2: connections", "v1.14.3: the vpp forwarder"}},
		{"v1.14.3", "v1.15.0", nil},
		{"v1.15.0", "v1.16.0", []string{"v1.16.0: managers cannot listen"}},
		{"v1.6.0", "v1.18.0", []string{"v1.7.0: ", "v1.11.0: ", "v1.12.0: ", "v1.13.1: ", "v1.14.3: "}},
		{"v1.18.0", "v1.17.0", []string{"v1.17.0 is older than v1.18.0"}},
		{"v1.13.1", "v1.13.0", []string{"v1.13.0 is older than v1.13.1", "v1.13.1: environment"}},
	} {
		got := Warnings(must(test.from), must(test.to))
		if len(got) != len(test.want) {
			t.Errorf("%s to %s: got %q, want %q", test.from, test.to, got, test.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], test.want[i]) {
				t.Errorf("%s to %s: got %q, want %q", test.from, test.to, got[i], test.want[i])
			}
			if !strings.Contains(got[i], "is older than") && !strings.Contains(got[i], "(https://") {
				t.Errorf("%s to %s: %q names no source", test.from, test.to, got[i])
			}
		}
	}
}
