// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"slices"
	"strings"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// IdentityLabels are those of every pod that has a client: without them SPIRE gives
// it no identity.
func IdentityLabels() labels.Set { return labels.Set{labelSpiffeID: "true"} }

// ClientImages are the images that an admission webhook injects, separated by commas.
type ClientImages string

// ClientImagesOf the admission webhook that a component is.
func ClientImagesOf(webhook Component) ClientImages {
	var images []string
	for _, container := range PodTemplateOf(webhook.Workload).Spec.Containers {
		for _, variable := range container.Env {
			if variable.Name == containerImagesEnv || variable.Name == initContainerImagesEnv {
				images = append(images, strings.Split(variable.Value, ",")...)
			}
		}
	}
	return ClientImages(strings.Join(images, ","))
}

// AreStaleIn reports whether a pod runs with an injected client that the webhook
// would inject in another version now. A registry in front of the image, as mirrors
// and policies put one there, makes no difference.
func (c ClientImages) AreStaleIn(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return false
	}
	return slices.ContainsFunc(strings.Split(string(c), ","), func(image string) bool {
		return slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(container corev1.Container) bool {
			return container.Name == InjectedContainerName(image) && versionOf(container.Image) != versionOf(image)
		})
	})
}

// versionOf an image is its tag, or else its digest; the whole reference where it has
// neither, or cannot be read.
func versionOf(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	if tagged, ok := named.(reference.Tagged); ok {
		return tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		return digested.Digest().String()
	}
	return image
}
