// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package platform tells what a cluster offers beyond plain Kubernetes.
package platform

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// openShiftGroup is served by OpenShift and by nothing else.
const openShiftGroup = "security.openshift.io"

// Detect asks the API server which groups it serves.
func Detect(client discovery.ServerGroupsInterface) (mesh.Platform, error) {
	groups, err := client.ServerGroups()
	if err != nil {
		return mesh.Platform{}, fmt.Errorf("asking the API server for its API groups: %w", err)
	}
	return platformOf(groups), nil
}

func platformOf(groups *metav1.APIGroupList) mesh.Platform {
	var found mesh.Platform
	for _, group := range groups.Groups {
		if group.Name == openShiftGroup {
			found.OpenShift = true
		}
	}
	return found
}
