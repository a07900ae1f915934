// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	// descriptionAnnotation is Kubernetes' own, for people.
	descriptionAnnotation = "kubernetes.io/description"
	// defaultCollector is where NSM's programs send to without another address (sdk,
	// pkg/tools/opentelemetry).
	defaultCollector = "otel-collector.observability.svc.cluster.local:4317"
)

// servers are the ports of a mesh's pods, and who may reach them. The ports are the pods'
// own: a policy is judged after a Service's address has become a pod's. Nodes cannot be
// selected, and neither can what is on their network (kubelets, API servers, what comes
// through a load balancer), so a port that one of these needs is open to all.
var servers = []struct {
	// app is NSM's own label of the pods, and the name of their Service.
	app  string
	port int32
	// from are the pods that may reach it, by the same label: so those of an earlier
	// operator are found, too, while they are replaced. None is for all sources.
	from []string
	// why these may.
	why string
}{
	{"registry", registryPort, nil, "endpoints in any namespace, other domains and the kubelet's probe"},
	{NsmgrName, nsmgrPort, []string{NsmgrName, nsmgrProxyName, dashboardName}, "managers, nsmgr-proxy and the dashboard, of this mesh or another one"},
	{nsmgrProxyName, nsmgrProxyPort, nil, "other domains, the registry and the kubelet's probe"},
	{registryProxyName, registryProxyPort, nil, "nsmgr-proxy and the kubelet's probe"},
	{nsmv1beta1.DefaultVL3IPAMName, vl3IPAMPort, nil, "endpoints in any namespace, other domains and the kubelet's probe"},
	{WebhookName, webhookPort, nil, "the API server and the kubelet's probe"},
	{dashboardName, dashboardBackendPort, nil, "browsers, wherever they come in, and the kubelet's probe"},
	{dashboardName, dashboardUIPort, nil, "browsers, wherever they come in, and the kubelet's probe"},
}

// reaching tells, by the name of a workload, why nobody knows before whom its pods call.
var reaching = map[string]string{
	NsmgrName:         "endpoints, wherever they have registered",
	nsmgrProxyName:    "other domains",
	registryProxyName: "the registries of other domains",
}

// rules are those of one NetworkPolicy, each with its reason.
type rules struct {
	ingress []networkingv1.NetworkPolicyIngressRule
	egress  []networkingv1.NetworkPolicyEgressRule
	reasons []string
}

// isolated adds to each component what limits whom its pods talk to, where the NSM asks
// for it. Pods on the network of their node cannot be limited.
func isolated(in Input, components []Component) []Component {
	if in.NSM.Spec.NetworkPolicy != nsmv1beta1.NetworkPolicyManaged {
		return components
	}
	for i := range components {
		if pod := PodTemplateOf(components[i].Workload); !pod.Spec.HostNetwork {
			components[i].Others = append(components[i].Others, networkPolicy(components[i].Workload, pod))
		}
	}
	return components
}

func networkPolicy(workload Object, pod *corev1.PodTemplateSpec) *networkingv1.NetworkPolicy {
	var r rules
	r.allowServers(pod.Spec)
	r.allowProfiles(pod.Spec)
	r.allowCalls(workload.GetName(), pod)
	if len(r.reasons) == 0 {
		r.reasons = []string{"No traffic: it talks through sockets of its node alone."}
	}
	labels := workload.GetLabels()
	return &networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: workload.GetNamespace(), Name: workload.GetName(), Labels: maps.Clone(labels),
			Annotations:     mergeMaps(workload.GetAnnotations(), map[string]string{descriptionAnnotation: strings.Join(r.reasons, " ")}),
			OwnerReferences: slices.Clone(workload.GetOwnerReferences()),
		},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{LabelName: labels[LabelName], LabelComponent: labels[LabelComponent]}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     r.ingress,
			Egress:      r.egress,
		},
	}
}

// allowServers opens the ports that the pod's containers listen on.
func (r *rules) allowServers(pod corev1.PodSpec) {
	for _, server := range servers {
		if !slices.ContainsFunc(pod.Containers, func(container corev1.Container) bool {
			return slices.ContainsFunc(container.Ports, func(port corev1.ContainerPort) bool { return port.ContainerPort == server.port })
		}) {
			continue
		}
		var from []networkingv1.NetworkPolicyPeer
		for _, app := range server.from {
			from = append(from, anywhere(app))
		}
		r.allowFrom(server.port, from, server.why)
	}
}

func (r *rules) allowFrom(port int32, from []networkingv1.NetworkPolicyPeer, why string) {
	r.ingress = append(r.ingress, networkingv1.NetworkPolicyIngressRule{From: from, Ports: []networkingv1.NetworkPolicyPort{tcp(port)}})
	r.reasons = append(r.reasons, "From "+why+": port "+strconv.Itoa(int(port))+".")
}

// allowProfiles opens the port of profiles that the NSM has served on more than the
// pod's own address.
func (r *rules) allowProfiles(pod corev1.PodSpec) {
	for _, container := range pod.Containers {
		if on, _ := strconv.ParseBool(envOf(container, "NSM_PPROF_ENABLED")); !on {
			continue
		}
		host, port, err := splitAddress(envOf(container, "NSM_PPROF_LISTEN_ON"))
		if ip, notIP := netip.ParseAddr(host); err == nil && host != "localhost" && (notIP != nil || !ip.IsLoopback()) {
			r.allowFrom(port, nil, "whoever reads profiles")
		}
	}
}

