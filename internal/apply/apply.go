// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package apply is the only place that writes the objects of a mesh. It
// compares what is wanted with the cache and writes what differs, all at once,
// by server-side apply; it recreates what is immutable and prunes what is no
// longer wanted.
//
// It reads nothing but the cache, so an object without our labels looks absent:
// applying then takes it over.
package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	applyconfigurations "k8s.io/client-go/applyconfigurations"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// FieldOwner is our name in managedFields.
	FieldOwner = client.FieldOwner("nsm-operator")
	// parallel writes at a time: a whole mesh in one wave, and little enough for
	// the API server to share.
	parallel = 16
)

// Action says what was done to an object, and why.
type Action string

// The actions.
const (
	// Created: it was not there.
	Created Action = "Created"
	// Updated: it should be different from now on.
	Updated Action = "Updated"
	// Repaired: somebody had changed it.
	Repaired Action = "Repaired"
	// Recreated: it should be different in a field that cannot change.
	Recreated Action = "Recreated"
	// Pruned: it is no longer wanted.
	Pruned Action = "Pruned"
)

// Change is one object that was written or deleted.
type Change struct {
	Action          Action
	Kind            string
	Namespace, Name string
}

// String names the object for people.
func (c Change) String() string {
	if c.Namespace == "" {
		return c.Kind + " " + c.Name
	}
	return c.Kind + " " + c.Namespace + "/" + c.Name
}

// Applier writes objects.
type Applier struct {
	client    client.Client
	converter managedfields.TypeConverter
}

// New makes an Applier. The client must read from a cache that holds every
// object with the labels of those that will be applied.
func New(c client.Client) *Applier {
	return &Applier{client: c, converter: applyconfigurations.NewTypeConverter(c.Scheme())}
}

// Apply makes the objects as they are given, and tells what it had to change.
// Objects that need nothing cost no request. It goes on after an error and
// returns all of them, joined, with the changes that were made nevertheless.
func (a *Applier) Apply(ctx context.Context, objects []client.Object) ([]Change, error) {
	var first, bindings []client.Object
	for _, object := range objects {
		// The API server looks a role up when somebody binds it: nobody may grant
		// what he has not.
		if _, isBinding := object.(*rbacv1.ClusterRoleBinding); isBinding {
			bindings = append(bindings, object)
			continue
		}
		first = append(first, object)
	}
	apply := func(object client.Object) (*Change, error) { return a.applyOne(ctx, object) }
	changes, err := a.each(first, apply)
	bound, bindingErr := a.each(bindings, apply)
	return append(changes, bound...), errors.Join(err, bindingErr)
}

// each runs do for all objects at once and collects changes and errors in the
// order of the objects.
func (a *Applier) each(objects []client.Object, do func(client.Object) (*Change, error)) ([]Change, error) {
	changes := make([]*Change, len(objects))
	errs := make([]error, len(objects))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, object := range objects {
		group.Go(func() error {
			changes[i], errs[i] = do(object)
			return nil
		})
	}
	_ = group.Wait() // the functions return no errors: they are in errs

	var made []Change
	for _, change := range changes {
		if change != nil {
			made = append(made, *change)
		}
	}
	return made, errors.Join(errs...)
}

func (a *Applier) applyOne(ctx context.Context, object client.Object) (*Change, error) {
	want, err := a.newIntent(object)
	if err != nil {
		return nil, err
	}
	change := changeOf(want.object, Created)
	live, err := a.cached(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", change, err)
	}
	if live != nil {
		change.Action, err = a.action(want, live)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", change, err)
		}
	}
	if change.Action == "" {
		return nil, nil
	}
	if err := a.write(ctx, want); err != nil {
		if live == nil || !isImmutable(err) {
			return nil, fmt.Errorf("applying %s: %w", change, err)
		}
		change.Action = Recreated
		if err := a.recreate(ctx, want, live); err != nil {
			return nil, fmt.Errorf("recreating %s: %w", change, err)
		}
	}
	return &change, nil
}

// cached reads the live object, nil when it is not there.
func (a *Applier) cached(ctx context.Context, want *intent) (client.Object, error) {
	empty, err := a.client.Scheme().New(want.object.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	live, ok := empty.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", empty)
	}
	err = a.client.Get(ctx, client.ObjectKeyFromObject(want.object), live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// action decides whether a live object has to be written, and why; "" is no.
func (a *Applier) action(want *intent, live client.Object) (Action, error) {
	mark := live.GetAnnotations()[Annotation]
	deviation, err := a.deviation(want, live)
	if err != nil {
		return "", err
	}
	switch {
	case mark == want.mark(deviation):
		return "", nil
	case want.isOf(mark) || mark == "":
		return Repaired, nil
	default:
		return Updated, nil
	}
}

// write applies the intent. Where the answer differs from it, because an
// admission webhook or the API server itself changed our fields, the mark
// remembers how, so that the difference is not taken for somebody's meddling
// for ever after.
func (a *Applier) write(ctx context.Context, want *intent) error {
	answer, err := a.send(ctx, want.marked(""))
	if err != nil {
		return err
	}
	deviation, err := a.deviation(want, answer)
	if err != nil || deviation == "" {
		return err
	}
	_, err = a.send(ctx, want.marked(deviation))
	return err
}

// send applies an object and returns the answer. It goes through the kind's own
// apply configuration, so that the client knows the write as one of the typed
// objects that the cache holds.
func (a *Applier) send(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	gvk := object.GroupVersionKind()
	configuration, ok := applyconfigurations.ForKind(gvk).(runtime.ApplyConfiguration)
	if !ok {
		return nil, fmt.Errorf("%s has no apply configuration", gvk)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, configuration); err != nil {
		return nil, err
	}
	if err := a.client.Apply(ctx, configuration, FieldOwner, client.ForceOwnership); err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(configuration)
	return &unstructured.Unstructured{Object: content}, err
}

// recreate deletes the live object, whose pods go with it, and makes it anew.
func (a *Applier) recreate(ctx context.Context, want *intent, live client.Object) error {
	if err := a.delete(ctx, live); err != nil {
		return err
	}
	return a.write(ctx, want)
}

// delete deletes exactly the object that was seen.
func (a *Applier) delete(ctx context.Context, live client.Object) error {
	err := a.client.Delete(ctx, live,
		client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: ptr.To(live.GetUID())})
	return client.IgnoreNotFound(err)
}

// isImmutable tells whether the API server refused a write for nothing but
// fields that cannot change. It has no code for that, only these words.
func isImmutable(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	causes := status.Status().Details.Causes
	for _, cause := range causes {
		if !strings.Contains(cause.Message, "immutable") && !strings.Contains(cause.Message, "cannot change") {
			return false
		}
	}
	return len(causes) > 0
}

func changeOf(object *unstructured.Unstructured, action Action) Change {
	return Change{Action: action, Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
}
