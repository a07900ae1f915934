// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// repositoryURL is where Argo CD and Flux find this repository.
const repositoryURL = "https://github.com/networkservicemesh/nsm-operator"

// documentsOf the YAML blocks of a page, each as text.
func documentsOf(text string) []string {
	var all []string
	for _, found := range fence.FindAllStringSubmatch(text, -1) {
		if found[1] != "yaml" {
			continue
		}
		code, indent := found[2], found[2][:len(found[2])-len(strings.TrimLeft(found[2], " "))]
		code = strings.ReplaceAll("\n"+code, "\n"+indent, "\n")
		all = append(all, strings.Split(code, "\n---\n")...)
	}
	return all
}

// Each YAML block of a page is YAML, without a key that is there twice.
func TestYAMLOfDocuments(t *testing.T) {
	t.Parallel()
	count := 0
	for page, text := range readPages(t) {
		for _, document := range documentsOf(text) {
			count++
			var content any
			if err := yaml.UnmarshalStrict([]byte(document), &content); err != nil || content == nil {
				t.Errorf("%s: %v\n%s", page, err, document)
			}
		}
	}
	if count < 40 {
		t.Errorf("%d documents", count)
	}
}

// named is the part of an object that all have.
type named struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// application is Argo CD's, as far as a page uses it. It is read strictly: what is not here is
// misspelled, or new.
type application struct {
	named

	Spec struct {
		Project string `json:"project"`
		Source  struct {
			RepoURL        string `json:"repoURL"`
			TargetRevision string `json:"targetRevision"`
			Path           string `json:"path"`
			Helm           struct {
				ValuesObject map[string]any `json:"valuesObject"`
			} `json:"helm"`
		} `json:"source"`
		Destination struct {
			Server    string `json:"server"`
			Namespace string `json:"namespace"`
		} `json:"destination"`
		SyncPolicy struct {
			Automated                map[string]any `json:"automated"`
			ManagedNamespaceMetadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"managedNamespaceMetadata"`
			SyncOptions []string `json:"syncOptions"`
		} `json:"syncPolicy"`
		IgnoreDifferences []struct {
			Group        string   `json:"group"`
			Kind         string   `json:"kind"`
			Name         string   `json:"name"`
			JSONPointers []string `json:"jsonPointers"`
		} `json:"ignoreDifferences"`
	} `json:"spec"`
}

// reference to an object in Flux.
type reference struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// fluxObject is any of Flux's, in the same way.
type fluxObject struct {
	named

	Spec struct {
		Interval  string            `json:"interval"`
		URL       string            `json:"url"`
		Ref       map[string]string `json:"ref"`
		Timeout   string            `json:"timeout"`
		Path      string            `json:"path"`
		Prune     bool              `json:"prune"`
		Wait      bool              `json:"wait"`
		DependsOn []reference       `json:"dependsOn"`
		SourceRef reference         `json:"sourceRef"`

		ReleaseName      string         `json:"releaseName"`
		TargetNamespace  string         `json:"targetNamespace"`
		StorageNamespace string         `json:"storageNamespace"`
		Install          map[string]any `json:"install"`
		Chart            struct {
			Spec struct {
				Chart     string    `json:"chart"`
				SourceRef reference `json:"sourceRef"`
			} `json:"spec"`
		} `json:"chart"`
		Values map[string]any `json:"values"`
	} `json:"spec"`
}

// expectValues of the operator's chart: names and kinds that it has.
func expectValues(t *testing.T, path string, given, known map[string]any) {
	t.Helper()
	for name, value := range given {
		is, has := known[name]
		switch {
		case !has || reflect.TypeOf(is) != reflect.TypeOf(value):
			t.Errorf("the chart has no value %s%s like %v", path, name, value)
		case reflect.TypeOf(is).Kind() == reflect.Map:
			expectValues(t, path+name+".", value.(map[string]any), is.(map[string]any)) //nolint:forcetypeassert // maps of YAML
		}
	}
}

// gitOps are the objects on docs/gitops.md.
func gitOps(t *testing.T) (applications map[string]*application, ofFlux map[string]*fluxObject) {
	t.Helper()
	applications, ofFlux = map[string]*application{}, map[string]*fluxObject{}
	for _, document := range documentsOf(read(t, "docs/gitops.md")) {
		var one named
		if err := yaml.Unmarshal([]byte(document), &one); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case one.APIVersion == "argoproj.io/v1alpha1" && one.Kind == "Application":
			app := &application{}
			err = yaml.UnmarshalStrict([]byte(document), app)
			applications[one.Metadata.Name] = app
		case strings.Contains(one.APIVersion, ".toolkit.fluxcd.io/"):
			object := &fluxObject{}
			err = yaml.UnmarshalStrict([]byte(document), object)
			ofFlux[one.Kind+" "+one.Metadata.Name] = object
		case one.Kind != "":
			t.Errorf("%s of %s", one.Kind, one.APIVersion)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, document)
		}
	}
	return applications, ofFlux
}

// What Argo CD is told of the operator is there, and applied before the mesh, by the server.
func TestArgoExample(t *testing.T) {
	t.Parallel()
	applications, _ := gitOps(t)
	if names := slices.Sorted(maps.Keys(applications)); !slices.Equal(names, []string{"nsm-mesh", "nsm-operator"}) {
		t.Fatalf("applications %v", names)
	}
	operator, mesh := applications["nsm-operator"], applications["nsm-mesh"]
	const wave = "argocd.argoproj.io/sync-wave"
	if before, after := operator.Metadata.Annotations[wave], mesh.Metadata.Annotations[wave]; before != "0" || after != "1" {
		t.Errorf("the operator comes in wave %q, and the mesh in %q", before, after)
	}
	for name, app := range applications {
		if !slices.Contains(app.Spec.SyncPolicy.SyncOptions, "ServerSideApply=true") || app.Spec.SyncPolicy.Automated == nil {
			t.Errorf("%s is not applied by the server: %+v", name, app.Spec.SyncPolicy)
		}
	}
	source := operator.Spec.Source
	if source.RepoURL != repositoryURL || source.TargetRevision != "v"+version {
		t.Errorf("the operator comes from %+v", source)
	}
	var chart map[string]any
	if err := yaml.Unmarshal([]byte(read(t, source.Path+"/values.yaml")), &chart); err != nil {
		t.Fatal(err)
	}
	expectValues(t, "", source.Helm.ValuesObject, chart)
	if operator.Spec.Destination.Namespace != "nsm-operator-system" || !slices.Contains(operator.Spec.SyncPolicy.SyncOptions, "CreateNamespace=true") {
		t.Errorf("the operator is put into %+v", operator.Spec.Destination)
	}

	// The parts that stand alone.
	page := read(t, "docs/gitops.md")
	for _, document := range documentsOf(page) {
		var part struct {
			Data map[string]string `json:"data"`
			Spec struct {
				IgnoreDifferences []struct {
					Group, Kind, Name string
					JSONPointers      []string
					JQPathExpressions []string
				}
			} `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(document), &part); err != nil {
			t.Fatal(err)
		}
		for _, ignored := range part.Spec.IgnoreDifferences {
			conversion := ignored.Name == "nsms."+nsmv1beta1.GroupVersion.Group && ignored.Kind == "CustomResourceDefinition" &&
				slices.Equal(ignored.JSONPointers, []string{"/spec/conversion"})
			// What is written when an NSM is created, into a list.
			names := ignored.Group == nsmv1beta1.GroupVersion.Group && ignored.Kind == "NSM" &&
				slices.Equal(ignored.JQPathExpressions, []string{".spec.forwarders[]?.name"})
			if !conversion && !names {
				t.Errorf("ignored is %+v", ignored)
			}
		}
		for key := range part.Data {
			known := []string{
				"application.resourceTrackingMethod", "resource.customizations.health.argoproj.io_Application",
				"resource.customizations.health." + nsmv1beta1.GroupVersion.Group + "_NSM",
			}
			if !slices.Contains(known, key) {
				t.Errorf("argocd-cm has no %s", key)
			}
		}
	}
	linked := regexp.MustCompile(`\]\(\.\./(config/argocd/[^)]*)\)`).FindStringSubmatch(page)
	if linked == nil || read(t, linked[1]) == "" {
		t.Error("the page does not link the health check")
	}
}

