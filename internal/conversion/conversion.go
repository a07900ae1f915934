// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package conversion converts NSMs between the versions of the API, as pure
// functions on their JSON, so that nothing is lost either way. It knows the
// annotation in which an NSM of one version carries what only the other version can
// say, tells what in it nobody understands, and puts right what a write through one
// version does to the other (Write). webhooks serves it to the API server.
package conversion

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// How nothing is lost. v1beta1 can say all that v1alpha1 can, but for how it was
// said: in which of the shapes, with which of two fields. v1alpha1 can say a part
// of v1beta1 only. So:
//
// An object of v1beta1 carries, in the annotation, the v1alpha1 form that it was
// written in. That form is given back as it was while it still says of the object
// all that v1alpha1 can say; else what has changed is written into it, each
// change into the field of it that says the same (putSpec).
//
// An object of v1alpha1 carries the differences between what it says itself and
// its v1beta1 form. They are applied again on the way back, but where the object
// has come to say something else: then it wins.
//
// Anybody who may write an object's metadata may write the annotation. So what it
// holds is never believed, only compared: an original counts where it says what
// the object says, differences where the object that they lead to is one that
// the schema allows and that v1alpha1 shows as the one at hand. Whatever comes
// of a forged annotation could have been written honestly.
//
// The status is never carried: each version can say the other's.

// ToV1beta1 makes dst say all that src says.
func ToV1beta1(_ context.Context, src *V1alpha1Document, dst *V1beta1Document) error {
	fields, err := toV1beta1(src.fields, misfitsOf)
	dst.fields = fields
	return err
}

// ToV1alpha1 makes dst say all that src says.
func ToV1alpha1(_ context.Context, src *V1beta1Document, dst *V1alpha1Document) error {
	fields, err := toV1alpha1(src.fields)
	dst.fields = fields
	return err
}

func toV1beta1(in object, misfits misfits) (object, error) {
	out, data := start(in, nsmv1beta1.GroupVersion.String())
	written := get(in, "spec")
	spec := specUpAs(written, data.V1beta1, misfits)
	set(out, "spec", spec)
	set(out, "status", statusUp(get(in, "status")))

	inHand, err := inHandOf(in, data)
	if err != nil {
		return out, err
	}
	original, err := originalOf(written, spec)
	if err != nil {
		return out, err
	}
	return out, keepData(out, Data{V1alpha1: original, InHand: inHand})
}

// originalOf keeps how a v1beta1 spec was written in v1alpha1; nil where it would be
// written so anyway.
func originalOf(written, spec any) (*Original, error) {
	if same(putSpec(nothing, spec), written) {
		return nil, nil
	}
	raw, err := verbatim(written)
	return &Original{Spec: raw}, err
}

// inHandOf keeps what the API server has in hand in a server-side apply. It then
// converts the object that is stored, with what is applied put in, to and fro, and
// takes fields away in between: what admission gets to see in the end need not
// be what was applied.
//
// Such an object is known by its resource version: one that is read from the
// store, or on its way into it, has none yet, or none any more. Objects in
// admission have one, too; admission takes out what it does not want to be kept.
func inHandOf(in object, data Data) (*InHand, error) {
	switch {
	case text(child(in, "metadata"), "resourceVersion") == "":
		return nil, nil
	case data.InHand != nil:
		return data.InHand, nil
	}
	spec, err := verbatim(get(in, "spec"))
	return &InHand{APIVersion: text(in, "apiVersion"), Spec: spec}, err
}

func toV1alpha1(in object) (object, error) {
	out, data := start(in, nsmv1alpha1.GroupVersion.String())
	spec, beyond := lower(get(in, "spec"), data.V1alpha1)
	set(out, "spec", spec)
	set(out, "status", statusDown(in))
	inHand, err := inHandOf(in, data)
	if err != nil {
		return out, err
	}
	if inHand != nil && inHand.APIVersion == "" {
		inHand = nil
	}
	return out, keepData(out, Data{V1beta1: beyond, InHand: inHand})
}

// lower is a spec in v1alpha1, and what it does not say of the one in v1beta1.
func lower(spec any, original *Original) (any, []Difference) {
	written := specDown(spec, original)
	return written, differences(inSpec(specUp(written)), inSpec(spec))
}

// specDown gives back the v1alpha1 spec that an object was written in, with the
// edits made in v1beta1 since.
func specDown(spec any, original *Original) any {
	if original == nil || len(original.Spec) == 0 {
		return putSpec(nothing, spec)
	}
	written, ok := read(original.Spec)
	if !ok {
		return putSpec(nothing, spec)
	}
	if saysAll(written, spec) {
		return written
	}
	if shown := putSpec(written, spec); saysAll(shown, spec) {
		return shown
	}
	// It would not come back as it is.
	return putSpec(nothing, spec)
}

