// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package bundle

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/blang/semver/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	registrybundle "github.com/operator-framework/operator-registry/pkg/lib/bundle"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// What the pipeline of the community's catalogs checks of a pull request, as far as it can be seen from the files:
// operator-pipelines, docs/users/static_checks.md.
func TestCommunityCatalogsAcceptTheBundle(t *testing.T) { each(t, acceptedByCommunity) }

func acceptedByCommunity(t *testing.T, dir string) {
	t.Helper()
	bundle := loadFrom(t, dir)
	csv, spec := bundle.CSV, bundle.CSV.Spec

	between := func(what, text string, least, most int) {
		if n := len(strings.TrimSpace(text)); n < least || n > most {
			t.Errorf("%s has %d characters, and needs %d to %d: %q", what, n, least, most, text)
		}
	}
	between("displayName", spec.DisplayName, 3, 50)
	between("description", spec.Description, 20, 100_000)
	between("provider", spec.Provider.Name, 3, 100)
	between("the short description", csv.Annotations["description"], 10, 135)
	for _, maintainer := range spec.Maintainers {
		between("a maintainer's name", maintainer.Name, 1, 100)
		if !strings.Contains(maintainer.Email, "@") {
			t.Errorf("maintainer %s: %q", maintainer.Name, maintainer.Email)
		}
	}
	for _, link := range spec.Links {
		between("a link's name", link.Name, 1, 100)
		if !strings.HasPrefix(link.URL, "https://") {
			t.Errorf("link %s: %q", link.Name, link.URL)
		}
	}
	if len(spec.Maintainers) == 0 || len(spec.Links) == 0 || len(spec.Keywords) == 0 {
		t.Errorf("%d maintainers, %d links, %d keywords", len(spec.Maintainers), len(spec.Links), len(spec.Keywords))
	}
	if csv.Name != bundle.Package+".v"+spec.Version.String() || len(csv.Name) > 63 {
		t.Errorf("the bundle is called %s", csv.Name)
	}
	if createdAt := csv.Annotations["createdAt"]; !regexp.MustCompile(`^\d{4}-\d\d-\d\dT00:00:00Z$`).MatchString(createdAt) {
		t.Errorf("createdAt is %q, and has to be the day of the release: OperatorHub shows it", createdAt)
	}
	for _, deployment := range spec.InstallStrategy.StrategySpec.DeploymentSpecs {
		for _, container := range deployment.Spec.Template.Spec.Containers {
			if container.Image != csv.Annotations["containerImage"] || !strings.HasSuffix(container.Image, ":v"+released(t)) {
				t.Errorf("container %s has the image %s", container.Name, container.Image)
			}
		}
	}
}

// released is the version of the operator, which the bridge has as well.
func released(t *testing.T) string {
	t.Helper()
	return load(t).CSV.Spec.Version.String()
}

