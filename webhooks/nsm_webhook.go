// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package webhooks serves what the API server calls: conversion between the
// versions of NSM (internal/conversion), defaulting, and the part of validation that
// OpenAPI and CEL cannot express.
//
// Defaulting is in defaulting.go, validation in validation.go, containers.go and
// labels.go, dry runs of what the mesh would be made of in dryrun.go. Who may write an NSM at all is in
// authorization.go.
package webhooks

import (
	"encoding/json"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

// Where config/webhook has the API server call them.
const (
	defaultingPath = "/mutate-nsm-networkservicemesh-io-v1beta1-nsm"
	validationPath = "/validate-nsm-networkservicemesh-io-v1beta1-nsm"
)

// Setup registers conversion, defaulting, authorization and validation with the
// manager's webhook server.
//
// The reader tells what other meshes there are. It must be a cache, and never a
// client that waits for its own writes: the API server calls validation while
// the operator's own write of an NSM is still on its way.
// What the mesh would be made of is tried with a client of validation's own.
func Setup(mgr ctrl.Manager, reader client.Reader) error {
	handler, err := NewConversionHandler()
	if err != nil {
		return err
	}
	authorization, err := authorizationv1client.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	groups, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	dryRun, err := newDryRun(mgr)
	if err != nil {
		return err
	}
	server := mgr.GetWebhookServer()
	server.Register(ConversionPath, handler)
	server.Register(defaultingPath, &admission.Webhook{Handler: defaulter{hidesValues: (&serverVersion{client: groups}).hidesValues}})
	server.Register(validationPath, &admission.Webhook{Handler: authorizer{
		reviews: authorization.SubjectAccessReviews(),
		next:    admission.WithValidator(mgr.GetScheme(), &validator{dryRun: dryRun, reader: reader}).Handler,
	}})
	return nil
}

// groupKind of what is validated.
var groupKind = schema.GroupKind{Group: nsmv1beta1.GroupVersion.Group, Kind: "NSM"}

// writeOf is the write that the API server asks about.
func writeOf(request *admissionv1.AdmissionRequest) (conversion.Write, error) {
	write := conversion.Write{Before: map[string]any{}, InV1alpha1: isInV1alpha1(request)}
	var err error
	if write.After, err = conversion.Parse(request.Object.Raw); err != nil {
		return write, err
	}
	if request.Operation == admissionv1.Update {
		if write.Before, err = conversion.Parse(request.OldObject.Raw); err != nil {
			return write, err
		}
	}
	var options metav1.PatchOptions
	if json.Unmarshal(request.Options.Raw, &options) == nil {
		write.Manager = options.FieldManager
	}
	return write, nil
}

func isInV1alpha1(request *admissionv1.AdmissionRequest) bool {
	return request.RequestKind != nil && request.RequestKind.Version == nsmv1alpha1.GroupVersion.Version
}
