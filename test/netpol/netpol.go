// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package netpol judges NetworkPolicies: which connections do manifests imply, and do
// the policies among them let these through? No network is needed for that.
package netpol

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// End is one end of a connection: a pod, by its namespace and labels; or, without a
// namespace, what no selector finds: a node, a pod on the network of its node, an API
// server, or anything outside of the cluster.
type End struct {
	Name, Namespace string
	Labels          map[string]string
}

func (e End) isPod() bool { return e.Namespace != "" }

// Connection to a port of an end: of a pod its own, not a Service's.
type Connection struct {
	From, To End
	Port     int32
	Protocol corev1.Protocol
	// Why it is there.
	Why string
}

func (c Connection) String() string {
	return fmt.Sprintf("%s -> %s, %s port %d: %s", c.From.Name, c.To.Name, c.Protocol, c.Port, c.Why)
}

// Allows reports whether policies let a connection through, as Kubernetes defines it: what
// some policy selects gets only what one of them allows, and both ends must agree.
func Allows(policies []*networkingv1.NetworkPolicy, c Connection) bool {
	return leaves(policies, c) && enters(policies, c)
}

func leaves(policies []*networkingv1.NetworkPolicy, c Connection) bool {
	isLimited := false
	for _, policy := range policies {
		if !limits(policy, networkingv1.PolicyTypeEgress, c.From) {
			continue
		}
		isLimited = true
		for _, rule := range policy.Spec.Egress {
			if matchesPort(rule.Ports, c) && matchesPeer(policy.Namespace, rule.To, c.To) {
				return true
			}
		}
	}
	return !isLimited
}

func enters(policies []*networkingv1.NetworkPolicy, c Connection) bool {
	isLimited := false
	for _, policy := range policies {
		if !limits(policy, networkingv1.PolicyTypeIngress, c.To) {
			continue
		}
		isLimited = true
		for _, rule := range policy.Spec.Ingress {
			if matchesPort(rule.Ports, c) && matchesPeer(policy.Namespace, rule.From, c.From) {
				return true
			}
		}
	}
	return !isLimited
}

func limits(policy *networkingv1.NetworkPolicy, direction networkingv1.PolicyType, end End) bool {
	return end.isPod() && end.Namespace == policy.Namespace && slices.Contains(policy.Spec.PolicyTypes, direction) &&
		selects(&policy.Spec.PodSelector, end.Labels)
}

// matchesPort goes by numbers alone: named ports and ranges are not ours.
func matchesPort(ports []networkingv1.NetworkPolicyPort, c Connection) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(port networkingv1.NetworkPolicyPort) bool {
		isProtocol := ptr.Deref(port.Protocol, corev1.ProtocolTCP) == c.Protocol
		return isProtocol && (port.Port == nil || port.Port.IntVal == c.Port)
	})
}

// matchesPeer goes by selectors alone: blocks of addresses are not ours. The only label
// of a namespace is its name.
func matchesPeer(own string, peers []networkingv1.NetworkPolicyPeer, end End) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		if !end.isPod() || peer.IPBlock != nil {
			return false
		}
		isNamespace := end.Namespace == own
		if peer.NamespaceSelector != nil {
			isNamespace = selects(peer.NamespaceSelector, map[string]string{corev1.LabelMetadataName: end.Namespace})
		}
		return isNamespace && (peer.PodSelector == nil || selects(peer.PodSelector, end.Labels))
	})
}

func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}
