// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"maps"
	"slices"
	"strings"
)

// Parts of JSON values: what one of several writers says. Lists whose elements
// have names are taken element by element, all others as one value, which is how
// the API server treats those of v1beta1; but for one.

// atomic is a list that is one value although its elements have names.
const atomic = "forwarders"

// partOf is the part of a value that a field set of managedFields (FieldsV1) names.
func partOf(value any, fields object) any {
	if len(without(fields, ".")) == 0 {
		return clone(value)
	}
	switch value := value.(type) {
	case object:
		out := object{}
		for step, deeper := range fields {
			key, isKey := strings.CutPrefix(step, "f:")
			below, _ := deeper.(object)
			if isKey && has(value, key) {
				set(out, key, partOf(value[key], below))
			}
		}
		return out
	case []any:
		out := []any{}
		for _, item := range value {
			element, _ := item.(object)
			if below, ok := fieldsOfElement(fields, text(element, "name")); ok {
				out = append(out, partOf(element, below))
			}
		}
		return out
	}
	return clone(value)
}

// fieldsOfElement is the field set of the element of a list that has a name.
func fieldsOfElement(fields object, name string) (object, bool) {
	for step, deeper := range fields {
		key, isElement := strings.CutPrefix(step, "k:")
		if !isElement {
			continue
		}
		if named, err := Parse([]byte(key)); err == nil && text(named, "name") == name {
			below, ok := deeper.(object)
			return below, ok
		}
	}
	return nil, false
}

// minus is a value without what a part of it says, however that is valued there.
func minus(value, part any) any {
	switch part := part.(type) {
	case absent:
		return value
	case object:
		if fields, ok := value.(object); ok && len(part) > 0 {
			return objectMinus(fields, part)
		}
	case []any:
		list, ok := value.([]any)
		if _, named := names(part); ok && named && len(part) > 0 {
			if _, named := names(list); named {
				return listMinus(list, part)
			}
		}
	}
	return nothing
}

func objectMinus(value, part object) any {
	rest := object{}
	for key, member := range value {
		if key == atomic && has(part, key) {
			continue
		}
		set(rest, key, minus(member, get(part, key)))
	}
	if len(rest) == 0 {
		return nothing
	}
	return rest
}

func listMinus(value, part []any) any {
	rest := []any{}
	for _, item := range value {
		element, _ := item.(object)
		left := item
		if i := indexOfName(part, text(element, "name")); i >= 0 {
			left = minus(item, part[i])
			if fields, ok := left.(object); ok {
				// An element that keeps something keeps its name.
				fields["name"] = element["name"]
			}
		}
		if left != nothing {
			rest = append(rest, left)
		}
	}
	if len(rest) == 0 {
		return nothing
	}
	return rest
}

func indexOfName(list []any, name string) int {
	return slices.IndexFunc(list, func(item any) bool {
		element, _ := item.(object)
		return text(element, "name") == name
	})
}

// plus is a value with what a part says put into it.
func plus(value, part any) any {
	switch part := part.(type) {
	case absent:
		return value
	case object:
		fields, ok := value.(object)
		if !ok {
			break
		}
		out := maps.Clone(fields)
		for key, member := range part {
			if key == atomic {
				set(out, key, clone(member))
				continue
			}
			set(out, key, plus(get(fields, key), member))
		}
		return out
	case []any:
		list, ok := value.([]any)
		_, valueNamed := names(list)
		if _, named := names(part); !ok || !named || !valueNamed {
			break
		}
		out := []any{}
		for _, item := range part {
			element, _ := item.(object)
			if i := indexOfName(list, text(element, "name")); i >= 0 {
				item = plus(list[i], item)
			}
			out = append(out, item)
		}
		for _, item := range list {
			if element, _ := item.(object); indexOfName(part, text(element, "name")) < 0 {
				out = append(out, item)
			}
		}
		return out
	}
	return clone(part)
}

// common is the part of a value that another value says in the same way.
func common(value, other any) any {
	if same(value, other) {
		return value
	}
	fields, isObject := value.(object)
	others, areObjects := other.(object)
	if isObject && areObjects {
		out := object{}
		for key, member := range fields {
			set(out, key, common(member, get(others, key)))
		}
		if len(out) == 0 {
			return nothing
		}
		return out
	}
	list, _ := value.([]any)
	otherList, _ := other.([]any)
	out := []any{}
	for _, item := range list {
		element, _ := item.(object)
		i := indexOfName(otherList, text(element, "name"))
		if text(element, "name") == "" || i < 0 {
			continue
		}
		if shared := common(item, otherList[i]); shared != nothing {
			out = append(out, shared)
		}
	}
	if len(out) == 0 {
		return nothing
	}
	return out
}

// places lists where a value says something: "spec.forwarders[vpp].type".
func places(value any, path string) []string {
	switch value := value.(type) {
	case absent:
		return nil
	case object:
		var all []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			all = append(all, places(value[key], path+"."+key)...)
		}
		if len(value) > 0 {
			return all
		}
	case []any:
		if found, named := names(value); named && len(found) > 0 {
			var all []string
			for i, name := range found {
				element, _ := value[i].(object)
				below := places(without(element, "name"), path+"["+name+"]")
				if len(without(element, "name")) == 0 {
					below = []string{path + "[" + name + "]"}
				}
				all = append(all, below...)
			}
			return all
		}
	}
	return []string{path}
}
