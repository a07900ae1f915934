// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package bundle

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocv1 "github.com/operator-framework/operator-controller/api/v1"
	"github.com/operator-framework/operator-controller/internal/operator-controller/rukpak/bundle/source"
	"github.com/operator-framework/operator-controller/internal/operator-controller/rukpak/preflights/crdupgradesafety"
	"github.com/operator-framework/operator-controller/internal/operator-controller/rukpak/render/registryv1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

const (
	installNamespace = "nsm-operator-system"
	nsmCRD           = "nsms.nsm.networkservicemesh.io"
)

// rendered is what OLM v1 makes of the bundle: by its validators and its renderer, without a provider of certificates.
func rendered(t *testing.T) []client.Object {
	t.Helper()
	bundle, err := source.FromFS(os.DirFS(bundleDir)).GetBundle()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := registryv1.Renderer.Render(bundle, installNamespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		kind, err := apiutil.GVKForObject(object, scheme(t))
		if err != nil {
			t.Fatal(err)
		}
		object.GetObjectKind().SetGroupVersionKind(kind)
	}
	return objects
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, ocv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// OLM v1 limits: no dependencies, and no webhooks for which it would need cert-manager.
func TestOLMv1NeedsNothingBesideTheBundle(t *testing.T) {
	bundle, err := source.FromFS(os.DirFS(bundleDir)).GetBundle()
	if err != nil {
		t.Fatal(err)
	}
	if len(bundle.CSV.Spec.WebhookDefinitions) != 0 || len(bundle.CSV.Spec.APIServiceDefinitions.Owned) != 0 ||
		len(bundle.CSV.Spec.CustomResourceDefinitions.Required) != 0 {
		t.Errorf("the bundle has webhooks, API services, or kinds of others that it requires")
	}
	if _, err := os.Stat(filepath.Join(bundleDir, "metadata", "dependencies.yaml")); !os.IsNotExist(err) {
		t.Errorf("the bundle has dependencies: %v", err)
	}
	kinds := map[string]int{}
	for _, object := range rendered(t) {
		kinds[object.GetObjectKind().GroupVersionKind().Kind]++
	}
	if kinds["Deployment"] != 1 || kinds["CustomResourceDefinition"] != 3 {
		t.Errorf("OLM v1 makes %v", kinds)
	}
}

// The ServiceAccount of docs/olm_v1.md has the rights to install, to change and to remove all of it, and the
// ClusterExtensions there are ones that OLM v1 takes.
func TestInstallerOfTheDocsMayInstall(t *testing.T) {
	config, admin := start(t)
	for _, object := range documented(t) {
		if err := admin.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			t.Errorf("%s %s of docs/olm_v1.md: %v", object.GetKind(), object.GetName(), err)
		}
	}
	config = rest.CopyConfig(config)
	config.Impersonate.UserName = "system:serviceaccount:" + installNamespace + ":nsm-operator-installer"
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + installNamespace, "system:authenticated"}
	installer, err := client.New(config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range rendered(t) {
		manage(t, installer, object)
	}
}