// allowCalls lets the pods of a workload call whom they need. The API server cannot be
// selected: it may be outside of the cluster, and nobody knows the port behind its
// Service.
func (r *rules) allowCalls(name string, pod *corev1.PodTemplateSpec) {
	var open []string
	if ptr.Deref(pod.Spec.AutomountServiceAccountToken, true) {
		open = append(open, "the API server")
	}
	if why := reaching[name]; why != "" {
		open = append(open, why)
	}
	addresses, known := calledBy(pod.Spec)
	if !known {
		open = append(open, "an address that only the pod knows")
	}
	if len(open) > 0 {
		r.egress = append(r.egress, networkingv1.NetworkPolicyEgressRule{})
		r.reasons = append(r.reasons, "To "+strings.Join(open, ", and ")+": all ports.")
		return
	}
	for _, server := range servers {
		if slices.Contains(server.from, pod.Labels[labelApp]) {
			r.allowTo("the pods of "+server.app, []networkingv1.NetworkPolicyPeer{anywhere(server.app)}, tcp(server.port))
		}
	}
	for _, address := range addresses {
		r.allowAddress(address)
	}
	if len(r.egress) > 0 {
		// No peers: a cache of a node is on the node's network. 5353 is the port of
		// OpenShift's pods.
		r.allowTo("DNS", nil, tcp(53), udp(53), tcp(5353), udp(5353))
	}
}

func (r *rules) allowTo(what string, to []networkingv1.NetworkPolicyPeer, ports ...networkingv1.NetworkPolicyPort) {
	r.egress = append(r.egress, networkingv1.NetworkPolicyEgressRule{To: to, Ports: ports})
	r.reasons = append(r.reasons, "To "+what+".")
}

// allowAddress opens the way to an address from the pod's environment. The port behind a
// Service of somebody else is not known, so that its namespace is open; what has the
// address itself may be anywhere, with the port as it is given.
func (r *rules) allowAddress(address string) {
	host, port, _ := splitAddress(address)
	for _, server := range servers {
		if server.app == host && server.port == port {
			own := []networkingv1.NetworkPolicyPeer{{PodSelector: byApp(server.app)}}
			r.allowTo("the pods of "+host, own, tcp(port))
			return
		}
	}
	r.allowTo(address, nil, tcp(port))
	if peer := namespaceOf(host); peer != nil {
		r.allowTo("whatever port its Service leads to", []networkingv1.NetworkPolicyPeer{*peer})
	}
}

// calledBy are the addresses in a pod's environment that its programs call; not known
// where a value comes from elsewhere.
func calledBy(pod corev1.PodSpec) (addresses []string, known bool) {
	for _, container := range pod.Containers {
		hasCollector := false
		for _, env := range container.Env {
			isCollector := isCollectorEnv(env.Name)
			if !isCollector && !strings.HasSuffix(env.Name, "REGISTRY_URL") {
				continue
			}
			hasCollector = hasCollector || isCollector
			if env.Value == "" && env.ValueFrom == nil {
				continue
			}
			if _, _, err := splitAddress(env.Value); err != nil {
				return nil, false
			}
			addresses = append(addresses, env.Value)
		}
		if on, _ := strconv.ParseBool(envOf(container, telemetryEnv)); on && !hasCollector {
			addresses = append(addresses, defaultCollector)
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), true
}

// isCollectorEnv tells a variable that names the collector, as the releases call it.
func isCollectorEnv(name string) bool {
	return strings.HasSuffix(name, "OPEN_TELEMETRY_ENDPOINT") || strings.HasSuffix(name, "OPENTELEMETRYENDPOINT")
}

// splitAddress reads "host:port", or "scheme://host:port".
func splitAddress(address string) (host string, port int32, err error) {
	if _, after, hasScheme := strings.Cut(address, "://"); hasScheme {
		address = after
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	number, err := strconv.ParseUint(text, 10, 16)
	return host, int32(number), err
}

// namespaceOf a host are the pods of a namespace, if the host can be the name of a
// Service: name, name.namespace, or name.namespace.svc and what follows; nil for none.
func namespaceOf(host string) *networkingv1.NetworkPolicyPeer {
	labels := strings.Split(host, ".")
	_, err := netip.ParseAddr(host)
	switch {
	case err == nil || len(labels) > 2 && labels[2] != "svc":
		return nil
	case len(labels) == 1:
		return &networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	default:
		return &networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: labels[1]},
		}}
	}
}

func envOf(container corev1.Container, name string) string {
	for _, env := range container.Env {
		if env.Name == name {
			return env.Value
		}
	}
	return ""
}

// anywhere are pods with NSM's own label in all namespaces: a registry of type k8s hands
// out the managers of other meshes, too.
func anywhere(app string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{}, PodSelector: byApp(app)}
}

func byApp(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{labelApp: app}}
}

func tcp(port int32) networkingv1.NetworkPolicyPort { return policyPort(corev1.ProtocolTCP, port) }

func udp(port int32) networkingv1.NetworkPolicyPort { return policyPort(corev1.ProtocolUDP, port) }

func policyPort(protocol corev1.Protocol, port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(port))}
}
