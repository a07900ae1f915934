// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Survey is what stands where the objects of a mesh should. Before an object is
// made, the API server is asked for it, since the cache shows only what has our
// labels. Objects that the cache shows as the mesh's own cost no request.
type Survey struct {
	nsm    *nsmv1beta1.NSM
	scheme *runtime.Scheme

	mu sync.Mutex
	// there is the metadata of objects that the cache does not show as the mesh's
	// own; nil for nothing.
	there map[identity]*metav1.PartialObjectMetadata
	// left are the objects that nothing is done about.
	left map[identity]bool
	// failed are the reads that did.
	failed map[identity]error
	// notOurs are the objects in the way, by identity.
	notOurs map[identity]NotOurs
	// again is when the first of them is looked at again.
	again time.Time
	// intents of the objects: nothing changes one that is rendered.
	intents map[mesh.Object]intent
}

// NotOurs is an object of somebody else in the place of one of the mesh.
type NotOurs struct {
	Change
	// Whose it is, as far as can be seen: a sentence.
	Whose string
}

// verdict is what was found out lately of an object that is not the mesh's.
type verdict struct {
	nsm      types.UID
	takeOver string
	until    time.Time
	whose    string
	// shared: it will do as it is.
	shared bool
}

// Survey looks at what stands where the objects should.
func (a *Applier) Survey(ctx context.Context, nsm *nsmv1beta1.NSM, objects []mesh.Object) (*Survey, error) {
	s := &Survey{
		nsm: nsm, scheme: a.client.Scheme(), there: map[identity]*metav1.PartialObjectMetadata{},
		left: map[identity]bool{}, failed: map[identity]error{}, notOurs: map[identity]NotOurs{},
		intents: map[mesh.Object]intent{},
	}
	_, err := a.each(objects, func(object mesh.Object) (*Change, error) {
		id, err := a.identify(object)
		if err != nil {
			return nil, err
		}
		live, err := a.cached(ctx, object, client.UnsafeDisableDeepCopy)
		if err != nil {
			s.fail(id, fmt.Errorf("reading %s: %w", id.change(""), err))
			return nil, nil
		}
		if live == nil || !mesh.IsOf(live, nsm) {
			a.ask(ctx, s, id, object)
		}
		return nil, nil
	})
	return s, err
}

// NotOurs are those of the objects that are in the way; none without a survey.
func (s *Survey) NotOurs(objects []mesh.Object) []NotOurs {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []NotOurs
	for _, object := range objects {
		if one, isInTheWay := s.notOurs[s.identify(object)]; isInTheWay {
			found = append(found, one)
		}
	}
	return found
}

// Finds reports whether there was something in the place of an object that is the
// mesh's to take, and that the cache did not show as the mesh's.
func (s *Survey) Finds(object mesh.Object) bool {
	if s == nil {
		return false
	}
	there, _, _ := s.answer(s.identify(object))
	return there != nil
}

