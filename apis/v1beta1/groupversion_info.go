// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package v1beta1 holds the NSM API that the operator works on: the hub of
// all conversions and the version in which objects are stored.
//
// The types are data only. Defaults that depend on an NSM release live in
// internal/mesh and internal/release, validation that OpenAPI and CEL cannot
// express lives in webhooks.
//
// +kubebuilder:object:generate=true
// +groupName=nsm.networkservicemesh.io
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "nsm.networkservicemesh.io", Version: "v1beta1"}

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
