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
	"strings"

	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
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

// Prune deletes the objects of the given kinds that are the NSM's own, match the
// selector, and are not among the wanted ones. It returns what it deleted. A kind that
// cannot be listed does not keep the objects of the others. What limits others goes
// when they are gone, and stays as long as one of them cannot be deleted.
func (a *Applier) Prune(ctx context.Context, nsm *nsmv1beta1.NSM, kinds []mesh.Object, which labels.Selector, wanted []mesh.Object) ([]Change, error) {
	keep := map[identity]bool{}
	for _, object := range wanted {
		id, err := a.identify(object)
		if err != nil {
			return nil, err
		}
		keep[id] = true
	}
	var (
		unwanted []mesh.Object
		unread   []error
	)
	for _, kind := range kinds {
		objects, err := a.list(ctx, nsm, kind, which)
		if err != nil {
			unread = append(unread, err)
			continue
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
	prune := func(object mesh.Object) (*Change, error) { return a.pruneOne(ctx, object, &writes) }
	limits := slices.DeleteFunc(slices.Clone(unwanted), func(object mesh.Object) bool { return !isLimit(object) })
	pruned, err := a.each(slices.DeleteFunc(unwanted, isLimit), prune)
	if err = errors.Join(append(unread, err)...); err == nil {
		var last []Change
		last, err = a.each(limits, prune)
		pruned = append(pruned, last...)
	}
	return pruned, errors.Join(err, a.settle(ctx, &writes))
}

// isLimit reports whether an object limits what others allow.
func isLimit(object mesh.Object) bool {
	switch object.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		return true
	default:
		return false
	}
}

func (a *Applier) pruneOne(ctx context.Context, object mesh.Object, writes *writes) (*Change, error) {
	gvk, err := apiutil.GVKForObject(object, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	id := identityOf(gvk, object)
	change := Change{
		Action: Pruned, APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: id.namespace, Name: id.name,
	}
	if err := a.delete(ctx, object); err != nil {
		return nil, fmt.Errorf("deleting %s: %w", change, err)
	}
	a.backoff.Forget(id)
	a.inPlace.Delete(id)
	writes.addDeletion(change, object)
	return &change, nil
}

// DeleteExactly deletes objects that no cache may have, so that nobody waits to see them go:
// those that were seen, and no others of their names. What has gone already is no failure.
// It deletes as many as it can, and returns the first error.
func (a *Applier) DeleteExactly(ctx context.Context, objects ...mesh.Object) error {
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, object := range objects {
		group.Go(func() error {
			name := mesh.KindOf(object) + " " + strings.TrimPrefix(client.ObjectKeyFromObject(object).String(), "/")
			err := a.delete(ctx, object)
			if apierrors.IsConflict(err) {
				return nil // another object has its name now
			}
			if err != nil {
				return fmt.Errorf("deleting %s: %w", name, err)
			}
			log.FromContext(ctx).Info("Deleted", "object", name)
			return nil
		})
	}
	return group.Wait()
}

// Own are the objects of the given kinds that are the NSM's own, those that are being
// deleted included, as the cache has them: nobody may change them.
func (a *Applier) Own(ctx context.Context, nsm *nsmv1beta1.NSM, kinds ...mesh.Object) ([]mesh.Object, error) {
	var own []mesh.Object
	for _, kind := range kinds {
		objects, err := a.list(ctx, nsm, kind, labels.SelectorFromSet(mesh.OwnerLabels(nsm)))
		if err != nil {
			return nil, err
		}
		own = append(own, objects...)
	}
	return own, nil
}

// list reads the objects of one kind that are the NSM's own and have the labels.
// Others with the labels are copies of the NSM's objects, and nobody's business:
// they are logged, once.
func (a *Applier) list(ctx context.Context, nsm *nsmv1beta1.NSM, kind mesh.Object, which labels.Selector) ([]mesh.Object, error) {
	gvk, err := apiutil.GVKForObject(kind, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	list, err := a.emptyList(gvk)
	if err != nil {
		return nil, err
	}
	// Nobody changes them, and settle has waited for our own writes.
	if err := a.client.List(ctx, list, client.MatchingLabelsSelector{Selector: which}, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return nil, fmt.Errorf("listing %s: %w", gvk.Kind, err)
	}
	var objects []mesh.Object
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

func (a *Applier) emptyList(gvk schema.GroupVersionKind) (client.ObjectList, error) {
	if !a.isTyped(gvk) {
		return mesh.EmptyList(gvk), nil
	}
	empty, err := a.client.Scheme().New(mesh.ListKind(gvk))
	if err != nil {
		return nil, err
	}
	list, ok := empty.(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%T is no list", empty)
	}
	return list, nil
}

func (a *Applier) identify(object mesh.Object) (identity, error) {
	gvk, err := apiutil.GVKForObject(object, a.client.Scheme())
	return identityOf(gvk, object), err
}

func identityOf(gvk schema.GroupVersionKind, object client.Object) identity {
	return identity{kind: gvk.Kind, namespace: object.GetNamespace(), name: object.GetName()}
}
