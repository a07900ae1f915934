// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// kept is what the cache keeps of an NSM. client-go calls a transform twice for one
// object, and that must make no difference.
func kept(t *testing.T, nsm *nsmv1beta1.NSM) *nsmv1beta1.NSM {
	t.Helper()
	nsm = nsm.DeepCopy()
	if _, err := abridge(nsm); err != nil {
		t.Fatal(err)
	}
	again := nsm.DeepCopy()
	if _, err := abridge(again); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(nsm, again); difference != "" {
		t.Errorf("the second time something else is kept:\n%s", difference)
	}
	return nsm
}

// largeSpec uses what the schema allows: lists and maps that are full, of long texts.
func largeSpec() nsmv1beta1.NSMSpec {
	texts := func(length int) map[string]string {
		all := map[string]string{}
		for n := range 64 {
			all[fmt.Sprint("example.com/key-", n)] = strings.Repeat("x", length)
		}
		return all
	}
	component := nsmv1beta1.ComponentSpec{Labels: texts(63), Annotations: texts(1000), PodLabels: texts(63), PodAnnotations: texts(1000), NodeSelector: texts(63)}
	for n := range 64 {
		component.Env = append(component.Env, corev1.EnvVar{Name: fmt.Sprint("NAME_", n), Value: strings.Repeat("y", 1000)})
	}
	spec := nsmv1beta1.NSMSpec{
		Labels: texts(63), Annotations: texts(1000), PodLabels: texts(63), PodAnnotations: texts(1000),
		Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: component},
	}
	for n := range 16 {
		spec.Forwarders = append(spec.Forwarders, nsmv1beta1.ForwarderSpec{
			Name: fmt.Sprint("forwarder-", n), Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: component,
		})
	}
	return spec
}

// TestALargeNSMTakesLittleOfTheCache: however much an NSM holds, and wherever, ten
// thousand of them have room.
func TestALargeNSMTakesLittleOfTheCache(t *testing.T) {
	large := strings.Repeat("x", 250<<10)
	manyOwners := make([]metav1.OwnerReference, 1000)
	for n := range manyOwners {
		manyOwners[n] = metav1.OwnerReference{Kind: "Kind", Name: fmt.Sprint("owner-", n)}
	}
	onSixteenKindsOfNodes := nsmv1beta1.NSMSpec{PodAnnotations: map[string]string{"note": large}}
	for n := range 16 {
		forwarder := nsmv1beta1.ForwarderSpec{Name: fmt.Sprint("forwarder-", n), Type: nsmv1beta1.ForwarderTypeOVS}
		forwarder.NodeSelector = map[string]string{"example.com/kind-of-node": fmt.Sprint("kind-", n)}
		onSixteenKindsOfNodes.Forwarders = append(onSixteenKindsOfNodes.Forwarders, forwarder)
	}
	for name, tc := range map[string]struct {
		nsm nsmv1beta1.NSM
		// most is what it may take, in bytes.
		most int
	}{
		"managed fields":            {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(large)}}}}, 700},
		"labels":                    {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": large}}}, 700},
		"owners":                    {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{OwnerReferences: manyOwners}}, 700},
		"annotations":               {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: large}}}, 700},
		"take-over with nonsense":   {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{mesh.TakeOverAnnotation: large}}}, 700},
		"conversion's annotation":   {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{conversion.Annotation: large}}}, 1100},
		"one that looks abridged":   {nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{conversion.Annotation: abridgedMark + large}}}, 1100},
		"the spec":                  {nsmv1beta1.NSM{Spec: largeSpec()}, 1100},
		"many node selectors":       {nsmv1beta1.NSM{Spec: onSixteenKindsOfNodes}, mostCached + 1100},
		"a value of the wrong type": {nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{Unreadable: map[string]json.RawMessage{"nsmgr": json.RawMessage(large)}}}, 1100},
		"as much as is kept whole": {nsmv1beta1.NSM{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{conversion.Annotation: strings.Repeat("x", mostCached-500)}},
			Spec:       nsmv1beta1.NSMSpec{Version: "v1.18.0"},
		}, mostCached + 1100},
	} {
		t.Run(name, func(t *testing.T) {
			if size := sizeOf(reflect.ValueOf(kept(t, &tc.nsm)).Elem()); size > tc.most {
				t.Errorf("takes %d bytes, and should take at most %d", size, tc.most)
			}
		})
	}
}

