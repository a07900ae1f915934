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
	for _, one := range components(spec, path) {
		all(one.path, one.spec.Labels, one.spec.Annotations, one.spec.PodLabels, one.spec.PodAnnotations)
	}
	if spec.Registry != nil {
		warn(path.Child("registry", "serviceAnnotations"), spec.Registry.ServiceAnnotations, mesh.IsOwnAnnotation)
	}
	if spec.Interdomain != nil {
		warn(path.Child("interdomain", "serviceAnnotations"), spec.Interdomain.ServiceAnnotations, mesh.IsOwnAnnotation)
	}
	return warned
}

// componentAt is a component's spec, and where it stands.
type componentAt struct {
	path *field.Path
	spec *nsmv1beta1.ComponentSpec
}

// components lists the components that a spec tells about.
func components(spec *nsmv1beta1.NSMSpec, path *field.Path) []componentAt {
	var all []componentAt
	add := func(path *field.Path, component *nsmv1beta1.ComponentSpec) {
		if component != nil {
			all = append(all, componentAt{path, component})
		}
	}
	if spec.Registry != nil {
		add(path.Child("registry"), &spec.Registry.ComponentSpec)
	}
	if spec.Nsmgr != nil {
		add(path.Child("nsmgr"), &spec.Nsmgr.ComponentSpec)
	}
	for i := range spec.Forwarders {
		add(path.Child("forwarders").Index(i), &spec.Forwarders[i].ComponentSpec)
	}
	if spec.AdmissionWebhook != nil {
		add(path.Child("admissionWebhook"), &spec.AdmissionWebhook.ComponentSpec)
	}
	if spec.CSIDriver != nil {
		add(path.Child("csiDriver"), &spec.CSIDriver.ComponentSpec)
	}
	if spec.Interdomain != nil {
		interdomain := path.Child("interdomain")
		add(interdomain.Child("nsmgrProxy"), spec.Interdomain.NsmgrProxy)
		add(interdomain.Child("registryProxy"), spec.Interdomain.RegistryProxy)
		add(interdomain.Child("clusterInfo"), spec.Interdomain.ClusterInfo)
	}
	return all
}
