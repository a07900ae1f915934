// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// now is when all of this is looked at.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// available is an NSM whose mesh is up.
func available() nsmv1beta1.NSM {
	nsm := nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", Generation: 3}}
	nsm.Spec.Version = "v1.18.0"
	nsm.Status.Version, nsm.Status.ObservedGeneration = "v1.18.0", 3
	for condition, status := range map[string]metav1.ConditionStatus{
		nsmv1beta1.ConditionReady: metav1.ConditionTrue, nsmv1beta1.ConditionAvailable: metav1.ConditionTrue,
		nsmv1beta1.ConditionProgressing: metav1.ConditionFalse, nsmv1beta1.ConditionDegraded: metav1.ConditionFalse,
	} {
		set(&nsm, condition, status, "")
	}
	nsm.Status.Components = []nsmv1beta1.ComponentStatus{
		{Kind: "DaemonSet", Name: "nsmgr", Version: "v1.18.0", Desired: ptr.To[int32](4), Updated: ptr.To[int32](4), Ready: ptr.To[int32](4)},
	}
	return nsm
}

func set(nsm *nsmv1beta1.NSM, condition string, status metav1.ConditionStatus, message string) {
	for i := range nsm.Status.Conditions {
		if nsm.Status.Conditions[i].Type == condition {
			nsm.Status.Conditions[i].Status, nsm.Status.Conditions[i].Message = status, message
			return
		}
	}
	nsm.Status.Conditions = append(nsm.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: "Because", Message: message, ObservedGeneration: nsm.Generation,
	})
}

func TestStateFollowsFromTheConditions(t *testing.T) {
	t.Parallel()
	for want, change := range map[report.State]func(*nsmv1beta1.NSM){
		report.StateAvailable: func(*nsmv1beta1.NSM) {},
		report.StateUnseen:    func(nsm *nsmv1beta1.NSM) { nsm.Generation = 4 },
		report.StateDeleting: func(nsm *nsmv1beta1.NSM) {
			nsm.DeletionTimestamp = &metav1.Time{Time: now}
			nsm.Generation = 4
		},
		report.StateDegraded: func(nsm *nsmv1beta1.NSM) {
			set(nsm, nsmv1beta1.ConditionDegraded, metav1.ConditionTrue, "something is wrong")
			set(nsm, nsmv1beta1.ConditionProgressing, metav1.ConditionTrue, "")
		},
		report.StateProgressing: func(nsm *nsmv1beta1.NSM) {
			set(nsm, nsmv1beta1.ConditionProgressing, metav1.ConditionTrue, "")
			set(nsm, nsmv1beta1.ConditionAvailable, metav1.ConditionFalse, "")
		},
		report.StateUnavailable: func(nsm *nsmv1beta1.NSM) {
			set(nsm, nsmv1beta1.ConditionAvailable, metav1.ConditionFalse, "a pod is down")
		},
	} {
		nsm := available()
		change(&nsm)
		state, _ := report.StateOf(&nsm)
		NewWithT(t).Expect(state).To(Equal(want))
		status := report.StatusOf(&report.Seen{NSMs: []nsmv1beta1.NSM{nsm}, Now: now})
		NewWithT(t).Expect(status.IsFine()).To(Equal(want == report.StateAvailable), string(want))
	}
}

// A condition of another generation says nothing about this one.
func TestStateIgnoresOldConditions(t *testing.T) {
	t.Parallel()
	nsm := available()
	nsm.Generation, nsm.Status.ObservedGeneration = 4, 4
	state, _ := report.StateOf(&nsm)
	NewWithT(t).Expect(state).To(Equal(report.StateUnavailable))
}

// managers of the mesh, on four nodes, each in another state.
func managers() *report.Seen {
	daemonSet := &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Annotations: map[string]string{appsv1.DeprecatedTemplateGeneration: "2"}},
	}
	pod := func(node, generation string, status corev1.PodStatus) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr-" + node, Labels: map[string]string{
				mesh.LabelNSM: "mesh", mesh.LabelNamespace: "nsm", mesh.LabelName: "nsmgr", "pod-template-generation": generation,
			}},
			Spec: corev1.PodSpec{NodeName: node}, Status: status,
		}
	}
	ready := corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	crashed := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name:                 "nsmgr",
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "no route to the registry"}},
	}}}
	stranger := pod("a", "2", ready)
	stranger.Name, stranger.Labels[mesh.LabelNSM] = "stranger", "another"
	return &report.Seen{
		NSMs: []nsmv1beta1.NSM{available()}, Workloads: []mesh.Object{daemonSet}, Now: now,
		Pods: []corev1.Pod{pod("d", "2", corev1.PodStatus{}), pod("c", "2", crashed), pod("b", "1", ready), pod("a", "2", ready), stranger},
		Nodes: map[string]*corev1.Node{"d": {Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Message: "Kubelet stopped posting node status."},
		}}}},
	}
}

