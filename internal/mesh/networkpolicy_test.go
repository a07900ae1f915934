// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/test/netpol"
)

// limitedSpec is a mesh with every part that can be limited, and a collector behind a
// Service.
func limitedSpec(version string, registry nsmv1beta1.RegistryType) nsmv1beta1.NSMSpec {
	return nsmv1beta1.NSMSpec{
		Version:       version,
		NetworkPolicy: nsmv1beta1.NetworkPolicyManaged,
		Registry:      &nsmv1beta1.RegistrySpec{Type: registry},
		CSIDriver:     &nsmv1beta1.CSIDriverSpec{},
		Interdomain:   &nsmv1beta1.InterdomainSpec{ClusterName: "cluster1"},
		VL3:           &nsmv1beta1.VL3Spec{},
		Dashboard:     &nsmv1beta1.DashboardSpec{},
		Telemetry: &nsmv1beta1.TelemetrySpec{
			OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: "collector.telemetry.svc.cluster.local:4317"},
		},
	}
}

// withCollector are the objects of a mesh, and a collector whose Service leads to another
// port than its own.
func withCollector(in mesh.Input) []metav1.Object {
	labels := map[string]string{"app": "collector"}
	objects := []metav1.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "collector", Namespace: "telemetry"},
			Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 4317, TargetPort: intstr.FromInt32(14317)}}},
		},
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: "collector", Namespace: "telemetry"},
			Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{AutomountServiceAccountToken: ptr.To(false)},
			}},
		},
	}
	for _, object := range allObjects(in, mesh.Components(in)) {
		objects = append(objects, object)
	}
	return objects
}

// known are the connections of a mesh that no manifest tells about.
func known(m *netpol.Manifests, sendsTelemetry bool) []netpol.Connection {
	tcp := func(from, to netpol.End, port int32, why string) netpol.Connection {
		return netpol.Connection{From: from, To: to, Port: port, Protocol: corev1.ProtocolTCP, Why: why}
	}
	managers := m.Pod("nsmgr")
	elsewhere := managers
	elsewhere.Name, elsewhere.Namespace = "a manager of another mesh", "other-mesh"
	all := []netpol.Connection{
		tcp(managers, managers, 5001, "a client on another node than the endpoint"),
		tcp(managers, elsewhere, 5001, "an endpoint of another mesh"),
		tcp(elsewhere, managers, 5001, "an endpoint for another mesh"),
		tcp(managers, netpol.Stranger, 5003, "an endpoint that listens on a port of its own"),
		tcp(m.Pod("nsmgr-proxy"), managers, 5001, "a client of another domain"),
		tcp(m.Pod("nsmgr-proxy"), netpol.Outside, 5004, "an endpoint of another domain"),
		tcp(m.Pod("registry-proxy"), netpol.Outside, 5002, "the registry of another domain"),
	}
	if m.Has("dashboard") {
		all = append(all, tcp(m.Pod("dashboard"), managers, 5001, "the connections of a node"), tcp(m.Pod("dashboard"), elsewhere, 5001, "the same"))
	}
	for _, workload := range []string{"nsm-registry", "vl3-ipam"} {
		if sendsTelemetry && m.Has(workload) {
			all = append(all, tcp(m.Pod(workload), netpol.Node, 4317, "a collector on the network of nodes"))
		}
	}
	return all
}

// In every release, all that the manifests imply is allowed.
func TestNetworkPoliciesAllowWhatManifestsImply(t *testing.T) {
	platform := mesh.Platform{ClusterSPIFFEIDs: true, ClusterProperties: true}
	for _, version := range release.Known() {
		for _, registry := range []nsmv1beta1.RegistryType{nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory} {
			in := testInput(t, limitedSpec(version, registry), platform)
			m := netpol.Read(withCollector(in))
			for _, connection := range append(m.Implied(), known(m, in.Release.Facts().OpenTelemetryEndpointEnv != "")...) {
				if !netpol.Allows(m.Policies, connection) {
					t.Errorf("%s, registry of type %s: not allowed: %s", version, registry, connection)
				}
			}
		}
	}
}

