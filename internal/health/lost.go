// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// mostLost is how many nodes that are down a message names.
const mostLost = 20

// Lost is what is known of a workload's pods on nodes that are down, and so of those
// on the others. A DaemonSet's own counts leave such a node out, by the taints that
// Kubernetes gives it, unless its pods tolerate them. They are left out here as well.
type Lost struct {
	// Nodes that are down and have a pod of the workload, in order, and Why.
	Nodes []string
	Why   string
	// Counted are those of them that the DaemonSet counts among the nodes that should
	// run a pod.
	Counted []string
	// Others counts the pods on the other nodes: all of them, those of the current
	// definition, and those of these that are ready.
	Others Pods
	// of is the state of the workload that this was found out of.
	of string
}

// Has reports whether a node is one of those that are down.
func (l *Lost) Has(node string) bool { return l != nil && slices.Contains(l.Nodes, node) }

// String names the nodes, and tells what is wrong with them.
func (l *Lost) String() string {
	if len(l.Nodes) == 1 {
		return "node " + l.Nodes[0] + " is down (" + l.Why + ")"
	}
	names := strings.Join(l.Nodes[:min(len(l.Nodes), mostLost)], ", ")
	if more := len(l.Nodes) - mostLost; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return "nodes " + names + " are down (" + l.Why + ")"
}

// state tells one state of the live workload and its pods from the next.
func (w *Workload) state() string {
	pods, isChanging := podsOf(w.Live)
	return fmt.Sprintf("%s %v %t", w.Definition(), pods, isChanging)
}

// Recall takes what was found out about nodes that are down for true if nothing has
// changed since.
func (w *Workload) Recall(lost *Lost) {
	if lost != nil && lost.of == w.state() {
		w.Lost = lost
	}
}

// IsWhole reports whether the workload is ready without a node being left out.
func (w *Workload) IsWhole() bool {
	whole := *w
	whole.Lost = nil
	return whole.IsReady()
}

// Suspects are the nodes of those of the workload's pods that are not ready or do not
// end: they may be down.
func Suspects(pods []corev1.Pod) []string {
	var nodes []string
	for i := range pods {
		if pod := &pods[i]; pod.Spec.NodeName != "" && (!IsReady(pod) || pod.DeletionTimestamp != nil) {
			nodes = append(nodes, pod.Spec.NodeName)
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// FindLost tells which of the nodes that were looked at are down, and how the pods on
// the others are; nil for no such node.
func (w *Workload) FindLost(pods []corev1.Pod, nodes map[string]*corev1.Node) *Lost {
	lost := &Lost{of: w.state()}
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		if why := whyDown(nodes[name]); why != "" {
			lost.Nodes = append(lost.Nodes, name)
			lost.Why = cmp.Or(lost.Why, why)
		}
	}
	if len(lost.Nodes) == 0 {
		return nil
	}
	_, isDaemonSet := w.Live.(*appsv1.DaemonSet)
	for i := range pods {
		pod := &pods[i]
		node := pod.Spec.NodeName
		switch {
		case slices.Contains(lost.Nodes, node):
			if isDaemonSet && toleratesAll(pod.Spec.Tolerations, nodes[node].Spec.Taints) && !slices.Contains(lost.Counted, node) {
				lost.Counted = append(lost.Counted, node)
			}
		case node != "" && pod.DeletionTimestamp == nil:
			lost.Others.Desired++
			if w.isCurrent(pod) {
				lost.Others.Updated++
				if IsReady(pod) {
					lost.Others.Ready++
				}
			}
		}
	}
	return lost
}

// isCurrent reports whether a pod is of the live workload's definition.
func (w *Workload) isCurrent(pod *corev1.Pod) bool {
	return len(w.Current([]corev1.Pod{*pod})) == 1
}

// whyDown tells why a node is down; "" where it is not.
func whyDown(node *corev1.Node) string {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			if condition.Status == corev1.ConditionTrue {
				return ""
			}
			return cmp.Or(inBrief(condition.Message), "it is not ready")
		}
	}
	return "it is not ready"
}

// counts are those of the live workload's pods, and whether it is rolling out, without
// nodes that are down.
func (w *Workload) counts() (pods Pods, isChanging bool) {
	pods, isChanging = podsOf(w.Live)
	daemonSet, isDaemonSet := w.Live.(*appsv1.DaemonSet)
	if w.Lost == nil || len(w.Lost.Counted) == 0 || !isDaemonSet {
		return pods, isChanging
	}
	others := w.Lost.Others
	return Pods{pods.Desired - count(w.Lost.Counted), others.Updated, others.Ready},
		daemonSet.Status.ObservedGeneration < daemonSet.Generation || others.Updated < others.Desired
}

func count(nodes []string) int32 {
	return int32(len(nodes)) //nolint:gosec // a cluster has no more
}

// stuck tells what follows from nodes that are down for a workload that rolls out; "" for
// nothing.
func (w *Workload) stuck() string {
	if _, isDaemonSet := w.Live.(*appsv1.DaemonSet); w.Lost == nil || !isDaemonSet || w.NodeByNode || !w.IsChanging() {
		return ""
	}
	return "; its pods there count as unavailable, and a rolling update replaces no more pods than maxUnavailable says: " +
		"delete the Node if it does not come back, or raise spec.upgrade.maxUnavailable"
}

// lostMessage names the nodes of the mesh that are down and count no more; "" for none.
func (m *Mesh) lostMessage() string {
	var messages []string
	for i := range m.Workloads {
		if lost := m.Workloads[i].Lost; lost != nil && !slices.Contains(messages, lost.String()) {
			messages = append(messages, lost.String())
		}
	}
	if len(messages) == 0 {
		return ""
	}
	return "; " + strings.Join(messages, ", ") + " and not counted"
}
