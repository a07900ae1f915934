// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

const (
	// released has all fields that programs may rely on.
	released = "testdata/fields.txt"
	page     = "../../docs/kubectl-output.md"
	begin    = "<!-- fields: make golden -->\n"
)

// results are all kinds of documents that commands write.
var results = []any{report.Status{}, report.Diff{}, report.Topology{}, report.Checks{}, report.Failure{}}

// Programs read results: their fields are documented, and none of them is ever changed
// or removed. "make golden" adds new ones.
func TestFieldsAreDocumentedAndStay(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	fields, tables := describe(t)
	known, err := os.ReadFile(released)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		all := slices.Concat(strings.Split(strings.TrimSpace(string(known)), "\n"), fields)
		slices.Sort(all)
		all = slices.DeleteFunc(slices.Compact(all), func(line string) bool { return line == "" })
		g.Expect(os.WriteFile(released, []byte(strings.Join(all, "\n")+"\n"), 0o600)).To(Succeed())
		text, err := os.ReadFile(page)
		g.Expect(err).NotTo(HaveOccurred())
		before, _, isThere := strings.Cut(string(text), begin)
		g.Expect(isThere).To(BeTrue())
		g.Expect(os.WriteFile(page, []byte(before+begin+tables), 0o600)).To(Succeed())
	} else {
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.Split(strings.TrimSpace(string(known)), "\n")).To(ConsistOf(fields), "new fields: make golden; none may go, or get another type")
	}
	g.Expect(strings.Split(strings.TrimSpace(read(t, released)), "\n")).To(ConsistOf(fields), "no field may go, or get another type")
	g.Expect(read(t, page)).To(HaveSuffix(begin+tables), "make golden")
}

// describe the results: a line for each field, and tables for people.
func describe(t *testing.T) (fields []string, tables string) {
	t.Helper()
	comments := commentsIn(t, ".", "../preflight")
	var text strings.Builder
	var queue []reflect.Type
	for _, result := range results {
		queue = append(queue, reflect.TypeOf(result))
	}
	seen := map[reflect.Type]bool{}
	for len(queue) > 0 {
		of := queue[0]
		queue = queue[1:]
		if seen[of] {
			continue
		}
		seen[of] = true
		fmt.Fprintf(&text, "\n### %s\n\n| field | type | meaning |\n| --- | --- | --- |\n", of.Name())
		for field := range of.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" || field.Type == reflect.TypeFor[metav1.TypeMeta]() {
				continue
			}
			meaning := comments[of.String()+"."+field.Name]
			NewWithT(t).Expect(meaning).NotTo(BeEmpty(), "%s.%s has no comment", of.Name(), field.Name)
			if strings.Contains(options, "omitempty") {
				name += "?"
			}
			kind := typeOf(field.Type)
			fields = append(fields, of.Name()+"."+name+" "+kind)
			fmt.Fprintf(&text, "| `%s` | %s | %s |\n", strings.TrimSuffix(name, "?"), kind, withoutName(meaning, field.Name))
			if inner := innerOf(field.Type); inner.Kind() == reflect.Struct && inner.PkgPath() != reflect.TypeFor[metav1.Time]().PkgPath() {
				queue = append(queue, inner)
			}
		}
	}
	slices.Sort(fields)
	return fields, text.String()
}

// withoutName is a comment for people who see the name beside it.
func withoutName(meaning, name string) string {
	for _, verb := range []string{" is ", " are ", ": "} {
		if rest, isCut := strings.CutPrefix(meaning, name+verb); isCut {
			meaning = rest
		}
	}
	meaning = strings.ReplaceAll(meaning, "|", "\\|")
	return strings.ToUpper(meaning[:1]) + meaning[1:]
}

// innerOf a list or a pointer is what it is of.
func innerOf(of reflect.Type) reflect.Type {
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	return of
}

func typeOf(of reflect.Type) string {
	switch {
	case of.Kind() == reflect.Slice:
		return "list of " + typeOf(of.Elem())
	case of.Kind() == reflect.Pointer:
		return typeOf(of.Elem())
	case of == reflect.TypeFor[metav1.Time]():
		return "time"
	case of.Kind() == reflect.Struct:
		return of.Name()
	case of.Kind() == reflect.Interface:
		return "any"
	case of.Kind() == reflect.Bool:
		return "boolean"
	case of.Kind() == reflect.String:
		return "string"
	default:
		return "integer"
	}
}

// commentsIn the packages of directories are those of the fields of structs, by
// package.Type.Field.
func commentsIn(t *testing.T, directories ...string) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, directory := range directories {
		files, err := filepath.Glob(filepath.Join(directory, "*.go"))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			ast.Inspect(parsed, func(n ast.Node) bool {
				spec, isType := n.(*ast.TypeSpec)
				if !isType {
					return true
				}
				of, isStruct := spec.Type.(*ast.StructType)
				if !isStruct {
					return true
				}
				for _, field := range of.Fields.List {
					for _, name := range field.Names {
						comments[parsed.Name.Name+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
					}
				}
				return true
			})
		}
	}
	return comments
}