// Whatever is asked for, and whatever the variables are: no probe, Service or webhook of
// a mesh is cut off.
func TestNetworkPoliciesOfAnyMesh(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		var objects []metav1.Object
		for _, object := range allObjects(m.in, m.components) {
			objects = append(objects, object)
		}
		read := netpol.Read(objects)
		for _, connection := range read.Implied() {
			if !netpol.Allows(read.Policies, connection) {
				m.t.Errorf("not allowed: %s", connection)
			}
		}
		for _, policy := range read.Policies {
			if problem := unexplained(policy); problem != "" {
				m.t.Errorf("%s: %s", policy.Name, problem)
			}
		}
		isManaged := m.in.NSM.Spec.NetworkPolicy == nsmv1beta1.NetworkPolicyManaged
		for _, workload := range workloads(m.t, m.components) {
			hasPolicy := slices.ContainsFunc(read.Policies, func(p *networkingv1.NetworkPolicy) bool { return p.Name == workload.name })
			if want := isManaged && !workload.template.Spec.HostNetwork; hasPolicy != want {
				m.t.Errorf("%s: limited: %t, want %t", workload.name, hasPolicy, want)
			}
		}
	})
}

// unexplained tells of a rule that has no reason, or of a reason without its rule; "" for none.
func unexplained(policy *networkingv1.NetworkPolicy) string {
	description := policy.Annotations["kubernetes.io/description"]
	var from, to []string
	for reason := range strings.SplitSeq(strings.TrimSuffix(description, "."), ". ") {
		switch {
		case strings.HasPrefix(reason, "From "):
			from = append(from, reason)
		case strings.HasPrefix(reason, "To "):
			to = append(to, reason)
		case reason != "No traffic: it talks through sockets of its node alone":
			return "it has another kind of reason: " + reason
		}
	}
	if len(from) != len(policy.Spec.Ingress) || len(to) != len(policy.Spec.Egress) || description == "" {
		return fmt.Sprintf("%d rules for ingress and %d for egress, and it says %q", len(policy.Spec.Ingress), len(policy.Spec.Egress), description)
	}
	for i, rule := range policy.Spec.Ingress {
		if len(rule.Ports) != 1 || !strings.HasSuffix(from[i], fmt.Sprintf(": port %d", rule.Ports[0].Port.IntVal)) {
			return fmt.Sprintf("the rule %+v is said to be %q", rule, from[i])
		}
	}
	for i, rule := range policy.Spec.Egress {
		if isOpen := len(rule.Ports) == 0 && len(rule.To) == 0; isOpen != strings.HasSuffix(to[i], ": all ports") {
			return fmt.Sprintf("the rule %+v is said to be %q", rule, to[i])
		}
	}
	return ""
}

// No rule is there for nothing: without it something is cut off.
func TestEachRuleOfNetworkPoliciesIsNeeded(t *testing.T) {
	platform := mesh.Platform{ClusterSPIFFEIDs: true, ClusterProperties: true}
	for _, registry := range []nsmv1beta1.RegistryType{nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory} {
		m := netpol.Read(withCollector(testInput(t, limitedSpec("v1.18.0", registry), platform)))
		needed := append(m.Implied(), known(m, true)...)
		cutsOff := func() bool {
			return slices.ContainsFunc(needed, func(c netpol.Connection) bool { return !netpol.Allows(m.Policies, c) })
		}
		for _, policy := range m.Policies {
			if problem := unexplained(policy); problem != "" {
				t.Errorf("%s: %s", policy.Name, problem)
			}
			spec := policy.Spec
			for i := range spec.Ingress {
				policy.Spec.Ingress = slices.Delete(slices.Clone(spec.Ingress), i, i+1)
				if !cutsOff() {
					t.Errorf("%s: nothing needs the rule for ingress %d: %+v", policy.Name, i, spec.Ingress[i])
				}
			}
			policy.Spec = spec
			for i := range spec.Egress {
				policy.Spec.Egress = slices.Delete(slices.Clone(spec.Egress), i, i+1)
				if !cutsOff() {
					t.Errorf("%s: nothing needs the rule for egress %d: %+v", policy.Name, i, spec.Egress[i])
				}
			}
			policy.Spec = spec
		}
	}
}

