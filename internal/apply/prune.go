// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// identity tells objects apart.
type identity struct {
	kind            string
	namespace, name string
}

// change that something is done to it.
func (id identity) change(action Action) Change {
	return Change{Action: action, Kind: id.kind, Namespace: id.namespace, Name: id.name}
}

// Prune deletes the objects of the given kinds that are the NSM's own, have the
// labels, and are not among the wanted ones. It returns what it deleted. What limits others goes
// when they are gone, and stays as long as one of them cannot be deleted.
func (a *Applier) Prune(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []client.Object, labels client.MatchingLabels, wanted []client.Object) ([]Change, error) {
	keep := map[identity]bool{}
	for _, object := range wanted {
		id, err := a.identify(object)
		if err != nil {
			return nil, err
		}
		keep[id] = true
	}
	var unwanted []client.Object
	for _, kind := range kinds {
		objects, err := a.list(ctx, nsm, kind, labels)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			id, err := a.identify(object)
			if err != nil {
				return nil, err
			}
			if !keep[id] && object.GetDeletionTimestamp() == nil {
				unwanted = append(unwanted, object)
			}
		}
	}
	var writes writes
	prune := func(object client.Object) (*Change, error) { return a.pruneOne(ctx, object, &writes) }
	limits := slices.DeleteFunc(slices.Clone(unwanted), func(object client.Object) bool { return !isLimit(object) })
	pruned, err := a.each(slices.DeleteFunc(unwanted, isLimit), prune)
	if err == nil {
		var last []Change
		last, err = a.each(limits, prune)
		pruned = append(pruned, last...)
	}
	return pruned, errors.Join(err, a.settle(ctx, &writes))
}

// isLimit tells whether an object limits what others allow.
func isLimit(object client.Object) bool {
	switch object.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		return true
	default:
		return false
	}
}

func (a *Applier) pruneOne(ctx context.Context, object client.Object, writes *writes) (*Change, error) {
	gvk, err := apiutil.GVKForObject(object, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	id := identity{kind: gvk.Kind, namespace: object.GetNamespace(), name: object.GetName()}
	change := Change{
		Action: Pruned, APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: id.namespace, Name: id.name,
	}
	if err := a.delete(ctx, object); err != nil {
		return nil, fmt.Errorf("deleting %s: %w", change, err)
	}
	a.brake.Forget(id)
	a.inPlace.Delete(id)
	writes.addDeletion(change, object)
	return &change, nil
}

// Remaining counts the objects of the given kinds that are the NSM's own, those
// that are being deleted included.
func (a *Applier) Remaining(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []client.Object) (int, error) {
	remaining := 0
	for _, kind := range kinds {
		objects, err := a.list(ctx, nsm, kind, mesh.OwnerLabels(nsm))
		if err != nil {
			return 0, err
		}
		remaining += len(objects)
	}
	return remaining, nil
}

// list reads the objects of one kind that are the NSM's own and have the labels.
// Others with the labels are copies of the NSM's objects, and nobody's business:
// they are logged, once.
func (a *Applier) list(ctx context.Context, nsm *nsmv1beta1.NSM, kind client.Object, labels client.MatchingLabels) ([]client.Object, error) {
	gvk, err := apiutil.GVKForObject(kind, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	list, err := a.emptyList(gvk.GroupVersion().WithKind(gvk.Kind+"List"), a.isTyped(gvk))
	if err != nil {
		return nil, err
	}
	// Nobody changes them, and settle has waited for our own writes.
	if err := a.client.List(ctx, list, labels, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return nil, fmt.Errorf("listing %s: %w", gvk.Kind, err)
	}
	var objects []client.Object
	err = meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", item)
		}
		if mesh.IsOf(object, nsm) {
			objects = append(objects, object)
		} else if _, isKnown := a.copies.Get(object.GetUID()); !isKnown {
			a.copies.Add(object.GetUID(), true)
			log.FromContext(ctx).Info("Leaving alone what has the labels of the mesh and is not of it: a copy, perhaps",
				"kind", gvk.Kind, "namespace", object.GetNamespace(), "name", object.GetName())
		}
		return nil
	})
	return objects, err
}

func (a *Applier) emptyList(gvk schema.GroupVersionKind, isTyped bool) (client.ObjectList, error) {
	if !isTyped {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		return list, nil
	}
	empty, err := a.client.Scheme().New(gvk)
	if err != nil {
		return nil, err
	}
	list, ok := empty.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%T is no list", empty)
	}
	return list, nil
}

func (a *Applier) identify(object client.Object) (identity, error) {
	gvk, err := apiutil.GVKForObject(object, a.client.Scheme())
	return identity{kind: gvk.Kind, namespace: object.GetNamespace(), name: object.GetName()}, err
}