func TestPodsAreShownByNode(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	status := report.StatusOf(managers())
	pods := status.Meshes[0].Components[0].Pods
	g.Expect(pods).To(HaveLen(4), "those of the component, and no others")
	states := map[string]report.PodState{}
	for _, pod := range pods {
		states[pod.Node] = pod.State
	}
	g.Expect(states).To(Equal(map[string]report.PodState{
		"a": report.PodReady, "b": report.PodOutdated, "c": report.PodFailing, "d": report.PodLost,
	}))
	var text strings.Builder
	status.Text(&text, report.Style{}, false)
	g.Expect(text.String()).To(Equal(`NSM nsm/mesh  v1.18.0  Available
└─ DaemonSet  nsmgr  4/4
   ├─ a  Ready
   ├─ b  Outdated
   ├─ c  Failing  container nsmgr crashes: exit code 1: no route to the registry
   └─ d  NodeDown  Kubelet stopped posting node status.

`))
}

func TestManyPodsAreSummedUp(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	seen := managers()
	for i := range 1000 {
		pod := *seen.Pods[3].DeepCopy()
		pod.Name, pod.Spec.NodeName = "nsmgr-more-"+string(rune('a'+i%26))+strings.Repeat("x", i/26), "more"
		seen.Pods = append(seen.Pods, pod)
	}
	var text strings.Builder
	status := report.StatusOf(seen)
	status.Text(&text, report.Style{}, false)
	g.Expect(text.String()).To(ContainSubstring("Ready on 1001 nodes"))
	g.Expect(strings.Count(text.String(), "\n")).To(BeNumerically("<", 10))
	g.Expect(status.Meshes[0].Components[0].Pods).To(HaveLen(1004), "-o json has all of them")
}

// What rolls out has a bar, for those who watch it.
func TestBars(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	nsm := available()
	set(&nsm, nsmv1beta1.ConditionProgressing, metav1.ConditionTrue, "waiting")
	nsm.Status.Components[0].Updated = ptr.To[int32](1)
	status := report.StatusOf(&report.Seen{NSMs: []nsmv1beta1.NSM{nsm}, Now: now})
	var bars, none strings.Builder
	status.Text(&bars, report.Style{}, true)
	status.Text(&none, report.Style{}, false)
	g.Expect(bars.String()).To(ContainSubstring("[#####...............] 1 of 4 new and ready"))
	g.Expect(none.String()).NotTo(ContainSubstring("#"))
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var plain, coloured strings.Builder
	status := report.StatusOf(managers())
	status.Text(&plain, report.Style{}, true)
	status.Text(&coloured, report.Style{Color: true}, true)
	g.Expect(plain.String()).NotTo(ContainSubstring("\x1b"))
	g.Expect(coloured.String()).To(ContainSubstring("\x1b[31mFailing\x1b[0m"))
}

func TestOperatorThatDoesNotWorkIsSaid(t *testing.T) {
	t.Parallel()
	operator := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "nsm-operator"}}
	operator.Status.ReadyReplicas = 2
	lease := func(renewed time.Duration) map[string]*coordinationv1.Lease {
		return map[string]*coordinationv1.Lease{"system": {Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("one"), RenewTime: &metav1.MicroTime{Time: now.Add(-renewed)}, LeaseDurationSeconds: ptr.To[int32](15),
		}}}
	}
	down := *operator.DeepCopy()
	down.Status.ReadyReplicas = 0
	for name, test := range map[string]struct {
		seen report.Operators
		want string
	}{
		"works":     {report.Operators{Deployments: []appsv1.Deployment{operator}, Leases: lease(10 * time.Second), SeesDeployments: true, SeesLeases: true}, ""},
		"stopped":   {report.Operators{Deployments: []appsv1.Deployment{operator}, Leases: lease(2 * time.Minute), SeesDeployments: true, SeesLeases: true}, "no leader"},
		"down":      {report.Operators{Deployments: []appsv1.Deployment{down}, Leases: lease(0), SeesDeployments: true, SeesLeases: true}, "no pod that is ready"},
		"missing":   {report.Operators{SeesDeployments: true, SeesLeases: true}, "no Deployment of the operator is found"},
		"forbidden": {report.Operators{}, ""},
	} {
		warnings := strings.Join(report.StatusOf(&report.Seen{Operators: test.seen, Now: now}).Warnings, "\n")
		if test.want == "" {
			NewWithT(t).Expect(warnings).To(BeEmpty(), name)
		} else {
			NewWithT(t).Expect(warnings).To(ContainSubstring(test.want), name)
		}
	}
}
