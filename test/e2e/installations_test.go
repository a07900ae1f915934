// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
)

var _ = Describe("Two installations of the operator", Ordered, func() {
	const other = "another-operator"

	It("do not fight: one works, the other says for whom it stands by, until that one is gone", func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up")
		kubectl(ctx, "apply", "--server-side", "-k", "config/local")
		awaitDefinitions(ctx)
		install(ctx, other)
		addresses := freeAddresses(3)
		first := startOperator(ctx, addresses[0])
		kubectl(ctx, "apply", "-f", newSample)
		waitAvailable(ctx)

		_, port, err := net.SplitHostPort(addresses[1])
		Expect(err).NotTo(HaveOccurred())
		command := exec.Command(filepath.Join(root, "bin", "manager"), "--namespace="+other,
			"--webhook-url=https://"+addresses[1], "--webhook-port="+port,
			"--metrics-bind-address=0", "--health-probe-bind-address="+addresses[2])
		command.Env = append(os.Environ(), "KUBECONFIG="+operatorKubeconfig(ctx, other))
		second, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { second.Terminate().Wait(2 * time.Minute) })
		Eventually(second.Err).Should(gbytes.Say("Another installation of the operator works in this cluster, in namespace " + operatorNamespace))
		Eventually(func() int { return statusOf(ctx, "http://"+addresses[2]+"/healthz", "") }).Should(Equal(http.StatusOK))
		Expect(statusOf(ctx, "http://"+addresses[2]+"/readyz", "")).To(Equal(http.StatusInternalServerError))
		crd := func() string {
			state, err := read(ctx, crdResource, "", "nsms.nsm.networkservicemesh.io", "{.metadata.resourceVersion} {.spec.conversion}")
			Expect(err).NotTo(HaveOccurred())
			return state
		}
		Expect(crd()).To(ContainSubstring(addresses[0]))
		Consistently(crd).WithTimeout(5 * time.Second).WithPolling(250 * time.Millisecond).Should(Equal(crd()))

		By("taking the first away")
		first.stop()
		kubectl(ctx, "delete", "namespace", operatorNamespace, "--timeout=3m")
		Eventually(func() int { return statusOf(ctx, "http://"+addresses[2]+"/readyz", "") }).WithTimeout(time.Minute).Should(Equal(http.StatusOK))
		Expect(crd()).To(ContainSubstring(addresses[1]))
		Eventually(reading(ctx, nsmv1alpha1.GroupVersion.WithResource("nsms"), namespace, "", "{.items[*].metadata.name}")).Should(Equal("nsm-sample"))
		kubectl(ctx, "delete", "nsm", "nsm-sample", "-n", namespace, "--timeout=3m")
	}, NodeTimeout(10*time.Minute))
})

// install gives an operator in another namespace all that the first one has in its
// own, and in the cluster.
func install(ctx context.Context, namespace string) {
	GinkgoHelper()
	kubectl(ctx, "create", "namespace", namespace)
	kubectl(ctx, "create", "serviceaccount", operatorAccount, "-n", namespace)
	account := "--serviceaccount=" + namespace + ":" + operatorAccount
	kubectl(ctx, "create", "clusterrolebinding", namespace, "--clusterrole=nsm-operator", account)
	own := kubectl(ctx, "get", "role", "nsm-operator", "-n", operatorNamespace, "-o", "jsonpath={.rules}")
	file := filepath.Join(directory, "role.json")
	Expect(os.WriteFile(file, []byte(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role",
		"metadata":{"name":"nsm-operator","namespace":"`+namespace+`"},"rules":`+strings.TrimSpace(own)+`}`), 0o600)).To(Succeed())
	kubectl(ctx, "apply", "-f", file)
	kubectl(ctx, "create", "rolebinding", "nsm-operator", "-n", namespace, "--role=nsm-operator", account)
}
