// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package chart has Helm itself judge and render the charts: of the ICMP responder, and
// of the operator. What becomes of them in a cluster is tested in test/e2e.
package chart

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

// directory of the chart.
const directory = "../../config/samples/application"

// tagged is an image with a registry and a tag.
const tagged = `^[a-z0-9.-]+\.[a-z]+/\S+:v?[0-9]\S*$`

func TestChart(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "The charts")
}

// variants are the values that the chart's users set together.
var variants = map[string][]string{
	"the defaults":            nil,
	"the oldest release":      {"--set", "release=v1.0.0"},
	"restricted":              {"--set", "restricted=true,sockets.mount=CSI"},
	"OpenShift":               {"--set", "openshift=true"},
	"OpenShift with CSI":      {"--set", "openshift=true,sockets.mount=CSI"},
	"IPv4 and IPv6":           {"--set", "cidrPrefixes={172.16.1.0/26,2001:db8::/116}"},
	"images of a mirror":      {"--set", "images.registry=mirror.example.com,images.repository=nsm,images.pullSecrets={pull}"},
	"a mesh in its namespace": {"--set", "meshNamespace=nsm-system"},
}

var _ = Describe("The chart", func() {
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		It("has nothing that Helm's linter complains about: "+name, func() {
			output, err := helm(append([]string{"lint", "--strict", directory}, variants[name]...)...)
			Expect(err).NotTo(HaveOccurred(), output)
		})
	}

	It("makes two clients and an endpoint, named as its documentation has them", func() {
		nsc, nse := render().deployment("nsc-kernel"), render().deployment("nse-kernel")
		Expect(nsc.Spec.Replicas).To(HaveValue(BeEquivalentTo(2)))
		Expect(container(nsc).Image).To(Equal("ghcr.io/networkservicemesh/cmd-nsc:v1.18.0"))
		Expect(environment(nsc)).To(HaveKeyWithValue("NSM_NETWORK_SERVICES", "kernel://icmp-responder/nsm-1"))
		Expect(container(nse).Image).To(Equal("ghcr.io/networkservicemesh/cmd-nse-icmp-responder:v1.18.0"))
		Expect(environment(nse)).To(And(
			HaveKeyWithValue("NSM_SERVICE_NAMES", "icmp-responder"), HaveKeyWithValue("NSM_CIDR_PREFIX", "172.16.1.0/26")))
		for _, deployment := range []*appsv1.Deployment{nsc, nse} {
			Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue("spiffe.io/spiffe-id", "true"))
			Expect(deployment.Spec.Template.Spec.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		}
	})

	// One without changes overnight, and cannot be mirrored.
	It("names no image without a tag", func() {
		for name, args := range variants {
			for _, pod := range render(args...).pods() {
				for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
					Expect(container.Image).To(MatchRegexp(tagged), name)
				}
			}
		}
		Expect(container(deployment(renderOperator(operatorNamespace))).Image).To(MatchRegexp(tagged))
	})

	It("makes the network service in the mesh's namespace, where the kind is served, so that it goes with the release", func() {
		services := func(args ...string) []unstructured.Unstructured {
			GinkgoHelper()
			return each[unstructured.Unstructured](render(args...), "NetworkService")
		}
		served := []string{"--api-versions", "networkservicemesh.io/v1/NetworkService", "--set", "meshNamespace=nsm-system,networkService=pings"}
		made := services(served...)
		Expect(made).To(HaveLen(1))
		Expect(made[0].GetNamespace()).To(Equal("nsm-system"))
		Expect(made[0].GetName()).To(Equal("pings"))
		Expect(made[0].Object["spec"]).To(Equal(map[string]any{"name": "pings", "payload": "ETHERNET"}), "what the endpoint registers")
		Expect(services(append(served, "--set", "declareNetworkService=false")...)).To(BeEmpty())
		Expect(services()).To(BeEmpty(), "a kind that is not served")
	})

	It("sets the endpoint of the oldest release by the names that it reads", func() {
		rendered := render(variants["the oldest release"]...)
		Expect(environment(rendered.deployment("nse-kernel"))).To(And(
			HaveKeyWithValue("NSE_SERVICE_NAME", "icmp-responder"), HaveKeyWithValue("NSE_CIDR_PREFIX", "172.16.1.0/26"),
			HaveKey("NSE_CONNECT_TO"), Not(HaveKey(HavePrefix("NSM_")))))
		Expect(container(rendered.deployment("nsc-kernel")).Image).To(HaveSuffix("cmd-nsc:v1.0.0"))
	})

	It("asks on OpenShift for the constraints that the mesh grants, or for none of its own with CSI", func() {
		host := render(append(variants["OpenShift"], "--set", "meshNamespace=nsm-system")...)
		Expect(host.scc()).To(HaveEach("nsm-nsm-system-client"))
		Expect(render(variants["OpenShift with CSI"]...).scc()).To(HaveEach("restricted-v2"))
		for _, pod := range host.pods() {
			Expect(pod.Spec.SecurityContext.RunAsUser).To(BeNil(), "OpenShift chooses it")
		}
		Expect(render().scc()).To(HaveEach(""))
	})

	It("turns NSM's DNS server off where it could not write resolv.conf, by the name that the release reads", func() {
		names := func(args ...string) map[string]string { return environment(render(args...).deployment("nsc-kernel")) }
		Expect(names()).NotTo(HaveKey(ContainSubstring("DNS")))
		Expect(names("--set", "openshift=true")).To(HaveKeyWithValue("NSM_LOCAL_DNS_SERVER_ENABLED", "false"))
		Expect(names("--set", "openshift=true,release=v1.13.0")).To(HaveKeyWithValue("NSM_LOCALDNSSERVERENABLED", "false"))
	})

	It("tests from two clients, within three minutes", func() {
		const timeout = 90 // of each pod, as NOTES.txt and the documents have it
		tests := render().tests()
		Expect(tests).To(HaveLen(2))
		for _, pod := range tests {
			Expect(*pod.Spec.ActiveDeadlineSeconds).To(BeNumerically("<", timeout))
			Expect(pod.Spec.InitContainers).To(ConsistOf(HaveField("RestartPolicy", Equal(ptr.To(corev1.ContainerRestartPolicyAlways)))))
		}
		for _, file := range []string{filepath.Join(directory, "templates/NOTES.txt"), "../../docs/k8s_manual_install.md"} {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(text)).To(MatchRegexp(fmt.Sprintf(`helm test .* --timeout %ds --logs\n`, timeout)), file)
		}
	})

	// A pod whose volume cannot be mounted never starts, and nobody says which hop failed.
	It("starts its pods on nodes without SPIRE and without a manager", func() {
		for _, pod := range render().pods() {
			for _, volume := range pod.Spec.Volumes {
				if volume.HostPath != nil {
					Expect(volume.HostPath.Type).To(HaveValue(Equal(corev1.HostPathDirectoryOrCreate)), volume.Name)
				}
			}
		}
	})
})

