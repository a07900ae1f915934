// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Conversion works on JSON as it came and not on the Go types of the API: what
// no Go type holds, such as an unknown field or a value of the wrong type, would
// be lost on the way through them, or make the whole conversion fail.

// object is a JSON object.
type object = map[string]any

// absent stands for what is not there, which is not the same as null.
type absent struct{}

var nothing any = absent{}

// document is an NSM of one version.
type document struct {
	// ObjectMeta is always empty. controller-runtime asks for its methods of what
	// it converts, and calls none.
	metav1.ObjectMeta
	fields object
}

// Parse reads a JSON object, and leaves numbers as they were written.
func Parse(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var fields object
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("an NSM must be a JSON object")
	}
	return fields, nil
}

// UnmarshalJSON takes any JSON object.
func (d *document) UnmarshalJSON(data []byte) (err error) {
	d.fields, err = Parse(data)
	return err
}

// MarshalJSON writes the document; the same one always in the same way.
func (d *document) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.fields)
}

// GetObjectKind implements runtime.Object.
func (d *document) GetObjectKind() schema.ObjectKind { return d }

// SetGroupVersionKind implements schema.ObjectKind.
func (d *document) SetGroupVersionKind(kind schema.GroupVersionKind) {
	if d.fields == nil {
		d.fields = object{}
	}
	d.fields["apiVersion"], d.fields["kind"] = kind.ToAPIVersionAndKind()
}

// GroupVersionKind implements schema.ObjectKind.
func (d *document) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(text(d.fields, "apiVersion"), text(d.fields, "kind"))
}

// V1alpha1Document is an NSM of v1alpha1. A scheme knows versions by their Go types.
type V1alpha1Document struct{ document }

// V1beta1Document is an NSM of v1beta1.
type V1beta1Document struct{ document }

// DeepCopyObject implements runtime.Object.
func (d *V1alpha1Document) DeepCopyObject() runtime.Object {
	return &V1alpha1Document{document{fields: runtime.DeepCopyJSON(d.fields)}}
}

// DeepCopyObject implements runtime.Object.
func (d *V1beta1Document) DeepCopyObject() runtime.Object {
	return &V1beta1Document{document{fields: runtime.DeepCopyJSON(d.fields)}}
}

// get is the member of an object, or nothing.
func get(from object, key string) any {
	if value, ok := from[key]; ok {
		return value
	}
	return nothing
}

// set gives an object a member, or takes it away where the value is nothing.
func set(into object, key string, value any) {
	if value == nothing {
		delete(into, key)
		return
	}
	into[key] = value
}

// text is a member that is a string; "" where it is none.
func text(from object, key string) string {
	value, _ := from[key].(string)
	return value
}

// setText gives an object a string, or takes it away where it is empty.
func setText(into object, key, value string) {
	if value == "" {
		delete(into, key)
		return
	}
	into[key] = value
}

// child is a member that is an object; nil, which reads like an empty one,
// where it is none.
func child(from object, key string) object {
	value, _ := from[key].(object)
	return value
}

// ensureChild is a member that is an object, made one where it is none.
func ensureChild(from object, key string) object {
	value, ok := from[key].(object)
	if !ok {
		value = object{}
		from[key] = value
	}
	return value
}

func has(from object, key string) bool {
	_, ok := from[key]
	return ok
}

func same(one, other any) bool {
	return reflect.DeepEqual(one, other)
}

// names lists the names of the elements of a list; ok where each has one, and
// each another, and there are not too many.
func names(list []any) ([]string, bool) {
	if len(list) > maxNamed {
		return nil, false
	}
	found := make([]string, 0, len(list))
	for _, item := range list {
		element, _ := item.(object)
		name := text(element, "name")
		if name == "" || slices.Contains(found, name) {
			return nil, false
		}
		found = append(found, name)
	}
	return found, true
}

// without is an object without some of its members.
func without(from object, keys ...string) object {
	rest := maps.Clone(from)
	for _, key := range keys {
		delete(rest, key)
	}
	return rest
}

// clone copies a JSON value.
func clone(value any) any {
	if value == nothing {
		return nothing
	}
	return runtime.DeepCopyJSONValue(value)
}
