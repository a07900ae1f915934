// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// withEnv is a component with these variables of its own, a name before each value.
func withEnv(pairs ...string) nsmv1beta1.ComponentSpec {
	var env []corev1.EnvVar
	for i := 0; i < len(pairs); i += 2 {
		env = append(env, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
	}
	return nsmv1beta1.ComponentSpec{ContainerSpec: nsmv1beta1.ContainerSpec{Env: env}}
}

// Programs hang without their collector, whatever its address comes from.
func TestCollectorsAreThoseThatProgramsCall(t *testing.T) {
	t.Parallel()
	to := func(endpoint string) *nsmv1beta1.TelemetrySpec {
		return &nsmv1beta1.TelemetrySpec{OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: endpoint}}
	}
	registry := func(pairs ...string) *nsmv1beta1.RegistrySpec {
		return &nsmv1beta1.RegistrySpec{ComponentSpec: withEnv(pairs...)}
	}
	const usual = "observability/otel-collector"
	for name, test := range map[string]struct {
		spec     nsmv1beta1.NSMSpec
		services []string
	}{
		"no telemetry":                 {nsmv1beta1.NSMSpec{}, nil},
		"NSM's own address":            {nsmv1beta1.NSMSpec{Telemetry: to("")}, []string{usual}},
		"an address of its own":        {nsmv1beta1.NSMSpec{Telemetry: to("collector:4317")}, []string{"nsm/collector"}},
		"an address outside":           {nsmv1beta1.NSMSpec{Telemetry: to("collector.example.com:4317")}, nil},
		"a component's own address":    {nsmv1beta1.NSMSpec{Telemetry: to(""), Registry: registry("NSM_OPEN_TELEMETRY_ENDPOINT", "other.x:4317")}, []string{usual, "x/other"}},
		"a component that has none":    {nsmv1beta1.NSMSpec{Telemetry: to("collector:4317"), Registry: registry("TELEMETRY", "false", "NSM_OPEN_TELEMETRY_ENDPOINT", "other.x:4317")}, []string{"nsm/collector"}},
		"a component that alone has":   {nsmv1beta1.NSMSpec{Registry: registry("TELEMETRY", "true")}, []string{usual}},
		"an address without telemetry": {nsmv1beta1.NSMSpec{Registry: registry("NSM_OPEN_TELEMETRY_ENDPOINT", "other.x:4317")}, nil},
	} {
		g := NewWithT(t)
		facts := good()
		withMesh(facts, test.spec)
		g.Expect(facts.Meshes[0].Collectors()).To(Equal(test.services), name)
		result := resultOf(preflight.Run(facts), "NSM011")
		if test.services == nil {
			g.Expect(result.Outcome).To(Equal(preflight.Skipped), name)
			continue
		}
		g.Expect(result.Outcome).To(Equal(preflight.Failed), name)
		facts.Collectors = map[string][]discoveryv1.EndpointSlice{}
		for _, service := range test.services {
			facts.Collectors[service] = []discoveryv1.EndpointSlice{{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}}}
		}
		g.Expect(resultOf(preflight.Run(facts), "NSM011").Outcome).To(Equal(preflight.OK), name)
	}
}
