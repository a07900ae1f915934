// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Collectors are the Services that the mesh's programs send telemetry to, as
// namespace/name, as far as the addresses are those of Services.
func (m *Mesh) Collectors() []string {
	var services []string
	for _, component := range m.Components {
		for _, address := range mesh.CollectorsOf(&mesh.PodTemplateOf(component.Workload).Spec) {
			if service := serviceOf(address, component.Workload.GetNamespace()); service != "" {
				services = append(services, service)
			}
		}
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// serviceOf an address, as pods of a namespace look it up; "" for that of none.
func serviceOf(address, namespace string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return ""
	}
	parts := strings.Split(host, ".")
	switch {
	case len(parts) == 1:
		return namespace + "/" + parts[0]
	case len(parts) == 2 || parts[2] == "svc":
		return parts[1] + "/" + parts[0]
	default:
		return ""
	}
}

func collectors(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, service := range m.Collectors() {
			isAsked = true
			if !isReady(f.Collectors[service]) {
				found = append(found, failed("mesh %s: Service %s, to which telemetry goes, has no endpoint that is ready", m.name(), service))
			}
		}
		found = append(found, f.cutOff(m)...)
	}
	if !isAsked {
		return skipped("no mesh sends telemetry to a Service")
	}
	return found
}

// isReady reports whether a Service has an endpoint that is.
func isReady(endpoints []discoveryv1.EndpointSlice) bool {
	return slices.ContainsFunc(endpoints, func(slice discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(slice.Endpoints, func(endpoint discoveryv1.Endpoint) bool {
			return ptr.Deref(endpoint.Conditions.Ready, true) && len(endpoint.Addresses) > 0
		})
	})
}

// cutOff finds workloads whose NetworkPolicy keeps them from their collector: it lets them to
// the port of the address anywhere, and behind the address of a Service to the pods of its
// namespace, but not to another port of a node.
func (f *Facts) cutOff(m *Mesh) []finding {
	var found []finding
	for _, component := range m.Components {
		if !isLimited(component) {
			continue
		}
		for _, address := range mesh.CollectorsOf(&mesh.PodTemplateOf(component.Workload).Spec) {
			service := serviceOf(address, component.Workload.GetNamespace())
			if port := f.portBehind(service, address); port != 0 {
				found = append(found, warning("mesh %s: spec.networkPolicy keeps %s %s from Service %s, to which its telemetry goes: it leads to port %d of what is no pod of its namespace, or is on the network of its node; give the Service that port, and write it into the address, or set networkPolicy to None",
					m.name(), mesh.KindOf(component.Workload), component.Workload.GetName(), service, port))
			}
		}
	}
	return found
}

// isLimited reports whether a NetworkPolicy limits whom the pods of a component call.
func isLimited(component mesh.Component) bool {
	return slices.ContainsFunc(component.Others, func(object mesh.Object) bool {
		policy, isPolicy := object.(*networkingv1.NetworkPolicy)
		return isPolicy && !slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
			return len(rule.To) == 0 && len(rule.Ports) == 0
		})
	})
}

// portBehind a Service is one that differs from that of its address, and that is not a pod's
// own; 0 for none.
func (f *Facts) portBehind(service, address string) int32 {
	_, wanted, _ := net.SplitHostPort(address)
	for _, slice := range f.Collectors[service] {
		isSame := slices.ContainsFunc(slice.Ports, func(port discoveryv1.EndpointPort) bool {
			return strconv.Itoa(int(ptr.Deref(port.Port, 0))) == wanted
		})
		if len(slice.Ports) > 0 && !isSame && slices.ContainsFunc(slice.Endpoints, f.isBesidePods) {
			return ptr.Deref(slice.Ports[0].Port, 0)
		}
	}
	return 0
}

// isBesidePods tells of an endpoint that is on the network of a node, or outside of the
// cluster: no policy can select it.
func (f *Facts) isBesidePods(endpoint discoveryv1.Endpoint) bool {
	isAt := func(address string) bool { return slices.Contains(endpoint.Addresses, address) }
	if slices.ContainsFunc(f.Nodes, func(node corev1.Node) bool {
		return slices.ContainsFunc(node.Status.Addresses, func(address corev1.NodeAddress) bool { return isAt(address.Address) })
	}) {
		return true
	}
	i := slices.IndexFunc(f.Pods, func(pod corev1.Pod) bool { return isAt(pod.Status.PodIP) })
	if i >= 0 {
		return f.Pods[i].Spec.HostNetwork
	}
	return f.Unseen[PartPods] == "" && endpoint.TargetRef == nil
}

// prometheusPorts finds what else has the port of a node on which a forwarder serves
// Prometheus: another forwarder of the mesh, or a pod of somebody else. The forwarder goes on
// without its metrics.
func (f *Facts) prometheusPorts(m *Mesh) []finding {
	var found []finding
	var serving []mesh.Component
	for _, component := range m.Components {
		pod := &mesh.PodTemplateOf(component.Workload).Spec
		port := mesh.PrometheusPort(pod)
		if component.Role != mesh.RoleForwarder || port == "" {
			continue
		}
		for _, other := range serving {
			if mesh.PrometheusPort(&mesh.PodTemplateOf(other.Workload).Spec) == port && f.meet(other, component) {
				found = append(found, warning("mesh %s: forwarders %s and %s serve Prometheus on the same port of their nodes, %s: where both run, one tells nothing",
					m.name(), other.Workload.GetName(), component.Workload.GetName(), port))
			}
		}
		serving = append(serving, component)
		for i := range f.Pods {
			pod := &f.Pods[i]
			if !m.owns(pod) && slices.Contains(portsTaken(pod), port) && f.isWhere(component, pod.Spec.NodeName) {
				found = append(found, warning("mesh %s: forwarder %s serves Prometheus on port %s of its nodes, and pod %s/%s has it on node %s: one of the two goes without",
					m.name(), component.Workload.GetName(), port, pod.Namespace, pod.Name, pod.Spec.NodeName))
			}
		}
	}
	return found
}

// meet reports whether two DaemonSets have a node in common. Where nodes cannot be seen, what
// they select says whether they could have one.
func (f *Facts) meet(one, other mesh.Component) bool {
	if len(f.Nodes) > 0 {
		return slices.ContainsFunc(f.Nodes, func(node corev1.Node) bool { return runsOn(one, &node) && runsOn(other, &node) })
	}
	selector := mesh.PodTemplateOf(other.Workload).Spec.NodeSelector
	for label, value := range mesh.PodTemplateOf(one.Workload).Spec.NodeSelector {
		if wants, isWanted := selector[label]; isWanted && wants != value {
			return false
		}
	}
	return true
}

// isWhere reports whether a node is one that a DaemonSet runs on; one that cannot be seen is
// taken to be.
func (f *Facts) isWhere(component mesh.Component, name string) bool {
	i := slices.IndexFunc(f.Nodes, func(node corev1.Node) bool { return node.Name == name })
	return name != "" && (i < 0 || runsOn(component, &f.Nodes[i]))
}

// portsTaken are the TCP ports of its node that a pod has, and that on which it serves
// Prometheus if it is a forwarder, which declares none.
func portsTaken(pod *corev1.Pod) []string {
	var ports []string
	for _, port := range hostPortsOf(&pod.Spec) {
		if port.protocol == corev1.ProtocolTCP {
			ports = append(ports, strconv.Itoa(int(port.port)))
		}
	}
	if port := mesh.PrometheusPort(&pod.Spec); port != "" && pod.Labels[mesh.LabelComponent] == string(mesh.RoleForwarder) {
		ports = append(ports, port)
	}
	return ports
}
