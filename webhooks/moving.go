// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

// Applying a file of one version after a file of the other one. What a file no
// longer says shall go, and both ways to apply tell by comparing it with the file
// before, which was of another version.

// stays warns of what kubectl's client-side apply leaves behind when the version
// of the file changes: kubectl compares the fields of both files by their names,
// and those of the other version are none of this one's.
func stays(before, nsm object) admission.Warnings {
	was, wasSaid := lastApplied(before)
	is, said := lastApplied(nsm)
	if text(was, "apiVersion") == text(is, "apiVersion") || wasSaid == nothing {
		return nil
	}
	left := minus(common(wasSaid, get(nsm, "spec")), said)
	if fields, isObject := left.(object); isObject {
		// The release never goes by itself.
		left = without(fields, "version")
	}
	if len(places(left, "spec")) == 0 || same(left, object{}) {
		return nil
	}
	return admission.Warnings{fmt.Sprintf(
		"not in this file, and still set from the %s file before: %s. kubectl apply compares a file only with one of the same version. "+
			"\"kubectl replace --save-config -f FILE\" writes exactly what the file says",
		nameOf(text(was, "apiVersion")), list(places(left, "spec")))}
}

// lastApplied is the file that was applied last by client-side apply, and what it
// means in v1beta1.
func lastApplied(nsm object) (object, any) {
	var file document
	if file.UnmarshalJSON([]byte(text(annotations(nsm), corev1.LastAppliedConfigAnnotation))) != nil {
		return nil, nothing
	}
	return file.fields, meaning(text(file.fields, "apiVersion"), get(file.fields, "spec"))
}

// meaning is what a spec of a version says, in v1beta1.
func meaning(apiVersion string, spec any) any {
	switch apiVersion {
	case nsmv1beta1.GroupVersion.String():
		return spec
	case nsmv1alpha1.GroupVersion.String():
		return specUp(spec)
	default:
		return nothing
	}
}

// applied puts server-side apply right where the version of what is applied
// changes. The API server works out what to take away in the version of the last
// time: it converts the object to it, takes away the fields that were applied
// then, and converts it back. Fields of one version are not fields of the other,
// so that takes away too much (a release that was in tag, and is in version), or
// leaves a meaning that nobody asked for (without webhook.image, v1alpha1 means
// that there is no webhook).
//
// So it is done anew, in the terms of v1beta1: what the manager had applied
// goes, and what it applies now is put in. What that is, conversion has kept
// (conversion.Data.InHand), since the API server does not tell.
func applied(request *admissionv1.AdmissionRequest, before, nsm object) admission.Warnings {
	data, inHand := takeInHand(request, nsm)
	was, is := entriesOf(request, before), entriesOf(request, nsm)
	if inHand == nil || claimed(request, before, is) || !changesVersion(was.own, is.own, inHand.APIVersion) {
		return nil
	}
	merged, ok := read(inHand.Spec)
	gone, err := was.givenUp(before)
	if !ok || err != nil {
		return nil
	}
	file := is.own.part(merged)
	kept := minus(get(before, "spec"), gone)
	sent := sentBy(is.own.APIVersion, file, kept)
	result, isObject := plus(kept, sent).(object)
	if !isObject {
		return nil
	}
	nsm["spec"] = result
	if data.V1alpha1, err = was.originalAfter(is.own.APIVersion, file, data.V1alpha1); err != nil || replaceData(nsm, data) != nil {
		return nil
	}
	return tellApplied(was.own.APIVersion, minus(common(gone, get(before, "spec")), result), minus(kept, sent))
}

// takeInHand takes what conversion has kept out of the annotation, and returns it,
// nil for nothing, and the rest.
func takeInHand(request *admissionv1.AdmissionRequest, nsm object) (conversion.Data, *conversion.InHand) {
	data, ok := conversion.Decode(text(annotations(nsm), conversion.Annotation))
	if !ok || data.InHand == nil {
		return data, nil
	}
	inHand := data.InHand
	data.InHand = nil
	if isInV1alpha1(request) {
		// On its way back to v1alpha1 it is not kept once more.
		data.InHand = &conversion.InHand{}
	}
	if replaceData(nsm, data) != nil {
		return data, nil
	}
	return data, inHand
}

