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
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/sets"
	applyconfigurations "k8s.io/client-go/applyconfigurations"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/backoff"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// FieldOwner is our name in managedFields.
	FieldOwner = client.FieldOwner(mesh.FieldOwner)
	// parallel writes at a time: a whole mesh in one wave, and little enough for
	// the API server to share.
	parallel = 16
	// mostCopies is how many copies are remembered. Of more, some are logged again.
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
	// Recreated: it should be different in a field that cannot, or should not, change.
	Recreated Action = "Recreated"
	// Adopted: somebody else had made it for the mesh, an earlier operator, say.
	Adopted Action = "Adopted"
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

// WriteError tells which object could not be written. Its text is that of the error that it
// wraps, which names the object.
type WriteError struct {
	Change
	Err error
}

func (e *WriteError) Error() string { return e.Err.Error() }

// Unwrap returns what the API server said.
func (e *WriteError) Unwrap() error { return e.Err }

// Applier writes objects.
type Applier struct {
	// AskAgain is how long an object that is not the mesh's is taken for what it was
	// found to be. No watch tells of it: it has no label of ours.
	AskAgain time.Duration

	client client.Client
	// direct reads from the API server.
	direct    client.Reader
	clock     clock.PassiveClock
	converter managedfields.TypeConverter
	backoff   *backoff.Backoff[identity]
	// finders are the keys of the labels by which objects are found again.
	finders []string
	// inPlace holds, by identity, the objects that were seen or written: one of
	// them that is missing was deleted by somebody. The value is the comparison
	// that last found nothing to do, so that it need not be made again.
	inPlace sync.Map
	// verdicts are about what is not the mesh's, by identity.
	verdicts sync.Map
	// copies are those that were logged lately, by UID.
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
		AskAgain:  15 * time.Second,
		client:    c,
		direct:    direct,
		clock:     clock.RealClock{},
		finders:   finders,
		converter: applyconfigurations.NewTypeConverter(c.Scheme()),
		backoff:   backoff.New[identity](clock.RealClock{}),
		copies:    lru.New(mostCopies),
	}
}

// Apply makes the objects as given, except those that the survey leaves alone, and
// returns what it had to change. An object that is right already costs no request.
// Apply continues after an error, and returns all errors, joined, together with the
// changes that it made. What the API server refused is a WriteError.
func (a *Applier) Apply(ctx context.Context, survey *Survey, objects []mesh.Object) ([]Change, error) {
	// Objects that others wait for come first and bindings last, so that no object
	// takes up the slot of one that it waits for.
	a.own(objects)
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, func(one, other mesh.Object) int { return turnOf(one) - turnOf(other) })
	var policies, roles sync.WaitGroup
	for _, object := range objects {
		switch turnOf(object) {
		case networkPolicy:
			policies.Add(1)
		case role:
			roles.Add(1)
		}
	}
	var writes writes
	changes, err := a.each(objects, func(object mesh.Object) (*Change, error) {
		switch turnOf(object) {
		case networkPolicy:
			defer policies.Done()
		case role:
			defer roles.Done()
		case workload:
			policies.Wait()
		case binding:
			roles.Wait()
		}
		return a.applyOne(ctx, survey, object, &writes)
	})
	return changes, errors.Join(err, a.settle(ctx, &writes))
}

// The turns in which objects are written. The API server looks a role up when
// somebody binds it, since nobody can grant a right without having it; a pod is limited
// from its start; all else goes at once.
const (
	networkPolicy = iota
	role
	anything
	workload
	binding
)

func turnOf(object mesh.Object) int {
	switch object.(type) {
	case *networkingv1.NetworkPolicy:
		return networkPolicy
	case *rbacv1.ClusterRole, *rbacv1.Role:
		return role
	case *appsv1.DaemonSet, *appsv1.Deployment:
		return workload
	case *rbacv1.ClusterRoleBinding, *rbacv1.RoleBinding:
		return binding
	default:
		return anything
	}
}

