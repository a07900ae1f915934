// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const (
	csvFile = "nsm-operator.clusterserviceversion.yaml"
	crdFile = "nsm.networkservicemesh.io_nsms.yaml"

	crdName = "nsms.nsm.networkservicemesh.io"

	// olderVersion is what the operator before stores.
	olderVersion = "v1alpha1"

	// secondsToBeCalled is how long the pods of the bridge are ready before OLM goes on. By then the operator has
	// told the API server how to convert, and answers for each write of the CRD.
	secondsToBeCalled = 10
)

// bridgeDescription is what admins see who have to approve it.
const bridgeDescription = `A bridge on the way from release %s to %s, and no release of its own: it has the operator of %[2]s, and OLM goes
on to %[2]s by itself. With manual approval, approve both, one after the other.

The earlier operator stores NSMs in the older version of the API, v1alpha1, and knows no other. This bundle leaves that as it is until
the new operator runs and can convert. So NSMs can be read and written throughout the upgrade.

Do not subscribe to it: a new installation takes the newest release of the channel.
`

// bridge is a bundle between an earlier operator that knows v1alpha1 alone and the bundle of this tree. It has the
// same operator, and a CRD in which v1alpha1 is still served and stored.
type bridge struct {
	version  string
	replaces string
	example  string
}

func (b *bridge) flags(f *flag.FlagSet) {
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "olm bridge [flags] BUNDLE DIRECTORY\n\n"+
			"Makes the bundle in DIRECTORY by which an earlier operator gets to BUNDLE.")
		f.PrintDefaults()
	}
	f.StringVar(&b.version, "version", "", "version of the bridge, between the two")
	f.StringVar(&b.replaces, "replaces", "", "`version` of the earlier operator")
	f.StringVar(&b.example, "example", "", "`file` with an NSM in v1alpha1")
}

func (b *bridge) write(_ context.Context, args []string) error {
	if b.version == "" || b.replaces == "" || b.example == "" || len(args) != 2 {
		return errors.New("bridge: needs -version, -replaces, -example, a bundle and a directory")
	}
	from, to := args[0], args[1]
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		return err
	}
	crd, err := read[apiextensionsv1.CustomResourceDefinition](filepath.Join(to, "manifests", crdFile))
	if err != nil {
		return err
	}
	example, err := read[map[string]any](b.example)
	if err != nil {
		return err
	}
	csv, err := read[v1alpha1.ClusterServiceVersion](filepath.Join(to, "manifests", csvFile))
	if err != nil {
		return err
	}
	older := storeOlder(crd)
	if older == nil {
		return fmt.Errorf("%s has no %s", crdName, olderVersion)
	}
	if err := b.rename(csv, *example); err != nil {
		return err
	}
	own(csv, older)
	for i := range csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs {
		csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[i].Spec.MinReadySeconds = secondsToBeCalled
	}
	return errors.Join(
		overwrite(filepath.Join(to, "manifests", crdFile), crd),
		overwrite(filepath.Join(to, "manifests", csvFile), csv),
	)
}

// storeOlder has v1alpha1 served and stored, and no other version, and returns it.
func storeOlder(crd *apiextensionsv1.CustomResourceDefinition) (older *apiextensionsv1.CustomResourceDefinitionVersion) {
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		isOlder := version.Name == olderVersion
		version.Served, version.Storage = isOlder, isOlder
		if isOlder {
			older = version
		}
	}
	return older
}

// rename makes the CSV that of the bridge.
func (b *bridge) rename(csv *v1alpha1.ClusterServiceVersion, example map[string]any) error {
	var examples []map[string]any
	if err := json.Unmarshal([]byte(csv.Annotations["alm-examples"]), &examples); err != nil {
		return err
	}
	for i := range examples {
		if examples[i]["kind"] == "NSM" {
			examples[i] = example
		}
	}
	text, err := json.MarshalIndent(examples, "", "  ")
	if err != nil {
		return err
	}
	target := csv.Spec.Version.String()
	csv.Name = strings.TrimSuffix(csv.Name, target) + b.version
	csv.Spec.Replaces = strings.TrimSuffix(csv.Name, b.version) + b.replaces
	csv.Spec.Description = fmt.Sprintf(bridgeDescription, b.replaces, target)
	csv.Annotations["alm-examples"] = string(text)
	csv.Annotations["description"] = fmt.Sprintf("A bridge on the way from release %s to %s. OLM goes on by itself.", b.replaces, target)
	csv.Annotations[skipRangeAnnotation] = fmt.Sprintf(">=%s <%s", b.replaces, b.version)
	// The console offers to create it, in a version that is not served at first.
	delete(csv.Annotations, "operatorframework.io/initialization-resource")
	return csv.Spec.Version.UnmarshalJSON([]byte(`"` + b.version + `"`))
}

// own has the CSV own NSMs in the version that is served: OLM waits for it.
func own(csv *v1alpha1.ClusterServiceVersion, older *apiextensionsv1.CustomResourceDefinitionVersion) {
	fields := older.Schema.OpenAPIV3Schema.Properties
	for i := range csv.Spec.CustomResourceDefinitions.Owned {
		owned := &csv.Spec.CustomResourceDefinitions.Owned[i]
		if owned.Name != crdName {
			continue
		}
		owned.Version, owned.SpecDescriptors, owned.StatusDescriptors = older.Name, nil, nil
		for _, name := range slices.Sorted(maps.Keys(fields["spec"].Properties)) {
			owned.SpecDescriptors = append(owned.SpecDescriptors, v1alpha1.SpecDescriptor{
				Path: name, DisplayName: words(name), Description: sentence(fields["spec"].Properties[name]),
			})
		}
		for _, name := range slices.Sorted(maps.Keys(fields["status"].Properties)) {
			owned.StatusDescriptors = append(owned.StatusDescriptors, v1alpha1.StatusDescriptor{
				Path: name, DisplayName: words(name), Description: sentence(fields["status"].Properties[name]),
			})
		}
	}
}

// words of a field's name, as a person writes them.
func words(name string) string {
	var text strings.Builder
	for i, letter := range name {
		switch {
		case i == 0:
			letter = unicode.ToUpper(letter)
		case unicode.IsUpper(letter):
			text.WriteByte(' ')
			letter = unicode.ToLower(letter)
		}
		text.WriteRune(letter)
	}
	return text.String()
}

// sentence is the description of a field, in one line.
func sentence(field apiextensionsv1.JSONSchemaProps) string {
	text := strings.Join(strings.Fields(field.Description), " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

func read[T any](file string) (*T, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var object T
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &object, nil
}

func overwrite(file string, object any) error {
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
