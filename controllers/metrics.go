// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// driftRepaired counts the objects that somebody changed or deleted and that
// were brought back.
var driftRepaired = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "nsm_operator_drift_repaired_total",
	Help: "Objects of a mesh that somebody else changed or deleted and that the operator brought back, by kind.",
}, []string{"kind"})

func init() {
	metrics.Registry.MustRegister(driftRepaired)
}
