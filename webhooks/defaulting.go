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
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// defaulter writes what must not move by itself afterwards: the release, and
// the names of forwarders. It works on JSON: it is called before the API server
// checks the schema, and refuses a value of the wrong type, of which the API server
// would say little more than that.
type defaulter struct{ checker }

// Handle implements admission.Handler.
func (d defaulter) Handle(ctx context.Context, request admission.Request) admission.Response {
	ctx = admission.NewContextWithRequest(ctx, request)
	if request.Operation == admissionv1.Update {
		return d.update(ctx, request)
	}
	var nsm document
	var typed nsmv1beta1.NSM
	if err := errors.Join(nsm.UnmarshalJSON(request.Object.Raw), json.Unmarshal(request.Object.Raw, &typed)); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if len(validateCarried(&typed)) > 0 {
		return d.refuse(ctx, &typed, nil)
	}
	setDefaults(nsm.fields, release.Newest().String())
	// Nothing was before it that could be applied anew.
	takeInHand(&request.AdmissionRequest, nsm.fields)
	return differing(request, nsm).WithWarnings(settle(&request.AdmissionRequest, nil, nsm.fields)...)
}

// update names the forwarders that a file without names brings again, and keeps
// the release that a file without one would take away. It refuses new values of
// the wrong type; the rest is for the schema and validation to tell.
func (d defaulter) update(ctx context.Context, request admission.Request) admission.Response {
	var before, nsm document
	if errors.Join(before.UnmarshalJSON(request.OldObject.Raw), nsm.UnmarshalJSON(request.Object.Raw)) != nil {
		return admission.Allowed("")
	}
	warned := append(applied(&request.AdmissionRequest, before.fields, nsm.fields), stays(before.fields, nsm.fields)...)
	spec := get(nsm.fields, "spec")
	if text(child(nsm.fields, "metadata"), "deletionTimestamp") != "" {
		return differing(request, nsm)
	}
	// Whoever changes a label changes nothing else.
	if !same(get(before.fields, "spec"), spec) {
		old, written := before.typed(), nsm.typed()
		if added, _ := news(validateCarried(written), validateCarried(old)); len(added) > 0 {
			return d.refuse(ctx, written, old)
		}
		if _, isObject := spec.(object); spec != nothing && !isObject {
			return differing(request, nsm)
		}
		setDefaults(nsm.fields, cmp.Or(text(child(before.fields, "spec"), "version"), release.Newest().String()))
	}
	warned = append(warned, settle(&request.AdmissionRequest, before.fields, nsm.fields)...)
	return differing(request, nsm).WithWarnings(warned...)
}

// typed is the NSM that a document of v1beta1 describes.
func (d *document) typed() *nsmv1beta1.NSM {
	nsm := &nsmv1beta1.NSM{}
	if data, err := d.MarshalJSON(); err != nil || json.Unmarshal(data, nsm) != nil {
		// Only the metadata can be such, which the API server has read by then.
		return &nsmv1beta1.NSM{}
	}
	return nsm
}

// differing tells the API server what defaulting has made different.
func differing(request admission.Request, nsm document) admission.Response {
	warned := dropNulls(nsm.fields)
	defaulted, err := nsm.MarshalJSON()
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, defaulted).WithWarnings(warned...)
}

// refuse tells all mistakes at once: nobody else gets to see the object. What was
// wrong before, where there was an object before, is left out.
func (d defaulter) refuse(ctx context.Context, nsm, before *nsmv1beta1.NSM) admission.Response {
	found, err := d.check(ctx, nsm)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if before != nil {
		old, err := d.check(ctx, before)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		found, _ = found.since(old)
	}
	var warned admission.Warnings
	if isV1alpha1(ctx) {
		warned = inV1alpha1(nsm, found.found, nil)
	}
	status := apierrors.NewInvalid(groupKind, nsm.Name, found.all()).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status, Warnings: warned}}
}

// switchedOnByPresence are the fields whose presence turns something on, even
// without anything in them.
var switchedOnByPresence = [][]string{{"csiDriver"}, {"interdomain"}, {"telemetry", "openTelemetry"}}

// dropNulls tells that null, which is what YAML makes of a field with nothing
// behind it, turns nothing on, and leaves it out. The schema lets it through to
// here: else the API server would leave it out without a word.
func dropNulls(nsm object) admission.Warnings {
	var warned admission.Warnings
	for _, steps := range switchedOnByPresence {
		path, at := "spec", child(nsm, "spec")
		for _, step := range steps[:len(steps)-1] {
			path, at = path+"."+step, child(at, step)
		}
		last := steps[len(steps)-1]
		if get(at, last) == nil {
			delete(at, last)
			warned = append(warned, fmt.Sprintf("%s.%s: is null, which is the same as leaving it out: write %[2]s: {} to turn it on", path, last))
		}
	}
	return warned
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
