// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// The networks of the cluster come behind the user's, and both only to the
// container that excludes them.
func TestNetworksAreExcluded(t *testing.T) {
	const networks = "172.30.0.0/16,10.128.0.0/14"
	for _, tc := range []struct {
		name, networks string
		users          []string
		want           string
	}{
		{"none", "", nil, ""},
		{"the cluster's", networks, nil, networks},
		{"the user's", "", []string{"192.0.2.0/24"}, "192.0.2.0/24"},
		{"both", networks, []string{"192.0.2.0/24"}, "192.0.2.0/24," + networks},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := testInput(t, nsmv1beta1.NSMSpec{
				Version: "v1.18.0", Nsmgr: &nsmv1beta1.NsmgrSpec{ExcludedPrefixes: tc.users},
			}, mesh.Platform{OpenShift: true, Networks: tc.networks})
			for _, workload := range workloads(t, mesh.Components(in)) {
				for _, container := range workload.template.Spec.Containers {
					want := ""
					if container.Name == "exclude-prefixes" {
						want = tc.want
					}
					if got := valueOf(container.Env, "NSM_EXCLUDED_PREFIXES"); got != want {
						t.Errorf("%s excludes %q, want %q", container.Name, got, want)
					}
				}
			}
		})
	}
}

// The Open vSwitch of the node belongs to OpenShift's own network: only who works
// with it gets to it, and only there.
func TestHostOpenVSwitchIsForOVSOnOpenShift(t *testing.T) {
	const directory = "/var/run/openvswitch"
	for _, platform := range []mesh.Platform{{}, openShift} {
		spec := everythingSpec()
		spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
		for _, workload := range workloads(t, mesh.Components(testInput(t, spec, platform))) {
			pod := workload.template.Spec
			volume := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil && v.HostPath.Path == directory })
			mounted := volume >= 0 && slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
				return m.Name == pod.Volumes[volume].Name && m.MountPath == directory
			})
			want := platform.OpenShift && workload.name == "forwarder-ovs"
			if volume >= 0 != want || mounted != want {
				t.Errorf("OpenShift: %t: %s has %s: %t, and mounts it: %t", platform.OpenShift, workload.name, directory, volume >= 0, mounted)
			}
		}
	}
}
