// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// component is one folder of NSM's manifests, and what we render for it.
type component struct {
	// directory that holds the manifests: <reference>/<release>/<directory>.
	directory string
	// kind and workload name the Deployment or DaemonSet that belongs to the
	// folder; the objects that are compared are those of its mesh.Component.
	kind, workload string
	// role that the labels tell, and the name of the main container.
	role, container string
	// spec of the NSM that renders it.
	spec *nsmv1beta1.NSMSpec
}

// components lists all folders. A new component of the mesh is one entry here,
// and an entry in deliberate.go for whatever differs on purpose.
var components = []component{
	{"nsmgr", "DaemonSet", "nsmgr", "nsmgr", "nsmgr", &nsmv1beta1.NSMSpec{}},
	{"registry-k8s", "Deployment", "nsm-registry", "registry", "registry", withRegistry(nsmv1beta1.RegistryTypeK8s)},
	{"registry-memory", "Deployment", "nsm-registry", "registry", "registry", withRegistry(nsmv1beta1.RegistryTypeMemory)},
	{"forwarder-vpp", "DaemonSet", "forwarder-vpp", "forwarder", "forwarder-vpp", withForwarder(nsmv1beta1.ForwarderTypeVPP)},
	{"forwarder-ovs", "DaemonSet", "forwarder-ovs", "forwarder", "forwarder-ovs", withForwarder(nsmv1beta1.ForwarderTypeOVS)},
	{"forwarder-sriov", "DaemonSet", "forwarder-sriov", "forwarder", "forwarder-sriov", withForwarder(nsmv1beta1.ForwarderTypeSRIOV)},
	{
		"admission-webhook-k8s", "Deployment", "admission-webhook-k8s", "admission-webhook", "admission-webhook-k8s",
		&nsmv1beta1.NSMSpec{},
	},
	{"nsmgr-proxy", "Deployment", "nsmgr-proxy", "interdomain", "nsmgr-proxy", withInterdomain()},
	{"registry-proxy-dns", "Deployment", "registry-proxy", "interdomain", "registry", withInterdomain()},
	{"cluster-info", "Deployment", "cluster-info", "interdomain", "cluster-info", withInterdomain()},
	{"vl3-ipam", "Deployment", "vl3-ipam", "vl3", "vl3-ipam", &nsmv1beta1.NSMSpec{VL3: &nsmv1beta1.VL3Spec{}}},
	{"dashboard", "Deployment", "dashboard", "dashboard", "dashboard-backend", &nsmv1beta1.NSMSpec{Dashboard: &nsmv1beta1.DashboardSpec{}}},
	{"csi-driver", "DaemonSet", "nsm-csi", "csi-driver", "nsm-csi-driver", &nsmv1beta1.NSMSpec{CSIDriver: &nsmv1beta1.CSIDriverSpec{}}},
}

// exception is a component whose manifests are known to be missing.
type exception struct {
	directory string
	// missing tells in which releases.
	missing func(release.Facts) bool
	why     string
}

// unpublished lists all exceptions: any other folder that is missing is a
// comparison that nobody would miss. One that is there after all fails, too.
var unpublished = []exception{
	{"forwarder-ovs", func(f release.Facts) bool { return !f.OVS.Exists() }, "its first release is v1.1.0"},
	{"cluster-info", func(f release.Facts) bool { return !f.ClusterInfo.Exists() }, "its first release is v1.6.0"},
	{"vl3-ipam", func(f release.Facts) bool { return !f.VL3IPAM.Exists() }, "its first release is v1.3.0"},
	{"dashboard", func(f release.Facts) bool { return !f.DashboardBackend.Exists() }, "its first release is v1.12.0"},
	{"csi-driver", func(f release.Facts) bool { return !f.CSIDriver }, "its first release is v1.10.0"},
}

// words are what the table of deliberate differences calls {kind} and so on.
func words() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, one := range components {
		all[one.directory] = map[string]string{
			"kind": one.kind, "workload": one.workload, "role": one.role, "container": one.container,
		}
	}
	return all
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
