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
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apischema"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// defaulter writes what must not move by itself afterwards: the release, and
// the names of forwarders. It works on JSON: it is called before the API server
// checks the schema, and refuses a value of the wrong type, of which the API server
// would say little more than that.
type defaulter struct {
	// hidesValues reports whether the API server leaves out the value that breaks a
	// rule of the schema. Defaulting then tells it first.
	hidesValues func(context.Context) bool
}

// Handle implements admission.Handler.
func (d defaulter) Handle(ctx context.Context, request admission.Request) admission.Response {
	ctx = admission.NewContextWithRequest(ctx, request)
	if request.Operation == admissionv1.Update {
		return d.update(ctx, request)
	}
	var typed nsmv1beta1.NSM
	write, err := writeOf(&request.AdmissionRequest)
	if err = errors.Join(err, json.Unmarshal(request.Object.Raw, &typed)); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if len(validateCarried(&typed)) > 0 {
		return refuse(ctx, &typed, nil)
	}
	setDefaults(write.After, release.Newest().String())
	if errs := d.bySchema(ctx, write); len(errs) > 0 {
		return refused(&typed, errs)
	}
	write.Reapply()
	return differing(request, write.After).WithWarnings(write.Settle()...)
}

// update names the forwarders that a file without names brings again, and keeps
// the release that a file without one would take away. It refuses new values of
// the wrong type; the rest is for the schema and validation to tell.
func (d defaulter) update(ctx context.Context, request admission.Request) admission.Response {
	write, err := writeOf(&request.AdmissionRequest)
	if err != nil {
		return admission.Allowed("")
	}
	warned := append(write.Reapply(), write.LeftBehind()...)
	if write.IsDeleting() {
		return differing(request, write.After)
	}
	// Whoever changes a label changes nothing else.
	if write.ChangesSpec() {
		old, written := typed(write.Before), typed(write.After)
		if added, _ := news(validateCarried(written), validateCarried(old)); len(added) > 0 {
			return refuse(ctx, written, old)
		}
		spec, isGiven := write.After["spec"]
		if _, isObject := spec.(map[string]any); isGiven && !isObject {
			return differing(request, write.After)
		}
		version, _, _ := unstructured.NestedString(write.Before, "spec", "version")
		setDefaults(write.After, cmp.Or(version, release.Newest().String()))
		if errs := d.bySchema(ctx, write); len(errs) > 0 {
			return refused(written, errs)
		}
	}
	warned = append(warned, write.Settle()...)
	return differing(request, write.After).WithWarnings(warned...)
}

// typed is the NSM of v1beta1 that a JSON object describes.
func typed(object map[string]any) *nsmv1beta1.NSM {
	nsm := &nsmv1beta1.NSM{}
	if data, err := json.Marshal(object); err != nil || json.Unmarshal(data, nsm) != nil {
		// Only the metadata can be such, which the API server has read by then.
		return &nsmv1beta1.NSM{}
	}
	return nsm
}

// differing tells the API server what defaulting has made different.
func differing(request admission.Request, nsm map[string]any) admission.Response {
	warned := dropNulls(nsm)
	defaulted, err := json.Marshal(nsm)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, defaulted).WithWarnings(warned...)
}

// refuse tells all mistakes at once: nobody else gets to see the object. What was
// wrong before, where there was an object before, is left out.
func refuse(ctx context.Context, nsm, before *nsmv1beta1.NSM) admission.Response {
	found, err := check(ctx, nsm)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if before != nil {
		old, err := check(ctx, before)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		found, _ = found.since(old)
	}
	var warned admission.Warnings
	if isV1alpha1(ctx) {
		warned = inV1alpha1(nsm, found.found, nil)
	}
	return refused(nsm, found.all()).WithWarnings(warned...)
}

// refused is the answer to a write that is invalid.
func refused(nsm *nsmv1beta1.NSM, errs field.ErrorList) admission.Response {
	status := apierrors.NewInvalid(groupKind, nsm.Name, errs).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
}

// bySchema lists what the schema has against a write in v1beta1 that it had not
// against the object before, where the API server would hide the values. What cannot
// be checked here is for the API server to refuse.
func (d defaulter) bySchema(ctx context.Context, write conversion.Write) field.ErrorList {
	if write.InV1alpha1 || !d.hidesValues(ctx) {
		return nil
	}
	after, err := checkJSON(ctx, write.After)
	if err != nil || len(after) == 0 || len(write.Before) == 0 {
		return after
	}
	before, err := checkJSON(ctx, write.Before)
	if err != nil {
		return nil
	}
	added, _ := news(after, before)
	return added
}

func checkJSON(ctx context.Context, nsm map[string]any) (field.ErrorList, error) {
	schema, err := apischema.V1beta1()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(nsm)
	if err != nil {
		return nil, err
	}
	return schema.CheckJSON(ctx, data)
}

// switchedOnByPresence are the fields whose presence turns something on, even
// without anything in them.
var switchedOnByPresence = [][]string{
	{"spec", "csiDriver"}, {"spec", "interdomain"}, {"spec", "vl3"}, {"spec", "dashboard"}, {"spec", "telemetry", "openTelemetry"},
}

// dropNulls tells that null, which is what YAML makes of a field with nothing
// behind it, turns nothing on, and leaves it out. The schema lets it through to
// here: else the API server would leave it out without a word.
func dropNulls(nsm map[string]any) admission.Warnings {
	var warned admission.Warnings
	for _, path := range switchedOnByPresence {
		if value, isGiven, err := unstructured.NestedFieldNoCopy(nsm, path...); isGiven && err == nil && value == nil {
			unstructured.RemoveNestedField(nsm, path...)
			warned = append(warned, fmt.Sprintf("%s: is null, which is the same as leaving it out: write %s: {} to turn it on",
				strings.Join(path, "."), path[len(path)-1]))
		}
	}
	return warned
}

func setDefaults(nsm map[string]any, version string) {
	spec, isObject := nsm["spec"].(map[string]any)
	if !isObject {
		spec = map[string]any{}
		nsm["spec"] = spec
	}
	if spec["version"] == nil || spec["version"] == "" {
		spec["version"] = version
	}
	forwarders, _ := spec["forwarders"].([]any)
	for _, item := range forwarders {
		forwarder, _ := item.(map[string]any)
		forwarderType, _ := forwarder["type"].(string)
		name, _ := forwarder["name"].(string)
		if forwarderType != "" && name == "" {
			forwarder["name"] = nsmv1beta1.DefaultForwarderName(nsmv1beta1.ForwarderType(forwarderType))
		}
	}
}
