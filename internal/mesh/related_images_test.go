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

// A release has related images of its own where the environment names it, and an NSM
// may redirect all images, or single ones: the more it says of one, the more it counts.
func TestRedirectedImages(t *testing.T) {
	const registrar, template = "node-driver-registrar", "mirror.example.com/nsm-{name}:{version}"
	related := map[string]string{"cmd-nsmgr": "related/nsmgr", "cmd-nsmgr-v1-17-0": "related/nsmgr-of-old"}
	ofAll := map[string]string{
		"cmd-nsmgr": "related/{name}:{version}", "cmd-nsmgr-v1-17-0": "related/nsmgr-of-old", "cmd-csi-driver": "related/csi:{version}-ubi",
		"csi-node-driver-registrar": "related/registrar:{version}",
	}
	for _, tc := range []struct {
		name, version string
		related       map[string]string
		images        nsmv1beta1.ImagesSpec
		nsmgr, csi    string
		registrar     string
	}{
		{
			"a related image of the release", "v1.17.0", related, nsmv1beta1.ImagesSpec{},
			"related/nsmgr-of-old", "ghcr.io/networkservicemesh/cmd-csi-driver:v1.17.0", "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.8.0",
		},
		{
			"one of another release", "v1.16.0", related, nsmv1beta1.ImagesSpec{},
			"ghcr.io/networkservicemesh/cmd-nsmgr:v1.16.0", "ghcr.io/networkservicemesh/cmd-csi-driver:v1.16.0", "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.8.0",
		},
		{
			"a flat mirror", "v1.16.0", related, nsmv1beta1.ImagesSpec{Template: template},
			"mirror.example.com/nsm-cmd-nsmgr:v1.16.0", "mirror.example.com/nsm-cmd-csi-driver:v1.16.0", "mirror.example.com/nsm-csi-node-driver-registrar:v2.8.0",
		},
		{
			"a flat mirror, and related images", "v1.18.0", related, nsmv1beta1.ImagesSpec{Template: template},
			"related/nsmgr", "mirror.example.com/nsm-cmd-csi-driver:v1.18.0", "mirror.example.com/nsm-csi-node-driver-registrar:v2.8.0",
		},
		{
			"overrides", "v1.18.0", related, nsmv1beta1.ImagesSpec{Template: template, Overrides: map[string]string{
				"cmd-nsmgr": "own/nsmgr@sha256:0", "csi-node-driver-registrar": "own/registrar@sha256:0",
			}},
			"own/nsmgr@sha256:0", "mirror.example.com/nsm-cmd-csi-driver:v1.18.0", "own/registrar@sha256:0",
		},
		{
			"related images of all releases", "v1.16.0", ofAll, nsmv1beta1.ImagesSpec{Template: template},
			"related/cmd-nsmgr:v1.16.0", "related/csi:v1.16.0-ubi", "related/registrar:v2.8.0",
		},
		{
			"related images of all releases, in the newest", "v1.18.0", ofAll, nsmv1beta1.ImagesSpec{},
			"related/cmd-nsmgr:v1.18.0", "related/csi:v1.18.0-ubi", "related/registrar:v2.8.0",
		},
		{
			"related images of all releases, but for one", "v1.17.0", ofAll, nsmv1beta1.ImagesSpec{},
			"related/nsmgr-of-old", "related/csi:v1.17.0-ubi", "related/registrar:v2.8.0",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			images := containerImages(t, nsmv1beta1.NSMSpec{Version: tc.version, Images: &tc.images, CSIDriver: &nsmv1beta1.CSIDriverSpec{}}, tc.related)
			for container, want := range map[string]string{"nsmgr": tc.nsmgr, "nsm-csi-driver": tc.csi, registrar: tc.registrar} {
				if images[container] != want {
					t.Errorf("%s has the image %s, want %s", container, images[container], want)
				}
			}
		})
	}
}

// NSM's webhook names a container after its image: one by digest alone gets a tag, from
// wherever it comes.
func TestInjectedImagesByDigest(t *testing.T) {
	for name, tc := range map[string]struct {
		spec    nsmv1beta1.NSMSpec
		related map[string]string
	}{
		"of the NSM":      {spec: nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Client: &nsmv1beta1.InjectedClientSpec{Image: "a:5000/cmd-nsc@sha256:0"}}}},
		"an override":     {spec: nsmv1beta1.NSMSpec{Images: &nsmv1beta1.ImagesSpec{Overrides: map[string]string{"cmd-nsc": "a:5000/cmd-nsc@sha256:0"}}}},
		"a related image": {related: map[string]string{"cmd-nsc": "a:5000/cmd-nsc@sha256:0"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.Version = "v1.18.0"
			in := testInput(t, tc.spec, mesh.Platform{})
			in.RelatedImages = tc.related
			for _, workload := range workloads(t, mesh.Components(in)) {
				if workload.name != mesh.WebhookName {
					continue
				}
				image := valueOf(workload.template.Spec.Containers[0].Env, "NSM_CONTAINER_IMAGES")
				if image != "a:5000/cmd-nsc:v1.18.0@sha256:0" || mesh.InjectedContainerName(image) != "cmd-nsc" {
					t.Errorf("the webhook injects %s, in a container %s", image, mesh.InjectedContainerName(image))
				}
			}
		})
	}
}

func TestWithTag(t *testing.T) {
	for image, want := range map[string]string{
		"a/b": "a/b", "a/b:1": "a/b:1", "a:5000/b@sha256:0": "a:5000/b:2@sha256:0", "a/b:1@sha256:0": "a/b:1@sha256:0", "b@sha256:0": "b:2@sha256:0",
	} {
		if got := mesh.WithTag(image, "2"); got != want {
			t.Errorf("%s becomes %s, want %s", image, got, want)
		}
	}
}

// What the operator redirects can be told from what it has made.
func TestImagesThatTheOperatorRedirects(t *testing.T) {
	specs := map[string]nsmv1beta1.NSMSpec{
		"defaults": {Version: "v1.18.0"}, "all parts": allComponents("v1.18.0"), "an older release": {Version: "v1.17.0"},
		"a mirror": {Version: "v1.18.0", Images: &nsmv1beta1.ImagesSpec{Registry: "registry.example.com"}, CSIDriver: &nsmv1beta1.CSIDriverSpec{}},
		"images of its own": {
			Version: "v1.18.0", Images: &nsmv1beta1.ImagesSpec{Overrides: map[string]string{"cmd-forwarder-vpp": "own/forwarder"}},
			Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{Image: "own/nsmgr"}}},
		},
	}
	all := map[string]string{}
	for _, name := range mesh.ImageNames() {
		all[name] = "related/" + name + "@sha256:0"
	}
	for name, spec := range specs {
		for what, related := range map[string]map[string]string{"nothing": nil, "one": {"cmd-nsmgr": "related/nsmgr"}, "all": all} {
			in := testInput(t, spec, mesh.Platform{})
			in.RelatedImages = related
			want := mesh.Components(in)
			var running []mesh.Object
			for _, component := range want {
				running = append(running, component.Workload)
			}
			in.RelatedImages = map[string]string{"cmd-nsmgr": "something else"}
			in.RelatedImages = mesh.RedirectedBy(in, running)
			if diff := cmp.Diff(want, mesh.Components(in)); diff != "" {
				t.Errorf("%s, %s redirected: (-want +got)\n%s", name, what, diff)
			}
			if what == "nothing" && len(in.RelatedImages) > 0 {
				t.Errorf("%s: of nothing that is redirected there is %v", name, in.RelatedImages)
			}
		}
	}
}
