// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// mostNodes is how many nodes a message names.
const mostNodes = 3

// ImagePull is what was observed of the nodes that pull the new images of a workload,
// which goes on as it is until all of them have.
type ImagePull struct {
	// Workload whose images they are: "Kind namespace/name".
	Workload string
	// Images that are pulled.
	Images []string
	// Desired is the number of nodes that should have the images, Done that of the nodes
	// that do, or that have no room for the pod: a node on which pods wait for room has
	// more to wait for than an image.
	Desired, Done int32
	// Nodes are those that pull.
	Nodes []string
	// Failures tell which images cannot be pulled, and why.
	Failures []PullFailure
	// Pods that are there to pull them.
	Pods int32
	// Lost is what is known of nodes that are down and have not pulled; nil for none. One
	// that the DaemonSet counts all the same is not waited for.
	Lost *Lost
	// Refused tells why the pods that pull are not created; "" where they are.
	Refused string
}

// PullFailure is an image that cannot be pulled.
type PullFailure struct {
	Cause
	// Nodes that cannot pull it, for the same reason.
	Nodes []string
}

// Add takes account of a pod that pulls images, and reports whether its node has not
// pulled them yet. One of other images, of the spec before this one, does not count; nor
// does one that goes.
func (p *ImagePull) Add(pod *corev1.Pod) (isWaitedFor bool) {
	if pod.DeletionTimestamp != nil || !slices.Equal(imagesOf(pod), p.Images) {
		return false
	}
	p.Pods++
	node := pod.Spec.NodeName
	switch failure, isDone := pullOf(pod); {
	case failure.What != "":
		p.fail(failure, node)
	case isDone || hasNoRoom(pod):
		p.Done++
		return false
	case node != "":
		p.Nodes = append(p.Nodes, node)
	}
	return true
}

func (p *ImagePull) fail(failure Cause, node string) {
	i := slices.IndexFunc(p.Failures, func(known PullFailure) bool { return known.says(failure) })
	if i < 0 {
		p.Failures = append(p.Failures, PullFailure{Cause: failure})
		i = len(p.Failures) - 1
	}
	p.Failures[i].Nodes = append(p.Failures[i].Nodes, node)
}

// KeepWords tells failures that were known already in the words in which they were told.
func (p *ImagePull) KeepWords(before ImagePull) {
	causes := func(failures []PullFailure) []Cause {
		var all []Cause
		for _, failure := range failures {
			all = append(all, failure.Cause)
		}
		return all
	}
	for i, cause := range SameWords(causes(before.Failures), causes(p.Failures)) {
		p.Failures[i].Cause = cause
	}
	slices.SortFunc(p.Failures, func(a, b PullFailure) int { return strings.Compare(a.String(), b.String()) })
}

// IsDone reports whether all nodes have the images, as many as there should be. A node that
// is lost meanwhile is not one of them any more.
func (p *ImagePull) IsDone() bool { return p.Done >= p.expected() }

// expected is the number of nodes that are waited for, those that are done included.
func (p *ImagePull) expected() int32 {
	if p.Lost == nil {
		return p.Desired
	}
	waiting := p.waiting()
	// One that has come back, and has pulled, is not one of them any more.
	return p.Desired - count(slices.DeleteFunc(slices.Clone(p.Lost.Counted), func(node string) bool { return !slices.Contains(waiting, node) }))
}

// waiting are the nodes that have not pulled.
func (p *ImagePull) waiting() []string {
	nodes := slices.Clone(p.Nodes)
	for _, failure := range p.Failures {
		nodes = append(nodes, failure.Nodes...)
	}
	return nodes
}

// Message tells what the pull waits for, without numbers that move.
func (p *ImagePull) Message() string {
	if p.Refused != "" {
		return "the pods that pull the images of " + p.Workload + " are not created: " + p.Refused
	}
	if len(p.Failures) == 0 {
		return "the images of " + p.Workload + " are being pulled"
	}
	var failures []string
	for i := range p.Failures {
		failures = append(failures, p.Failures[i].String())
	}
	if len(failures) > mostCauses {
		failures = append(failures[:mostCauses], fmt.Sprintf("and %d more", len(failures)-mostCauses))
	}
	return p.Workload + ": " + strings.Join(failures, "; ")
}

// Progress tells how far the pull is.
func (p *ImagePull) Progress() string {
	if p.Desired == 0 {
		// Nobody has counted the nodes yet.
		return "nodes are about to pull the images of " + p.Workload
	}
	text := fmt.Sprintf("%d of %d nodes have the images of %s", p.Done, p.expected(), p.Workload)
	if nodes := slices.DeleteFunc(p.waiting(), p.Lost.Has); len(nodes) > 0 {
		text += ", not yet " + SomeNodes(nodes)
	}
	if p.Lost != nil {
		text += "; " + p.Lost.String() + " and not waited for"
	}
	return text
}

// String is the failure for people, with the nodes.
func (f *PullFailure) String() string {
	return f.Cause.String() + " (on " + SomeNodes(f.Nodes) + ")"
}

// SomeNodes names a few of some nodes, and counts the others.
func SomeNodes(nodes []string) string {
	nodes = slices.Compact(slices.Sorted(slices.Values(nodes)))
	word := "node "
	if len(nodes) > 1 {
		word = "nodes "
	}
	if len(nodes) > mostNodes {
		return fmt.Sprintf("%s%s and %d more", word, strings.Join(nodes[:mostNodes], ", "), len(nodes)-mostNodes)
	}
	return word + strings.Join(nodes, ", ")
}

func imagesOf(pod *corev1.Pod) []string {
	var images []string
	for _, container := range pod.Spec.Containers {
		images = append(images, container.Image)
	}
	return images
}

// pullOf reports whether a pod's node has all of its images, and if not, which one cannot
// be pulled.
func pullOf(pod *corev1.Pod) (failure Cause, isDone bool) {
	isDone = len(pod.Status.ContainerStatuses) == len(pod.Spec.Containers)
	for _, container := range pod.Status.ContainerStatuses {
		waiting := container.State.Waiting
		if waiting == nil {
			continue
		}
		switch waiting.Reason {
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff":
			// What the kubelet says after the image is there.
		case "", "ContainerCreating", "PodInitializing":
			isDone = false
		default:
			return Cause{
				What: "the image " + container.Image + " cannot be pulled", Detail: inBrief(pullMessage(container.Image, cmp.Or(waiting.Message, waiting.Reason))),
			}, false
		}
	}
	return Cause{}, isDone
}

// hasNoRoom reports whether a pod waits for room on its node.
func hasNoRoom(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && condition.Reason == corev1.PodReasonUnschedulable
	})
}

// pulling joins what the pulls of new images wait for.
func (m *Mesh) pulling(say func(*ImagePull) string) string {
	var messages []string
	for i := range m.Pulls {
		messages = append(messages, say(&m.Pulls[i]))
	}
	return strings.Join(messages, "; ")
}

// notPulled tells why a change has not begun: its images are not on the nodes.
func (m *Mesh) notPulled() string {
	failing := slices.DeleteFunc(slices.Clone(m.Pulls), func(p ImagePull) bool { return len(p.Failures) == 0 && p.Refused == "" })
	message := "nothing is changed until the new images are on the nodes: "
	if len(failing) == 0 {
		return message + m.pulling((*ImagePull).Message)
	}
	// The others are none that anybody has to look at.
	told := Mesh{Pulls: failing}
	return message + told.pulling((*ImagePull).Message)
}
