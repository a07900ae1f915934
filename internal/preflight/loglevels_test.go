// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight_test

import (
	"testing"

	. "github.com/onsi/gomega"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// A component's own level counts before that of the mesh.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	level := func(value string) *nsmv1beta1.RegistrySpec {
		return &nsmv1beta1.RegistrySpec{ComponentSpec: withEnv("NSM_LOG_LEVEL", value)}
	}
	for name, test := range map[string]struct {
		spec nsmv1beta1.NSMSpec
		says []string
	}{
		"the default":         {nsmv1beta1.NSMSpec{}, nil},
		"of the mesh":         {nsmv1beta1.NSMSpec{LogLevel: "DEBUG"}, []string{"mesh nsm/mesh: spec.logLevel is DEBUG"}},
		"of a component":      {nsmv1beta1.NSMSpec{Registry: level("debug")}, []string{"mesh nsm/mesh: Deployment nsm-registry: NSM_LOG_LEVEL of container registry is debug"}},
		"of both":             {nsmv1beta1.NSMSpec{LogLevel: "DEBUG", Registry: level("TRACE")}, []string{"mesh nsm/mesh: spec.logLevel is DEBUG", "mesh nsm/mesh: Deployment nsm-registry: NSM_LOG_LEVEL of container registry is TRACE"}},
		"less of a component": {nsmv1beta1.NSMSpec{Registry: level("WARN")}, nil},
		"of injected clients": {
			nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Client: &nsmv1beta1.InjectedClientSpec{Env: []nsmv1beta1.InjectedEnvVar{{Name: "NSM_LOG_LEVEL", Value: "TRACE"}}}}},
			[]string{"mesh nsm/mesh: Deployment admission-webhook-k8s: NSM_LOG_LEVEL of injected clients is TRACE"},
		},
	} {
		g := NewWithT(t)
		facts := good()
		withMesh(facts, test.spec)
		var said []string
		for _, result := range preflight.Run(facts) {
			if result.Code == "NSM015" && result.Outcome == preflight.Warning {
				said = append(said, result.Message)
			}
		}
		g.Expect(said).To(Equal(test.says), name)
	}
}
