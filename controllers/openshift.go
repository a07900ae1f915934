// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// The names of SCCs hold the namespace of their mesh, so none can be named here;
// docs/security.md tells what that comes to.
//
// +kubebuilder:rbac:groups=security.openshift.io,resources=securitycontextconstraints,verbs=get;list;watch;create;patch;delete;use
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,verbs=get;list;watch;create;patch;delete

// clientNamespaces lists the namespaces that the NSM selects for clients, by name;
// the renderer leaves out those that never hold any. Namespaces are cached, and
// watched, from the first mesh on that selects some.
func (r *NSMReconciler) clientNamespaces(ctx context.Context, in mesh.Input) ([]string, error) {
	wanted := mesh.ClientSelector(in)
	if wanted == nil {
		return nil, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(wanted)
	if err != nil {
		return nil, fmt.Errorf("spec.openshift.clientNamespaces: %w", err)
	}
	if err := r.platform.watchNamespaces(); err != nil {
		return nil, err
	}
	all := mesh.EmptyMetadataList(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.client.List(ctx, all, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	var names []string
	for i := range all.Items {
		// Nothing can be created in one that goes; what is there goes with it.
		if all.Items[i].DeletionTimestamp == nil {
			names = append(names, all.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
