// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package release

import (
	"reflect"
	"slices"
	"testing"
)

// predecessor is the known release before one.
func predecessor(t *testing.T, text string) Release {
	t.Helper()
	i := slices.Index(known, text)
	if i < 1 {
		t.Fatalf("%s has no known predecessor", text)
	}
	return must(known[i-1])
}

func TestRowsAreInOrder(t *testing.T) {
	for i, row := range rows {
		parsed, err := Parse(row.from)
		if err != nil {
			t.Errorf("row %q: %s %v", row.what, row.from, err)
			continue
		}
		if !parsed.IsKnown() {
			t.Errorf("row %q: %s is not a known release", row.what, row.from)
		}
		if row.what == "" {
			t.Errorf("row %d does not say what changed", i)
		}
		if i > 0 && !parsed.AtLeast(must(rows[i-1].from)) {
			t.Errorf("row %q: %s stands after %s", row.what, row.from, rows[i-1].from)
		}
	}
	if rows[0].from != Oldest().String() {
		t.Errorf("the first row is of %s, want %s", rows[0].from, Oldest())
	}
}

// A row that changes nothing is a row gone wrong: of the wrong field, or twice.
func TestEveryRowChangesSomething(t *testing.T) {
	var facts Facts
	for _, row := range rows {
		before := facts
		row.change(&facts)
		if reflect.DeepEqual(before, facts) {
			t.Errorf("row %q of %s changes nothing", row.what, row.from)
		}
	}
}

// edge is a fact on both sides of the release that changed it.
type edge struct {
	from          string
	name          string
	fact          func(Facts) any
	before, after any
}

