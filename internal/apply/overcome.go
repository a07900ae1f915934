// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// overcome deals with a write that the API server refused: where the live object
// stands in the way, its spec is replaced, or the whole of it.
func (a *Applier) overcome(ctx context.Context, want *intent, live client.Object, change *Change, refused error) (client.Object, error) {
	if isImmutable(refused) {
		return a.recreate(ctx, want, live, change)
	}
	if _, hasSpec := want.object.Object["spec"]; hasSpec && apierrors.IsInvalid(refused) {
		for _, write := range []func(context.Context, *intent, client.Object) (client.Object, error){a.mergeSpec, a.replaceSpec} {
			if answer, err := write(ctx, want, live); err == nil {
				return answer, nil
			}
		}
	}
	return nil, fmt.Errorf("applying %s: %w", change, refused)
}

// mergeSpec writes our spec over the live one, lists as a whole, and applies it
// then. Applying alone keeps what somebody put into a list beside ours, even when
// the two together are not valid: a second port of a Service with the name of ours.
func (a *Applier) mergeSpec(ctx context.Context, want *intent, live client.Object) (client.Object, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": live.GetUID()}, "spec": want.object.Object["spec"],
	})
	if err != nil {
		return nil, err
	}
	if err := a.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency); err != nil {
		return nil, err
	}
	return a.write(ctx, want, live.GetUID())
}

// replaceSpec does so with the spec as a whole: fields of others may not go with
// ours either, such as the parameters of another strategy than ours. The number of
// replicas stays, where we leave that to others.
func (a *Applier) replaceSpec(ctx context.Context, want *intent, live client.Object) (client.Object, error) {
	whole := &unstructured.Unstructured{}
	whole.SetGroupVersionKind(want.object.GroupVersionKind())
	if err := a.direct.Get(ctx, client.ObjectKeyFromObject(live), whole); err != nil {
		return nil, err
	}
	spec, _, err := unstructured.NestedMap(want.object.Object, "spec")
	if err != nil {
		return nil, err
	}
	if replicas, found, _ := unstructured.NestedFieldNoCopy(whole.Object, "spec", "replicas"); found && spec["replicas"] == nil {
		spec["replicas"] = replicas
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": live.GetUID()},
		{"op": "replace", "path": "/spec", "value": spec},
	})
	if err != nil {
		return nil, err
	}
	if err := a.client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency); err != nil {
		return nil, err
	}
	return a.write(ctx, want, live.GetUID())
}

// recreate has the live object replaced, and tells so.
func (a *Applier) recreate(ctx context.Context, want *intent, live client.Object, change *Change) (client.Object, error) {
	change.Action = Recreated
	answer, err := a.replace(ctx, want, live)
	if err != nil {
		return nil, fmt.Errorf("recreating %s: %w", change, err)
	}
	return answer, nil
}

// replace deletes the live object, whose pods go with it, and makes it anew.
func (a *Applier) replace(ctx context.Context, want *intent, live client.Object) (client.Object, error) {
	if err := checkNotDeleting(live); err != nil {
		return nil, err
	}
	if err := a.dryRun(ctx, want); err != nil {
		return nil, fmt.Errorf("the old one stays, since the new one would be refused: %w", err)
	}
	if err := a.delete(ctx, live); err != nil {
		return nil, err
	}
	// If it cannot be made now, nobody else has taken it away.
	a.inPlace.Delete(want.identity())
	left, err := a.empty(live)
	if err != nil {
		return nil, err
	}
	err = a.direct.Get(ctx, client.ObjectKeyFromObject(live), left)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if err := checkNotDeleting(left); err != nil {
		return nil, err
	}
	return a.create(ctx, want)
}

// dryRun asks the API server whether it would take a workload, a record, or an identity as a
// new one, under another name and without storing it. What serves is not deleted for something
// that cannot be made. Of other kinds nothing runs, and some the operator may make under
// their own names only.
func (a *Applier) dryRun(ctx context.Context, want *intent) error {
	if kind := want.object.GroupVersionKind(); kind.Group != appsv1.GroupName && kind != mesh.ClusterSPIFFEIDKind {
		return nil
	}
	candidate := want.marked("")
	candidate.SetName("")
	candidate.SetGenerateName(want.object.GetName() + "-")
	return a.client.Create(ctx, candidate, client.DryRunAll, FieldOwner, client.DisableReadYourWritesConsistency)
}

// HeldError is that an object is being deleted and finalizers hold it: until it has gone
// another cannot be made.
type HeldError struct{ Finalizers []string }

func (e *HeldError) Error() string {
	return "the old one is still being deleted: its finalizers hold it: " + strings.Join(e.Finalizers, ", ")
}

// checkNotDeleting returns a HeldError for an object that is being deleted.
func checkNotDeleting(object client.Object) error {
	if object.GetDeletionTimestamp() == nil {
		return nil
	}
	return &HeldError{Finalizers: object.GetFinalizers()}
}

// delete deletes exactly the object that was seen.
func (a *Applier) delete(ctx context.Context, live client.Object) error {
	err := a.client.Delete(ctx, live,
		client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: ptr.To(live.GetUID())},
		client.DisableReadYourWritesConsistency)
	return client.IgnoreNotFound(err)
}

// neverChanges are the words for a field that keeps its value: the API server has
// no code for that. Each is of all releases of Kubernetes up to 1.37 but where that
// is said.
var neverChanges = []string{
	// Of most fields; also "field is immutable when `immutable` is set" (Secrets).
	"immutable",
	// "cannot change roleRef", of bindings, before 1.37.
	"cannot change",
	// "may not change once set", of a Service; "field cannot be modified once set"
	// and "field cannot be cleared once set", of declarative validation, from 1.35 on.
	"once set",
	// "primary clusterIP can not be unset", of a Service.
	"can not be unset",
}

// isImmutable reports whether the API server refused a write for a field that cannot
// change: then no other way of writing it helps, whatever else it was refused for.
// What a policy says of an object names no field.
func isImmutable(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Field != "" && slices.ContainsFunc(neverChanges, func(words string) bool { return strings.Contains(cause.Message, words) })
	})
}

// Select has a Service, which is not one of the mesh's objects, find the pods with the
// labels, and no others.
func (a *Applier) Select(ctx context.Context, service *corev1.Service, labels map[string]string) error {
	if maps.Equal(service.Spec.Selector, labels) {
		return nil
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": service.UID},
		{"op": "add", "path": "/spec/selector", "value": labels},
	})
	if err != nil {
		return err
	}
	err = a.client.Patch(ctx, service, client.RawPatch(types.JSONPatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency)
	if err != nil {
		return fmt.Errorf("leading Service %s/%s to other pods: %w", service.Namespace, service.Name, err)
	}
	return nil
}
