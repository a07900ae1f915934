// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// ofDaemonSets are the tolerations that the DaemonSet controller gives the pods of every
// DaemonSet, beside their own (pkg/controller/daemon/util of Kubernetes).
var ofDaemonSets = []corev1.Toleration{
	{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeDiskPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeMemoryPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodePIDPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
}

// ofHostNetwork is the toleration that it gives those on the network of their node as well.
var ofHostNetwork = corev1.Toleration{
	Key: corev1.TaintNodeNetworkUnavailable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule,
}

// RunsOn reports whether a DaemonSet with pods like that gets one on a node, as its controller
// decides: by labels, affinity and taints.
func RunsOn(pod *corev1.PodSpec, node *corev1.Node) bool {
	tolerations := slices.Concat(pod.Tolerations, ofDaemonSets)
	if pod.HostNetwork {
		tolerations = append(tolerations, ofHostNetwork)
	}
	isWanted, err := nodeaffinity.NewRequiredNodeAffinity(pod.NodeSelector, pod.Affinity).Match(node)
	return err == nil && isWanted && toleratesAll(tolerations, node.Spec.Taints)
}

// ToleratesNode reports whether a pod tolerates what somebody has tainted a node with. The
// taints that Kubernetes gives a node by its state, such as one that is not ready, come and
// go, and do not count.
func ToleratesNode(pod *corev1.PodSpec, node *corev1.Node) bool {
	lasting := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint corev1.Taint) bool {
		return strings.HasPrefix(taint.Key, "node.kubernetes.io/")
	})
	return toleratesAll(pod.Tolerations, lasting)
}

// toleratesAll reports whether all taints that keep pods away are tolerated. The DaemonSet
// controller counts by the same rule.
func toleratesAll(tolerations []corev1.Toleration, taints []corev1.Taint) bool {
	return !slices.ContainsFunc(taints, func(taint corev1.Taint) bool {
		return taint.Effect != corev1.TaintEffectPreferNoSchedule &&
			!slices.ContainsFunc(tolerations, func(toleration corev1.Toleration) bool {
				return toleration.ToleratesTaint(logr.Discard(), &taint, false)
			})
	})
}
