// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

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
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
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

// isNamespaceGone reports whether a write came too late for its namespace.
func isNamespaceGone(err error) bool {
	var status apierrors.APIStatus
	return isNamespaceTerminating(err) || apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// watchNamespaces wakes the meshes with clients when a namespace comes, or
// changes its labels. It does something the first time only.
func (w *platformWatch) watchNamespaces() error {
	w.namespaces.Lock()
	defer w.namespaces.Unlock()
	if w.watchesNamespaces {
		return nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := w.controller.Watch(source.Kind[client.Object](w.cache, namespace,
		w.wakes(w.meshesWithClients), predicate.LabelChangedPredicate{}))
	w.watchesNamespaces = err == nil
	return err
}

// meshesWithClients are the NSMs to look at when a namespace has changed: it may
// be one that they selected before.
func (w *platformWatch) meshesWithClients(ctx context.Context, _ client.Object) []reconcile.Request {
	all, err := nsms{cache: w.cache}.all(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Cannot list NSMs")
		return nil
	}
	var requests []reconcile.Request
	for nsm := range all {
		if nsm.Spec.OpenShift != nil && nsm.Spec.OpenShift.ClientNamespaces != nil {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: nsm.Namespace, Name: nsm.Name}})
		}
	}
	return requests
}

// namespaceCache holds what is asked of namespaces, for all of them: the names
// and the labels.
func namespaceCache() cache.ByObject {
	return cache.ByObject{
		Label: labels.Everything(),
		Transform: func(object any) (any, error) {
			if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
				namespace.ManagedFields, namespace.Annotations = nil, nil
			}
			return object, nil
		},
	}
}
