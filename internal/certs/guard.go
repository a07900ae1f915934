// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// guardPath is where the API server asks about writes of the CRD.
const guardPath = "/mutate-apiextensions-k8s-io-v1-customresourcedefinition"

// converted are the versions that the operator converts. Each is served while it runs.
var converted = []string{"v1alpha1", "v1beta1"}

// Handle implements admission.Handler: the guard of the CRD.
//
// Whoever installs or upgrades the operator writes the CRD as a manifest has it: without
// the CA, which nobody else knows, perhaps with the Service of another namespace, and
// with a version that is not served. If that were stored, no NSM could be converted until
// the operator has noticed, and the API server has rebuilt its handler twice. So the
// guard corrects the write before it is stored. It does not let anybody go back to storing
// the older version. What the operator notes in the CRD would
// be lost as well, and each of its replicas would write the CRD once more.
func (i *Issuer) Handle(_ context.Context, request admission.Request) admission.Response {
	ours := i.conversion.Load()
	if ours == nil {
		return admission.Allowed("")
	}
	var written, stored definition
	if err := json.Unmarshal(request.Object.Raw, &written); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if len(request.OldObject.Raw) > 0 {
		if err := json.Unmarshal(request.OldObject.Raw, &stored); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
	}
	if written.Metadata.Name != crdName {
		return admission.Allowed("")
	}
	return admission.Patched("", append(mend(&written, &stored, ours), keepAnnotation(&written, &stored, i.Annotation)...)...)
}

// definition is what the guard knows of the CRD, which is large.
type definition struct {
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Spec struct {
		Conversion *apiextensionsv1.CustomResourceConversion
		Versions   []struct {
			Name            string
			Served, Storage bool
		}
	}
}

// mend is what to change about a CRD that somebody writes. How to convert is changed
// where it is not as ours, but for the CA: one that is there may be newer than the one
// that this replica knows. What is stored is taken back where that is right, for the same
// reason.
func mend(written, stored *definition, ours *apiextensionsv1.CustomResourceConversion) []jsonpatch.Operation {
	var patch []jsonpatch.Operation
	if !converts(written.Spec.Conversion, ours) {
		right := ours
		if converts(stored.Spec.Conversion, ours) {
			right = stored.Spec.Conversion
		}
		patch = append(patch, jsonpatch.NewOperation("add", "/spec/conversion", right))
	}
	for n, version := range written.Spec.Versions {
		if !version.Served && slices.Contains(converted, version.Name) {
			patch = append(patch, jsonpatch.NewOperation("add", fmt.Sprintf("/spec/versions/%d/served", n), true))
		}
		if isStepBack := stored.stores(storageVersion) && !written.stores(storageVersion); isStepBack && slices.Contains(converted, version.Name) {
			patch = append(patch, jsonpatch.NewOperation("add", fmt.Sprintf("/spec/versions/%d/storage", n), version.Name == storageVersion))
		}
	}
	return patch
}

// stores reports whether NSMs are stored in a version.
func (d *definition) stores(name string) bool {
	for _, version := range d.Spec.Versions {
		if version.Name == name {
			return version.Storage
		}
	}
	return false
}

// keepAnnotation is what to change about a CRD that somebody writes without an annotation
// that is stored.
func keepAnnotation(written, stored *definition, key string) []jsonpatch.Operation {
	value, isStored := stored.Metadata.Annotations[key]
	if _, isWritten := written.Metadata.Annotations[key]; !isStored || isWritten {
		return nil
	}
	if written.Metadata.Annotations == nil {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations", map[string]string{key: value})}
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations/"+strings.ReplaceAll(key, "/", "~1"), value)}
}

// converts reports whether a CRD is converted as ours is, by whatever CA.
func converts(conversion, ours *apiextensionsv1.CustomResourceConversion) bool {
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil ||
		len(conversion.Webhook.ClientConfig.CABundle) == 0 {
		return false
	}
	same := conversion.DeepCopy()
	same.Webhook.ClientConfig.CABundle = ours.Webhook.ClientConfig.CABundle
	return equality.Semantic.DeepEqual(same, ours)
}
