// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Whoever mirrors images finds all that the newest release needs in the docs,
// with the variables that redirect them, and OLM's tools find them in the CSV.
func TestImagesAreListed(t *testing.T) {
	var redirected []string
	images := imagesOf(t, nil)
	rows := map[string]bool{}
	for name, image := range images {
		variable := "RELATED_IMAGE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		redirected = append(redirected, variable+"=mirror.example.com/"+name+":redirected")
		rows["| `"+variable+"` | `"+image+"` |"] = true
	}
	for name, image := range imagesOf(t, mesh.RelatedImages(redirected)) {
		if image != "mirror.example.com/"+name+":redirected" {
			t.Errorf("no variable redirects %s", image)
		}
	}
	if told := tableOfImages(t); !slices.Equal(told, slices.Sorted(maps.Keys(rows))) {
		t.Errorf("docs/disconnected.md has the images\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(slices.Sorted(maps.Keys(rows)), "\n"))
	}
	if known := mesh.ImageNames(); !slices.Equal(known, slices.Sorted(maps.Keys(images))) {
		t.Errorf("the images that an NSM may override are %v, want %v", known, slices.Sorted(maps.Keys(images)))
	}
	listed := relatedImages(t)
	// What gathers support data is of the operator's release, not of NSM's.
	if listed[mustGather] == "" {
		t.Errorf("spec.relatedImages have no %s", mustGather)
	}
	delete(listed, mustGather)
	if !maps.Equal(listed, images) {
		t.Errorf("spec.relatedImages of the CSV in config/manifests/bases are %v, want %v", listed, images)
	}
}

// mustGather is the image for oc adm must-gather, by its name in the CSV.
const mustGather = "nsm-operator-must-gather"

// imagesOf the newest release, by NSM's name for them: those of all containers,
// and those that the admission webhook injects.
func imagesOf(t *testing.T, related map[string]string) map[string]string {
	t.Helper()
	images := map[string]string{}
	add := func(image string) {
		name, _, _ := strings.Cut(path.Base(image), ":")
		images[name] = image
	}
	for _, registry := range []nsmv1beta1.RegistryType{nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory} {
		in := testInput(t, nsmv1beta1.NSMSpec{
			Version: release.Newest().String(), Registry: &nsmv1beta1.RegistrySpec{Type: registry},
			Forwarders: everyForwarder(), CSIDriver: &nsmv1beta1.CSIDriverSpec{}, Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "one"},
			VL3: &nsmv1beta1.VL3Spec{}, Dashboard: &nsmv1beta1.DashboardSpec{},
		}, mesh.Platform{OpenShift: true, ClusterProperties: true})
		in.RelatedImages = related
		for _, workload := range workloads(t, mesh.Components(in)) {
			for _, container := range append(workload.template.Spec.InitContainers, workload.template.Spec.Containers...) {
				add(container.Image)
				for _, variable := range container.Env {
					if strings.HasSuffix(variable.Name, "CONTAINER_IMAGES") {
						add(variable.Value)
					}
				}
			}
		}
	}
	return images
}

// tableOfImages are the rows of docs/disconnected.md with variables and images.
func tableOfImages(t *testing.T) []string {
	t.Helper()
	var rows []string
	for line := range strings.Lines(readFile(t, "../../docs/disconnected.md")) {
		if strings.HasPrefix(line, "| `RELATED_IMAGE_") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	return rows
}

// relatedImages are those of the ClusterServiceVersion, by name.
func relatedImages(t *testing.T) map[string]string {
	t.Helper()
	var csv struct {
		Spec struct {
			RelatedImages []struct{ Name, Image string } `json:"relatedImages"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "../../config/manifests/bases/nsm-operator.clusterserviceversion.yaml")), &csv); err != nil {
		t.Fatal(err)
	}
	images := map[string]string{}
	for _, related := range csv.Spec.RelatedImages {
		images[related.Name] = related.Image
	}
	return images
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
