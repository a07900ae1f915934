// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// errNamespaceTerminating ends a pass: nothing can be made in the namespace any more.
var errNamespaceTerminating = errors.New("the namespace is being deleted")

// checkNamespace tells, by errNamespaceTerminating, that the namespace of a mesh is being
// deleted.
func (r *NSMReconciler) checkNamespace(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	namespaces, err := r.watcher.Facts(ctx, client.ObjectKeyFromObject(nsm), namespaceQuery(nsm.Namespace))
	if err == nil && namespaces[nsm.Namespace] == namespaceTerminating {
		return errNamespaceTerminating
	}
	return err
}

// isNamespaceTerminating reports whether the NSM's namespace goes: that was seen, or
// the API server refused an object since it does, whatever else went wrong at the
// same time. Of the errors of a pass those are the NSM's own: what is in other
// namespaces is written apart.
func isNamespaceTerminating(err error) bool {
	return slices.ContainsFunc(flatten(err), func(part error) bool {
		return errors.Is(part, errNamespaceTerminating) || apierrors.HasStatusCause(part, corev1.NamespaceTerminatingCause)
	})
}

// isNamespaceGone reports whether a write came too late for its namespace.
func isNamespaceGone(err error) bool {
	var status apierrors.APIStatus
	return isNamespaceTerminating(err) || apierrors.IsNotFound(err) && errors.As(err, &status) &&
		status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// leaveNamespace has the API server call the mesh's webhook no more, where it may.
func (r *NSMReconciler) leaveNamespace(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	told, err := r.webhookConfiguration(ctx, nsm)
	if err != nil || told == nil && !registerThemselves(rollout.VersionOf(&nsm.Spec), nsm.Status.Version) {
		return err
	}
	return r.execute(ctx, desired{input: mesh.Input{NSM: nsm}}, rollout.TerminatingNamespacePlan()).failure
}

// namespaceTerminating is kept of a namespace that is being deleted; it is not the text of any labels.
const namespaceTerminating = "being deleted"

// namespaceQuery watches a namespace and keeps the labels by which it lets pods
// in, or that it goes.
func namespaceQuery(name string) watchfacts.Query {
	key := types.NamespacedName{Name: name}
	return metadataQuery(corev1.SchemeGroupVersion.WithKind("Namespace"), key, func(object client.Object) (watchfacts.Fact, bool) {
		if object.GetDeletionTimestamp() != nil {
			return watchfacts.Fact{Value: namespaceTerminating}, true
		}
		return watchfacts.Fact{Value: labels.Set(mesh.OfAdmission(object.GetLabels())).String()}, true
	})
}

// metadataQuery watches the metadata of one object. A new mesh waits for the first
// answer, and an old one does no harm: a label that is right is written again, and
// the loop is woken when there is another answer.
func metadataQuery(kind schema.GroupVersionKind, key types.NamespacedName, keep func(client.Object) (watchfacts.Fact, bool)) watchfacts.Query {
	return watchfacts.Query{
		ID: kind.Kind + " " + strings.TrimPrefix(key.String(), "/"), Namespace: key.Namespace, Name: key.Name, Keep: keep, MayLag: true,
		List: func() client.ObjectList { return mesh.EmptyMetadataList(kind) },
	}
}
