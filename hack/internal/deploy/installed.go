// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ClusterWide names what Up applies that belongs to no namespace, but for namespaces.
func ClusterWide(ctx context.Context, s *Settings) ([]string, error) {
	m, err := render(ctx, s)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, object := range m.all() {
		if object.GetNamespace() == "" && object.GetKind() != kindNamespace {
			names = append(names, nameOf(object))
		}
	}
	return names, nil
}

// Installed names what there is of all that Down removes: what Up applies, by whatever
// settings, and what the operator and meshes make that no namespace takes with it.
func (c *Cluster) Installed(ctx context.Context, s *Settings) ([]string, error) {
	m, err := render(ctx, s)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, object := range append(m.all(), named(kindMutating, "nsm-operator-defaults"), named(kindValidating, "nsm-operator-validation")) {
		there, err := c.find(ctx, object.GroupVersionKind(), object.GetNamespace(), object.GetName())
		if err != nil {
			return nil, err
		}
		if there != nil {
			names = append(names, nameOf(there))
		}
	}
	byUp := client.MatchingLabels{labelMadeBy: madeByDeploy}
	for _, kind := range append([]schema.GroupVersionKind{kindNamespaces, kindCRD}, ofSpire...) {
		if names, err = c.addNames(ctx, names, kind, byUp); err != nil {
			return nil, err
		}
	}
	byMeshes := []client.ListOption{client.MatchingLabels{labelMadeBy: operatorName}, client.HasLabels{labelMesh, labelMeshNamespace}}
	for _, kind := range ofMeshes {
		if names, err = c.addNames(ctx, names, kind, byMeshes...); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// addNames adds those of objects.
func (c *Cluster) addNames(ctx context.Context, names []string, kind schema.GroupVersionKind, options ...client.ListOption) ([]string, error) {
	found, err := c.list(ctx, kind, options...)
	for i := range found {
		names = append(names, nameOf(&found[i]))
	}
	return names, err
}
