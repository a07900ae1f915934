// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// component is one folder of NSM's manifests, and what we render for it.
type component struct {
	// directory that holds the manifests: <reference>/<release>/<directory>.
	directory string
	// workload names the Deployment or DaemonSet that belongs to the folder; the
	// objects that are compared are those of its mesh.Component.
	workload string
	// spec of the NSM that renders it; nil where there is no renderer yet.
	spec *nsmv1beta1.NSMSpec
}

// components lists all folders. A new component of the mesh is one entry here,
// and an entry in deliberate.go for whatever differs on purpose.
var components = []component{
	{"nsmgr", mesh.NsmgrName, &nsmv1beta1.NSMSpec{}},
	{"registry-k8s", mesh.RegistryName, withRegistry(nsmv1beta1.RegistryTypeK8s)},
	{"registry-memory", mesh.RegistryName, withRegistry(nsmv1beta1.RegistryTypeMemory)},
	{"forwarder-vpp", "forwarder-vpp", withForwarder(nsmv1beta1.ForwarderTypeVPP)},
	{"forwarder-ovs", "forwarder-ovs", withForwarder(nsmv1beta1.ForwarderTypeOVS)},
	{"forwarder-sriov", "forwarder-sriov", withForwarder(nsmv1beta1.ForwarderTypeSRIOV)},
	{"admission-webhook-k8s", mesh.WebhookName, &nsmv1beta1.NSMSpec{}},
	{"nsmgr-proxy", "nsmgr-proxy", withInterdomain()},
	{"registry-proxy-dns", "registry-proxy", withInterdomain()},
	{"cluster-info", "cluster-info", withInterdomain()},
	{"csi-driver", "nsm-csi", &nsmv1beta1.NSMSpec{CSIDriver: &nsmv1beta1.CSIDriverSpec{}}},
}

func withRegistry(registryType nsmv1beta1.RegistryType) *nsmv1beta1.NSMSpec {
	return &nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{Type: registryType}}
}

func withForwarder(forwarderType nsmv1beta1.ForwarderType) *nsmv1beta1.NSMSpec {
	return &nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{{
		Name: nsmv1beta1.DefaultForwarderName(forwarderType), Type: forwarderType,
	}}}
}

func withInterdomain() *nsmv1beta1.NSMSpec {
	return &nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "cluster1"}}
}
