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

// Steps of a path: into an object by key, into a list by the name of an element.
const (
	intoKey  = "."
	intoName = "#"
)

// maxNamed is the length up to which lists are compared element by element.
// Those in the schema hold at most 128.
const maxNamed = 256

// differences lists the places in which two JSON values differ, so that applied
// to the first they give the second. Each holds what was there, so that applied
// to a third value they change only what has not changed there.
func differences(was, is any) []Difference {
	return appendDifferences(nil, nil, was, is)
}

func appendDifferences(all []Difference, path []string, was, is any) []Difference {
	if same(was, is) {
		return all
	}
	if len(path) == MaxPath {
		return append(all, leaf(path, was, is))
	}
	wasObject, wasIsObject := asObject(was)
	isObject, isIsObject := asObject(is)
	if wasIsObject && isIsObject {
		return appendObjects(all, path, wasObject, isObject)
	}
	wasList, wasIsList := was.([]any)
	isList, isIsList := is.([]any)
	if wasIsList && isIsList {
		wasNames, wasNamed := names(wasList)
		isNames, isNamed := names(isList)
		if wasNamed && isNamed && len(wasNames) > 0 && len(isNames) > 0 {
			return appendLists(all, path, wasList, isList)
		}
	}
	return append(all, leaf(path, was, is))
}

// asObject takes nothing for an empty object: a difference then goes down to
// what the other side has in it, and leaves room for what may come beside it.
func asObject(value any) (object, bool) {
	if value == nothing {
		return nil, true
	}
	fields, ok := value.(object)
	return fields, ok
}

func appendObjects(all []Difference, path []string, was, is object) []Difference {
	if was == nil && len(is) == 0 {
		return append(all, leaf(path, nothing, is))
	}
	keys := maps.Clone(was)
	if keys == nil {
		keys = object{}
	}
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		all = appendDifferences(all, step(path, intoKey+key), get(was, key), get(is, key))
	}
	if is == nil {
		// When all in it is gone, the object goes too.
		all = append(all, leaf(path, object{}, nothing))
	}
	return all
}

// appendLists compares lists by the names of their elements, and then their order.
func appendLists(all []Difference, path []string, was, is []any) []Difference {
	wasNames, _ := names(was)
	isNames, _ := names(is)
	order := slices.DeleteFunc(slices.Clone(wasNames), func(name string) bool { return !slices.Contains(isNames, name) })
	for i, name := range wasNames {
		if j := slices.Index(isNames, name); j >= 0 {
			all = appendDifferences(all, step(path, intoName+name), was[i], is[j])
		} else {
			all = append(all, leaf(step(path, intoName+name), was[i], nothing))
		}
	}
	for j, name := range isNames {
		if !slices.Contains(wasNames, name) {
			all = append(all, leaf(step(path, intoName+name), nothing, is[j]))
			order = append(order, name)
		}
	}
	if !slices.Equal(order, isNames) {
		all = append(all, Difference{Path: path, WasOrder: order, IsOrder: isNames})
	}
	return all
}

func step(path []string, next string) []string {
	return append(slices.Clip(path), next)
}

func leaf(path []string, was, is any) Difference {
	difference := Difference{Path: path}
	if was != nothing {
		difference.Was = []any{was}
	}
	if is != nothing {
		difference.Is = []any{is}
	}
	return difference
}

func side(values []any) any {
	if len(values) == 0 {
		return nothing
	}
	return values[0]
}

// applyDifferences makes the changes to a value that it has not had otherwise
// since: where it does not hold what was there, what it holds wins.
func applyDifferences(value any, all []Difference) any {
	for _, difference := range all {
		value = applyAt(value, difference.Path, difference)
	}
	return value
}

func applyAt(value any, path []string, difference Difference) any {
	if len(path) == 0 {
		return applyHere(value, difference)
	}
	if key, ok := strings.CutPrefix(path[0], intoKey); ok {
		return applyInObject(value, key, path[1:], difference)
	}
	list, _ := value.([]any)
	if len(list) > maxNamed {
		return value
	}
	name := strings.TrimPrefix(path[0], intoName)
	i := slices.IndexFunc(list, func(item any) bool {
		element, _ := item.(object)
		return text(element, "name") == name
	})
	switch {
	case i >= 0:
		changed := applyAt(list[i], path[1:], difference)
		if changed == nothing {
			return slices.Delete(list, i, i+1)
		}
		list[i] = changed
	case len(path) == 1 && list != nil && difference.Was == nil && difference.Is != nil:
		return append(list, clone(difference.Is[0]))
	}
	return value
}

func applyInObject(value any, key string, path []string, difference Difference) any {
	fields, ok := asObject(value)
	if !ok {
		return value
	}
	before := get(fields, key)
	changed := applyAt(before, path, difference)
	if changed == nothing && before == nothing {
		return value
	}
	if fields == nil {
		fields = object{}
	}
	set(fields, key, changed)
	return fields
}

func applyHere(value any, difference Difference) any {
	if difference.IsOrder != nil {
		return reorder(value, difference)
	}
	if !same(value, side(difference.Was)) {
		return value
	}
	return clone(side(difference.Is))
}

func reorder(value any, difference Difference) any {
	list, _ := value.([]any)
	present, named := names(list)
	if !named || !slices.Equal(present, difference.WasOrder) {
		return value
	}
	sortByName(list, difference.IsOrder)
	return list
}

// sortByName puts the elements of a list into the order of their names.
func sortByName(list []any, order []string) {
	slices.SortStableFunc(list, func(one, other any) int {
		oneObject, _ := one.(object)
		otherObject, _ := other.(object)
		return slices.Index(order, text(oneObject, "name")) - slices.Index(order, text(otherObject, "name"))
	})
}
