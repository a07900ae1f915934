// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package bundle

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The commands of docs/development.md that have a cluster run the bundle are such that operator-sdk understands. It reads
// all flags and their values before it shows its help.
func TestDocumentedRunBundleIsUnderstood(t *testing.T) {
	text := tryingABundle(t)
	_, block, _ := strings.Cut(text, "```sh manual\n")
	block, _, _ = strings.Cut(block, "```")
	commands := regexp.MustCompile(`(?m)^bin/operator-sdk .*$`).FindAllString(strings.ReplaceAll(block, "\\\n", " "), -1)
	if len(commands) != 3 {
		t.Fatalf("docs/development.md has %d commands of operator-sdk: %q", len(commands), block)
	}
	for _, command := range commands {
		args := append(strings.Fields(command)[1:], "--help")
		if out, err := sdk(t, args...); err != nil || !strings.Contains(out, "Usage:\n  operator-sdk "+args[0]) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		if out, err := sdk(t, append(args, "--no-such-flag")...); err == nil {
			t.Errorf("%s: a flag that there is not is taken\n%s", command, out)
		}
	}
}

// So are the flags, the images and what is deleted, of which the text tells.
func TestDocumentedFlagsOfRunBundle(t *testing.T) {
	text := tryingABundle(t)
	run, err := sdk(t, "run", "bundle", "--help")
	if err != nil {
		t.Fatal(err)
	}
	upgrade, err := sdk(t, "run", "bundle-upgrade", "--help")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile("`(--[a-z-]+)`").FindAllStringSubmatch(text, -1)
	if len(flags) < 5 {
		t.Errorf("docs/development.md tells of %d flags", len(flags))
	}
	for _, flag := range flags {
		if !strings.Contains(run, " "+flag[1]+" ") {
			t.Errorf("run bundle has no %s\n%s", flag[1], run)
		}
	}
	for _, flag := range []string{"--use-http", "--ca-secret-name", "--pull-secret-name"} {
		if !strings.Contains(upgrade, " "+flag+" ") {
			t.Errorf("run bundle-upgrade has no %s\n%s", flag, upgrade)
		}
	}
	images := regexp.MustCompile("`([a-z.]+/[^ `]+:[^ `]+)`").FindAllStringSubmatch(text, -1)
	if len(images) != 2 {
		t.Errorf("docs/development.md tells of %d images", len(images))
	}
	for _, image := range images {
		if !strings.Contains(run, `(default "`+image[1]+`")`) {
			t.Errorf("run bundle does not take %s by itself\n%s", image[1], run)
		}
	}
	cleanup, err := sdk(t, "cleanup", "--help")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`--delete-all .*\(default true\)`).MatchString(cleanup) {
		t.Errorf("docs/development.md: cleanup also deletes the CRDs\n%s", cleanup)
	}
}

// tryingABundle is that section of docs/development.md.
func tryingABundle(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/development.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Trying a bundle\n")
	if !found {
		t.Fatal("docs/development.md does not tell how to try a bundle")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// sdk runs operator-sdk, and returns all that it says.
func sdk(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), operatorSDK, args...).CombinedOutput()
	return string(out), err
}
