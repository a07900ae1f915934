// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// intent is an object as it should be, in the forms that diffing and applying
// need.
type intent struct {
	object *unstructured.Unstructured
	hash   string
	// since when a workload is to be as the object says; zero for what is no workload.
	since time.Time
}

// newIntent prepares an object for comparison. What is not the owner's to say,
// the status and the creation time, is left out.
func (a *Applier) newIntent(object mesh.Object) (*intent, error) {
	gvk, err := apiutil.GVKForObject(object, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")

	data, err := json.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	return &intent{object: u, hash: hashOf(data)}, nil
}

// intentOf is the intent of an object that was rendered for this pass: an object is asked
// about several times in a pass, and preparing it takes a good part of the pass.
func (a *Applier) intentOf(survey *Survey, object mesh.Object) (*intent, error) {
	if survey == nil {
		return a.newIntent(object)
	}
	if known, isKnown := survey.intentOf(object); isKnown {
		return &known, nil
	}
	prepared, err := a.newIntent(object)
	if err != nil {
		return nil, err
	}
	survey.remember(object, *prepared)
	return prepared, nil
}

// deviation is what differs in a live object from the intent: "" for nothing,
// else a hash that is the same as long as the same fields have the same other
// values. Fields that the intent does not mention are others' and never count.
func (a *Applier) deviation(want *intent, live client.Object) (string, error) {
	difference, _, liveTyped, err := a.difference(want, live)
	if err != nil {
		return "", err
	}
	if difference.Removed.Empty() && difference.Modified.Empty() {
		return "", nil
	}
	return fingerprint(difference.Removed, difference.Modified, liveTyped)
}

// difference compares an intent with a live object: what is removed from the intent in
// the live one, and what is modified. It returns both as they were compared.
func (a *Applier) difference(want *intent, live client.Object) (difference *typed.Comparison, wantTyped, liveTyped *typed.TypedValue, err error) {
	if wantTyped, err = a.toTyped(want.object, want.object.GroupVersionKind()); err != nil {
		return nil, nil, nil, err
	}
	if live, err = withoutAddedTerms(want, live); err != nil {
		return nil, nil, nil, err
	}
	live.GetObjectKind().SetGroupVersionKind(want.object.GroupVersionKind())
	// Two values of a key that should be unique are the API server's to refuse.
	if liveTyped, err = a.toTyped(live, want.object.GroupVersionKind(), typed.AllowDuplicates); err != nil {
		return nil, nil, nil, err
	}
	difference, err = wantTyped.Compare(liveTyped)
	return difference, wantTyped, liveTyped, err
}

func fingerprint(removed, modified *fieldpath.Set, live *typed.TypedValue) (string, error) {
	values, err := json.Marshal(live.ExtractItems(modified).AsValue().Unstructured())
	if err != nil {
		return "", err
	}
	return hashOf([]byte(removed.String()), []byte(modified.String()), values), nil
}

// identity of the object.
func (i *intent) identity() identity {
	return identity{kind: i.object.GetKind(), namespace: i.object.GetNamespace(), name: i.object.GetName()}
}

// mark is the value of mesh.AppliedAnnotation.
func (i *intent) mark(deviation string) string {
	return strings.TrimSuffix(i.hash+"."+deviation, ".")
}

// begin notes, of a workload that is about to be written, since when it is wanted: as
// long as it is written again and again from the same, that stays.
func (i *intent) begin(live client.Object, now time.Time) {
	if _, isWorkload, _ := unstructured.NestedFieldNoCopy(i.object.Object, "spec", "template"); !isWorkload {
		return
	}
	if i.since = now; live != nil && mesh.IsWrittenFrom(live, i.hash) && !mesh.WrittenAt(live).IsZero() {
		i.since = mesh.WrittenAt(live)
	}
}

// marked is the object to send, with its mark.
func (i *intent) marked(deviation string) *unstructured.Unstructured {
	object := i.object.DeepCopy()
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[mesh.AppliedAnnotation] = i.mark(deviation)
	if !i.since.IsZero() {
		mesh.SetWrittenAt(annotations, i.since)
	}
	object.SetAnnotations(annotations)
	return object
}

func hashOf(parts ...[]byte) string {
	// A zero ends each part.
	return mesh.Fingerprint(append(bytes.Join(parts, []byte{0}), 0))
}

// Wanted tells what hash a live object of a mesh has to be marked with
// (mesh.IsWrittenFrom) to be what is wanted, and whether it differs from that and the
// operator waits before it puts it back, since somebody else keeps changing it. The survey
// is that of the pass in which the object was rendered; nil for one that is rendered each
// time that it is asked about.
func (a *Applier) Wanted(survey *Survey, object, live mesh.Object) (hash string, isHeldBack bool, err error) {
	want, err := a.intentOf(survey, object)
	if err != nil || live == nil || !a.backoff.Holds(want.identity(), want.hash) || a.isCompared(want, live) {
		return ptr.Deref(want, intent{}).hash, false, err
	}
	copied, _ := live.DeepCopyObject().(client.Object)
	action, err := a.action(want, copied)
	return want.hash, action != "", err
}
