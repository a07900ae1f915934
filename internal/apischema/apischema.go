// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package apischema checks an NSM by the OpenAPI schema and the CEL rules of
// v1beta1, with the API server's own code. The API server does so itself for
// what is written in v1beta1, and not for what is written in v1alpha1.
package apischema

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	openapi "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/config/crd"
)

// Schema is that of v1beta1, compiled. It can be used by many at a time.
type Schema struct {
	structural *structural.Structural
	openapi    openapi.SchemaValidator
	rules      *cel.Validator
}

// V1beta1 is the schema that the operator was built with. It takes some megabytes, so
// it is compiled when somebody first asks for it.
var V1beta1 = sync.OnceValues(New)

// New compiles the schema of the CustomResourceDefinition that the operator was
// built with.
func New() (*Schema, error) {
	props, err := read()
	if err != nil {
		return nil, err
	}
	structure, err := structural.NewStructural(props)
	if err != nil {
		return nil, err
	}
	validator, _, err := openapi.NewSchemaValidator(props)
	if err != nil {
		return nil, err
	}
	return &Schema{
		structural: structure,
		openapi:    validator,
		rules:      cel.NewValidator(structure, true, celconfig.PerCallLimit),
	}, nil
}

// read finds the schema of v1beta1, in the form that the API server's code takes.
func read() (*apiextensions.JSONSchemaProps, error) {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.NSM, &definition); err != nil {
		return nil, err
	}
	for i := range definition.Spec.Versions {
		version := &definition.Spec.Versions[i]
		if version.Name != nsmv1beta1.GroupVersion.Version {
			continue
		}
		props := &apiextensions.JSONSchemaProps{}
		return props, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
			version.Schema.OpenAPIV3Schema, props, nil)
	}
	return nil, fmt.Errorf("the CustomResourceDefinition has no version %s", nsmv1beta1.GroupVersion.Version)
}

// Check lists what the schema and its rules have against an NSM, its status left
// aside.
func (s *Schema) Check(ctx context.Context, nsm *nsmv1beta1.NSM) (field.ErrorList, error) {
	written, err := json.Marshal(nsm)
	if err != nil {
		return nil, err
	}
	return s.CheckJSON(ctx, written)
}

// CheckJSON does so with an NSM as it was written. As in the API server, rules are not
// tried on an object whose structure they could not rely on.
func (s *Schema) CheckJSON(ctx context.Context, written []byte) (field.ErrorList, error) {
	var document map[string]any
	if err := utiljson.Unmarshal(written, &document); err != nil {
		return nil, err
	}
	delete(document, "status")
	if name, _, _ := unstructured.NestedString(document, "metadata", "name"); name == "" {
		// With generateName, the API server makes a name after defaulting, and a short one.
		_ = unstructured.SetNestedField(document, "name", "metadata", "name")
	}
	errs := openapi.ValidateCustomResource(nil, document, s.openapi)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, document)...)
	if !isBroken(errs) {
		broken, _ := s.rules.Validate(ctx, nil, s.structural, document, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	for _, err := range errs {
		if err.Field == "<nil>" {
			// A rule for the object as a whole.
			err.Field = "metadata"
		}
		// The path stands before the sentence already.
		err.Detail = pathInBody.ReplaceAllString(err.Detail, "")
	}
	// The API server's code walks through maps.
	slices.SortStableFunc(errs, func(a, b *field.Error) int { return cmp.Compare(a.Field, b.Field) })
	return errs, nil
}

var pathInBody = regexp.MustCompile(`^\S+ in body `)

// isBroken reports whether rules cannot rely on the structure of an object. They
// can where a value is merely not one of those that are allowed.
func isBroken(errs field.ErrorList) bool {
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		default:
		}
	}
	return false
}