// manage does what OLM v1 does with an object.
func manage(t *testing.T, c client.Client, object client.Object) {
	t.Helper()
	kind := object.GetObjectKind().GroupVersionKind()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	labels := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"olm.operatorframework.io/owner-name":"nsm"}}}`))
	for _, step := range []struct {
		verb string
		do   func(context.Context) error
	}{
		{"create", func(ctx context.Context) error { return c.Create(ctx, object) }},
		{"get", func(ctx context.Context) error { return c.Get(ctx, client.ObjectKeyFromObject(object), object) }},
		{"list", func(ctx context.Context) error { return c.List(ctx, list, client.InNamespace(object.GetNamespace())) }},
		{"patch", func(ctx context.Context) error { return c.Patch(ctx, object, labels) }},
		{"update", func(ctx context.Context) error {
			// The API server writes the status of a CRD, too.
			return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
				return errors.Join(c.Get(ctx, client.ObjectKeyFromObject(object), object), c.Update(ctx, object))
			})
		}},
		{"delete", func(ctx context.Context) error { return c.Delete(ctx, object, client.DryRunAll) }},
	} {
		// The API server takes a moment to notice rights.
		err := retry.OnError(wait.Backoff{Duration: 100 * time.Millisecond, Steps: 100}, apierrors.IsForbidden, func() error { return step.do(t.Context()) })
		if err != nil {
			t.Errorf("%s %s %s: %v", step.verb, kind.Kind, object.GetName(), err)
			return
		}
	}
}

// start starts an API server that knows OLM v1's own kinds.
func start(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/operator-framework/operator-controller").Output()
	if err != nil {
		t.Fatal(err)
	}
	crds := filepath.Join(strings.TrimSpace(string(module)), "helm", "olmv1", "base")
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{
			filepath.Join(crds, "operator-controller", "crd", "standard"), filepath.Join(crds, "catalogd", "crd", "standard"),
		},
		ErrorIfCRDPathMissing: true,
	}
	const patience = 5 * time.Minute // with a machine that is busy
	environment.ControlPlaneStartTimeout, environment.ControlPlaneStopTimeout, environment.CRDInstallOptions.MaxTime = patience, patience, patience
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := client.New(config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return config, admin
}

// documented are the objects in the blocks of YAML of docs/olm_v1.md. Of two with the same name, the first one counts.
func documented(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("../../docs/olm_v1.md")
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for part := range strings.SplitSeq(block, "\n---\n") {
			object := &unstructured.Unstructured{}
			asJSON, err := yaml.YAMLToJSON([]byte(part))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(asJSON, &object.Object); err != nil {
				t.Fatal(err)
			}
			objects = append(objects, object)
		}
	}
	if len(objects) < 6 {
		t.Fatalf("docs/olm_v1.md has %d objects", len(objects))
	}
	return objects
}

// The commands of docs/olm_v1.md that are for the API server alone do what it says.
func TestCommandsOfTheDocs(t *testing.T) {
	config, admin := start(t)
	for _, crd := range crdsOf(t) {
		if err := admin.Create(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range documented(t) {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	extension, crd := &ocv1.ClusterExtension{}, &apiextensionsv1.CustomResourceDefinition{}
	read := func(name string, object client.Object) {
		t.Helper()
		if err := admin.Get(t.Context(), client.ObjectKey{Name: name}, object); err != nil {
			t.Fatal(err)
		}
	}
	commands := documentedCommands(t)
	if len(commands) != 3 {
		t.Fatalf("docs/olm_v1.md has %d blocks of commands for this test", len(commands))
	}

	runAs(t, config, commands[0])
	read("nsm-operator", extension)
	if install, catalog := extension.Spec.Install, extension.Spec.Source.Catalog; install == nil || install.Preflight == nil ||
		install.Preflight.CRDUpgradeSafety == nil || install.Preflight.CRDUpgradeSafety.Enforcement != ocv1.CRDUpgradeSafetyEnforcementNone ||
		catalog == nil || catalog.Version != "1.99.0" {
		t.Errorf("the check is on, or the version is another one: %+v", extension.Spec)
	}
	runAs(t, config, commands[1])
	extension = &ocv1.ClusterExtension{}
	read("nsm-operator", extension)
	if catalog := extension.Spec.Source.Catalog; extension.Spec.Install != nil || catalog == nil || catalog.Version != "2.x" {
		t.Errorf("the check is not on, or the version is another one: %+v", extension.Spec)
	}
	runAs(t, config, commands[2])
	read(nsmCRD, crd)
	if crd.Labels["app.kubernetes.io/managed-by"] != "Helm" || crd.Annotations["meta.helm.sh/release-namespace"] != installNamespace {
		t.Errorf("Helm would not take over the CRD: %v, %v", crd.Labels, crd.Annotations)
	}
}

// documentedCommands are the blocks of docs/olm_v1.md that are tagged "sh bundle".
func documentedCommands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/olm_v1.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range strings.Split(string(text), "```sh bundle\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		commands = append(commands, block)
	}
	return commands
}

// runAs runs commands with the kubectl that was built, as the user of a configuration.
func runAs(t *testing.T, config *rest.Config, commands string) {
	t.Helper()
	const name = "test"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, file); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	shell.Env = append(os.Environ(), "KUBECONFIG="+file,
		"PATH="+os.Getenv("KUBEBUILDER_ASSETS")+string(os.PathListSeparator)+os.Getenv("PATH"))
	if output, err := shell.CombinedOutput(); err != nil {
		t.Errorf("%s\n%v\n%s", commands, err, output)
	}
}

