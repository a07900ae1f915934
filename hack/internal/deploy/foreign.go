// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// inEveryNamespace is what Kubernetes and OpenShift put into every namespace.
var inEveryNamespace = []string{
	"ConfigMap kube-root-ca.crt", "ConfigMap openshift-service-ca.crt",
	"ServiceAccount default", "ServiceAccount builder", "ServiceAccount deployer", "ServiceAccount pipeline",
	"RoleBinding system:deployers", "RoleBinding system:image-builders", "RoleBinding system:image-pullers",
}

// ofOperator is what the operator makes in its own namespace.
var ofOperator = []string{"Lease nsm-operator", "Secret nsm-operator-webhook-cert"}

// foreignIn lists what is in a namespace and was made neither by this program, nor by
// the operator, nor by Kubernetes. What belongs to another object counts as that does.
func (c *Cluster) foreignIn(ctx context.Context, namespace string) ([]string, error) {
	lists, err := c.discovery.ServerPreferredNamespacedResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	var foreign []string
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for i := range list.APIResources {
			found, err := c.foreignOf(ctx, version.WithKind(list.APIResources[i].Kind), namespace)
			if err != nil {
				return nil, err
			}
			foreign = append(foreign, found...)
		}
	}
	return foreign, nil
}

func (c *Cluster) foreignOf(ctx context.Context, kind schema.GroupVersionKind, namespace string) ([]string, error) {
	// Endpoints are of the Service with their name.
	if kind.Kind == "Event" || kind.Kind == "Endpoints" {
		return nil, nil
	}
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(kind)
	if err := c.List(ctx, all, client.InNamespace(namespace)); isAbsent(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	var foreign []string
	for i := range all.Items {
		if name := kind.Kind + " " + all.Items[i].Name; isForeign(&all.Items[i], name) {
			foreign = append(foreign, name)
		}
	}
	return foreign, nil
}

// isForeign reports whether somebody else has made an object, which is called by its kind
// and its own name.
func isForeign(object client.Object, name string) bool {
	labels := object.GetLabels()
	switch {
	case isOurs(object), labels["app.kubernetes.io/name"] == operatorName, labels[labelMadeBy] == operatorName, len(object.GetOwnerReferences()) > 0:
		return false
	case labels[operatorsv1alpha1.CopiedLabelKey] != "":
		// OLM copies the ClusterServiceVersion of an operator for all namespaces into each.
		return false
	case slices.Contains(inEveryNamespace, name), isTokenOf(name):
		return false
	}
	return object.GetNamespace() != operatorNamespace || !slices.Contains(ofOperator, name)
}

// isTokenOf one of OpenShift's ServiceAccounts.
func isTokenOf(name string) bool {
	for _, account := range []string{"builder", "default", "deployer", "nsm-operator"} {
		if strings.HasPrefix(name, "Secret "+account+"-dockercfg-") || strings.HasPrefix(name, "Secret "+account+"-token-") {
			return true
		}
	}
	return false
}