// saysAll reports whether a v1alpha1 spec says of a v1beta1 spec all that v1alpha1
// has words for, and nothing else.
func saysAll(written, spec any) bool {
	_, isObject := written.(object)
	_, shallBe := spec.(object)
	return isObject == shallBe && same(wouldSay(written, spec), specUp(written))
}

// wouldSay is what a v1alpha1 spec would mean after a v1beta1 spec had been
// written into it. That the images come from elsewhere may be left unsaid: a
// field added to a nested spec can make it a flat one, which has a word for it.
func wouldSay(written, spec any) any {
	shown, _ := putSpec(written, spec).(object)
	before, _ := written.(object)
	if text(shown, "registry") != "" && text(before, "registry") == "" {
		set(shown, "registry", get(before, "registry"))
	}
	if shown == nil {
		return nothing
	}
	return specUp(shown)
}

// specUpAs is what a v1alpha1 spec says, with the differences to the v1beta1
// spec that it comes from.
func specUpAs(written any, carried []Difference, misfits misfits) any {
	said := specUp(written)
	if len(carried) == 0 {
		return said
	}
	changed, _ := applyDifferences(inSpec(clone(said)), carried).(object)
	spec := get(changed, "spec")
	before, isObject := said.(object)
	after, becomesObject := spec.(object)
	switch {
	case isObject != becomesObject:
		return said
	case !isObject && len(misfits(spec)) > 0:
		return said
	case !isObject:
		return spec
	}
	return agreed(written, before, after, misfits)
}

// agreed is a v1beta1 spec without what does not fit the schema, and without what
// the v1alpha1 spec that is written contradicts, which said is the plain meaning of.
func agreed(written any, said, spec object, misfits misfits) object {
	odd := misfits(spec)
	if slices.Contains(odd, "") {
		return said
	}
	for _, name := range odd {
		set(spec, name, clone(get(said, name)))
	}
	shown := wouldSay(written, spec)
	if same(shown, said) {
		return spec
	}
	// What v1alpha1 has words for is as it says. That is all that was wrong, as a rule.
	changed, isObject := applyDifferences(clone(spec), differences(shown, said)).(object)
	if isObject && saysAll(written, changed) && len(misfits(changed)) == 0 {
		return changed
	}
	return agreedOne(written, said, spec)
}

// agreedOne takes, one by one, those members of a v1beta1 spec that change nothing
// of what is said in v1alpha1: also those that it does not have.
func agreedOne(written any, said, spec object) object {
	agreed, _ := clone(said).(object)
	wouldBe := wouldSay(written, agreed)
	members := maps.Clone(said)
	maps.Copy(members, spec)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		plain := get(agreed, name)
		set(agreed, name, get(spec, name))
		if !same(wouldSay(written, agreed), wouldBe) {
			set(agreed, name, plain)
		}
	}
	return agreed
}

func inSpec(spec any) object {
	wrapped := object{}
	set(wrapped, "spec", spec)
	return wrapped
}

// start copies all of an object but spec and status, and takes the annotation out.
func start(in object, apiVersion string) (object, Data) {
	out, _ := clone(without(in, "spec", "status")).(object)
	out["apiVersion"] = apiVersion
	if get(out, "metadata") == nothing || out["metadata"] == nil {
		// The API server takes no object without it, though it sends such.
		out["metadata"] = object{}
	}
	data, ok := Decode(text(annotations(out), Annotation))
	if ok {
		removeAnnotation(out)
	}
	return out, data
}

func annotations(of object) object {
	return child(child(of, "metadata"), "annotations")
}

func removeAnnotation(from object) {
	delete(annotations(from), Annotation)
	if len(annotations(from)) == 0 {
		delete(child(from, "metadata"), "annotations")
	}
}

// keepData writes the annotation, where there is something to write and room
// for it. An annotation that somebody else wrote, and that says nothing, stays
// where nothing has to be written.
func keepData(into object, data Data) error {
	if data.IsEmpty() {
		return nil
	}
	metadata, ok := into["metadata"].(object)
	if !ok || metadata["annotations"] != nil && annotations(into) == nil {
		// The API server sends none such, and would take back none.
		return nil
	}
	if text(annotations(into), Annotation) == TooLarge && len(data.V1beta1) == 0 {
		// What did not fit on the way here is missing: admission has to know.
		return nil
	}
	value, err := data.Encode()
	if err != nil {
		return err
	}
	delete(annotations(into), Annotation)
	room := MaxTotal - size(annotations(into)) - len(Annotation)
	if data.InHand != nil && (len(value) > room || value == TooLarge) {
		data.InHand = nil
		return keepData(into, data)
	}
	if len(value) > room {
		value = TooLarge
	}
	if len(value) <= room {
		ensureChild(metadata, "annotations")[Annotation] = value
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
	wrapped, err := Parse([]byte(`{"":` + string(raw) + `}`))
	if err != nil {
		return nothing, false
	}
	return wrapped[""], true
}
