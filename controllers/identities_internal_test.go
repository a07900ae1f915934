// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/event"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// handled is a ClusterSPIFFEID with what the controller manager says of it.
func handled(stats map[string]any) *unstructured.Unstructured {
	identity := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{
		"name": "nsm-nsm-workloads", "uid": "1", "resourceVersion": "1",
	}}}
	identity.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind)
	if stats != nil {
		identity.Object["status"] = map[string]any{"stats": stats}
	}
	return identity
}

func TestTheControllerManagerIsGivenAMinute(t *testing.T) {
	g := NewWithT(t)
	start := time.Now()
	now := start
	r := &NSMReconciler{now: func() time.Time { return now }}
	nsm := newlyCreated()
	pass := func(stats map[string]any) metav1.Condition {
		t.Helper()
		seen := &observation{}
		said := r.withGracePeriod(nsm, health.SpireOf(handled(stats), "", true), handled(stats), seen)
		if said.Reason == nsmv1beta1.ReasonWaiting && said.Status == metav1.ConditionUnknown {
			g.Expect(seen.wakeAt).To(BeTemporally("==", start.Add(time.Minute)), "the loop looks again then")
		}
		said.Type = nsmv1beta1.ConditionSpireReady
		nsm.Status.Conditions = []metav1.Condition{said}
		return said
	}
	g.Expect(pass(nil).Status).To(Equal(metav1.ConditionUnknown))
	now = start.Add(59 * time.Second)
	g.Expect(pass(nil).Status).To(Equal(metav1.ConditionUnknown))
	now = start.Add(time.Minute)
	g.Expect(pass(nil).Reason).To(Equal("NotHandled"))

	r = &NSMReconciler{now: r.now}
	g.Expect(pass(nil).Reason).To(Equal("NotHandled"), "a new process knows what was told")
	g.Expect(pass(map[string]any{"podsSelected": int64(3)}).Status).To(Equal(metav1.ConditionTrue))
	start = now
	g.Expect(pass(map[string]any{"podsSelected": int64(3), "entryFailures": int64(1)}).Status).To(Equal(metav1.ConditionUnknown))
}

// TestOnlyWhatMattersOfAClusterSPIFFEIDWakesTheLoop: its numbers change with every
// pod of the cluster.
func TestOnlyWhatMattersOfAClusterSPIFFEIDWakesTheLoop(t *testing.T) {
	g := NewWithT(t)
	wakes := func(before, after *unstructured.Unstructured) bool {
		after.SetResourceVersion("2")
		return identityMatters().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after})
	}
	three, four := map[string]any{"podsSelected": int64(3)}, map[string]any{"podsSelected": int64(4), "entriesToSet": int64(4)}
	g.Expect(wakes(handled(three), handled(four))).To(BeFalse())
	g.Expect(wakes(handled(nil), handled(three))).To(BeTrue())
	g.Expect(wakes(handled(three), handled(map[string]any{"podsSelected": int64(3), "entryFailures": int64(1)}))).To(BeTrue())
	g.Expect(wakes(handled(three), handled(map[string]any{"podsSelected": int64(0)}))).To(BeTrue())

	edited := handled(three)
	edited.Object["spec"] = map[string]any{"spiffeIDTemplate": "x"}
	g.Expect(wakes(handled(three), edited)).To(BeTrue())
	labelled := handled(three)
	labelled.SetLabels(map[string]string{"a": "b"})
	g.Expect(wakes(handled(three), labelled)).To(BeTrue())
}

// TestAWebhookThatIsDownIsWaitedForAtFirst, and no longer than that, whatever else fails.
func TestAWebhookThatIsDownIsWaitedForAtFirst(t *testing.T) {
	g := NewWithT(t)
	down := apierrors.NewInternalError(errors.New(`failed calling webhook "vclusterspiffeid.kb.io": failed to call webhook: Post "https://scm.spire.svc:443/x": no endpoints available for service "spire"`))
	kept := fmt.Errorf("the mesh: %w", errors.Join(notWritten("ClusterSPIFFEID", down)))
	start := time.Now()
	now := start
	r := &NSMReconciler{now: func() time.Time { return now }, Times: DefaultTimes()}
	nsm := newlyCreated()
	pass := func(failure error) (*observation, error) {
		seen := &observation{isIdentityMissing: true}
		seen.SetSpire(health.SpireFailed(nsmv1beta1.ReasonNotRegistered, "it does not exist"))
		return seen, r.tolerateSPIREDown(nsm, seen, failure)
	}
	fails := func(failure error) error {
		_, err := pass(failure)
		return err
	}
	seen, err := pass(kept)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.AwaitsSpire).To(Equal("ClusterSPIFFEID nsm-nsm-workloads cannot be written yet: waiting for pods behind Service spire/scm"))
	g.Expect(seen.Spire.Status).To(Equal(metav1.ConditionUnknown))
	g.Expect(seen.Spire.Message).To(Equal(seen.AwaitsSpire))
	g.Expect(seen.wakeAt).To(BeTemporally("==", start.Add(15*time.Second)))

	for what, failure := range map[string]error{
		"somebody else's object": notWritten("Deployment", down),
		"a webhook that refuses": notWritten("ClusterSPIFFEID", apierrors.NewForbidden(schema.GroupResource{}, "it", errors.New("denied the request"))),
		"something else as well": errors.Join(kept, errors.New("no quota")),
	} {
		seen, err = pass(failure)
		g.Expect(err).To(Equal(failure), what)
		g.Expect(seen.AwaitsSpire).To(BeEmpty(), what)
		g.Expect(seen.Spire.Status).To(Equal(metav1.ConditionFalse), what)
	}
	g.Expect(fails(nil)).To(Succeed())

	g.Expect(fails(kept)).To(Succeed())
	now = start.Add(119 * time.Second)
	seen, err = pass(kept)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.wakeAt).To(BeTemporally("==", start.Add(120*time.Second)), "that is when it becomes a failure")
	now = start.Add(120 * time.Second)
	g.Expect(fails(kept)).To(Equal(kept))

	nsm.Status = health.Status(nsm, &seen.Mesh, kept)
	restart := func(started time.Time) { r = &NSMReconciler{now: r.now, Times: r.Times, started: started} }
	restart(now)
	g.Expect(fails(kept)).To(Equal(kept), "the process before has said that it fails")
	restart(start.Add(-time.Minute))
	g.Expect(fails(kept)).To(Succeed(), "it was this process, of something else")
	restart(now)
	seen.AwaitSpire("ClusterSPIFFEID nsm-nsm-workloads", down.Error(), false)
	nsm.Status = health.Status(nsm, &seen.Mesh, nil)
	g.Expect(fails(kept)).To(Succeed(), "the process before has waited")
}

// notWritten is an object of a kind that could not be written.
func notWritten(kind string, err error) error {
	change := apply.Change{Kind: kind, Name: "nsm-nsm-workloads"}
	return &apply.WriteError{Change: change, Err: fmt.Errorf("creating %s: %w", change, err)}
}