// edges are read off NSM's manifests, or the code where a row says so.
var edges = []edge{
	{"v1.1.0", "registry-k8s log level", func(f Facts) any { return f.RegistryK8s.LogLevel }, false, true},
	{"v1.1.0", "registry-memory log level", func(f Facts) any { return f.RegistryMemory.LogLevel }, false, true},
	{"v1.1.0", "nsmgr log level", func(f Facts) any { return f.Nsmgr.LogLevel }, false, true},
	{"v1.1.0", "forwarder-sriov log level", func(f Facts) any { return f.SRIOV.LogLevel }, false, true},
	{"v1.1.0", "exclude-prefixes", func(f Facts) any { return f.ExcludePrefixes.Exists() }, false, true},
	{"v1.1.0", "exclude-prefixes limits", func(f Facts) any { return f.ExcludePrefixes.Limits }, Resources{}, Resources{CPU: "75m", Memory: "40Mi"}},
	{"v1.1.0", "exclude-prefixes and namespaces", func(f Facts) any { return f.ExcludePrefixesListsNamespaces }, false, true},
	{"v1.4.0", "exclude-prefixes and namespaces no more", func(f Facts) any { return f.ExcludePrefixesListsNamespaces }, true, false},
	{"v1.1.0", "nsmgr requests", func(f Facts) any { return f.Nsmgr.Requests }, Resources{}, Resources{CPU: "200m", Memory: "100Mi"}},
	{"v1.1.0", "nsmgr limits", func(f Facts) any { return f.Nsmgr.Limits }, Resources{CPU: "200m", Memory: "60Mi"}, Resources{CPU: "400m", Memory: "200Mi"}},
	{"v1.1.0", "registry-k8s requests", func(f Facts) any { return f.RegistryK8s.Requests }, Resources{}, Resources{CPU: "100m"}},
	{"v1.1.0", "registry-k8s limits", func(f Facts) any { return f.RegistryK8s.Limits }, Resources{CPU: "100m", Memory: "40Mi"}, Resources{CPU: "200m", Memory: "40Mi"}},
	{"v1.1.0", "registry-memory requests", func(f Facts) any { return f.RegistryMemory.Requests }, Resources{}, Resources{CPU: "100m"}},
	{"v1.1.0", "registry-memory limits", func(f Facts) any { return f.RegistryMemory.Limits }, Resources{CPU: "100m", Memory: "20Mi"}, Resources{CPU: "200m", Memory: "40Mi"}},
	{"v1.1.0", "registry-memory proxy", func(f Facts) any { return f.RegistryMemoryProxyURL }, "registry-proxy-svc:5003", "nsmgr-proxy:5004"},
	{"v1.1.0", "registry-k8s proxy, unchanged", func(f Facts) any { return f.RegistryK8sProxyURL }, "nsmgr-proxy:5004", "nsmgr-proxy:5004"},
	{"v1.1.0", "forwarder-vpp limits", func(f Facts) any { return f.VPP.Limits }, Resources{CPU: "500m", Memory: "400Mi"}, Resources{CPU: "500m", Memory: "500Mi"}},
	{"v1.1.0", "forwarder-vpp device mounts", func(f Facts) any { return f.VPPDeviceMounts }, false, true},
	{"v1.1.0", "forwarder DNS policy", func(f Facts) any { return f.ForwarderDNSPolicy }, false, true},
	{"v1.1.0", "forwarder-sriov requests", func(f Facts) any { return f.SRIOV.Requests }, Resources{}, Resources{CPU: "200m"}},
	{"v1.1.0", "forwarder-sriov limits", func(f Facts) any { return f.SRIOV.Limits }, Resources{CPU: "200m", Memory: "40Mi"}, Resources{CPU: "400m", Memory: "40Mi"}},
	{"v1.1.0", "forwarder-ovs", func(f Facts) any { return f.OVS.Exists() }, false, true},
	{"v1.1.0", "forwarders are endpoints", func(f Facts) any { return f.ForwarderEndpoints }, false, true},
	{"v1.3.0", "probe timings", func(f Facts) any { return f.ProbeTimings }, false, true},
	{"v1.3.0", "forwarder-vpp host PID", func(f Facts) any { return f.VPPHostPID }, false, true},
	{"v1.3.0", "forwarder-vpp external mount", func(f Facts) any { return f.VPPExternalMount }, false, true},
	{"v1.3.0", "vl3-ipam", func(f Facts) any { return f.VL3IPAM.Exists() }, false, true},
	{"v1.3.0", "vl3-ipam's limits", func(f Facts) any { return f.VL3IPAM.Limits }, Resources{}, Resources{CPU: "200m", Memory: "40Mi"}},
	{"v1.3.1", "forwarder-vpp CPU limit", func(f Facts) any { return f.VPP.Limits.CPU }, "500m", "525m"},
	{"v1.4.0", "forwarder-ovs limits", func(f Facts) any { return f.OVS.Limits }, Resources{CPU: "2", Memory: "1Gi"}, Resources{Memory: "1Gi"}},
	{
		"v1.6.2", "nsmgr's address",
		func(f Facts) any { return f.NsmgrListenOn },
		"unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://:5001",
		"unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://[$(POD_IP)]:5001",
	},
	{
		"v1.6.2", "nsmgr's probe",
		func(f Facts) any { return f.NsmgrProbeAddress }, ":5001", "unix:///var/lib/networkservicemesh/nsm.io.sock",
	},
	{"v1.6.2", "registry-k8s prefix", func(f Facts) any { return f.RegistryK8s.EnvPrefix }, "REGISTRY_K8S_", "NSM_"},
	{"v1.6.2", "registry-k8s memory", func(f Facts) any { return f.RegistryK8s.Limits.Memory }, "40Mi", "260Mi"},
	{"v1.6.2", "registry-k8s memory request", func(f Facts) any { return f.RegistryK8s.Requests.Memory }, "", "100Mi"},
	{"v1.7.0", "registry-k8s memory", func(f Facts) any { return f.RegistryK8s.Limits.Memory }, "260Mi", "40Mi"},
	{"v1.7.0", "registry-k8s memory request", func(f Facts) any { return f.RegistryK8s.Requests.Memory }, "100Mi", ""},
	{"v1.7.1", "registry-k8s memory", func(f Facts) any { return f.RegistryK8s.Limits.Memory }, "40Mi", "260Mi"},
	{"v1.7.1", "registry-k8s memory request", func(f Facts) any { return f.RegistryK8s.Requests.Memory }, "", "100Mi"},
	{"v1.8.0", "registry-memory's probe", func(f Facts) any { return f.RegistryMemoryProbe }, false, true},
	{"v1.9.0", "forwarder-vpp memory request", func(f Facts) any { return f.VPP.Requests.Memory }, "", "350Mi"},
	{"v1.9.0", "forwarder-vpp init", func(f Facts) any { return f.VPPInit }, false, true},
	{"v1.11.0", "metrics export interval", func(f Facts) any { return f.MetricsExportInterval }, false, true},
	{"v1.13.1", "registry-memory prefix", func(f Facts) any { return f.RegistryMemory.EnvPrefix }, "REGISTRY_MEMORY_", "NSM_"},
	{"v1.13.1", "OpenTelemetry endpoint", func(f Facts) any { return f.OpenTelemetryEndpointEnv }, "OPENTELEMETRYENDPOINT", "OPEN_TELEMETRY_ENDPOINT"},
	{"v1.13.1", "forwarder-ovs bridge", func(f Facts) any { return f.OVSBridgeEnv }, "BRIDGENAME", "BRIDGE_NAME"},
	{"v1.14.0", "pprof", func(f Facts) any { return f.Pprof }, false, true},
	{"v1.14.3", "forwarder-vpp on amd64", func(f Facts) any { return f.VPPOnAMD64Only }, false, true},
	{"v1.14.0", "Prometheus", func(f Facts) any { return f.Prometheus }, false, true},
	{
		"v1.16.0", "nsmgr's address",
		func(f Facts) any { return f.NsmgrListenOn },
		"unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://[$(POD_IP)]:5001",
		"unix:///var/lib/networkservicemesh/nsm.io.sock,tcp://$(POD_IP):5001",
	},
	{"v1.1.0", "nsmgr-proxy's log level", func(f Facts) any { return f.NsmgrProxy.LogLevel }, false, true},
	{"v1.1.0", "map-ip's memory", func(f Facts) any { return f.MapIP.Limits.Memory }, "10Mi", "25Mi"},
	{"v1.1.0", "map-ip's node name", func(f Facts) any { return f.MapIPNodeNameEnv }, "", "NSM_NODENAME"},
	{"v1.1.0", "registry-proxy's requests", func(f Facts) any { return f.RegistryProxy.Requests }, Resources{}, Resources{CPU: "100m"}},
	{"v1.1.0", "map-ip's log level", func(f Facts) any { return f.MapIP.ReadsLogLevel }, false, true},
	{"v1.2.0", "OpenTelemetry", func(f Facts) any { return f.OpenTelemetryEndpointEnv }, "", "OPENTELEMETRYENDPOINT"},
	{"v1.2.0", "the webhook's NSM_ENVS", func(f Facts) any { return f.WebhookClientEnv }, false, true},
	{"v1.6.0", "the webhook's role", func(f Facts) any { return f.WebhookReadsNamespaces }, false, true},
	{"v1.6.0", "cluster-info", func(f Facts) any { return f.ClusterInfo.Exists() }, false, true},
	{"v1.6.0", "cluster-info's log level", func(f Facts) any { return f.ClusterInfo.ReadsLogLevel }, false, true},
	{"v1.6.0", "cluster-info's limits", func(f Facts) any { return f.ClusterInfo.Limits }, Resources{}, Resources{CPU: "100m", Memory: "40Mi"}},
	{"v1.10.0", "the CSI driver", func(f Facts) any { return f.CSIDriver }, false, true},
	{"v1.11.0", "the webhook's NSM_SIDECAR_*", func(f Facts) any { return f.WebhookClientResources }, false, true},
	{"v1.12.0", "the webhook's certificate", func(f Facts) any { return f.WebhookCertificate }, false, true},
	{"v1.12.0", "the dashboard", func(f Facts) any { return f.DashboardBackend.Exists() }, false, true},
	{"v1.13.1", "map-ip's node name", func(f Facts) any { return f.MapIPNodeNameEnv }, "NSM_NODENAME", "NSM_NODE_NAME"},
	{"v1.13.1", "map-ip's output", func(f Facts) any { return f.MapIPOutputEnv }, "NSM_OUTPUTPATH", "NSM_OUTPUT_PATH"},
}

