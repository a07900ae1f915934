// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// managers are a DaemonSet of the second definition, with these counts.
func managers(desired, current, updated, ready int32) *Workload {
	workload := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "nsm", Name: "nsmgr", Annotations: map[string]string{appsv1.DeprecatedTemplateGeneration: "2"},
	}}
	live := workload.DeepCopy()
	live.Status = appsv1.DaemonSetStatus{
		DesiredNumberScheduled: desired, CurrentNumberScheduled: current, UpdatedNumberScheduled: updated, NumberReady: ready,
	}
	return &Workload{Component: mesh.Component{Role: mesh.RoleManager, Workload: workload}, Live: live}
}

// podOn is a pod of a definition on a node.
func podOn(node, generation string, ready bool, tolerations ...corev1.Toleration) corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "nsmgr-" + node, Labels: map[string]string{templateGenerationLabel: generation}},
		Spec:       corev1.PodSpec{NodeName: node, Tolerations: tolerations},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
}

// node that is ready, or that nobody has heard of for long.
func node(ready corev1.ConditionStatus) *corev1.Node {
	one := &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Message: "Kubelet stopped posting node status."}}}}
	if ready != corev1.ConditionTrue {
		one.Spec.Taints = []corev1.Taint{
			{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}, {Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute},
		}
	}
	return one
}

// asDaemonSets are the tolerations that the DaemonSet controller gives, as far as they
// matter; everything is what people give.
var (
	asDaemonSets = corev1.Toleration{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}
	everything   = corev1.Toleration{Operator: corev1.TolerationOpExists}
)

func TestANodeThatIsDownKeepsNothingWaitingAndIsNamed(t *testing.T) {
	down := map[string]*corev1.Node{"c": node(corev1.ConditionUnknown)}
	const name = "node c is down (Kubelet stopped posting node status.)"
	const stuck = "; its pods there count as unavailable, and a rolling update replaces no more pods than maxUnavailable says: " +
		"delete the Node if it does not come back, or raise spec.upgrade.maxUnavailable"
	for what, test := range map[string]struct {
		w       *Workload
		pods    []corev1.Pod
		nodes   map[string]*corev1.Node
		message string
		pods3   Pods
	}{
		"its pods tolerate all: the others count": {
			managers(3, 3, 3, 2), []corev1.Pod{podOn("a", "2", true), podOn("b", "2", true), podOn("c", "2", false, everything)}, down,
			"", Pods{2, 2, 2},
		},
		"and its pod is of the definition before": {
			managers(3, 3, 2, 2), []corev1.Pod{podOn("a", "2", true), podOn("b", "2", true), podOn("c", "1", false, everything)}, down,
			"", Pods{2, 2, 2},
		},
		"and another pod is down as well": {
			managers(3, 3, 3, 1), []corev1.Pod{podOn("a", "2", true), podOn("b", "2", false), podOn("c", "2", false, everything)},
			map[string]*corev1.Node{"b": node(corev1.ConditionTrue), "c": down["c"]}, name, Pods{2, 2, 1},
		},
		"and another node has no pod yet": {
			managers(3, 2, 2, 1), []corev1.Pod{podOn("a", "2", true), podOn("c", "2", false, everything)}, down, name, Pods{2, 1, 1},
		},
		"Kubernetes does not count it, and the others are not of this definition": {
			managers(2, 2, 1, 2), []corev1.Pod{podOn("a", "2", true), podOn("b", "1", true), podOn("c", "1", false, asDaemonSets)}, down,
			name + stuck, Pods{2, 1, 2},
		},
		"all nodes are": {
			managers(1, 1, 1, 0), []corev1.Pod{podOn("c", "2", false, everything)}, down, name, Pods{0, 0, 0},
		},
		"none is": {
			managers(2, 2, 2, 1), []corev1.Pod{podOn("a", "2", true), podOn("b", "2", false)}, map[string]*corev1.Node{"b": node(corev1.ConditionTrue)},
			"has pods that are not ready", Pods{2, 2, 1},
		},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			w := test.w
			w.Recall(w.FindLost(test.pods, test.nodes))
			g.Expect(w.Pods()).To(Equal(test.pods3))
			g.Expect(w.IsReady()).To(Equal(test.message == ""))
			if test.message == "" {
				g.Expect(w.Message()).To(BeEmpty())
				g.Expect(w.statusMessage("v1.18.0")).To(Equal(name + " and not counted"))
				g.Expect((&Mesh{Workloads: []Workload{*w}}).lostMessage()).To(Equal("; " + name + " and not counted"))
				g.Expect(w.IsWhole()).To(BeFalse())
				return
			}
			g.Expect(w.Message()).To(HavePrefix("DaemonSet nsm/nsmgr"))
			g.Expect(w.Message()).To(HaveSuffix(test.message))
		})
	}
}