func TestASmallNSMIsCachedAsItIs(t *testing.T) {
	nsm := &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "nsm", Name: "mesh", UID: "1", ResourceVersion: "2", Generation: 3, Finalizers: []string{Finalizer, "example.com/other"},
			Annotations: map[string]string{
				mesh.TakeOverAnnotation: mesh.TakeOverValue, conversion.Annotation: `{"v1alpha1":{"spec":{"size":3}}}`,
			},
		},
		Spec:   nsmv1beta1.NSMSpec{Version: "v1.18.0", PodLabels: map[string]string{"team": "network"}, Nsmgr: &nsmv1beta1.NsmgrSpec{}},
		Status: nsmv1beta1.NSMStatus{Version: "v1.18.0"},
	}
	if difference := cmp.Diff(nsm, kept(t, nsm)); difference != "" {
		t.Error(difference)
	}
}

// TestAChangeOfWhatIsNotCachedIsSeen: what wakes the loop, and has it read again, is
// the generation for the spec and the annotation's value for itself.
func TestAChangeOfWhatIsNotCachedIsSeen(t *testing.T) {
	g := NewWithT(t)
	with := func(value string) *nsmv1beta1.NSM {
		return kept(t, &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{conversion.Annotation: value}}})
	}
	large := strings.Repeat("x", 2*mostCached)
	g.Expect(isAbridged(with(large))).To(BeTrue())
	g.Expect(versionIn(with(large))).To(Equal(versionIn(with(large))))
	g.Expect(versionIn(with(large))).NotTo(Equal(versionIn(with(large + "y"))))
	g.Expect(with(large).Annotations).NotTo(Equal(with(large + "y").Annotations))
	g.Expect(isAbridged(with("small"))).To(BeFalse())
}

// TestListsAreReadInSmallPages: an API server that does not stream a list is never
// asked for more than a page of it.
func TestListsAreReadInSmallPages(t *testing.T) {
	g := NewWithT(t)
	var asked []metav1.ListOptions
	server := &toolscache.ListWatch{ListWithContextFunc: func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
		asked = append(asked, options)
		page := &nsmv1beta1.NSMList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
		if len(asked) < 3 {
			page.Continue, page.RemainingItemCount = fmt.Sprint("page-", len(asked)), ptr.To(int64(1))
		}
		page.Items = append(page.Items, nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprint("mesh-", len(asked)), Labels: map[string]string{"a": "b"},
		}})
		return page, nil
	}}
	listed, err := listInPages(t.Context(), server, metav1.ListOptions{ResourceVersion: "0", TimeoutSeconds: ptr.To(int64(5))})
	g.Expect(err).NotTo(HaveOccurred())
	page := func(from string) metav1.ListOptions {
		return metav1.ListOptions{Limit: nsmPage, Continue: from, TimeoutSeconds: ptr.To(int64(5))}
	}
	g.Expect(asked).To(Equal([]metav1.ListOptions{page(""), page("page-1"), page("page-2")}))
	all := listed.(*nsmv1beta1.NSMList) //nolint:forcetypeassert // nothing else is listed
	g.Expect(all.ListMeta).To(Equal(metav1.ListMeta{ResourceVersion: "7"}))
	g.Expect(all.Items).To(HaveLen(3))
	g.Expect(all.Items[2].Name).To(Equal("mesh-3"))
	g.Expect(all.Items[2].Labels).To(BeNil(), "each page is abridged before the next one is read")
}
