// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// different is a mesh of which something of each kind would change.
func different() *report.Diff {
	return report.NewDiff([]report.MeshDiff{
		{Namespace: "nsm", Name: "same", Unchanged: 12},
		{
			Namespace: "nsm", Name: "mesh", From: "v1.17.0", To: "v1.18.0", Unchanged: 3, Warnings: []string{"mind the gap"},
			Objects: []report.ObjectChange{
				{Change: report.ChangeNone, Kind: "Service", Namespace: "nsm", Name: "registry", Message: "it is not the mesh's"},
				{Change: report.ChangeDelete, Kind: "DaemonSet", Namespace: "nsm", Name: "old"},
				{Change: report.ChangeUpdate, Kind: "DaemonSet", Namespace: "nsm", Name: "nsmgr", Fields: []report.FieldChange{
					{Path: ".spec.template.spec.hostNetwork", To: true}, {Path: ".metadata.labels.a", From: "b"},
				}},
				{Change: report.ChangeUpdate, Kind: "DaemonSet", Namespace: "nsm", Name: "a", Fields: []report.FieldChange{{Path: ".metadata.labels.a", From: "b", To: "c"}}},
				{Change: report.ChangeCreate, Kind: "ClusterRole", Name: "new"},
			},
		},
	}, []string{"get ClusterRole: forbidden"})
}

func TestDiffAsText(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	different().Text(&text, report.Style{})
	NewWithT(t).Expect(text.String()).To(Equal(`NSM nsm/mesh  v1.17.0 -> v1.18.0: 5 of 8 objects would change, 1 workloads would replace their pods
warning: mind the gap
+ ClusterRole new
~ DaemonSet nsm/a
    .metadata.labels.a: "b" -> "c"
~ DaemonSet nsm/nsmgr  replaces its pods
    .spec.template.spec.hostNetwork: nothing -> true
    .metadata.labels.a: "b" -> nothing
- DaemonSet nsm/old
! Service nsm/registry  it is not the mesh's

not seen: get ClusterRole: forbidden
`))
}

func TestNoDifferenceIsNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	diff := report.NewDiff([]report.MeshDiff{{Namespace: "nsm", Name: "same", From: "v1.18.0", To: "v1.18.0", Unchanged: 12}}, nil)
	var text strings.Builder
	diff.Text(&text, report.Style{})
	g.Expect(text.String()).To(BeEmpty())
	g.Expect(diff.IsEmpty()).To(BeTrue())
	g.Expect(different().IsEmpty()).To(BeFalse())
}