// Again is when to look again at what is in the way; zero for never.
func (s *Survey) Again() time.Time {
	if s == nil {
		return time.Time{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again
}

// Leave has nothing done about objects, as about those that are not the mesh's.
func (s *Survey) Leave(objects []mesh.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, object := range objects {
		s.left[s.identify(object)] = true
	}
}

// Leaves reports whether nothing is done about an object.
func (s *Survey) Leaves(object mesh.Object) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left[s.identify(object)]
}

// identify an object of a kind that Survey has accepted.
func (s *Survey) identify(object mesh.Object) identity {
	gvk, _ := apiutil.GVKForObject(object, s.scheme)
	return identityOf(gvk, object)
}

// ask notes what the API server has in the place of an object that the cache does
// not show as the mesh's own.
func (a *Applier) ask(ctx context.Context, s *Survey, id identity, object mesh.Object) {
	known, isKnown := a.verdicts.Load(id)
	last, _ := known.(verdict)
	if !isKnown || last.nsm != s.nsm.UID || last.takeOver != s.nsm.Annotations[mesh.TakeOverAnnotation] || !a.clock.Now().Before(last.until) {
		there, judged, err := a.judge(ctx, s, object)
		if err != nil {
			s.fail(id, fmt.Errorf("looking whether there is a %s: %w", id.change(""), err))
			return
		}
		if judged == nil {
			a.verdicts.Delete(id)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.there[id] = there
			return
		}
		last = *judged
		a.verdicts.Store(id, last)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[id] = true
	if !last.shared {
		s.notOurs[id] = NotOurs{Change: id.change(""), Whose: last.whose}
		if s.again.IsZero() || last.until.Before(s.again) {
			s.again = last.until
		}
	}
}

// place is what stands where an object should: nothing, or something that is the
// mesh's and may be changed; or something to leave alone.
type place struct {
	there  client.Object
	isLeft bool
}

// placeOf an intent, of which the cache shows the live object or nil.
func (a *Applier) placeOf(ctx context.Context, s *Survey, want *intent, live client.Object) (place, error) {
	id := want.identity()
	there, isAsked, isLeft := s.answer(id)
	if !isAsked && !isLeft && s.failure(id) == nil && (live == nil || !mesh.IsOf(live, s.nsm)) {
		// It has changed since.
		a.ask(ctx, s, id, want.object)
		there, _, isLeft = s.answer(id)
	}
	switch {
	case isLeft:
		return place{isLeft: true}, nil
	case s.failure(id) != nil:
		return place{}, s.failure(id)
	case live != nil:
		return place{there: live}, nil
	case there == nil:
		return place{}, nil
	default:
		// What has all labels, and is not in the cache, is on its way there.
		return place{there: there, isLeft: mesh.IsOf(there, s.nsm) && a.checkFinders(want, there) == nil}, nil
	}
}

// answer is what was asked about an object, and found.
func (s *Survey) answer(id identity) (there *metav1.PartialObjectMetadata, isAsked, isLeft bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, isAsked = s.there[id]
	return there, isAsked, s.left[id]
}

// intentOf is an intent that was prepared before.
func (s *Survey) intentOf(object mesh.Object) (intent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, isKnown := s.intents[object]
	return known, isKnown
}

// remember an intent for the rest of the pass.
func (s *Survey) remember(object mesh.Object, prepared intent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intents[object] = prepared
}

// fail notes that nobody knows what stands in the place of an object. Nothing is
// written there; the others do not depend on it.
func (s *Survey) fail(id identity, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed[id] = err
}

func (s *Survey) failure(id identity) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[id]
}

// judge reads what stands in the place of an object: nothing, something that is or
// may become the NSM's, or, with a verdict, something that is somebody else's.
func (a *Applier) judge(ctx context.Context, s *Survey, object mesh.Object) (*metav1.PartialObjectMetadata, *verdict, error) {
	nsm := s.nsm
	want, err := a.intentOf(s, object)
	if err != nil {
		return nil, nil, err
	}
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(want.object.GroupVersionKind())
	err = a.direct.Get(ctx, client.ObjectKeyFromObject(object), there)
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	may, whose := mesh.Claim(there, nsm)
	if may {
		return there, nil, nil
	}
	now := verdict{nsm: nsm.UID, takeOver: nsm.Annotations[mesh.TakeOverAnnotation], until: a.clock.Now().Add(a.AskAgain), whose: whose}
	if !mesh.MayTakeOver(nsm) && !mesh.IsShared(there.GroupVersionKind()) {
		return nil, &now, nil
	}
	whole, err := a.empty(object)
	if err != nil {
		return nil, nil, err
	}
	if err := a.direct.Get(ctx, client.ObjectKeyFromObject(object), whole); err != nil {
		return nil, nil, err
	}
	if mesh.MayTakeOver(nsm) && mesh.IsFromManifests(whole) {
		return there, nil, nil
	}
	if mesh.IsShared(there.GroupVersionKind()) {
		now.shared, err = a.saysTheSame(want, whole)
	}
	return nil, &now, err
}

// saysTheSame reports whether a live object has all that the intent says but for
// its metadata.
func (a *Applier) saysTheSame(want *intent, live client.Object) (bool, error) {
	bare := &unstructured.Unstructured{Object: map[string]any{}}
	for field, value := range want.object.Object {
		if field != "metadata" {
			bare.Object[field] = value
		}
	}
	bare.SetName(want.object.GetName())
	deviation, err := a.deviation(&intent{object: bare}, live)
	return deviation == "", err
}
