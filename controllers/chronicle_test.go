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

// of the namespace of an NSM: what has happened there, in order, once all of it has gone.
func (c *chronicle) of(nsm *nsmv1beta1.NSM) []happening {
	GinkgoHelper()
	var events []happening
	Eventually(func() []string {
		c.mu.Lock()
		defer c.mu.Unlock()
		events = slices.DeleteFunc(slices.Clone(c.events), func(one happening) bool { return one.object.GetNamespace() != nsm.Namespace })
		slices.SortStableFunc(events, func(a, b happening) int { return cmp.Compare(a.version, b.version) })
		var left []string
		for name := range stateAfter(events) {
			left = append(left, name)
		}
		return left
	}).Should(BeEmpty(), "the watches have told all")
	return events
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

// expectOrder expects of all that has happened to a mesh that it was Available only while
// its workloads were ready, and that no workload changed to another release before
// those whose turn comes before were ready with it.
func (c *chronicle) expectOrder(nsm *nsmv1beta1.NSM, why string) {
	GinkgoHelper()
	state := map[string]client.Object{}
	for _, one := range c.of(nsm) {
		before := state[mesh.KindOf(one.object)+" "+one.object.GetName()]
		one.in(state)
		if one.isGone || before == nil {
			continue
		}
		if now, isNSM := one.object.(*nsmv1beta1.NSM); isNSM {
			was, _ := before.(*nsmv1beta1.NSM)
			if isAvailableNow(now) && !isAvailableNow(was) {
				Expect(notReadyIn(state, nil)).To(BeEmpty(), why+": it is Available only if all is ready")
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
