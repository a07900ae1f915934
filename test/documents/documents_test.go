// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package documents

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is compared can differ: in words, and not in what a run makes up.
func TestWhatDocumentsShow(t *testing.T) {
	t.Parallel()
	const shown = "NAME  AGE\npod/nsmgr-25vn4   1s  node-1\n...\nthe end"
	for output, isShown := range map[string]bool{
		"NAME              AGE\npod/nsmgr-zsq9j   12m node-3\nmore\nthe end\n": true,
		"NAME AGE\npod/nsmgr-zsq9j 1s node-1\nthe end\n":                       true,
		"NAME AGE\npod/nsmgr-zsq9j 1m2.5s node-1\nthe end\n":                   true,
		"NAME AGE\npod/nsmgr-zsq9j 1s node-1\nmore\n":                          false,
		"NAME AGE\npod/nsmgr-zsq9j 1s elsewhere\nthe end\n":                    false,
		"NAME AGE\npod/manager-zsq9j 1s node-1\nthe end\n":                     false,
		"NAME AGE\npod/nsmgr-sample 1s node-1\nthe end\n":                      false,
	} {
		if shows(shown, output) != isShown {
			t.Errorf("the document shows %q\nit shows %q: %t", shown, output, !isShown)
		}
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	const text = "# One\n\n```sh test exit=1\nfalse\n```\n\n```console\nno\n```\n\n<!-- pods\nhidden\n-->\n\n```yaml\na: b\n```\n\n" +
		"## Two\n\n1. First\n\n   ```sh manual\n   if a; then\n     b\n   fi\n   ```\n\n```console\nshown after it\n```\n"
	want := []Block{
		{Kind: Test, Heading: "One", Commands: "false\n", Exit: 1, Says: "no\n"},
		{Kind: Pods, Heading: "One", Commands: "hidden\n", Hidden: true},
		{Kind: Manual, Heading: "Two", Commands: "if a; then\n  b\nfi\n", Says: "shown after it\n"},
	}
	if blocks := Blocks(text); !slices.Equal(blocks, want) {
		t.Errorf("%+v", blocks)
	}
}

// A block fails by its exit code, and by what it prints.
// A reader is not below the make that runs the tests.
func TestMakeSaysNoDirectories(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "Makefile"), []byte("all:\n\t@echo made\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, value := range map[string]string{"MAKELEVEL": "1", "MAKEFLAGS": "w", "MFLAGS": "-w"} {
		t.Setenv(variable, value)
	}
	if err := (Shell{Directory: directory}).Run(t.Context(), Block{Commands: "make\n", Says: "made\n"}); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	here := Shell{Directory: t.TempDir(), Environment: []string{"NAME=you"}, Here: strings.NewReplacer("registry.example.com", "localhost")}
	for _, test := range []struct {
		block Block
		fails string
	}{
		{block: Block{Commands: "echo $NAME at registry.example.com\n", Says: "you at localhost\n"}},
		{block: Block{Commands: "exit 1\n", Exit: 1}},
		{Block{Commands: "exit 2\n", Exit: 1}, "exit status 2"},
		{Block{Commands: "true\n", Exit: 1}, "ends with 0, and not with 1"},
		{Block{Commands: "false\ntrue\n"}, "exit status 1"},
		{Block{Commands: "echo b\n", Says: "a\n"}, "the document shows"},
	} {
		err := here.Run(t.Context(), test.block)
		if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
			t.Errorf("%q: %v", test.block.Commands, err)
		}
	}
}
