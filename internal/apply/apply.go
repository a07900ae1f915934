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
// The cache shows only what has our labels. So before an object is made, Survey
// asks the API server whether something stands in its place; what is somebody
// else's is left alone.
//
// It does not fight: an object that somebody else keeps changing is put right
// again at once a few times, and then with growing pauses.
package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	applyconfigurations "k8s.io/client-go/applyconfigurations"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/brake"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// FieldOwner is our name in managedFields.
	FieldOwner = client.FieldOwner(mesh.FieldOwner)
	// parallel writes at a time: a whole mesh in one wave, and little enough for
	// the API server to share.
	parallel = 16
	// mostCopies is how many copies are remembered. Of more, some are told again.
	mostCopies = 1024
)

// Action says what was done to an object, and why.
type Action string

// The actions.
const (
	// Created: it was not there.
	Created Action = "Created"
	// Updated: it should be different from now on.
	Updated Action = "Updated"
	// Repaired: somebody had changed or deleted it.
	Repaired Action = "Repaired"
	// Recreated: it should be different in a field that cannot change.
	Recreated Action = "Recreated"
	// Pruned: it is no longer wanted.
	Pruned Action = "Pruned"
)

// Change is one object that was written or deleted.
type Change struct {
	Action           Action
	APIVersion, Kind string
	Namespace, Name  string
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
	client client.Client
	// direct reads from the API server.
	direct    client.Reader
	clock     clock.PassiveClock
	converter managedfields.TypeConverter
	brake     *brake.Brake[identity]
	// finders are the keys of the labels by which objects are found again.
	finders []string
	// inPlace holds, by identity, the objects that were seen or written: one of
	// them that is missing was deleted by somebody. The value is the comparison
	// that last found nothing to do, so that it need not be made again.
	inPlace sync.Map
	// verdicts are about what is not the mesh's, by identity.
	verdicts sync.Map
	// copies are those that were told in the log lately, by UID.
	copies *lru.Cache
	// owners holds, by identity, the labels that tell whose an object is.
	owners sync.Map
}

// comparison names the two that were compared.
type comparison struct {
	intent, resourceVersion string
}

// New makes an Applier. The client must read from a cache that holds every
// object with the labels of those that will be applied; finders are the keys of
// those labels by which the cache, and others, find them again. The other reader
// asks the API server, for what the cache does not show.
func New(c client.Client, direct client.Reader, finders ...string) *Applier {
	return &Applier{
		client:    c,
		direct:    direct,
		clock:     clock.RealClock{},
		finders:   finders,
		converter: applyconfigurations.NewTypeConverter(c.Scheme()),
		brake:     brake.New[identity](clock.RealClock{}),
		copies:    lru.New(mostCopies),
	}
}

// Apply makes the objects as they are given, but for those that the survey leaves
// alone, and tells what it had to change. Objects that need nothing cost no
// request. It goes on after an error and returns all of them, joined, with the
// changes that were made nevertheless.
func (a *Applier) Apply(ctx context.Context, survey *Survey, objects []client.Object) ([]Change, error) {
	// Roles come first and bindings last, so that no binding takes the place of a
	// role that it waits for.
	a.own(objects)
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, func(one, other client.Object) int { return turnOf(one) - turnOf(other) })
	var roles sync.WaitGroup
	for _, object := range objects {
		if turnOf(object) == role {
			roles.Add(1)
		}
	}
	var writes writes
	changes, err := a.each(objects, func(object client.Object) (*Change, error) {
		switch turnOf(object) {
		case role:
			defer roles.Done()
		case binding:
			roles.Wait()
		}
		return a.applyOne(ctx, survey, object, &writes)
	})
	return changes, errors.Join(err, a.settle(ctx, &writes))
}

// The turns in which objects are written. The API server looks a role up when
// somebody binds it, since nobody can grant a right without having it; all else
// goes at once.
const (
	role = iota
	anything
	binding
)

func turnOf(object client.Object) int {
	switch object.(type) {
	case *rbacv1.ClusterRole, *rbacv1.Role:
		return role
	case *rbacv1.ClusterRoleBinding, *rbacv1.RoleBinding:
		return binding
	default:
		return anything
	}
}

// Contested names those of the objects that somebody else keeps changing. As
// long as there are any, Apply has to be called again after the returned time:
// it holds some of its writes back.
func (a *Applier) Contested(objects []client.Object) (names []string, again time.Duration) {
	for _, object := range objects {
		id, err := a.identify(object)
		if err != nil {
			continue // Apply has told about it
		}
		contested, next := a.brake.Contested(id)
		if !contested {
			continue
		}
		names = append(names, Change{Kind: id.kind, Namespace: id.namespace, Name: id.name}.String())
		if again == 0 || next < again {
			again = next
		}
	}
	return names, again
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

func (a *Applier) applyOne(ctx context.Context, survey *Survey, object client.Object, writes *writes) (*Change, error) {
	want, err := a.newIntent(object)
	if err != nil {
		return nil, err
	}
	change := changeOf(want.object, Created)
	live, err := a.cached(ctx, want.object)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", change, err)
	}
	place, err := a.placeOf(ctx, survey, want, live)
	if place.isLeft || err != nil {
		return nil, err
	}
	if live != nil {
		change.Action, err = a.actionOnce(want, live)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", change, err)
		}
	} else if _, wasInPlace := a.inPlace.Load(want.identity()); wasInPlace {
		change.Action = Repaired
	}
	if change.Action == "" || a.brake.Holds(want.identity(), want.hash) {
		return nil, nil
	}
	answer, err := a.writeOver(ctx, survey.nsm, want, place.there, &change)
	if err != nil {
		return nil, err
	}
	if err := a.isLost(want, answer); err != nil {
		return nil, err
	}
	a.brake.Wrote(want.identity(), want.hash)
	a.inPlace.Store(want.identity(), comparison{})
	writes.add(want, live, answer)
	return &change, nil
}

