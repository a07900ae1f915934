// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package prometheus_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dashboard is what matters of Grafana's JSON.
type dashboard struct {
	Panels []struct {
		Title   string `json:"title"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string          `json:"name"`
			Type  string          `json:"type"`
			Query json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// Every query of the dashboard is PromQL, and asks for metrics that there are.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../config/prometheus/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) == 0 {
		t.Fatal("there are no panels")
	}
	// What Grafana fills in.
	var variables []string
	for _, variable := range board.Templating.List {
		if variable.Type == "query" {
			expectValues(t, variable.Name, variable.Query)
		}
		variables = append(variables, "$"+variable.Name, "x")
	}
	fill := strings.NewReplacer(variables...)
	var queries groups
	queries.Groups = append(queries.Groups, struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	}{Name: "dashboard"})
	for _, panel := range board.Panels {
		for i, target := range panel.Targets {
			expectMetrics(t, panel.Title, target.Expr)
			alert := strings.ReplaceAll(panel.Title, " ", "_")
			queries.Groups[0].Rules = append(queries.Groups[0].Rules, rule{Alert: alert + string(rune('A'+i)), Expr: fill.Replace(target.Expr)})
		}
	}
	directory := t.TempDir()
	write(t, filepath.Join(directory, "queries.yaml"), queries)
	promtool(t, directory, "check", "rules", "--lint=none", "queries.yaml")
}

// expectValues of a label that there is.
func expectValues(t *testing.T, variable string, query json.RawMessage) {
	t.Helper()
	var text struct {
		Query string `json:"query"`
	}
	if err := json.Unmarshal(query, &text); err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	values := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(text.Query)
	if values == nil {
		t.Fatalf("%s: %q is no query of label_values", variable, text.Query)
	}
	expectMetrics(t, variable, values[1])
	if metric, _, _ := strings.Cut(values[1], "{"); !hasLabel(metric, values[2]) {
		t.Errorf("%s: %s has no label %s", variable, metric, values[2])
	}
}
