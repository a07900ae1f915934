// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// chronicle is what becomes of NSMs and workloads, in the order in which it is stored.
// Each state is that of all of them at one moment, whatever the operator has heard of it.
type chronicle struct {
	mu     sync.Mutex
	events []happening
	stop   func()
}

// happening is a change of one object.
type happening struct {
	version uint64
	isGone  bool
	object  client.Object
}

// chronicled begins a chronicle.
func chronicled(ctx context.Context) *chronicle {
	GinkgoHelper()
	c := &chronicle{}
	var watchers []watch.Interface
	for _, list := range []client.ObjectList{&nsmv1beta1.NSMList{}, &appsv1.DaemonSetList{}, &appsv1.DeploymentList{}} {
		watcher, err := adminWatch.Watch(ctx, list)
		Expect(err).NotTo(HaveOccurred())
		watchers = append(watchers, watcher)
		go func() {
			for event := range watcher.ResultChan() {
				c.add(event)
			}
		}()
	}
	c.stop = func() {
		for _, watcher := range watchers {
			watcher.Stop()
		}
	}
	return c
}

func (c *chronicle) add(event watch.Event) {
	object, isObject := event.Object.(client.Object)
	if !isObject {
		return
	}
	version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, happening{version: version, isGone: event.Type == watch.Deleted, object: object})
}

// of the namespace of an NSM: what has happened there up to now, in order. All that there
// is now has been told of as it is now; nothing may be on its way any more.
func (c *chronicle) of(ctx context.Context, nsm *nsmv1beta1.NSM) []happening {
	GinkgoHelper()
	var events []happening
	Eventually(func(g Gomega) {
		events = c.in(nsm.Namespace)
		g.Expect(versionsOf(stateAfter(events))).To(Equal(versionsOf(liveIn(ctx, nsm.Namespace))), "the watches have told all")
	}).Should(Succeed())
	return events
}

// in a namespace: what the watches have told so far.
func (c *chronicle) in(namespace string) []happening {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := slices.DeleteFunc(slices.Clone(c.events), func(one happening) bool { return one.object.GetNamespace() != namespace })
	slices.SortStableFunc(events, func(a, b happening) int { return cmp.Compare(a.version, b.version) })
	return events
}

// liveIn a namespace is what a chronicle is of.
func liveIn(ctx context.Context, namespace string) map[string]client.Object {
	GinkgoHelper()
	state := map[string]client.Object{}
	for _, kind := range []client.Object{&nsmv1beta1.NSM{}, &appsv1.DaemonSet{}, &appsv1.Deployment{}} {
		for _, object := range listed(ctx, admin, kind, client.InNamespace(namespace)) {
			happening{object: object}.in(state)
		}
	}
	return state
}

func versionsOf(state map[string]client.Object) map[string]string {
	versions := map[string]string{}
	for name, object := range state {
		versions[name] = object.GetResourceVersion()
	}
	return versions
}

func stateAfter(events []happening) map[string]client.Object {
	state := map[string]client.Object{}
	for _, one := range events {
		one.in(state)
	}
	return state
}

// in a state, it happens.
func (h happening) in(state map[string]client.Object) {
	name := mesh.KindOf(h.object) + " " + h.object.GetName()
	if h.isGone {
		delete(state, name)
		return
	}
	state[name] = h.object
}

// expectOrder expects of all that has happened to a mesh that no status said of a part of
// it that it is ready, or that the mesh is Available, while a workload of that was not, and
// that no workload changed to another release before those whose turn comes before were
// ready with it.
func expectOrder(events []happening, why string) {
	GinkgoHelper()
	state := map[string]client.Object{}
	for _, one := range events {
		before := state[mesh.KindOf(one.object)+" "+one.object.GetName()]
		one.in(state)
		if one.isGone || before == nil {
			continue
		}
		if now, isNSM := one.object.(*nsmv1beta1.NSM); isNSM {
			was, _ := before.(*nsmv1beta1.NSM)
			if !equality.Semantic.DeepEqual(was.Status, now.Status) {
				expectTruth(state, now, why)
			}
			continue
		}
		release := one.object.GetLabels()[mesh.LabelVersion]
		if from := before.GetLabels()[mesh.LabelVersion]; isOfChronicle(one.object) && isOfChronicle(before) && from != release {
			isBefore := func(other client.Object) bool { return turnOf(other) < turnOf(one.object) }
			Expect(notReadyIn(state, isBefore)).To(BeEmpty(), why+": "+one.object.GetName()+" waits for them")
			for name, other := range state {
				if isOfChronicle(other) && isBefore(other) {
					Expect(other.GetLabels()).To(HaveKeyWithValue(mesh.LabelVersion, release), why+": "+one.object.GetName()+" waits for "+name)
				}
			}
		}
	}
}

