// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Conformance compares what the operator renders for every release and component
// of NSM with the manifests that NSM publishes, laid out as
// <reference>/<release>/<component>/*.yaml. It prints every difference that is not
// meant (deliberate.go says which are), and fails when there is one.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conformance"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func main() {
	reference := flag.String("reference", "", "directory of NSM's manifests: <release>/<component>/*.yaml")
	verbose := flag.Bool("v", false, "print the deliberate differences too, and why")
	flag.Parse()
	if *reference == "" {
		fmt.Fprintln(os.Stderr, "conformance: -reference is missing")
		os.Exit(2)
	}
	conforms, err := run(*reference, *verbose, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(2)
	}
	if !conforms {
		os.Exit(1)
	}
}

// run compares everything with everything, and tells whether all is as meant.
func run(reference string, verbose bool, out io.Writer) (bool, error) {
	c := &comparison{reference: reference, verbose: verbose, out: out, judge: conformance.NewJudge(deliberate)}
	for _, known := range release.Known() {
		if err := c.release(known); err != nil {
			return false, err
		}
	}
	if err := c.unknownReleases(); err != nil {
		return false, err
	}
	c.report()
	return c.wrong == 0, nil
}

// comparison is one run of this program.
type comparison struct {
	reference string
	verbose   bool
	out       io.Writer
	judge     *conformance.Judge

	// What has been seen: pairs of release and component that were compared,
	// differences that are meant, and everything that is wrong.
	compared, meant, wrong int
	// folders with manifests.
	folders []string
	// rendered and published are the names of workloads: all that we make, and
	// those that were compared.
	rendered, published []string
}

// release compares all components of one release.
func (c *comparison) release(known string) error {
	nsmRelease, err := release.Parse(known)
	if err != nil {
		return fmt.Errorf("%s: %w", known, err)
	}
	folders, err := os.ReadDir(filepath.Join(c.reference, known))
	if err != nil {
		return fmt.Errorf("manifests of a known release: %w", err)
	}
	for _, folder := range folders {
		if err := c.component(nsmRelease, folder.Name()); err != nil {
			return fmt.Errorf("%s %s: %w", known, folder.Name(), err)
		}
	}
	return nil
}

// unknownReleases says which releases have manifests, but no line in
// internal/release.
func (c *comparison) unknownReleases() error {
	folders, err := os.ReadDir(c.reference)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if !slices.Contains(release.Known(), folder.Name()) {
			fmt.Fprintf(c.out, "not a known release: %s\n", folder.Name())
		}
	}
	return nil
}

// component compares one component of one release.
func (c *comparison) component(nsmRelease release.Release, directory string) error {
	c.folders = append(c.folders, directory)
	i := slices.IndexFunc(components, func(one component) bool { return one.directory == directory })
	if i < 0 || components[i].spec == nil {
		return nil
	}
	theirs, err := manifests(filepath.Join(c.reference, nsmRelease.String(), directory))
	if err != nil {
		return err
	}
	ours, err := c.render(nsmRelease, components[i])
	if err != nil {
		return err
	}
	c.compared++
	for _, difference := range conformance.Compare(ours, theirs) {
		c.judgeDifference(nsmRelease, directory, difference)
	}
	return nil
}

func (c *comparison) judgeDifference(nsmRelease release.Release, directory string, d conformance.Difference) {
	line := fmt.Sprintf("%s %s %s: %s | %s", nsmRelease, directory, d.Path, d.Ours, d.Theirs)
	deviation := c.judge.Deliberate(nsmRelease, directory, d)
	if deviation == nil {
		c.wrong++
		fmt.Fprintln(c.out, line)
		return
	}
	c.meant++
	if c.verbose {
		fmt.Fprintf(c.out, "%s (meant: %s)\n", line, deviation.Why)
	}
}

// render makes the objects that belong to a component.
func (c *comparison) render(nsmRelease release.Release, one component) ([]*unstructured.Unstructured, error) {
	nsm := &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{Name: "nsm", Namespace: "nsm-system"},
		Spec:       *one.spec,
	}
	var objects []*unstructured.Unstructured
	// As on a cluster on which everything is there and runs.
	in := mesh.Input{
		NSM: nsm, Release: nsmRelease,
		Platform: mesh.Platform{ClusterProperties: true}, WebhookServing: true,
	}
	for _, rendered := range mesh.Components(in) {
		name := rendered.Workload.GetName()
		c.rendered = append(c.rendered, name)
		if name != one.workload {
			continue
		}
		c.published = append(c.published, name)
		for _, object := range mesh.Objects([]mesh.Component{rendered}) {
			converted, err := conformance.FromObject(object)
			if err != nil {
				return nil, err
			}
			objects = append(objects, converted)
		}
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("the spec renders no workload %q", one.workload)
	}
	return objects, nil
}

// manifests reads all objects of a folder.
func manifests(directory string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		parsed, err := conformance.Parse(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, parsed...)
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("no objects in %s", filepath.Join(directory, "*.yaml"))
	}
	return objects, nil
}

// report says what was not compared, which deviations are of no use, and sums up.
func (c *comparison) report() {
	c.reportFolders()
	for _, workload := range unique(c.rendered) {
		if !slices.Contains(c.published, workload) {
			fmt.Fprintf(c.out, "rendered, but nothing to compare with: %s\n", workload)
		}
	}
	for _, deviation := range c.judge.Unused() {
		c.wrong++
		fmt.Fprintf(c.out, "unused in the table of deliberate differences: %s %v %s..%s: %s | %s (%s)\n", deviation.Path,
			deviation.Components, deviation.From, deviation.Until, deviation.Ours, deviation.Theirs, deviation.Why)
	}
	fmt.Fprintf(c.out, "%d releases, %d pairs of release and component compared: %d meant differences, %d to mend\n",
		len(release.Known()), c.compared, c.meant, c.wrong)
}

// reportFolders says which components were not compared, so that none is
// forgotten.
func (c *comparison) reportFolders() {
	var compared, notRendered []string
	for _, one := range components {
		switch {
		case one.spec == nil:
			notRendered = append(notRendered, one.directory)
		case slices.Contains(c.folders, one.directory):
			compared = append(compared, one.directory)
		default:
			fmt.Fprintf(c.out, "no manifests found: %s\n", one.directory)
		}
	}
	for _, directory := range unique(append(notRendered, c.folders...)) {
		if !slices.Contains(compared, directory) {
			fmt.Fprintf(c.out, "not rendered yet: %s\n", directory)
		}
	}
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
