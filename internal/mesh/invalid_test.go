// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestInvalid(t *testing.T) {
	forwarders := func(forwarders ...nsmv1beta1.ForwarderSpec) nsmv1beta1.NSMSpec {
		return nsmv1beta1.NSMSpec{Forwarders: forwarders}
	}
	for name, test := range map[string]struct {
		spec nsmv1beta1.NSMSpec
		want string
	}{
		"nothing": {},
		"two forwarders": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Type: "vpp"}, nsmv1beta1.ForwarderSpec{Type: "ovs"}),
		},
		"a forwarder called as the managers": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Name: "nsmgr", Type: "vpp"}),
			want: "nsmgr nsmgr and forwarder nsmgr would both have the ServiceAccount nsmgr: give one of them another name",
		},
		"two forwarders with one name": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Type: "vpp"}, nsmv1beta1.ForwarderSpec{Name: "forwarder-vpp", Type: "ovs"}),
			want: "forwarder forwarder-vpp and forwarder forwarder-vpp would both have the ServiceAccount forwarder-vpp: give one of them another name",
		},
		"the account of everybody": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Name: "default", Type: "vpp"}),
			want: "forwarder default would take over ServiceAccount default, which is not the mesh's: give the forwarder another name",
		},
		"the operator's account": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Name: "nsm-operator", Type: "vpp"}),
			want: "forwarder nsm-operator would take over ServiceAccount nsm-operator, which is not the mesh's: give the forwarder another name",
		},
		"several mistakes": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Name: "default", Type: "vpp"}, nsmv1beta1.ForwarderSpec{Name: "nsmgr", Type: "ovs"},
				nsmv1beta1.ForwarderSpec{Name: "nsm-operator", Type: "sriov"}),
			want: "forwarder default would take over ServiceAccount default, which is not the mesh's: give the forwarder another name; " +
				"nsmgr nsmgr and forwarder nsmgr would both have the ServiceAccount nsmgr: give one of them another name; " +
				"forwarder nsm-operator would take over ServiceAccount nsm-operator, which is not the mesh's: give the forwarder another name",
		},
		"types that nobody knows": {
			spec: forwarders(nsmv1beta1.ForwarderSpec{Name: "a"}, nsmv1beta1.ForwarderSpec{Name: "b", Type: "dpdk"}),
			want: `spec.forwarders[0].type: "": must be vpp, ovs or sriov; spec.forwarders[1].type: "dpdk": must be vpp, ovs or sriov`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.spec.Version = "v1.18.0"
			if got := mesh.Invalid(testInput(t, test.spec, mesh.Platform{})); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
