// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// manifest of a bundle.
func manifest[T any](t *testing.T, dir, file string) *T {
	t.Helper()
	object, err := read[T](filepath.Join(dir, "manifests", file))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// The bridge has the schema and the conversion of the release, and stores what the earlier operator has stored.
func TestBridgeDiffersInWhichVersionIsServedAndStored(t *testing.T) {
	crd, released := manifest[apiextensionsv1.CustomResourceDefinition](t, bridgeDir, crdFile),
		manifest[apiextensionsv1.CustomResourceDefinition](t, bundleDir, crdFile)
	var got, want []string
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		if version.Served {
			got = append(got, "serves "+version.Name)
		}
		if version.Storage {
			got = append(got, "stores "+version.Name)
		}
		version.Served, version.Storage = released.Spec.Versions[i].Served, released.Spec.Versions[i].Storage
	}
	want = []string{"serves v1alpha1", "stores v1alpha1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(released, crd); diff != "" {
		t.Error(diff)
	}
	if crd.Spec.Conversion.Strategy != apiextensionsv1.WebhookConverter || crd.Spec.Conversion.Webhook.ClientConfig.CABundle != nil {
		t.Error("NSMs that are stored in the newer version would be read unconverted")
	}
}

func TestBridgeHasTheOperatorOfTheRelease(t *testing.T) {
	csv, released := manifest[v1alpha1.ClusterServiceVersion](t, bridgeDir, csvFile), manifest[v1alpha1.ClusterServiceVersion](t, bundleDir, csvFile)
	deployment := &csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec
	if deployment.MinReadySeconds != secondsToBeCalled {
		t.Errorf("OLM goes on %d seconds after the pods are ready", deployment.MinReadySeconds)
	}
	deployment.MinReadySeconds = 0
	if diff := cmp.Diff(released.Spec.InstallStrategy, csv.Spec.InstallStrategy); diff != "" {
		t.Error(diff)
	}
}

// OLM does not install a CSV that owns a version that is not served.
func TestBridgeOwnsTheVersionThatIsServed(t *testing.T) {
	csv := manifest[v1alpha1.ClusterServiceVersion](t, bridgeDir, csvFile)
	for _, owned := range csv.Spec.CustomResourceDefinitions.Owned {
		if owned.Name == crdName && owned.Version != olderVersion {
			t.Errorf("it owns %s", owned.Version)
		}
	}
}
