// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package platform tells what a cluster offers beyond plain Kubernetes.
package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// interval between two looks at what the cluster offers.
const interval = 30 * time.Second

var (
	// openShift is served by OpenShift and by nothing else.
	openShift = schema.GroupVersion{Group: "security.openshift.io", Version: "v1"}
	// openShiftConfig is where OpenShift keeps what its cluster is like.
	openShiftConfig = schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
)

// +kubebuilder:rbac:groups=config.openshift.io,resources=networks,resourceNames=cluster,verbs=get

// Detect asks the API server which APIs it serves and, on OpenShift, which
// networks the cluster uses.
func Detect(ctx context.Context, client discovery.DiscoveryInterface) (mesh.Platform, error) {
	groups, err := client.ServerGroups()
	if err != nil {
		return mesh.Platform{}, fmt.Errorf("asking the API server for its API groups: %w", err)
	}
	found := platformOf(groups)
	if !serves(groups, openShiftConfig) {
		return found, nil
	}
	if found.Networks, err = networks(ctx, client.RESTClient()); err != nil {
		return mesh.Platform{}, fmt.Errorf("asking OpenShift for its networks: %w", err)
	}
	// Others of the group are served by an API server of their own: while that one
	// is down, discovery leaves out the group, and SCCs are served all the same.
	if !found.OpenShift {
		if found.OpenShift, err = servesConstraints(ctx, client.RESTClient()); err != nil {
			return mesh.Platform{}, fmt.Errorf("asking OpenShift for its security context constraints: %w", err)
		}
	}
	return found, nil
}

// Watch asks again and again until the context ends, and calls changed when the
// answer is another one. APIs come and go with what a cluster's admin installs.
func Watch(ctx context.Context, client discovery.DiscoveryInterface, known mesh.Platform, changed func(mesh.Platform) error) error {
	return wait.PollUntilContextCancel(ctx, interval, false, func(ctx context.Context) (bool, error) {
		found, err := Detect(ctx, client)
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

// network is the part that matters here of OpenShift's Network "cluster".
type network struct {
	Status struct {
		ClusterNetwork []struct {
			CIDR string `json:"cidr"`
		} `json:"clusterNetwork"`
		ServiceNetwork []string `json:"serviceNetwork"`
	} `json:"status"`
}

// networks lists the prefixes of pods and Services, with commas between them;
// "" where the cluster does not say.
func networks(ctx context.Context, client rest.Interface) (string, error) {
	data, err := client.Get().AbsPath("/apis/" + openShiftConfig.String() + "/networks/cluster").DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var found network
	if err := json.Unmarshal(data, &found); err != nil {
		return "", err
	}
	prefixes := found.Status.ServiceNetwork
	for _, cluster := range found.Status.ClusterNetwork {
		prefixes = append(prefixes, cluster.CIDR)
	}
	return strings.Join(prefixes, ","), nil
}

// servesConstraints asks for SCCs themselves. Who may not read them hears of it
// only where they are.
func servesConstraints(ctx context.Context, client rest.Interface) (bool, error) {
	err := client.Get().AbsPath("/apis/"+openShift.String()+"/securitycontextconstraints").Param("limit", "1").Do(ctx).Error()
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err == nil, apierrors.IsForbidden(err):
		return true, nil
	default:
		return false, err
	}
}

func serves(groups *metav1.APIGroupList, wanted schema.GroupVersion) bool {
	return slices.ContainsFunc(groups.Groups, func(group metav1.APIGroup) bool {
		return group.Name == wanted.Group && slices.ContainsFunc(group.Versions, func(version metav1.GroupVersionForDiscovery) bool {
			return version.Version == wanted.Version
		})
	})
}
