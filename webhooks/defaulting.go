// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"encoding/json"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// defaulter writes what must not move by itself afterwards: the release, and
// the names of forwarders. It works on JSON: it is called before the API server
// checks the schema. It refuses a value of the wrong type, of which the API server
// would say little more than that.
type defaulter struct{}

// Handle implements admission.Handler.
func (defaulter) Handle(_ context.Context, request admission.Request) admission.Response {
	var nsm document
	if err := nsm.UnmarshalJSON(request.Object.Raw); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var typed nsmv1beta1.NSM
	if err := json.Unmarshal(request.Object.Raw, &typed); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if len(validateCarried(&typed)) > 0 {
		return refuse(request, &typed)
	}
	setDefaults(nsm.fields)
	defaulted, err := nsm.MarshalJSON()
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, defaulted)
}

// refuse tells all mistakes at once: nobody else gets to see the object.
func refuse(request admission.Request, nsm *nsmv1beta1.NSM) admission.Response {
	errs := mistakes(nsm)
	var warned admission.Warnings
	if isV1alpha1(request) {
		warned = inV1alpha1(nsm, errs, nil)
	}
	status := apierrors.NewInvalid(groupKind, request.Name, errs).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status, Warnings: warned}}
}

func setDefaults(nsm object) {
	spec := ensureChild(nsm, "spec")
	if text(spec, "version") == "" {
		spec["version"] = release.Newest().String()
	}
	forwarders, _ := spec["forwarders"].([]any)
	for _, item := range forwarders {
		forwarder, _ := item.(object)
		if forwarderType := text(forwarder, "type"); forwarderType != "" && text(forwarder, "name") == "" {
			forwarder["name"] = nsmv1beta1.DefaultForwarderName(nsmv1beta1.ForwarderType(forwarderType))
		}
	}
}
