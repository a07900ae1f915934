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
			Name string `json:"name"`
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