// writeOver writes the intent over what is there, which is the mesh's, or makes it
// where nothing is.
func (a *Applier) writeOver(ctx context.Context, nsm *nsmv1beta1.NSM, want *intent, there client.Object, change *Change) (client.Object, error) {
	if there == nil {
		answer, err := a.create(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("creating %s: %w", change, err)
		}
		return answer, nil
	}
	if mesh.HasDeadOwner(there, nsm) {
		if err := a.dropOwners(ctx, there); err != nil {
			return nil, fmt.Errorf("taking %s over from an NSM that is gone: %w", change, err)
		}
	}
	answer, err := a.write(ctx, want, there.GetUID())
	if err != nil {
		return a.overcome(ctx, want, there, change, err)
	}
	return answer, nil
}

// isLost tells, of the answer to a write, that somebody has changed the labels by
// which the object is found: an admission policy or webhook. Nobody would see it
// come into the cache, and each pass writes it again.
func (a *Applier) isLost(want *intent, answer client.Object) error {
	for _, finder := range a.finders {
		wanted, got := want.object.GetLabels()[finder], answer.GetLabels()[finder]
		if wanted != got {
			return fmt.Errorf("%s is written with the label %s=%s, by which the operator finds it, and stored with %q in its place: "+
				"exempt objects with this label from the admission policy or webhook that changes it", changeOf(want.object, ""), finder, wanted, got)
		}
	}
	return nil
}

// isTyped tells whether a kind is one of Kubernetes' own, and not of a CRD.
func (a *Applier) isTyped(gvk schema.GroupVersionKind) bool {
	return applyconfigurations.ForKind(gvk) != nil
}

// toTyped reads an object for comparison, by the schema of its kind; the lists
// of a kind of somebody else's CRD are compared as a whole.
func (a *Applier) toTyped(object client.Object, gvk schema.GroupVersionKind, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	if a.isTyped(gvk) {
		return a.converter.ObjectToTyped(object, options...)
	}
	return managedfields.NewDeducedTypeConverter().ObjectToTyped(object, options...)
}

// cached reads the live object of that kind and name, nil when it is not there.
// It does not wait for writes to be seen: settle has.
func (a *Applier) cached(ctx context.Context, named client.Object, options ...client.GetOption) (client.Object, error) {
	live, err := a.empty(named)
	if err != nil {
		return nil, err
	}
	options = append(options, client.DisableReadYourWritesConsistency)
	err = a.client.Get(ctx, client.ObjectKeyFromObject(named), live, options...)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}

// empty is an object with nothing but the name of another: of the kind's own
// type, or unstructured for a kind of somebody else's CRD.
func (a *Applier) empty(named client.Object) (client.Object, error) {
	var object client.Object
	gvk, err := apiutil.GVKForObject(named, a.client.Scheme())
	if err != nil {
		return nil, err
	}
	if a.isTyped(gvk) {
		empty, err := a.client.Scheme().New(gvk)
		if err != nil {
			return nil, err
		}
		var isObject bool
		if object, isObject = empty.(client.Object); !isObject {
			return nil, fmt.Errorf("%T is no object", empty)
		}
	} else {
		foreign := &unstructured.Unstructured{}
		foreign.SetGroupVersionKind(gvk)
		object = foreign
	}
	object.SetNamespace(named.GetNamespace())
	object.SetName(named.GetName())
	return object, nil
}

