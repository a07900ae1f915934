// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

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
	// lookTimeout is how long all the looks of a pass may take: the pass has to be
	// told of all the same.
	lookTimeout = 10 * time.Second
	// fairStart is how long a container may run until it is worth a word that it is
	// not ready: SPIRE takes some seconds to give a new pod its identity.
	fairStart = 30 * time.Second
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

// diagnosis is what is known of a workload that may be down.
type diagnosis struct {
	// of is the definition that it is about.
	of string
	// downSince is when it was first seen down, or changed; zero while it is up.
	downSince time.Time
	// at is when its pods were looked at last; zero for not yet.
	at     time.Time
	causes []cause
}

// diagnose finds out why workloads are down that have been for a while. It is best
// effort: what cannot be looked up keeps nothing else from being told.
func (r *NSMReconciler) diagnose(ctx context.Context, plan plan, seen *observation) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	for i := range seen.workloads {
		w := &seen.workloads[i]
		if len(w.unseen) > 0 {
			seen.wake(r.now().Add(askAgain))
		}
		if !w.exists || w.isReady() {
			r.diagnoses.Store(w.key(), diagnosis{of: w.definition})
			continue
		}
		known := r.diagnosisOf(w, plan.input.NSM)
		switch {
		case r.now().Before(known.downSince.Add(patience)):
			seen.wake(known.downSince.Add(patience))
		case r.now().Before(known.at.Add(lookPause)):
			w.causes = known.causes
			seen.wake(r.now().Add(askAgain))
		default:
			found, err := r.causesOf(ctx, plan.input.Platform, w)
			if err != nil {
				log.FromContext(ctx).Error(err, "Looking for what is wrong with a workload", "workload", w.fullName())
				w.unseen = append(w.unseen, "why ("+inShort(err)+")")
			}
			known.at, known.causes = r.now(), sameWords(known.causes, found)
			w.causes = known.causes
			seen.wake(r.now().Add(askAgain))
		}
		r.diagnoses.Store(w.key(), known)
	}
}

// diagnosisOf a workload that is down. What was found out of an older definition
// is dropped. One that this process has not seen before is down since the mesh is.
func (r *NSMReconciler) diagnosisOf(w *workload, nsm *nsmv1beta1.NSM) diagnosis {
	found, _ := r.diagnoses.Load(w.key())
	known, isKnown := found.(diagnosis)
	if isKnown && known.of == w.definition && !known.downSince.IsZero() {
		return known
	}
	since := r.now()
	available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	if !isKnown && available != nil && available.Status == metav1.ConditionFalse {
		since = available.LastTransitionTime.Time
	}
	return diagnosis{of: w.definition, downSince: since}
}

// inShort tells what kept something from being read, without what moves.
func inShort(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err)) {
		return shorten(status.Status().Message)
	}
	return "the API server does not answer"
}

// causesOf reads the pods of a workload and tells what is wrong with them. With an
// error it tells what it has found out nevertheless.
func (r *NSMReconciler) causesOf(ctx context.Context, platform mesh.Platform, w *workload) ([]cause, error) {
	var list corev1.PodList
	err := r.direct.List(ctx, &list, client.InNamespace(w.namespace), client.Limit(mostPods), w.podLabels())
	if err != nil {
		return nil, fmt.Errorf("reading the pods of %s: %w", w.fullName(), err)
	}
	missing := len(list.Items) < int(w.desired)
	pods := w.ofDefinition(list.Items)
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Spec.NodeName, b.Spec.NodeName) })
	var causes []cause
	var failure error
	for i := range pods {
		found, err := r.podCause(ctx, w, &pods[i])
		failure = cmp.Or(failure, err)
		// The first of those that differ in the node alone stands for all.
		isNew := found.what != "" && !slices.ContainsFunc(causes, func(known cause) bool {
			return known.what == found.what && (known.detail == found.detail || found.detail == "")
		})
		if isNew {
			found.node = pods[i].Spec.NodeName
			causes = append(causes, found)
		}
		if len(causes) == mostCauses {
			break
		}
	}
	switch {
	case len(causes) > 0:
		return causes, nil
	case w.refused != "":
		return []cause{refusalOf(w, w.refused, platform)}, nil
	case missing:
		refused, err := r.creationFailures(ctx, w, platform)
		return refused, cmp.Or(failure, err)
	default:
		return nil, failure
	}
}

// templateGenerationLabel is what the DaemonSet controller labels pods with.
const templateGenerationLabel = "pod-template-generation"

