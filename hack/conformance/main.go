// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Conformance compares what the operator renders for every release and component
// of NSM with the manifests that NSM publishes, laid out as
// <reference>/<release>/<component>/*.yaml in one reference directory or spread over
// several. It prints every difference that is not meant (deliberate.go says which
// are), and fails when there is one, when one that is meant is not there, and when
// manifests are missing that should be there.
//
//	conformance [-v] <reference>...
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func main() {
	verbose := flag.Bool("v", false, "print the deliberate differences too, and why")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "conformance: name the directories of NSM's manifests, laid out as <release>/<component>/*.yaml")
		os.Exit(2)
	}
	conforms, err := run(flag.Args(), *verbose, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(2)
	}
	if !conforms {
		os.Exit(1)
	}
}

// run compares everything with everything, and reports whether all is as meant.
func run(references []string, verbose bool, out io.Writer) (bool, error) {
	published, err := find(references)
	if err != nil {
		return false, err
	}
	c := &comparison{published: published, verbose: verbose, out: out, judge: NewJudge(deliberate, words())}
	for _, known := range release.Known() {
		if _, found := published[known]; !found {
			c.mend("no manifests of a known release: %s", known)
			continue
		}
		if err := c.release(known); err != nil {
			return false, err
		}
	}
	for _, found := range slices.Sorted(maps.Keys(published)) {
		if !slices.Contains(release.Known(), found) {
			c.mend("not a known release: %s", found)
		}
	}
	c.report()
	return c.wrong == 0, nil
}

// comparison is one run of this program.
type comparison struct {
	// published are the folders of the manifests, by release and component.
	published map[string]map[string]string
	verbose   bool
	out       io.Writer
	judge     *Judge

	// What has been seen: pairs of release and component that were compared,
	// differences that are meant, and everything that is wrong.
	compared, meant, wrong int
	// rendered are the names of all workloads that we make.
	rendered []string
}

// mend tells something that is wrong.
func (c *comparison) mend(format string, values ...any) {
	c.wrong++
	fmt.Fprintf(c.out, format+"\n", values...)
}

