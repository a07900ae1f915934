// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// forEachRendered looks at all containers of all components of a mesh.
func forEachRendered(t *testing.T, spec nsmv1beta1.NSMSpec, look func(name string, container corev1.Container)) {
	t.Helper()
	for _, workload := range workloads(t, mesh.Components(testInput(t, spec, everyPlatform))) {
		pod := workload.template.Spec
		for _, container := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
			look(workload.name+" "+container.Name, container)
		}
	}
}

// TestEveryContainerHasResources: a quota of the namespace that asks for requests
// and limits refuses a pod for any container without. The API server takes a limit
// for a request that is not given.
func TestEveryContainerHasResources(t *testing.T) {
	for _, version := range release.Known() {
		t.Run(version, func(t *testing.T) {
			spec := allComponents(version)
			forEachRendered(t, spec, func(name string, container corev1.Container) {
				for _, resourceName := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
					limit, isLimited := container.Resources.Limits[resourceName]
					request, isRequested := container.Resources.Requests[resourceName]
					if !isLimited || limit.Sign() <= 0 {
						t.Errorf("%s has no limit of %s", name, resourceName)
					}
					if isRequested && request.Cmp(limit) > 0 {
						t.Errorf("%s requests more %s than its limit", name, resourceName)
					}
				}
			})
		})
	}
}

// TestDefaults: what NSM publishes comes before what the operator sets itself.
func TestDefaults(t *testing.T) {
	published := release.Container{Limits: release.Resources{CPU: "7"}, Requests: release.Resources{Memory: "7Mi"}}
	got := mesh.Defaults("cmd-admission-webhook-k8s", published)
	if want := (release.Resources{CPU: "7", Memory: "128Mi"}); got.Limits != want {
		t.Errorf("limits %+v, want %+v", got.Limits, want)
	}
	if want := (release.Resources{CPU: "50m", Memory: "7Mi"}); got.Requests != want {
		t.Errorf("requests %+v, want %+v", got.Requests, want)
	}
}

// TestEveryContainerCanBeGivenResources: each has a field.
func TestEveryContainerCanBeGivenResources(t *testing.T) {
	spec := allComponents("v1.18.0")
	given := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("7m"), corev1.ResourceMemory: resource.MustParse("7Mi"), "example.com/device": resource.MustParse("7"),
	}
	forEachContainer(&spec, func(container *nsmv1beta1.ContainerSpec) {
		container.Resources = &corev1.ResourceRequirements{Requests: given, Limits: given}
	})
	found := 0
	forEachRendered(t, spec, func(name string, container corev1.Container) {
		found++
		for resourceName, want := range given {
			limit, request := container.Resources.Limits[resourceName], container.Resources.Requests[resourceName]
			if limit.Cmp(want) != 0 || request.Cmp(want) != 0 {
				t.Errorf("%s: %s is %s to %s, want the user's %s", name, resourceName, request.String(), limit.String(), want.String())
			}
		}
	})
	if found < 13 {
		t.Errorf("looked at %d containers", found)
	}
}