// ofDefinition leaves out the pods of older definitions of the workload, as far as
// they can be told: what is wrong with them may be mended already. A DaemonSet
// numbers them; else it is the images, unless something changes those of all pods.
func (w *workload) ofDefinition(pods []corev1.Pod) []corev1.Pod {
	pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		generation := pod.Labels[templateGenerationLabel]
		return w.templateGeneration != "" && generation != "" && generation != w.templateGeneration
	})
	current := slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool {
		return slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(container corev1.Container) bool {
			image, isOurs := w.images[container.Name]
			return isOurs && image != container.Image
		})
	})
	if len(current) == 0 {
		return pods
	}
	return current
}

// podCause tells what is wrong with a pod, an empty cause for nothing.
func (r *NSMReconciler) podCause(ctx context.Context, w *workload, pod *corev1.Pod) (cause, error) {
	if found := causeOf(pod, r.now()); found.what != "" {
		return found, nil
	}
	switch {
	case w.registers && isReady(pod) && !w.isRegistered(pod.Name):
		return cause{what: unregisteredCause}, nil
	case isStarting(pod):
		return r.kubeletSays(ctx, pod, "FailedMount", "a volume cannot be mounted")
	case isUnready(pod, r.now()):
		return r.kubeletSays(ctx, pod, "Unhealthy", "it runs and is not ready (has it got an identity from SPIRE?)")
	default:
		return cause{}, nil
	}
}

// creationFailures reads why the pods of a workload are not even created: only
// events tell that admission, by pod security or an SCC, refuses them.
func (r *NSMReconciler) creationFailures(ctx context.Context, w *workload, platform mesh.Platform) ([]cause, error) {
	var events corev1.EventList
	err := r.direct.List(ctx, &events, client.InNamespace(w.namespace), client.Limit(mostPods), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"reason": "FailedCreate", "type": corev1.EventTypeWarning}),
	})
	if err != nil {
		return nil, fmt.Errorf("reading the events of %s: %w", w.fullName(), err)
	}
	if last := latest(events.Items, w.isCreator); last != nil {
		return []cause{refusalOf(w, last.Message, platform)}, nil
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
func refusalOf(w *workload, message string, platform mesh.Platform) cause {
	names := regexp.MustCompile(regexp.QuoteMeta(w.name) + `-[-a-z0-9]*"`)
	refusal := cause{what: "its pods are refused", detail: shorten(names.ReplaceAllLiteralString(message, w.name+`-..."`))}
	if strings.Contains(message, "violates PodSecurity") {
		refusal.detail += "; the namespace must allow them: " + labelCommand(w.namespace, platform)
	}
	// What the API server's own words, in full, are for a class that only some
	// namespaces may use, as on GKE.
	if strings.Contains(message, "insufficient quota to match these scopes") && strings.Contains(message, "PriorityClass") {
		refusal.detail += "; the namespace must allow the priority class by a ResourceQuota, or priorityClassName: None leaves it out"
	}
	return refusal
}

// unregisteredCause is of a forwarder that is up and serves nobody.
const unregisteredCause = "a pod is ready and not registered: no live NetworkServiceEndpoint of the service " + mesh.ForwarderService +
	" has its name; its log, and that of nsmgr on the same node, tell why"

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// isStarting tells whether a pod has a node and no container has been made yet.
func isStarting(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		return container.State.Waiting != nil && container.State.Waiting.Reason == "ContainerCreating"
	})
}

// isUnready tells whether a pod runs, and a container of it has not become ready
// in a fair time.
func isUnready(pod *corev1.Pod, now time.Time) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		running := container.State.Running
		return running != nil && !container.Ready && !now.Before(running.StartedAt.Add(fairStart))
	})
}

// kubeletSays reads what the kubelet warns of about a pod, for one reason: only
// an event tells that a directory is missing on the node, or what a probe said.
func (r *NSMReconciler) kubeletSays(ctx context.Context, pod *corev1.Pod, reason, words string) (cause, error) {
	var events corev1.EventList
	err := r.direct.List(ctx, &events, client.InNamespace(pod.Namespace), client.Limit(mostPods), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{
			"involvedObject.uid": string(pod.UID), "reason": reason, "type": corev1.EventTypeWarning,
		}),
	})
	if err != nil {
		return cause{}, fmt.Errorf("reading the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	if last := latest(events.Items, func(corev1.Event) bool { return true }); last != nil {
		return cause{what: words, detail: shorten(last.Message)}, nil
	}
	return cause{}, nil
}
