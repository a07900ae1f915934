// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apischema"
)

// misfits lists the members of a v1beta1 spec that are not as the schema wants
// them; one of no name where that is the spec as a whole.
type misfits func(spec any) []string

// misfitsOf is misfits by the schema of the CustomResourceDefinition. It is asked
// about specs that differences of the annotation have led to, and so seldom.
func misfitsOf(spec any) []string {
	whole := []string{""}
	fields, isObject := spec.(object)
	if !isObject {
		return whole
	}
	nsm := &nsmv1beta1.NSM{}
	nsm.Name = "mesh"
	data, err := json.Marshal(fields)
	if err != nil || json.Unmarshal(data, &nsm.Spec) != nil {
		return whole
	}
	schema, err := apischema.V1beta1()
	if err != nil {
		return whole
	}
	errs, err := schema.Check(context.Background(), nsm)
	if err != nil {
		return whole
	}
	odd := unknownTo(fields)
	for _, err := range errs {
		name := ""
		if found := memberOfSpec.FindStringSubmatch(err.Field); found != nil {
			name = found[1]
		}
		odd = append(odd, name)
	}
	return odd
}

var memberOfSpec = regexp.MustCompile(`^spec\.([A-Za-z]+)`)

// unknownTo lists the members of a spec that hold fields that v1beta1 does not
// have. The API server would take them away.
func unknownTo(fields object) []string {
	pruned, _ := known(fields, reflect.TypeFor[plainSpec]()).(object)
	var odd []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !same(fields[name], get(pruned, name)) {
			odd = append(odd, name)
		}
	}
	return odd
}

// plainSpec is a spec that does not decode itself, so that known looks into it.
type plainSpec nsmv1beta1.NSMSpec
