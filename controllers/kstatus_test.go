// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kptstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// kstatus, by which Helm, Flux and kpt wait, in its four verdicts on an object
// that is there.
const (
	inProgress  = "InProgress"
	current     = "Current"
	failed      = "Failed"
	terminating = "Terminating"
)

// pass is what one pass of the loop made of a generation.
type pass struct {
	generation int64
	seen       *health.Mesh
	failure    error
}

var (
	errWrite = errors.New("applying DaemonSet nsm/nsmgr: quota exceeded")

	up        = managers(3, 3, true)
	rolling   = managers(2, 2, true)
	rebooting = managers(3, 2, true)
)

// managers are those of a mesh, some of three up to date and ready, or not there.
func managers(updated, ready int32, exist bool) health.Workload {
	meta := metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: map[string]string{mesh.LabelVersion: "v1.18.0"}}
	w := health.Workload{Component: mesh.Component{Role: mesh.RoleManager, Workload: &appsv1.DaemonSet{ObjectMeta: meta}}}
	if exist {
		w.Live = &appsv1.DaemonSet{ObjectMeta: meta, Status: appsv1.DaemonSetStatus{
			DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: updated, NumberReady: ready,
		}}
	}
	return w
}

func seeing(t *testing.T, w health.Workload, how ...func(*health.Mesh)) *health.Mesh {
	t.Helper()
	seen := &health.Mesh{Release: release.Newest(), Workloads: []health.Workload{w}}
	for _, change := range how {
		change(seen)
	}
	return seen
}

// TestToolsThatWaitSeeTheTruth takes every state that the operator can report, in
// both versions and with the conditions in any order, to both libraries that
// tools judge by.
func TestToolsThatWaitSeeTheTruth(t *testing.T) {
	refusedFor := func(reason string) *health.Mesh {
		return &health.Mesh{Refusal: health.Refusal{Reason: reason, Message: "it cannot be run"}}
	}
	come := pass{1, seeing(t, up), nil}
	overdue := func(o *health.Mesh) { o.Overdue = "within spec.upgrade.progressDeadline" }
	inTheWay := func(o *health.Mesh) { o.InTheWay = []health.InTheWay{{}} }
	rollBack := func(o *health.Mesh) { overdue(o); o.RollBackTo = "v1.17.0" }
	rolledBack := func(o *health.Mesh) { o.RolledBack = true }
	for name, state := range map[string]struct {
		passes []pass
		// generation is that of the object when it is judged; 0 for the last pass'.
		generation int64
		deleted    bool
		want       string
	}{
		"not seen yet":                  {nil, 1, false, inProgress},
		"coming up":                     {[]pass{{1, seeing(t, rolling), nil}}, 0, false, inProgress},
		"nothing made yet":              {[]pass{{1, seeing(t, managers(0, 0, false)), nil}}, 0, false, inProgress},
		"up":                            {[]pass{{1, seeing(t, rolling), nil}, come}, 0, false, current},
		"being deleted":                 {[]pass{come}, 0, true, terminating},
		"a node reboots":                {[]pass{come, {1, seeing(t, rebooting), nil}}, 0, false, current},
		"changed, and not seen yet":     {[]pass{come}, 2, false, inProgress},
		"changed, and rolling out":      {[]pass{come, {2, seeing(t, rolling), nil}}, 0, false, inProgress},
		"changed while a node reboots":  {[]pass{come, {2, seeing(t, rebooting), nil}}, 0, false, inProgress},
		"changed, and up":               {[]pass{come, {2, seeing(t, rolling), nil}, {2, seeing(t, up), nil}}, 0, false, current},
		"changed, and a node reboots":   {[]pass{come, {2, seeing(t, up), nil}, {2, seeing(t, rebooting), nil}}, 0, false, current},
		"rolled by a newer operator":    {[]pass{come, {1, seeing(t, rolling), nil}}, 0, false, inProgress},
		"not written":                   {[]pass{{1, nil, errWrite}}, 0, false, inProgress},
		"not all written":               {[]pass{{1, seeing(t, rolling), errWrite}}, 0, false, inProgress},
		"not written, then up":          {[]pass{{1, nil, errWrite}, come}, 0, false, current},
		"up, and a repair is refused":   {[]pass{come, {1, seeing(t, up), errWrite}}, 0, false, current},
		"down, and a repair is refused": {[]pass{come, {1, seeing(t, rebooting), errWrite}}, 0, false, inProgress},
		"changed, and not written":      {[]pass{come, {2, seeing(t, up), errWrite}}, 0, false, inProgress},
		"changed, and not even planned": {[]pass{come, {2, nil, errWrite}}, 0, false, inProgress},
		"of a release that is none":     {[]pass{{1, refusedFor("InvalidVersion"), nil}}, 0, false, failed},
		"in conflict with another":      {[]pass{{1, refusedFor(nsmv1beta1.ReasonConflict), nil}}, 0, false, failed},
		"in conflict, that is over":     {[]pass{{1, refusedFor(nsmv1beta1.ReasonConflict), nil}, {1, seeing(t, rolling), nil}}, 0, false, inProgress},
		"unreadable":                    {[]pass{come, {1, refusedFor("Unreadable"), nil}}, 0, false, failed},
		"overdue":                       {[]pass{{1, seeing(t, rolling, overdue), nil}}, 0, false, failed},
		"overdue, then up":              {[]pass{{1, seeing(t, rolling, overdue), nil}, come}, 0, false, current},
		"overdue, then changed":         {[]pass{{1, seeing(t, rolling, overdue), nil}, {2, seeing(t, rolling), nil}}, 0, false, inProgress},
		"being taken back":              {[]pass{come, {2, seeing(t, rolling, rollBack), nil}}, 0, false, failed},
		"taken back, the old coming up": {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {2, seeing(t, rolling, rolledBack), nil}}, 0, false, failed},
		"taken back, the old up":        {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {2, seeing(t, up, rolledBack), nil}}, 0, false, failed},
		"taken back, a write refused":   {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {2, seeing(t, up, rolledBack), errWrite}}, 0, false, failed},
		"taken back, then changed":      {[]pass{come, {2, seeing(t, rolling, rollBack), nil}, {3, seeing(t, rolling), nil}}, 0, false, inProgress},
		"its namespace refuses pods":    {[]pass{{1, seeing(t, rolling, func(o *health.Mesh) { o.RefusedPods = "baseline" }), nil}}, 0, false, inProgress},
		"something is in its way":       {[]pass{{1, seeing(t, rolling, inTheWay), nil}}, 0, false, inProgress},
		"up, and something in the way of what no workload needs": {[]pass{{1, seeing(t, up, inTheWay), nil}}, 0, false, inProgress},
		"was up, and something comes in its way":                 {[]pass{come, {1, seeing(t, up, inTheWay), nil}}, 0, false, inProgress},
		"something stays in its way":                             {[]pass{{1, seeing(t, rolling, inTheWay, overdue), nil}}, 0, false, failed},
		"nothing is in its way any more":                         {[]pass{{1, seeing(t, rolling, inTheWay, overdue), nil}, come}, 0, false, current},
		"of a spec that is invalid":                              {[]pass{{1, refusedFor("InvalidSpec"), nil}}, 0, false, failed},
		"up, and contested":                                      {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.Contested = []string{"Service nsm/registry"} }), nil}}, 0, false, current},
		"up, and clients refused":                                {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.FailedApart = []string{"quota"} }), nil}}, 0, false, current},
		"up, with fields nobody knows":                           {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.UnknownFields = []string{"spec.size"} }), nil}}, 0, false, current},
		"up, and a part is not installed":                        {[]pass{{1, seeing(t, up, func(o *health.Mesh) { o.Missing = map[mesh.Role]string{mesh.RoleInterdomain: "x"} }), nil}}, 0, false, inProgress},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			nsm := newlyCreated()
			for _, pass := range state.passes {
				nsm.Generation = pass.generation
				nsm.Status = health.Status(nsm, pass.seen, pass.failure)
			}
			if state.generation != 0 {
				nsm.Generation = state.generation
			}
			if state.deleted {
				nsm.DeletionTimestamp = new(metav1.Now())
			}
			for _, object := range inBothVersions(t, nsm) {
				random := rand.New(rand.NewPCG(1, 2))
				for range 20 {
					g.Expect(verdicts(t, object)).To(HaveEach(state.want), "%v", object)
					shuffle(object, random)
				}
			}
			for _, condition := range nsm.Status.Conditions {
				g.Expect(condition.Type).NotTo(Equal(string(kptstatus.ConditionReconciling)), "kstatus would take it as its own")
				g.Expect(condition.Message).NotTo(BeEmpty())
			}
		})
	}
}