func TestWhatWasFoundOutAboutNodesHoldsWhileNothingChanges(t *testing.T) {
	g := NewWithT(t)
	w := managers(3, 3, 3, 2)
	lost := w.FindLost([]corev1.Pod{podOn("a", "2", true), podOn("b", "2", true), podOn("c", "2", false, everything)},
		map[string]*corev1.Node{"c": node(corev1.ConditionFalse)})
	for what, after := range map[string]*Workload{"a pod": managers(3, 3, 3, 1), "a definition": managers(3, 3, 3, 2)} {
		if what == "a definition" {
			after.Live.SetGeneration(2)
		}
		after.Recall(lost)
		g.Expect(after.Lost).To(BeNil(), what)
	}
	w.Recall(lost)
	g.Expect(w.Lost).NotTo(BeNil())
}

func TestNodesOfPodsThatAreNotUpAreLookedAt(t *testing.T) {
	g := NewWithT(t)
	ending := podOn("ending", "1", true)
	ending.DeletionTimestamp = &metav1.Time{}
	g.Expect(Suspects([]corev1.Pod{podOn("up", "1", true), ending, podOn("down", "1", false), podOn("down", "2", false), podOn("", "1", false)})).To(
		Equal([]string{"down", "ending"}))
}

func TestAMessageNamesTwentyNodesThatAreDown(t *testing.T) {
	lost := &Lost{Why: "it is not ready"}
	for i := range 22 {
		lost.Nodes = append(lost.Nodes, fmt.Sprintf("node-%02d", i))
	}
	NewWithT(t).Expect(lost.String()).To(And(HavePrefix("nodes node-00, node-01, "), HaveSuffix(", node-19 and 2 more are down (it is not ready)")))
}

// TestAnOutlineOfAPodTellsHowItIs, and little of one that is up.
func TestAnOutlineOfAPodTellsHowItIs(t *testing.T) {
	g := NewWithT(t)
	for what, pod := range map[string]corev1.Pod{
		"up": podOn("a", "2", true, everything), "not up": podOn("a", "2", false, everything), "going": podOn("a", "2", true, everything),
	} {
		pod.UID, pod.Annotations = "1", map[string]string{"a": "b"}
		pod.Spec.Containers = []corev1.Container{{Name: "nsmgr", Image: "nsmgr:1", Env: []corev1.EnvVar{{Name: "A"}}}}
		pod.Spec.Volumes = []corev1.Volume{{Name: "a"}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "nsmgr"}}
		if what == "going" {
			pod.DeletionTimestamp = &metav1.Time{}
		}
		want := pod
		want.Annotations, want.Spec.Volumes = nil, nil
		want.Spec.Containers = []corev1.Container{{Name: "nsmgr", Image: "nsmgr:1"}}
		if what == "up" {
			want.Spec.Tolerations, want.Status.ContainerStatuses = nil, nil
		}
		g.Expect(Outline(&pod)).To(Equal(want), what)
	}
}
