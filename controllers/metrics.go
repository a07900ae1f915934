// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/cert"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// meshCollector tells Prometheus about the meshes, out of the cache, in the moment in
// which it asks. So nothing outlives its NSM, and nothing is kept beside it.
type meshCollector struct {
	// begun is the context of the process: it leads.
	begun context.Context //nolint:containedctx // Collect takes none
	r     *NSMReconciler
}

// Describe implements prometheus.Collector.
func (c meshCollector) Describe(all chan<- *prometheus.Desc) {
	for _, one := range metrics.Descriptions() {
		all <- one
	}
}

// Collect implements prometheus.Collector.
func (c meshCollector) Collect(all chan<- prometheus.Metric) {
	nsms, err := c.r.nsms.all(c.begun)
	if err != nil {
		// The cache is not filled yet: nothing is known.
		return
	}
	for nsm := range nsms {
		if !c.r.watches(nsm.Namespace) {
			continue
		}
		known := metrics.Mesh{NSM: nsm, Observed: c.r.memories.measured(nsm)}
		for _, sample := range known.Samples() {
			all <- sample
		}
	}
}

// serveMetrics has Prometheus ask about the meshes as long as this replica leads.
func (r *NSMReconciler) serveMetrics(ctx context.Context) error {
	collector := meshCollector{ctx, r}
	if err := r.Metrics.Register(collector); err != nil {
		return err
	}
	<-ctx.Done()
	r.Metrics.Unregister(collector)
	return nil
}

// measure keeps what a pass saw and the status does not tell.
func (r *NSMReconciler) measure(nsm *nsmv1beta1.NSM, seen *observation) {
	if seen == nil {
		return
	}
	measured := metrics.Observed{Contested: len(seen.Contested), Unregistered: seen.Unregistered()}
	if chain, err := cert.ParseCertsPEM(seen.webhookCertificate); err == nil {
		measured.CertificateEnds = chain[0].NotAfter
	}
	if running := seen.Running(); running != nil {
		measured.Stage, measured.StageBegan = running.Role, mesh.WrittenAt(running.Live)
	}
	r.memories.of(nsm).measured.Store(&measured)
}
