// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"strings"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Write is a write of an NSM as admission sees it: in v1beta1, in which it is stored,
// whatever version it comes in.
type Write struct {
	// Before is the stored NSM; empty for a new one.
	Before map[string]any
	// After is the NSM as it is to be stored. Reapply and Settle change it.
	After map[string]any
	// InV1alpha1: it comes in v1alpha1.
	InV1alpha1 bool
	// Manager is the field manager (metadata.managedFields) of who writes.
	Manager string
}

// ChangesMesh reports whether the NSM asks for something else than before: in the spec,
// or in an annotation of the operator's own domain, such as the one that conversion
// and the loop read. Labels, finalizers and annotations of others say nothing to the
// operator.
func (w Write) ChangesMesh() bool {
	return w.ChangesSpec() || !same(ownAnnotations(w.Before), ownAnnotations(w.After))
}

// ChangesSpec reports whether the spec is another one than before.
func (w Write) ChangesSpec() bool {
	return !same(get(w.Before, "spec"), get(w.After, "spec"))
}

// IsDeleting reports whether the NSM is being deleted.
func (w Write) IsDeleting() bool { return isDeleting(w.After) }

// ownAnnotations are those of the operator's domain, as far as they are kept.
func ownAnnotations(of object) object {
	own := object{}
	for key, value := range annotations(of) {
		if strings.HasPrefix(key, nsmv1beta1.GroupVersion.Group+"/") {
			own[key] = value
		}
		if key == Annotation {
			set(own, key, kept(text(annotations(of), key)))
		}
	}
	return own
}

// kept is the value of the annotation without what is in hand, which is not stored;
// nothing where that was all.
func kept(value string) any {
	data, ok := Decode(value)
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

// Settle leaves in the annotation what conversion itself would write. It then says
// the same after every write, through either version; and what somebody else
// has put there, and what does not count, is not kept.
func (w Write) Settle() []string {
	value := text(annotations(w.After), Annotation)
	isNew := value != text(annotations(w.Before), Annotation)
	if value == "" || value == TooLarge || !isNew && !w.ChangesSpec() {
		return nil
	}
	data, ok := Decode(value)
	spec := get(w.After, "spec")
	written := specDown(spec, data.V1alpha1)
	original, err := originalOf(written, spec)
	if err != nil {
		return nil
	}
	if replaceData(w.After, Data{V1alpha1: original, InHand: data.InHand}) != nil || !isNew || w.InV1alpha1 {
		return nil
	}
	if data.V1alpha1 == nil {
		data.V1alpha1 = &Original{}
	}
	if given, readable := read(data.V1alpha1.Spec); ok && readable && same(given, written) {
		return nil
	}
	return []string{"metadata.annotations[" + Annotation +
		"]: belongs to the operator; what was written there does not match the spec and was dropped"}
}

// replaceData writes the annotation anew.
func replaceData(nsm object, data Data) error {
	removeAnnotation(nsm)
	return keepData(nsm, data)
}
