// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"
)

// clusterServiceVersion is what matters here of that of a bundle.
type clusterServiceVersion struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Install struct {
			Spec struct {
				Deployments []struct {
					Spec appsv1.DeploymentSpec `json:"spec"`
				} `json:"deployments"`
			} `json:"spec"`
		} `json:"install"`
		RelatedImages []struct {
			Name  string `json:"name"`
			Image string `json:"image"`
		} `json:"relatedImages"`
	} `json:"spec"`
}

// bundles that are made, by their directories.
func bundles(t *testing.T) map[string]clusterServiceVersion {
	t.Helper()
	all := map[string]clusterServiceVersion{}
	for _, directory := range []string{"bundle", "bridge"} {
		var found clusterServiceVersion
		if err := yaml.Unmarshal([]byte(read(t, directory+"/manifests/nsm-operator.clusterserviceversion.yaml")), &found); err != nil {
			t.Fatal(err)
		}
		all[directory] = found
	}
	return all
}

// Who installs the operator by OLM has no manifests but the bundle's: the operator makes the
// ServiceMonitor and the alerts there.
func TestOperatorOfBundlesIsWatchedByPrometheus(t *testing.T) {
	t.Parallel()
	for directory, found := range bundles(t) {
		deployments := found.Spec.Install.Spec.Deployments
		if len(deployments) != 1 || !slices.Contains(deployments[0].Spec.Template.Spec.Containers[0].Args, "--monitoring") {
			t.Errorf("%s: no --monitoring in %+v", directory, deployments)
		}
	}
}

// "oc adm must-gather --all-images" goes by an annotation, and whoever mirrors a catalog by
// the related images: both name the image that a release pushes.
func TestBundlesNameTheImageForMustGather(t *testing.T) {
	t.Parallel()
	want := "ghcr.io/networkservicemesh/nsm-operator-must-gather:v" + version
	for directory, found := range bundles(t) {
		if annotated := found.Metadata.Annotations["operators.openshift.io/must-gather-image"]; annotated != want {
			t.Errorf("%s: annotated is %q, want %q", directory, annotated, want)
		}
		var related []string
		for _, image := range found.Spec.RelatedImages {
			if image.Name == "nsm-operator-must-gather" {
				related = append(related, image.Image)
			}
		}
		if !slices.Equal(related, []string{want}) {
			t.Errorf("%s: related are %q, want %q", directory, related, want)
		}
	}
}
