// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"maps"
	"net"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

const (
	listenOnEnv = "NSM_PROMETHEUS_LISTEN_ON"
	// defaultPrometheusPort is the vpp forwarder's own (cmd-forwarder-vpp, internal/config).
	defaultPrometheusPort = "8081"
)

// PodMonitorKind has Prometheus' operator read the metrics of pods.
var PodMonitorKind = schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "PodMonitor"}

// PodMonitors renders one for each forwarder that serves metrics, where they are asked
// for.
func PodMonitors(in Input, components []Component) []Object {
	prometheus := in.prometheus()
	if !in.Platform.PodMonitors || !ptr.Deref(prometheus.Enabled, false) || !ptr.Deref(prometheus.PodMonitor, false) {
		return nil
	}
	var monitors []Object
	for _, component := range components {
		if component.Role != RoleForwarder {
			continue
		}
		if port := PrometheusPort(&PodTemplateOf(component.Workload).Spec); port != "" {
			monitors = append(monitors, in.podMonitor(component.Workload, port))
		}
	}
	return monitors
}

// PrometheusPort is where a forwarder serves metrics, by its variables, over which users
// have the last word; "" for nowhere.
func PrometheusPort(pod *corev1.PodSpec) string {
	env := map[string]string{}
	for i := range pod.Containers {
		for _, variable := range pod.Containers[i].Env {
			env[variable.Name] = variable.Value
		}
	}
	if env["PROMETHEUS"] != "true" {
		return ""
	}
	if _, port, err := net.SplitHostPort(env[listenOnEnv]); err == nil {
		return port
	}
	return defaultPrometheusPort
}

// podMonitor of a forwarder. Its pods declare no port: on the network of the node that
// would be one more thing that can be taken. So the address is put together here.
func (in Input) podMonitor(workload Object, port string) Object {
	relabel := func(source, pattern, target, replacement string) map[string]any {
		rule := map[string]any{"action": "replace", "targetLabel": target, "replacement": replacement}
		if source != "" {
			rule["sourceLabels"] = []any{source}
		}
		if pattern != "" {
			rule["regex"] = pattern
		}
		return rule
	}
	const address = "__meta_kubernetes_pod_ip"
	monitor := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{
			LabelName: workload.GetName(), LabelComponent: string(RoleForwarder), LabelNSM: in.NSM.Name,
		}},
		"podMetricsEndpoints": []any{map[string]any{
			// They change only when a connection is refreshed, every few minutes.
			"interval": "1m",
			"relabelings": []any{
				relabel(address, "", "__address__", "$1:"+port),
				relabel(address, "(.*:.*)", "__address__", "[$1]:"+port),
				relabel("__meta_kubernetes_pod_node_name", "", "node", "$1"),
				relabel("", "", "mesh", in.NSM.Name),
				relabel("", "", "mesh_namespace", in.NSM.Namespace),
			},
		}},
	}}}
	monitor.SetGroupVersionKind(PodMonitorKind)
	monitor.SetNamespace(workload.GetNamespace())
	monitor.SetName(workload.GetName())
	monitor.SetLabels(maps.Clone(workload.GetLabels()))
	monitor.SetOwnerReferences(workload.GetOwnerReferences())
	return monitor
}
