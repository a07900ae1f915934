// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var _ = Describe("The operator on the network of its nodes", func() {
	It("listens where its Services lead, on ports that the scheduler finds free, and is let in", func(ctx SpecContext) {
		deployment, namespace := &appsv1.Deployment{}, &corev1.Namespace{}
		built := buildOnHostNetwork()
		find(built, "Deployment", deployment)
		find(built, "Namespace", namespace)
		pod := deployment.Spec.Template.Spec
		Expect(pod.HostNetwork).To(BeTrue())
		Expect(pod.DNSPolicy).To(Equal(corev1.DNSClusterFirstWithHostNet))
		Expect(deployment.Spec.Strategy.RollingUpdate.MaxSurge.IntValue()).To(BeZero(), "a new pod would wait for the port of an old one")
		ports := map[string]int32{}
		for _, port := range pod.Containers[0].Ports {
			Expect(port.HostPort).To(Equal(port.ContainerPort))
			ports[port.Name] = port.ContainerPort
		}
		Expect(ports).To(HaveLen(3))
		Expect(pod.Containers[0].Args).To(ContainElements("--leader-elect", fmt.Sprintf("--webhook-port=%d", ports["webhooks"])))

		level := namespace.Labels["pod-security.kubernetes.io/enforce"]
		for _, tried := range []string{"baseline", level} {
			Expect(tried).NotTo(BeEmpty())
			place := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				GenerateName: "host-network-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": tried},
			}}
			Expect(admin.Create(ctx, place)).To(Succeed())
			one := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: place.Name, Name: "operator"}, Spec: *pod.DeepCopy()}
			one.Spec.PriorityClassName, one.Spec.ServiceAccountName = "", ""
			admitted := admin.Create(ctx, one, client.DryRunAll)
			if tried == level {
				Expect(admitted).NotTo(HaveOccurred())
			} else {
				Expect(admitted).To(MatchError(And(ContainSubstring("host namespaces (hostNetwork=true)"), ContainSubstring("hostPort"))))
			}
		}
	})
})

// buildOnHostNetwork builds an overlay with the component, as the documentation has it.
func buildOnHostNetwork() [][]byte {
	GinkgoHelper()
	config, err := filepath.Abs("../config")
	Expect(err).NotTo(HaveOccurred())
	overlay := GinkgoT().TempDir()
	config, err = filepath.Rel(overlay, config)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(overlay, "kustomization.yaml"),
		fmt.Appendf(nil, "resources: [%s/default]\ncomponents: [%s/host-network]\n", config, config), 0o600)).To(Succeed())
	built, err := exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "kustomize", overlay).Output()
	Expect(err).NotTo(HaveOccurred())
	return bytes.Split(built, []byte("\n---\n"))
}

// find the object of a kind, of which there is one.
func find(documents [][]byte, kind string, object client.Object) {
	GinkgoHelper()
	i := slices.IndexFunc(documents, func(document []byte) bool { return bytes.Contains(document, []byte("\nkind: "+kind+"\n")) })
	Expect(i).NotTo(Equal(-1))
	Expect(yaml.UnmarshalStrict(documents[i], object)).To(Succeed())
}
