// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package platform tells what a cluster offers beyond plain Kubernetes.
package platform

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// nodesInterval is the time between two looks at the nodes, of which there may be
// thousands; nodesPage is how many are read at a time.
const (
	nodesInterval = 10 * time.Minute
	nodesPage     = "100"
)

var (
	// constraints are served by OpenShift and by nothing else.
	constraints = schema.GroupVersionResource{Group: "security.openshift.io", Version: "v1", Resource: "securitycontextconstraints"}
	// spiffeIDs are served by SPIRE's controller manager.
	spiffeIDs = mesh.ClusterSPIFFEIDKind.GroupVersion().WithResource("clusterspiffeids")
	// properties are of the about API.
	properties = mesh.ClusterPropertyKind.GroupVersion().WithResource("clusterproperties")
	// podMonitors are served by Prometheus' operator.
	podMonitors = mesh.PodMonitorKind.GroupVersion().WithResource("podmonitors")
	// openShiftConfig is where OpenShift keeps what its cluster is like.
	openShiftConfig = schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
)

// +kubebuilder:rbac:groups=config.openshift.io,resources=networks,resourceNames=cluster,verbs=get

// Detect asks the API server which resources it serves, where kubelets keep their
// files and, on OpenShift, which networks the cluster uses.
func Detect(ctx context.Context, client discovery.DiscoveryInterface) (mesh.Platform, error) {
	found, err := detect(ctx, client, mesh.Platform{})
	return found, errors.Join(err, lookAtNodes(ctx, client, &found))
}

// lookAtNodes takes over what the nodes show. Without an answer, or without nodes, what
// is known stays.
func lookAtNodes(ctx context.Context, client discovery.DiscoveryInterface, known *mesh.Platform) error {
	var found []string
	for next := ""; ; {
		// Some are read at a time, and of each no more than a word is kept.
		data, err := client.RESTClient().Get().AbsPath("/api/v1/nodes").Param("limit", nodesPage).Param("continue", next).DoRaw(ctx)
		var page corev1.NodeList
		if err == nil {
			err = json.Unmarshal(data, &page)
		}
		if err != nil {
			return fmt.Errorf("asking the API server for its nodes: %w", err)
		}
		for i := range page.Items {
			if directory := mesh.KubeletDirectoryOf(&page.Items[i]); directory != "" && !slices.Contains(found, directory) {
				found = append(found, directory)
			}
		}
		if next = page.Continue; next == "" {
			break
		}
	}
	if len(found) > 0 {
		known.KubeletDirectories = mesh.KubeletDirectories(found)
	}
	return nil
}

// detect asks again, and keeps what is known of a question that gets no answer:
// the error then tells of it. What was OpenShift once stays so, with its
// networks: nothing takes that away from a cluster, and a moment in which its own
// API servers do not answer must not change a single pod.
func detect(ctx context.Context, client discovery.DiscoveryInterface, known mesh.Platform) (mesh.Platform, error) {
	groups, err := client.ServerGroups()
	if err != nil {
		return known, fmt.Errorf("asking the API server for its API groups: %w", err)
	}
	found := known
	var errs []error
	ask := func(answer *bool, wanted schema.GroupVersionResource) {
		is, err := serves(client, groups, wanted)
		if err != nil {
			errs = append(errs, fmt.Errorf("asking the API server for %s: %w", wanted.GroupResource(), err))
			return
		}
		*answer = is
	}
	ask(&found.ClusterSPIFFEIDs, spiffeIDs)
	ask(&found.ClusterProperties, properties)
	ask(&found.PodMonitors, podMonitors)
	ask(&found.OpenShift, constraints)
	found.OpenShift = found.OpenShift || known.OpenShift
	if !hasVersion(groups, openShiftConfig) {
		return found, errors.Join(errs...)
	}
	prefixes, err := networks(ctx, client.RESTClient())
	if err != nil {
		errs = append(errs, fmt.Errorf("asking OpenShift for its networks: %w", err))
	}
	found.Networks = cmp.Or(prefixes, known.Networks)
	// Others of the group are served by an API server of their own: while that one
	// is down, discovery leaves out the group, and SCCs are served all the same.
	if !found.OpenShift {
		if found.OpenShift, err = servesConstraints(ctx, client.RESTClient()); err != nil {
			errs = append(errs, fmt.Errorf("asking OpenShift for its security context constraints: %w", err))
		}
	}
	return found, errors.Join(errs...)
}

// Watch asks again and again until the context ends, with pauses of the interval, and at
// once for each hint, and calls changed when the answer is another one. APIs come and go with what a
// cluster's admin installs.
func Watch(
	ctx context.Context, client discovery.DiscoveryInterface, interval time.Duration, known mesh.Platform,
	hints <-chan struct{}, changed func(mesh.Platform) error,
) error {
	unanswered, sawNodes := "", time.Now()
	for {
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-hints:
			timer.Stop()
		case <-timer.C:
		}
		found, err := detect(ctx, client, known)
		if time.Since(sawNodes) >= nodesInterval {
			sawNodes = time.Now()
			err = errors.Join(err, lookAtNodes(ctx, client, &found))
		}
		if err != nil && err.Error() != unanswered && ctx.Err() == nil {
			// An API server that does not answer now will be asked again.
			log.FromContext(ctx).Info("Some of what the cluster offers is not known at the moment; what was known stays", "why", err.Error())
		}
		if unanswered = ""; err != nil {
			unanswered = err.Error()
		}
		if found == known {
			continue
		}
		if err := changed(found); err != nil {
			return err
		}
		known = found
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
	err := client.Get().AbsPath("/apis/"+constraints.GroupVersion().String()+"/"+constraints.Resource).Param("limit", "1").Do(ctx).Error()
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err == nil, apierrors.IsForbidden(err):
		return true, nil
	default:
		return false, err
	}
}

// serves reports whether a resource is served. A group alone says nothing: others
// may have put one resource of it there, and not the one that matters.
func serves(client discovery.DiscoveryInterface, groups *metav1.APIGroupList, wanted schema.GroupVersionResource) (bool, error) {
	if !hasVersion(groups, wanted.GroupVersion()) {
		return false, nil
	}
	list, err := client.ServerResourcesForGroupVersion(wanted.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		// It went between the two questions.
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.APIResources, func(served metav1.APIResource) bool { return served.Name == wanted.Resource }), nil
}

func hasVersion(groups *metav1.APIGroupList, wanted schema.GroupVersion) bool {
	return slices.ContainsFunc(groups.Groups, func(group metav1.APIGroup) bool {
		return group.Name == wanted.Group && slices.ContainsFunc(group.Versions, func(version metav1.GroupVersionForDiscovery) bool {
			return version.Version == wanted.Version
		})
	})
}
