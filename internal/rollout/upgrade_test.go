// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

func rollback(nsm *nsmv1beta1.NSM) {
	nsm.Spec.Upgrade = &nsmv1beta1.UpgradeSpec{OnFailure: nsmv1beta1.UpgradeFailureRollback}
}

func rolledBack(nsm *nsmv1beta1.NSM) {
	nsm.Status.Conditions = append(nsm.Status.Conditions, metav1.Condition{
		Type: nsmv1beta1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: nsmv1beta1.ReasonRolledBack, ObservedGeneration: nsm.Generation,
	})
}

// notedIn is a record with the note that an NSM of a generation was tried and taken back.
func notedIn(t *testing.T, generation int64, record mesh.Object) mesh.Object {
	t.Helper()
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Generation: generation}}
	noted, err := mesh.RecordTakenBack(mesh.Input{NSM: nsm}, record)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return noted
}

// recordOf is the record of a spec.
func recordOf(t *testing.T, spec nsmv1beta1.NSMSpec) mesh.Object {
	t.Helper()
	record, err := mesh.Record(mesh.Input{NSM: &nsmv1beta1.NSM{Spec: spec}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return record
}

func TestARollbackBringsBackTheWholeSpec(t *testing.T) {
	before := nsmv1beta1.NSMSpec{Version: "v1.17.0", LogLevel: "DEBUG"}
	for what, test := range map[string]struct {
		change []func(*nsmv1beta1.NSM)
		record mesh.Object
		want   nsmv1beta1.NSMSpec
		is     bool
	}{
		"it was tried, and taken back":            {[]func(*nsmv1beta1.NSM){rollback, rolledBack}, recordOf(t, before), before, true},
		"before an operator that records":         {[]func(*nsmv1beta1.NSM){rollback, rolledBack}, nil, nsmv1beta1.NSMSpec{Version: "v1.16.0", LogLevel: "WARN"}, true},
		"the status was lost, and it is recorded": {[]func(*nsmv1beta1.NSM){rollback}, notedIn(t, 0, recordOf(t, before)), before, true},
		"another spec was tried":                  {[]func(*nsmv1beta1.NSM){rollback}, notedIn(t, 1, recordOf(t, before)), nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "WARN"}, false},
		"it was not tried":                        {[]func(*nsmv1beta1.NSM){rollback}, recordOf(t, before), nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "WARN"}, false},
		"somebody else has written that":          {[]func(*nsmv1beta1.NSM){rolledBack}, recordOf(t, before), nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "WARN"}, false},
		"a record that is of no spec":             {[]func(*nsmv1beta1.NSM){rollback, rolledBack}, &appsv1.ControllerRevision{}, nsmv1beta1.NSMSpec{Version: "v1.16.0", LogLevel: "WARN"}, true},
		"what was available last is the same":     {[]func(*nsmv1beta1.NSM){rollback, rolledBack}, recordOf(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "WARN"}), nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "WARN"}, false},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			nsm := &nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "WARN"}, Status: nsmv1beta1.NSMStatus{Version: "v1.16.0"}}
			for _, change := range test.change {
				change(nsm)
			}
			effective, is := Effective(nsm, test.record)
			g.Expect(is).To(Equal(test.is))
			test.want.Upgrade = nsm.Spec.Upgrade
			g.Expect(effective.Spec).To(Equal(test.want))
			g.Expect(nsm.Spec.Version).To(Equal("v1.18.0"), "the NSM itself stays as it is")
		})
	}
}

func TestARollbackGoesThroughTheStagesAndRecordsNothing(t *testing.T) {
	in := half(running(wanted(t, "v1.17.0", mesh.Platform{}, withoutWebhook), release.Newest().String()), "v1.17.0")
	in.Target, in.IsRolledBack = "v1.17.0", true
	g := NewWithT(t)
	g.Expect(waves(Next(in))).To(Equal([]string{roles, first, second, third, unwanted}))
	in.TakenBack = notedIn(t, 1, recordOf(t, nsmv1beta1.NSMSpec{Version: "v1.17.0"}))
	g.Expect(waves(Next(in))).To(Equal([]string{"note that the spec was tried and taken back", roles, first, second, third, unwanted}))
}

func TestAPodThatComesAndGoesDoesNotMoveTheDeadline(t *testing.T) {
	g := NewWithT(t)
	begun := time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)
	nsm := &nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{Upgrade: &nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Minute}}}}
	deadline := func(workloads ...health.Workload) time.Time {
		at, limit := Deadline(nsm, workloads, nil)
		g.Expect(limit).To(Equal(time.Minute))
		return at
	}
	g.Expect(deadline()).To(BeZero(), "nothing changes")
	nsm.Status.Conditions = []metav1.Condition{{Type: nsmv1beta1.ConditionProgressing, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(begun)}}
	g.Expect(deadline()).To(Equal(begun.Add(time.Minute)))

	written := func(at time.Time, ready int32) health.Workload {
		live := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}}, Status: appsv1.DeploymentStatus{ReadyReplicas: ready}}
		mesh.SetWrittenAt(live.Annotations, at)
		return health.Workload{Live: live}
	}
	stage := begun.Add(40 * time.Second)
	for _, ready := range []int32{1, 0, 1, 0} {
		nsm.Status.Conditions = append(nsm.Status.Conditions[:1], metav1.Condition{
			Type: nsmv1beta1.ConditionRegistryReady, Status: metav1.ConditionFalse, LastTransitionTime: metav1.NewTime(begun.Add(50 * time.Second)),
		})
		g.Expect(deadline(written(begun, 1), written(stage, ready))).To(Equal(stage.Add(time.Minute)))
	}
	g.Expect(deadline(written(begun.Add(-time.Hour), 1))).To(Equal(begun.Add(time.Minute)), "of what has not changed since")
	nsm.Generation = 1
	g.Expect(deadline(written(stage, 0))).To(BeZero(), "another change begins")
}