// What a mesh does not need is refused.
func TestNetworkPoliciesRefuseTheRest(t *testing.T) {
	m := netpol.Read(withCollector(testInput(t, limitedSpec("v1.18.0", nsmv1beta1.RegistryTypeMemory), mesh.Platform{ClusterProperties: true})))
	for _, refused := range []struct {
		from, to netpol.End
		port     int32
	}{
		{netpol.Stranger, m.Pod("nsmgr"), 5001},
		{netpol.Outside, m.Pod("nsmgr"), 5001},
		{m.Pod("nsm-registry"), m.Pod("nsmgr"), 5001},
		{netpol.Stranger, m.Pod("nsm-registry"), 6060},
		{netpol.Stranger, m.Pod("cluster-info"), 8080},
		{netpol.Node, m.Pod("nsm-csi"), 9898},
		{m.Pod("nsm-csi"), netpol.APIServer, 6443},
		{m.Pod("nsm-registry"), netpol.APIServer, 6443},
		{m.Pod("nsm-registry"), netpol.Outside, 443},
		{m.Pod("vl3-ipam"), netpol.Stranger, 80},
		{m.Pod("vl3-ipam"), m.Pod("nsm-registry"), 5002},
		{m.Pod("dashboard"), m.Pod("nsmgr"), 443},
		{m.Pod("dashboard"), netpol.Outside, 443},
		{m.Pod("dashboard"), m.Pod("nsmgr-proxy"), 5004},
		{m.Pod("dashboard"), netpol.Outside, 5002},
	} {
		connection := netpol.Connection{From: refused.from, To: refused.to, Port: refused.port, Protocol: corev1.ProtocolTCP}
		if netpol.Allows(m.Policies, connection) {
			t.Errorf("allowed: %s", connection)
		}
	}
}

// The way to an address in the environment is open as far as it has to be.
func TestNetworkPolicyForAnAddress(t *testing.T) {
	here := func(port int32) netpol.Connection {
		return netpol.Connection{To: netpol.End{Name: "here", Namespace: "nsm"}, Port: port}
	}
	there := func(port int32) netpol.Connection {
		return netpol.Connection{To: netpol.End{Name: "there", Namespace: "telemetry"}, Port: port}
	}
	node := func(port int32) netpol.Connection { return netpol.Connection{To: netpol.Node, Port: port} }
	for _, test := range []struct {
		env              []corev1.EnvVar
		allowed, refused []netpol.Connection
	}{
		{collectorAt("otel:4317"), []netpol.Connection{here(1), there(4317), node(4317), node(53)}, []netpol.Connection{there(1), node(1)}},
		{collectorAt("otel.telemetry:4317"), []netpol.Connection{there(1), here(4317), node(4317)}, []netpol.Connection{here(1), node(1)}},
		{collectorAt("otel.example.com:4317"), []netpol.Connection{node(4317), there(4317)}, []netpol.Connection{there(1), here(1), node(1)}},
		{collectorAt("192.0.2.1:4317"), []netpol.Connection{node(4317)}, []netpol.Connection{there(1), here(1), node(1)}},
		{collectorAt("[2001:db8::1]:4317"), []netpol.Connection{node(4317)}, []netpol.Connection{there(1), here(1), node(1)}},
		{collectorAt("http://otel.telemetry:4317"), []netpol.Connection{there(1), node(4317)}, []netpol.Connection{node(1)}},
		{collectorAt("$(HOST_IP):4317"), []netpol.Connection{node(4317)}, []netpol.Connection{there(1), node(1)}},
		{collectorAt("otel"), []netpol.Connection{node(1)}, nil},
		{collectorAt(""), []netpol.Connection{}, []netpol.Connection{node(53), node(1)}},
		{[]corev1.EnvVar{{Name: "NSM_OPEN_TELEMETRY_ENDPOINT", ValueFrom: &corev1.EnvVarSource{}}}, []netpol.Connection{node(1)}, nil},
		{[]corev1.EnvVar{{Name: "TELEMETRY", Value: "true"}}, []netpol.Connection{node(4317)}, []netpol.Connection{node(1), there(1)}},
	} {
		g := NewWithT(t)
		spec := nsmv1beta1.NSMSpec{
			Version: "v1.18.0", NetworkPolicy: nsmv1beta1.NetworkPolicyManaged, VL3: &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{}}},
		}
		spec.VL3.IPAMs[0].Env = test.env
		m := netpol.Read(withCollector(testInput(t, spec, mesh.Platform{})))
		for want, connections := range map[bool][]netpol.Connection{true: test.allowed, false: test.refused} {
			for _, connection := range connections {
				connection.From, connection.Protocol, connection.Why = m.Pod("vl3-ipam"), corev1.ProtocolTCP, test.env[0].Value
				g.Expect(netpol.Allows(m.Policies, connection)).To(Equal(want), connection.String())
			}
		}
	}
}

