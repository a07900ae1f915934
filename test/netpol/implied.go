// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package netpol

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

var (
	// Node is a node, and all that is on its network.
	Node = End{Name: "a node"}
	// APIServer may be anywhere, and behind any port.
	APIServer = End{Name: "an API server"}
	// Outside is outside of the cluster.
	Outside = End{Name: "something outside of the cluster"}
	// Stranger is a pod that is nobody's.
	Stranger = End{Name: "a stranger", Namespace: "strangers", Labels: map[string]string{"app": "stranger"}}

	dns          = End{Name: "DNS", Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}}
	openShiftDNS = End{Name: "OpenShift's DNS", Namespace: "openshift-dns", Labels: map[string]string{"dns.operator.openshift.io/daemonset-dns": "default"}}
)

// pod is what a workload makes.
type pod struct {
	End
	spec corev1.PodSpec
}

// Manifests are objects of a cluster.
type Manifests struct {
	Policies []*networkingv1.NetworkPolicy
	pods     []pod
	services []*corev1.Service
	webhooks []admissionregistrationv1.WebhookClientConfig
}

// Read takes from objects what has to do with connections.
func Read(objects []metav1.Object) *Manifests {
	m := &Manifests{}
	for _, object := range objects {
		switch object := object.(type) {
		case *networkingv1.NetworkPolicy:
			m.Policies = append(m.Policies, object)
		case *appsv1.Deployment:
			m.addPod(object, object.Spec.Template)
		case *appsv1.DaemonSet:
			m.addPod(object, object.Spec.Template)
		case *corev1.Service:
			m.services = append(m.services, object)
		case *admissionregistrationv1.MutatingWebhookConfiguration:
			for _, webhook := range object.Webhooks {
				m.webhooks = append(m.webhooks, webhook.ClientConfig)
			}
		case *admissionregistrationv1.ValidatingWebhookConfiguration:
			for _, webhook := range object.Webhooks {
				m.webhooks = append(m.webhooks, webhook.ClientConfig)
			}
		}
	}
	return m
}

func (m *Manifests) addPod(workload metav1.Object, template corev1.PodTemplateSpec) {
	one := pod{End{workload.GetName(), workload.GetNamespace(), template.Labels}, template.Spec}
	if template.Spec.HostNetwork {
		one.Namespace = ""
	}
	m.pods = append(m.pods, one)
}

// Pod that a workload makes.
func (m *Manifests) Pod(workload string) End {
	i := slices.IndexFunc(m.pods, func(p pod) bool { return p.Name == workload })
	if i < 0 {
		panic("no workload " + workload)
	}
	return m.pods[i].End
}

// Has reports whether a workload is among the manifests.
func (m *Manifests) Has(workload string) bool {
	return slices.ContainsFunc(m.pods, func(p pod) bool { return p.Name == workload })
}

// Implied are the connections that must be possible if the manifests make sense: of
// probes, of whoever calls a Service or a webhook, to the addresses in the environment of
// a pod, and to the API server with the token of one.
func (m *Manifests) Implied() []Connection {
	var all []Connection
	for _, p := range m.pods {
		all = append(all, probes(p)...)
		all = append(all, m.calls(p)...)
		if ptr.Deref(p.spec.AutomountServiceAccountToken, true) {
			for _, port := range []int32{443, 6443, 8443} {
				all = append(all, Connection{p.End, APIServer, port, corev1.ProtocolTCP, "it has a token"})
			}
		}
	}
	for _, service := range m.services {
		for _, port := range service.Spec.Ports {
			for _, from := range []End{Stranger, Node, Outside} {
				all = append(all, m.through(from, service, port.Port, "Service "+service.Name)...)
			}
		}
	}
	for _, webhook := range m.webhooks {
		if called := webhook.Service; called != nil {
			service := m.service(called.Name, called.Namespace)
			all = append(all, m.through(APIServer, service, ptr.Deref(called.Port, 443), "webhook "+ptr.Deref(called.Path, ""))...)
		}
	}
	return all
}

