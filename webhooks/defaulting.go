// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// defaulter writes what must not move by itself afterwards: the release, and
// the names of forwarders. It works on JSON: it is called before the API server
// checks the schema. At creation it refuses a value of the wrong type, of which
// the API server would say little more than that.
type defaulter struct{ checker }

// Handle implements admission.Handler.
func (d defaulter) Handle(ctx context.Context, request admission.Request) admission.Response {
	if request.Operation == admissionv1.Update {
		return defaultUpdate(request)
	}
	var nsm document
	if err := nsm.UnmarshalJSON(request.Object.Raw); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var typed nsmv1beta1.NSM
	if err := json.Unmarshal(request.Object.Raw, &typed); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if len(validateCarried(&typed)) > 0 {
		return d.refuse(ctx, request, &typed)
	}
	setDefaults(nsm.fields, release.Newest().String())
	return differing(request, nsm).WithWarnings(settle(&request.AdmissionRequest, nil, nsm.fields)...)
}

// defaultUpdate names the forwarders that a file without names brings again, and
// keeps the release that a file without one would take away. What is wrong is for
// the schema and validation to tell, which know what was there before.
func defaultUpdate(request admission.Request) admission.Response {
	var before, nsm document
	if errors.Join(before.UnmarshalJSON(request.OldObject.Raw), nsm.UnmarshalJSON(request.Object.Raw)) != nil {
		return admission.Allowed("")
	}
	warned := append(applied(&request.AdmissionRequest, before.fields, nsm.fields), stays(before.fields, nsm.fields)...)
	spec := get(nsm.fields, "spec")
	_, isObject := spec.(object)
	if spec != nothing && !isObject || text(child(nsm.fields, "metadata"), "deletionTimestamp") != "" {
		return differing(request, nsm)
	}
	// Whoever changes a label changes nothing else.
	if !same(get(before.fields, "spec"), spec) {
		setDefaults(nsm.fields, cmp.Or(text(child(before.fields, "spec"), "version"), release.Newest().String()))
	}
	warned = append(warned, settle(&request.AdmissionRequest, before.fields, nsm.fields)...)
	return differing(request, nsm).WithWarnings(warned...)
}

// differing tells the API server what defaulting has made different.
func differing(request admission.Request, nsm document) admission.Response {
	defaulted, err := nsm.MarshalJSON()
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, defaulted)
}

// refuse tells all mistakes at once: nobody else gets to see the object.
func (d defaulter) refuse(ctx context.Context, request admission.Request, nsm *nsmv1beta1.NSM) admission.Response {
	ctx = admission.NewContextWithRequest(ctx, request)
	found, err := d.check(ctx, nsm)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	var warned admission.Warnings
	if isV1alpha1(ctx) {
		warned = inV1alpha1(nsm, found.found, nil)
	}
	status := apierrors.NewInvalid(groupKind, request.Name, found.all()).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status, Warnings: warned}}
}

func setDefaults(nsm object, version string) {
	spec := ensureChild(nsm, "spec")
	if spec["version"] == nil || spec["version"] == "" {
		spec["version"] = version
	}
	forwarders, _ := spec["forwarders"].([]any)
	for _, item := range forwarders {
		forwarder, _ := item.(object)
		if forwarderType := text(forwarder, "type"); forwarderType != "" && text(forwarder, "name") == "" {
			forwarder["name"] = nsmv1beta1.DefaultForwarderName(nsmv1beta1.ForwarderType(forwarderType))
		}
	}
}
