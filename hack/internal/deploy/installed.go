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

// madeAtRunTime is what the operator makes as soon as it runs, whatever meshes there are.
func madeAtRunTime() objects {
	return objects{named(kindMutating, "nsm-operator-defaults"), named(kindValidating, "nsm-operator-validation")}
}

// Outside names what Up and the operator that it installs make outside of the namespaces that
// Up makes.
func Outside(ctx context.Context, s *Settings) ([]string, error) {
	m, err := render(ctx, s)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, object := range append(m.all(), madeAtRunTime()...) {
		if object.GetKind() != kindNamespace && !slices.Contains(s.Namespaces(), object.GetNamespace()) {
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
	for _, object := range append(m.all(), madeAtRunTime()...) {
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
