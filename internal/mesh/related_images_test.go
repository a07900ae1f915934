// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestRelatedImagesOfAnEnvironment(t *testing.T) {
	got := mesh.RelatedImages([]string{
		"PATH=/bin", "RELATED_IMAGE_CMD_NSMGR=mirror/nsmgr@sha256:0=", "RELATED_IMAGE_CMD_NSC=", "OTHER_RELATED_IMAGE_CMD_NSC=mirror/nsc",
	})
	if diff := cmp.Diff(map[string]string{"cmd-nsmgr": "mirror/nsmgr@sha256:0="}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// containerImages are those of the containers of a mesh, by name.
func containerImages(t *testing.T, spec nsmv1beta1.NSMSpec, related map[string]string) map[string]string {
	t.Helper()
	in := testInput(t, spec, mesh.Platform{})
	in.RelatedImages = related
	images := map[string]string{}
	for _, workload := range workloads(t, mesh.Components(in)) {
		for _, container := range workload.template.Spec.Containers {
			images[container.Name] = container.Image
		}
	}
	return images
}

// A related image has the release of the operator that it was published with. It
// is less than what the user says of one component and more than what he says of
// all.
func TestRelatedImages(t *testing.T) {
	const registrar = "node-driver-registrar"
	related := map[string]string{
		"cmd-nsmgr": "mirror/nsmgr", "cmd-exclude-prefixes-k8s": "mirror/exclude-prefixes", "csi-node-driver-registrar": "mirror/registrar",
	}
	for _, tc := range []struct {
		name, version string
		image         string
		want          map[string]string
	}{
		{"the newest release", "v1.18.0", "", map[string]string{
			"nsmgr": "mirror/nsmgr", "exclude-prefixes": "mirror/exclude-prefixes", registrar: "mirror/registrar",
		}},
		{"the user's own image", "v1.18.0", "example.com/nsmgr:mine", map[string]string{
			"nsmgr": "example.com/nsmgr:mine", "exclude-prefixes": "mirror/exclude-prefixes",
		}},
		// The registrar is not NSM's and has no release of it.
		{"an older release", "v1.17.0", "", map[string]string{
			"nsmgr": "registry.example.com/nsm/cmd-nsmgr:v1.17.0", registrar: "mirror/registrar",
			"exclude-prefixes": "registry.example.com/nsm/cmd-exclude-prefixes-k8s:v1.17.0",
		}},
		{"a newer release", "v1.19.0", "", map[string]string{"nsmgr": "registry.example.com/nsm/cmd-nsmgr:v1.19.0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			images := containerImages(t, nsmv1beta1.NSMSpec{
				Version:   tc.version,
				Images:    &nsmv1beta1.ImagesSpec{Registry: "registry.example.com", Repository: "nsm"},
				Nsmgr:     &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{Image: tc.image}}},
				CSIDriver: &nsmv1beta1.CSIDriverSpec{},
			}, related)
			for container, want := range tc.want {
				if images[container] != want {
					t.Errorf("%s has the image %s, want %s", container, images[container], want)
				}
			}
		})
	}
}
