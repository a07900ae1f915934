// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
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
	needed := room{others: size(without(annotations(out), conversion.Annotation))}
	if len(beyond) == 0 {
		return needed, nil
	}
	keep := conversion.Data{V1beta1: beyond}
	value, err := keep.Encode()
	needed.data = len(conversion.Annotation) + len(value)
	if value == conversion.TooLarge {
		text, err := json.Marshal(keep)
		needed.data = max(len(text), conversion.MaxTotal+1)
		return needed, err
	}
	return needed, err
}

// missing is how much too large the annotations would be.
func (r room) missing() int {
	return max(0, r.data+r.others-conversion.MaxTotal)
}

// mistake says what to do about what is missing.
func (r room) mistake() *field.Error {
	if r.data > conversion.MaxTotal {
		return field.Forbidden(field.NewPath("spec"), fmt.Sprintf(
			"is too large: in v1alpha1 an annotation keeps what only v1beta1 can say, which is %d KiB, and an object may have %d KiB of annotations; shorten the spec",
			inKiB(r.data), inKiB(conversion.MaxTotal)))
	}
	return field.Forbidden(field.NewPath("metadata", "annotations"), fmt.Sprintf(
		"an object may have %d KiB of annotations; in v1alpha1 this NSM needs %d KiB of them for what only v1beta1 can say, and its other annotations take %d KiB; remove at least %d KiB of them",
		inKiB(conversion.MaxTotal), inKiB(r.data), inKiB(r.others), inKiB(r.missing())))
}

// inKiB rounds up.
func inKiB(bytes int) int { return (bytes + 1<<10 - 1) >> 10 }

// validateRoom refuses a write that would lose something in the other version, or
// after which another write could. What is so already does not stand in the way of a
// change in v1beta1 that makes it no worse; that is known.
func validateRoom(request *admissionv1.AdmissionRequest) (added, known field.ErrorList, err error) {
	var nsm document
	before := document{fields: object{}}
	if err := nsm.UnmarshalJSON(request.Object.Raw); err != nil {
		return nil, nil, err
	}
	if request.Operation == admissionv1.Update {
		if err := before.UnmarshalJSON(request.OldObject.Raw); err != nil {
			return nil, nil, err
		}
	}
	if isGoing(nsm.fields) {
		return nil, nil, nil
	}
	if isInV1alpha1(request) && (isCut(before.fields) || isCut(nsm.fields)) {
		return field.ErrorList{field.Forbidden(field.NewPath("spec"), fmt.Sprintf(
			"part of it would be lost in the other version: the annotations of an object hold %d KiB, and there is no room left; write it in %s, or remove other annotations in that version",
			inKiB(conversion.MaxTotal), nsmv1beta1.GroupVersion))}, nil, nil
	}
	is, err := roomInV1alpha1(nsm.fields)
	if err != nil || is.missing() == 0 {
		return nil, nil, err
	}
	was, err := roomInV1alpha1(before.fields)
	if err != nil || is.missing() > was.missing() {
		return field.ErrorList{is.mistake()}, nil, err
	}
	return nil, field.ErrorList{is.mistake()}, nil
}

// isGoing tells whether the write is the last one of an object: it loses its last
// finalizer, and nothing of it is stored.
func isGoing(nsm object) bool {
	metadata := child(nsm, "metadata")
	finalizers, _ := metadata["finalizers"].([]any)
	return text(metadata, "deletionTimestamp") != "" && len(finalizers) == 0
}

// isCut tells whether conversion may have left something out of an NSM that comes
// from v1alpha1, or has not had the room to say so.
func isCut(nsm object) bool {
	value := text(annotations(nsm), conversion.Annotation)
	return value == conversion.TooLarge ||
		value == "" && size(annotations(nsm))+len(conversion.Annotation)+len(conversion.TooLarge) > conversion.MaxTotal
}
