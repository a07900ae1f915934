// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// documented are the commands below a heading of docs/k8s_olm_install.md, block by
// block.
func documented(heading string) []string {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "k8s_olm_install.md"))
	Expect(err).NotTo(HaveOccurred())
	var blocks []string
	isBelow, isBlock := false, false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			isBlock = !isBlock
			if isBlock && isBelow {
				blocks = append(blocks, "")
			}
		case isBlock && isBelow:
			blocks[len(blocks)-1] += line
		case !isBlock && strings.HasPrefix(line, "#"):
			isBelow = strings.TrimSpace(strings.TrimLeft(line, "#")) == heading
		}
	}
	Expect(blocks).NotTo(BeEmpty(), heading)
	return blocks
}

// follow runs documented commands as an admin does whose Subscription this is.
func (s subscription) follow(ctx context.Context, commands ...string) {
	GinkgoHelper()
	for _, block := range commands {
		command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(block, usual.namespace, s.namespace))
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "PATH="+assets()+string(os.PathListSeparator)+os.Getenv("PATH"))
		output, err := command.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s\n%s", block, output)
	}
}
