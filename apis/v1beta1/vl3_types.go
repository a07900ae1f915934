// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package v1beta1

import corev1 "k8s.io/api/core/v1"

// VL3Spec describes what vL3 networks need beside their endpoints, which are yours
// to run (cmd-nse-vl3-vpp).
type VL3Spec struct {
	// ipams are the IP address managers of vL3 networks. Each has a Deployment and a
	// Service of its name, on port 5006: an endpoint finds it by
	// NSM_PREFIX_SERVER_URL, such as "vl3-ipam.nsm-system:5006". A dual-stack network
	// has two, one for IPv4 and one for IPv6. Default: one, with all its defaults.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.map(m, has(m.name) ? m.name : 'vl3-ipam').all(n, self.exists_one(m, (has(m.name) ? m.name : 'vl3-ipam') == n))",messageExpression="self.map(m, has(m.name) ? m.name : 'vl3-ipam').filter(n, !self.exists_one(m, (has(m.name) ? m.name : 'vl3-ipam') == n))[0] + ' is the name of more than one IP address manager: each needs a name of its own'",message="more than one IP address manager has the same name: each needs a name of its own"
	IPAMs []VL3IPAMSpec `json:"ipams,omitzero"` //nolint:kubeapilinter // one with all its defaults is what most networks need
}

// VL3IPAMSpec describes one IP address manager (cmd-ipam-vl3).
type VL3IPAMSpec struct {
	ComponentSpec `json:",inline"`

	// name of the IP address manager, of its Deployment and of its Service; no
	// forwarder may have it, either. Default: "vl3-ipam".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must be lower case letters, digits and dashes, and begin with a letter, such as vl3-ipam"
	// +kubebuilder:validation:XValidation:rule="!(self in ['nsmgr', 'nsm-registry', 'registry', 'nsm-csi', 'nsmgr-proxy', 'registry-proxy', 'cluster-info', 'admission-webhook-k8s', 'admission-webhook-svc', 'nsm-registry-svc', 'dashboard', 'dashboard-backend', 'dashboard-ui', 'default', 'nsm-operator'])",message="is the name of another part of the mesh; choose a name such as vl3-ipam"
	Name string `json:"name,omitempty"`

	// prefix is IPv4 or IPv6, in CIDR notation. Every endpoint is given a block out of
	// it for its clients (NSM_PREFIX). Default: "172.16.0.0/16".
	// +optional
	// +kubebuilder:validation:MaxLength=49
	// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be an IP prefix in CIDR notation, such as 172.16.0.0/16 or 2001:db8::/64"
	Prefix string `json:"prefix,omitempty"`

	// clientPrefixLength is the length, in bits, of the blocks that endpoints are
	// given (NSM_CLIENT_PREFIX_LEN), at least that of the prefix. Default: 24 for an IPv4 prefix, 112 for IPv6.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	ClientPrefixLength *int32 `json:"clientPrefixLength,omitempty"`

	// serviceType of its Service: ClusterIP, NodePort or LoadBalancer. Endpoints in
	// other domains reach it only through one of the last two. Default: ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	ServiceType corev1.ServiceType `json:"serviceType,omitempty"`

	// serviceAnnotations are added to its Service alone, such as those that a
	// cloud's load balancer reads. Default: none.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	ServiceAnnotations map[string]string `json:"serviceAnnotations,omitzero"`
}

// DefaultVL3IPAMName is the name of an IP address manager that was given none.
const DefaultVL3IPAMName = "vl3-ipam"
