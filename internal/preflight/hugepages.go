// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// hugePages compares the huge pages of the nodes with those that forwarders of type vpp
// want. VPP takes huge pages wherever a node has them. The kernel kills it with SIGBUS where
// its pod may not use them.
func hugePages(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, forwarder := range mesh.Forwarders(&m.Input.NSM.Spec) {
			component := m.componentOf(&forwarder)
			if component == nil {
				continue
			}
			wanted := hugePagesOf(component.Workload)
			if forwarder.Type != nsmv1beta1.ForwarderTypeVPP && len(wanted) == 0 {
				continue
			}
			isAsked = true
			for j := range f.Nodes {
				if node := &f.Nodes[j]; runsOn(*component, node) {
					found = append(found, m.hugePagesOn(node, &forwarder, wanted)...)
				}
			}
		}
	}
	if !isAsked {
		return skipped("no forwarder is of type vpp")
	}
	return found
}

func nameOf(forwarder *nsmv1beta1.ForwarderSpec) string {
	return cmp.Or(forwarder.Name, nsmv1beta1.DefaultForwarderName(forwarder.Type))
}

// hugePagesOn a node: what is wrong with them for a forwarder.
func (m *Mesh) hugePagesOn(node *corev1.Node, forwarder *nsmv1beta1.ForwarderSpec, wanted corev1.ResourceList) []finding {
	has := hugePagesIn(node.Status.Allocatable)
	var found []finding
	for _, size := range slices.Sorted(maps.Keys(wanted)) {
		want, can := wanted[size], has[size]
		if can.Cmp(want) < 0 {
			found = append(found, failed("mesh %s: forwarder %s requests %s of %s, and node %s has %s", m.name(), nameOf(forwarder), want.String(), size, node.Name, can.String()))
		}
	}
	switch usesXDP := forwarder.VPP != nil && forwarder.VPP.Init == "AF_XDP"; {
	case forwarder.Type != nsmv1beta1.ForwarderTypeVPP || len(wanted) > 0:
	case len(has) > 0:
		found = append(found, warning("mesh %s: node %s has %s, which VPP takes, and resources.limits of forwarder %s has none: VPP may end with SIGBUS",
			m.name(), node.Name, strings.Join(sizesOf(has), ", "), nameOf(forwarder)))
	case usesXDP:
		found = append(found, warning("mesh %s: node %s has no huge pages, which VPP with AF_XDP wants for its buffers", m.name(), node.Name))
	}
	return found
}

// componentOf a forwarder; nil for none.
func (m *Mesh) componentOf(forwarder *nsmv1beta1.ForwarderSpec) *mesh.Component {
	for i := range m.Components {
		if component := &m.Components[i]; component.Role == mesh.RoleForwarder && component.Workload.GetName() == nameOf(forwarder) {
			return component
		}
	}
	return nil
}

// hugePagesOf a workload are those that its pods request; of huge pages requests and
// limits are the same.
func hugePagesOf(workload mesh.Object) corev1.ResourceList {
	pod := &corev1.Pod{Spec: mesh.PodTemplateOf(workload).Spec}
	return hugePagesIn(resourcehelper.PodLimits(pod, resourcehelper.PodResourcesOptions{}))
}

// hugePagesIn a list: those of which there are any.
func hugePagesIn(list corev1.ResourceList) corev1.ResourceList {
	pages := corev1.ResourceList{}
	for name, quantity := range list {
		if strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) && !quantity.IsZero() {
			pages[name] = quantity
		}
	}
	return pages
}

func sizesOf(pages corev1.ResourceList) []string {
	var sizes []string
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		sizes = append(sizes, string(name))
	}
	return sizes
}
