// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package v1alpha1 holds every shape of the NSM API that was ever released
// under that name, in one type: the flat shape of the first releases, the
// lists of forwarders that followed, and the nested shape of the published 1.8
// and 1.9 bundles. It is deprecated; new objects should use v1beta1.
//
// The types are data only; webhooks converts them.
//
// +kubebuilder:object:generate=true
// +groupName=nsm.networkservicemesh.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "nsm.networkservicemesh.io", Version: "v1alpha1"}

var (
	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &NSM{}, &NSMList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
