// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text string
		// want is what the release says of itself, "" where the text is refused.
		want string
		// says is part of the error.
		says string
	}{
		{text: "v1.0.0", want: "v1.0.0"},
		{text: "v1.18.0", want: "v1.18.0"},
		{text: "v1.19.0-rc.1", want: "v1.19.0-rc.1"},
		{text: "v1.0.1", want: "v1.0.1"},
		{text: "v99.0.0", want: "v99.0.0"},
		{text: "v0.9.0", says: "from v1.0.0 up"},
		// A candidate comes before its release.
		{text: "v1.0.0-rc.1", says: "from v1.0.0 up"},
		{text: "1.18.0", says: "written in full, such as " + Newest().String()},
		{text: "1.18", says: "written in full"},
		{text: "v1.18", says: "written in full"},
		{text: "v1", says: "written in full"},
		{text: "V1.18.0", says: "written in full"},
		{text: "vv1.18.0", says: "written in full"},
		{text: "v01.18.0", says: "written in full"},
		{text: "v1.018.0", says: "written in full"},
		{text: "v1.18.00", says: "written in full"},
		{text: "v1.18.0.0", says: "written in full"},
		{text: "v1.18.x", says: "written in full"},
		{text: "v1.-1.0", says: "written in full"},
		{text: " v1.18.0", says: "written in full"},
		{text: "v1.18.0 ", says: "written in full"},
		{text: "v1.18.0\n", says: "written in full"},
		{text: "v1.18.0-", says: "written in full"},
		{text: "v99999999999999999999.0.0", says: "written in full"},
		{text: "latest", says: "written in full"},
		{text: "v", says: "written in full"},
		{text: "", says: "written in full"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			parsed, err := Parse(tc.text)
			if got := parsed.String(); got != tc.want {
				t.Errorf("parsed as %q, want %q", got, tc.want)
			}
			switch {
			case tc.says == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.says != "" && err == nil:
				t.Error("not refused")
			case tc.says != "" && !strings.Contains(err.Error(), tc.says):
				t.Errorf("the error %q does not say %q", err, tc.says)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	ascending := []string{
		"v1.0.0", "v1.0.1", "v1.1.0", "v1.2.0", "v1.9.0", "v1.9.10", "v1.10.0-rc.1", "v1.10.0-rc.2", "v1.10.0-rc.10",
		"v1.10.0", "v1.11.0", "v1.100.0", "v2.0.0", "v10.0.0",
	}
	for i, text := range ascending {
		for j, other := range ascending {
			if got, want := must(text).AtLeast(must(other)), i >= j; got != want {
				t.Errorf("%s at least %s: %t, want %t", text, other, got, want)
			}
		}
	}
}

func TestKnown(t *testing.T) {
	known := Known()
	if len(known) == 0 {
		t.Fatal("no release is known")
	}
	for i, text := range known {
		parsed, err := Parse(text)
		if err != nil {
			t.Errorf("%s %v", text, err)
			continue
		}
		if !parsed.IsKnown() {
			t.Errorf("%s is listed, but not known", text)
		}
		if i > 0 && must(known[i-1]).AtLeast(parsed) {
			t.Errorf("%s stands after %s", text, known[i-1])
		}
	}
	if got := Oldest().String(); got != known[0] {
		t.Errorf("the oldest is %s, want %s", got, known[0])
	}
	if got, want := Newest().String(), known[len(known)-1]; got != want {
		t.Errorf("the newest is %s, want %s", got, want)
	}
}

// What Known hands out is the caller's.
func TestKnownIsACopy(t *testing.T) {
	mine := Known()
	before := slices.Clone(mine)
	mine[0] = "v0.0.0"
	if !slices.Equal(before, Known()) {
		t.Error("a caller changed the list")
	}
}

func TestIsKnown(t *testing.T) {
	for text, want := range map[string]bool{"v1.18.0": true, "v1.0.0": true, "v1.18.1": false, "v1.1.0": true, "v1.1.2": false, "v1.18.0-rc.1": false} {
		if got := must(text).IsKnown(); got != want {
			t.Errorf("%s is known: %t, want %t", text, got, want)
		}
	}
	if (Release{}).IsKnown() {
		t.Error("no release is a known one")
	}
}

func TestStringOfNone(t *testing.T) {
	if got := (Release{}).String(); got != "" {
		t.Errorf("the zero release is %q", got)
	}
}
