// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	// fairStart is how long a container may run until it is worth a word that it is
	// not ready: SPIRE takes some seconds to give a new pod its identity.
	fairStart = 30 * time.Second
	// mostCauses is how many different causes a message names.
	mostCauses = 3
	// templateGenerationLabel is what the DaemonSet controller labels pods with.
	templateGenerationLabel = "pod-template-generation"
	// unregistered is what is wrong with a forwarder that is up and serves nobody.
	unregistered = "a pod is ready and not registered: no live NetworkServiceEndpoint of the service " + mesh.ForwarderService +
		" has its name; its log, and that of nsmgr on the same node, tell why"
)

// Question is what only events tell of a pod.
type Question struct {
	// Reason of the kubelet's warnings that are asked for; "" for no question.
	Reason string
	// what is wrong where there is such a warning.
	what string
}

// Answer is what the kubelet's warnings say about the pod; no cause for none.
func (q Question) Answer(events []corev1.Event) Cause {
	if last := latest(events, func(*corev1.Event) bool { return true }); last != nil {
		return Cause{What: q.what, Detail: advised(last.Message)}
	}
	return Cause{}
}

// Outline is what of a pod tells whose it is, where, and how. One that is ready and stays
// tells no more than that: there may be thousands.
func Outline(pod *corev1.Pod) corev1.Pod {
	kept := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels: pod.Labels, OwnerReferences: pod.OwnerReferences, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, InitContainers: imagesIn(pod.Spec.InitContainers), Containers: imagesIn(pod.Spec.Containers),
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	if !IsReady(pod) || pod.DeletionTimestamp != nil {
		kept.Spec.Tolerations = pod.Spec.Tolerations
		kept.Status = corev1.PodStatus{
			Conditions: pod.Status.Conditions, InitContainerStatuses: pod.Status.InitContainerStatuses, ContainerStatuses: pod.Status.ContainerStatuses,
		}
	}
	return kept
}

func imagesIn(containers []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for i := range containers {
		kept = append(kept, corev1.Container{Name: containers[i].Name, Image: containers[i].Image})
	}
	return kept
}

// Current are those of a workload's pods that are of its current definition, as far
// as that can be told, by node: what is wrong with the others may be mended already.
// A DaemonSet numbers its definitions; else it is the images, unless something
// changes those of all pods.
func (w *Workload) Current(pods []corev1.Pod) []corev1.Pod {
	generation := ""
	images := map[string]string{}
	if daemonSet, isDaemonSet := w.Live.(*appsv1.DaemonSet); isDaemonSet {
		generation = daemonSet.Annotations[appsv1.DeprecatedTemplateGeneration]
	}
	for _, container := range containersOf(mesh.PodTemplateOf(w.Live).Spec) {
		images[container.Name] = container.Image
	}
	pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		label := pod.Labels[templateGenerationLabel]
		return generation != "" && label != "" && label != generation && !w.hasRevision(&pod)
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Spec.NodeName, b.Spec.NodeName) })
	current := slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		return slices.ContainsFunc(containersOf(pod.Spec), func(container corev1.Container) bool {
			image, isOurs := images[container.Name]
			return isOurs && image != container.Image
		})
	})
	if len(current) == 0 {
		return pods
	}
	return current
}

// IsOfRevision reports whether a DaemonSet's pod is of the workload's current definition,
// or of a newer one that has not been heard of yet. A definition that has come back
// has a new number and the old hash, and Kubernetes keeps its pods.
func (w *Workload) IsOfRevision(pod *corev1.Pod) bool {
	is, _ := strconv.ParseInt(pod.Labels[templateGenerationLabel], 10, 64)
	wanted, _ := strconv.ParseInt(w.Live.GetAnnotations()[appsv1.DeprecatedTemplateGeneration], 10, 64)
	return w.hasRevision(pod) || is >= wanted
}

func (w *Workload) hasRevision(pod *corev1.Pod) bool {
	return w.Revision != "" && pod.Labels[appsv1.ControllerRevisionHashLabelKey] == w.Revision
}

// Serves reports whether a pod is ready, and registered where it should be.
func (w *Workload) Serves(pod *corev1.Pod) bool {
	return IsReady(pod) && (w.Registration == nil || w.Registration.Has(pod.Name))
}

// KnowsRegistration reports whether it is known which pods are registered, or does not
// matter.
func (w *Workload) KnowsRegistration() bool { return w.Registration == nil || w.Registration.IsRead }

