// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/operator-registry/alpha/declcfg"
)

const (
	bundleDir = "../../bundle"
	bridgeDir = "../../bridge"
	opm       = "../../bin/opm"
)

// release copies the bundle as a release of its own, whatever version this tree has.
func release(t *testing.T, version, replaces string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), version)
	if err := os.CopyFS(dir, os.DirFS(bundleDir)); err != nil {
		t.Fatal(err)
	}
	bundle, err := manifests.GetBundleFromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	file, current := filepath.Join(dir, "manifests", "nsm-operator.clusterserviceversion.yaml"), bundle.CSV.Spec.Version.String()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.NewReplacer("v"+current, "v"+version, "version: "+current, "version: "+version, "<"+current, "<"+version,
		bundle.CSV.Spec.Replaces, "nsm-operator.v"+replaces).Replace(string(text))
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// firstRelease is that with which the bridge is released.
func firstRelease(t *testing.T) string {
	t.Helper()
	return release(t, "2.0.0", "1.99.0")
}

func readCatalog(t *testing.T, dir string) *declcfg.DeclarativeConfig {
	t.Helper()
	config, err := declcfg.LoadFS(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func write(t *testing.T, c catalog, bundles ...string) *declcfg.DeclarativeConfig {
	t.Helper()
	c.opm, c.out = opm, t.TempDir()
	if err := c.write(t.Context(), bundles); err != nil {
		t.Fatal(err)
	}
	return readCatalog(t, c.out)
}

// channelsOf shows the graph as "channel: name <- replaces skipRange".
func channelsOf(config *declcfg.DeclarativeConfig) []string {
	var lines []string
	for _, channel := range config.Channels {
		for _, e := range channel.Entries {
			lines = append(lines, channel.Name+": "+e.Name+" <- "+e.Replaces+" "+e.SkipRange)
		}
	}
	return lines
}

func TestEachChannelLeadsOnwardFromThePublishedRelease(t *testing.T) {
	config := write(t, catalog{embed: true}, bridgeDir, firstRelease(t))

	want := []string{
		"alpha: nsm-operator.v1.99.0 <- nsm-operator.v1.8.0 >=1.8.0 <1.99.0",
		"alpha: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0",
		"candidate: nsm-operator.v1.99.0 <- nsm-operator.v1.8.0 >=1.8.0 <1.99.0",
		"candidate: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0",
		"stable: nsm-operator.v1.99.0 <- nsm-operator.v1.8.0 >=1.8.0 <1.99.0",
		"stable: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0",
	}
	if diff := cmp.Diff(want, channelsOf(config)); diff != "" {
		t.Error(diff)
	}
	if got := config.Packages[0].DefaultChannel; got != "stable" {
		t.Errorf("the default channel is %q", got)
	}
}

func TestBundleIsKnownByItsImageAndNotByItsManifests(t *testing.T) {
	bundle := write(t, catalog{image: "example.com/bundle:v2.0.0"}, bundleDir).Bundles[0]

	if bundle.Image != "example.com/bundle:v2.0.0" {
		t.Errorf("image %q", bundle.Image)
	}
	var mirrored bool
	for _, image := range bundle.RelatedImages {
		mirrored = mirrored || image.Image == bundle.Image
	}
	if !mirrored {
		t.Error("the bundle's own image is not among the images to mirror")
	}
	types := map[string]int{}
	for _, property := range bundle.Properties {
		types[property.Type]++
	}
	if types["olm.csv.metadata"] != 1 || types["olm.bundle.object"] != 0 {
		t.Errorf("properties: %v", types)
	}
}

func TestEmbeddedBundleNeedsNoImage(t *testing.T) {
	bundle := write(t, catalog{embed: true}, bundleDir).Bundles[0]

	if bundle.Image != "" || bundle.CsvJSON == "" {
		t.Errorf("image %q, CSV of %d bytes", bundle.Image, len(bundle.CsvJSON))
	}
}

func TestReleaseIsAddedToWhatIsReleased(t *testing.T) {
	released := t.TempDir()
	first := catalog{opm: opm, out: released, image: "example.com/bundle:v2.0.0"}
	if err := first.write(t.Context(), []string{firstRelease(t)}); err != nil {
		t.Fatal(err)
	}
	second := catalog{
		from: filepath.Join(released, "nsm-operator", "catalog.yaml"), image: "example.com/bundle:v2.1.0", channels: "candidate",
	}
	config := write(t, second, release(t, "2.1.0", "2.0.0"))

	want := []string{
		"alpha: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0",
		"candidate: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0",
		"candidate: nsm-operator.v2.1.0 <- nsm-operator.v2.0.0 >=1.99.0 <2.1.0",
		"stable: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0",
	}
	if diff := cmp.Diff(want, channelsOf(config)); diff != "" {
		t.Error(diff)
	}
	if len(config.Bundles) != 2 {
		t.Errorf("%d bundles", len(config.Bundles))
	}
}

// The default channel of the bundle is there once a release is in it.
func TestFirstReleaseMayBeACandidate(t *testing.T) {
	released := t.TempDir()
	file := filepath.Join(released, "nsm-operator", "catalog.yaml")
	first := catalog{opm: opm, from: file, out: released, image: "example.com/bundle:v2.0.0", channels: "candidate"}
	if err := first.write(t.Context(), []string{firstRelease(t)}); err != nil {
		t.Fatal(err)
	}
	config := readCatalog(t, released)
	want := []string{"candidate: nsm-operator.v2.0.0 <- nsm-operator.v1.99.0 >=1.99.0 <2.0.0"}
	if diff := cmp.Diff(want, channelsOf(config)); diff != "" || config.Packages[0].DefaultChannel != "candidate" {
		t.Errorf("the default channel is %q\n%s", config.Packages[0].DefaultChannel, diff)
	}
	config = write(t, catalog{from: file, image: "example.com/bundle:v2.0.0"}, firstRelease(t))
	if len(config.Channels) != 3 || config.Packages[0].DefaultChannel != "stable" {
		t.Errorf("%d channels, and the default is %q", len(config.Channels), config.Packages[0].DefaultChannel)
	}
}

func TestSameReleaseTwiceIsTheSameCatalog(t *testing.T) {
	var texts [2]string
	released := t.TempDir()
	file := filepath.Join(released, "nsm-operator", "catalog.yaml")
	for i := range texts {
		c := catalog{opm: opm, from: file, out: released, image: "example.com/bundle:v2.0.0"}
		if err := c.write(t.Context(), []string{bundleDir}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsReleasedOnceIsKept(t *testing.T) {
	released := t.TempDir()
	first := catalog{opm: opm, out: released, image: "example.com/bundle:v1.99.0"}
	if err := first.write(t.Context(), []string{bridgeDir}); err != nil {
		t.Fatal(err)
	}
	again := catalog{from: filepath.Join(released, "nsm-operator", "catalog.yaml"), image: "example.com/bundle:again", keep: true}
	config := write(t, again, bridgeDir)

	if len(config.Bundles) != 1 || config.Bundles[0].Image != "example.com/bundle:v1.99.0" {
		t.Errorf("%d bundles, and the first has the image %s", len(config.Bundles), config.Bundles[0].Image)
	}
}

// opm refuses a channel with two heads.
func TestReleaseThatReplacesNothingIsRefused(t *testing.T) {
	c := catalog{opm: opm, out: t.TempDir(), embed: true}
	err := c.write(t.Context(), []string{firstRelease(t), release(t, "2.1.0", "1.9.0")})
	if err == nil || !strings.Contains(err.Error(), "multiple channel heads") {
		t.Errorf("error: %v", err)
	}
}
