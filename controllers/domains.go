// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// +kubebuilder:rbac:groups=spire.spiffe.io,resources=clusterfederatedtrustdomains,verbs=list;watch

// observeDomains finds out what keeps other domains from reaching the mesh, and the mesh
// from trusting them. The names of the domains are in no NSM: clients ask for them.
func (r *NSMReconciler) observeDomains(ctx context.Context, d desired, seen *observation) error {
	if d.input.NSM.Spec.Interdomain == nil {
		return nil
	}
	for _, component := range d.components {
		if component.Role != mesh.RoleRegistry && component.Role != mesh.RoleInterdomain {
			continue
		}
		for _, object := range component.Others {
			if _, isService := object.(*corev1.Service); !isService {
				continue
			}
			live, err := r.applier.Cached(ctx, object)
			if err != nil {
				return err
			}
			if service, isThere := live.(*corev1.Service); isThere && health.LacksAddress(service) {
				seen.NoAddress = append(seen.NoAddress, client.ObjectKeyFromObject(service).String())
			}
		}
	}
	// SPIRE takes entries only with the bundles of all that they federate with.
	if domains := mesh.FederatesWith(d.input); len(domains) > 0 && seen.Spire.Status != metav1.ConditionTrue {
		seen.NotFederated, seen.FederationUnseen = r.notFederated(ctx, d, domains)
	}
	return nil
}

// notFederated are those of the trust domains that SPIRE's controller manager has not
// been told of, or why that cannot be seen.
func (r *NSMReconciler) notFederated(ctx context.Context, d desired, domains []string) (missing []string, unseen string) {
	known, err := r.watcher.Facts(ctx, client.ObjectKeyFromObject(d.input.NSM), federationQuery())
	if err != nil && !meta.IsNoMatchError(err) {
		return nil, inShort(err)
	}
	federated := map[string]bool{}
	for _, domain := range known {
		federated[domain] = true
	}
	return slices.DeleteFunc(slices.Clone(domains), func(domain string) bool { return federated[domain] }), ""
}

// federationQuery watches with which trust domains SPIRE federates.
func federationQuery() watchfacts.Query {
	return watchfacts.Query{
		ID:   "ClusterFederatedTrustDomains",
		List: func() client.ObjectList { return mesh.EmptyList(mesh.FederationKind) },
		Keep: func(object client.Object) (watchfacts.Fact, bool) {
			federation, ok := object.(*unstructured.Unstructured)
			if !ok {
				return watchfacts.Fact{}, false
			}
			domain, isThere, _ := unstructured.NestedString(federation.Object, "spec", "trustDomain")
			return watchfacts.Fact{Value: domain}, isThere
		},
	}
}