// Contested names those of the objects that somebody else keeps changing. As
// long as there are any, Apply has to be called again after the returned time:
// it holds some of its writes back.
func (a *Applier) Contested(objects []mesh.Object) (names []string, again time.Duration) {
	for _, object := range objects {
		id, err := a.identify(object)
		if err != nil {
			continue // Apply has reported it
		}
		contested, next := a.backoff.Contested(id)
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
func (a *Applier) each(objects []mesh.Object, do func(mesh.Object) (*Change, error)) ([]Change, error) {
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

func (a *Applier) applyOne(ctx context.Context, survey *Survey, object mesh.Object, writes *writes) (*Change, error) {
	want, err := a.intentOf(survey, object)
	if err != nil {
		return nil, err
	}
	change := changeOf(want.object, Created)
	live, err := a.cached(ctx, want.object, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", change, err)
	}
	place, err := a.placeOf(ctx, survey, want, live)
	if place.isLeft || err != nil {
		return nil, err
	}
	if live != nil {
		if a.isCompared(want, live) {
			return nil, nil
		}
		// What follows writes into it. The copy has the same type.
		live, _ = live.DeepCopyObject().(client.Object)
		place.there = live
		change.Action, err = a.compare(want, live)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", change, err)
		}
	} else if _, wasInPlace := a.inPlace.Load(want.identity()); wasInPlace {
		change.Action = Repaired
	} else if place.there != nil {
		change.Action = Adopted
	}
	if change.Action == "" || a.backoff.Holds(want.identity(), want.hash) {
		return nil, nil
	}
	want.begin(live, a.clock.Now())
	answer, err := a.writeOver(ctx, survey.nsm, want, place.there, &change)
	if err != nil {
		a.addFailed(ctx, want, live, writes)
		return nil, &WriteError{Change: change, Err: err}
	}
	if err := a.checkFinders(want, answer); err != nil {
		return nil, err
	}
	a.backoff.Wrote(want.identity(), want.hash)
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
	if mesh.IsMadeAnew(there, want.object) {
		return a.recreate(ctx, want, there, change)
	}
	if mesh.HasDeadOwner(there, nsm) {
		if err := a.dropOwners(ctx, there); err != nil {
			return nil, fmt.Errorf("taking %s over from an NSM that is gone: %w", change, err)
		}
	}
	if err := a.inherit(ctx, there); err != nil {
		return nil, fmt.Errorf("taking %s over from an earlier operator: %w", change, err)
	}
	answer, err := a.write(ctx, want, there.GetUID())
	if err != nil {
		answer, err = a.overcome(ctx, want, there, change, err)
	}
	if err != nil {
		return nil, err
	}
	return a.takeFields(ctx, want, answer)
}

// checkFinders tells, of the answer to a write, that somebody has changed the labels by
// which the object is found: an admission policy or webhook. Nobody would see it
// come into the cache, and each pass writes it again.
func (a *Applier) checkFinders(want *intent, answer client.Object) error {
	for _, finder := range a.finders {
		wanted, got := want.object.GetLabels()[finder], answer.GetLabels()[finder]
		if wanted != got {
			return fmt.Errorf("%s is written with the label %s=%s, by which the operator finds it, and stored with %q in its place: "+
				"exempt objects with this label from the admission policy or webhook that changes it", changeOf(want.object, ""), finder, wanted, got)
		}
	}
	return nil
}

// isTyped reports whether a kind is one of Kubernetes' own, and not of a CRD.
func (a *Applier) isTyped(gvk schema.GroupVersionKind) bool {
	return clientgoscheme.Scheme.Recognizes(gvk)
}

// toTyped reads an object for comparison, by the schema of its kind; the lists
// of a kind of somebody else's CRD are compared as a whole.
func (a *Applier) toTyped(object client.Object, gvk schema.GroupVersionKind, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	if a.isTyped(gvk) {
		return a.converter.ObjectToTyped(object, options...)
	}
	return managedfields.NewDeducedTypeConverter().ObjectToTyped(object, options...)
}

// Cached is the object of that kind and name as the cache has it, nil where that has
// none: nobody may change it.
func (a *Applier) Cached(ctx context.Context, named mesh.Object) (mesh.Object, error) {
	live, err := a.cached(ctx, named, client.UnsafeDisableDeepCopy)
	if live == nil || err != nil {
		return nil, err
	}
	return live, nil
}

// cached reads the live object of that kind and name, nil when it is not there.
// It does not wait for writes to be seen: settle has.
func (a *Applier) cached(ctx context.Context, named mesh.Object, options ...client.GetOption) (client.Object, error) {
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
func (a *Applier) empty(named mesh.Object) (client.Object, error) {
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

// isCompared reports whether the two were compared last and found to need nothing.
func (a *Applier) isCompared(want *intent, live client.Object) bool {
	last, found := a.inPlace.Load(want.identity())
	return found && last == comparison{intent: want.hash, resourceVersion: live.GetResourceVersion()}
}

// compare is action, and remembers where there is nothing to do.
func (a *Applier) compare(want *intent, live client.Object) (Action, error) {
	action, err := a.action(want, live)
	this := comparison{}
	if action == "" && err == nil {
		this = comparison{intent: want.hash, resourceVersion: live.GetResourceVersion()}
	}
	a.inPlace.Store(want.identity(), this)
	return action, err
}

// action decides whether a live object has to be written, and why; "" is no.
func (a *Applier) action(want *intent, live client.Object) (Action, error) {
	mark := live.GetAnnotations()[mesh.AppliedAnnotation]
	deviation, err := a.deviation(want, live)
	if err != nil {
		return "", err
	}
	switch {
	case mark == want.mark(deviation):
		return "", nil
	case mark == "" || mesh.IsWrittenFrom(live, want.hash):
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
	if err := checkNotDeleting(answer); err != nil {
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

// inherit makes what an earlier operator has set of an object the operator's own to
// change: else it would stay for ever beside what is applied. Objects from the cache
// have no managed fields, and need none of this.
func (a *Applier) inherit(ctx context.Context, there client.Object) error {
	if !mesh.IsOfEarlierOperator(there) {
		return nil
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(there, sets.New(mesh.EarlierFieldOwner), string(FieldOwner))
	if err != nil || patch == nil {
		return err
	}
	return a.client.Patch(ctx, there, client.RawPatch(types.JSONPatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency)
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

func changeOf(object *unstructured.Unstructured, action Action) Change {
	return Change{Action: action, APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
}
