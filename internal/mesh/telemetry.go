// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// telemetryEnv turns OpenTelemetry on.
const telemetryEnv = "TELEMETRY"

// openTelemetryEnv turns OpenTelemetry on and says where to, under the names
// that the release reads (sdk, pkg/tools/opentelemetry; nothing when off).
func (in Input) openTelemetryEnv(facts release.Facts, prefix string) []corev1.EnvVar {
	telemetry := ptr.Deref(in.NSM.Spec.Telemetry, nsmv1beta1.TelemetrySpec{})
	if telemetry.OpenTelemetry == nil || facts.OpenTelemetryEndpointEnv == "" {
		return nil
	}
	env := []corev1.EnvVar{{Name: telemetryEnv, Value: "true"}}
	if endpoint := telemetry.OpenTelemetry.Endpoint; endpoint != "" {
		env = append(env, corev1.EnvVar{Name: prefix + facts.OpenTelemetryEndpointEnv, Value: endpoint})
	}
	if interval := telemetry.OpenTelemetry.ExportInterval; interval != nil && facts.MetricsExportInterval {
		env = append(env, corev1.EnvVar{Name: prefix + "METRICS_EXPORT_INTERVAL", Value: interval.Duration.String()})
	}
	return env
}

// CollectorsOf a pod are the addresses, host:port, that its programs send telemetry to, by
// their variables, over which users have the last word. A value that comes from elsewhere is
// not known, and none of them.
func CollectorsOf(pod *corev1.PodSpec) []string {
	var addresses []string
	for _, container := range pod.Containers {
		if on, _ := strconv.ParseBool(envOf(container, telemetryEnv)); !on {
			continue
		}
		isSaid := false
		for _, env := range container.Env {
			if !isCollectorEnv(env.Name) {
				continue
			}
			isSaid = true
			if env.Value != "" {
				addresses = append(addresses, env.Value)
			}
		}
		if !isSaid {
			addresses = append(addresses, defaultCollector)
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

// clusterInfoTelemetryEnv gives the collector's address under the name that
// cluster-info has always read, too: when its field became one of split words, as
// the others did in v1.13.1, is not known (cmd-cluster-info-k8s: main.go of v1.11.0
// has the one name, README.md of v1.14.0 the other).
func (in Input) clusterInfoTelemetryEnv(facts release.Facts) []corev1.EnvVar {
	env := in.openTelemetryEnv(facts, "NSM_")
	i := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == "NSM_"+facts.OpenTelemetryEndpointEnv })
	if i < 0 {
		return env
	}
	return mergeEnv(env, []corev1.EnvVar{{Name: "NSM_OPENTELEMETRYENDPOINT", Value: env[i].Value}})
}

// pprofEnv is NSM's own pair of variables, where the release reads them.
func (in Input) pprofEnv(facts release.Facts) []corev1.EnvVar {
	if !facts.Pprof {
		return nil
	}
	pprof := ptr.Deref(ptr.Deref(in.NSM.Spec.Telemetry, nsmv1beta1.TelemetrySpec{}).Pprof, nsmv1beta1.PprofSpec{})
	listenOn := pprof.ListenOn
	if listenOn == "" {
		listenOn = "localhost:6060"
	}
	return []corev1.EnvVar{
		{Name: "NSM_PPROF_ENABLED", Value: strconv.FormatBool(ptr.Deref(pprof.Enabled, false))},
		{Name: "NSM_PPROF_LISTEN_ON", Value: listenOn},
	}
}

// pprofEnvOnRequest is the pair for components that read it and whose manifests do
// not have it: where the NSM says something about profiles. The sidecars
// exclude-prefixes and map-ip get none: they share the address of their pods with
// nsmgr and nsmgr-proxy, and one alone can listen on it.
func (in Input) pprofEnvOnRequest(facts release.Facts) []corev1.EnvVar {
	if ptr.Deref(in.NSM.Spec.Telemetry, nsmv1beta1.TelemetrySpec{}).Pprof == nil {
		return nil
	}
	return in.pprofEnv(facts)
}

// prometheus is what the NSM says of the forwarder's metrics.
func (in Input) prometheus() nsmv1beta1.PrometheusSpec {
	return ptr.Deref(ptr.Deref(in.NSM.Spec.Telemetry, nsmv1beta1.TelemetrySpec{}).Prometheus, nsmv1beta1.PrometheusSpec{})
}

// prometheusEnv turns the vpp forwarder's metrics on (sdk, pkg/tools/prometheus;
// nothing when off).
func (in Input) prometheusEnv(facts release.Facts) []corev1.EnvVar {
	prometheus := in.prometheus()
	if !facts.Prometheus || !ptr.Deref(prometheus.Enabled, false) {
		return nil
	}
	env := []corev1.EnvVar{{Name: "PROMETHEUS", Value: "true"}}
	if prometheus.Port != nil {
		env = append(env, corev1.EnvVar{Name: listenOnEnv, Value: ":" + strconv.Itoa(int(*prometheus.Port))})
	}
	return env
}
