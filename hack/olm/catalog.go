// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/operator-registry/alpha/action/migrations"
	"github.com/operator-framework/operator-registry/alpha/declcfg"
)

const (
	// skipRangeAnnotation of a CSV: the versions from which OLM may go to it directly.
	skipRangeAnnotation = "olm.skipRange"

	// csvMetadata replaces, in a rendered bundle, its manifests by what a catalog shows of its CSV. The community's
	// catalogs from OpenShift 4.17 on refuse the manifests.
	csvMetadata = "bundle-object-to-csv-metadata"
)

// catalog is a file-based catalog of one package. A bundle says by itself where it belongs: in the channels of its
// metadata, after what its CSV replaces, skips and has as its skipRange.
type catalog struct {
	opm      string
	from     string
	out      string
	image    string
	channels string
	embed    bool
	keep     bool
}

func (c *catalog) flags(f *flag.FlagSet) {
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "olm catalog [flags] BUNDLE...\n\n"+
			"Makes a catalog of bundle directories. What -from has already is kept, but for bundles of the same names.")
		f.PrintDefaults()
	}
	f.StringVar(&c.opm, "opm", "bin/opm", "the opm to render and validate with")
	f.StringVar(&c.from, "from", "", "catalog `file` to add to; it need not exist")
	f.StringVar(&c.out, "out", "", "`directory` of the catalog; the file is <package>/catalog.yaml in it")
	f.StringVar(&c.image, "image", "", "`reference` of the image of the bundle; there can be only one bundle then")
	f.StringVar(&c.channels, "channels", "", "put the bundles into these channels, `a,b`, instead of those of their metadata")
	f.BoolVar(&c.keep, "keep", false, "keep bundles of the same names as well, for what is released once")
	f.BoolVar(&c.embed, "embed", false,
		"keep the manifests in the catalog, and name no image: OLM then needs neither a registry nor a Job to unpack it")
}

// write adds the bundles, in the order given, and has opm validate the result.
func (c *catalog) write(ctx context.Context, bundles []string) error {
	if c.out == "" || len(bundles) == 0 {
		return errors.New("catalog: needs -out and at least one bundle")
	}
	if c.embed == (c.image != "") || (!c.embed && len(bundles) > 1) {
		return errors.New("catalog: needs -image and one bundle, or -embed")
	}
	config, err := c.load()
	if err != nil {
		return err
	}
	for _, dir := range bundles {
		if err := c.add(ctx, config, dir); err != nil {
			return fmt.Errorf("bundle %s: %w", dir, err)
		}
	}
	var text bytes.Buffer
	if err := declcfg.WriteYAML(*config, &text); err != nil {
		return err
	}
	file := filepath.Join(c.out, config.Packages[0].Name, "catalog.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
		return err
	}
	_, err = c.run(ctx, "validate", c.out)
	return err
}

func (c *catalog) load() (*declcfg.DeclarativeConfig, error) {
	if c.from == "" {
		return &declcfg.DeclarativeConfig{}, nil
	}
	text, err := os.ReadFile(c.from)
	if errors.Is(err, os.ErrNotExist) {
		return &declcfg.DeclarativeConfig{}, nil
	}
	if err != nil {
		return nil, err
	}
	config, err := declcfg.LoadReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.from, err)
	}
	return config, nil
}

// add renders the bundle in dir into config. The package follows the bundle that was added last.
func (c *catalog) add(ctx context.Context, config *declcfg.DeclarativeConfig, dir string) error {
	bundle, err := manifests.GetBundleFromDir(dir)
	if err != nil {
		return err
	}
	rendered, err := c.render(ctx, dir)
	if err != nil {
		return err
	}

	sameName := func(b declcfg.Bundle) bool { return b.Name == rendered.Name }
	if !c.keep || !slices.ContainsFunc(config.Bundles, sameName) {
		config.Bundles = append(slices.DeleteFunc(config.Bundles, sameName), *rendered)
	}
	channels := bundle.Channels
	if c.channels != "" {
		channels = strings.Split(c.channels, ",")
	}
	entry := declcfg.ChannelEntry{
		Name:      rendered.Name,
		Replaces:  bundle.CSV.Spec.Replaces,
		Skips:     bundle.CSV.Spec.Skips,
		SkipRange: bundle.CSV.Annotations[skipRangeAnnotation],
	}
	for _, name := range channels {
		addEntry(config, bundle.Package, name, entry)
	}
	config.Packages = []declcfg.Package{packageOf(bundle)}
	isDefault := func(c declcfg.Channel) bool { return c.Name == bundle.DefaultChannel }
	if !slices.ContainsFunc(config.Channels, isDefault) {
		config.Packages[0].DefaultChannel = channels[0] // until a release is in the other one
	}
	return nil
}

// render has opm render the bundle in dir, and makes of that what belongs into the catalog.
func (c *catalog) render(ctx context.Context, dir string) (*declcfg.Bundle, error) {
	text, err := c.run(ctx, "render", dir, "--output", "json")
	if err != nil {
		return nil, err
	}
	config, err := declcfg.LoadReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(config.Bundles) != 1 {
		return nil, fmt.Errorf("opm renders %d bundles of it, not one", len(config.Bundles))
	}
	if c.embed {
		return &config.Bundles[0], nil
	}
	bundle := &config.Bundles[0]
	bundle.Image = c.image
	bundle.RelatedImages = withImage(bundle.RelatedImages, c.image)
	migration, err := migrations.NewMigrations(csvMetadata)
	if err != nil {
		return nil, err
	}
	return bundle, migration.Migrate(config)
}

func (c *catalog) run(ctx context.Context, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, c.opm, args...) //nolint:gosec // The caller chooses the opm.
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", command, err, stderr.String())
	}
	return out, nil
}

func packageOf(bundle *manifests.Bundle) declcfg.Package {
	return declcfg.Package{
		Schema:         declcfg.SchemaPackage,
		Name:           bundle.Package,
		DefaultChannel: bundle.DefaultChannel,
		Description:    bundle.CSV.Annotations["description"],
	}
}

// withImage adds the bundle's own image, as opm does where it renders an image: tools that mirror copy what is listed.
func withImage(images []declcfg.RelatedImage, image string) []declcfg.RelatedImage {
	images = append(images, declcfg.RelatedImage{Image: image})
	slices.SortFunc(images, func(a, b declcfg.RelatedImage) int { return cmp.Compare(a.Image, b.Image) })
	return images
}

// addEntry puts an entry into a channel, and makes the channel where it is new.
func addEntry(config *declcfg.DeclarativeConfig, pkg, name string, entry declcfg.ChannelEntry) {
	i := slices.IndexFunc(config.Channels, func(c declcfg.Channel) bool { return c.Name == name })
	if i < 0 {
		config.Channels = append(config.Channels, declcfg.Channel{Schema: declcfg.SchemaChannel, Name: name, Package: pkg})
		i = len(config.Channels) - 1
	}
	channel := &config.Channels[i]
	sameName := func(e declcfg.ChannelEntry) bool { return e.Name == entry.Name }
	if at := slices.IndexFunc(channel.Entries, sameName); at >= 0 {
		channel.Entries[at] = entry
		return
	}
	channel.Entries = append(channel.Entries, entry)
}
