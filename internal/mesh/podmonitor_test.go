// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestPodMonitorsAreOfForwardersThatServeMetrics(t *testing.T) {
	served := mesh.Platform{PodMonitors: true}
	asked := nsmv1beta1.PrometheusSpec{Enabled: ptr.To(true), PodMonitor: ptr.To(true)}
	for name, tc := range map[string]struct {
		version    string
		platform   mesh.Platform
		prometheus nsmv1beta1.PrometheusSpec
		env        []corev1.EnvVar
		want       []string
	}{
		"as NSM has it":               {"v1.18.0", served, asked, nil, []string{"vpp $1:8081", "second $1:8081"}},
		"at another port":             {"v1.18.0", served, nsmv1beta1.PrometheusSpec{Enabled: ptr.To(true), PodMonitor: ptr.To(true), Port: ptr.To[int32](9100)}, nil, []string{"vpp $1:9100", "second $1:9100"}},
		"at a port of its own":        {"v1.18.0", served, asked, []corev1.EnvVar{{Name: "NSM_PROMETHEUS_LISTEN_ON", Value: "0.0.0.0:9200"}}, []string{"vpp $1:8081", "second $1:9200"}},
		"one that serves none":        {"v1.18.0", served, asked, []corev1.EnvVar{{Name: "PROMETHEUS", Value: "false"}}, []string{"vpp $1:8081"}},
		"without anybody asking":      {"v1.18.0", served, nsmv1beta1.PrometheusSpec{Enabled: ptr.To(true)}, nil, nil},
		"of metrics that are off":     {"v1.18.0", served, nsmv1beta1.PrometheusSpec{PodMonitor: ptr.To(true)}, nil, nil},
		"of a release without any":    {"v1.13.0", served, asked, nil, nil},
		"where there is no such kind": {"v1.18.0", mesh.Platform{}, asked, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			second := nsmv1beta1.ForwarderSpec{Name: "second", Type: nsmv1beta1.ForwarderTypeVPP}
			second.Env = tc.env
			in := testInput(t, nsmv1beta1.NSMSpec{
				Version:    tc.version,
				Forwarders: []nsmv1beta1.ForwarderSpec{{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP}, {Name: "ovs", Type: nsmv1beta1.ForwarderTypeOVS}, second},
				Telemetry:  &nsmv1beta1.TelemetrySpec{Prometheus: &tc.prometheus},
			}, tc.platform)
			var got []string
			for _, object := range mesh.PodMonitors(in, mesh.Components(in)) {
				got = append(got, object.GetName()+" "+scraped(object))
			}
			NewWithT(t).Expect(got).To(Equal(tc.want))
		})
	}
}

// scraped is the first address that a PodMonitor puts together.
func scraped(object mesh.Object) string {
	monitor, isMonitor := object.(*unstructured.Unstructured)
	if !isMonitor {
		return ""
	}
	endpoints, _, _ := unstructured.NestedSlice(monitor.Object, "spec", "podMetricsEndpoints")
	endpoint, _ := endpoints[0].(map[string]any)
	rules, _, _ := unstructured.NestedSlice(endpoint, "relabelings")
	rule, _ := rules[0].(map[string]any)
	address, _ := rule["replacement"].(string)
	return address
}
