// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/networkservicemesh/nsm-operator/test/documents"
)

// podPages are the pages whose blocks "sh pods" are run by the specs below, in the order
// of readers: who installs by one page removes all of it by another. That of
// docs/upgrading.md is run where there is an earlier operator.
var podPages = []string{
	"README.md", "docs/k8s_manual_install.md", "docs/troubleshooting.md", "docs/runbooks.md", "docs/uninstall.md",
	"docs/openshift_manual_install.md", "docs/test_cluster.md", "docs/spire.md",
}

// The documents, from the image to "make undeploy", on a cluster in which the operator's
// pods run. Its volumes are no real ones, so that SPIRE keeps its data in an emptyDir.
var _ = Describe("The documents, word for word", Ordered, SpecPriority(2), func() {
	var here []string

	BeforeAll(func(ctx SpecContext) {
		registry := startRegistry(ctx)
		here = []string{"registry.example.com", registry}
		programs := GinkgoT().TempDir()
		standIn(programs, "log", "2026-01-02T03:04:05.000000000Z stdout F OK\n")
		startWithPods(ctx, registry+imageName, func(address string) string {
			if strings.HasPrefix(address, "localhost:") {
				return address // of the kubelets
			}
			return ""
		}, "--exec-programs", programs)
		inBackground(ctx, endTests)
		GinkgoT().Setenv("SPIRE_STORAGE", "emptyDir")
	})

	for _, page := range podPages {
		It("say in "+page+" what works", func(ctx SpecContext) {
			follow(ctx, page, documents.Pods, here...)
		}, NodeTimeout(15*time.Minute))
	}

	It("leave nothing", func(ctx SpecContext) {
		Eventually(installed).WithArguments(ctx).WithPolling(listing).Should(BeEmpty())
	})
})

// startRegistry of images on this machine, to the end of the specs that share it, and
// return its address.
func startRegistry(ctx SpecContext) string {
	GinkgoHelper()
	repository, err := filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	command := exec.Command(filepath.Join(repository, "bin", "image"), "serve")
	said, err := command.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(command.Start()).To(Succeed(), "run make test-e2e, which builds it")
	DeferCleanup(func() {
		Expect(command.Process.Signal(os.Interrupt)).To(Succeed())
		Expect(command.Wait()).To(Succeed())
	})
	address, err := bufio.NewReader(said).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(address)
}
