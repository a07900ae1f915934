// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import "strings"

// relatedImagePrefix begins the names of environment variables that redirect
// images, as OLM knows them: RELATED_IMAGE_CMD_NSMGR for cmd-nsmgr.
const relatedImagePrefix = "RELATED_IMAGE_"

// RelatedImages reads the redirected images from an environment, NAME=value.
func RelatedImages(environment []string) map[string]string {
	images := map[string]string{}
	for _, variable := range environment {
		name, image, _ := strings.Cut(variable, "=")
		if name, ok := strings.CutPrefix(name, relatedImagePrefix); ok && image != "" {
			images[strings.ReplaceAll(strings.ToLower(name), "_", "-")] = image
		}
	}
	return images
}
