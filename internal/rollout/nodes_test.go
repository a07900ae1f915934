// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// rolling is a forwarder of the second definition that should run on three nodes.
func rolling(pods ...corev1.Pod) *NodeByNode {
	live := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "nsm", Name: "forwarder-ovs", UID: "1", Annotations: map[string]string{appsv1.DeprecatedTemplateGeneration: "2"},
	}}
	live.Status.DesiredNumberScheduled = 3
	w := &health.Workload{Component: mesh.Component{Role: mesh.RoleForwarder, Workload: live, NodeByNode: true}, Live: live, Revision: "new"}
	w.Registration = &health.Registration{IsRead: true}
	for _, pod := range pods {
		w.Registration.Endpoints = append(w.Registration.Endpoints, pod.Name)
	}
	slices.Sort(w.Registration.Endpoints)
	return &NodeByNode{Workload: w, Pods: pods, MaxUnavailable: intstr.FromInt32(1), HasManager: func(string) bool { return true }}
}

// podOn is a pod of the DaemonSet on a node, "old" or "new", and ready unless it is changed.
func podOn(node, definition string, change ...func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "forwarder-ovs-" + definition + node, OwnerReferences: []metav1.OwnerReference{{UID: "1", Controller: ptr.To(true)}},
			Labels: map[string]string{"pod-template-generation": map[string]string{"old": "1", "new": "2"}[definition], "controller-revision-hash": definition},
		},
		Spec:   corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, how := range change {
		how(&pod)
	}
	return pod
}

func unready(pod *corev1.Pod) { pod.Status.Conditions = nil }

func goes(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{} }

func of(hash string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Labels["controller-revision-hash"] = hash }
}

func somebodys(pod *corev1.Pod) { pod.OwnerReferences = nil }

// TestNodesTakeTurns says for which pods on which nodes which ones are replaced next.
func TestNodesTakeTurns(t *testing.T) {
	most := func(value string) func(*NodeByNode) {
		return func(n *NodeByNode) { n.MaxUnavailable = intstr.Parse(value) }
	}
	unregistered := func(n *NodeByNode) { n.Workload.Registration.Endpoints = nil }
	unread := func(n *NodeByNode) { n.Workload.Registration.IsRead = false }
	unasked := func(n *NodeByNode) { n.Workload.Registration = nil }
	lost := func(n *NodeByNode) { n.Workload.Lost = &health.Lost{Nodes: []string{"a"}, Counted: []string{"a"}} }
	withoutManager := func(n *NodeByNode) { n.HasManager = func(node string) bool { return node != "a" } }
	threeOld := []corev1.Pod{podOn("c", "old"), podOn("a", "old"), podOn("b", "old")}
	for what, test := range map[string]struct {
		pods    []corev1.Pod
		change  []func(*NodeByNode)
		replace []string
		now     []string
		waiting []string
	}{
		"the first is first":                      {threeOld, nil, []string{"a"}, []string{"a"}, nil},
		"as many as may be":                       {threeOld, []func(*NodeByNode){most("2")}, []string{"a", "b"}, []string{"a", "b"}, nil},
		"as many as may be, of all":               {threeOld, []func(*NodeByNode){most("50%")}, []string{"a", "b"}, []string{"a", "b"}, nil},
		"the next when the last serves":           {[]corev1.Pod{podOn("a", "new"), podOn("b", "old"), podOn("c", "old")}, nil, []string{"b"}, []string{"b"}, nil},
		"not while the last goes":                 {[]corev1.Pod{podOn("a", "old", goes), podOn("b", "old"), podOn("c", "old")}, nil, nil, []string{"a"}, nil},
		"not while it goes and another has come":  {[]corev1.Pod{podOn("a", "old", goes), podOn("a", "new"), podOn("b", "old"), podOn("c", "old")}, nil, nil, []string{"a"}, nil},
		"not before the last is there":            {[]corev1.Pod{podOn("b", "old"), podOn("c", "old")}, nil, nil, nil, nil},
		"not before the last is ready":            {[]corev1.Pod{podOn("a", "new", unready), podOn("b", "old"), podOn("c", "old")}, nil, nil, []string{"a"}, nil},
		"not before the last is registered":       {[]corev1.Pod{podOn("a", "new"), podOn("b", "old"), podOn("c", "old")}, []func(*NodeByNode){unregistered}, nil, []string{"a"}, nil},
		"not while the registry cannot be read":   {threeOld, []func(*NodeByNode){unread}, nil, nil, nil},
		"by readiness alone where none registers": {[]corev1.Pod{podOn("a", "new"), podOn("b", "old"), podOn("c", "old")}, []func(*NodeByNode){unasked}, []string{"b"}, []string{"b"}, nil},
		"those that are not ready at once":        {[]corev1.Pod{podOn("a", "old"), podOn("b", "old", unready), podOn("c", "old", unready)}, nil, []string{"b", "c"}, []string{"b", "c"}, nil},
		"old ones that nobody registered in turn": {threeOld, []func(*NodeByNode){unregistered}, []string{"a"}, []string{"a"}, nil},
		"not those of a definition that is back":  {[]corev1.Pod{podOn("a", "old", of("new")), podOn("b", "old"), podOn("c", "old")}, nil, []string{"b"}, []string{"b"}, nil},
		"not those of one that is newer":          {[]corev1.Pod{podOn("a", "new", of("newer")), podOn("b", "new", of("newer")), podOn("c", "new")}, nil, nil, nil, nil},
		"not on a node that is down":              {[]corev1.Pod{podOn("a", "old", unready), podOn("b", "old"), podOn("c", "old")}, []func(*NodeByNode){lost}, []string{"b"}, []string{"b"}, nil},
		"not before its manager":                  {threeOld, []func(*NodeByNode){withoutManager}, []string{"b"}, []string{"b"}, []string{"a"}},
		"not what others have made": {
			[]corev1.Pod{podOn("a", "new"), podOn("b", "new"), podOn("c", "new"), podOn("d", "old", somebodys)}, nil, nil, nil, nil,
		},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			n := rolling(test.pods...)
			for _, change := range test.change {
				change(n)
			}
			turn := n.Turn()
			var replaced []string
			for _, object := range turn.Replace {
				pod, _ := object.(*corev1.Pod)
				replaced = append(replaced, pod.Spec.NodeName)
			}
			g.Expect(replaced).To(Equal(test.replace))
			g.Expect(turn.Now).To(Equal(test.now))
			g.Expect(turn.NoManager).To(Equal(test.waiting))
		})
	}
}

// TestPodsGoAfterAllIsWritten, and also where a change of release waits for what rolls.
func TestPodsGoAfterAllIsWritten(t *testing.T) {
	g := NewWithT(t)
	in := running(wanted(t, "v1.18.0", mesh.Platform{}, withoutWebhook), "v1.18.0")
	pod := podOn("a", "old")
	in.Turns = map[string]Turn{"forwarder-vpp": {Replace: []mesh.Object{&pod}}}
	const next = "the next nodes of DaemonSet forwarder-vpp"
	g.Expect(waves(Next(in))).To(Equal([]string{"the whole mesh", next, unwanted, record}))
	g.Expect(Next(in).String()).To(ContainSubstring("\n   delete Pod forwarder-ovs-olda\n"))

	in.NSM.Status.Version, in.NotReady = "v1.17.0", "DaemonSet nsm/forwarder-vpp is rolling out"
	in = running(in, "v1.17.0")
	plan := Next(in)
	g.Expect(plan[0].Name).To(Equal(next))
	g.Expect(slices.IndexFunc(plan, func(w Wave) bool { return w.Gate.Preflight != "" })).To(Equal(1))
}
