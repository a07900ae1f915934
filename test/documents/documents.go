// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package documents has tests run the commands in the documents: as they stand there,
// with their output compared to the one that is shown. docs/development.md tells authors
// how to tag a block.
package documents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind of a block: who runs it.
type Kind string

// The kinds, as the tag of a block names them after "sh".
const (
	Test    Kind = "test"    // test/e2e, on the cluster of "make run"
	Pods    Kind = "pods"    // test/e2e, where the operator's pods run
	OLM     Kind = "olm"     // test/olm
	Cluster Kind = "cluster" // test/e2e, where "make test-cluster" is tested
	Bundle  Kind = "bundle"  // test/bundle, where OLM v1's kinds are
	Manual  Kind = "manual"  // nobody
)

// Block of commands in a document.
type Block struct {
	Kind Kind
	// Heading that it is below.
	Heading  string
	Commands string
	// Hidden from readers, in a comment.
	Hidden bool
	// Exit is the code that it ends with.
	Exit int
	// Says is what it prints; "" where the document does not show it.
	Says string
}

// FirstLine of the commands, without its indentation.
func (b Block) FirstLine() string {
	line, _, _ := strings.Cut(strings.TrimSpace(b.Commands), "\n")
	return line
}

// Pages are the documents for people below a directory, by their path in it.
func Pages(root string) (map[string]string, error) {
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "hack/*/*.md", "charts/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			pages[strings.TrimPrefix(file, root+string(filepath.Separator))] = string(text)
		}
	}
	return pages, nil
}

var (
	// part of a document that matters here: a block of code, which an item of a list
	// indents; commands that readers do not see; a heading.
	part = regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$|^<!-- (\\w+)\n(.*?)^-->$|^#+ ([^\n]*)$")
	// tag of a block of commands.
	tag = regexp.MustCompile(`^sh (test|pods|olm|bundle|cluster|manual)(?: exit=(\d+))?$`)
)

// Blocks of commands in a document, in its order.
func Blocks(text string) []Block {
	var blocks []Block
	heading, isAfter := "", false // whether what comes next may be what the last one says
	for _, found := range part.FindAllStringSubmatch(text, -1) {
		indent, info, code, hidden, commands, title := found[1], found[2], found[3], found[4], found[5], found[6]
		code = strings.ReplaceAll("\n"+code, "\n"+indent, "\n")[1:]
		isOne := tag.FindStringSubmatch(info)
		switch {
		case title != "":
			heading = title
		case hidden != "":
			blocks = append(blocks, Block{Kind: Kind(hidden), Heading: heading, Commands: commands, Hidden: true})
		case isOne != nil:
			exit, _ := strconv.Atoi(isOne[2])
			blocks = append(blocks, Block{Kind: Kind(isOne[1]), Heading: heading, Commands: code, Exit: exit})
		case info == "console" && isAfter:
			blocks[len(blocks)-1].Says = code
		}
		isAfter = isOne != nil
	}
	return blocks
}

// Of a kind, or below a heading: those for which a function is true.
func Of(blocks []Block, is func(Block) bool) []Block {
	return slices.DeleteFunc(slices.Clone(blocks), func(b Block) bool { return !is(b) })
}

// Shell runs blocks.
type Shell struct {
	// Directory to run them in.
	Directory string
	// Environment beside that of the test.
	Environment []string
	// Here says what stands for what in a document; nil for nothing.
	Here *strings.Replacer
}

// Run does what a reader does with a block. It fails when it ends with another code than
// the document says, or prints something else.
func (s Shell) Run(ctx context.Context, b Block) error {
	commands := b.Commands
	if s.Here != nil {
		commands = s.Here.Replace(commands)
	}
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	shell.Dir = s.Directory
	shell.Env = append(readersEnvironment(), s.Environment...)
	output, err := shell.CombinedOutput()
	if exit, hasExited := errors.AsType[*exec.ExitError](err); hasExited && exit.ExitCode() == b.Exit && b.Exit != 0 {
		err = nil
	} else if err == nil && b.Exit != 0 {
		err = fmt.Errorf("ends with 0, and not with %d", b.Exit)
	}
	if err != nil {
		return fmt.Errorf("%s\n%w\n%s", commands, err, output)
	}
	return b.Compare(string(output))
}

// readersEnvironment is that of the test, less what make tells the makes below it: they
// would print the directories that they enter, and a reader's shell is below no make.
func readersEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}, name)
	})
}

// Compare fails when an output is not what the document shows.
func (b Block) Compare(output string) error {
	if b.Says == "" || shows(b.Says, output) {
		return nil
	}
	return fmt.Errorf("%s\nthe document shows\n%s\nand this is said:\n%s", b.Commands, masked(b.Says), masked(output))
}

// masks of what differs from one run to the next: times, the random parts of names,
// which of the nodes something is on, directories, and the width of columns.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)?(ms|s|m|h|m\d+s)\b`), "TIME"},
	{regexp.MustCompile(`(?m)^LAST DEPLOYED: .*$`), "LAST DEPLOYED: TIME"},
	{regexp.MustCompile(`-\d{8}T?-?\d{6}Z?\b`), "-TIME"},
	{regexp.MustCompile(`(-[bcdf-hj-np-tv-z2-9]{8,10})?-[bcdf-hj-np-tv-z2-9]{5}\b`), "-RANDOM"},
	{regexp.MustCompile(`\bnode-[1-9]\b`), "NODE"},
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

// shows reports whether an output is what a document shows. A line "..." there stands for
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
