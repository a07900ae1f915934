// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"github.com/networkservicemesh/nsm-operator/test/documents"
)

// makeRun is the command of the documents that the specs below have run already.
const makeRun = "make run\n"

// pages whose blocks "sh test" are run on the cluster of "make run". README.md comes
// first: it begins with the mesh that this has made.
var pages = []string{
	"README.md", "docs/resource.md", "docs/install.md", "docs/kubectl.md", "docs/support.md", "docs/k8s_manual_install.md",
	"docs/openshift.md", "docs/disconnected.md", "docs/upgrading.md", "docs/troubleshooting.md", "docs/runbooks.md",
	"docs/metrics.md", "docs/security.md", "docs/uninstall.md",
}

// A block of commands that is tagged "sh test" is run as it stands. What a block tagged
// "console" right after it shows is what the commands say. docs/development.md tells
// authors of this.
var _ = Describe("The documents", Ordered, ContinueOnFailure, SpecPriority(2), func() {
	BeforeAll(start)

	for _, page := range pages {
		It("say in "+page+" what works", func(ctx SpecContext) {
			removeNewFiles()
			follow(ctx, page, documents.Test)
			By("and nothing is left for the next page")
			kubectl(ctx, "delete", "nsm", "--all", "--all-namespaces", "--timeout=5m")
			expectNothingOurs(ctx)
		}, NodeTimeout(10*time.Minute))
	}

	It("show no mesh but those that can be created, and in which all has an effect", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", "nsm-system")
		all, err := documents.Pages(root)
		Expect(err).NotTo(HaveOccurred())
		shown := 0
		for page, text := range all {
			for _, nsm := range meshesIn(text) {
				shown++
				said := kubectl(ctx, "create", "--dry-run=server", "-f", write(nsm))
				Expect(said).NotTo(ContainSubstring("Warning"), "%s\n%s", page, nsm)
			}
		}
		Expect(shown).To(BeNumerically(">", 15), "there are meshes in the documents")
	}, NodeTimeout(10*time.Minute))
})

// meshesIn are the NSMs in the YAML of a document. A block that is a spec alone is that
// of one.
func meshesIn(text string) []string {
	var meshes []string
	for _, found := range manifest.FindAllStringSubmatch(text, -1) {
		code := found[1]
		switch {
		case strings.HasPrefix(code, "spec:\n"):
			meshes = append(meshes, "apiVersion: nsm.networkservicemesh.io/v1beta1\nkind: NSM\nmetadata: {name: shown, namespace: nsm-system}\n"+code)
		case strings.Contains("\n"+code, "\nkind: NSM\n"):
			meshes = append(meshes, code)
		}
	}
	return meshes
}

// manifest finds the blocks of YAML in a document.
var manifest = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// follow a page as a reader does: all of its blocks of a kind. here says what readers
// have in place of what a page names, in pairs.
func follow(ctx context.Context, page string, kind documents.Kind, here ...string) {
	GinkgoHelper()
	for _, block := range blocksOfKind(page, kind) {
		run(ctx, block, here...)
	}
}

// blocksOfKind are those of a page; there is one at least.
func blocksOfKind(page string, kind documents.Kind) []documents.Block {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(root, page))
	Expect(err).NotTo(HaveOccurred())
	blocks := documents.Of(documents.Blocks(string(text)), func(b documents.Block) bool { return b.Kind == kind })
	Expect(blocks).NotTo(BeEmpty(), page)
	return blocks
}

// run a block in the root of the repository.
func run(ctx context.Context, block documents.Block, here ...string) {
	GinkgoHelper()
	By(block.Commands)
	if block.Commands == makeRun {
		Eventually(launcher).WithTimeout(time.Minute).Should(gbytes.Say("Ctrl-C stops everything"))
		said := strings.ReplaceAll(string(launcher.Out.Contents()), assets(), filepath.Dir(readersKubectl()))
		Expect(block.Compare(said)).To(Succeed())
		return
	}
	Expect(reader(here...).Run(ctx, block)).To(Succeed())
}

// reader has the cluster, and the programs of this repository. oc is kubectl: there is
// no other.
func reader(here ...string) documents.Shell {
	GinkgoHelper()
	programs := GinkgoT().TempDir()
	for _, name := range []string{"kubectl", "oc"} {
		Expect(os.Symlink(readersKubectl(), filepath.Join(programs, name))).To(Succeed())
	}
	path := []string{programs, filepath.Join(root, "bin"), os.Getenv("PATH")}
	return documents.Shell{Directory: root, Here: strings.NewReplacer(here...), Environment: []string{
		"KUBECONFIG=" + kubeconfig(), "PATH=" + strings.Join(path, string(os.PathListSeparator)),
	}}
}

// readersKubectl is the one whose output the documents show, on whichever Kubernetes the
// tests run: an older one uses other words.
func readersKubectl() string {
	GinkgoHelper()
	pinned := filepath.Join(root, "bin", "k8s", "kubectl")
	if _, err := os.Stat(pinned); err != nil {
		return filepath.Join(assets(), "kubectl")
	}
	return pinned
}

// removeNewFiles removes what readers write into the directory that they are in, when
// the spec has ended. Directories, such as dist, are those of make. Pages that another
// process of this suite may follow write no files there.
func removeNewFiles() {
	GinkgoHelper()
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(root, "*.*"))
		Expect(err).NotTo(HaveOccurred())
		return found
	}
	before := files()
	DeferCleanup(func() {
		for _, file := range files() {
			if !slices.Contains(before, file) {
				Expect(os.Remove(file)).To(Succeed())
			}
		}
	})
}

// A page with commands for a cluster is one that is run on it.
func TestPagesAreRun(t *testing.T) {
	all, err := documents.Pages(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	run := map[documents.Kind][]string{documents.Test: append(pages, helmPage, chartPage), documents.Pods: append(podPages, upgradingPage), documents.Cluster: {testClusterPage}}
	for page, text := range all {
		for _, block := range documents.Blocks(text) {
			if in, isOurs := run[block.Kind]; isOurs && !slices.Contains(in, page) {
				t.Errorf("%s: no test runs its blocks tagged \"sh %s\"\n%s", page, block.Kind, block.Commands)
			}
		}
	}
}