// changesVersion tells whether a manager that has applied in one version applies in
// another now, the one of what is in hand.
func changesVersion(was, is *entry, inHand string) bool {
	return was != nil && is != nil && (was.spec != nil || is.spec != nil) &&
		was.APIVersion != is.APIVersion && inHand == is.APIVersion
}

// givenUp is what the manager had applied, in v1beta1, and nobody else.
func (e entries) givenUp(before object) (any, error) {
	old, err := toV1alpha1(before)
	if err != nil {
		return nil, err
	}
	gone := e.own.said(old, before)
	for _, other := range e.others {
		gone = minus(gone, other.said(old, before))
	}
	return gone, nil
}

// sentBy is what a file says, in v1beta1. A whole object of v1alpha1 without a
// webhook means that there is none, and a part of one does not: where somebody
// else has said something of the webhook, that stays.
func sentBy(apiVersion string, file, kept any) any {
	sent := meaning(apiVersion, file)
	keptFields, _ := kept.(object)
	fields, isObject := sent.(object)
	if isObject && has(keptFields, "admissionWebhook") && !saysWebhook(apiVersion, file) {
		return without(fields, "admissionWebhook")
	}
	return sent
}

// originalAfter is the form in v1alpha1 after a file has been applied: that of the
// file, if it is one of v1alpha1, and else the one before as long as anybody else
// applies in v1alpha1.
func (e entries) originalAfter(apiVersion string, file any, before *conversion.Original) (*conversion.Original, error) {
	if apiVersion == nsmv1alpha1.GroupVersion.String() {
		if file == nothing {
			return before, nil
		}
		raw, err := verbatim(file)
		return &conversion.Original{Spec: raw}, err
	}
	keepsV1alpha1 := slices.ContainsFunc(e.others, func(other entry) bool { return other.APIVersion == nsmv1alpha1.GroupVersion.String() })
	if keepsV1alpha1 || apiVersion != nsmv1beta1.GroupVersion.String() {
		return before, nil
	}
	return nil, nil
}

func saysWebhook(apiVersion string, file any) bool {
	fields, _ := file.(object)
	return apiVersion == nsmv1beta1.GroupVersion.String() || has(fields, "webhook") || has(fields, "admwhImage")
}

// claimed tells whether somebody has written himself what seems to have been in
// hand: it was stored, or is a part of what is applied. An old object that has been
// converted for admission has it anyway, and was stored without.
func claimed(request *admissionv1.AdmissionRequest, before object, is entries) bool {
	if is.own != nil && is.own.annotates {
		return true
	}
	stored, ok := conversion.Decode(text(annotations(before), conversion.Annotation))
	return ok && stored.InHand != nil && !isInV1alpha1(request)
}

// tellApplied says what the change of version takes away, and what it leaves.
func tellApplied(apiVersion string, gone, kept any) admission.Warnings {
	var warned admission.Warnings
	if paths := places(gone, "spec"); len(paths) > 0 && !same(gone, object{}) {
		warned = append(warned, fmt.Sprintf("not in this file, and removed with the %s file before: %s", nameOf(apiVersion), list(paths)))
	}
	if fields, isObject := kept.(object); isObject {
		kept = without(fields, "version")
	}
	if paths := places(kept, "spec"); len(paths) > 0 && !same(kept, object{}) {
		warned = append(warned, fmt.Sprintf("neither in this file nor in the %s file before, and still set: %s", nameOf(apiVersion), list(paths)))
	}
	return warned
}

// nameOf a version is what stands behind the group.
func nameOf(apiVersion string) string { return apiVersion[strings.LastIndex(apiVersion, "/")+1:] }

// list names a few places.
func list(paths []string) string {
	const most = 10
	if len(paths) > most {
		return strings.Join(paths[:most], ", ") + fmt.Sprintf(" and %d more", len(paths)-most)
	}
	return strings.Join(paths, ", ")
}

// entries are those of managedFields that tell who has applied what.
type entries struct {
	// own is that of the manager of the request, others are those of others.
	own    *entry
	others []entry
}