// The same of Flux: the mesh waits for the operator, and each reference leads to something.
func TestFluxExample(t *testing.T) {
	t.Parallel()
	_, objects := gitOps(t)
	kinds := map[string]string{
		"GitRepository": "source.toolkit.fluxcd.io/v1", "HelmRelease": "helm.toolkit.fluxcd.io/v2", "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
	}
	for name, object := range objects {
		if object.APIVersion != kinds[object.Kind] || object.Metadata.Namespace != "flux-system" || object.Spec.Interval == "" {
			t.Errorf("%s: %+v", name, object.named)
		}
		for _, to := range []reference{object.Spec.SourceRef, object.Spec.Chart.Spec.SourceRef} {
			// The reader's own repository is not on the page.
			if id := fmt.Sprintf("%s %s", to.Kind, to.Name); to.Kind != "" && objects[id] == nil && id != "GitRepository our-cluster" {
				t.Errorf("%s refers to %s, which is not there", name, id)
			}
		}
	}
	release, source := objects["HelmRelease nsm-operator"], objects["GitRepository nsm-operator"]
	operator, mesh := objects["Kustomization nsm-operator"], objects["Kustomization nsm-mesh"]
	if release == nil || source == nil || operator == nil || mesh == nil {
		t.Fatalf("there are %v", slices.Sorted(maps.Keys(objects)))
	}
	if source.Spec.URL != repositoryURL || source.Spec.Ref["tag"] != "v"+version {
		t.Errorf("the operator comes from %+v", source.Spec)
	}
	if _, err := os.Stat(filepath.Join(root, release.Spec.Chart.Spec.Chart, "Chart.yaml")); err != nil {
		t.Error(err)
	}
	var chart map[string]any
	if err := yaml.Unmarshal([]byte(read(t, release.Spec.Chart.Spec.Chart+"/values.yaml")), &chart); err != nil {
		t.Fatal(err)
	}
	expectValues(t, "", release.Spec.Values, chart)
	if !slices.Equal(mesh.Spec.DependsOn, []reference{{Name: "nsm-operator"}}) || !operator.Spec.Wait || !mesh.Spec.Wait {
		t.Errorf("the mesh depends on %v; the operator is waited for: %t", mesh.Spec.DependsOn, operator.Spec.Wait)
	}
}
