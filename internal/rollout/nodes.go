// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// NodeByNode is what is seen of a DaemonSet whose pods the operator replaces itself
// (mesh.Component.NodeByNode). It is read from the cluster each time, so a new process
// goes on where the last one stopped.
type NodeByNode struct {
	// Workload with its Revision, and with the nodes that are down as Lost.
	Workload *health.Workload
	// Pods of the workload, or some that only have its labels.
	Pods []corev1.Pod
	// MaxUnavailable is how many nodes may be without a pod that serves.
	MaxUnavailable intstr.IntOrString
	// HasManager reports whether a node's manager is ready in its current definition.
	HasManager func(node string) bool
}

// Turn is what happens next with such a DaemonSet.
type Turn struct {
	// Replace are the pods to delete; the DaemonSet creates their successors.
	Replace []mesh.Object
	// Now are the nodes that are being worked on, those of Replace included.
	Now []string
	// NoManager are nodes whose pod stays, because their manager is not ready.
	NoManager []string
}

// Turn decides which pods are deleted next, by the rules by which Kubernetes rolls a
// DaemonSet, with two more: a pod counts once it is registered, and a node's manager
// comes before its forwarder. Pods that are not ready are replaced without further
// ado: nothing is lost with them. A node that is down is left out; its turn comes when
// it is back.
func (n *NodeByNode) Turn() Turn {
	var turn Turn
	byNode := n.byNode()
	var old []*corev1.Pod
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		pods := byNode[node]
		pod := pods[0]
		switch {
		case len(pods) > 1 || pod.DeletionTimestamp != nil:
			turn.Now = append(turn.Now, node)
		case n.Workload.IsOfRevision(pod):
			if !n.Workload.Serves(pod) {
				turn.Now = append(turn.Now, node)
			}
		case !health.IsReady(pod):
			turn.replace(pod)
		default:
			old = append(old, pod)
		}
	}
	// Where the registry cannot be read, nobody knows whether the last node serves.
	if !n.Workload.KnowsRegistration() {
		return turn
	}
	room := n.room() - len(turn.Now) - n.missing(len(byNode))
	for _, pod := range old {
		switch {
		case room <= 0:
			return turn
		case !n.HasManager(pod.Spec.NodeName):
			turn.NoManager = append(turn.NoManager, pod.Spec.NodeName)
		default:
			turn.replace(pod)
			room--
		}
	}
	return turn
}

// Done is the turn once its pods have been deleted.
func (t Turn) Done() Turn {
	t.Replace = nil
	return t
}

func (t *Turn) replace(pod *corev1.Pod) {
	t.Replace = append(t.Replace, pod)
	t.Now = append(t.Now, pod.Spec.NodeName)
}

// byNode are the DaemonSet's own pods on nodes that are up.
func (n *NodeByNode) byNode() map[string][]*corev1.Pod {
	found := map[string][]*corev1.Pod{}
	for i := range n.Pods {
		pod := &n.Pods[i]
		node := pod.Spec.NodeName
		if node != "" && metav1.IsControlledBy(pod, n.Workload.Live) && !n.Workload.Lost.Has(node) {
			found[node] = append(found[node], pod)
		}
	}
	return found
}

// room is how many nodes may be without a pod that serves, at least one.
func (n *NodeByNode) room() int {
	room, err := intstr.GetScaledValueFromIntOrPercent(&n.MaxUnavailable, int(n.Workload.Pods().Desired), true)
	if err != nil {
		return 1 // the schema refuses such a value
	}
	return max(room, 1)
}

// missing counts the nodes that should have a pod and have none.
func (n *NodeByNode) missing(nodes int) int {
	return max(0, int(n.Workload.Pods().Desired)-nodes)
}

// nodeByNode deletes the pods whose turn it is.
func (in Input) nodeByNode() Plan {
	var plan Plan
	for _, component := range in.Components {
		name := component.Workload.GetName()
		if turn := in.Turns[name]; len(turn.Replace) > 0 {
			plan = append(plan, Wave{
				Name:   fmt.Sprintf("the next nodes of %s %s", mesh.KindOf(component.Workload), name),
				Delete: Deletion{Pods: turn.Replace}, OnFailure: GoOn, AfterSuccess: true,
			})
		}
	}
	return plan
}
