// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// asPlugin is a variable that has this test's program be the plugin.
const asPlugin = "NSM_TEST_IS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main()
	}
	os.Exit(m.Run())
}

// filesOf an archive, without its directory.
func filesOf(archive io.Reader) map[string]string {
	GinkgoHelper()
	unzipped, err := gzip.NewReader(archive)
	Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		Expect(err).NotTo(HaveOccurred())
		content, err := io.ReadAll(reader)
		Expect(err).NotTo(HaveOccurred())
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(content)
	}
}

var _ = Describe("support", func() {
	It("writes an archive, and its name alone to standard output", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		newNSM(ctx, namespace, nil)
		name := filepath.Join(GinkgoT().TempDir(), "a.tar.gz")
		found := runAdmin(ctx, "support", "-n", namespace, "--archive", name)
		// The operator is not there, and nobody converts.
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(found.stdout).To(Equal(name + "\n"))
		Expect(found.stderr).To(And(ContainSubstring("gathering NSMs"), ContainSubstring("errors.txt in it says what is missing")))
		file, err := os.Open(name)
		Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		Expect(filesOf(file)).To(HaveKey("namespaces/" + namespace + "/nsms.v1beta1.yaml"))
		Expect(file.Stat()).To(HaveField("Mode()", os.FileMode(0o600)))
	})

	It("ends with 0 where nothing is missing", func(ctx SpecContext) {
		install(ctx, corev1.Container{Image: "example.com/nsm-operator:v2.0.0"})
		name := filepath.Join(GinkgoT().TempDir(), "a.tar.gz")
		found := runAdmin(ctx, "support", "-n", newNamespace(ctx), "--archive", name)
		Expect(found.code).To(Equal(exitFine), found.stderr)
		Expect(found.stdout).To(Equal(name + "\n"))
		Expect(found.stderr).To(ContainSubstring("The archive has all that there is."))
		file, err := os.Open(name)
		Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		Expect(filesOf(file)).To(HaveKeyWithValue("errors.txt", BeEmpty()))
	})

	It("tells what aliases stand for in a file of its own", func(ctx SpecContext) {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-of-support"}}
		Expect(admin.Create(ctx, node)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, node)).To(Succeed()) })
		directory := GinkgoT().TempDir()
		found := runAdmin(ctx, "support", "--anonymize", "--archive", filepath.Join(directory, "a.tar.gz"))
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		file, err := os.Open(filepath.Join(directory, "a.tar.gz"))
		Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		for name, content := range filesOf(file) {
			Expect(content).NotTo(ContainSubstring(node.Name), name)
		}
		names, err := os.ReadFile(filepath.Join(directory, "a.names.txt"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(names)).To(MatchRegexp(`(?m)^NODE_\d+ worker-of-support$`))
		Expect(found.stderr).To(ContainSubstring("a.names.txt: keep it"))
	})

	It("gathers nothing where it may not know what to hide", func(ctx SpecContext) {
		name := filepath.Join(GinkgoT().TempDir(), "a.tar.gz")
		found := runAs(ctx, viewer, "support", "--anonymize", "--archive", name)
		Expect(found.code).To(Equal(exitNothing))
		Expect(found.stderr).To(ContainSubstring("nothing was gathered: --anonymize has to know the names of all nodes"))
		Expect(name).NotTo(BeAnExistingFile())
	})

	It("writes the archive to standard output, also where nothing can be read", func(ctx SpecContext) {
		found := runAdmin(ctx, "support", "--server", "https://127.0.0.1:1", "--archive", "-")
		Expect(found.code).To(Equal(exitNothing))
		Expect(found.stderr).To(ContainSubstring("is the cluster there"))
		Expect(filesOf(strings.NewReader(found.stdout))["errors.txt"]).To(ContainSubstring("ask what the API server serves"))
	})

	It("ends with 2 for a flag that it does not understand", func(ctx SpecContext) {
		found := runAdmin(ctx, "support", "--since-time", "yesterday")
		Expect(found.code).To(Equal(exitNothing))
		Expect(found.stderr).To(ContainSubstring("--since-time yesterday: must be a time such as"))
	})

	It("is what the must-gather image runs", func(ctx SpecContext) {
		newNSM(ctx, newNamespace(ctx), nil)
		programs, directory := GinkgoT().TempDir(), GinkgoT().TempDir()
		itself, err := os.Executable()
		Expect(err).NotTo(HaveOccurred())
		Expect(os.Symlink(itself, filepath.Join(programs, "kubectl-nsm"))).To(Succeed())
		gather := exec.CommandContext(ctx, filepath.Join("..", "..", "config", "must-gather", "gather"))
		gather.Env = []string{
			asPlugin + "=1", "PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + programs, "KUBECONFIG=" + server.Kubeconfig,
			"BASE_COLLECTION_PATH=" + directory, "VERSION=v2.0.0", "MUST_GATHER_SINCE=1h",
		}
		output, err := gather.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		for name, begin := range map[string]string{"version": "networkservicemesh/nsm-operator\nunreleased\n", "index.html": "<!DOCTYPE html>", "errors.txt": "", "cluster/version.yaml": ""} {
			content, err := os.ReadFile(filepath.Join(directory, name))
			Expect(err).NotTo(HaveOccurred())
			Expect(string(content)).To(HavePrefix(begin))
		}
		By("writing the version whatever happens")
		gather = exec.CommandContext(ctx, gather.Path)
		gather.Env = []string{asPlugin + "=1", "PATH=" + programs + ":" + os.Getenv("PATH"), "BASE_COLLECTION_PATH=" + directory, "MUST_GATHER_SINCE=soon"}
		Expect(gather.Run()).NotTo(Succeed())
		Expect(os.ReadFile(filepath.Join(directory, "version"))).To(Equal([]byte("networkservicemesh/nsm-operator\nunknown\n")))
	})
})
