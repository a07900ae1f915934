// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// puller is a pod that pulls an image on a node; with a reason for which its container
// waits, or "" for none that is known yet.
func puller(node, reason, message string) *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Image: "nsmgr:2"}}}}
	if reason != "" {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Image: "nsmgr:2", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		}}
	}
	return pod
}

func pullOn(desired int32, pods ...*corev1.Pod) *ImagePull {
	pull := &ImagePull{Workload: "DaemonSet nsm/nsmgr", Images: []string{"nsmgr:2"}, Desired: desired}
	for _, pod := range pods {
		pull.Add(pod)
	}
	return pull
}

func TestWhenANodeHasItsImages(t *testing.T) {
	going := puller("a", "CreateContainerConfigError", "")
	going.DeletionTimestamp = &metav1.Time{}
	other := puller("a", "CreateContainerConfigError", "")
	other.Spec.Containers[0].Image = "nsmgr:1"
	full := puller("", "", "")
	full.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	for what, test := range map[string]struct {
		pull   *ImagePull
		isDone bool
	}{
		"nothing is known yet":                  {pullOn(1, puller("a", "", "")), false},
		"it pulls":                              {pullOn(1, puller("a", "ContainerCreating", "")), false},
		"it cannot pull":                        {pullOn(1, puller("a", "ErrImagePull", "no such host")), false},
		"it says what nobody knows":             {pullOn(1, puller("a", "ErrSomethingNew", "")), false},
		"the image is there":                    {pullOn(1, puller("a", "CreateContainerConfigError", "")), true},
		"it has the image of the spec before":   {pullOn(1, other), false},
		"its pod goes":                          {pullOn(1, going), false},
		"it has no room":                        {pullOn(1, full), true},
		"one of two":                            {pullOn(2, puller("a", "CreateContainerConfigError", "")), false},
		"one of two, and the other one is lost": {pullOn(1, puller("a", "CreateContainerConfigError", ""), puller("b", "ContainerCreating", "")), true},
		"there is no node":                      {pullOn(0), true},
	} {
		t.Run(what, func(t *testing.T) { NewWithT(t).Expect(test.pull.IsDone()).To(Equal(test.isDone)) })
	}
}

func TestANodeThatIsDownIsNotWaitedForUntilItIsBack(t *testing.T) {
	g := NewWithT(t)
	w := managers(2, 2, 2, 0)
	tolerant, usual := puller("b", "", ""), puller("b", "", "")
	tolerant.Spec.Tolerations, usual.Spec.Tolerations = []corev1.Toleration{everything}, []corev1.Toleration{asDaemonSets}
	down := map[string]*corev1.Node{"b": node(corev1.ConditionUnknown)}

	done := puller("a", "CreateContainerConfigError", "")
	pull := pullOn(2, done, tolerant)
	g.Expect(pull.IsDone()).To(BeFalse(), "nobody has looked at its node")
	pull.Lost = w.FindLost([]corev1.Pod{*tolerant}, down)
	g.Expect(pull.IsDone()).To(BeTrue())
	g.Expect(pullOn(2, done, puller("b", "ErrImagePull", "i/o timeout")).Add(tolerant)).To(BeTrue())

	pull = pullOn(3, done, puller("c", "", ""), tolerant)
	pull.Lost = w.FindLost([]corev1.Pod{*tolerant}, down)
	g.Expect(pull.Progress()).To(Equal("1 of 2 nodes have the images of DaemonSet nsm/nsmgr, not yet node c; " +
		"node b is down (Kubelet stopped posting node status.) and not waited for"))

	back := pullOn(3, done, puller("c", "", ""), puller("b", "CreateContainerConfigError", ""))
	back.Lost = pull.Lost
	g.Expect(back.IsDone()).To(BeFalse(), "it counts again, and node c still pulls")

	pull = pullOn(1, usual)
	pull.Lost = w.FindLost([]corev1.Pod{*usual}, down)
	g.Expect(pull.IsDone()).To(BeFalse(), "the DaemonSet counts another node, not this one")
}

func TestImagesThatCannotBePulledAreToldOnceWithTheirNodes(t *testing.T) {
	g := NewWithT(t)
	words := "manifest unknown"
	nodes := []*corev1.Pod{puller("f", "ContainerCreating", ""), puller("g", "CreateContainerConfigError", "")}
	for _, node := range []string{"d", "c", "b", "a"} {
		nodes = append(nodes, puller(node, "ErrImagePull", words))
	}
	pull := pullOn(6, nodes...)
	g.Expect(pull.Message()).To(Equal("DaemonSet nsm/nsmgr: the image nsmgr:2 cannot be pulled: manifest unknown (on nodes a, b, c and 1 more)"))
	g.Expect(pull.Progress()).To(Equal("1 of 6 nodes have the images of DaemonSet nsm/nsmgr, not yet nodes a, b, c and 2 more"))

	g.Expect(pullOn(0).Progress()).To(Equal("nodes are about to pull the images of DaemonSet nsm/nsmgr"))

	backOff := pullOn(1, puller("a", "ImagePullBackOff", `Back-off pulling image "nsmgr:2"`))
	backOff.KeepWords(*pull)
	g.Expect(backOff.Message()).To(ContainSubstring(words), "the kubelet does not say it every time")
}

func TestAMeshWhoseImagesArePulledSaysSo(t *testing.T) {
	g := NewWithT(t)
	m := Mesh{Pulls: []ImagePull{*pullOn(2, puller("a", "ContainerCreating", ""))}}
	g.Expect(m.Summary()).To(Equal("nothing is changed until the new images are on the nodes: the images of DaemonSet nsm/nsmgr are being pulled"))
	reason, progress := m.progress()
	g.Expect(reason).To(Equal("PullingImages"))
	g.Expect(progress).To(Equal("0 of 2 nodes have the images of DaemonSet nsm/nsmgr, not yet node a"))
	m.Pulls = append(m.Pulls, *pullOn(1, puller("b", "ErrImagePull", "no such host")))
	g.Expect(m.Summary()).NotTo(ContainSubstring("are being pulled"), "what goes well is not what to look at")
	m.Pulls[0].Refused = "its pods are refused: quota"
	g.Expect(m.Summary()).To(ContainSubstring("the pods that pull the images of DaemonSet nsm/nsmgr are not created: its pods are refused: quota"))
}
