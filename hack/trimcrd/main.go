// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Trimcrd removes the descriptions within embedded Kubernetes types from a
// CustomResourceDefinition, in place. Our own fields keep theirs, for kubectl
// explain; without the others the definition stays small enough for a plain
// kubectl apply, whose annotation holds at most 256 KiB.
//
// Nor do these types say of a list that it is atomic, which is what a list is that
// says nothing: of the definition that was a twelfth.
//
// It also removes the anyOf of fields that take an integer or a string:
// x-kubernetes-int-or-string says the same, and the API server's message for it
// names both types, where that for anyOf says nothing.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// embedded names the properties whose types are Kubernetes' own.
var embedded = map[string]bool{
	"affinity": true, "clientNamespaces": true, "conditions": true, "env": true,
	"envVars": true, "resources": true, "tolerations": true,
}

func main() {
	for _, file := range os.Args[1:] {
		if err := trimFile(file); err != nil {
			fmt.Fprintf(os.Stderr, "trimcrd: %s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

func trimFile(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd map[string]any
	if err := yaml.Unmarshal(data, &crd); err != nil {
		return err
	}
	trim(crd, false)
	if data, err = yaml.Marshal(crd); err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte("---\n"), data...), 0o644)
}

// trim walks a schema; inside reports whether it is within an embedded type.
func trim(node any, inside bool) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			trim(item, inside)
		}
	case map[string]any:
		if _, isText := node["description"].(string); isText && inside {
			delete(node, "description")
		}
		if inside && node["x-kubernetes-list-type"] == "atomic" {
			delete(node, "x-kubernetes-list-type")
		}
		if node["x-kubernetes-int-or-string"] == true {
			delete(node, "anyOf")
		}
		for key, value := range node {
			if properties, ok := value.(map[string]any); ok && key == "properties" {
				trimProperties(properties, inside)
				continue
			}
			trim(value, inside)
		}
	}
}

// trimProperties keeps the description of each property itself where the type
// around it is ours.
func trimProperties(properties map[string]any, inside bool) {
	for name, schema := range properties {
		if !inside && embedded[name] {
			if fields, ok := schema.(map[string]any); ok {
				description, described := fields["description"]
				trim(fields, true)
				if described {
					fields["description"] = description
				}
			}
			continue
		}
		trim(schema, inside)
	}
}
