// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package chart

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

const (
	operatorChart     = "../../charts/nsm-operator"
	operatorNamespace = "nsm-operator-system"
	nsmDefinition     = "CustomResourceDefinition nsms.nsm.networkservicemesh.io"
)

// operatorVariants are values that the users of the operator's chart set together.
var operatorVariants = map[string][]string{
	"the defaults":        nil,
	"the nodes' network":  {"--set", "hostNetwork=true,ports.metrics=18443"},
	"without definitions": {"--set", "crds.enabled=false"},
	"some namespaces":     {"--set", "watchNamespaces={blue,green},log.level=debug"},
	"without its classes": {"--set", "podDisruptionBudget.enabled=false,priorityClassName="},
}

var _ = Describe("The operator's chart", func() {
	for _, binary := range []string{"helm", "helm3"} {
		for _, name := range slices.Sorted(maps.Keys(operatorVariants)) {
			It("has nothing that the linter of "+binary+" complains about: "+name, func() {
				output, err := helmBy(binary, append([]string{"lint", "--strict", operatorChart}, operatorVariants[name]...)...)
				Expect(err).NotTo(HaveOccurred(), output)
			})
		}
	}

	It("installs what kustomize makes of config, but for what Helm needs", func() {
		wanted := kustomize("default")
		Expect(wanted).To(HaveKey(nsmDefinition))
		delete(wanted, "Namespace "+operatorNamespace)
		Expect(plain(renderOperator(operatorNamespace))).To(Equal(wanted))
	})

	It("installs what the component for the nodes' network makes of it", func() {
		wanted := kustomize("chart", "host-network")
		delete(wanted, "Namespace "+operatorNamespace)
		Expect(plain(renderOperator(operatorNamespace, "--set", "hostNetwork=true"))).To(Equal(wanted))
	})

	It("puts all into the namespace of the release", func() {
		rendered := renderOperator("elsewhere")
		for key, object := range rendered {
			content, err := json.Marshal(object)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(content)).NotTo(ContainSubstring(`"`+operatorNamespace+`"`), key)
		}
		Expect(definition(rendered).Spec.Conversion.Webhook.ClientConfig.Service).To(HaveValue(Equal(apiextensionsv1.ServiceReference{
			Namespace: "elsewhere", Name: "nsm-operator-service", Path: ptr.To("/convert"), Port: ptr.To[int32](443),
		})), "as the operator writes it")
	})

	for _, name := range slices.Sorted(maps.Keys(operatorVariants)) {
		It("has no CA, which the operator alone writes, and no hooks: "+name, func() {
			text, err := helm(append([]string{"template", "operator", operatorChart}, operatorVariants[name]...)...)
			Expect(err).NotTo(HaveOccurred(), text)
			Expect(text).To(ContainSubstring("kind: Deployment"))
			Expect(text).NotTo(Or(ContainSubstring("caBundle"), ContainSubstring("helm.sh/hook")))
		})
	}

	It("has a definition that client-side apply can annotate: of less than 200 kB", func() {
		content, err := json.Marshal(renderOperator(operatorNamespace)[nsmDefinition])
		Expect(err).NotTo(HaveOccurred())
		Expect(len(content)).To(BeNumerically("<", 200_000))
	})

	It("leaves definitions behind, or takes them, or has none, or none of NSM's own two", func() {
		kept := func(args ...string) map[string]any {
			found := map[string]any{}
			for key, object := range renderOperator(operatorNamespace, args...) {
				if object.GetKind() == "CustomResourceDefinition" {
					found[strings.TrimPrefix(key, "CustomResourceDefinition ")] = object.GetAnnotations()["helm.sh/resource-policy"]
				}
			}
			return found
		}
		const nsms, services, endpoints = "nsms.nsm.networkservicemesh.io", "networkservices.networkservicemesh.io", "networkserviceendpoints.networkservicemesh.io"
		Expect(kept()).To(Equal(map[string]any{nsms: "keep", services: "keep", endpoints: "keep"}))
		Expect(kept("--set", "crds.keep=false")).To(Equal(map[string]any{nsms: "", services: "", endpoints: ""}))
		Expect(kept("--set", "crds.networkservicemesh=false")).To(Equal(map[string]any{nsms: "keep"}))
		Expect(kept("--set", "crds.enabled=false")).To(BeEmpty())
	})

	It("passes the operator all that its values say", func() {
		manager := func(args ...string) *appsv1.Deployment { return deployment(renderOperator(operatorNamespace, args...)) }
		mirror := manager("--set", "image.registry=mirror.example.com:5000,image.repository=a/nsm-operator,image.tag=v1,image.pullSecrets={pull},image.pullPolicy=Always")
		Expect(container(mirror).Image).To(Equal("mirror.example.com:5000/a/nsm-operator:v1"))
		Expect(container(mirror).ImagePullPolicy).To(BeEquivalentTo("Always"))
		Expect(mirror.Spec.Template.Spec.ImagePullSecrets).To(ConsistOf(HaveField("Name", "pull")))

		digest := "sha256:" + strings.Repeat("0", 64)
		Expect(container(manager("--set", "image.tag=v1,image.digest="+digest)).Image).To(HaveSuffix("/nsm-operator@" + digest))

		flags := manager("--set", "watchNamespaces={blue,green},log.level=debug,log.encoder=console,ports.webhooks=9000,monitoring=true,networkPolicy=false",
			"--set", "env[0].name=GOGC,env[0].value=off", "--set", "podLabels.team=blue", "--set", "tolerations[0].operator=Exists")
		Expect(container(flags).Args).To(Equal([]string{
			"--leader-elect", "--webhook-port=9000", "--watch-namespaces=blue,green", "--monitoring", "--network-policy=false", "--zap-log-level=debug", "--zap-encoder=console",
		}))
		Expect(container(flags).Ports).To(ContainElement(And(HaveField("Name", "webhooks"), HaveField("ContainerPort", BeEquivalentTo(9000)))))
		Expect(container(flags).Env).To(ContainElement(And(HaveField("Name", "GOGC"), HaveField("Value", "off"))))
		Expect(flags.Spec.Template.Labels).To(And(HaveKeyWithValue("team", "blue"), HaveKeyWithValue("control-plane", "nsm-operator")))
		Expect(flags.Spec.Template.Spec.Tolerations).To(HaveLen(1))

		proxied := manager("--set", "env[0].name=HTTP_PROXY,env[0].value=http://proxy:3128", "--set", "env[1].name=HTTPS_PROXY,env[1].value=http://proxy:3128",
			"--set", `env[2].name=NO_PROXY,env[2].value=10.0.0.0/8\,.svc`)
		for name, value := range map[string]string{"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "10.0.0.0/8,.svc"} {
			Expect(container(proxied).Env).To(ContainElement(And(HaveField("Name", name), HaveField("Value", value))))
		}

		node := manager("--set", "hostNetwork=true,ports.webhooks=9000")
		Expect(container(node).Args[len(container(node).Args)-1]).To(Equal("--webhook-port=9000"), "the last one counts")
		Expect(container(node).Ports).To(ContainElement(And(HaveField("ContainerPort", BeEquivalentTo(9000)), HaveField("HostPort", BeEquivalentTo(9000)))))

		bare := renderOperator(operatorNamespace, "--set", "podDisruptionBudget.enabled=false,priorityClassName=,replicas=1")
		Expect(deployment(bare).Spec.Template.Spec.PriorityClassName).To(BeEmpty())
		Expect(slices.Collect(maps.Keys(bare))).NotTo(ContainElement(Or(HavePrefix("PodDisruptionBudget"), HavePrefix("PriorityClass"))))
	})

	It("takes what docs/gitops.md has Argo CD and Flux give it", func() {
		examples := documented("Application", "HelmRelease")
		Expect(examples).To(HaveLen(3), "Argo CD: operator and mesh; Flux: the operator")
		rendered := 0
		for _, example := range examples {
			path, values := chartOf(example)
			if path == "mesh" {
				continue
			}
			Expect(filepath.Join("../..", path)).To(Equal(operatorChart))
			file := filepath.Join(GinkgoT().TempDir(), "values.yaml")
			content, err := yaml.Marshal(values)
			Expect(err).NotTo(HaveOccurred())
			Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
			Expect(deployment(renderOperator(operatorNamespace, "--values", file)).Spec.Replicas).To(HaveValue(BeEquivalentTo(values["replicas"])))
			rendered++
		}
		Expect(rendered).To(Equal(2))
	})

	It("says what comes next", func() {
		output, err := helm("install", "operator", operatorChart, "--namespace", "elsewhere", "--dry-run=client")
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(output).To(And(ContainSubstring("rollout status deployment/nsm-operator -n elsewhere"), ContainSubstring("kind: NSM\n")))
	})
})

