// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// misfits lists the members of a v1beta1 spec that are not as the schema wants
// them; one of no name where that is the spec as a whole.
type misfits func(spec any) []string

// misfitsOf is misfits by the Go types.
func misfitsOf(spec any) []string {
	fields, isObject := spec.(object)
	if !isObject {
		return []string{""}
	}
	data, err := json.Marshal(fields)
	var typed nsmv1beta1.NSMSpec
	if err != nil || json.Unmarshal(data, &typed) != nil {
		return slices.Collect(maps.Keys(fields))
	}
	odd := slices.Collect(maps.Keys(typed.Unreadable))
	pruned, _ := known(fields, reflect.TypeFor[plainSpec]()).(object)
	for name, value := range fields {
		if !same(value, get(pruned, name)) {
			odd = append(odd, name)
		}
	}
	if len(mesh.Forwarders(&typed)) < len(typed.Forwarders) {
		odd = append(odd, "forwarders")
	}
	return odd
}

// plainSpec is a spec that does not decode itself, so that known looks into it.
type plainSpec nsmv1beta1.NSMSpec
