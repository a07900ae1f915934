// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// answer of the dashboard's backend: what its own code (model_utils.go of
// cmd-dashboard-backend) made of three connections. One is over two forwarders, one is
// DOWN, and the endpoint of one is called postgres-0, which the backend takes for a client.
func answer(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "dashboard-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func connections(t *testing.T) []report.Connection {
	t.Helper()
	found, err := report.ConnectionsOf("nsm/mesh", answer(t, "nodes"), answer(t, "edges"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestConnectionsAreThoseOfTheDashboard(t *testing.T) {
	t.Parallel()
	NewWithT(t).Expect(connections(t)).To(Equal([]report.Connection{
		{
			Mesh: "nsm/mesh", Service: "icmp-responder", Client: "alpine-0a9d9aa7", Endpoint: "nse-kernel-zz6m5",
			Via: []string{"forwarder-vpp-t2jgb", "forwarder-vpp-9dxwt"}, Healthy: true,
		},
		{Mesh: "nsm/mesh", Service: "icmp-responder", Client: "alpine-broken", Endpoint: "nse-kernel-zz6m5", Via: []string{"forwarder-vpp-t2jgb"}},
		{Mesh: "nsm/mesh", Client: "app-1", Endpoint: "postgres-0", Via: []string{"forwarder-vpp-t2jgb"}, Healthy: true},
	}))
}

func TestWithoutConnectionsTheDashboardAnswersNull(t *testing.T) {
	t.Parallel()
	found, err := report.ConnectionsOf("nsm/mesh", []byte("null"), []byte("null"))
	NewWithT(t).Expect(found, err).To(BeEmpty())
	_, err = report.ConnectionsOf("nsm/mesh", []byte("<html>"), []byte("null"))
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("the dashboard's nodes")))
	// Edges in a circle, and to nowhere.
	const circle = `[{"data":{"id":"int-c--1--a--x","type":"interface","parent":"a"}},{"data":{"id":"int-s--1--b--x","type":"interface","parent":"b"}},
		{"data":{"id":"int-c--1--c--x","type":"interface","parent":"c"}}]`
	const edges = `[{"data":{"source":"int-c--1--a--x","target":"int-s--1--b--x"}},{"data":{"source":"int-s--1--b--x","target":"int-s--1--b--x"}},
		{"data":{"source":"","target":"int-c--1--c--x"}}]`
	found, err = report.ConnectionsOf("nsm/mesh", []byte(circle), []byte(edges))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(found).To(HaveLen(1))
}

func TestLiveConnectionsJoinWhatIsRegistered(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	client := pod("apps", "app-1", "a", "10.0.0.9")
	client.Annotations = map[string]string{"networkservicemesh.io": "kernel://database/nsm-1"}
	topology := report.TopologyOf(&report.Registered{
		Endpoints: []unstructured.Unstructured{entry("postgres-0", "database", now.Add(time.Minute), nil), entry("nse-kernel-zz6m5", "icmp-responder", now.Add(time.Minute), nil)},
		Pods:      []corev1.Pod{client}, Connections: connections(t), Now: now,
	})
	g.Expect(topology.IsFine()).To(BeFalse(), "one is down")
	g.Expect(topology.Clients[0].Connected).To(Equal([]string{"database"}), "as the registry tells of its endpoint")

	var text, dot, svg strings.Builder
	topology.Text(&text, report.Style{})
	g.Expect(text.String()).To(And(
		ContainSubstring("apps/app-1  node a  asks for database  connected to database"),
		ContainSubstring("live connections, as the dashboard of mesh nsm/mesh reports\n"+
			"├─ alpine-0a9d9aa7 -> forwarder-vpp-t2jgb -> forwarder-vpp-9dxwt -> nse-kernel-zz6m5  up  NetworkService icmp-responder\n"+
			"├─ alpine-broken -> forwarder-vpp-t2jgb -> nse-kernel-zz6m5  down  NetworkService icmp-responder\n"+
			"└─ app-1 -> forwarder-vpp-t2jgb -> postgres-0  up  NetworkService database\n")))
	topology.Dot(&dot, report.Style{})
	g.Expect(dot.String()).To(And(
		ContainSubstring(`"client apps/app-1" -> "endpoint nsm/postgres-0" [style=bold];`),
		ContainSubstring(`"client alpine-broken" -> "endpoint nsm/nse-kernel-zz6m5" [style=dashed];`)))
	topology.SVG(&svg, report.Style{})
	g.Expect(strings.Count(svg.String(), `stroke-width="3"`)).To(Equal(2))

	topology.Connections = topology.Connections[:1]
	g.Expect(topology.IsFine()).To(BeTrue())
}
