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
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

// makeRun is the command of the documents that the specs below have run already.
const makeRun = "make run\n"

// A block of commands that is tagged "sh test" is run as it stands. What a block tagged
// "console" right after it shows is what the commands say. docs/development.md tells
// authors of this.
var _ = Describe("The documents", Ordered, ContinueOnFailure, func() {
	BeforeAll(start)

	// README.md comes first: it begins with the mesh that "make run" has made.
	for _, page := range []string{
		"README.md", "docs/resource.md", "docs/install.md", "docs/k8s_manual_install.md", "docs/disconnected.md",
		"docs/upgrading.md", "docs/troubleshooting.md", "docs/uninstall.md",
	} {
		It("say in "+page+" what works", func(ctx SpecContext) {
			for _, block := range testedBlocks(readDocument(page)) {
				block.run(ctx)
			}
			By("and nothing is left for the next page")
			kubectl(ctx, "delete", "nsm", "--all", "--all-namespaces", "--timeout=5m")
			Eventually(func() []string { return ours(ctx) }).WithTimeout(time.Minute).Should(BeEmpty())
		}, NodeTimeout(10*time.Minute))
	}

	It("show no mesh but those that can be created, and in which all has an effect", func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", "nsm-system")
		pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
		Expect(err).NotTo(HaveOccurred())
		shown := 0
		for _, page := range append(pages, filepath.Join(root, "README.md")) {
			for _, nsm := range meshesIn(readDocument(strings.TrimPrefix(page, root))) {
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
	for _, found := range fence.FindAllStringSubmatch(text, -1) {
		tag, code := found[1], found[2]
		switch {
		case tag != "yaml":
		case strings.HasPrefix(code, "spec:\n"):
			meshes = append(meshes, "apiVersion: nsm.networkservicemesh.io/v1beta1\nkind: NSM\nmetadata: {name: shown, namespace: nsm-system}\n"+code)
		case strings.Contains(code, "kind: NSM\n"):
			meshes = append(meshes, code)
		}
	}
	return meshes
}

// block of commands in a document, and what they are said to print; "" where the
// document does not say.
type block struct{ commands, says string }

// fence finds the blocks of code of a document, the tag of each and what is in it, and
// the commands that readers do not see.
var fence = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$|^<!-- test\n(.*?)^-->$")

// testedBlocks of a document, in its order.
func testedBlocks(text string) []block {
	var blocks []block
	isTested := false // what comes next may be what this one says
	for _, found := range fence.FindAllStringSubmatch(text, -1) {
		tag, code, hidden := found[1], found[2], found[3]
		switch {
		case hidden != "":
			blocks = append(blocks, block{commands: hidden})
		case tag == "sh test":
			blocks = append(blocks, block{commands: code})
		case tag == "console" && isTested:
			blocks[len(blocks)-1].says = code
		}
		isTested = tag == "sh test"
	}
	return blocks
}

func readDocument(page string) string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(root, page))
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// run does what a reader does: the commands in a shell, in the root of the repository.
func (b block) run(ctx context.Context) {
	GinkgoHelper()
	By(b.commands)
	var output string
	if b.commands == makeRun {
		Eventually(launcher).WithTimeout(time.Minute).Should(gbytes.Say("Ctrl-C stops everything"))
		output = string(launcher.Out.Contents())
	} else {
		shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", b.commands)
		shell.Dir = root
		shell.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "PATH="+strings.Join([]string{assets(), filepath.Join(root, "bin"), os.Getenv("PATH")}, string(os.PathListSeparator)))
		combined, err := shell.CombinedOutput()
		output = string(combined)
		Expect(err).NotTo(HaveOccurred(), "%s\n%s", b.commands, output)
	}
	if b.says != "" {
		Expect(shows(b.says, output)).To(BeTrue(), "the document shows\n%s\nand this is said:\n%s", masked(b.says), masked(output))
	}
}

// masks of what differs from one run to the next: times, the random parts of names,
// directories, and the width of columns.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|s|m|h|m\d+s)\b`), "TIME"},
	{regexp.MustCompile(`(?m)^LAST DEPLOYED: .*$`), "LAST DEPLOYED: TIME"},
	{regexp.MustCompile(`(-[bcdf-hj-np-tv-z2-9]{8,10})?-[bcdf-hj-np-tv-z2-9]{5}\b`), "-RANDOM"},
	{regexp.MustCompile(`[^\s=(]*/(log/manager.log|kubeconfig|k8s/kubectl)\b`), "DIRECTORY/$1"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(`(?m) $`), ""},
}

func masked(text string) string {
	for _, mask := range masks {
		text = mask.pattern.ReplaceAllString(text, mask.with)
	}
	return strings.TrimSpace(text)
}

// shows tells whether an output is what a document shows. A line "..." there stands for
// any number of lines.
func shows(document, output string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(masked(document) + "\n") {
		if line == "...\n" {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(regexp.QuoteMeta(line))
	}
	return regexp.MustCompile("^" + pattern.String() + "$").MatchString(masked(output) + "\n")
}

// What is compared can differ: in words, and not in what a run makes up.
func TestWhatDocumentsShow(t *testing.T) {
	const shown = "NAME  AGE\npod/nsmgr-25vn4   1s\n...\nthe end"
	for output, isShown := range map[string]bool{
		"NAME              AGE\npod/nsmgr-zsq9j   12m\nmore\nthe end\n": true,
		"NAME AGE\npod/nsmgr-zsq9j 1s\nthe end\n":                       true,
		"NAME AGE\npod/nsmgr-zsq9j 1s\nmore\n":                          false,
		"NAME AGE\npod/manager-zsq9j 1s\nthe end\n":                     false,
		"NAME AGE\npod/nsmgr-sample 1s\nthe end\n":                      false,
	} {
		if shows(shown, output) != isShown {
			t.Errorf("the document shows %q\nit shows %q: %t", shown, output, !isShown)
		}
	}
}
