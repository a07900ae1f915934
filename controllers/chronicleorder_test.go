// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// The fault tests believe a chronicle, so it has to see what it is there for.
func TestAChronicleTellsWhatComesTooEarly(t *testing.T) {
	RegisterTestingT(t)
	nsm := func(isAvailable metav1.ConditionStatus, ready ...string) client.Object {
		one := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Name: "mesh"}}
		one.Status.Conditions = []metav1.Condition{{Type: available, Status: isAvailable}}
		for _, part := range ready {
			one.Status.Conditions = append(one.Status.Conditions, metav1.Condition{Type: part, Status: "True"})
		}
		return one
	}
	workload := func(role mesh.Role, release string, ready int32) client.Object {
		return &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Name: string(role), Labels: map[string]string{
				mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelComponent: string(role), mesh.LabelVersion: release,
			}},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 1, UpdatedNumberScheduled: 1, NumberReady: ready},
		}
	}
	const registry, managers = mesh.RoleRegistry, mesh.RoleManager
	before := []client.Object{nsm("False"), workload(registry, "old", 1), workload(managers, "old", 1), nsm("True")}
	for what, test := range map[string]struct {
		then []client.Object
		says string
	}{
		"all in order": {[]client.Object{
			nsm("False"), workload(registry, "new", 0), workload(registry, "new", 1), workload(managers, "new", 0), workload(managers, "new", 1), nsm("True"),
		}, ""},
		"available too early": {[]client.Object{
			nsm("False"), workload(registry, "new", 0), workload(registry, "new", 1), workload(managers, "new", 0), nsm("True"),
		}, "it is Available only if all is ready"},
		"a stage before the one before has begun": {[]client.Object{nsm("False"), workload(managers, "new", 0)}, "nsmgr waits for DaemonSet registry"},
		"a stage before the one before is ready": {[]client.Object{
			nsm("False"), workload(registry, "new", 0), workload(managers, "new", 0),
		}, "nsmgr waits for them"},
		"a part that is ready before the rest": {[]client.Object{
			nsm("False"), workload(registry, "new", 0), workload(registry, "new", 1), workload(managers, "new", 0), nsm("False", registryReady),
		}, ""},
		"a part that is not": {[]client.Object{
			nsm("False"), workload(registry, "new", 0), nsm("False", managersReady), nsm("False", registryReady),
		}, "RegistryReady only if they are ready"},
		"a part that goes on to be called ready": {[]client.Object{
			nsm("False", registryReady), workload(registry, "new", 0), nsm("False", registryReady, managersReady),
		}, "RegistryReady only if they are ready"},
		"a part that there is not": {[]client.Object{nsm("False", forwardersReady)}, "ForwardersReady is about something"},
	} {
		t.Run(what, func(t *testing.T) {
			c := &chronicle{}
			for _, object := range slices.Concat(before, test.then) {
				c.tell(watch.Modified, object)
			}
			for _, object := range stateAfter(c.events) {
				c.tell(watch.Deleted, object)
			}
			said := strings.Join(InterceptGomegaFailures(func() { expectOrder(c.in(""), "") }), "\n")
			if test.says == "" {
				NewWithT(t).Expect(said).To(BeEmpty())
				return
			}
			NewWithT(t).Expect(said).To(ContainSubstring(test.says))
		})
	}

	for what, test := range map[string]struct {
		end  client.Object
		says string
	}{
		"as it is":                        {nsm("True", registryReady, managersReady), ""},
		"nothing of a part":               {nsm("True", registryReady), "ManagersReady"},
		"something of a part that is not": {nsm("True", registryReady, managersReady, forwardersReady), "ForwardersReady is about nothing"},
	} {
		t.Run("in the end it says "+what, func(t *testing.T) {
			c := &chronicle{}
			for _, object := range append(slices.Clone(before), test.end) {
				c.tell(watch.Modified, object)
			}
			said := strings.Join(InterceptGomegaFailures(func() { expectAgreement(c.in(""), "") }), "\n")
			if test.says == "" {
				NewWithT(t).Expect(said).To(BeEmpty())
				return
			}
			NewWithT(t).Expect(said).To(ContainSubstring(test.says))
		})
	}
}

const registryReady, managersReady, forwardersReady = nsmv1beta1.ConditionRegistryReady, nsmv1beta1.ConditionManagersReady, nsmv1beta1.ConditionForwardersReady

// tell a chronicle that something has happened after all else.
func (c *chronicle) tell(what watch.EventType, object client.Object) {
	object, _ = object.DeepCopyObject().(client.Object)
	object.SetResourceVersion(fmt.Sprint(len(c.events) + 1))
	c.add(watch.Event{Type: what, Object: object})
}