// probes are the kubelet's, those that go through the network.
func probes(p pod) []Connection {
	var all []Connection
	for _, container := range p.spec.Containers {
		for _, probe := range []*corev1.Probe{container.ReadinessProbe, container.LivenessProbe, container.StartupProbe} {
			switch {
			case probe == nil || probe.Exec != nil:
			case probe.GRPC != nil:
				all = append(all, Connection{Node, p.End, probe.GRPC.Port, corev1.ProtocolTCP, "a probe"})
			case probe.HTTPGet != nil:
				all = append(all, Connection{Node, p.End, number(container, probe.HTTPGet.Port), corev1.ProtocolTCP, "a probe"})
			case probe.TCPSocket != nil:
				all = append(all, Connection{Node, p.End, number(container, probe.TCPSocket.Port), corev1.ProtocolTCP, "a probe"})
			default:
				panic(fmt.Sprintf("%s: a probe of a kind that is not known here: %+v", p.Name, probe))
			}
		}
	}
	return all
}

// number of a port that may have a name.
func number(container corev1.Container, port intstr.IntOrString) int32 {
	for _, named := range container.Ports {
		if port.Type == intstr.String && named.Name == port.StrVal {
			return named.ContainerPort
		}
	}
	return port.IntVal
}

// through a Service, to the pods behind it.
func (m *Manifests) through(from End, service *corev1.Service, port int32, why string) []Connection {
	var all []Connection
	for _, entry := range service.Spec.Ports {
		if entry.Port != port {
			continue
		}
		for _, p := range m.pods {
			if p.Namespace != service.Namespace || !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(p.Labels)) {
				continue
			}
			target := entry.TargetPort.IntVal
			for _, container := range p.spec.Containers {
				target = max(target, number(container, entry.TargetPort))
			}
			all = append(all, Connection{from, p.End, target, corev1.ProtocolTCP, why})
		}
	}
	return all
}

func (m *Manifests) service(name, namespace string) *corev1.Service {
	i := slices.IndexFunc(m.services, func(s *corev1.Service) bool { return s.Name == name && s.Namespace == namespace })
	if i < 0 {
		return nil
	}
	return m.services[i]
}

// calls are to the addresses in a pod's environment, host:port: a Service that there is,
// or something elsewhere.
func (m *Manifests) calls(p pod) []Connection {
	var all []Connection
	for _, container := range p.spec.Containers {
		for _, env := range container.Env {
			host, text, err := net.SplitHostPort(env.Value[strings.LastIndex(env.Value, "/")+1:])
			port, notPort := strconv.ParseUint(text, 10, 16)
			if err != nil || notPort != nil || host == "" || host == "localhost" || strings.HasSuffix(env.Name, "LISTEN_ON") {
				continue // it is no address of somebody else
			}
			name, rest, _ := strings.Cut(host, ".")
			namespace, _, _ := strings.Cut(rest, ".")
			if service := m.service(name, cmp.Or(namespace, p.Namespace)); service != nil {
				all = append(all, m.through(p.End, service, int32(port), env.Name)...)
			} else if strings.Contains(host, ".") { // else it would be a Service of this namespace
				all = append(all, Connection{p.End, Outside, int32(port), corev1.ProtocolTCP, env.Name})
			}
			if net.ParseIP(host) == nil {
				all = append(all, lookups(p.End)...)
			}
		}
	}
	return all
}

// lookups are those of a name: at the cluster's pods, OpenShift's, or a node's cache.
func lookups(from End) []Connection {
	var all []Connection
	for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
		all = append(all,
			Connection{from, dns, 53, protocol, "it looks a name up"}, Connection{from, Node, 53, protocol, "it looks a name up"},
			Connection{from, openShiftDNS, 5353, protocol, "it looks a name up"})
	}
	return all
}
