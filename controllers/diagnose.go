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
	"regexp"
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
	// lookPause is the time for which what was found out of a workload is not asked
	// again, however often the loop comes by.
	lookPause = 5 * time.Second
	// recently: a container that has run for longer crashes no more.
	recently = 2 * time.Minute
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
			r.diagnoses.Delete(w.key())
			continue
		}
		if err := r.explain(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// diagnosis is what was found out of a workload at some time.
type diagnosis struct {
	at     time.Time
	causes []string
}

// explain tells what is wrong with a workload: what has been found out lately, or
// what its pods say now.
func (r *NSMReconciler) explain(ctx context.Context, w *workload) error {
	if found, ok := r.diagnoses.Load(w.key()); ok {
		if known, ok := found.(diagnosis); ok && r.now().Before(known.at.Add(lookPause)) {
			w.causes = known.causes
			return nil
		}
	}
	causes, err := r.causesOf(ctx, w)
	if err != nil {
		return err
	}
	w.causes = causes
	r.diagnoses.Store(w.key(), diagnosis{at: r.now(), causes: causes})
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
		cause, err := r.podCause(ctx, w, pod)
		if err != nil {
			return nil, err
		}
		// The first of those that differ in the node alone stands for all.
		if cause != "" && !slices.ContainsFunc(causes, func(known string) bool { return strings.HasPrefix(known, cause) }) {
			causes = append(causes, cause+onNode(pod))
		}
		if len(causes) == mostCauses {
			break
		}
	}
	switch {
	case len(causes) > 0:
		return causes, nil
	case w.refused != "":
		return []string{r.refusalOf(w, w.refused)}, nil
	case len(pods.Items) < int(w.desired):
		return r.creationFailures(ctx, w)
	default:
		return nil, nil
	}
}

// podCause tells what is wrong with a pod, "" for nothing.
func (r *NSMReconciler) podCause(ctx context.Context, w *workload, pod *corev1.Pod) (string, error) {
	if cause := causeOf(pod, r.now()); cause != "" {
		return cause, nil
	}
	switch {
	case w.registers && isReady(pod) && !w.isRegistered(pod.Name):
		return unregisteredCause, nil
	case isStarting(pod):
		return r.kubeletSays(ctx, pod, "FailedMount", "a volume cannot be mounted: ")
	case isUnready(pod):
		return r.kubeletSays(ctx, pod, "Unhealthy", "it runs and is not ready (has it got an identity from SPIRE?): ")
	default:
		return "", nil
	}
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
	if last := latest(events.Items, w.isCreator); last != nil {
		return []string{r.refusalOf(w, last.Message)}, nil
	}
	return nil, nil
}

// isCreator tells whether what an event is about creates the workload's pods: a
// Deployment has a ReplicaSet do so, whose name is its own and a hash.
func (w *workload) isCreator(event corev1.Event) bool {
	creator := event.InvolvedObject
	if creator.Kind != "ReplicaSet" {
		return creator.Kind == w.kind && creator.Name == w.name
	}
	hash, isOurs := strings.CutPrefix(creator.Name, w.name+"-")
	return w.kind == "Deployment" && isOurs && !strings.Contains(hash, "-")
}

// latest of the events that are asked for; nil for none.
func latest(events []corev1.Event, isAskedFor func(corev1.Event) bool) *corev1.Event {
	var last *corev1.Event
	for i := range events {
		if event := &events[i]; isAskedFor(*event) && (last == nil || !timeOf(event).Before(timeOf(last))) {
			last = event
		}
	}
	return last
}

// timeOf an event is when it was last seen, in either of the API's ways to say so.
func timeOf(event *corev1.Event) time.Time {
	if event.Series != nil {
		return event.Series.LastObservedTime.Time
	}
	return later(event.LastTimestamp.Time, event.EventTime.Time)
}

