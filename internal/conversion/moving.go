// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Applying a file of one version after a file of the other one. What a file no
// longer says shall go, and both ways to apply tell by comparing it with the file
// before, which was of another version.

// LeftBehind warns of what kubectl's client-side apply leaves behind when the version
// of the file changes: kubectl compares the fields of both files by their names,
// and those of the other version are none of this one's.
func (w Write) LeftBehind() []string {
	was, wasSaid := lastApplied(w.Before)
	is, said := lastApplied(w.After)
	if text(was, "apiVersion") == text(is, "apiVersion") || wasSaid == nothing {
		return nil
	}
	left := minus(common(wasSaid, get(w.After, "spec")), said)
	if fields, isObject := left.(object); isObject {
		// The release never goes by itself.
		left = without(fields, "version")
	}
	if len(places(left, "spec")) == 0 || same(left, object{}) {
		return nil
	}
	return []string{fmt.Sprintf(
		"not in this file, and still set from the %s file before: %s. kubectl apply compares a file only with one of the same version. "+
			"\"kubectl replace --save-config -f FILE\" writes exactly what the file says",
		nameOf(text(was, "apiVersion")), list(places(left, "spec")))}
}

// lastApplied is the file that was applied last by client-side apply, and what it
// means in v1beta1.
func lastApplied(nsm object) (object, any) {
	file, err := Parse([]byte(text(annotations(nsm), corev1.LastAppliedConfigAnnotation)))
	if err != nil {
		return nil, nothing
	}
	return file, meaning(text(file, "apiVersion"), get(file, "spec"))
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

// Reapply puts server-side apply right where the version of what is applied
// changes. The API server works out what to take away in the version of the last
// time: it converts the object to it, takes away the fields that were applied
// then, and converts it back. Fields of one version are not fields of the other,
// so that takes away too much (a release that was in tag, and is in version), or
// leaves a meaning that nobody asked for (without webhook.image, v1alpha1 means
// that there is no webhook).
//
// So it is done anew, in the terms of v1beta1: what the manager had applied
// goes, and what it applies now is put in. What that is, conversion has kept
// (Data.InHand), since the API server does not tell. The warnings say what goes and
// what stays.
func (w Write) Reapply() []string {
	data, inHand := w.takeInHand()
	was, is := w.entriesOf(w.Before), w.entriesOf(w.After)
	if inHand == nil || w.isClaimed(is) || !changesVersion(was.own, is.own, inHand.APIVersion) {
		return nil
	}
	merged, ok := read(inHand.Spec)
	gone, err := was.givenUp(w.Before)
	if !ok || err != nil {
		return nil
	}
	file := is.own.part(merged)
	kept := minus(get(w.Before, "spec"), gone)
	sent := sentBy(is.own.APIVersion, file, kept)
	result, isObject := plus(kept, sent).(object)
	if !isObject {
		return nil
	}
	w.After["spec"] = result
	if data.V1alpha1, err = was.originalAfter(is.own.APIVersion, file, data.V1alpha1); err != nil || replaceData(w.After, data) != nil {
		return nil
	}
	return reapplied(was.own.APIVersion, minus(common(gone, get(w.Before, "spec")), result), minus(kept, sent))
}

// takeInHand takes what conversion has kept out of the annotation, and returns it,
// nil for nothing, and the rest.
func (w Write) takeInHand() (Data, *InHand) {
	data, ok := Decode(text(annotations(w.After), Annotation))
	if !ok || data.InHand == nil {
		return data, nil
	}
	inHand := data.InHand
	data.InHand = nil
	if w.InV1alpha1 {
		// On its way back to v1alpha1 it is not kept once more.
		data.InHand = &InHand{}
	}
	if replaceData(w.After, data) != nil {
		return data, nil
	}
	return data, inHand
}

// changesVersion reports whether a manager that has applied in one version applies in
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
func (e entries) originalAfter(apiVersion string, file any, before *Original) (*Original, error) {
	if apiVersion == nsmv1alpha1.GroupVersion.String() {
		if file == nothing {
			return before, nil
		}
		raw, err := verbatim(file)
		return &Original{Spec: raw}, err
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

// isClaimed reports whether somebody has written himself what seems to have been in
// hand: it was stored, or is a part of what is applied. An old object that has been
// converted for admission has it anyway, and was stored without.
func (w Write) isClaimed(is entries) bool {
	if is.own != nil && is.own.annotates {
		return true
	}
	stored, ok := Decode(text(annotations(w.Before), Annotation))
	return ok && stored.InHand != nil && !w.InV1alpha1
}

// reapplied says what the change of version takes away, and what it leaves.
func reapplied(apiVersion string, gone, kept any) []string {
	var warned []string
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

func (w Write) entriesOf(nsm object) entries {
	var found entries
	var all []metav1.ManagedFieldsEntry
	raw, err := json.Marshal(child(nsm, "metadata")["managedFields"])
	if err != nil || json.Unmarshal(raw, &all) != nil {
		return found
	}
	for _, one := range all {
		if one.Operation != metav1.ManagedFieldsOperationApply || one.Subresource != "" || one.FieldsV1 == nil {
			continue
		}
		fields, err := Parse(one.FieldsV1.GetRawBytes())
		if err != nil {
			continue
		}
		applied := entry{
			one, child(fields, "f:spec"),
			has(child(child(fields, "f:metadata"), "f:annotations"), "f:"+Annotation),
		}
		if one.Manager == w.Manager {
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
