// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// cause is what is wrong with a pod of a workload.
type cause struct {
	// what is wrong; "" for nothing.
	what string
	// detail is what Kubernetes, or the program itself, says about it.
	detail string
	// node of the pod; "" for none.
	node string
}

// String is the cause for people.
func (c cause) String() string {
	text := c.what
	if c.detail != "" {
		text += ": " + c.detail
	}
	if c.node != "" {
		text += " (on node " + c.node + ")"
	}
	return text
}

// ofIdentity is in what programs and the kubelet say where an identity is missing,
// or SPIRE itself: its agent's directory, or its CSI driver.
var ofIdentity = regexp.MustCompile(`(?i)x509 ?source|svid|workload ?api|no identity|csi\.spiffe\.io|/spire/`)

// isOfIdentity tells whether the pod waits for an identity from SPIRE.
func (c cause) isOfIdentity() bool { return ofIdentity.MatchString(c.detail) }

// numbers are what moves in messages that mean the same: addresses, ports,
// durations, process IDs.
var numbers = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*`)

// sameWords puts causes that were known already in the words in which they were
// told: where they differ in numbers alone, or say less than before, as the
// kubelet does of an image every other time.
func sameWords(known, found []cause) []cause {
	left := slices.DeleteFunc(slices.Clone(known), func(before cause) bool {
		return slices.ContainsFunc(found, before.says)
	})
	for i := range found {
		if slices.ContainsFunc(known, found[i].says) {
			continue
		}
		if j := slices.IndexFunc(left, found[i].means); j >= 0 {
			found[i].detail = left[j].detail
			left = slices.Delete(left, j, j+1)
		}
	}
	return found
}

// says tells whether two causes are told in the same words.
func (c cause) says(other cause) bool {
	return c.what == other.what && c.detail == other.detail
}

// means tells whether a cause may be another one that was told before.
func (c cause) means(before cause) bool {
	return c.what == before.what && (c.detail == "" ||
		numbers.ReplaceAllLiteralString(c.detail, "#") == numbers.ReplaceAllLiteralString(before.detail, "#"))
}

// causeOf tells what a pod's status says is wrong with it.
func causeOf(pod *corev1.Pod, now time.Time) cause {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return cause{what: "no node takes its pod", detail: shorten(condition.Message)}
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if found := containerCause(container, now); found.what != "" {
			return found
		}
	}
	return cause{}
}

// containerCause tells why a container does not run. One that crashes runs again
// between two crashes: it is told to crash until it is ready, or has run for a
// while.
func containerCause(container corev1.ContainerStatus, now time.Time) cause {
	waiting := container.State.Waiting
	if waiting == nil {
		if !container.Ready && hasCrashed(container, now) {
			return crashOf(container)
		}
		return cause{}
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
		return cause{what: "the image " + container.Image + " cannot be pulled", detail: shorten(pullMessage(container.Image, waiting.Message))}
	case "CrashLoopBackOff":
		return crashOf(container)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return cause{what: fmt.Sprintf("container %s cannot be started (%s)", container.Name, waiting.Reason), detail: shorten(waiting.Message)}
	default:
		return cause{}
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

// hasCrashed tells whether a container has ended lately though it should not have:
// an init container ends well.
func hasCrashed(container corev1.ContainerStatus, now time.Time) bool {
	if terminated := container.State.Terminated; terminated != nil {
		return terminated.ExitCode != 0
	}
	running := container.State.Running
	return running != nil && now.Before(running.StartedAt.Add(recently)) && container.LastTerminationState.Terminated != nil
}

// crashOf is a crash with what the container left behind.
func crashOf(container corev1.ContainerStatus) cause {
	crash := "container " + container.Name + " crashes: "
	last := cmp.Or(container.State.Terminated, container.LastTerminationState.Terminated)
	if last == nil {
		return cause{what: crash + "it has left no message; see kubectl logs --previous"}
	}
	crash += fmt.Sprintf("exit code %d", last.ExitCode)
	if last.Reason != "" {
		crash += ", " + last.Reason
	}
	return cause{what: crash, detail: shorten(lastMessage(last.Message))}
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

// shorten keeps a text to one line of bearable length, and to whole characters.
func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostCauseLength {
		text = strings.ToValidUTF8(text[:mostCauseLength], "") + " …"
	}
	return text
}
