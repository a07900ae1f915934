// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import "strings"

// misnamed are the images that examples had and NSM has never published, each with
// the name that it has in truth.
var misnamed = map[string]string{
	// Of the operator's bundle 1.8.0 and its samples, which 1.9 has put right.
	"ghcr.io/networkservicemesh/admission-webhook-k8s": "ghcr.io/networkservicemesh/cmd-admission-webhook-k8s",
}

// PublishedImage is the image that a reference means: the reference itself, but for
// one that an example had and NSM has never published.
func PublishedImage(image string) string {
	for wrong, published := range misnamed {
		if rest, is := strings.CutPrefix(image, wrong); is && (rest == "" || strings.ContainsRune(":@", rune(rest[0]))) {
			return published + rest
		}
	}
	return image
}