var _ = DescribeTable("Wrong values are refused by name", func(set, expected string) {
	output, err := helm("template", "icmp-responder", directory, "--set", set)
	Expect(err).To(HaveOccurred())
	Expect(output).To(ContainSubstring(expected))
},
	Entry("a prefix for fewer than 16 clients", "cidrPrefixes={172.16.1.100/31}", "/cidrPrefixes/0"),
	Entry("the same in IPv6", "cidrPrefixes={2001:db8::/124}", "/cidrPrefixes/0"),
	Entry("no prefix", "cidrPrefixes=[]", "/cidrPrefixes"),
	Entry("more clients than addresses", "nsc.replicas=31",
		"cidrPrefixes: 172.16.1.0/26 has addresses for 32 clients; nsc.replicas and the two of helm test are 33"),
	Entry("more clients than addresses in one of several", "nsc.replicas=20,cidrPrefixes={172.16.1.0/16,2001:db8::/123}",
		"cidrPrefixes: 2001:db8::/123 has addresses for 16 clients"),
	Entry("host paths where Pod Security forbids them", "restricted=true", "set sockets.mount to CSI"),
	Entry("a release that is none", "release=1.18", "/release"),
	Entry("a mount that does not exist", "sockets.mount=csi", "/sockets/mount"),
	Entry("a name with a typo", "nsc.replica=3", "replica"),
	Entry("a pull policy that does not exist", "images.pullPolicy=Sometimes", "/images/pullPolicy"),
)

// helm runs the Helm that this repository pins.
func helm(args ...string) (string, error) {
	GinkgoHelper()
	return helmBy("helm", args...)
}

// helmBy runs one of the two, helm and helm3.
func helmBy(name string, args ...string) (string, error) {
	GinkgoHelper()
	binary, err := filepath.Abs(filepath.Join("../../bin", name))
	Expect(err).NotTo(HaveOccurred())
	Expect(binary).To(BeAnExistingFile(), "run make test-chart")
	command := exec.Command(binary, args...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+GinkgoT().TempDir())
	output, err := command.CombinedOutput()
	return string(output), err
}

// manifests are the documents of a rendered chart.
type manifests [][]byte

func render(args ...string) manifests {
	GinkgoHelper()
	output, err := helm(append([]string{"template", "icmp-responder", directory, "--namespace", "nsm"}, args...)...)
	Expect(err).NotTo(HaveOccurred(), output)
	return bytes.Split([]byte(output), []byte("\n---\n"))
}

// each decodes the documents of one kind.
func each[T any](m manifests, kind string) []T {
	GinkgoHelper()
	var found []T
	for _, document := range m {
		if !strings.Contains("\n"+string(document), "\nkind: "+kind+"\n") {
			continue
		}
		var object T
		Expect(yaml.UnmarshalStrict(document, &object)).To(Succeed(), string(document))
		found = append(found, object)
	}
	return found
}

func (m manifests) deployment(name string) *appsv1.Deployment {
	GinkgoHelper()
	for _, deployment := range each[appsv1.Deployment](m, "Deployment") {
		if deployment.Name == name {
			return &deployment
		}
	}
	Fail("there is no Deployment " + name)
	return nil
}

func (m manifests) tests() []corev1.Pod {
	GinkgoHelper()
	return each[corev1.Pod](m, "Pod")
}

// pods that the chart makes, by itself and through Deployments.
func (m manifests) pods() []corev1.PodTemplateSpec {
	GinkgoHelper()
	var found []corev1.PodTemplateSpec
	for _, deployment := range each[appsv1.Deployment](m, "Deployment") {
		found = append(found, deployment.Spec.Template)
	}
	for _, pod := range m.tests() {
		found = append(found, corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec})
	}
	Expect(found).To(HaveLen(4))
	return found
}

// scc is what each pod asks OpenShift for.
func (m manifests) scc() []string {
	GinkgoHelper()
	var found []string
	for _, pod := range m.pods() {
		found = append(found, pod.Annotations["openshift.io/required-scc"])
	}
	return found
}

func container(deployment *appsv1.Deployment) corev1.Container {
	GinkgoHelper()
	Expect(deployment.Spec.Template.Spec.Containers).To(HaveLen(1))
	return deployment.Spec.Template.Spec.Containers[0]
}

func environment(deployment *appsv1.Deployment) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, variable := range container(deployment).Env {
		Expect(found).NotTo(HaveKey(variable.Name))
		found[variable.Name] = variable.Value
	}
	return found
}
