// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package repository_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fence finds blocks of code: the tag of each, and what is in it.
var fence = regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$")

// documents are the pages for people, by their path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "hack/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			page, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			pages[page] = read(t, page)
		}
	}
	if len(pages) < 20 {
		t.Fatalf("%d documents", len(pages))
	}
	return pages
}

// Files that others link to, since earlier releases had them.
func TestDocumentsThatOthersLinkTo(t *testing.T) {
	t.Parallel()
	for _, page := range []string{
		"docs/development.md", "docs/requirements.md", "docs/openshift_olm_install.md", "docs/openshift_manual_install.md",
		"docs/k8s_olm_install.md", "docs/k8s_manual_install.md", "code-of-conduct.md", "LICENSE",
	} {
		if read(t, page) == "" {
			t.Errorf("%s is empty", page)
		}
	}
}

// A link within the repository leads to a file, and to a heading in it.
func TestLinksOfDocuments(t *testing.T) {
	t.Parallel()
	pages := documents(t)
	anchors := map[string][]string{}
	for page, text := range pages {
		anchors[page] = headings(text)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	for page, text := range pages {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, heading, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, ":") {
				continue // another site's
			}
			links++
			to := page
			if target != "" {
				to = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
			}
			if heading != "" && !slices.Contains(anchors[to], heading) {
				t.Errorf("%s links to %s: there is no such heading", page, found[1])
			}
		}
	}
	if links < 100 {
		t.Errorf("%d links", links)
	}
}

// headings of a page, as GitHub makes anchors of them.
func headings(text string) []string {
	var all []string
	notInAnchors := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, found := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		shown := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(found[1], "$1")
		all = append(all, strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(shown), ""), " ", "-"))
	}
	return all
}

// Commands can be copied into any shell, and do not depend on what lies on another site:
// zsh expands an unquoted "?" or "*", and "apply -k" of a URL needs git, and has half a minute.
func TestCommandsOfDocuments(t *testing.T) {
	t.Parallel()
	remote := regexp.MustCompile(`-k +['"]?(https?://|github\.com)`)
	unquoted := regexp.MustCompile(`(^|[ =])https?://[^\s'"]*[?*]`)
	command := regexp.MustCompile(`(?m)^\s*(kubectl|oc|helm|make|git|docker|export) `)
	tags := []string{"sh test", "sh manual", "console", "yaml"}
	for page, text := range documents(t) {
		for _, found := range fence.FindAllStringSubmatch(text, -1) {
			tag, code := found[1], found[2]
			if remote.MatchString(code) {
				t.Errorf("%s: a kustomization from another site: use one file of a release\n%s", page, code)
			}
			for line := range strings.Lines(code) {
				if strings.HasPrefix(tag, "sh") && unquoted.MatchString(line) {
					t.Errorf("%s: a URL with ? or * that is not quoted: %s", page, line)
				}
			}
			if command.MatchString(code) && !slices.Contains(tags, tag) {
				t.Errorf("%s: a block of commands is tagged %q; docs/development.md says how\n%s", page, tag, code)
			}
		}
	}
}

// Each reason of a condition has a row in docs/troubleshooting.md, and none that is there
// has gone.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, "docs/troubleshooting.md"), "\n## Conditions and their reasons\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile(`(?m)^\| (?:True|False|Unknown) \| ([^|]*) \|`).FindAllStringSubmatch(section, -1) {
		for _, reason := range regexp.MustCompile("`([A-Z]\\w+)`").FindAllStringSubmatch(row[1], -1) {
			told = append(told, reason[1])
		}
	}
	reasons := constants(t, "apis/v1beta1/reasons.go")
	if len(reasons) < 20 {
		t.Fatalf("%d reasons", len(reasons))
	}
	for _, reason := range reasons {
		if !slices.Contains(told, reason) {
			t.Errorf("docs/troubleshooting.md has no entry for the reason %s", reason)
		}
	}
	for _, reason := range told {
		if !slices.Contains(reasons, reason) {
			t.Errorf("docs/troubleshooting.md has an entry for %s, and apis/v1beta1/reasons.go has no such reason", reason)
		}
	}
}

// A reason of a condition is a constant of the API: no code spells one itself.
func TestReasonsAreConstants(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, pattern := range []string{"internal/health/*.go", "controllers/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			checked++
			for _, spelled := range spelledReasons(t, name) {
				t.Errorf("%s spells the reason %s: make it a constant in apis/v1beta1/reasons.go", filepath.Base(name), spelled)
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d files", checked)
	}
}

// spelledReasons are the literals in a file where a condition is given its reason.
func spelledReasons(t *testing.T, name string) []string {
	t.Helper()
	// The place of the reason among the arguments.
	places := map[string]int{"set": 2, "SpireFailed": 0, "SpireUnknown": 0, "refusal": 0}
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var spelled []string
	add := func(value ast.Expr) {
		if literal, isLiteral := value.(*ast.BasicLit); isLiteral {
			spelled = append(spelled, literal.Value)
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			if place, is := places[called(node)]; is && len(node.Args) > place+1 {
				add(node.Args[place])
			}
		case *ast.KeyValueExpr:
			if key, isName := node.Key.(*ast.Ident); isName && key.Name == "Reason" {
				add(node.Value)
			}
		}
		return true
	})
	return spelled
}

// called is the name of the function, or of the method, that is called.
func called(call *ast.CallExpr) string {
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		return function.Sel.Name
	}
	return ""
}

// constants of a file, by value.
func constants(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, isConstant := node.(*ast.ValueSpec); isConstant {
			for _, value := range spec.Values {
				literal, isLiteral := value.(*ast.BasicLit)
				if !isLiteral {
					continue
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, text)
			}
		}
		return true
	})
	return values
}
