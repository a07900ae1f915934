// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// docs/security.md tells of every permission that the operator has, and of none
// that it has not.
func TestPermissionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, heading := range map[string]string{"ClusterRole": "### In the whole cluster", "Role": "### In its own namespace"} {
		told, has := rowsBelow(string(page), heading), permissions(t, kind)
		for _, row := range has {
			if !slices.Contains(told, row) {
				t.Errorf("docs/security.md lacks this row, with a reason, under %q:\n%s", heading, row)
			}
		}
		for _, row := range told {
			if !slices.Contains(has, row) {
				t.Errorf("docs/security.md has this row under %q, which no rule of config/rbac/role.yaml is like:\n%s", heading, row)
			}
		}
	}
}

// rowsBelow are the rows of the table below a heading, without the last column,
// the reason, which must not be empty.
func rowsBelow(page, heading string) []string {
	_, section, _ := strings.Cut(page, heading+"\n")
	section, _, _ = strings.Cut(section, "\n#")
	var rows []string
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if strings.HasPrefix(line, "| `") && len(cells) == 5 && strings.Trim(cells[4], " |") != "" {
			rows = append(rows, strings.Join(cells[:4], " | "))
		}
	}
	return rows
}

// permissions are the rules of the operator's roles of one kind, as rows.
func permissions(t *testing.T, kind string) []string {
	t.Helper()
	file, err := os.ReadFile("../config/rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for document := range strings.SplitSeq(string(file), "---\n") {
		var role rbacv1.Role // a ClusterRole has the same rules
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			if role.Kind == kind {
				rows = append(rows, row(rule))
			}
		}
	}
	if len(rows) == 0 {
		t.Fatalf("config/rbac/role.yaml has no %s", kind)
	}
	return rows
}

func row(rule rbacv1.PolicyRule) string {
	names := "any"
	if len(rule.ResourceNames) > 0 {
		names = quoted(rule.ResourceNames)
	}
	groups := slices.Clone(rule.APIGroups)
	for i := range groups {
		if groups[i] == "" {
			groups[i] = "core"
		}
	}
	return strings.Join([]string{"| " + quoted(groups), quoted(rule.Resources), names, strings.Join(rule.Verbs, " ")}, " | ")
}

func quoted(words []string) string {
	return "`" + strings.Join(words, "`, `") + "`"
}
