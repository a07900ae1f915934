// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// recently: a container that has run for longer crashes no more.
	recently = 2 * time.Minute
	// mostDetail is how long the detail of a cause may be.
	mostDetail = 300
)

// Cause is what is wrong with a pod of a workload.
type Cause struct {
	// What is wrong; "" for nothing.
	What string
	// Detail is what Kubernetes, or the program itself, says about it.
	Detail string
	// Node of the pod; "" for none.
	Node string
}

// String is the cause for people.
func (c Cause) String() string {
	text := c.What
	if c.Detail != "" {
		text += ": " + c.Detail
	}
	if c.Node != "" {
		text += " (on node " + c.Node + ")"
	}
	return text
}

// ofIdentity is in what programs and the kubelet say where an identity is missing,
// or SPIRE itself: its agent's directory, or its CSI driver.
var ofIdentity = regexp.MustCompile(`(?i)x509 ?source|svid|workload ?api|no identity|csi\.spiffe\.io|/spire/`)

// IsOfIdentity reports whether the pod waits for an identity from SPIRE.
func (c Cause) IsOfIdentity() bool { return ofIdentity.MatchString(c.Detail) }

// numbers are what moves in messages that mean the same: addresses, ports,
// durations, process IDs.
var numbers = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*`)

// advice is what to do about what the kubelet says, where its words do not tell.
var advice = []struct{ says, do string }{
	{"is not a shared mount", "the node's root is no shared mount, as on k3d: run mount --make-rshared / on the node, or leave spec.csiDriver out"},
	{"/kubelet is not a directory", "if the node's kubelet keeps its files elsewhere, as on MicroK8s and k0s, spec.kubeletDirectory says where"},
	{"/kubelet/pods is not a directory", "if the node's kubelet keeps its files elsewhere, as on MicroK8s and k0s, spec.kubeletDirectory says where"},
	{"/kubelet/plugins_registry is not a directory", "if the node's kubelet keeps its files elsewhere, as on MicroK8s and k0s, spec.kubeletDirectory says where"},
}

// advised is what the kubelet says, in brief, and what to do about it.
func advised(message string) string {
	for _, one := range advice {
		if strings.Contains(message, one.says) {
			return inBrief(message) + "; " + one.do
		}
	}
	return inBrief(message)
}

// SameWords puts causes that were known already in the words in which they were
// told: where they differ in numbers alone, or say less than before, as the
// kubelet does of an image every other time.
func SameWords(known, found []Cause) []Cause {
	left := slices.DeleteFunc(slices.Clone(known), func(before Cause) bool {
		return slices.ContainsFunc(found, before.says)
	})
	for i := range found {
		if slices.ContainsFunc(known, found[i].says) {
			continue
		}
		if j := slices.IndexFunc(left, found[i].means); j >= 0 {
			found[i].Detail = left[j].Detail
			left = slices.Delete(left, j, j+1)
		}
	}
	return found
}

// says reports whether two causes are told in the same words.
func (c Cause) says(other Cause) bool {
	return c.What == other.What && c.Detail == other.Detail
}

// means reports whether a cause may be another one that was told before.
func (c Cause) means(before Cause) bool {
	return c.What == before.What && (c.Detail == "" ||
		numbers.ReplaceAllLiteralString(c.Detail, "#") == numbers.ReplaceAllLiteralString(before.Detail, "#"))
}

// causeOf tells what a pod's status says is wrong with it.
func causeOf(pod *corev1.Pod, now time.Time) Cause {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return Cause{What: "no node takes its pod", Detail: inBrief(condition.Message)}
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if found := containerCause(container, now); found.What != "" {
			return found
		}
	}
	return Cause{}
}

// containerCause tells why a container does not run. One that crashes runs again
// between two crashes: it is told to crash until it is ready, or has run for a
// while.
func containerCause(container corev1.ContainerStatus, now time.Time) Cause {
	waiting := container.State.Waiting
	if waiting == nil {
		if !container.Ready && hasCrashed(container, now) {
			return crashOf(container)
		}
		return Cause{}
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
		return Cause{What: "the image " + container.Image + " cannot be pulled", Detail: inBrief(pullMessage(container.Image, waiting.Message))}
	case "CrashLoopBackOff":
		return crashOf(container)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return Cause{What: fmt.Sprintf("container %s cannot be started (%s)", container.Name, waiting.Reason), Detail: advised(waiting.Message)}
	default:
		return Cause{}
	}
}

// pullMessage is why an image cannot be pulled, in the same words whether the
// kubelet tries or waits before it does so again: then it begins with that, and
// repeats what it said before or, before Kubernetes 1.31, nothing.
func pullMessage(image, message string) string {
	message = strings.TrimPrefix(message, fmt.Sprintf("Back-off pulling image %q", image))
	message = strings.TrimPrefix(message, ": ")
	return strings.TrimPrefix(message, "ErrImagePull: ")
}

// hasCrashed reports whether a container has ended lately though it should not have:
// an init container ends well.
func hasCrashed(container corev1.ContainerStatus, now time.Time) bool {
	if terminated := container.State.Terminated; terminated != nil {
		return terminated.ExitCode != 0
	}
	running := container.State.Running
	return running != nil && now.Before(running.StartedAt.Add(recently)) && container.LastTerminationState.Terminated != nil
}

// crashOf is a crash with what the container left behind.
func crashOf(container corev1.ContainerStatus) Cause {
	crash := "container " + container.Name + " crashes: "
	last := cmp.Or(container.State.Terminated, container.LastTerminationState.Terminated)
	if last == nil {
		return Cause{What: crash + "it has left no message; see kubectl logs --previous"}
	}
	crash += fmt.Sprintf("exit code %d", last.ExitCode)
	if last.Reason != "" {
		crash += ", " + last.Reason
	}
	return Cause{What: crash, Detail: inBrief(lastMessage(last.Message))}
}

var (
	// decisive begin what a program says in a log before it gives up.
	decisive = regexp.MustCompile(`panic:|fatal|FATA`)
	// consequent is what a program says that stops since something else has gone
	// wrong: what that was stands before it.
	consequent = regexp.MustCompile(`context canceled`)
	// wrong is in a line that tells of something that went wrong.
	wrong = regexp.MustCompile(`(?i)erro|fail|fata|panic|signal:|exit status|cannot|denied|refused`)
	// timeOfDay, with a date before it or not, is in every line of a log. NSM's
	// begin with the month and the day.
	timeOfDay = regexp.MustCompile(`(\d{4}-\d{2}-\d{2}[T ]|[A-Z][a-z]{2} +\d{1,2} )?\d{2}:\d{2}:\d{2}([.,]\d+)?(Z|[+-]\d{2}:?\d{2})?\s*`)
)

// lastMessage picks from the end of a log the line that tells why it ends, without
// the time, which is another one after each crash.
func lastMessage(log string) string {
	lines := strings.FieldsFunc(log, func(r rune) bool { return r == '\n' })
	if len(lines) == 0 {
		return ""
	}
	last := len(lines) - 1
	if i := slices.IndexFunc(lines, decisive.MatchString); i >= 0 {
		last = i
	}
	for i := last; i >= 0 && consequent.MatchString(lines[last]); i-- {
		if wrong.MatchString(lines[i]) && !consequent.MatchString(lines[i]) {
			last = i
		}
	}
	return timeOfDay.ReplaceAllLiteralString(lines[last], "")
}

// inBrief keeps what Kubernetes or a program says to what a person reads.
func inBrief(text string) string { return Shorten(text, mostDetail) }

// Shorten keeps a text to one line of so many bytes, and to whole characters: the
// API would store something else in place of a part of one.
func Shorten(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}