// release compares all components of one release. One whose manifests are missing
// is as wrong as a difference: it would hide them all.
func (c *comparison) release(known string) error {
	nsmRelease, err := release.Parse(known)
	if err != nil {
		return fmt.Errorf("%s: %w", known, err)
	}
	folders := c.published[known]
	for _, one := range components {
		if err := c.component(nsmRelease, one, folders[one.directory] != ""); err != nil {
			return fmt.Errorf("%s %s: %w", known, one.directory, err)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		if !slices.ContainsFunc(components, func(one component) bool { return one.directory == folder }) {
			c.mend("not rendered: %s %s", known, folder)
		}
	}
	return nil
}

// component compares one component of one release, if its manifests are found
// where they should be.
func (c *comparison) component(nsmRelease release.Release, one component, found bool) error {
	known := knownToBeMissing(nsmRelease, one.directory)
	switch {
	case found && known != nil:
		c.mend("found, but known to be missing: %s %s (%s)", nsmRelease, one.directory, known.why)
	case found:
		return c.compare(nsmRelease, one)
	case known == nil:
		c.mend("no manifests: %s %s", nsmRelease, one.directory)
	case c.verbose:
		fmt.Fprintf(c.out, "%s %s: no manifests (known: %s)\n", nsmRelease, one.directory, known.why)
	}
	return nil
}

// knownToBeMissing finds the exception for a component of a release, or nil.
func knownToBeMissing(nsmRelease release.Release, directory string) *exception {
	i := slices.IndexFunc(unpublished, func(e exception) bool {
		return e.directory == directory && e.missing(nsmRelease.Facts())
	})
	if i < 0 {
		return nil
	}
	return &unpublished[i]
}

func (c *comparison) compare(nsmRelease release.Release, one component) error {
	theirs, err := manifests(c.published[nsmRelease.String()][one.directory])
	if err != nil {
		return err
	}
	all := render(nsmRelease, one)
	for _, rendered := range all {
		c.rendered = append(c.rendered, rendered.Workload.GetName())
	}
	ours, err := objectsOf(all, one)
	if err != nil {
		return err
	}
	c.compared++
	for _, difference := range Compare(ours, theirs) {
		c.judgeDifference(nsmRelease, one.directory, difference)
	}
	c.judge.Compared(nsmRelease, one.directory)
	return nil
}

func (c *comparison) judgeDifference(nsmRelease release.Release, directory string, d Difference) {
	line := fmt.Sprintf("%s %s %s: %s | %s", nsmRelease, directory, d.Path, d.Ours, d.Theirs)
	deviation := c.judge.Deliberate(nsmRelease, directory, d)
	if deviation == nil {
		c.mend("%s", line)
		return
	}
	c.meant++
	if c.verbose {
		fmt.Fprintf(c.out, "%s (meant: %s)\n", line, deviation.Why)
	}
}

// render makes the mesh that a component belongs to, as on a cluster on which
// everything is there and runs.
func render(nsmRelease release.Release, one component) []mesh.Component {
	return mesh.Components(mesh.Input{
		NSM: &nsmv1beta1.NSM{
			ObjectMeta: metav1.ObjectMeta{Name: "nsm", Namespace: "nsm-system", UID: "uid-of-the-nsm"},
			Spec:       *one.spec,
		},
		Release:  nsmRelease,
		Platform: mesh.Platform{ClusterProperties: true}, WebhookServing: true,
		// Of any content.
		WebhookCertificate: mesh.Certificate{CertificateChain: []byte("certificate"), Key: []byte("key"), CABundle: []byte("ca")},
	})
}

// objectsOf lists the objects of one component.
func objectsOf(all []mesh.Component, one component) ([]*unstructured.Unstructured, error) {
	i := slices.IndexFunc(all, func(rendered mesh.Component) bool { return rendered.Workload.GetName() == one.workload })
	if i < 0 {
		return nil, fmt.Errorf("the spec renders no workload %q", one.workload)
	}
	var objects []*unstructured.Unstructured
	for _, object := range mesh.Objects(all[i : i+1]) {
		converted, err := FromObject(object)
		if err != nil {
			return nil, err
		}
		objects = append(objects, converted)
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
		parsed, err := Parse(content)
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

// find lists the folders of all references, by release and component. One that is
// in two references is an error: nobody could tell which one was compared.
func find(references []string) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, reference := range references {
		releases, err := directories(reference)
		if err != nil {
			return nil, err
		}
		for _, published := range releases {
			folders, err := directories(filepath.Join(reference, published))
			if err != nil {
				return nil, err
			}
			if found[published] == nil {
				found[published] = map[string]string{}
			}
			for _, folder := range folders {
				path := filepath.Join(reference, published, folder)
				if other := found[published][folder]; other != "" {
					return nil, fmt.Errorf("the manifests of %s %s are in %s and in %s", published, folder, other, path)
				}
				found[published][folder] = path
			}
		}
	}
	return found, nil
}

// directories lists the folders in a directory.
func directories(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// report says what we render and nobody compares, which deviations are of no use
// or not true everywhere, and sums up.
func (c *comparison) report() {
	for _, workload := range unique(c.rendered) {
		if !slices.ContainsFunc(components, func(one component) bool { return one.workload == workload }) {
			c.mend("rendered, but in no folder: %s", workload)
		}
	}
	for _, deviation := range c.judge.Unused() {
		c.mend("unused in the table of deliberate differences: %s", describe(deviation))
	}
	for _, gap := range c.judge.Gaps() {
		c.mend("meant, but not so in %d of the pairs, the first is %s: %s", len(gap.Where), gap.Where[0], describe(gap.Deviation))
	}
	fmt.Fprintf(c.out, "%d releases, %d pairs of release and component compared: %d meant differences, %d to mend\n",
		len(release.Known()), c.compared, c.meant, c.wrong)
}

func describe(d Deviation) string {
	return fmt.Sprintf("%s %v %s..%s: %s | %s (%s)", d.Path, d.Components, d.From, d.Until, d.Ours, d.Theirs, d.Why)
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
