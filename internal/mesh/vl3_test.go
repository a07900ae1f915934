// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// componentsOf are the components of a role that a spec has.
func componentsOf(t *testing.T, spec nsmv1beta1.NSMSpec, role mesh.Role) []mesh.Component {
	t.Helper()
	return slices.DeleteFunc(mesh.Components(testInput(t, spec, mesh.Platform{})), func(c mesh.Component) bool { return c.Role != role })
}

// Each IP address manager has its own prefix, Deployment and Service, and none is
// there unless it is asked for, in a release that has it.
func TestIPAddressManagers(t *testing.T) {
	type ipam struct{ Name, Prefix, ClientPrefixLength string }
	one := func(spec nsmv1beta1.VL3IPAMSpec) *nsmv1beta1.VL3Spec {
		return &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{spec}}
	}
	for name, tc := range map[string]struct {
		version string
		spec    *nsmv1beta1.VL3Spec
		want    []ipam
	}{
		"absent":                    {"v1.18.0", nil, nil},
		"empty":                     {"v1.18.0", &nsmv1beta1.VL3Spec{}, []ipam{{"vl3-ipam", "172.16.0.0/16", ""}}},
		"in the first release":      {"v1.3.0", &nsmv1beta1.VL3Spec{}, []ipam{{"vl3-ipam", "172.16.0.0/16", ""}}},
		"in a release before":       {"v1.2.0", &nsmv1beta1.VL3Spec{}, nil},
		"IPv4":                      {"v1.18.0", one(nsmv1beta1.VL3IPAMSpec{Name: "a", Prefix: "10.0.0.0/8"}), []ipam{{"a", "10.0.0.0/8", ""}}},
		"IPv4, with smaller blocks": {"v1.18.0", one(nsmv1beta1.VL3IPAMSpec{ClientPrefixLength: ptr.To(int32(28))}), []ipam{{"vl3-ipam", "172.16.0.0/16", "28"}}},
		"IPv6":                      {"v1.18.0", one(nsmv1beta1.VL3IPAMSpec{Prefix: "2001:db8::/64"}), []ipam{{"vl3-ipam", "2001:db8::/64", "112"}}},
		"IPv6, with larger blocks": {
			"v1.18.0", one(nsmv1beta1.VL3IPAMSpec{Prefix: "2001:db8::/64", ClientPrefixLength: ptr.To(int32(96))}),
			[]ipam{{"vl3-ipam", "2001:db8::/64", "96"}},
		},
		"dual stack": {
			"v1.18.0", &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{}, {Name: "vl3-ipam-ipv6", Prefix: "2001:db8::/64"}}},
			[]ipam{{"vl3-ipam", "172.16.0.0/16", ""}, {"vl3-ipam-ipv6", "2001:db8::/64", "112"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []ipam
			for _, component := range componentsOf(t, nsmv1beta1.NSMSpec{Version: tc.version, VL3: tc.spec}, mesh.RoleVL3) {
				deployment := component.Workload.(*appsv1.Deployment)
				container := deployment.Spec.Template.Spec.Containers[0]
				got = append(got, ipam{deployment.Name, valueOf(container.Env, "NSM_PREFIX"), valueOf(container.Env, "NSM_CLIENT_PREFIX_LEN")})
				checkIPAM(t, component, deployment)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// checkIPAM: clients find it at its Service, and no second process ever gives out
// what the first one has given out.
func checkIPAM(t *testing.T, component mesh.Component, deployment *appsv1.Deployment) {
	t.Helper()
	i := slices.IndexFunc(component.Others, func(object mesh.Object) bool { _, is := object.(*corev1.Service); return is })
	if i < 0 {
		t.Fatal("no Service")
	}
	service := component.Others[i].(*corev1.Service)
	if service.Name != deployment.Name || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != 5006 || service.Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("the Service of %s is %s: %+v", deployment.Name, service.Name, service.Spec)
	}
	if !cmp.Equal(service.Spec.Selector, deployment.Spec.Selector.MatchLabels) {
		t.Errorf("the Service selects %v, and the pods are %v", service.Spec.Selector, deployment.Spec.Selector.MatchLabels)
	}
	if replicas := ptr.Deref(deployment.Spec.Replicas, 0); replicas != 1 || deployment.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("%d processes, replaced by %s", replicas, deployment.Spec.Strategy.Type)
	}
}