var _ = DescribeTable("Wrong values of the operator's chart are refused by name", func(set, expected string) {
	for _, binary := range []string{"helm", "helm3"} {
		output, err := helmBy(binary, "template", "operator", operatorChart, "--set", set)
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring(expected))
	}
},
	Entry("a name with a typo", "replica=3", "additional properties 'replica' not allowed"),
	Entry("one below another", "image.tags=v1", "additional properties 'tags' not allowed"),
	Entry("a definition's switch that is none", "crds.install=false", "additional properties 'install' not allowed"),
	Entry("a digest that is none", "image.digest=v1", "/image/digest"),
	Entry("a namespace that is none", "watchNamespaces={Blue}", "/watchNamespaces/0"),
	Entry("a port that is none", "ports.webhooks=70000", "/ports/webhooks"),
	Entry("a level that is none", "log.level=verbose", "/log/level"),
	Entry("a variable that the operator does not read", "env[0].name=DEBUG,env[0].value=a", "/env/0/name"),
	Entry("a number as text", "replicas=two", "/replicas"),
)

// objects by kind and name.
type objects map[string]*unstructured.Unstructured

// renderOperator renders the operator's chart in a namespace.
func renderOperator(namespace string, args ...string) objects {
	GinkgoHelper()
	apiserver.DependOn(operatorChart)
	output, err := helm(append([]string{"template", "operator", operatorChart, "--namespace", namespace}, args...)...)
	Expect(err).NotTo(HaveOccurred(), output)
	return decode([]byte(output))
}

