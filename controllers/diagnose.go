// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// patience is how long a workload may be down before anybody asks why: most
	// come up by themselves.
	patience = 5 * time.Second
	// askAgain is the time between two looks at a workload that stays down.
	askAgain = 15 * time.Second
	// mostPods is how many pods of a workload are looked at.
	mostPods = 500
	// mostCauses is how many different causes a message names.
	mostCauses = 3
	// mostCauseLength keeps a cause to what a person reads.
	mostCauseLength = 300
)

// Pods and events are read when something is down, and then only those of the
// workload that is.
//
// +kubebuilder:rbac:groups="",resources=pods;events,verbs=list

// diagnose finds out why workloads are down that have been for a while.
func (r *NSMReconciler) diagnose(ctx context.Context, nsm *nsmv1beta1.NSM, seen *observation) error {
	if len(seen.problems("")) == 0 {
		return nil
	}
	downSince := r.now()
	available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	if available != nil && available.Status != "True" {
		downSince = available.LastTransitionTime.Time
	}
	if wait := downSince.Add(patience).Sub(r.now()); wait > 0 {
		seen.wake(r.now().Add(wait))
		return nil
	}
	seen.wake(r.now().Add(askAgain))
	for i := range seen.workloads {
		w := &seen.workloads[i]
		if w.isReady() || !w.exists {
			continue
		}
		causes, err := r.causesOf(ctx, w)
		if err != nil {
			return err
		}
		w.causes = causes
	}
	return nil
}

// causesOf reads the pods of a workload and tells what is wrong with them.
func (r *NSMReconciler) causesOf(ctx context.Context, w *workload) ([]string, error) {
	var pods corev1.PodList
	err := r.direct.List(ctx, &pods, client.InNamespace(w.namespace), client.Limit(mostPods), w.podLabels())
	if err != nil {
		return nil, fmt.Errorf("reading the pods of %s: %w", w.fullName(), err)
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Spec.NodeName, b.Spec.NodeName) })
	var causes []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		cause := causeOf(pod)
		if cause == "" && w.registers && isReady(pod) && !w.isRegistered(pod.Name) {
			cause = unregisteredCause
		}
		if cause == "" && isStarting(pod) {
			cause, err = r.mountFailure(ctx, pod)
			if err != nil {
				return nil, err
			}
		}
		// The first of those that differ in the node alone stands for all.
		if cause != "" && !slices.ContainsFunc(causes, func(known string) bool { return strings.HasPrefix(known, cause) }) {
			causes = append(causes, cause+onNode(pod))
		}
		if len(causes) == mostCauses {
			break
		}
	}
	if len(causes) == 0 && len(pods.Items) < int(w.desired) {
		return r.creationFailures(ctx, w)
	}
	return causes, nil
}

// creationFailures reads why the pods of a workload are not even created: only
// events tell that admission, by pod security or an SCC, refuses them.
func (r *NSMReconciler) creationFailures(ctx context.Context, w *workload) ([]string, error) {
	var events corev1.EventList
	err := r.direct.List(ctx, &events, client.InNamespace(w.namespace), client.Limit(mostPods), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"reason": "FailedCreate", "type": corev1.EventTypeWarning}),
	})
	if err != nil {
		return nil, fmt.Errorf("reading the events of %s: %w", w.fullName(), err)
	}
	for _, event := range events.Items {
		// A Deployment's pods are created by a ReplicaSet, whose name begins like its own.
		creator := event.InvolvedObject
		if creator.Name != w.name && (creator.Kind != "ReplicaSet" || !strings.HasPrefix(creator.Name, w.name+"-")) {
			continue
		}
		cause := "its pods are refused: " + shorten(event.Message)
		if strings.Contains(event.Message, "violates PodSecurity") {
			cause += "; the namespace must allow them: " + labelCommand(w.namespace, *r.platform.current.Load())
		}
		return []string{cause}, nil
	}
	return nil, nil
}

// unregisteredCause is of a forwarder that is up and serves nobody.
const unregisteredCause = "a pod is ready and not registered: no live NetworkServiceEndpoint of the service " + mesh.ForwarderService +
	" has its name; its log, and that of nsmgr on the same node, tell why"

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

func onNode(pod *corev1.Pod) string {
	if pod.Spec.NodeName == "" {
		return ""
	}
	return " (on node " + pod.Spec.NodeName + ")"
}

// causeOf tells what a pod's status says is wrong with it, "" for nothing.
func causeOf(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return "no node takes its pod: " + shorten(condition.Message)
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if cause := containerCause(container); cause != "" {
			return cause
		}
	}
	return ""
}

// containerCause tells why a container does not run.
func containerCause(container corev1.ContainerStatus) string {
	waiting := container.State.Waiting
	if waiting == nil {
		return ""
	}
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
		// The kubelet's message begins with what has just been said.
		detail := strings.TrimPrefix(waiting.Message, fmt.Sprintf("Back-off pulling image %q", container.Image))
		return strings.TrimSuffix(fmt.Sprintf("the image %s cannot be pulled (%s): %s",
			container.Image, waiting.Reason, shorten(strings.TrimPrefix(detail, ": "))), ": ")
	case "CrashLoopBackOff":
		return fmt.Sprintf("container %s crashes: %s", container.Name, lastWords(container))
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return fmt.Sprintf("container %s cannot be started (%s): %s", container.Name, waiting.Reason, shorten(waiting.Message))
	default:
		return ""
	}
}

// lastWords are what a container that crashed left behind.
func lastWords(container corev1.ContainerStatus) string {
	last := container.LastTerminationState.Terminated
	if last == nil {
		return "it has left no message; see kubectl logs --previous"
	}
	words := fmt.Sprintf("exit code %d", last.ExitCode)
	if last.Reason != "" {
		words += ", " + last.Reason
	}
	if last.Message != "" {
		words += ": " + shorten(last.Message)
	}
	return words
}

// isStarting tells whether a pod has a node and no container has been made yet.
func isStarting(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		return container.State.Waiting != nil && container.State.Waiting.Reason == "ContainerCreating"
	})
}

// mountFailure reads what the kubelet says of a pod that does not start: only
// an event tells that a directory is missing on the node.
func (r *NSMReconciler) mountFailure(ctx context.Context, pod *corev1.Pod) (string, error) {
	var events corev1.EventList
	err := r.direct.List(ctx, &events, client.InNamespace(pod.Namespace), client.Limit(mostPods), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"involvedObject.uid": string(pod.UID), "type": corev1.EventTypeWarning}),
	})
	if err != nil {
		return "", fmt.Errorf("reading the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	for _, event := range events.Items {
		if event.Reason == "FailedMount" {
			return "a volume cannot be mounted: " + shorten(event.Message), nil
		}
	}
	return "", nil
}

// shorten keeps a text to one line of bearable length.
func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostCauseLength {
		text = text[:mostCauseLength] + " …"
	}
	return text
}
