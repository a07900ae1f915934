// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// installChart installs and uninstalls the chart of the ICMP responder, as its
// documentation has it, in a namespace where Pod Security enforces this level.
// Nothing runs in the pods of "helm test" here: the API server judges them, no more.
func installChart(ctx SpecContext, namespace, level, values string) {
	kubectl(ctx, "apply", "-f", write(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"`+namespace+
		`","labels":{"pod-security.kubernetes.io/enforce":"`+level+`"}}}`))
	runHelm(ctx, helm4, "install", "icmp-responder", "config/samples/application", "-n", namespace, "--set", values, "--wait", "--timeout=3m")
	Expect(count(responderPods(ctx, namespace))).To(Equal(map[string]int{"nsc-kernel": 2, "nse-kernel": 1}))

	Expect(kubectl(ctx, "get", "networkservices", "--all-namespaces", "-o", "name")).To(ContainSubstring("/icmp-responder"))
	hooks := write(runHelm(ctx, helm4, "get", "hooks", "icmp-responder", "-n", namespace))
	Expect(kubectl(ctx, "apply", "--dry-run=server", "-n", namespace, "-f", hooks)).To(And(
		ContainSubstring("pod/icmp-responder-ping-1 created"), ContainSubstring("pod/icmp-responder-ping-2 created")))

	runHelm(ctx, helm4, "uninstall", "icmp-responder", "-n", namespace, "--wait", "--timeout=3m")
	Eventually(func() []corev1.Pod { return responderPods(ctx, namespace) }).Should(BeEmpty())
	Expect(kubectl(ctx, "get", "networkservices", "--all-namespaces", "-o", "name")).To(BeEmpty(), "what the endpoint has registered")
}

func responderPods(ctx context.Context, namespace string) []corev1.Pod {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(admin.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": "icmp-responder"})).To(Succeed())
	return pods.Items
}

// runHelm runs one of the two that this repository pins, helm and helm3, against the
// local cluster.
func runHelm(ctx context.Context, binary string, args ...string) string {
	GinkgoHelper()
	output, err := tryHelm(ctx, binary, args...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// tryHelm runs it where it may fail, with what it says as the error.
func tryHelm(ctx context.Context, binary string, args ...string) (string, error) {
	GinkgoHelper()
	home := GinkgoT().TempDir()
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", binary), args...)
	command.Dir = root
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	output, err := command.Output()
	GinkgoWriter.Printf("%s %s\n%s\n", binary, strings.Join(args, " "), output)
	if exit, hasExited := errors.AsType[*exec.ExitError](err); hasExited {
		return "", fmt.Errorf("%s %s: %w: %s", binary, strings.Join(args, " "), err, exit.Stderr)
	}
	return string(output), err
}

// write puts a manifest into a file of its own.
func write(manifest string) string {
	GinkgoHelper()
	file := filepath.Join(GinkgoT().TempDir(), "manifest.yaml")
	Expect(os.WriteFile(file, []byte(manifest), 0o600)).To(Succeed())
	return file
}
