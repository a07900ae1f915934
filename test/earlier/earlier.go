// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package earlier has what the operator's releases 1.8.0 and 1.9 leave in a
// cluster, for the tests of the way from there. The objects are as those releases
// send them; the API server adds its defaults, and the managed fields when they are
// created in the name of FieldOwner.
package earlier

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

//go:embed testdata
var files embed.FS

// FieldOwner is the name of the earlier operator in managedFields: that of its
// program.
const FieldOwner = client.FieldOwner("manager")

// Kind of an NSM, as the earlier operator wrote it into owner references.
var Kind = schema.GroupVersionKind{Group: "nsm.networkservicemesh.io", Version: "v1alpha1", Kind: "NSM"}

// Examples are the NSMs that there are, by the name of their files: nsm-<example>.yaml
// and, for what the earlier operator makes of one, mesh-<example>.yaml.
func Examples() []string { return []string{"alm-example", "memory", "nested"} }

// NSM is that of an example, in v1alpha1.
func NSM(example string) *unstructured.Unstructured { return read("nsm-" + example)[0] }

// Definitions are that of NSMs, which knows v1alpha1 alone, and those of what a
// registry keeps.
func Definitions() []*unstructured.Unstructured { return read("crd") }

// Operator is the earlier operator itself, as its "make deploy" installs it.
func Operator() []*unstructured.Unstructured { return read("operator") }

// Mesh is what the earlier operator has made of an example's NSM, which has to be
// stored: it is in the NSM's namespace, and owned by it.
func Mesh(example string, nsm client.Object) []*unstructured.Unstructured {
	objects := read("mesh-" + example)
	for _, object := range objects {
		object.SetNamespace(nsm.GetNamespace())
		object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(nsm, Kind)})
	}
	return objects
}

// Registered is what a registry keeps in the namespace of the NSMs: a network service and an
// endpoint of it.
func Registered() []*unstructured.Unstructured { return read("registered") }

// read a file. They are compiled in, so that none of them can be missing or wrong
// where a test has read it once.
func read(name string) []*unstructured.Unstructured {
	content, err := files.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		panic(err)
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), len(content))
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects
		case err != nil:
			panic(fmt.Errorf("%s: %w", name, err))
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}
