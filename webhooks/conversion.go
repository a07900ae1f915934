// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"encoding/json"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

// How nothing is lost. v1beta1 can say all that v1alpha1 can, but for how it was
// said: in which of the shapes, with which of two fields. v1alpha1 can say a part
// of v1beta1 only. So:
//
// An object of v1beta1 carries, in the annotation, the v1alpha1 form that it was
// written in. While nobody has edited it in v1beta1 (a hash tells) that form is
// given back as it was; else the edits are written into it, each into the field
// of it that says the same (putSpec).
//
// An object of v1alpha1 carries the differences between what it says itself and
// its v1beta1 form. They are applied again on the way back, but where the object
// has come to say something else: then it wins.

// ConvertToV1beta1 makes dst say all that src says.
func ConvertToV1beta1(_ context.Context, src *v1alpha1Document, dst *v1beta1Document) error {
	fields, err := toV1beta1(src.fields)
	dst.fields = fields
	return err
}

// ConvertFromV1beta1 makes dst say all that src says.
func ConvertFromV1beta1(_ context.Context, src *v1beta1Document, dst *v1alpha1Document) error {
	fields, err := toV1alpha1(src.fields)
	dst.fields = fields
	return err
}

func toV1beta1(in object) (object, error) {
	out, data := start(in, nsmv1beta1.GroupVersion.String())
	said := saidOf(specUp(get(in, "spec")), statusUp(get(in, "status")))
	said = child(object{"": applyDifferences(said, data.V1beta1)}, "")
	set(out, "spec", get(said, "spec"))
	set(out, "status", get(said, "status"))

	original, err := originalOf(in, out)
	if err != nil {
		return out, err
	}
	return out, keepData(out, conversion.Data{V1alpha1: original})
}

// originalOf is what of the v1alpha1 form of an object does not come back by
// itself.
func originalOf(in, out object) (*conversion.Original, error) {
	var original conversion.Original
	var err error
	if spec := get(in, "spec"); !same(putSpec(nothing, get(out, "spec")), spec) {
		if original.Of, err = hash(get(out, "spec")); err != nil {
			return nil, err
		}
		if original.Spec, err = verbatim(spec); err != nil {
			return nil, err
		}
	}
	if status := get(in, "status"); !same(statusDown(out), status) {
		if original.StatusOf, err = statusHash(out); err != nil {
			return nil, err
		}
		if original.Status, err = verbatim(status); err != nil {
			return nil, err
		}
	}
	if original.Of == "" && original.StatusOf == "" {
		return nil, nil
	}
	return &original, nil
}

func toV1alpha1(in object) (object, error) {
	out, data := start(in, nsmv1alpha1.GroupVersion.String())
	original := conversion.Original{}
	if data.V1alpha1 != nil {
		original = *data.V1alpha1
	}
	spec, err := specDown(in, original)
	if err != nil {
		return out, err
	}
	set(out, "spec", spec)
	status, err := statusDownAs(in, original)
	if err != nil {
		return out, err
	}
	set(out, "status", status)

	said := saidOf(specUp(spec), statusUp(status))
	return out, keepData(out, conversion.Data{
		V1beta1: differences(said, saidOf(get(in, "spec"), get(in, "status"))),
	})
}

// specDown gives back the v1alpha1 spec that an object was written in, with the
// edits made in v1beta1 since.
func specDown(in object, original conversion.Original) (any, error) {
	spec := get(in, "spec")
	if original.Of == "" {
		return putSpec(nothing, spec), nil
	}
	written, ok := read(original.Spec)
	if !ok {
		return putSpec(nothing, spec), nil
	}
	now, err := hash(spec)
	if err != nil || now == original.Of {
		return written, err
	}
	return putSpec(written, spec), nil
}

func statusDownAs(in object, original conversion.Original) (any, error) {
	now, err := statusHash(in)
	if err == nil && now == original.StatusOf {
		if written, ok := read(original.Status); ok {
			return written, nil
		}
	}
	return statusDown(in), err
}

// start copies all of an object but spec and status, and takes the annotation out.
func start(in object, apiVersion string) (object, conversion.Data) {
	out, _ := clone(without(in, "spec", "status")).(object)
	out["apiVersion"] = apiVersion
	if get(out, "metadata") == nothing || out["metadata"] == nil {
		// The API server takes no object without it, though it sends such.
		out["metadata"] = object{}
	}
	data, ok := conversion.Decode(text(annotations(out), conversion.Annotation))
	if ok {
		removeAnnotation(out)
	}
	return out, data
}

func saidOf(spec, status any) object {
	said := object{}
	set(said, "spec", clone(spec))
	set(said, "status", clone(status))
	return said
}

func annotations(of object) object {
	return child(child(of, "metadata"), "annotations")
}

func removeAnnotation(from object) {
	delete(annotations(from), conversion.Annotation)
	if len(annotations(from)) == 0 {
		delete(child(from, "metadata"), "annotations")
	}
}

// keepData writes the annotation, where there is something to write and room
// for it. An annotation that somebody else wrote, and that says nothing, stays
// where nothing has to be written.
func keepData(into object, data conversion.Data) error {
	if data.V1alpha1 == nil && len(data.V1beta1) == 0 {
		return nil
	}
	metadata, ok := into["metadata"].(object)
	if !ok || metadata["annotations"] != nil && annotations(into) == nil {
		// The API server sends none such, and would take back none.
		return nil
	}
	if text(annotations(into), conversion.Annotation) == conversion.TooLarge && data.V1alpha1 != nil {
		// What did not fit on the way here is missing: admission has to know.
		return nil
	}
	value, err := data.Encode()
	if err != nil {
		return err
	}
	delete(annotations(into), conversion.Annotation)
	room := conversion.MaxTotal - size(annotations(into)) - len(conversion.Annotation)
	if len(value) > room {
		value = conversion.TooLarge
	}
	if len(value) <= room {
		ensureChild(metadata, "annotations")[conversion.Annotation] = value
	}
	return nil
}

// size of annotations as the API server counts it.
func size(of object) int {
	total := 0
	for key := range of {
		total += len(key) + len(text(of, key))
	}
	return total
}

func verbatim(value any) (json.RawMessage, error) {
	if value == nothing {
		return nil, nil
	}
	return json.Marshal(value)
}

func read(raw json.RawMessage) (any, bool) {
	if len(raw) == 0 {
		return nothing, true
	}
	var wrapped document
	if wrapped.UnmarshalJSON([]byte(`{"":`+string(raw)+`}`)) != nil {
		return nothing, false
	}
	return wrapped.fields[""], true
}
