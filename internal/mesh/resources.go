// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// ownResources are those of images that NSM publishes none for, or no limit: a
// quota of the namespace may ask for all of them.
var ownResources = map[string]release.Container{
	// Seen with 37Mi.
	"cmd-admission-webhook-k8s": {
		Requests: release.Resources{CPU: "50m", Memory: "64Mi"}, Limits: release.Resources{CPU: "500m", Memory: "128Mi"},
	},
	// NSM's own limits before v1.4.0.
	"cmd-forwarder-ovs": {Limits: release.Resources{CPU: "2", Memory: "1Gi"}},
	"cmd-csi-driver": {
		Requests: release.Resources{CPU: "10m", Memory: "32Mi"}, Limits: release.Resources{CPU: "200m", Memory: "128Mi"},
	},
	"cmd-dashboard-backend": {
		Requests: release.Resources{CPU: "50m", Memory: "64Mi"}, Limits: release.Resources{CPU: "200m", Memory: "128Mi"},
	},
	// A development server, which puts the UI together while it runs.
	dashboardUIImage: {
		Requests: release.Resources{CPU: "100m", Memory: "256Mi"}, Limits: release.Resources{CPU: "1", Memory: "512Mi"},
	},
	csiRegistrarName: {
		Requests: release.Resources{CPU: "10m", Memory: "20Mi"}, Limits: release.Resources{CPU: "100m", Memory: "100Mi"},
	},
}

// Defaults are what an image's container requests, and is limited to, where the
// user does not say so: what NSM publishes, and for the rest the operator's own.
func Defaults(image string, published release.Container) release.Container {
	own := ownResources[image]
	published.Requests = orElse(published.Requests, own.Requests)
	published.Limits = orElse(published.Limits, own.Limits)
	return published
}

func orElse(first, second release.Resources) release.Resources {
	return release.Resources{CPU: cmp.Or(first.CPU, second.CPU), Memory: cmp.Or(first.Memory, second.Memory)}
}

// Resources replaces, name by name, what NSM publishes with what the user wants.
func Resources(published release.Container, user *corev1.ResourceRequirements) corev1.ResourceRequirements {
	merged := corev1.ResourceRequirements{
		Requests: resourceList(published.Requests),
		Limits:   resourceList(published.Limits),
	}
	if user == nil {
		return merged
	}
	for name, quantity := range user.Requests {
		merged.Requests = setResource(merged.Requests, name, quantity)
	}
	for name, quantity := range user.Limits {
		merged.Limits = setResource(merged.Limits, name, quantity)
	}
	merged.Claims = user.Claims
	return merged
}

func resourceList(published release.Resources) corev1.ResourceList {
	var list corev1.ResourceList
	if published.CPU != "" {
		list = setResource(list, corev1.ResourceCPU, resource.MustParse(published.CPU))
	}
	if published.Memory != "" {
		list = setResource(list, corev1.ResourceMemory, resource.MustParse(published.Memory))
	}
	return list
}

func setResource(list corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity) corev1.ResourceList {
	if list == nil {
		list = corev1.ResourceList{}
	}
	list[name] = quantity
	return list
}
