// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Parse reads the objects of a manifest: YAML documents.
func Parse(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("splitting YAML documents: %w", err)
		}
		content := map[string]any{}
		if err := yaml.Unmarshal(document, &content); err != nil {
			return nil, fmt.Errorf("reading YAML: %w", err)
		}
		if len(content) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: asWorkload(content)})
		}
	}
}

// asWorkload is a Deployment of the pod, where NSM publishes a bare pod: a pod that
// nobody brings back is compared with what brings it back.
func asWorkload(object map[string]any) map[string]any {
	if object["kind"] != "Pod" {
		return object
	}
	metadata, _ := object["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	app := map[string]any{"app": labels["app"]}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": metadata["name"], "labels": app},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": app},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": object["spec"]},
		},
	}
}

// FromObject turns a typed object into the form in which objects are compared.
func FromObject(object runtime.Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("converting a rendered %T: %w", object, err)
	}
	return &unstructured.Unstructured{Object: content}, nil
}
