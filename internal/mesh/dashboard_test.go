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

func TestTheDashboardIsThereWhereItIsAskedFor(t *testing.T) {
	for _, tc := range []struct {
		version string
		spec    *nsmv1beta1.DashboardSpec
		want    int
	}{
		{"v1.18.0", &nsmv1beta1.DashboardSpec{}, 1},
		{"v1.12.0", &nsmv1beta1.DashboardSpec{}, 1},
		{"v1.11.2", &nsmv1beta1.DashboardSpec{}, 0},
		{"v1.18.0", nil, 0},
	} {
		if got := len(componentsOf(t, nsmv1beta1.NSMSpec{Version: tc.version, Dashboard: tc.spec}, mesh.RoleDashboard)); got != tc.want {
			t.Errorf("%s, asked for: %t, there are %d", tc.version, tc.spec != nil, got)
		}
	}
}

// Nothing of the dashboard is reachable from outside of the cluster unless the NSM
// says so, and then both of what a browser needs.
func TestTheDashboardIsNotExposed(t *testing.T) {
	for asked, want := range map[corev1.ServiceType]corev1.ServiceType{"": "ClusterIP", "NodePort": "NodePort", "LoadBalancer": "LoadBalancer"} {
		services := map[string]int32{}
		component := componentsOf(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", Dashboard: &nsmv1beta1.DashboardSpec{
			ServiceType: asked, ServiceAnnotations: map[string]string{"example.com/internal": "true"},
		}}, mesh.RoleDashboard)[0]
		for _, object := range component.Others {
			service, isService := object.(*corev1.Service)
			if !isService {
				continue
			}
			services[service.Name] = service.Spec.Ports[0].Port
			if service.Spec.Type != want || service.Annotations["example.com/internal"] != "true" {
				t.Errorf("%q: the Service %s is of type %s, with %v", asked, service.Name, service.Spec.Type, service.Annotations)
			}
		}
		if diff := cmp.Diff(map[string]int32{"dashboard-ui": 3000, "dashboard-backend": 3001}, services); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// The dashboard asks the API server nothing, and writes to its own volumes alone.
func TestTheDashboardHasTheLeastPrivilege(t *testing.T) {
	pod := componentsOf(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", Dashboard: &nsmv1beta1.DashboardSpec{}}, mesh.RoleDashboard)[0].
		Workload.(*appsv1.Deployment).Spec.Template.Spec
	if ptr.Deref(pod.AutomountServiceAccountToken, true) {
		t.Error("it has a token")
	}
	if pod.HostNetwork || pod.HostPID || !ptr.Deref(pod.SecurityContext.RunAsNonRoot, false) {
		t.Errorf("it runs as %+v", pod.SecurityContext)
	}
	containers := slices.Concat(pod.InitContainers, pod.Containers)
	if len(containers) != 3 {
		t.Errorf("%d containers", len(containers))
	}
	for _, container := range containers {
		context := container.SecurityContext
		if !ptr.Deref(context.ReadOnlyRootFilesystem, false) || ptr.Deref(context.AllowPrivilegeEscalation, true) || len(context.Capabilities.Add) > 0 ||
			!cmp.Equal(context.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: %+v", container.Name, context)
		}
	}
	for _, container := range pod.Containers {
		if container.ReadinessProbe == nil || container.ReadinessProbe.HTTPGet == nil {
			t.Errorf("nobody asks whether %s serves", container.Name)
		}
	}
}
