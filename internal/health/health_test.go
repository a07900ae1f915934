// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// registry of a mesh, which should be as its intent says.
func registry() mesh.Component {
	return mesh.Component{Role: mesh.RoleRegistry, Workload: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: mesh.RegistryName}}}
}

// live is that registry in the cluster, written from an intent, with as many of two
// pods ready.
func live(intent string, ready int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "nsm", Name: mesh.RegistryName, Annotations: map[string]string{mesh.AppliedAnnotation: intent + ".what-a-webhook-did"},
			Labels: map[string]string{mesh.LabelVersion: "v1.17.0"},
		},
		Spec:   appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
		Status: appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: ready},
	}
}

func TestWhatRunsIsNotMissing(t *testing.T) {
	for what, test := range map[string]struct {
		predecessor    Predecessor
		held           bool
		message        string
		desired, ready int32
	}{
		"nothing is there":            {message: "has not been created yet"},
		"nobody has looked":           {predecessor: Predecessor{Unknown: true}, message: "may exist already: the operator could not check yet"},
		"something lost its labels":   {predecessor: Predecessor{Found: true}, message: "runs as it did before, and has not been taken over yet"},
		"an earlier operator's runs":  {Predecessor{Found: true, Object: live("", 1)}, false, "runs as it did before, and has not been taken over yet", 2, 1},
		"an earlier operator's waits": {Predecessor{Found: true, Object: live("", 1)}, true, "runs as it did before, until the workloads before it are ready", 2, 1},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			w := Workload{Component: registry(), Predecessor: test.predecessor, Held: test.held}
			g.Expect(w.Message()).To(Equal("Deployment nsm/nsm-registry " + test.message))
			g.Expect(w.Pods().Desired).To(Equal(test.desired))
			g.Expect(w.Pods().Ready).To(Equal(test.ready))
			g.Expect(w.IsReady()).To(BeFalse())
		})
	}
}

func TestAnOldWorkloadThatIsReadyIsNotTheNewOne(t *testing.T) {
	for what, test := range map[string]struct {
		w       Workload
		message string
	}{
		"the new one":                 {Workload{Live: live("new", 2), Intent: "new"}, ""},
		"the new one, half up":        {Workload{Live: live("new", 1), Intent: "new"}, " has pods that are not ready"},
		"the old one":                 {Workload{Live: live("old", 2), Intent: "new"}, " runs as it did before, and has not been changed yet"},
		"the old one, until its turn": {Workload{Live: live("old", 2), Intent: "new", Held: true}, ""},
		"one that somebody changes": {Workload{Live: live("new", 2), Intent: "new", HeldBack: true},
			" is not as it should be: somebody else keeps changing it, and the operator waits before it puts it back"},
		"where nobody knows what it should be": {Workload{Live: live("old", 2)}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			test.w.Component = registry()
			want := ""
			if test.message != "" {
				want = "Deployment nsm/nsm-registry" + test.message
			}
			g.Expect(test.w.Message()).To(Equal(want))
			g.Expect(test.w.IsReady()).To(Equal(test.message == ""))
		})
	}
}

func TestAWorkloadThatIsBeingDeletedIsNotReady(t *testing.T) {
	for what, test := range map[string]struct {
		finalizers []string
		message    string
	}{
		"nobody holds it":   {nil, "is being deleted: it is created again when it has gone"},
		"its pods go first": {[]string{metav1.FinalizerDeleteDependents}, "is being deleted, and the finalizer foregroundDeletion keeps it: it is created again when it has gone"},
		"two hold it":       {[]string{"a.org/x", "b.org/y"}, "is being deleted, and the finalizers a.org/x and b.org/y keep it: it is created again when it has gone"},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			going := live("new", 2)
			going.DeletionTimestamp, going.Finalizers = &metav1.Time{}, test.finalizers
			w := Workload{Component: registry(), Live: going, Intent: "new"}
			g.Expect(w.IsReady()).To(BeFalse())
			g.Expect(w.Message()).To(Equal("Deployment nsm/nsm-registry " + test.message))
		})
	}
}

func TestAMeshIsNotAvailableWhileSomethingWaitsForItsTurn(t *testing.T) {
	g := NewWithT(t)
	m := Mesh{Release: release.Newest(), Workloads: []Workload{{Component: registry(), Live: live("old", 2), Intent: "new", Held: true}}}
	g.Expect(m.Summary()).To(Equal("Deployment nsm/nsm-registry has not been changed yet"))
	m.Workloads[0].Live = live("new", 2)
	g.Expect(m.Summary()).To(BeEmpty())
}

// TestAMeshIsNotSaidToBeUpWhileItsIdentityWaits: what should run is not known to run, since
// not all was written.
func TestAMeshIsNotSaidToBeUpWhileItsIdentityWaits(t *testing.T) {
	g := NewWithT(t)
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", Generation: 1}}
	reasonOf := func(conditionType string) string {
		found := meta.FindStatusCondition(nsm.Status.Conditions, conditionType)
		return string(found.Status) + " " + found.Reason
	}
	seen := &Mesh{Release: release.Newest(), Workloads: []Workload{{Component: registry(), Live: live("new", 2)}}, AwaitsSpire: "SPIRE is starting"}
	nsm.Status = Status(nsm, seen, nil)
	g.Expect(nsm.Status.Version).To(BeEmpty())
	g.Expect(reasonOf(nsmv1beta1.ConditionAvailable)).To(Equal("False NotReady"))
	g.Expect(reasonOf(nsmv1beta1.ConditionProgressing)).To(Equal("True Waiting"))
	g.Expect(reasonOf(nsmv1beta1.ConditionDegraded)).To(Equal("False AsExpected"))
	g.Expect(reasonOf(nsmv1beta1.ConditionReady)).To(Equal("False NotReady"))

	seen.AwaitsSpire = ""
	nsm.Status = Status(nsm, seen, nil)
	g.Expect(reasonOf(nsmv1beta1.ConditionReady)).To(Equal("True RolledOut"))

	// A change of the identity alone.
	seen.AwaitsSpire, nsm.Generation = "SPIRE is starting", 2
	nsm.Status = Status(nsm, seen, nil)
	g.Expect(reasonOf(nsmv1beta1.ConditionAvailable)).To(Equal("True Ready"))
	g.Expect(reasonOf(nsmv1beta1.ConditionReady)).To(Equal("False Waiting"))
	g.Expect(reasonOf(nsmv1beta1.ConditionStalled)).To(Equal("False AsExpected"))
}