// refusalOf tells that a workload's pods are refused, without the names that they
// would have had, which are others each time.
func (r *NSMReconciler) refusalOf(w *workload, message string) string {
	names := regexp.MustCompile(regexp.QuoteMeta(w.name) + `-[-a-z0-9]*"`)
	cause := "its pods are refused: " + shorten(names.ReplaceAllLiteralString(message, w.name+`-..."`))
	if strings.Contains(message, "violates PodSecurity") {
		cause += "; the namespace must allow them: " + labelCommand(w.namespace, *r.platform.current.Load())
	}
	return cause
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
func causeOf(pod *corev1.Pod, now time.Time) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return "no node takes its pod: " + shorten(condition.Message)
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if cause := containerCause(container, now); cause != "" {
			return cause
		}
	}
	return ""
}

// containerCause tells why a container does not run. One that crashes runs again
// between two crashes: it is told to crash until it is ready, or has run for a
// while.
func containerCause(container corev1.ContainerStatus, now time.Time) string {
	waiting := container.State.Waiting
	if waiting == nil {
		if !container.Ready && hasCrashed(container, now) {
			return fmt.Sprintf("container %s crashes: %s", container.Name, lastWords(container))
		}
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

// hasCrashed tells whether a container has ended lately though it should not have:
// an init container ends well.
func hasCrashed(container corev1.ContainerStatus, now time.Time) bool {
	if terminated := container.State.Terminated; terminated != nil {
		return terminated.ExitCode != 0
	}
	running := container.State.Running
	return running != nil && now.Before(running.StartedAt.Add(recently)) && container.LastTerminationState.Terminated != nil
}

// lastWords are what a container that crashed left behind.
func lastWords(container corev1.ContainerStatus) string {
	last := cmp.Or(container.State.Terminated, container.LastTerminationState.Terminated)
	if last == nil {
		return "it has left no message; see kubectl logs --previous"
	}
	words := fmt.Sprintf("exit code %d", last.ExitCode)
	if last.Reason != "" {
		words += ", " + last.Reason
	}
	if message := lastMessage(last.Message); message != "" {
		words += ": " + shorten(message)
	}
	return words
}

var (
	// decisive begin what a program says in a log before it gives up.
	decisive = regexp.MustCompile(`panic:|fatal|FATA`)
	// timeOfDay, with a date before it or not, is in every line of a log.
	timeOfDay = regexp.MustCompile(`(\d{4}-\d{2}-\d{2}[T ])?\d{2}:\d{2}:\d{2}([.,]\d+)?(Z|[+-]\d{2}:?\d{2})?\s*`)
)

// lastMessage picks from the end of a log the line that tells why it ends, without
// the time, which is another one after each crash.
func lastMessage(log string) string {
	lines := strings.FieldsFunc(log, func(r rune) bool { return r == '\n' })
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	if i := slices.IndexFunc(lines, decisive.MatchString); i >= 0 {
		line = lines[i]
	}
	return timeOfDay.ReplaceAllLiteralString(line, "")
}

// isStarting tells whether a pod has a node and no container has been made yet.
func isStarting(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		return container.State.Waiting != nil && container.State.Waiting.Reason == "ContainerCreating"
	})
}

// isUnready tells whether a pod runs, and a container of it is not ready.
func isUnready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		return container.State.Running != nil && !container.Ready
	})
}

// kubeletSays reads what the kubelet warns of about a pod, for one reason: only
// an event tells that a directory is missing on the node, or what a probe said.
func (r *NSMReconciler) kubeletSays(ctx context.Context, pod *corev1.Pod, reason, words string) (string, error) {
	var events corev1.EventList
	err := r.direct.List(ctx, &events, client.InNamespace(pod.Namespace), client.Limit(mostPods), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{
			"involvedObject.uid": string(pod.UID), "reason": reason, "type": corev1.EventTypeWarning,
		}),
	})
	if err != nil {
		return "", fmt.Errorf("reading the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	if last := latest(events.Items, func(corev1.Event) bool { return true }); last != nil {
		return words + shorten(last.Message), nil
	}
	return "", nil
}

// shorten keeps a text to one line of bearable length, and to whole characters.
func shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostCauseLength {
		text = strings.ToValidUTF8(text[:mostCauseLength], "") + " …"
	}
	return text
}
