// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package report says what people and programs are told about meshes: pure functions
// from objects that were read to a result, and from a result to text. It judges
// nothing anew: the conditions of an NSM are the truth about it, and internal/health
// has the words for its pods.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// APIVersion of all results. Fields are added to them, and neither changed nor removed.
const APIVersion = "report.nsm.networkservicemesh.io/v1"

// TypeOf a result of some kind.
func TypeOf(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: APIVersion, Kind: kind}
}

// Failure is the result where there is no answer, for programs that read it.
type Failure struct {
	metav1.TypeMeta `json:",inline"`
	// Message says why, and what to do.
	Message string `json:"message"`
}

// NewFailure makes a result of an error.
func NewFailure(err error) Failure { return Failure{TypeOf("Failure"), err.Error()} }

// Encode writes a result as one document, in the format json or yaml.
func Encode(out io.Writer, format string, result any) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	document, err := yaml.Marshal(result)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "---\n%s", document)
	return err
}

// Style is how text looks.
type Style struct {
	// Color is for terminals.
	Color bool
}

// The colours of terminals.
const (
	green  = "32"
	yellow = "33"
	red    = "31"
)

func (s Style) paint(color, text string) string {
	if !s.Color || color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// node is one line of a tree, and what hangs on it.
type node struct {
	text     string
	children []node
}

// writeTree writes a node and all below it.
func writeTree(out io.Writer, root node) {
	_, _ = fmt.Fprintln(out, root.text)
	writeBranches(out, root.children, "")
}

func writeBranches(out io.Writer, children []node, indent string) {
	for i, child := range children {
		branch, below := "├─ ", "│  "
		if i == len(children)-1 {
			branch, below = "└─ ", "   "
		}
		_, _ = fmt.Fprintln(out, indent+branch+child.text)
		writeBranches(out, child.children, indent+below)
	}
}

// writeNotSeen tells what was left out since it could not be read.
func writeNotSeen(out io.Writer, style Style, notSeen []string) {
	for _, what := range notSeen {
		_, _ = fmt.Fprintln(out, style.paint(yellow, "not seen: "+what))
	}
}

// oneLine is a message without line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