type entry struct {
	metav1.ManagedFieldsEntry
	// spec is the set of fields in the spec; nil where it is not mentioned.
	spec object
	// annotates: conversion's annotation is among the fields.
	annotates bool
}

func entriesOf(request *admissionv1.AdmissionRequest, nsm object) entries {
	var options metav1.PatchOptions
	var found entries
	if json.Unmarshal(request.Options.Raw, &options) != nil {
		return found
	}
	var all []metav1.ManagedFieldsEntry
	raw, err := json.Marshal(child(nsm, "metadata")["managedFields"])
	if err != nil || json.Unmarshal(raw, &all) != nil {
		return found
	}
	for _, one := range all {
		var fields document
		if one.Operation != metav1.ManagedFieldsOperationApply || one.Subresource != "" || one.FieldsV1 == nil ||
			fields.UnmarshalJSON(one.FieldsV1.GetRawBytes()) != nil {
			continue
		}
		applied := entry{
			one, child(fields.fields, "f:spec"),
			has(child(child(fields.fields, "f:metadata"), "f:annotations"), "f:"+conversion.Annotation),
		}
		if one.Manager == options.FieldManager {
			found.own = &applied
			continue
		}
		found.others = append(found.others, applied)
	}
	return found
}

// part is what of a spec, in the version of the entry, is the manager's.
func (e entry) part(spec any) any {
	switch {
	case e.spec == nil:
		return nothing
	case len(e.spec) == 0:
		return object{}
	}
	return partOf(spec, e.spec)
}

// said is what the manager says in an object, as far as it holds, in v1beta1.
func (e entry) said(inV1alpha1, inV1beta1 object) any {
	from := inV1beta1
	if e.APIVersion == nsmv1alpha1.GroupVersion.String() {
		from = inV1alpha1
	}
	return common(meaning(e.APIVersion, e.part(get(from, "spec"))), get(inV1beta1, "spec"))
}

// kept is the value of the annotation without what is in hand, which is not stored;
// nothing where that was all.
func kept(value string) any {
	data, ok := conversion.Decode(value)
	if !ok || data.InHand == nil {
		return value
	}
	data.InHand = nil
	if data.IsEmpty() {
		return nothing
	}
	rest, err := data.Encode()
	if err != nil {
		return value
	}
	return rest
}

// settle leaves in the annotation what conversion itself would write. It then says
// the same after every write, through either version; and what somebody else
// has put there, and what does not count, is not kept.
func settle(request *admissionv1.AdmissionRequest, before, nsm object) admission.Warnings {
	value := text(annotations(nsm), conversion.Annotation)
	isNew := value != text(annotations(before), conversion.Annotation)
	if value == "" || value == conversion.TooLarge || !isNew && same(get(before, "spec"), get(nsm, "spec")) {
		return nil
	}
	data, ok := conversion.Decode(value)
	spec := get(nsm, "spec")
	written := specDown(spec, data.V1alpha1)
	settled := conversion.Data{InHand: data.InHand}
	if !same(putSpec(nothing, spec), written) {
		original, err := verbatim(written)
		if err != nil {
			return nil
		}
		settled.V1alpha1 = &conversion.Original{Spec: original}
	}
	if replaceData(nsm, settled) != nil || !isNew || isInV1alpha1(request) {
		return nil
	}
	if given, readable := read(originalOf(data)); ok && readable && same(given, written) {
		return nil
	}
	return admission.Warnings{"metadata.annotations[" + conversion.Annotation +
		"]: belongs to the operator; what was written there does not match the spec and was dropped"}
}

func originalOf(data conversion.Data) json.RawMessage {
	if data.V1alpha1 == nil {
		return nil
	}
	return data.V1alpha1.Spec
}

func isInV1alpha1(request *admissionv1.AdmissionRequest) bool {
	return request.RequestKind != nil && request.RequestKind.Version == nsmv1alpha1.GroupVersion.Version
}

// replaceData writes the annotation anew.
func replaceData(nsm object, data conversion.Data) error {
	removeAnnotation(nsm)
	return keepData(nsm, data)
}