func TestTheWaitForAHealthyMeshIsNotTakenFromThePull(t *testing.T) {
	g := NewWithT(t)
	asked := time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)
	nsm := &nsmv1beta1.NSM{}
	nsm.Status.Conditions = []metav1.Condition{{Type: nsmv1beta1.ConditionProgressing, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(asked)}}
	pull := func(at time.Time) mesh.Object {
		live := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}}}
		mesh.SetWrittenAt(live.Annotations, at)
		return live
	}
	at, limit := Deadline(nsm, nil, []mesh.Object{pull(asked.Add(9 * time.Minute)), pull(asked.Add(-time.Hour))})
	g.Expect(at).To(Equal(asked.Add(9*time.Minute + limit)))
}

func TestPreflight(t *testing.T) {
	spire := func(status metav1.ConditionStatus) func(*nsmv1beta1.NSM) {
		return func(nsm *nsmv1beta1.NSM) {
			nsm.Status.Conditions = []metav1.Condition{{Type: nsmv1beta1.ConditionSpireReady, Status: status, Message: "SPIRE is down"}}
		}
	}
	anyway := func(release string) func(*nsmv1beta1.NSM) {
		return func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{mesh.UpgradeAnywayAnnotation: release} }
	}
	newest := release.Newest().String()
	down := func(in Input) Input { in.NotReady = "DaemonSet nsm/nsmgr is down"; return in }
	recorded := func(in Input, version string) Input { in.Available = live(in.Record, version, 0); return in }
	for what, test := range map[string]struct {
		in   Input
		says string
	}{
		"all is well":                   {running(wanted(t, "v1.17.0", mesh.Platform{}, spire(metav1.ConditionTrue)), "v1.17.0"), ""},
		"a component is down":           {down(running(wanted(t, "v1.17.0", mesh.Platform{}), "v1.17.0")), "DaemonSet nsm/nsmgr is down"},
		"SPIRE is":                      {running(wanted(t, "v1.17.0", mesh.Platform{}, spire(metav1.ConditionFalse)), "v1.17.0"), "SPIRE is down"},
		"it shall begin all the same":   {down(running(wanted(t, "v1.17.0", mesh.Platform{}, anyway(newest)), "v1.17.0")), ""},
		"another one should have begun": {down(running(wanted(t, "v1.17.0", mesh.Platform{}, anyway("v1.17.0")), "v1.17.0")), "DaemonSet nsm/nsmgr is down"},
		"it has begun":                  {down(half(running(wanted(t, "v1.17.0", mesh.Platform{}), "v1.17.0"), newest)), ""},
		"the release stays":             {down(running(wanted(t, newest, mesh.Platform{}), newest)), ""},
		"the status was lost":           {down(recorded(running(wanted(t, "", mesh.Platform{}), "v1.17.0"), "v1.17.0")), "DaemonSet nsm/nsmgr is down"},
		"it was, and another one runs":  {down(recorded(running(wanted(t, "", mesh.Platform{}), "v1.17.0"), "v1.16.0")), ""},
		"it was never up":               {down(running(wanted(t, "", mesh.Platform{}), "v1.17.0")), ""},
		"all has been deleted":          {down(wanted(t, "v1.17.0", mesh.Platform{})), ""},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			plan := Next(test.in)
			if test.says == "" {
				g.Expect(len(plan)).To(BeNumerically(">", 2))
				return
			}
			g.Expect(plan).To(HaveLen(1), "nothing is touched")
			g.Expect(plan.String()).To(And(HavePrefix("1. the change to "+newest+": the change from v1.17.0"), ContainSubstring(test.says)))
		})
	}
}

func TestTheWayBack(t *testing.T) {
	before := nsmv1beta1.NSMSpec{Version: "v1.18.0", LogLevel: "DEBUG", Upgrade: &nsmv1beta1.UpgradeSpec{OnFailure: nsmv1beta1.UpgradeFailureHalt}}
	for what, test := range map[string]struct {
		was      string
		hasBegun bool
		record   mesh.Object
		want     string
	}{
		"of a mesh that was never up": {"", true, nil, ""},
		"of another release": {"v1.17.0", true, recordOf(t, before),
			"to go back, set spec.version to v1.17.0, or spec.upgrade.onFailure to Rollback, which brings back all of the spec that was available last"},
		"of one that has not begun": {"v1.17.0", false, recordOf(t, before), "to keep v1.17.0, set spec.version to that"},
		"of a change within a release": {"v1.18.0", true, recordOf(t, before),
			"to go back, set spec.logLevel, spec.nsmgr as in the spec that was available last: " +
				"kubectl get controllerrevision nsm-last-available -n nsm -o jsonpath={.data.spec}"},
		"where nothing is recorded": {"v1.18.0", true, nil, ""},
		"of no change": {"v1.18.0", true, recordOf(t, nsmv1beta1.NSMSpec{
			Version: "v1.18.0", LogLevel: "WARN", Nsmgr: &nsmv1beta1.NsmgrSpec{ExcludedPrefixes: []string{"10.0.0.0/8"}},
		}), ""},
	} {
		t.Run(what, func(t *testing.T) {
			nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm"}, Spec: nsmv1beta1.NSMSpec{
				Version: "v1.18.0", LogLevel: "WARN", Nsmgr: &nsmv1beta1.NsmgrSpec{ExcludedPrefixes: []string{"10.0.0.0/8"}},
			}, Status: nsmv1beta1.NSMStatus{Version: test.was}}
			NewWithT(t).Expect(WayBack(nsm, "v1.18.0", test.record, test.hasBegun)).To(Equal(test.want))
		})
	}
}
