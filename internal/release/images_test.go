// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import "testing"

func TestPublishedImage(t *testing.T) {
	const wrong, right = "ghcr.io/networkservicemesh/admission-webhook-k8s", "ghcr.io/networkservicemesh/cmd-admission-webhook-k8s"
	for image, want := range map[string]string{
		wrong + ":v1.8.0":                      right + ":v1.8.0",
		wrong:                                  right,
		wrong + "@sha256:0123":                 right + "@sha256:0123",
		right + ":v1.8.0":                      right + ":v1.8.0",
		wrong + "-of-mine:v1.8.0":              wrong + "-of-mine:v1.8.0",
		"mirror/admission-webhook-k8s:v1.8.0":  "mirror/admission-webhook-k8s:v1.8.0",
		"example.com/" + wrong + ":v1.8.0":     "example.com/" + wrong + ":v1.8.0",
		"ghcr.io/networkservicemesh/cmd-nsmgr": "ghcr.io/networkservicemesh/cmd-nsmgr",
		"":                                     "",
	} {
		if got := PublishedImage(image); got != want {
			t.Errorf("%q means %q, not %q", image, got, want)
		}
	}
}
