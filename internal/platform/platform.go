// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package platform tells what a cluster offers beyond plain Kubernetes.
package platform

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// interval between two looks at what the cluster offers.
const interval = 30 * time.Second

// openShift is served by OpenShift and by nothing else.
var openShift = schema.GroupVersion{Group: "security.openshift.io", Version: "v1"}

// Detect asks the API server which APIs it serves.
func Detect(client discovery.ServerGroupsInterface) (mesh.Platform, error) {
	groups, err := client.ServerGroups()
	if err != nil {
		return mesh.Platform{}, fmt.Errorf("asking the API server for its API groups: %w", err)
	}
	return platformOf(groups), nil
}

// Watch asks again and again until the context ends, and calls changed when the
// answer is another one. APIs come and go with what a cluster's admin installs.
func Watch(ctx context.Context, client discovery.ServerGroupsInterface, known mesh.Platform, changed func(mesh.Platform) error) error {
	return wait.PollUntilContextCancel(ctx, interval, false, func(context.Context) (bool, error) {
		found, err := Detect(client)
		if err != nil || found == known {
			// An API server that does not answer now will be asked again.
			return false, nil //nolint:nilerr // see above
		}
		known = found
		return false, changed(found)
	})
}

func platformOf(groups *metav1.APIGroupList) mesh.Platform {
	return mesh.Platform{
		OpenShift:         serves(groups, openShift),
		ClusterSPIFFEIDs:  serves(groups, mesh.ClusterSPIFFEIDKind.GroupVersion()),
		ClusterProperties: serves(groups, mesh.ClusterPropertyKind.GroupVersion()),
	}
}

func serves(groups *metav1.APIGroupList, wanted schema.GroupVersion) bool {
	return slices.ContainsFunc(groups.Groups, func(group metav1.APIGroup) bool {
		return group.Name == wanted.Group && slices.ContainsFunc(group.Versions, func(version metav1.GroupVersionForDiscovery) bool {
			return version.Version == wanted.Version
		})
	})
}
