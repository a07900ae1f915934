// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// watched are the variables with which NSM tells about itself, under all names
// that they have or had.
var watched = []string{
	"NSM_LOG_LEVEL", "NSM_PPROF_ENABLED", "NSM_PPROF_LISTEN_ON", "TELEMETRY",
	"NSM_OPENTELEMETRYENDPOINT", "NSM_OPEN_TELEMETRY_ENDPOINT", "NSM_METRICS_EXPORT_INTERVAL",
}

// telling is a mesh of a release, and what it is asked to tell about itself.
func telling(t *testing.T, version string, registry nsmv1beta1.RegistryType, asked bool) mesh.Input {
	t.Helper()
	in := domain(t, version, "one", true)
	in.NSM.Spec.Registry = &nsmv1beta1.RegistrySpec{Type: registry}
	for _, forwarder := range []nsmv1beta1.ForwarderType{
		nsmv1beta1.ForwarderTypeVPP, nsmv1beta1.ForwarderTypeOVS, nsmv1beta1.ForwarderTypeSRIOV,
	} {
		in.NSM.Spec.Forwarders = append(in.NSM.Spec.Forwarders, nsmv1beta1.ForwarderSpec{Type: forwarder})
	}
	if asked {
		in.NSM.Spec.LogLevel = "DEBUG"
		in.NSM.Spec.Telemetry = &nsmv1beta1.TelemetrySpec{
			OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{
				Endpoint: "collector:4317", ExportInterval: &metav1.Duration{Duration: time.Minute},
			},
			Pprof: &nsmv1beta1.PprofSpec{Enabled: ptr.To(true), ListenOn: ":6061"},
		}
	}
	return in
}

// told are the watched variables of a container, as "NAME=value"; of one that is
// not there, nothing.
func told(t *testing.T, in mesh.Input, workload, container string) []string {
	t.Helper()
	var found []string
	for _, one := range workloads(t, mesh.Components(in)) {
		for _, c := range one.template.Spec.Containers {
			if one.name == workload && c.Name == container {
				found = append(found, pairs(c.Env)...)
			}
		}
	}
	return slices.Sorted(slices.Values(found))
}

func pairs(env []corev1.EnvVar) []string {
	var found []string
	for _, variable := range env {
		if slices.Contains(watched, variable.Name) {
			found = append(found, variable.Name+"="+variable.Value)
		}
	}
	return found
}

// What each container is told to tell about itself, in a release.
func TestWhatContainersTell(t *testing.T) {
	const (
		level    = "NSM_LOG_LEVEL=DEBUG"
		enabled  = "NSM_PPROF_ENABLED=true"
		listens  = "NSM_PPROF_LISTEN_ON=:6061"
		on       = "TELEMETRY=true"
		endpoint = "NSM_OPEN_TELEMETRY_ENDPOINT=collector:4317"
		oldName  = "NSM_OPENTELEMETRYENDPOINT=collector:4317"
		interval = "NSM_METRICS_EXPORT_INTERVAL=1m0s"
	)
	everything := []string{level, enabled, listens, on, endpoint, interval}
	type container struct{ workload, name string }
	forEach := func(what ...string) map[container][]string {
		all := map[container][]string{}
		for _, name := range []string{"nsmgr", "forwarder-vpp", "forwarder-ovs", "forwarder-sriov", "nsmgr-proxy"} {
			all[container{name, name}] = what
		}
		all[container{"nsm-registry", "registry"}] = what
		all[container{"registry-proxy", "registry"}] = what
		return all
	}
	with := func(all map[container][]string, others map[container][]string) map[container][]string {
		maps.Copy(all, others)
		return all
	}
	clusterInfo, mapIP := container{"cluster-info", "cluster-info"}, container{"nsmgr-proxy", "map-ip-k8s"}
	webhook, prefixes := container{"admission-webhook-k8s", "admission-webhook-k8s"}, container{"nsmgr", "exclude-prefixes"}

	for version, want := range map[string]map[container][]string{
		"v1.18.0": with(forEach(everything...), map[container][]string{
			webhook:     {enabled, listens, on, endpoint, interval},
			clusterInfo: append([]string{oldName}, everything...),
			mapIP:       {level}, prefixes: {level},
		}),
		"v1.13.1": with(forEach(level, on, endpoint, interval), map[container][]string{
			webhook: {on, endpoint, interval}, clusterInfo: {level, on, endpoint, oldName, interval}, mapIP: {level}, prefixes: {level},
		}),
		"v1.13.0": {
			container{"nsmgr", "nsmgr"}: {level, on, oldName, interval},
			webhook:                     {on, oldName, interval}, clusterInfo: {level, on, oldName, interval},
		},
		"v1.10.0": {
			container{"nsmgr", "nsmgr"}: {level, on, oldName}, webhook: {on, oldName}, clusterInfo: {level, on, oldName},
		},
		"v1.5.0": {container{"nsmgr", "nsmgr"}: {level, on, oldName}, webhook: {on, oldName}, mapIP: {level}, clusterInfo: nil},
		"v1.1.1": {container{"nsmgr", "nsmgr"}: {level}, webhook: nil, mapIP: {level}},
		"v1.0.0": {container{"nsmgr", "nsmgr"}: nil, mapIP: nil},
	} {
		for _, registry := range []nsmv1beta1.RegistryType{nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory} {
			for container, variables := range want {
				t.Run(version+" "+container.workload+" "+container.name+" "+string(registry), func(t *testing.T) {
					got := told(t, telling(t, version, registry, true), container.workload, container.name)
					if diff := cmp.Diff(slices.Sorted(slices.Values(variables)), got); diff != "" {
						t.Errorf("its variables differ (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// Where nobody asks, there is what NSM's own manifests have.
func TestWhatContainersTellUnasked(t *testing.T) {
	pprof := []string{"NSM_LOG_LEVEL=INFO", "NSM_PPROF_ENABLED=false", "NSM_PPROF_LISTEN_ON=localhost:6060"}
	level := []string{"NSM_LOG_LEVEL=INFO"}
	in := telling(t, "v1.18.0", nsmv1beta1.RegistryTypeK8s, false)
	for workload, want := range map[string][]string{
		"nsmgr": pprof, "nsm-registry": pprof, "forwarder-vpp": pprof,
		"forwarder-ovs": level, "forwarder-sriov": level, "nsmgr-proxy": level, "registry-proxy": level,
		"admission-webhook-k8s": nil, "cluster-info": nil,
	} {
		container := workload
		if workload == "nsm-registry" || workload == "registry-proxy" {
			container = "registry"
		}
		if diff := cmp.Diff(want, told(t, in, workload, container)); diff != "" {
			t.Errorf("%s: its variables differ (-want +got):\n%s", workload, diff)
		}
	}
	memory := told(t, telling(t, "v1.18.0", nsmv1beta1.RegistryTypeMemory, false), "nsm-registry", "registry")
	if diff := cmp.Diff(level, memory); diff != "" {
		t.Errorf("a memory registry: its variables differ (-want +got):\n%s", diff)
	}
	if got := told(t, in, "nsmgr-proxy", "map-ip-k8s"); got != nil {
		t.Errorf("map-ip has %v", got)
	}
}
