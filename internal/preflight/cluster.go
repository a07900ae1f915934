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

// HasDefault tells whether one of some StorageClasses is the default.
func HasDefault(classes []storagev1.StorageClass) bool {
	return slices.ContainsFunc(classes, func(class storagev1.StorageClass) bool {
		return class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" ||
			class.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
	})
}
