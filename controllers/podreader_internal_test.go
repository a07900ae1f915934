// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// largeMesh is a cluster with a DaemonSet on a thousand nodes, the last of which are down.
// Its pods tolerate that.
type largeMesh struct {
	client.Reader
	down int
	// starting: no pod has started yet.
	starting bool
	// generation of the pods.
	generation string
	// asked are the requests, by what they are for, and most is the longest answer.
	asked map[string]int
	most  int
}

const largeMeshNodes = 1000

// List implements client.Reader.
func (m *largeMesh) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	first, _ := strconv.Atoi(asked.Continue)
	last := largeMeshNodes
	if asked.Limit > 0 {
		last = min(last, first+int(asked.Limit))
	}
	what := fmt.Sprintf("%T", list)
	switch list := list.(type) {
	case *corev1.PodList:
		for i := first; i < last; i++ {
			list.Items = append(list.Items, m.pod(i))
		}
	case *corev1.NodeList:
		if asked.FieldSelector != nil {
			what += " by name"
			name, _ := asked.FieldSelector.RequiresExactMatch("metadata.name")
			first, _ = strconv.Atoi(name[len("node-"):])
			last = first + 1
		}
		for i := first; i < last; i++ {
			list.Items = append(list.Items, m.node(i))
		}
	}
	if asked.FieldSelector == nil && last < largeMeshNodes {
		list.SetContinue(strconv.Itoa(last))
	}
	m.asked[what]++
	m.most = max(m.most, meta.LenList(list))
	return nil
}

func (m *largeMesh) isDown(i int) bool { return i >= largeMeshNodes-m.down }

func (m *largeMesh) pod(i int) corev1.Pod {
	ready := corev1.ConditionTrue
	if m.isDown(i) || m.starting {
		ready = corev1.ConditionFalse
	}
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("forwarder-ovs-%03d", i), Labels: map[string]string{"pod-template-generation": m.generation},
			OwnerReferences: []metav1.OwnerReference{{UID: "1", Controller: ptr.To(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: fmt.Sprintf("node-%03d", i), Containers: []corev1.Container{{Name: "a", Image: "a"}},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
	if m.starting {
		waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: waits}}
	}
	return pod
}

func (m *largeMesh) node(i int) corev1.Node {
	node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%03d", i)}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if m.isDown(i) {
		node.Status.Conditions[0].Status = corev1.ConditionUnknown
		node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}}
	}
	return node
}

// workload is the DaemonSet, in its second definition.
func (m *largeMesh) workload() *health.Workload {
	live := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "nsm", Name: "forwarder-ovs", UID: "1", Annotations: map[string]string{appsv1.DeprecatedTemplateGeneration: "2"},
	}}
	live.Status = appsv1.DaemonSetStatus{
		DesiredNumberScheduled: largeMeshNodes, CurrentNumberScheduled: largeMeshNodes, UpdatedNumberScheduled: largeMeshNodes,
		NumberReady: int32(largeMeshNodes - m.down),
	}
	return &health.Workload{Component: mesh.Component{Role: mesh.RoleForwarder, Workload: live, NodeByNode: true}, Live: live}
}

// TestNodesThatAreDownAreFoundInALargeMesh, few of them and many, and no answer is long.
func TestNodesThatAreDownAreFoundInALargeMesh(t *testing.T) {
	for down, nodeReads := range map[int]map[string]int{
		mostAsked:     {"*v1.NodeList by name": mostAsked},
		mostAsked + 1: {"*v1.NodeList": 10},
		150:           {"*v1.NodeList": 10},
	} {
		t.Run(strconv.Itoa(down), func(t *testing.T) {
			g := NewWithT(t)
			m := &largeMesh{down: down, generation: "2", asked: map[string]int{}}
			diagnoses := &diagnoses{pods: podReader{direct: m}, times: DefaultTimes(), now: time.Now}
			w := m.workload()
			causes, nodes, err := diagnoses.causesOf(t.Context(), mesh.Platform{}, w)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(causes).To(BeEmpty())
			g.Expect(nodes).To(HaveLen(down))
			g.Expect(w.Lost).NotTo(BeNil())
			g.Expect(w.Lost.Nodes).To(HaveLen(down))
			others := int32(largeMeshNodes - down)
			g.Expect(w.Pods()).To(Equal(health.Pods{Desired: others, Updated: others, Ready: others}))
			g.Expect(w.IsReady()).To(BeTrue())

			nodeReads["*v1.PodList"], nodeReads["*v1.ControllerRevisionList"] = 10, 1
			g.Expect(m.asked).To(Equal(nodeReads), "no event is asked for: no pod is missing")
			g.Expect(m.most).To(Equal(mostPods))
		})
	}
}

func TestEventsOfFewPodsAreAskedForInALargeMesh(t *testing.T) {
	g := NewWithT(t)
	m := &largeMesh{starting: true, generation: "2", asked: map[string]int{}}
	_, _, err := (&diagnoses{pods: podReader{direct: m}, now: time.Now}).causesOf(t.Context(), mesh.Platform{}, m.workload())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.asked).To(HaveKeyWithValue("*v1.EventList", mostAsked))
}

func TestNodesThatAreDownTakeNoTurnInALargeMesh(t *testing.T) {
	g := NewWithT(t)
	m := &largeMesh{down: 30, generation: "1", asked: map[string]int{}}
	turn, err := (&NSMReconciler{pods: podReader{direct: m}}).nextTurn(t.Context(), desired{input: mesh.Input{NSM: &nsmv1beta1.NSM{}}}, m.workload(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(turn.Now).To(Equal([]string{"node-000"}))
	g.Expect(turn.Replace).To(HaveLen(1))
}

func TestNodesThatAreDownAreNotWaitedForInALargeMeshThatPullsImages(t *testing.T) {
	g := NewWithT(t)
	m := &largeMesh{down: 30, asked: map[string]int{}}
	pulls := &imagePulls{direct: m, pods: podReader{direct: m}, times: DefaultTimes(), now: time.Now}
	seen := &health.ImagePull{Images: []string{"a"}, Desired: largeMeshNodes}
	waitedFor, err := pulls.count(t.Context(), mesh.Platform{}, m.workload(), seen)
	g.Expect(err).NotTo(HaveOccurred())
	pulls.findLost(t.Context(), m.workload(), waitedFor, seen, &pullSeen{})
	g.Expect(seen.Lost).To(HaveField("Counted", HaveLen(30)))
}
