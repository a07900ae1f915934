// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1beta1

import (
	"encoding/json"
	"reflect"
	"strings"

	kjson "sigs.k8s.io/json"
)

// UnmarshalJSON never fails on JSON: one object with a value of the wrong type
// must not keep a client from listing and watching all others. Members that the
// type cannot hold are kept in Unreadable.
func (in *NSMSpec) UnmarshalJSON(data []byte) error {
	type plain NSMSpec
	unreadable, err := decode(data, (*plain)(in))
	in.Unreadable = unreadable
	return err
}

// MarshalJSON writes what Unreadable holds beside the fields. A field that has
// been given a value since wins.
func (in NSMSpec) MarshalJSON() ([]byte, error) {
	type plain NSMSpec
	return encode(plain(in), in.Unreadable)
}

// UnmarshalJSON never fails on JSON, as that of NSMSpec.
func (in *NSMStatus) UnmarshalJSON(data []byte) error {
	type plain NSMStatus
	unreadable, err := decode(data, (*plain)(in))
	in.Unreadable = unreadable
	return err
}

// MarshalJSON writes what Unreadable holds beside the fields, as that of
// NSMSpec.
func (in NSMStatus) MarshalJSON() ([]byte, error) {
	type plain NSMStatus
	return encode(plain(in), in.Unreadable)
}

// decode reads JSON into a struct, and returns the members that do not fit. A
// value that is no object at all is returned under the empty name.
func decode[Struct any](data []byte, into *Struct) (map[string]json.RawMessage, error) {
	*into = *new(Struct)
	if kjson.UnmarshalCaseSensitivePreserveInts(data, into) == nil {
		return nil, nil
	}
	*into = *new(Struct)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return map[string]json.RawMessage{"": append(json.RawMessage{}, data...)}, nil //nolint:nilerr // kept, not lost
	}
	unreadable := map[string]json.RawMessage{}
	target := reflect.ValueOf(into).Elem()
	for i := range target.NumField() {
		name, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("json"), ",")
		value, ok := members[name]
		if !ok || name == "-" {
			continue
		}
		field := reflect.New(target.Field(i).Type())
		if kjson.UnmarshalCaseSensitivePreserveInts(value, field.Interface()) != nil {
			unreadable[name] = value
			continue
		}
		target.Field(i).Set(field.Elem())
	}
	return unreadable, nil
}

// encode writes a struct as JSON, with the members that it could not hold.
func encode(from any, unreadable map[string]json.RawMessage) ([]byte, error) {
	data, err := json.Marshal(from)
	if err != nil || len(unreadable) == 0 {
		return data, err
	}
	if whole, ok := unreadable[""]; ok {
		if string(data) == "{}" {
			return whole, nil
		}
		return data, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	for name, value := range unreadable {
		if _, ok := members[name]; !ok {
			members[name] = value
		}
	}
	return json.Marshal(members)
}