// expectTruth expects that what an NSM says is ready is so at that moment.
func expectTruth(state map[string]client.Object, nsm *nsmv1beta1.NSM, why string) {
	GinkgoHelper()
	why += ", generation " + strconv.FormatInt(nsm.Generation, 10) + ", status " + asJSON(nsm.Status)
	if isAvailableNow(nsm) {
		Expect(notReadyIn(state, nil)).To(BeEmpty(), why+": it is Available only if all is ready")
	}
	for _, concern := range mesh.Concerns() {
		if meta.IsStatusConditionTrue(nsm.Status.Conditions, concern.Condition) {
			Expect(partOf(state, concern)).NotTo(BeEmpty(), why+": "+concern.Condition+" is about something")
			Expect(notReadyIn(state, isOf(concern))).To(BeEmpty(), why+": "+concern.Condition+" only if they are ready")
		}
	}
}

// expectAgreement expects that an NSM says of each part of its mesh that it is ready if it
// is, and nothing of a part that there is not. That is so once the operator is at rest.
func expectAgreement(events []happening, why string) {
	GinkgoHelper()
	state := stateAfter(events)
	for _, object := range state {
		nsm, isNSM := object.(*nsmv1beta1.NSM)
		if !isNSM {
			continue
		}
		expectTruth(state, nsm, why)
		for _, concern := range mesh.Concerns() {
			said := "nothing"
			if found := meta.FindStatusCondition(nsm.Status.Conditions, concern.Condition); found != nil {
				said = string(found.Status)
			}
			switch {
			case len(partOf(state, concern)) == 0:
				Expect(said).To(Equal("nothing"), why+": "+concern.Condition+" is about nothing")
			case len(notReadyIn(state, isOf(concern))) == 0:
				Expect(said).To(Equal("True"), why+": "+concern.Condition+", since all is ready")
			default:
				Expect(said).To(Equal("False"), why+": "+concern.Condition+", since not all is ready")
			}
		}
	}
}

// partOf a state is what a concern is about.
func partOf(state map[string]client.Object, concern mesh.Concern) []string {
	var names []string
	for name, object := range state {
		if isOfChronicle(object) && isOf(concern)(object) {
			names = append(names, name)
		}
	}
	return names
}

func isOf(concern mesh.Concern) func(client.Object) bool {
	return func(workload client.Object) bool {
		return workload.GetLabels()[mesh.LabelComponent] == string(concern.Role)
	}
}

func isAvailableNow(nsm *nsmv1beta1.NSM) bool {
	return nsm.Status.ObservedGeneration == nsm.Generation && meta.IsStatusConditionTrue(nsm.Status.Conditions, available)
}

// isOfChronicle reports whether an object is a workload of a mesh that serves.
func isOfChronicle(object client.Object) bool {
	_, isNSM := object.(*nsmv1beta1.NSM)
	return !isNSM && object.GetLabels()[mesh.LabelManagedBy] == mesh.ManagedBy && !mesh.IsImagePull(object) && object.GetDeletionTimestamp() == nil
}

// turnOf a workload in a change of release.
func turnOf(workload client.Object) int {
	return slices.Index([]mesh.Role{
		mesh.RoleRegistry, mesh.RoleInterdomain, mesh.RoleVL3, mesh.RoleCSI, mesh.RoleManager, mesh.RoleForwarder, mesh.RoleWebhook, mesh.RoleDashboard,
	}, mesh.Role(workload.GetLabels()[mesh.LabelComponent]))
}

// notReadyIn a state are workloads with pods that are not there, not ready or of an older
// definition.
func notReadyIn(state map[string]client.Object, isAsked func(client.Object) bool) []string {
	var names []string
	for name, object := range state {
		if isOfChronicle(object) && (isAsked == nil || isAsked(object)) && !isUpToDate(object) {
			names = append(names, name)
		}
	}
	return names
}

func isUpToDate(workload client.Object) bool {
	switch live := workload.(type) {
	case *appsv1.DaemonSet:
		s := live.Status
		return s.ObservedGeneration == live.Generation && s.DesiredNumberScheduled > 0 && s.UpdatedNumberScheduled >= s.DesiredNumberScheduled && s.NumberReady >= s.DesiredNumberScheduled
	case *appsv1.Deployment:
		s, wanted := live.Status, ptr.Deref(live.Spec.Replicas, 1)
		return s.ObservedGeneration == live.Generation && s.UpdatedReplicas >= wanted && s.ReadyReplicas >= wanted
	default:
		return true
	}
}