func collectorAt(address string) []corev1.EnvVar {
	return []corev1.EnvVar{{Name: "NSM_OPEN_TELEMETRY_ENDPOINT", Value: address}}
}

// Profiles are reached from elsewhere where the NSM has them served there, and nowhere else.
func TestNetworkPoliciesAndProfiles(t *testing.T) {
	for listenOn, want := range map[string]bool{":6060": true, "0.0.0.0:6060": true, "localhost:6060": false, "127.0.0.1:6060": false, "[::1]:6060": false, "": false} {
		spec := limitedSpec("v1.18.0", nsmv1beta1.RegistryTypeK8s)
		spec.Telemetry.Pprof = &nsmv1beta1.PprofSpec{Enabled: ptr.To(true), ListenOn: listenOn}
		m := netpol.Read(withCollector(testInput(t, spec, mesh.Platform{})))
		for _, workload := range []string{"nsmgr", "nsm-registry", "nsmgr-proxy"} {
			connection := netpol.Connection{From: netpol.Stranger, To: m.Pod(workload), Port: 6060, Protocol: corev1.ProtocolTCP, Why: listenOn}
			if netpol.Allows(m.Policies, connection) != want {
				t.Errorf("allowed: %t: %s", !want, connection)
			}
		}
	}
}

// docs/security.md says the same as the policies.
func TestNetworkPoliciesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, registry := range []nsmv1beta1.RegistryType{nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory} {
		spec := limitedSpec("v1.18.0", registry)
		spec.Telemetry = nil
		for _, policy := range netpol.Read(withCollector(testInput(t, spec, mesh.Platform{ClusterProperties: true}))).Policies {
			_, row, _ := strings.Cut(string(page), "\n| `"+policy.Name+"` | ")
			row, _, _ = strings.Cut(row, "\n")
			for reason := range strings.SplitSeq(strings.TrimSuffix(policy.Annotations["kubernetes.io/description"], "."), ". ") {
				who := strings.TrimPrefix(strings.TrimPrefix(reason, "From "), "To ")
				who, port, _ := strings.Cut(who, ": port ")
				if isSaid := strings.Contains(row, who) && strings.Contains(row, port); !isSaid && who != "DNS" && policy.Name != "nsm-csi" {
					t.Errorf("docs/security.md, network policies, %s: lacks %q", policy.Name, reason)
				}
			}
		}
	}
}