// RevisionOf a DaemonSet is the hash in the newest of its revisions; "" for none.
func RevisionOf(daemonSet mesh.Object, revisions []appsv1.ControllerRevision) string {
	var newest *appsv1.ControllerRevision
	for i := range revisions {
		one := &revisions[i]
		if metav1.IsControlledBy(one, daemonSet) && (newest == nil || one.Revision > newest.Revision) {
			newest = one
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Labels[appsv1.ControllerRevisionHashLabelKey]
}

func containersOf(pod corev1.PodSpec) []corev1.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

// CauseOf tells what is wrong with a pod, no cause for nothing; or what to ask for
// where only events tell.
func (w *Workload) CauseOf(pod *corev1.Pod, now time.Time) (Cause, Question) {
	found := causeOf(pod, now)
	switch {
	case found.What != "":
		return found, Question{}
	case w.Registration != nil && w.Registration.IsRead && IsReady(pod) && !w.Registration.Has(pod.Name):
		return Cause{What: unregistered}, Question{}
	case isStarting(pod):
		return Cause{}, Question{"FailedMount", "a volume cannot be mounted"}
	case isUnready(pod, now):
		return Cause{}, Question{"Unhealthy", "it runs and is not ready (has it got an identity from SPIRE?)"}
	default:
		return Cause{}, Question{}
	}
}

// CauseOfPod tells what is wrong with a pod that is of no workload, by its status and by
// the kubelet's warnings of volumes; no cause for nothing.
func CauseOfPod(pod *corev1.Pod, warnings []corev1.Event, now time.Time) Cause {
	if found := causeOf(pod, now); found.What != "" || HasStarted(pod) {
		return found
	}
	asks := Question{"FailedMount", "a volume cannot be mounted"}
	return asks.Answer(slices.DeleteFunc(slices.Clone(warnings), func(event corev1.Event) bool { return event.Reason != asks.Reason }))
}

// HasStarted reports whether a container of a pod runs or has run.
func HasStarted(pod *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses), func(container corev1.ContainerStatus) bool {
		return container.State.Running != nil || container.State.Terminated != nil || container.LastTerminationState.Terminated != nil
	})
}

// NotUpOn are the nodes of those of some pods that are not ready, or go.
func NotUpOn(pods []corev1.Pod) []string {
	var nodes []string
	for i := range pods {
		if pod := &pods[i]; pod.Spec.NodeName != "" && (pod.DeletionTimestamp != nil || !IsReady(pod)) {
			nodes = append(nodes, pod.Spec.NodeName)
		}
	}
	return nodes
}

// AddCause adds what is wrong with a pod on a node, where no other pod has the same;
// it reports whether there is room for more.
func AddCause(causes []Cause, found Cause, node string) (all []Cause, isRoom bool) {
	isKnown := func(known Cause) bool {
		return known.What == found.What && (known.Detail == found.Detail || found.Detail == "")
	}
	if found.What != "" && !slices.ContainsFunc(causes, isKnown) {
		found.Node = node
		causes = append(causes, found)
	}
	return causes, len(causes) < mostCauses
}

// CreationFailure tells why pods of the workload are not even created: the workload
// itself, or events, say that admission refuses them. No cause for none.
// labelCommand lets such pods into the namespace.
func (w *Workload) CreationFailure(events []corev1.Event, labelCommand string) Cause {
	if refused := w.Refused(); refused != "" {
		return w.refusal(refused, labelCommand)
	}
	if last := latest(events, w.isCreator); last != nil {
		return w.refusal(last.Message, labelCommand)
	}
	return Cause{}
}

// isCreator reports whether what an event is about creates the workload's pods: a
// Deployment has a ReplicaSet do so, whose name is its own and a hash.
func (w *Workload) isCreator(event *corev1.Event) bool {
	creator := event.InvolvedObject
	if creator.Kind != "ReplicaSet" {
		return creator.Kind == w.Kind() && creator.Name == w.Name()
	}
	hash, isOurs := strings.CutPrefix(creator.Name, w.Name()+"-")
	return w.Kind() == "Deployment" && isOurs && !strings.Contains(hash, "-")
}

// refusal tells that the workload's pods are refused, without the names that they
// would have had, which are others each time.
func (w *Workload) refusal(message, labelCommand string) Cause {
	names := regexp.MustCompile(regexp.QuoteMeta(w.Name()) + `-[-a-z0-9]*"`)
	refusal := Cause{What: "its pods are refused", Detail: inBrief(names.ReplaceAllLiteralString(message, w.Name()+`-..."`))}
	if strings.Contains(message, "violates PodSecurity") {
		refusal.Detail += "; the namespace must allow them: " + labelCommand
	}
	// What the API server's own words, in full, are for a class that only some
	// namespaces may use, as on GKE.
	if strings.Contains(message, "insufficient quota to match these scopes") && strings.Contains(message, "PriorityClass") {
		refusal.Detail += "; the namespace must allow the priority class by a ResourceQuota, or priorityClassName: None leaves it out"
	}
	return refusal
}

// latest of the events that are asked for; nil for none.
func latest(events []corev1.Event, isAskedFor func(*corev1.Event) bool) *corev1.Event {
	var last *corev1.Event
	for i := range events {
		if event := &events[i]; isAskedFor(event) && (last == nil || !timeOf(event).Before(timeOf(last))) {
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
	if event.EventTime.After(event.LastTimestamp.Time) {
		return event.EventTime.Time
	}
	return event.LastTimestamp.Time
}

// IsReady reports whether Kubernetes takes a pod for ready.
func IsReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// isStarting reports whether a pod has a node and no container has been made yet.
func isStarting(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		return container.State.Waiting != nil && container.State.Waiting.Reason == "ContainerCreating"
	})
}

// isUnready reports whether a pod runs, and a container of it has not become ready
// in a fair time.
func isUnready(pod *corev1.Pod, now time.Time) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		running := container.State.Running
		return running != nil && !container.Ready && !now.Before(running.StartedAt.Add(fairStart))
	})
}