// actionOnce is action, without comparing again what was found right before.
func (a *Applier) actionOnce(want *intent, live client.Object) (Action, error) {
	this := comparison{intent: want.hash, resourceVersion: live.GetResourceVersion()}
	if last, found := a.inPlace.Load(want.identity()); found && last == this {
		return "", nil
	}
	action, err := a.action(want, live)
	if action != "" || err != nil {
		this = comparison{}
	}
	a.inPlace.Store(want.identity(), this)
	return action, err
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

// create makes an object that was not there a moment ago. Somebody else may have
// made one meanwhile, and server-side apply cannot say that there must be none. So
// it changes nothing that others have set, and if it turns out that the object is
// not new, takes back what it has added.
func (a *Applier) create(ctx context.Context, want *intent) (client.Object, error) {
	answer, err := a.send(ctx, want.marked(""))
	if apierrors.IsConflict(err) {
		return nil, fmt.Errorf("somebody else created it at the same moment: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if err := isGoing(answer); err != nil {
		return nil, err
	}
	// A status is no sign that somebody else has made the object.
	others := slices.DeleteFunc(slices.Clone(answer.GetManagedFields()), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == mesh.FieldOwner || entry.Subresource != ""
	})
	if len(others) > 0 {
		bare := &unstructured.Unstructured{}
		bare.SetGroupVersionKind(want.object.GroupVersionKind())
		bare.SetNamespace(want.object.GetNamespace())
		bare.SetName(want.object.GetName())
		bare.SetUID(answer.GetUID())
		_, err := a.send(ctx, bare)
		return nil, errors.Join(fmt.Errorf("%s created it at the same moment", others[0].Manager), err)
	}
	return a.remember(ctx, want, answer)
}

// write applies the intent to the object with the UID, over whatever others have
// set, and returns what came of it.
func (a *Applier) write(ctx context.Context, want *intent, uid types.UID) (client.Object, error) {
	marked := want.marked("")
	marked.SetUID(uid)
	answer, err := a.send(ctx, marked, client.ForceOwnership)
	if err != nil {
		return nil, err
	}
	return a.remember(ctx, want, answer)
}

// remember writes into the mark how the answer to a write differs from the intent,
// because an admission webhook or the API server itself changed our fields, so
// that the difference is not taken for somebody's meddling for ever after.
func (a *Applier) remember(ctx context.Context, want *intent, answer client.Object) (client.Object, error) {
	deviation, err := a.deviation(want, answer)
	if err != nil || deviation == "" {
		return answer, err
	}
	marked := want.marked(deviation)
	marked.SetUID(answer.GetUID())
	return a.send(ctx, marked, client.ForceOwnership)
}

// dropOwners takes the controller off an object that is gone, so that another can
// be set: an object has one at most.
func (a *Applier) dropOwners(ctx context.Context, live client.Object) error {
	owners := slices.DeleteFunc(slices.Clone(live.GetOwnerReferences()), func(owner metav1.OwnerReference) bool {
		return ptr.Deref(owner.Controller, false)
	})
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": live.GetUID(), "resourceVersion": live.GetResourceVersion(), "ownerReferences": owners,
	}})
	if err != nil {
		return err
	}
	return a.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency)
}

// send applies an object and returns the answer, of the kind's own type where
// there is one: fields that only a newer API server knows are left out of it.
func (a *Applier) send(ctx context.Context, object *unstructured.Unstructured, options ...client.ApplyOption) (client.Object, error) {
	answer := object.DeepCopy()
	options = append(options, FieldOwner, client.DisableReadYourWritesConsistency)
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(answer), options...); err != nil {
		return nil, err
	}
	typedAnswer, err := a.empty(object)
	if err != nil {
		return nil, err
	}
	return typedAnswer, runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, typedAnswer)
}

// overcome deals with a write that the API server refused: where the live
// object stands in the way, it goes, as a whole or in part.
func (a *Applier) overcome(ctx context.Context, want *intent, live client.Object, change *Change, refused error) (client.Object, error) {
	if isImmutable(refused) {
		change.Action = Recreated
		answer, err := a.recreate(ctx, want, live)
		if err != nil {
			return nil, fmt.Errorf("recreating %s: %w", change, err)
		}
		return answer, nil
	}
	if apierrors.IsInvalid(refused) {
		if answer, err := a.replaceSpec(ctx, want, live); err == nil {
			return answer, nil
		}
	}
	return nil, fmt.Errorf("applying %s: %w", change, refused)
}

// replaceSpec writes our spec over the live one, lists as a whole, and applies
// it then. Applying alone keeps what somebody put into a list beside ours, even
// when the two together are not valid: a second port of a Service with the name
// of ours.
func (a *Applier) replaceSpec(ctx context.Context, want *intent, live client.Object) (client.Object, error) {
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

// recreate deletes the live object, whose pods go with it, and makes it anew.
func (a *Applier) recreate(ctx context.Context, want *intent, live client.Object) (client.Object, error) {
	if err := a.delete(ctx, live); err != nil {
		return nil, err
	}
	left, err := a.empty(live)
	if err != nil {
		return nil, err
	}
	err = a.direct.Get(ctx, client.ObjectKeyFromObject(live), left)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if err := isGoing(left); err != nil {
		return nil, err
	}
	return a.create(ctx, want)
}

// isGoing tells, by an error, that an object is being deleted, and what holds it:
// until it has gone another cannot be made.
func isGoing(object client.Object) error {
	if object.GetDeletionTimestamp() == nil {
		return nil
	}
	return fmt.Errorf("the old one is still being deleted: its finalizers hold it: %s", strings.Join(object.GetFinalizers(), ", "))
}

// delete deletes exactly the object that was seen.
func (a *Applier) delete(ctx context.Context, live client.Object) error {
	err := a.client.Delete(ctx, live,
		client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: ptr.To(live.GetUID())},
		client.DisableReadYourWritesConsistency)
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
	return Change{Action: action, APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
}
