// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package metrics

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Mesh is what is known of a mesh at one moment.
type Mesh struct {
	// NSM as the cache has it: its status, and of the spec the version and maxUnavailable.
	NSM *nsmv1beta1.NSM
	// Observed is what the last pass saw beside the status.
	Observed
}

// Observed is what a pass of the loop sees and the status does not tell.
type Observed struct {
	// Contested is the number of objects that somebody else keeps changing.
	Contested int
	// Unregistered is, for each forwarder whose pods register, how many of them are
	// ready and have no live entry in the registry.
	Unregistered map[string]int32
	// CertificateEnds is when the admission webhook's certificate ends; zero for none.
	CertificateEnds time.Time
	// Stage of a change of release that runs, by the role of its workload; "" for none.
	Stage mesh.Role
	// StageBegan is when.
	StageBegan time.Time
}

// Descriptions of all that Samples may return.
func Descriptions() []*prometheus.Desc {
	var all []*prometheus.Desc
	for _, metric := range []*Metric{
		meshInfo, meshCondition, podsDesired, podsUpdated, podsReady, podsTolerated, podsUnregistered, contestedObjects, staleClients, certificateEnds, stageStart,
	} {
		all = append(all, metric.desc)
	}
	return all
}

// Samples of a mesh.
func (m Mesh) Samples() []prometheus.Metric {
	samples := []prometheus.Metric{
		m.sample(meshInfo, 1, m.NSM.Status.Version, cmp.Or(m.NSM.Spec.Version, m.NSM.Status.Version)),
		m.sample(contestedObjects, float64(m.Contested)),
	}
	for i := range m.NSM.Status.Conditions {
		condition := &m.NSM.Status.Conditions[i]
		samples = append(samples, m.sample(meshCondition, 1, condition.Type, string(condition.Status), condition.Reason))
	}
	for i := range m.NSM.Status.Components {
		component := &m.NSM.Status.Components[i]
		for metric, value := range map[*Metric]int32{
			podsDesired: ptr.Deref(component.Desired, 0), podsUpdated: ptr.Deref(component.Updated, 0),
			podsReady: ptr.Deref(component.Ready, 0), podsTolerated: m.tolerated(component),
		} {
			samples = append(samples, m.sample(metric, float64(value), component.Kind, component.Name))
		}
	}
	for forwarder, count := range m.Unregistered {
		samples = append(samples, m.sample(podsUnregistered, float64(count), forwarder))
	}
	if stale := m.NSM.Status.StaleClients; stale != nil {
		samples = append(samples, m.sample(staleClients, float64(*stale)))
	}
	if !m.CertificateEnds.IsZero() {
		samples = append(samples, m.sample(certificateEnds, float64(m.CertificateEnds.Unix())))
	}
	if stage, began := m.stage(); !began.IsZero() {
		samples = append(samples, m.sample(stageStart, float64(began.Unix()), string(stage)))
	}
	return samples
}

// stage that runs and since when; no time for none. The status tells of the images. What
// a pass saw of the workloads is older than the status at times, and then does not count.
func (m Mesh) stage() (mesh.Role, time.Time) {
	progressing := meta.FindStatusCondition(m.NSM.Status.Conditions, nsmv1beta1.ConditionProgressing)
	switch {
	case progressing == nil || progressing.Status != metav1.ConditionTrue:
		return "", time.Time{}
	case progressing.Reason == nsmv1beta1.ReasonPullingImages:
		return mesh.RoleImagePull, progressing.LastTransitionTime.Time
	default:
		return m.Stage, m.StageBegan
	}
}

func (m Mesh) sample(metric *Metric, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(metric.desc, prometheus.GaugeValue, value, append([]string{m.NSM.Name, m.NSM.Namespace}, labels...)...)
}

// tolerated is how many pods of a component may be missing now, without anything being
// wrong.
func (m Mesh) tolerated(component *nsmv1beta1.ComponentStatus) int32 {
	desired := ptr.Deref(component.Desired, 0)
	switch {
	case m.NSM.Status.Version == "":
		// It has never been up.
		return desired
	case !isRollingOut(&m.NSM.Status) || !isReplacingPods(component):
		return 0
	}
	most, err := intstr.GetScaledValueFromIntOrPercent(ptr.To(mesh.MaxUnavailable(&m.NSM.Spec)), int(desired), true)
	if err != nil {
		most = 1
	}
	return int32(min(most, int(desired))) //nolint:gosec // no more than desired, which is one
}

// isRollingOut reports whether pods are being replaced. They are not while a write is tried
// again, an object is deleted or images are pulled, nor once a change is overdue.
func isRollingOut(status *nsmv1beta1.NSMStatus) bool {
	progressing := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionProgressing)
	degraded := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionDegraded)
	isOverdue := degraded != nil && degraded.Status == metav1.ConditionTrue && degraded.Reason == nsmv1beta1.ReasonProgressDeadlineExceeded
	return progressing != nil && progressing.Status == metav1.ConditionTrue && progressing.Reason == nsmv1beta1.ReasonRollingOut && !isOverdue
}

// isReplacingPods reports whether a component has pods left of an older definition. Only
// DaemonSets count: a Deployment of a mesh has few pods, which are replaced in less time
// than any alert waits.
func isReplacingPods(component *nsmv1beta1.ComponentStatus) bool {
	return component.Kind == "DaemonSet" && ptr.Deref(component.Updated, 0) < ptr.Deref(component.Desired, 0)
}