// kustomize builds a directory below config.
func kustomize(directory ...string) objects {
	GinkgoHelper()
	apiserver.DependOn("../../config")
	binary, err := filepath.Abs("../../bin/kustomize")
	Expect(err).NotTo(HaveOccurred())
	Expect(binary).To(BeAnExistingFile(), "run make test-chart")
	output, err := exec.Command(binary, "build", filepath.Join(append([]string{"../../config"}, directory...)...)).Output()
	Expect(err).NotTo(HaveOccurred())
	return decode(output)
}

func decode(documents []byte) objects {
	GinkgoHelper()
	found := objects{}
	for document := range bytes.SplitSeq(documents, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(document, &object.Object)).To(Succeed())
		if len(object.Object) == 0 {
			continue
		}
		key := object.GetKind() + " " + object.GetName()
		Expect(found).NotTo(HaveKey(key))
		found[key] = object
	}
	return found
}

// plain takes out what the chart adds for Helm, and expects it to be there.
func plain(all objects) objects {
	GinkgoHelper()
	for key, object := range all {
		labels, annotations := object.GetLabels(), object.GetAnnotations()
		Expect(labels).To(HaveKeyWithValue("app.kubernetes.io/managed-by", "Helm"), key)
		for _, label := range []string{"instance", "version", "managed-by"} {
			delete(labels, "app.kubernetes.io/"+label)
		}
		delete(labels, "helm.sh/chart")
		delete(annotations, "helm.sh/resource-policy")
		object.SetLabels(orNil(labels))
		object.SetAnnotations(orNil(annotations))
	}
	return all
}

// orNil is nil instead of an empty map, which would be rendered.
func orNil(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// documented are the objects of some kinds in the examples of docs/gitops.md.
func documented(kinds ...string) []*unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile("../../docs/gitops.md")
	Expect(err).NotTo(HaveOccurred())
	var found []*unstructured.Unstructured
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		for document := range bytes.SplitSeq(block[1], []byte("\n---\n")) {
			object := &unstructured.Unstructured{}
			Expect(yaml.UnmarshalStrict(document, &object.Object)).To(Succeed())
			if slices.Contains(kinds, object.GetKind()) {
				found = append(found, object)
			}
		}
	}
	return found
}

// chartOf an Application or a HelmRelease: its directory, and the values that it is given.
func chartOf(object *unstructured.Unstructured) (path string, values map[string]any) {
	GinkgoHelper()
	pathAt, valuesAt := []string{"spec", "source", "path"}, []string{"spec", "source", "helm", "valuesObject"}
	if object.GetKind() == "HelmRelease" {
		pathAt, valuesAt = []string{"spec", "chart", "spec", "chart"}, []string{"spec", "values"}
	}
	path, isThere, err := unstructured.NestedString(object.Object, pathAt...)
	Expect(err).NotTo(HaveOccurred())
	Expect(isThere).To(BeTrue(), object.GetName())
	values, _, err = unstructured.NestedMap(object.Object, valuesAt...)
	Expect(err).NotTo(HaveOccurred())
	return path, values
}

func definition(all objects) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	return as[apiextensionsv1.CustomResourceDefinition](all[nsmDefinition])
}

func deployment(all objects) *appsv1.Deployment {
	GinkgoHelper()
	return as[appsv1.Deployment](all["Deployment nsm-operator"])
}

// as is an object in a type of its own.
func as[T any](object *unstructured.Unstructured) *T {
	GinkgoHelper()
	content, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	var typed T
	Expect(yaml.UnmarshalStrict(content, &typed)).To(Succeed())
	return &typed
}
