// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package crd_test

import (
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/crd"
)

// mostBytes leaves room below the 262,144 bytes that the annotations of an object may
// have: a plain kubectl apply keeps the whole definition in one, and a Helm release
// has room for it beside all else.
const mostBytes = 200_000

// Whoever adds a field sees here how much room there is left; where it is too little,
// hack/trimcrd is the place to look.
func TestSize(t *testing.T) {
	compact, err := yaml.YAMLToJSON(crd.NSM)
	if err != nil {
		t.Fatal(err)
	}
	if len(compact) >= mostBytes {
		t.Errorf("the CustomResourceDefinition has %d bytes of JSON, and must have fewer than %d", len(compact), mostBytes)
	}
	t.Logf("%d bytes of %d", len(compact), mostBytes)
}

// ofKubernetes are fields of Kubernetes' own types, whose descriptions hack/trimcrd leaves
// out, since they would be there ten times.
var ofKubernetes = []string{"affinity", "clientNamespaces", "env", "resources", "tolerations"}

// kubectl explain tells of every field what it means, and what happens without it.
func TestEachFieldIsExplained(t *testing.T) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(crd.NSM, definition); err != nil {
		t.Fatal(err)
	}
	var explain func(schema *apiextensionsv1.JSONSchemaProps, path string)
	explain = func(schema *apiextensionsv1.JSONSchemaProps, path string) {
		// Of several ways to name a file, one is given.
		isChoice := strings.HasSuffix(path, "sriovConfig") || strings.HasSuffix(path, "deviceSelector")
		for name, field := range schema.Properties {
			at := path + "." + name
			if field.Description == "" {
				t.Errorf("%s has no description", at)
			}
			isOurs := !slices.Contains(ofKubernetes, name)
			isOptional := !slices.Contains(schema.Required, name) && !isChoice
			if isOurs && isOptional && len(field.Properties) == 0 && !strings.Contains(field.Description, "Default:") && !strings.Contains(field.Description, "Default (") {
				t.Errorf("%s: its description does not tell the default: %s", at, field.Description)
			}
			if !isOurs {
				continue
			}
			explain(&field, at)
			if field.Items != nil && field.Items.Schema != nil {
				explain(field.Items.Schema, at+"[]")
			}
		}
	}
	for _, version := range definition.Spec.Versions {
		if spec := version.Schema.OpenAPIV3Schema.Properties["spec"]; version.Storage {
			explain(&spec, "spec")
		}
	}
}

// Who waits for a new NSM sees in either version that the operator has not looked at it: else
// it would be taken for done. A default that comes later is refused by OLM v1.
func TestNewNSMIsNotTakenForDone(t *testing.T) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(crd.NSM, definition); err != nil {
		t.Fatal(err)
	}
	for _, version := range definition.Spec.Versions {
		status := version.Schema.OpenAPIV3Schema.Properties["status"]
		if status.Default == nil || string(status.Default.Raw) != `{"observedGeneration":-1}` {
			t.Errorf("%s: the default of the status is %s", version.Name, status.Default)
		}
		observed := status.Properties["observedGeneration"]
		if observed.Type != "integer" || observed.Minimum != nil && *observed.Minimum > -1 {
			t.Errorf("%s: status.observedGeneration is of type %q, and at least %v", version.Name, observed.Type, observed.Minimum)
		}
	}
	if len(definition.Spec.Versions) != 2 {
		t.Errorf("%d versions", len(definition.Spec.Versions))
	}
}
