// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package metrics holds what the operator measures: the name, meaning and labels of
// each metric, and which samples there are of a mesh. docs/metrics.md is generated
// from it.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Labels of metrics about a mesh. A label "namespace" would be taken for that of the
// operator's own pod, which Prometheus' operator adds.
const (
	labelMesh      = "mesh"
	labelNamespace = "mesh_namespace"
	labelKind      = "kind"
	labelComponent = "component"
	labelStage     = "stage"
)

// Kind says how the value of a metric moves.
type Kind string

// The kinds, as Prometheus has them.
const (
	Gauge   Kind = "gauge"
	Counter Kind = "counter"
	// Histogram counts samples in buckets.
	Histogram Kind = "histogram"
)

// Metric is one thing that is measured.
type Metric struct {
	Name string
	Help string
	Kind Kind
	// Labels beside those that Prometheus adds.
	Labels []string
	// EveryReplica: all replicas have it, not the leading one alone.
	EveryReplica bool

	desc *prometheus.Desc
}

func ofMesh(labels ...string) []string { return append([]string{labelMesh, labelNamespace}, labels...) }

// What is known of a mesh, in the leading replica. There is a constant number of
// series for a mesh, and four or five for each of its components: none for a node or a
// pod. They are gone when the NSM is.
var (
	meshInfo = newMetric("nsm_mesh_info", Gauge, ofMesh("version", "target"),
		"Always 1: the NSM release that the mesh runs, in version, and the one that it shall run, in target.")
	meshCondition = newMetric("nsm_mesh_condition", Gauge, ofMesh("condition", "status", "reason"),
		"Always 1: the conditions of the NSM, as its status has them.")
	podsDesired = newMetric("nsm_mesh_component_pods_desired", Gauge, ofMesh(labelKind, labelComponent),
		"Pods that a component of the mesh should have: for a DaemonSet, the nodes that it runs on.")
	podsUpdated = newMetric("nsm_mesh_component_pods_updated", Gauge, ofMesh(labelKind, labelComponent),
		"Pods of a component that are of its current definition.")
	podsReady = newMetric("nsm_mesh_component_pods_ready", Gauge, ofMesh(labelKind, labelComponent),
		"Pods of a component that are ready. With a registry of type k8s, a pod of a forwarder counts only once the registry has a live entry for it.")
	podsTolerated = newMetric("nsm_mesh_component_pods_tolerated", Gauge, ofMesh(labelKind, labelComponent),
		"Pods of a component that may be missing right now: all until the mesh has been available once; of a DaemonSet, spec.upgrade.maxUnavailable while a change replaces its pods one after the other, until none is left to replace or the change is overdue; else 0.")
	podsUnregistered = newMetric("nsm_mesh_component_pods_unregistered", Gauge, ofMesh(labelComponent),
		"Pods of a forwarder that the kubelet calls ready, and that have no live NetworkServiceEndpoint in the registry: they take no requests.")
	contestedObjects = newMetric("nsm_mesh_contested_objects", Gauge, ofMesh(),
		"Objects of the mesh that somebody else keeps changing, and that the operator puts back with growing pauses.")
	staleClients = newMetric("nsm_mesh_stale_clients", Gauge, ofMesh(),
		"Running pods with another client (cmd-nsc) than the one that the mesh's admission webhook injects now. Absent until they have been counted.")
	certificateEnds = newMetric("nsm_mesh_certificate_not_after_timestamp_seconds", Gauge, ofMesh(),
		"When the certificate of the mesh's admission webhook ends, in seconds since 1970. The operator renews it 90 days before.")
	stageStart = newMetric("nsm_mesh_stage_start_timestamp_seconds", Gauge, ofMesh(labelStage),
		"When the stage of a change of release that runs now has begun, in seconds since 1970, by the role of the workload; image-pull while nodes get the new images. Absent when none runs.")
	repairs = newMetric("nsm_mesh_repairs_total", Counter, ofMesh(labelKind),
		"Objects of the mesh that somebody else changed or deleted, and that the operator put back.")
	stageDuration = newMetric("nsm_upgrade_stage_duration_seconds", Histogram, []string{labelStage},
		"How long the stages of changes of release took, of all meshes, by the role of the workload; image-pull until the nodes had the new images.")
)

// What each replica knows.
var (
	operatorCertificateEnds = everyReplica(newMetric("nsm_operator_certificate_not_after_timestamp_seconds", Gauge, nil,
		"When the certificate of the operator's own webhooks ends, in seconds since 1970. The operator renews it 90 days before."))
	conversions = everyReplica(newMetric("nsm_operator_conversions_total", Counter, []string{"to", "result"},
		"NSMs that the API server had this replica convert, by the version wanted; result is converted or failed."))
	webhooksRepaired = everyReplica(newMetric("nsm_operator_webhooks_repaired_total", Counter, []string{labelKind},
		"How often the operator restored how the API server calls its webhooks, after somebody else had changed it."))
)

// Counters and gauges that are written as things happen.
var (
	// Repairs are by mesh, its namespace, and the kind of the object.
	Repairs = counters(repairs)
	// StageDuration is by the role of the workload.
	StageDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: stageDuration.Name, Help: stageDuration.Help, Buckets: []float64{5, 10, 30, 60, 120, 300, 600, 1800, 3600},
	}, stageDuration.Labels)
	// Conversions are by the version wanted, and what came of it.
	Conversions = counters(conversions)
	// WebhooksRepaired are by the kind of the object that tells the API server.
	WebhooksRepaired = counters(webhooksRepaired)
	// OperatorCertificateEnds is set when the certificate is served.
	OperatorCertificateEnds = prometheus.NewGauge(prometheus.GaugeOpts{Name: operatorCertificateEnds.Name, Help: operatorCertificateEnds.Help})
)

func init() {
	metrics.Registry.MustRegister(Repairs, StageDuration, Conversions, WebhooksRepaired, OperatorCertificateEnds)
}

// What came of a conversion.
const (
	Converted = "converted"
	Failed    = "failed"
)

// all are the metrics in the order in which they are documented.
var all []*Metric

// All are the metrics of the operator's own.
func All() []*Metric { return all }

// OfMesh are the labels of a mesh.
func OfMesh(name, namespace string) prometheus.Labels {
	return prometheus.Labels{labelMesh: name, labelNamespace: namespace}
}

func newMetric(name string, kind Kind, labels []string, help string) *Metric {
	metric := &Metric{Name: name, Help: help, Kind: kind, Labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
	all = append(all, metric)
	return metric
}

func everyReplica(metric *Metric) *Metric {
	metric.EveryReplica = true
	return metric
}

func counters(metric *Metric) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: metric.Name, Help: metric.Help}, metric.Labels)
}
