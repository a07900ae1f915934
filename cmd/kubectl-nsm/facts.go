// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

// factsOfClocks compares clocks by what the API server's answers and the Leases of nodes
// say.
func (c *cluster) factsOfClocks(ctx context.Context, facts *preflight.Facts) error {
	var leases coordinationv1.LeaseList
	err := c.List(ctx, &leases, client.InNamespace(corev1.NamespaceNodeLease))
	facts.Ahead = c.clock.aheadBy()
	facts.Renewed = map[string]time.Time{}
	for i := range leases.Items {
		if renewed := leases.Items[i].Spec.RenewTime; renewed != nil {
			facts.Renewed[leases.Items[i].Name] = renewed.Time
		}
	}
	return c.part(facts, preflight.PartLeases, err, "list leases in namespace "+corev1.NamespaceNodeLease)
}

// factsOfDomain asks a kubelet for the domain that it writes into the resolv.conf of pods, and
// takes the one that is served from the configuration of CoreDNS, where that is at its usual
// place.
func (c *cluster) factsOfDomain(ctx context.Context, facts *preflight.Facts) error {
	facts.PodDomain = c.podDomain(ctx, facts)
	configuration := &corev1.ConfigMap{}
	err := c.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: "coredns"}, configuration)
	if apierrors.IsNotFound(err) {
		return nil
	}
	facts.Domain = preflight.DomainOf(configuration.Data["Corefile"])
	if facts.PodDomain != "" && apierrors.IsForbidden(err) {
		return nil // the kubelet's word is enough
	}
	return c.part(facts, preflight.PartDomain, err, "get configmaps in namespace "+metav1.NamespaceSystem)
}

func (c *cluster) factsOfLoadBalancers(ctx context.Context, facts *preflight.Facts) error {
	var services corev1.ServiceList
	err := c.List(ctx, &services)
	for i := range services.Items {
		if services.Items[i].Spec.Type == corev1.ServiceTypeLoadBalancer {
			facts.LoadBalancers = append(facts.LoadBalancers, services.Items[i])
		}
	}
	return c.part(facts, preflight.PartServices, err, "list services in all namespaces")
}

// factsOfConstraints reads what OpenShift lets the pods of meshes in by.
func (c *cluster) factsOfConstraints(ctx context.Context, facts *preflight.Facts) error {
	if !facts.Platform.OpenShift {
		return nil
	}
	facts.Constraints = map[string]mesh.Object{}
	for i := range facts.Meshes {
		for _, wanted := range facts.Meshes[i].Constraints() {
			live, isObject := wanted.DeepCopyObject().(mesh.Object)
			if !isObject {
				continue
			}
			err := c.Get(ctx, client.ObjectKeyFromObject(wanted), live)
			switch {
			case err == nil:
				facts.Constraints[preflight.NameOf(wanted)] = live
			case apierrors.IsNotFound(err):
			default:
				if err := c.part(facts, preflight.PartConstraints, err, "get "+preflight.NameOf(wanted)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// factsOfInotify reads the limits of this machine, if the nodes are its containers: those of
// kind, behind an API server on it.
func (c *cluster) factsOfInotify(_ context.Context, facts *preflight.Facts) error {
	isKind := slices.ContainsFunc(facts.Nodes, func(node corev1.Node) bool { return strings.HasPrefix(node.Spec.ProviderID, "kind://") })
	server, err := url.Parse(c.config.Host)
	if err != nil || !isKind || !isLoopback(server.Hostname()) {
		return nil //nolint:nilerr // then it is another machine
	}
	limit := func(name string) (int, error) {
		text, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(string(text)))
	}
	instances, err := limit("max_user_instances")
	watches, other := limit("max_user_watches")
	if err == nil && other == nil {
		facts.Inotify = &preflight.InotifyLimits{Instances: instances, Watches: watches}
	}
	return nil // on macOS the nodes are in a virtual machine
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// factsBefore are those that count before anything is installed.
func (c *cluster) factsBefore(ctx context.Context, facts *preflight.Facts) error {
	if facts.HelmVersion == "" {
		facts.Unseen[preflight.PartHelm] = "--helm-version was not given"
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
	}}
	if err := c.part(facts, preflight.PartRights, c.Create(ctx, review), "ask what you may do"); err != nil {
		return err
	}
	facts.IsAdmin = review.Status.Allowed
	var classes storagev1.StorageClassList
	if err := c.part(facts, preflight.PartStorage, c.List(ctx, &classes), "list storageclasses"); err != nil {
		return err
	}
	facts.StorageClasses = classes.Items
	return nil
}

// tryPrivileged asks whether a privileged pod would be let into a namespace without
// labels, by a dry run: nothing is stored.
func (c *cluster) tryPrivileged(ctx context.Context, facts *preflight.Facts) error {
	namespace := &corev1.Namespace{}
	err := c.Get(ctx, client.ObjectKey{Name: metav1.NamespaceDefault}, namespace)
	if err != nil || !facts.IsAdmin || namespace.Labels["pod-security.kubernetes.io/enforce"] != "" {
		return nil //nolint:nilerr // it says nothing of the default then, as for somebody who may not try
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "nsm-check-"},
		Spec: corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{
			Name: "tried", Image: "example.com/never-run", SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
		}}},
	}
	err = c.Create(ctx, pod, client.DryRunAll)
	switch {
	case apierrors.IsForbidden(err):
		facts.PrivilegedTried, facts.PrivilegedRefused = true, err.Error()
	case err == nil:
		facts.PrivilegedTried = true
	case isOfServer(err): // somebody's webhook, which says nothing of Pod Security
	default:
		return c.explain(err, "try a privileged pod")
	}
	return nil
}
