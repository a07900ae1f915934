// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// staged is a mesh of a registry and managers that changes to the newest release.
func staged() *Mesh {
	managers := mesh.Component{Role: mesh.RoleManager, Workload: &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: mesh.NsmgrName}}}
	daemonSet := &appsv1.DaemonSet{Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: 1, NumberReady: 2}}
	return &Mesh{Release: release.Newest(), Staged: true, Workloads: []Workload{
		{Component: registry(), Live: live("new", 2), Intent: "new"}, {Component: managers, Live: daemonSet, Nodes: []string{"b", "a"}},
	}}
}

func TestAStageIsToldWithItsCountsAndNodes(t *testing.T) {
	g := NewWithT(t)
	m := staged()
	_, progress := m.progress()
	g.Expect(progress).To(Equal("stage 2 of 2, DaemonSet nsm/nsmgr: 1 of 3 pods are new and ready, not yet on nodes a, b"))
	managers, _ := m.Workloads[1].Live.(*appsv1.DaemonSet)
	managers.Status.UpdatedNumberScheduled = 2
	_, progress = m.progress()
	g.Expect(progress).To(HaveSuffix(": 2 of 3 pods are new and ready"), "one of the two nodes has its pod by now; nobody knows which")
	managers.Status.UpdatedNumberScheduled, managers.Status.NumberReady, managers.Generation = 3, 3, 2
	_, progress = m.progress()
	g.Expect(progress).To(ContainSubstring(": 0 of 3 pods"), "these are the counts of the definition before")
	m.Workloads[0].Live = live("old", 2)
	_, progress = m.progress()
	g.Expect(progress).To(HavePrefix("stage 1 of 2, Deployment nsm/nsm-registry: "))
}

func TestTheStageThatRuns(t *testing.T) {
	for what, c := range map[string]struct {
		change func(m *Mesh, managers *Workload)
		want   string
	}{
		"the first one that is not up":  {func(*Mesh, *Workload) {}, mesh.NsmgrName},
		"none that has not been told":   {func(_ *Mesh, managers *Workload) { managers.Live.SetLabels(nil) }, ""},
		"none that has not been made":   {func(_ *Mesh, managers *Workload) { managers.Live = nil }, ""},
		"none whose turn has not come":  {func(_ *Mesh, managers *Workload) { managers.Held = true }, ""},
		"none in a change without them": {func(m *Mesh, _ *Workload) { m.Staged = false }, ""},
		"none before the change begins": {func(m *Mesh, _ *Workload) { m.NotBegun = "the mesh is not healthy" }, ""},
		"none while images are pulled":  {func(m *Mesh, _ *Workload) { m.Pulls = []ImagePull{{}} }, ""},
		"none when all are up":          {func(m *Mesh, _ *Workload) { m.Workloads = m.Workloads[:1] }, ""},
	} {
		g := NewWithT(t)
		m := staged()
		m.Workloads[1].Live.SetLabels(map[string]string{mesh.LabelVersion: m.Release.String()})
		c.change(m, &m.Workloads[1])
		got := ""
		if running := m.Running(); running != nil {
			got = running.Name()
		}
		g.Expect(got).To(Equal(c.want), what)
	}
}

func TestAStageBeginsOnceAndEndsOnce(t *testing.T) {
	newest := release.Newest().String()
	status := func(registry, managers nsmv1beta1.ComponentStatus) *nsmv1beta1.NSMStatus {
		registry.Name, registry.Kind, managers.Name, managers.Kind = mesh.RegistryName, "Deployment", mesh.NsmgrName, "DaemonSet"
		return &nsmv1beta1.NSMStatus{Components: []nsmv1beta1.ComponentStatus{registry, managers}}
	}
	old := nsmv1beta1.ComponentStatus{Version: "v1.17.0", Message: "changes later"}
	changing := nsmv1beta1.ComponentStatus{Version: newest, Message: "is rolling out"}
	up := nsmv1beta1.ComponentStatus{Version: newest}
	for what, test := range map[string]struct {
		before, after *nsmv1beta1.NSMStatus
		begun, ended  []int
	}{
		"nothing":                  {status(old, old), status(old, old), nil, nil},
		"the first begins":         {status(old, old), status(changing, old), []int{1}, nil},
		"it ends, the next begins": {status(changing, old), status(up, changing), []int{2}, []int{1}},
		"all at once":              {status(old, old), status(up, up), []int{1, 2}, []int{1, 2}},
		"the last ends":            {status(up, changing), status(up, up), nil, []int{2}},
		"a pod goes":               {status(up, changing), status(changing, changing), nil, nil},
		"a pod comes back":         {status(changing, changing), status(up, changing), nil, nil},
	} {
		t.Run(what, func(t *testing.T) {
			var begun, ended []int
			for _, stage := range staged().Stages(test.before, test.after) {
				if stage.From != "" {
					begun = append(begun, stage.Number)
				}
				if stage.Ended {
					ended = append(ended, stage.Number)
				}
			}
			g := NewWithT(t)
			g.Expect(begun).To(Equal(test.begun))
			g.Expect(ended).To(Equal(test.ended))
		})
	}
}

func TestWhatMovesWhilePodsComeUp(t *testing.T) {
	g := NewWithT(t)
	status := func(ready int32, progress, wrong string) *nsmv1beta1.NSMStatus {
		s := &nsmv1beta1.NSMStatus{Managers: progress, Forwarders: progress, Components: []nsmv1beta1.ComponentStatus{{Name: "nsmgr", Ready: ptr.To(ready), Message: progress}}}
		for _, condition := range []string{nsmv1beta1.ConditionProgressing, nsmv1beta1.ConditionManagersReady, nsmv1beta1.ConditionAvailable} {
			meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: condition, Message: progress})
		}
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: nsmv1beta1.ConditionDegraded, Message: wrong})
		for i := range s.Conditions {
			s.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		return s
	}
	same := func(one, other *nsmv1beta1.NSMStatus) bool {
		return equality.Semantic.DeepEqual(WithoutCounts(one), WithoutCounts(other))
	}
	g.Expect(same(status(1, "1/3", ""), status(2, "2/3", ""))).To(BeTrue())
	g.Expect(same(status(1, "1/3", ""), status(1, "1/3", "an image is missing"))).To(BeFalse())
	kept := status(1, "1/3", "")
	WithoutCounts(kept)
	g.Expect(kept).To(Equal(status(1, "1/3", "")), "it is a copy")
}
