// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/prometheus"
)

// Prometheus verifies the certificate of the webhooks, with which the metrics are served.
func TestPrometheusVerifiesTheCertificateOfTheMetrics(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var monitor struct {
		Spec struct {
			Endpoints []struct {
				TLSConfig map[string]any `json:"tlsConfig"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	g.Expect(yaml.Unmarshal(prometheus.ServiceMonitor, &monitor)).To(Succeed())
	names, err := (&Issuer{Namespace: "nsm-operator-system"}).serverNames()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(monitor.Spec.Endpoints).To(HaveLen(1))
	g.Expect(monitor.Spec.Endpoints[0].TLSConfig).To(Equal(map[string]any{
		"ca":         map[string]any{"secret": map[string]any{"name": secretName, "key": caKey}},
		"serverName": names[0],
	}))
}
