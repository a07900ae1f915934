// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// overridden warns of labels and annotations that the operator sets itself.
func overridden(spec *nsmv1beta1.NSMSpec) admission.Warnings {
	var warned admission.Warnings
	warn := func(path *field.Path, asked map[string]string, isOwn func(string) bool) {
		for _, key := range slices.Sorted(maps.Keys(asked)) {
			if isOwn(key) {
				warned = append(warned, fmt.Sprintf("%s: has no effect: this key is reserved for the operator", path.Key(key)))
			}
		}
	}
	all := func(path *field.Path, labels, annotations, podLabels, podAnnotations map[string]string) {
		warn(path.Child("labels"), labels, mesh.IsOwnLabel)
		warn(path.Child("annotations"), annotations, mesh.IsOwnAnnotation)
		warn(path.Child("podLabels"), podLabels, mesh.IsOwnPodLabel)
		warn(path.Child("podAnnotations"), podAnnotations, mesh.IsOwnAnnotation)
	}
	path := field.NewPath("spec")
	all(path, spec.Labels, spec.Annotations, spec.PodLabels, spec.PodAnnotations)
	for _, one := range mesh.Describe(spec) {
		told := ptr.Deref(one.Spec, nsmv1beta1.ComponentSpec{})
		all(one.Path, told.Labels, told.Annotations, told.PodLabels, told.PodAnnotations)
		warn(one.ServiceAnnotations.Path, one.ServiceAnnotations.Entries, mesh.IsOwnAnnotation)
	}
	return warned
}
