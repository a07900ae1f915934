// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// Checks are what was found before a mesh is made, or beside one.
type Checks struct {
	metav1.TypeMeta `json:",inline"`
	// Result is the worst of all: ok, warning or failed.
	Result preflight.Outcome `json:"result"`
	// Checks in their order; one that has found several things is there for each.
	Checks []preflight.Result `json:"checks"`
}

// NewChecks makes a result of checks.
func NewChecks(results []preflight.Result) *Checks {
	return &Checks{TypeMeta: TypeOf("Checks"), Result: preflight.Worst(results), Checks: results}
}

// Text writes the checks for people: a line each, and what to do below those that found
// something.
func (c *Checks) Text(out io.Writer, style Style) {
	for i := range c.Checks {
		result := &c.Checks[i]
		// Colours have letters, too: the width is that of the word.
		outcome := style.paint(colorOf(result.Outcome), fmt.Sprintf("%-7s", result.Outcome))
		_, _ = fmt.Fprintf(out, "%s  %s  %s\n", outcome, result.Code, result.Title)
		if result.Message != "" {
			_, _ = fmt.Fprintf(out, "         %s\n", oneLine(result.Message))
		}
		if result.Hint != "" {
			_, _ = fmt.Fprintf(out, "         -> %s\n         see %s\n", result.Hint, result.Link)
		}
	}
}

func colorOf(outcome preflight.Outcome) string {
	switch outcome {
	case preflight.OK:
		return green
	case preflight.Failed:
		return red
	case preflight.Warning:
		return yellow
	default:
		return ""
	}
}
