// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// room compares what the pods of a mesh request with what nodes have left: on each node
// its DaemonSets have to fit, and somewhere one pod of each Deployment.
func room(f *Facts) []finding {
	var found []finding
	for i := range f.Meshes {
		m := &f.Meshes[i]
		left := map[string]corev1.ResourceList{}
		for j := range f.Nodes {
			node := &f.Nodes[j]
			if !m.selects(node) {
				continue
			}
			here := f.leftOn(node, m)
			if lacking := lackingIn(here); lacking != "" {
				found = append(found, failed("mesh %s: node %s cannot give what pods request there: %s", m.name(), node.Name, lacking))
			} else {
				left[node.Name] = here
			}
		}
		found = append(found, m.homeless(left)...)
	}
	return found
}

// leftOn a node is what it can give, without what pods of others and the DaemonSets of a
// mesh request.
func (f *Facts) leftOn(node *corev1.Node, m *Mesh) corev1.ResourceList {
	left := node.Status.Allocatable.DeepCopy()
	for i := range f.Pods {
		pod := &f.Pods[i]
		isOver := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Spec.NodeName == node.Name && !isOver && !m.owns(pod) {
			take(left, &pod.Spec)
		}
	}
	for _, component := range m.Components {
		if runsOn(component, node) {
			take(left, &mesh.PodTemplateOf(component.Workload).Spec)
		}
	}
	return left
}

// owns reports whether a pod is of the mesh.
func (m *Mesh) owns(pod *corev1.Pod) bool {
	return pod.Labels[mesh.LabelNamespace] == m.Input.NSM.Namespace && pod.Labels[mesh.LabelNSM] == m.Input.NSM.Name
}

// homeless are the Deployments of which no pod fits on any node.
func (m *Mesh) homeless(left map[string]corev1.ResourceList) []finding {
	var found []finding
	for _, component := range m.Components {
		if mesh.KindOf(component.Workload) == "DaemonSet" || len(left) == 0 {
			continue
		}
		spec := &mesh.PodTemplateOf(component.Workload).Spec
		fits := func(here corev1.ResourceList) bool {
			here = here.DeepCopy()
			take(here, spec)
			return lackingIn(here) == ""
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(left)), fits) {
			found = append(found, failed("mesh %s: no node has room for a pod of %s %s", m.name(), mesh.KindOf(component.Workload), component.Workload.GetName()))
		}
	}
	return found
}

// take what a pod requests. What a node does not tell of counts as endless.
func take(left corev1.ResourceList, pod *corev1.PodSpec) {
	requests := resourcehelper.PodRequests(&corev1.Pod{Spec: *pod}, resourcehelper.PodResourcesOptions{})
	requests[corev1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	for name, quantity := range requests {
		if has, isKnown := left[name]; isKnown {
			has.Sub(quantity)
			left[name] = has
		}
	}
}

// lackingIn says of which resources there is less than nothing.
func lackingIn(left corev1.ResourceList) string {
	var lacking []string
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if quantity := left[name]; quantity.Sign() < 0 {
			quantity.Neg()
			lacking = append(lacking, fmt.Sprintf("%s more of %s", quantity.String(), name))
		}
	}
	return strings.Join(lacking, ", ")
}