// OLM v1 refuses an upgrade that changes a CRD in a way that could break somebody.
func TestUpgradesOfTheCRDPassOLMv1(t *testing.T) {
	config, admin := start(t)
	for _, crd := range crdsOf(t) {
		if err := admin.Create(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
	}
	crdClient, err := apiextensionsclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	preflight := crdupgradesafety.NewPreflight(crdClient.CustomResourceDefinitions())

	for name, test := range map[string]struct {
		change  func(spec map[string]apiextensionsv1.JSONSchemaProps)
		refused string
	}{
		"unchanged": {func(map[string]apiextensionsv1.JSONSchemaProps) {}, ""},
		"one more field": {func(spec map[string]apiextensionsv1.JSONSchemaProps) {
			spec["later"] = apiextensionsv1.JSONSchemaProps{Type: "string"}
		}, ""},
		"another text": {edited("version", func(p *apiextensionsv1.JSONSchemaProps) { p.Description = "other words" }), ""},
		"one more log level": {edited("logLevel", func(p *apiextensionsv1.JSONSchemaProps) {
			p.Enum = append(p.Enum, apiextensionsv1.JSON{Raw: []byte(`"ALL"`)})
		}), ""},
		"one log level less": {edited("logLevel", func(p *apiextensionsv1.JSONSchemaProps) { p.Enum = p.Enum[1:] }), "enum"},
		"a field is gone":    {func(spec map[string]apiextensionsv1.JSONSchemaProps) { delete(spec, "logLevel") }, "existingFieldRemoval"},
		"a field is shorter": {edited("version", func(p *apiextensionsv1.JSONSchemaProps) { *p.MaxLength = 1 }), "maxLength"},
	} {
		t.Run(name, func(t *testing.T) {
			crds := crdsOf(t)
			for _, crd := range crds {
				if crd.Name == nsmCRD {
					for _, version := range crd.Spec.Versions {
						if version.Storage {
							test.change(version.Schema.OpenAPIV3Schema.Properties["spec"].Properties)
						}
					}
				}
			}
			var objects []client.Object
			for _, crd := range crds {
				objects = append(objects, crd)
			}
			err := preflight.Upgrade(t.Context(), objects)
			if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("want %q: %v", test.refused, err)
			}
		})
	}
}

// Nothing of that changes on the way from the bridge: only what is served and stored does.
func TestUpgradeFromTheBridgePassesOLMv1(t *testing.T) { upgradeFrom(t, crdsFrom(t, bridgeDir)) }

// Nor does it on the way from any release. Their CRDs are kept when they are made: docs/development.md says so.
func TestUpgradesFromReleasesPassOLMv1(t *testing.T) {
	directories, err := filepath.Glob("testdata/released/*")
	if err != nil {
		t.Fatal(err)
	}
	replaced := load(t).CSV.Spec.Replaces
	kept := filepath.Join("testdata", "released", strings.TrimPrefix(replaced, "nsm-operator.v"))
	if replaced != loadFrom(t, bridgeDir).CSV.Name && !slices.Contains(directories, kept) {
		t.Errorf("the CRDs of %s are not in %s", replaced, kept)
	}
	for _, directory := range directories {
		t.Run(filepath.Base(directory), func(t *testing.T) { upgradeFrom(t, crdsIn(t, directory)) })
	}
}

// upgradeFrom the CRDs of a release to those of the bundle.
func upgradeFrom(t *testing.T, crds []*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	config, admin := start(t)
	for _, crd := range crds {
		if err := admin.Create(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
	}
	crdClient, err := apiextensionsclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for _, crd := range crdsOf(t) {
		objects = append(objects, crd)
	}
	if err := crdupgradesafety.NewPreflight(crdClient.CustomResourceDefinitions()).Upgrade(t.Context(), objects); err != nil {
		t.Error(err)
	}
}

// crdsIn the files of a directory.
func crdsIn(t *testing.T, directory string) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no CRDs: %v", directory, err)
	}
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		crds = append(crds, crd)
	}
	return crds
}

// From the published 1.8.0 they refuse it: docs/olm_v1.md says how to switch them off for that one step, and for what.
func TestUpgradeFromThePublishedCRDIsRefusedByOLMv1(t *testing.T) {
	config, admin := start(t)
	file, err := os.Open("../earlier/testdata/crd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := utilyaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		crd := &unstructured.Unstructured{}
		if err := decoder.Decode(&crd.Object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(crd.Object) == 0 {
			continue
		}
		if err := admin.Create(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
	}
	crdClient, err := apiextensionsclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	preflight := crdupgradesafety.NewPreflight(crdClient.CustomResourceDefinitions())
	for _, crd := range crdsFrom(t, bridgeDir) {
		if crd.Name != nsmCRD {
			continue
		}
		if err := preflight.Upgrade(t.Context(), []client.Object{crd}); err == nil || !strings.Contains(err.Error(), "v1alpha1.^.spec.registry") {
			t.Errorf("spec.registry is of another type: %v", err)
		}
	}
}

func edited(field string, edit func(*apiextensionsv1.JSONSchemaProps)) func(map[string]apiextensionsv1.JSONSchemaProps) {
	return func(spec map[string]apiextensionsv1.JSONSchemaProps) {
		property := spec[field]
		edit(&property)
		spec[field] = property
	}
}

func crdsOf(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	return crdsFrom(t, bundleDir)
}

func crdsFrom(t *testing.T, dir string) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	crds := loadFrom(t, dir).V1CRDs
	for _, crd := range crds {
		crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	}
	return crds
}
