// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// The pods of this cluster are simulated, so the operator that "make deploy" puts
// there does not run: one beside the cluster does its work.
var _ = Describe("make deploy and make undeploy", Ordered, func() {
	const left = "nsm:gone:nsmgr"

	BeforeAll(func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up")
	})

	run := func(ctx context.Context, target string, variables ...string) string {
		GinkgoHelper()
		command := exec.CommandContext(ctx, "make", append([]string{"-s", target, "KUBECTL=" + filepath.Join(assets(), "kubectl")}, variables...)...)
		command.Dir = root
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "TIMEOUT=30s")
		output, err := command.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		return string(output)
	}
	// installed is what there is of the operator, and of its meshes.
	installed := func(ctx context.Context) []string {
		GinkgoHelper()
		found := ours(ctx)
		for _, resource := range []string{
			"namespaces", "clusterroles", "clusterrolebindings", "crds", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
		} {
			for name := range strings.FieldsSeq(kubectl(ctx, "get", resource, "-o", "name")) {
				if strings.Contains(name, "nsm-operator") || strings.Contains(name, "networkservicemesh.io") {
					found = append(found, name)
				}
			}
		}
		return found
	}

	It("may both be called twice", func(ctx SpecContext) {
		run(ctx, "deploy", "IMG=example.com/nsm-operator:v1")
		run(ctx, "deploy", "IMG=example.com/nsm-operator:v1")
		Expect(installed(ctx)).To(ContainElements("clusterrole.rbac.authorization.k8s.io/nsm-operator", "namespace/nsm-operator-system"))
		run(ctx, "undeploy")
		Expect(installed(ctx)).To(BeEmpty())
		run(ctx, "undeploy")
		Expect(installed(ctx)).To(BeEmpty())
	}, NodeTimeout(4*time.Minute))

	It("the second takes away what is left when the CRD is gone before, roles of meshes included", func(ctx SpecContext) {
		run(ctx, "deploy")
		kubectl(ctx, "delete", "crd", "nsms.nsm.networkservicemesh.io", "--timeout=30s")
		kubectl(ctx, "create", "clusterrole", left, "--verb=get", "--resource=nodes")
		kubectl(ctx, "create", "clusterrolebinding", left, "--clusterrole="+left, "--user=nobody")
		for _, resource := range []string{"clusterrole", "clusterrolebinding"} {
			kubectl(ctx, "label", resource, left, "app.kubernetes.io/managed-by=nsm-operator",
				"nsm.networkservicemesh.io/name=mesh", "nsm.networkservicemesh.io/namespace=nsm")
		}
		kubectl(ctx, "create", "clusterrole", "nsm-of-somebody-else", "--verb=get", "--resource=nodes")
		kubectl(ctx, "label", "clusterrole", "nsm-of-somebody-else", "app.kubernetes.io/managed-by=nsm-operator")
		run(ctx, "undeploy")
		By("and not what names no NSM, whatever label it has")
		Expect(installed(ctx)).To(ConsistOf("clusterroles /nsm-of-somebody-else"))
		kubectl(ctx, "delete", "clusterrole", "nsm-of-somebody-else")
	}, NodeTimeout(4*time.Minute))

	It("the second says what to do, and leaves the operator, while a mesh does not go", func(ctx SpecContext) {
		run(ctx, "deploy")
		kubectl(ctx, "delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "--all")
		kubectl(ctx, "create", "namespace", "stuck")
		nsm := filepath.Join(GinkgoT().TempDir(), "nsm.yaml")
		Expect(os.WriteFile(nsm, []byte("apiVersion: nsm.networkservicemesh.io/v1beta1\nkind: NSM\n"+
			"metadata: {name: stuck, namespace: stuck, finalizers: [nsm.networkservicemesh.io/finalizer]}\n"), 0o600)).To(Succeed())
		kubectl(ctx, "apply", "-f", nsm)
		command := exec.CommandContext(ctx, "make", "-s", "undeploy", "KUBECTL="+filepath.Join(assets(), "kubectl"))
		command.Dir = root
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "TIMEOUT=3s")
		output, err := command.CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(output)).To(ContainSubstring("not all meshes are gone after 3s"))
		kubectl(ctx, "get", "deployment", "nsm-operator", "-n", "nsm-operator-system")

		kubectl(ctx, "patch", "nsm", "stuck", "-n", "stuck", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
		run(ctx, "undeploy")
		Expect(installed(ctx)).To(BeEmpty())
	}, NodeTimeout(4*time.Minute))
})
