// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
)

// isDamaged reports whether the API server takes no write of an NSM for what is stored.
// It does not check again what a write leaves as it is, except for rules about a value
// of a wrong type: spec.registry as a text, say, which is v1alpha1 that was stored as
// v1beta1 while the CRD had no conversion. Then neither a status nor the removal of a
// finalizer can be written.
func isDamaged(failure error) bool {
	var status apierrors.APIStatus
	if !errors.As(failure, &status) || !apierrors.IsInvalid(failure) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Group == nsmv1alpha1.GroupVersion.Group && details.Kind == "NSM"
}

// repair has the API server store an NSM anew: an empty patch in v1alpha1 takes it
// through conversion there and back, which understands the values of both versions.
func (r *NSMReconciler) repair(ctx context.Context, name types.NamespacedName) error {
	nsm := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	nsm.SetGroupVersionKind(nsmv1alpha1.GroupVersion.WithKind("NSM"))
	err := r.client.Patch(ctx, nsm, client.RawPatch(types.MergePatchType, []byte("{}")))
	if err == nil {
		log.FromContext(ctx).Info("Repaired what was stored of an NSM: it was not of this version")
	}
	return client.IgnoreNotFound(err)
}