func TestIconIsADrawing(t *testing.T) {
	icons := load(t).CSV.Spec.Icon
	if len(icons) != 1 || icons[0].MediaType != "image/svg+xml" {
		t.Fatalf("%d icons", len(icons))
	}
	file, err := os.ReadFile("../../config/manifests/icon.svg")
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := base64.StdEncoding.DecodeString(icons[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	drawing := string(decoded)
	if diff := cmp.Diff(string(file), drawing); diff != "" {
		t.Error(diff)
	}
	var svg struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	}
	if err := xml.Unmarshal([]byte(drawing), &svg); err != nil {
		t.Error(err)
	}
}

// OpenShift 4.N is Kubernetes 1.(N+13).
func TestOldestOpenShiftIsTheOldestKubernetes(t *testing.T) {
	kubernetes := semver.MustParse(load(t).CSV.Spec.MinKubeVersion)
	want := fmt.Sprintf("v4.%d", kubernetes.Minor-13)
	if got := annotations(t)["com.redhat.openshift.versions"]; got != want {
		t.Errorf("minKubeVersion %s is OpenShift %s, and the bundle is for %s", kubernetes, want, got)
	}
}

// Whoever subscribed to the published releases goes by the bridge, whose CRD they can bear, and nobody is led back. The
// release of the bridge replaces it, and each later one the release before.
func TestUpdateGraphLeadsForwardByTheBridge(t *testing.T) {
	csv, bridge := load(t).CSV, loadFrom(t, bridgeDir).CSV
	replaced, err := semver.Parse(strings.TrimPrefix(csv.Spec.Replaces, "nsm-operator.v"))
	if err != nil {
		t.Fatal(err)
	}
	isOfBridge := csv.Spec.Version.EQ(bridgeOf(t))
	if isOfBridge != (csv.Spec.Replaces == bridge.Name) || replaced.GE(csv.Spec.Version.Version) || bridge.Spec.Replaces != "nsm-operator.v1.8.0" {
		t.Errorf("%s replaces %s, and %s replaces %s", csv.Name, csv.Spec.Replaces, bridge.Name, bridge.Spec.Replaces)
	}
	direct, byBridge := rangeOf(t, csv), rangeOf(t, bridge)
	for _, test := range []struct {
		from             string
		direct, byBridge bool
	}{
		{"1.7.0", false, false}, {"1.8.0", false, true}, {"1.9.0", false, true},
		{bridge.Spec.Version.String(), true, false}, {csv.Spec.Version.String(), false, false},
	} {
		version := semver.MustParse(test.from)
		if direct(version) != test.direct || byBridge(version) != test.byBridge {
			t.Errorf("from %s: direct %t, by the bridge %t", version, direct(version), byBridge(version))
		}
	}
}

// bridgeOf is the release that the Makefile has the bridge released with.
func bridgeOf(t *testing.T) semver.Version {
	t.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nBRIDGE_OF      := ")
	line, _, _ := strings.Cut(after, "\n")
	return semver.MustParse(line)
}

func rangeOf(t *testing.T, csv *v1alpha1.ClusterServiceVersion) semver.Range {
	t.Helper()
	skipped, err := semver.ParseRange(csv.Annotations["olm.skipRange"])
	if err != nil {
		t.Fatal(err)
	}
	return skipped
}

func TestChannels(t *testing.T) {
	each(t, func(t *testing.T, dir string) {
		bundle := loadFrom(t, dir)
		if diff := cmp.Diff([]string{"alpha", "candidate", "stable"}, bundle.Channels); diff != "" {
			t.Error(diff)
		}
		if bundle.DefaultChannel != "stable" {
			t.Errorf("the default channel is %q", bundle.DefaultChannel)
		}
	})
}

func TestUpdateGraphOfTheCommunityCatalogsIsByReplaces(t *testing.T) {
	text, err := os.ReadFile("../../config/community/ci.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var ci struct {
		UpdateGraph string   `json:"updateGraph"`
		Reviewers   []string `json:"reviewers"`
	}
	if err := yaml.UnmarshalStrict(text, &ci); err != nil {
		t.Fatal(err)
	}
	if ci.UpdateGraph != "replaces-mode" {
		t.Errorf("updateGraph: %q", ci.UpdateGraph)
	}
}

// The pipeline refuses NetworkPolicies, which OLM knows.
func TestBundleHasOnlyKindsThatOLMKnows(t *testing.T) { each(t, onlyKnownKinds) }

func onlyKnownKinds(t *testing.T, dir string) {
	t.Helper()
	kinds := map[string]int{}
	for _, object := range loadFrom(t, dir).Objects {
		kinds[object.GetKind()]++
		if known, _ := registrybundle.IsSupported(object.GetKind()); !known || object.GetKind() == "NetworkPolicy" {
			t.Errorf("%s %s", object.GetKind(), object.GetName())
		}
	}
	for _, kind := range []string{"PodDisruptionBudget", "PriorityClass"} {
		if kinds[kind] != 1 {
			t.Errorf("%d %s", kinds[kind], kind)
		}
	}
}

// A ConfigMap or a Secret holds a bundle while OLM unpacks it: 1 MiB.
func TestBundleIsSmall(t *testing.T) {
	each(t, func(t *testing.T, dir string) {
		if packed := loadFrom(t, dir).CompressedSize; packed > 200_000 {
			t.Errorf("packed it has %d bytes", packed)
		}
	})
}

func TestEachFieldHasADescriptor(t *testing.T) { each(t, describesEachField) }

func describesEachField(t *testing.T, dir string) {
	t.Helper()
	bundle := loadFrom(t, dir)
	for _, owned := range bundle.CSV.Spec.CustomResourceDefinitions.Owned {
		schema := schemaOf(t, bundle.V1CRDs, owned)
		var specs, statuses []string
		for _, d := range owned.SpecDescriptors {
			specs = append(specs, d.Path)
			complete(t, owned, d.Path, d.DisplayName, d.Description)
		}
		for _, d := range owned.StatusDescriptors {
			statuses = append(statuses, d.Path)
			complete(t, owned, d.Path, d.DisplayName, d.Description)
		}
		sameFields(t, owned.Kind+".spec", schema.Properties["spec"].Properties, specs)
		sameFields(t, owned.Kind+".status", schema.Properties["status"].Properties, statuses)
		if len(owned.Resources) == 0 {
			t.Errorf("%s has no resources", owned.Kind)
		}
	}
}

func complete(t *testing.T, owned v1alpha1.CRDDescription, path, displayName, description string) {
	t.Helper()
	if displayName == "" || !strings.HasSuffix(description, ".") {
		t.Errorf("%s.%s: %q, %q", owned.Kind, path, displayName, description)
	}
}

// sameFields wants each field described, and each nested one that is described to be there.
func sameFields(t *testing.T, where string, properties map[string]apiextensionsv1.JSONSchemaProps, described []string) {
	t.Helper()
	var own []string
	for _, path := range described {
		field, rest, isNested := strings.Cut(path, ".")
		if !isNested {
			own = append(own, path)
		} else if !hasField(properties[field].Properties, rest) {
			t.Errorf("%s has no %s, which is described", where, path)
		}
	}
	slices.Sort(own)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(properties)), own); diff != "" {
		t.Errorf("%s: fields and descriptors differ\n%s", where, diff)
	}
}

