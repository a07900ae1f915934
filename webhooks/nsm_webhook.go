// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package webhooks holds what the API server calls: conversion between the
// versions of NSM (pure functions), defaulting, and the part of validation that
// OpenAPI and CEL cannot express.
//
// Conversion is in conversion*.go, on the JSON of document.go and with the
// comparison of difference.go; its annotation, which the controllers read too, is
// internal/conversion. Defaulting is in defaulting.go, validation in
// validation*.go and containers.go. Who may write an NSM at all is in
// authorization.go.
package webhooks

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// +kubebuilder:webhookconfiguration:mutating=true,name=nsm-operator-defaults
// +kubebuilder:webhookconfiguration:mutating=false,name=nsm-operator-validation
// +kubebuilder:webhook:path=/mutate-nsm-networkservicemesh-io-v1beta1-nsm,mutating=true,failurePolicy=fail,sideEffects=None,groups=nsm.networkservicemesh.io,resources=nsms,verbs=create;update,versions=v1beta1,name=defaults.nsm.networkservicemesh.io,admissionReviewVersions=v1,matchPolicy=Equivalent,timeoutSeconds=10,serviceName=nsm-operator-service,serviceNamespace=nsm-operator-system
// +kubebuilder:webhook:path=/validate-nsm-networkservicemesh-io-v1beta1-nsm,mutating=false,failurePolicy=fail,sideEffects=None,groups=nsm.networkservicemesh.io,resources=nsms,verbs=create;update,versions=v1beta1,name=validation.nsm.networkservicemesh.io,admissionReviewVersions=v1,matchPolicy=Equivalent,timeoutSeconds=10,serviceName=nsm-operator-service,serviceNamespace=nsm-operator-system

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
	rehearsal, err := newRehearsal(mgr)
	if err != nil {
		return err
	}
	checker := newChecker()
	server := mgr.GetWebhookServer()
	server.Register(ConversionPath, handler)
	server.Register(defaultingPath, &admission.Webhook{Handler: defaulter{checker}})
	server.Register(validationPath, &admission.Webhook{Handler: authorizer{
		reviews: authorization.SubjectAccessReviews(),
		next:    admission.WithValidator(mgr.GetScheme(), &validator{checker: checker, rehearsal: rehearsal, reader: reader}).Handler,
	}})
	return nil
}

// groupKind of what is validated.
var groupKind = schema.GroupKind{Group: nsmv1beta1.GroupVersion.Group, Kind: "NSM"}