func TestFactsAtTheEdges(t *testing.T) {
	for _, tc := range edges {
		t.Run(tc.from+" "+tc.name, func(t *testing.T) {
			if got := tc.fact(predecessor(t, tc.from).Facts()); got != tc.before {
				t.Errorf("before: %v, want %v", got, tc.before)
			}
			if got := tc.fact(must(tc.from).Facts()); got != tc.after {
				t.Errorf("from there on: %v, want %v", got, tc.after)
			}
		})
	}
}

// Every row has an edge that fails without it.
func TestEveryRowIsTested(t *testing.T) {
	var facts Facts
	for _, row := range rows {
		before := facts
		row.change(&facts)
		if row.from != Oldest().String() && !slices.ContainsFunc(edges, func(e edge) bool {
			return e.from == row.from && e.fact(before) != e.fact(facts)
		}) {
			t.Errorf("row %q of %s: no edge tells it", row.what, row.from)
		}
	}
}

// A release that nobody knows has the facts of the one that it is like.
func TestFactsOfUnknownReleases(t *testing.T) {
	for text, like := range map[string]string{
		// Newer than all: a minor or a major to come.
		"v1.19.0-rc.1": "v1.18.0", "v1.18.1": "v1.18.0", "v99.0.0": "v1.18.0",
		// The nearest of the same minor, whichever side it is on.
		"v1.0.7": "v1.0.0", "v1.7.2": "v1.7.1", "v1.6.99": "v1.6.2", "v1.14.6-rc.1": "v1.14.5",
		"v1.14.0-rc.1": "v1.14.0", "v1.7.0-rc.3": "v1.7.0", "v1.6.2-rc.1": "v1.6.2", "v1.1.0-rc.1": "v1.1.0", "v1.18.0-rc.1": "v1.18.0",
		// Known ones are themselves.
		"v1.1.0": "v1.1.0", "v1.13.0": "v1.13.0", "v1.18.0": "v1.18.0",
	} {
		if got := must(text).Like().String(); got != like {
			t.Errorf("%s is like %s, not %s", text, got, like)
		}
		if !reflect.DeepEqual(must(text).Facts(), must(like).Facts()) {
			t.Errorf("%s has other facts than %s", text, like)
		}
	}
}

// Where no release of the minor is known, the one before it counts.
func TestLikeTheOneBefore(t *testing.T) {
	all, releases := known, knownReleases
	t.Cleanup(func() { known, knownReleases = all, releases })
	known = []string{"v1.0.0", "v1.2.1", "v1.2.4", "v1.4.0"}
	knownReleases = func() []Release { return []Release{must("v1.0.0"), must("v1.2.1"), must("v1.2.4"), must("v1.4.0")} }
	for text, like := range map[string]string{
		"v1.1.0": "v1.0.0", "v1.3.9": "v1.2.4", "v1.3.0-rc.1": "v1.2.4", "v1.2.0": "v1.2.1", "v1.2.2": "v1.2.1", "v1.2.3": "v1.2.4", "v2.0.0": "v1.4.0",
	} {
		if got := must(text).Like().String(); got != like {
			t.Errorf("%s is like %s, not %s", text, got, like)
		}
	}
}
