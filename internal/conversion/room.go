// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// What only one version can say is kept, in the other one, in an annotation. So it
// needs room among the annotations, which anybody may fill who may write the
// object's metadata. Where there is none, every write through v1alpha1 loses what
// only v1beta1 can say, and admission is not asked about all of them: the status is
// written without it. So no object gets that far.

// room is what annotations take on an NSM in v1alpha1, in bytes, keys included.
type room struct {
	// data is for what only v1beta1 can say; 0 where there is no such thing.
	data int
	// others are all other annotations.
	others int
}

// roomInV1alpha1 measures an NSM of v1beta1.
func roomInV1alpha1(nsm object) (room, error) {
	out, data := start(nsm, nsmv1alpha1.GroupVersion.String())
	_, beyond := lower(get(nsm, "spec"), data.V1alpha1)
	needed := room{others: size(without(annotations(out), Annotation))}
	if len(beyond) == 0 {
		return needed, nil
	}
	keep := Data{V1beta1: beyond}
	value, err := keep.Encode()
	needed.data = len(Annotation) + len(value)
	if value == TooLarge {
		text, err := json.Marshal(keep)
		needed.data = max(len(text), MaxTotal+1)
		return needed, err
	}
	return needed, err
}

// missing is how much too large the annotations would be.
func (r room) missing() int {
	return max(0, r.data+r.others-MaxTotal)
}

// mistake says what to do about what is missing.
func (r room) mistake() *field.Error {
	if r.data > MaxTotal {
		return field.Forbidden(field.NewPath("spec"), fmt.Sprintf(
			"is too large: in v1alpha1 an annotation keeps what only v1beta1 can say, which is %d KiB, and an object may have %d KiB of annotations; shorten the spec",
			inKiB(r.data), inKiB(MaxTotal)))
	}
	return field.Forbidden(field.NewPath("metadata", "annotations"), fmt.Sprintf(
		"an object may have %d KiB of annotations; in v1alpha1 this NSM needs %d KiB of them for what only v1beta1 can say, and its other annotations take %d KiB; remove at least %d KiB of them",
		inKiB(MaxTotal), inKiB(r.data), inKiB(r.others), inKiB(r.missing())))
}

// inKiB rounds up.
func inKiB(bytes int) int { return (bytes + 1<<10 - 1) >> 10 }

// Room refuses a write that would lose something in the other version, or after
// which another write could. What is so already does not stand in the way of a
// change in v1beta1 that makes it no worse; that is known.
func (w Write) Room() (added, known field.ErrorList, err error) {
	if isGoing(w.After) {
		return nil, nil, nil
	}
	if w.InV1alpha1 && (isCut(w.Before) || isCut(w.After)) {
		return field.ErrorList{field.Forbidden(field.NewPath("spec"), fmt.Sprintf(
			"part of it would be lost in the other version: the annotations of an object hold %d KiB, and there is no room left; write it in %s, or remove other annotations in that version",
			inKiB(MaxTotal), nsmv1beta1.GroupVersion))}, nil, nil
	}
	is, err := roomInV1alpha1(w.After)
	if err != nil || is.missing() == 0 {
		return nil, nil, err
	}
	was, err := roomInV1alpha1(w.Before)
	if err != nil || is.missing() > was.missing() {
		return field.ErrorList{is.mistake()}, nil, err
	}
	return nil, field.ErrorList{is.mistake()}, nil
}

// isGoing reports whether the write is the last one of an object: it loses its last
// finalizer, and nothing of it is stored.
func isGoing(nsm object) bool {
	finalizers, _ := child(nsm, "metadata")["finalizers"].([]any)
	return isDeleting(nsm) && len(finalizers) == 0
}

// isCut reports whether conversion may have left something out of an NSM that comes
// from v1alpha1, or has not had the room to say so.
func isCut(nsm object) bool {
	value := text(annotations(nsm), Annotation)
	return value == TooLarge ||
		value == "" && size(annotations(nsm))+len(Annotation)+len(TooLarge) > MaxTotal
}