// newlyCreated is an NSM as the API server gives it back before anybody has seen
// it: with the CRD's default for the status.
func newlyCreated() *nsmv1beta1.NSM {
	return &nsmv1beta1.NSM{
		TypeMeta:   metav1.TypeMeta{APIVersion: nsmv1beta1.GroupVersion.String(), Kind: "NSM"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", Generation: 1},
		Status:     nsmv1beta1.NSMStatus{ObservedGeneration: -1},
	}
}

// inBothVersions is an NSM as both versions serve it.
func inBothVersions(t *testing.T, nsm *nsmv1beta1.NSM) []*unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	stored, err := json.Marshal(nsm)
	g.Expect(err).NotTo(HaveOccurred())
	review, err := json.Marshal(apiextensionsv1.ConversionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: apiextensionsv1.SchemeGroupVersion.String(), Kind: "ConversionReview"},
		Request: &apiextensionsv1.ConversionRequest{
			UID: "1", DesiredAPIVersion: nsmv1alpha1.GroupVersion.String(), Objects: []runtime.RawExtension{{Raw: stored}},
		},
	})
	g.Expect(err).NotTo(HaveOccurred())
	handler, err := webhooks.NewConversionHandler()
	g.Expect(err).NotTo(HaveOccurred())
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhooks.ConversionPath, bytes.NewReader(review)))
	var converted apiextensionsv1.ConversionReview
	g.Expect(json.Unmarshal(answer.Body.Bytes(), &converted)).To(Succeed())
	g.Expect(converted.Response.ConvertedObjects).To(HaveLen(1))

	var objects []*unstructured.Unstructured
	for _, raw := range [][]byte{stored, converted.Response.ConvertedObjects[0].Raw} {
		object := &unstructured.Unstructured{}
		g.Expect(object.UnmarshalJSON(raw)).To(Succeed())
		objects = append(objects, object)
	}
	return objects
}

// verdicts are those of both libraries.
func verdicts(t *testing.T, object *unstructured.Unstructured) []string {
	t.Helper()
	g := NewWithT(t)
	flux, err := fluxstatus.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	kpt, err := kptstatus.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	return []string{flux.Status.String(), kpt.Status.String()}
}

// shuffle puts the conditions into another order.
func shuffle(object *unstructured.Unstructured, random *rand.Rand) {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	random.Shuffle(len(conditions), func(i, j int) { conditions[i], conditions[j] = conditions[j], conditions[i] })
	if len(conditions) > 0 {
		_ = unstructured.SetNestedSlice(object.Object, conditions, "status", "conditions")
	}
}
