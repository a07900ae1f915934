// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/networkservicemesh/nsm-operator/test/documents"
)

const (
	kubernetesPage = "docs/k8s_olm_install.md"
	openshiftPage  = "docs/openshift_olm_install.md"
)

// documented are the commands below a heading of docs/k8s_olm_install.md, block by
// block.
func documented(heading string) []documents.Block { return documentedIn(kubernetesPage, heading) }

func documentedIn(page, heading string) []documents.Block {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(root, page))
	Expect(err).NotTo(HaveOccurred())
	blocks := documents.Of(documents.Blocks(string(text)), func(b documents.Block) bool {
		return b.Kind == documents.OLM && b.Heading == heading
	})
	Expect(blocks).NotTo(BeEmpty(), heading)
	return blocks
}

// follow runs documented commands as an admin does whose Subscription this is, and who
// has set the variable for its namespace. oc is kubectl: there is no other.
func (s subscription) follow(ctx context.Context, blocks ...documents.Block) {
	GinkgoHelper()
	programs := GinkgoT().TempDir()
	Expect(os.Symlink(filepath.Join(assets(), "kubectl"), filepath.Join(programs, "oc"))).To(Succeed())
	shell := documents.Shell{Directory: root, Environment: []string{
		"KUBECONFIG=" + kubeconfig(), "OPERATOR_NAMESPACE=" + s.namespace, "PATH=" + strings.Join([]string{programs, assets(), os.Getenv("PATH")}, string(os.PathListSeparator)),
	}}
	for _, block := range blocks {
		Expect(shell.Run(ctx, block)).To(Succeed())
	}
}

// A block that is tagged "sh olm" is below a heading that a scene follows, and not one that
// runs with LONG alone.
func TestBlocksAreRun(t *testing.T) {
	followed := map[string][]string{}
	scenes, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`documented(?:In\((\w+), |\()"([^"]+)"\)`)
	for _, scene := range scenes {
		text, err := os.ReadFile(scene)
		if err != nil {
			t.Fatal(err)
		}
		always, _, _ := strings.Cut(string(text), "\tif !long {\n\t\treturn\n")
		for _, found := range call.FindAllStringSubmatch(always, -1) {
			page := kubernetesPage
			if found[1] == "openshiftPage" {
				page = openshiftPage
			}
			followed[page] = append(followed[page], found[2])
		}
	}
	pages, err := documents.Pages(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range pages {
		for _, block := range documents.Blocks(text) {
			if block.Kind == documents.OLM && !slices.Contains(followed[page], block.Heading) {
				t.Errorf("%s: no scene runs what is below %q\n%s", page, block.Heading, block.Commands)
			}
		}
	}
}