func hasField(properties map[string]apiextensionsv1.JSONSchemaProps, path string) bool {
	field, rest, isNested := strings.Cut(path, ".")
	property, isThere := properties[field]
	return isThere && (!isNested || hasField(property.Properties, rest))
}

// These turn something on or off, or say how it is reached: the console shows them by name.
func TestNestedFieldsWithADescriptor(t *testing.T) {
	described := map[string]bool{}
	for _, owned := range load(t).CSV.Spec.CustomResourceDefinitions.Owned {
		for _, d := range owned.SpecDescriptors {
			described[owned.Kind+"."+d.Path] = true
		}
	}
	for _, path := range []string{
		"images.template", "images.overrides", "nsmgr.enabled", "admissionWebhook.enabled", "admissionWebhook.hostNetwork", "vl3.ipams",
		"dashboard.ui", "dashboard.pollingIntervalSeconds", "dashboard.serviceType",
	} {
		if !described["NSM."+path] {
			t.Errorf("NSM.%s has no descriptor", path)
		}
	}
}

func schemaOf(t *testing.T, crds []*apiextensionsv1.CustomResourceDefinition, owned v1alpha1.CRDDescription) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	for _, crd := range crds {
		for _, version := range crd.Spec.Versions {
			if crd.Name == owned.Name && version.Name == owned.Version {
				return version.Schema.OpenAPIV3Schema
			}
		}
	}
	t.Fatalf("the bundle has no %s of version %s", owned.Name, owned.Version)
	return nil
}

// Each is true or false in so many words: the console takes anything else for false.
func TestFeaturesAreToldOneByOne(t *testing.T) {
	const prefix = "features.operators.openshift.io/"
	annotations := load(t).CSV.Annotations
	told := map[string]string{}
	for key, value := range annotations {
		if name, isFeature := strings.CutPrefix(key, prefix); isFeature {
			told[name] = value
		}
	}
	want := map[string]string{
		"cnf": "false", "cni": "false", "csi": "true", "disconnected": "false", "fips-compliant": "false", "proxy-aware": "true",
		"tls-profiles": "true", "token-auth-aws": "false", "token-auth-azure": "false", "token-auth-gcp": "false",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// What is told to be true is proved by a test, by the name of its file and its own.
func TestFeaturesAreProved(t *testing.T) {
	proofs := map[string][2]string{
		"csi":          {"permissions_test.go", `"csidrivers /csi.networkservicemesh.io"`},
		"proxy-aware":  {"settings_test.go", `It("is the proxy that OLM tells the operator of"`},
		"tls-profiles": {"settings_test.go", `It("is the TLS profile of OpenShift"`},
	}
	for key, value := range load(t).CSV.Annotations {
		name, isFeature := strings.CutPrefix(key, "features.operators.openshift.io/")
		if !isFeature || value != "true" {
			continue
		}
		proof, isProved := proofs[name]
		if !isProved {
			t.Errorf("%s is said to be true; say which test proves that", key)
			continue
		}
		text, err := os.ReadFile("../e2e/" + proof[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), proof[1]) {
			t.Errorf("%s: test/e2e/%s has no %s", key, proof[0], proof[1])
		}
	}
}

func annotations(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(bundleDir + "/metadata/annotations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := yaml.UnmarshalStrict(text, &metadata); err != nil {
		t.Fatal(err)
	}
	return metadata.Annotations
}
