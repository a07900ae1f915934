// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"path"
	"slices"
	"strings"
)

// relatedImagePrefix begins the names of environment variables that redirect
// images, as OLM knows them: RELATED_IMAGE_CMD_NSMGR for cmd-nsmgr of the newest
// release, or of all where the image has {version} in it, RELATED_IMAGE_CMD_NSMGR_V1_17_0
// for that of v1.17.0.
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

// redirectedMark begins an image that could be redirected, in a rendering that is not used.
const redirectedMark = "redirected.invalid/"

// RedirectedBy finds out which images the operator redirects, for those who may not read its
// environment: those of workloads that run which the NSM alone does not explain. It can be
// told only of a mesh that is as the NSM says.
func RedirectedBy(in Input, running []Object) map[string]string {
	marked := in
	in.RelatedImages, marked.RelatedImages = nil, map[string]string{}
	key := func(name string) string {
		if name == csiRegistrarName {
			return name
		}
		return name + "-" + strings.ReplaceAll(in.Release.String(), ".", "-")
	}
	for _, name := range imageNames {
		marked.RelatedImages[key(name)] = redirectedMark + name
	}
	runs, published := imagesAt(running), imagesAt(workloadsOf(Components(in)))
	images := map[string]string{}
	for at, image := range imagesAt(workloadsOf(Components(marked))) {
		name, isRedirectable := strings.CutPrefix(image, redirectedMark)
		if isRedirectable && runs[at] != "" && runs[at] != published[at] {
			images[key(name)] = runs[at]
		}
	}
	return images
}

func workloadsOf(components []Component) []Object {
	workloads := make([]Object, 0, len(components))
	for _, component := range components {
		workloads = append(workloads, component.Workload)
	}
	return workloads
}

// imagesAt are the images of workloads by their places: those of containers, and the values
// of variables, of which some are images.
func imagesAt(workloads []Object) map[string]string {
	images := map[string]string{}
	for _, workload := range workloads {
		pod := PodTemplateOf(workload).Spec
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			at := path.Join(KindOf(workload), workload.GetName(), container.Name)
			images[at] = container.Image
			for _, variable := range container.Env {
				images[path.Join(at, variable.Name)] = variable.Value
			}
		}
	}
	return images
}

// imageNames are NSM's names of the images of a mesh, and Kubernetes' own one.
var imageNames = []string{
	"cmd-admission-webhook-k8s", "cmd-cluster-info-k8s", "cmd-csi-driver", "cmd-dashboard-backend", dashboardUIImage,
	"cmd-exclude-prefixes-k8s", "cmd-forwarder-ovs", "cmd-forwarder-sriov", "cmd-forwarder-vpp", "cmd-ipam-vl3", "cmd-map-ip-k8s",
	"cmd-nsc", "cmd-nsc-init", "cmd-nsmgr", "cmd-nsmgr-proxy", "cmd-registry-k8s", "cmd-registry-memory", "cmd-registry-proxy-dns",
	csiRegistrarName,
}

// ImageNames are the names of all images that a mesh can have.
func ImageNames() []string { return slices.Clone(imageNames) }

// WithTag is an image reference that has a tag: one by digest alone gets one, which
// container runtimes do not look at beside a digest.
func WithTag(image, tag string) string {
	repository, digest, byDigest := strings.Cut(image, "@")
	if !byDigest || strings.Contains(path.Base(repository), ":") {
		return image
	}
	return repository + ":" + tag + "@" + digest
}
