// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// openTelemetryEnv turns OpenTelemetry on and says where to, under the names
// that the release reads (sdk, pkg/tools/opentelemetry; nothing when off).
func (in Input) openTelemetryEnv(facts release.Facts, prefix string) []corev1.EnvVar {
	telemetry := ptr.Deref(in.NSM.Spec.Telemetry, nsmv1beta1.TelemetrySpec{})
	if telemetry.OpenTelemetry == nil {
		return nil
	}
	env := []corev1.EnvVar{{Name: "TELEMETRY", Value: "true"}}
	if endpoint := telemetry.OpenTelemetry.Endpoint; endpoint != "" {
		env = append(env, corev1.EnvVar{Name: prefix + facts.OpenTelemetryEndpointEnv, Value: endpoint})
	}
	if interval := telemetry.OpenTelemetry.ExportInterval; interval != nil && facts.MetricsExportInterval {
		env = append(env, corev1.EnvVar{Name: prefix + "METRICS_EXPORT_INTERVAL", Value: interval.Duration.String()})
	}
	return env
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

// prometheusEnv turns the vpp forwarder's metrics on (sdk, pkg/tools/prometheus;
// nothing when off).
func (in Input) prometheusEnv(facts release.Facts) []corev1.EnvVar {
	prometheus := ptr.Deref(ptr.Deref(in.NSM.Spec.Telemetry, nsmv1beta1.TelemetrySpec{}).Prometheus, nsmv1beta1.PrometheusSpec{})
	if !facts.Prometheus || !ptr.Deref(prometheus.Enabled, false) {
		return nil
	}
	env := []corev1.EnvVar{{Name: "PROMETHEUS", Value: "true"}}
	if prometheus.Port != nil {
		env = append(env, corev1.EnvVar{Name: "NSM_PROMETHEUS_LISTEN_ON", Value: ":" + strconv.Itoa(int(*prometheus.Port))})
	}
	return env
}
