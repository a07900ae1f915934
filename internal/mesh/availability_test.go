// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestReplicas: of several pods a drain takes one at a time, and no node is meant to
// hold all of them; a single pod holds up no drain.
func TestReplicas(t *testing.T) {
	type replicas struct {
		asked          *int32
		budget, spread bool
	}
	one, two, three := ptr.To(int32(1)), ptr.To(int32(2)), ptr.To(int32(3))
	webhook := func(replicas *int32, affinity *corev1.Affinity) nsmv1beta1.NSMSpec {
		spec := &nsmv1beta1.AdmissionWebhookSpec{Replicas: replicas}
		spec.Affinity = affinity
		return nsmv1beta1.NSMSpec{Version: "v1.18.0", AdmissionWebhook: spec}
	}
	selfRegistering := webhook(three, nil)
	selfRegistering.Version = "v1.11.2"
	registry := func(replicas *int32) nsmv1beta1.NSMSpec {
		return nsmv1beta1.NSMSpec{Version: "v1.18.0", Registry: &nsmv1beta1.RegistrySpec{Replicas: replicas}}
	}
	for name, tc := range map[string]struct {
		workload string
		spec     nsmv1beta1.NSMSpec
		want     replicas
	}{
		"the webhook":               {mesh.WebhookName, webhook(nil, nil), replicas{two, true, true}},
		"one webhook":               {mesh.WebhookName, webhook(one, nil), replicas{one, false, false}},
		"three webhooks":            {mesh.WebhookName, webhook(three, nil), replicas{three, true, true}},
		"a webhook's own affinity":  {mesh.WebhookName, webhook(nil, &corev1.Affinity{}), replicas{two, true, false}},
		"each would register alone": {mesh.WebhookName, selfRegistering, replicas{one, false, false}},
		"a registry":                {mesh.RegistryName, registry(nil), replicas{nil, false, false}},
		"two registries":            {mesh.RegistryName, registry(two), replicas{two, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var got replicas
			for _, object := range mesh.Objects(mesh.Components(testInput(t, tc.spec, mesh.Platform{}))) {
				if object.GetName() != tc.workload {
					continue
				}
				switch object := object.(type) {
				case *appsv1.Deployment:
					got.asked = object.Spec.Replicas
					got.spread = len(object.Spec.Template.Spec.TopologySpreadConstraints) > 0
					strategy := object.Spec.Strategy.RollingUpdate
					if strategy.MaxUnavailable.IntValue() != 0 || strategy.MaxSurge.IntValue() != 1 {
						t.Errorf("a rollout takes pods away before there are others: %v", strategy)
					}
				case *policyv1.PodDisruptionBudget:
					got.budget = object.Spec.MaxUnavailable.IntValue() == 1
				}
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(replicas{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestBudgetsFindTheirPods: a budget for no pods, or those of another workload,
// protects nothing.
func TestBudgetsFindTheirPods(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		all := map[string]workload{}
		for _, one := range workloads(m.t, m.components) {
			all[one.name] = one
		}
		for _, object := range mesh.Objects(m.components) {
			if budget, isBudget := object.(*policyv1.PodDisruptionBudget); isBudget {
				if diff := cmp.Diff(all[budget.Name].selector, matchLabels(m.t, budget.Spec.Selector)); diff != "" {
					m.t.Errorf("%s: another selector than its workload's\n%s", budget.Name, diff)
				}
			}
		}
	})
}

// TestPriorityClass: what a node's pods depend on goes last, unless the user says
// otherwise.
func TestPriorityClass(t *testing.T) {
	spec := allComponents("v1.18.0")
	for workload, class := range priorityClasses(t, spec) {
		want := "system-cluster-critical"
		switch workload {
		case mesh.NsmgrName, "vpp", "ovs", "sriov", "nsm-csi":
			want = "system-node-critical"
		}
		if class != want {
			t.Errorf("%s: got %q, want %q", workload, class, want)
		}
	}
	forEachComponent(&spec, func(component *nsmv1beta1.ComponentSpec) { component.PriorityClassName = "mine" })
	for workload, class := range priorityClasses(t, spec) {
		if class != "mine" {
			t.Errorf("%s: got %q, want the user's", workload, class)
		}
	}
	forEachComponent(&spec, func(component *nsmv1beta1.ComponentSpec) { component.PriorityClassName = mesh.NoPriorityClass })
	for workload, class := range priorityClasses(t, spec) {
		if class != "" {
			t.Errorf("%s: got %q, want none", workload, class)
		}
	}
}

func priorityClasses(t *testing.T, spec nsmv1beta1.NSMSpec) map[string]string {
	t.Helper()
	classes := map[string]string{}
	for _, workload := range workloads(t, mesh.Components(testInput(t, spec, everyPlatform))) {
		classes[workload.name] = workload.template.Spec.PriorityClassName
	}
	return classes
}

// TestLinux: a node with another system gets no pod of a mesh.
func TestLinux(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		for _, workload := range workloads(m.t, m.components) {
			if got := workload.template.Spec.NodeSelector[corev1.LabelOSStable]; got != "linux" {
				m.t.Errorf("%s runs on %q", workload.name, got)
			}
		}
	})
}

// everyPlatform has all that components depend on.
var everyPlatform = mesh.Platform{ClusterSPIFFEIDs: true, ClusterProperties: true}

// allComponents is a mesh with all components that there are.
func allComponents(version string) nsmv1beta1.NSMSpec {
	spec := nsmv1beta1.NSMSpec{
		Version: version, Registry: &nsmv1beta1.RegistrySpec{},
		Nsmgr:            &nsmv1beta1.NsmgrSpec{ExcludePrefixes: &nsmv1beta1.ContainerSpec{}},
		AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{},
		CSIDriver:        &nsmv1beta1.CSIDriverSpec{Registrar: &nsmv1beta1.ContainerSpec{}},
		Interdomain: &nsmv1beta1.InterdomainSpec{
			ClusterName: "one", NsmgrProxy: &nsmv1beta1.ComponentSpec{}, RegistryProxy: &nsmv1beta1.ComponentSpec{},
			ClusterInfo: &nsmv1beta1.ComponentSpec{}, MapIP: &nsmv1beta1.ContainerSpec{},
		},
		VL3:       &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{}, {Name: "vl3-ipam-ipv6", Prefix: "2001:db8::/64"}}},
		Dashboard: &nsmv1beta1.DashboardSpec{UI: &nsmv1beta1.ContainerSpec{}},
	}
	for _, forwarderType := range []nsmv1beta1.ForwarderType{
		nsmv1beta1.ForwarderTypeVPP, nsmv1beta1.ForwarderTypeOVS, nsmv1beta1.ForwarderTypeSRIOV,
	} {
		spec.Forwarders = append(spec.Forwarders, nsmv1beta1.ForwarderSpec{Name: string(forwarderType), Type: forwarderType})
	}
	return spec
}

// forEachComponent changes all components that a spec from allComponents has.
func forEachComponent(spec *nsmv1beta1.NSMSpec, change func(*nsmv1beta1.ComponentSpec)) {
	for i := range spec.Forwarders {
		change(&spec.Forwarders[i].ComponentSpec)
	}
	for i := range spec.VL3.IPAMs {
		change(&spec.VL3.IPAMs[i].ComponentSpec)
	}
	for _, component := range []*nsmv1beta1.ComponentSpec{
		&spec.Registry.ComponentSpec, &spec.Nsmgr.ComponentSpec, &spec.AdmissionWebhook.ComponentSpec, &spec.CSIDriver.ComponentSpec,
		&spec.Dashboard.ComponentSpec,
		spec.Interdomain.NsmgrProxy, spec.Interdomain.RegistryProxy, spec.Interdomain.ClusterInfo,
	} {
		change(component)
	}
}

// forEachContainer changes all containers that a spec from allComponents has.
func forEachContainer(spec *nsmv1beta1.NSMSpec, change func(*nsmv1beta1.ContainerSpec)) {
	forEachComponent(spec, func(component *nsmv1beta1.ComponentSpec) { change(&component.ContainerSpec) })
	for _, container := range []*nsmv1beta1.ContainerSpec{spec.Nsmgr.ExcludePrefixes, spec.CSIDriver.Registrar, spec.Interdomain.MapIP, spec.Dashboard.UI} {
		change(container)
	}
}
