// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// The labels of a namespace by which its pods are let in.
const (
	// LabelEnforce is the level of the Pod Security Standards that pods must meet
	// (k8s.io/pod-security-admission, api/constants.go, like the next two).
	LabelEnforce = "pod-security.kubernetes.io/enforce"
	// labelAudit is the level for the audit log.
	labelAudit = "pod-security.kubernetes.io/audit"
	// labelWarn is the level for warnings to whoever writes a workload.
	labelWarn = "pod-security.kubernetes.io/warn"
	// labelSync has OpenShift derive the three from the SCCs that the namespace's
	// ServiceAccounts may use; "false" keeps it from that (OpenShift's
	// documentation, "Understanding and managing pod security admission").
	labelSync = "security.openshift.io/scc.podSecurityLabelSync"

	// levelPrivileged lets in all pods.
	levelPrivileged = "privileged"
)

// levels that refuse privileged pods, which forwarders are.
var levels = []string{"baseline", "restricted"}

// AdmissionLabels are the labels that the namespace of a mesh needs so that its
// pods are let in, and nobody is warned of them.
func AdmissionLabels(platform Platform) map[string]string {
	labels := map[string]string{LabelEnforce: levelPrivileged, labelAudit: levelPrivileged, labelWarn: levelPrivileged}
	if platform.OpenShift {
		labels[labelSync] = "false"
	}
	return labels
}

// DecisiveLabels are those of AdmissionLabels without which pods are refused.
func DecisiveLabels(platform Platform) map[string]string {
	labels := AdmissionLabels(platform)
	delete(labels, labelAudit)
	delete(labels, labelWarn)
	return labels
}

// OfAdmission picks from a namespace's labels those that AdmissionLabels may
// name, whatever the platform.
func OfAdmission(labels map[string]string) map[string]string {
	some := map[string]string{}
	for _, key := range []string{LabelEnforce, labelAudit, labelWarn, labelSync} {
		if value, isThere := labels[key]; isThere {
			some[key] = value
		}
	}
	return some
}

// RefusesForwarders reports whether a namespace with the labels lets no forwarders
// in. Where it has no level the cluster's default counts, which nobody but its
// admin knows.
func RefusesForwarders(labels map[string]string) bool {
	return slices.Contains(levels, labels[LabelEnforce])
}

// UsesNodes reports whether pods of components use their node in a way that only the
// level privileged lets in. A registry alone with SPIRE's CSI driver does not.
func UsesNodes(components []Component) bool {
	return slices.ContainsFunc(components, func(component Component) bool {
		pod := PodTemplateOf(component.Workload).Spec
		return pod.HostNetwork || pod.HostPID || usesHostPaths(pod) || slices.ContainsFunc(pod.Containers, func(container corev1.Container) bool {
			return ptr.Deref(ptr.Deref(container.SecurityContext, corev1.SecurityContext{}).Privileged, false)
		})
	})
}
