// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"fmt"
	"path"
	"slices"

	"github.com/distribution/reference"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/version"
)

// OldestKubernetes that the operator supports.
const OldestKubernetes = "1.31.0"

// CheckKubernetes tells what is wrong with a version of Kubernetes, as "/version" has it.
func CheckKubernetes(gitVersion string) error {
	is, err := version.ParseGeneric(gitVersion)
	if err != nil {
		return fmt.Errorf("version of the cluster: %w", err)
	}
	if is.LessThan(version.MustParseGeneric(OldestKubernetes)) {
		return fmt.Errorf("the cluster runs Kubernetes %s; the operator needs %s or newer", gitVersion, OldestKubernetes)
	}
	return nil
}

// The programs of SPIRE, by the names of their images.
const (
	SpireServer = "spire-server"
	SpireAgent  = "spire-agent"
)

// ProgramOf an image is its name alone, without registry, path, tag and digest; "" for
// what is no image.
func ProgramOf(image string) string {
	name, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return path.Base(name.Name())
}

// OldestSpire whose agents tell pods apart by control groups of version 2 without being
// told to: before, that was an option, from 1.9.6 on (SPIRE's issues 4004 and 4088).
const OldestSpire = "1.12.0"

// isOldSpire reports whether an image's tag is a version of SPIRE before that. What has no
// such tag is not judged.
func isOldSpire(image string) bool {
	name, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	tagged, ok := name.(reference.Tagged)
	if !ok {
		return false
	}
	is, err := version.ParseGeneric(tagged.Tag())
	return err == nil && is.LessThan(version.MustParseGeneric(OldestSpire))
}

// HasDefault reports whether one of some StorageClasses is the default.
func HasDefault(classes []storagev1.StorageClass) bool {
	return slices.ContainsFunc(classes, func(class storagev1.StorageClass) bool {
		return class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" ||
			class.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
	})
}
