// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package health says whether a mesh and each of its components is ready, and if
// not, why: pure functions from what was observed to a sentence, and to the
// conditions of the NSM. It knows no client and no clock.
//
// Why a mesh is not Available is decided here: Workload.waitsFor for one component,
// Mesh.Summary for all of them, Status for the conditions.
package health

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Workload is one component of a mesh, and what was observed of it.
type Workload struct {
	// Component as it should be.
	mesh.Component
	// Live is its workload as the cache has it; nil where it is not there.
	Live mesh.Object
	// Intent is the hash of what the live workload should have been written from
	// last (mesh.IsWrittenFrom); "" where that does not matter.
	Intent string
	// Predecessor is what stands in the place of one that is not there.
	Predecessor Predecessor
	// Held: its turn has not come.
	Held bool
	// HeldBack: somebody else keeps changing it, and the operator waits before it
	// puts it back.
	HeldBack bool
	// BlockedBy names somebody else's object that keeps it from being written.
	BlockedBy string
	// Registration of its pods in the registry; nil where they do not register.
	Registration *Registration
	// Webhook is what the API server knows of the admission webhook; nil for any
	// other component.
	Webhook *Webhook
	// Lost is what is known of nodes that are down and have a pod of it; nil for none.
	Lost *Lost
	// Causes tell why it is not ready, where that has been found out.
	Causes []Cause
	// Nodes are those on which a pod is not up, as far as somebody has looked.
	Nodes []string
	// Revision is what the pods of the current definition of a DaemonSet have in the label
	// controller-revision-hash; "" where nobody has asked.
	Revision string
	// Now are the nodes on which the operator is replacing the pod, and NoManager those on
	// which it does not yet, because the manager there is not ready.
	Now, NoManager []string
	// Unseen is what could not be looked up, and why.
	Unseen []string
}

// Predecessor is what stands in the place of a workload: what an earlier operator
// or NSM's own manifests have made, or what has lost the operator's labels.
type Predecessor struct {
	// Unknown: nobody has looked yet.
	Unknown bool
	// Found: there is something.
	Found bool
	// Object is it, as far as its pods are known; nil where they are not.
	Object mesh.Object
}

// Registration is what the registry knows of a workload's pods.
type Registration struct {
	// Unserved: the cluster does not know the kind that they register in.
	Unserved bool
	// IsRead: it is known how many are registered. Else Registered is as reported last.
	IsRead bool
	// Endpoints are the names under which the live ones that may be of its pods have registered,
	// in order.
	Endpoints []string
	// Registered counts the pods that are ready and registered.
	Registered int32
}

// Webhook is what the API server knows of the admission webhook.
type Webhook struct {
	// Unregistered: the API server has not been told to call its pods of this
	// release.
	Unregistered bool
	// Uninjected: nor any other of its pods.
	Uninjected bool
	// Refuses: while none of its pods answers, the API server refuses what asks for
	// NSM; LetsIn: it lets that in without a client.
	Refuses, LetsIn bool
}

// Pods are the counts of a workload's pods.
type Pods struct{ Desired, Updated, Ready int32 }

// String is "Kind namespace/name".
func (w *Workload) String() string {
	return fmt.Sprintf("%s %s/%s", w.Kind(), w.Workload.GetNamespace(), w.Name())
}

// Kind is Deployment or DaemonSet.
func (w *Workload) Kind() string {
	if _, isDaemonSet := w.Workload.(*appsv1.DaemonSet); isDaemonSet {
		return "DaemonSet"
	}
	return "Deployment"
}

// Name of the workload.
func (w *Workload) Name() string { return w.Workload.GetName() }

// Version is the NSM release of the live workload; "" for none.
func (w *Workload) Version() string {
	if w.Live == nil {
		return ""
	}
	return w.Live.GetLabels()[mesh.LabelVersion]
}

// Definition tells one definition of the live workload from the next.
func (w *Workload) Definition() string {
	if w.Live == nil {
		return ""
	}
	return fmt.Sprintf("%s/%d", w.Live.GetUID(), w.Live.GetGeneration())
}

// Pods counts the pods of the live workload, or of its predecessor. A pod that
// should be registered is not ready before.
func (w *Workload) Pods() Pods {
	pods, _ := podsOf(w.Predecessor.Object)
	if w.Live != nil {
		pods, _ = w.counts()
	}
	if w.Live != nil && w.Registration != nil {
		pods.Ready = min(pods.Ready, w.Registration.Registered)
	}
	return pods
}

// podsOf a workload, and whether it is rolling out: there are pods of an older
// definition, or the newest definition has not been acted on. A pod that is missing
// is no such change.
func podsOf(workload mesh.Object) (pods Pods, isChanging bool) {
	switch live := workload.(type) {
	case *appsv1.DaemonSet:
		status := live.Status
		pods = Pods{status.DesiredNumberScheduled, status.UpdatedNumberScheduled, status.NumberReady}
		return pods, status.ObservedGeneration < live.Generation || pods.Updated < status.CurrentNumberScheduled
	case *appsv1.Deployment:
		status := live.Status
		pods = Pods{ptr.Deref(live.Spec.Replicas, 1), status.UpdatedReplicas, status.ReadyReplicas}
		return pods, status.ObservedGeneration < live.Generation || pods.Updated < status.Replicas
	default:
		return Pods{}, false
	}
}

// IsChanging reports whether the workload is rolling out.
func (w *Workload) IsChanging() bool {
	_, isChanging := w.counts()
	return isChanging
}

// IsRolledOut reports whether every pod that should run is there, and of the current
// definition.
func (w *Workload) IsRolledOut() bool {
	pods, isChanging := w.counts()
	return w.Live != nil && !isChanging && pods.Updated >= pods.Desired
}

// IsWritten reports whether the live workload is what the operator wants it to be: an
// old one that is ready is not the new one.
func (w *Workload) IsWritten() bool {
	return w.Live != nil && !w.HeldBack && (w.Intent == "" || mesh.IsWrittenFrom(w.Live, w.Intent))
}

// IsGoing reports whether somebody has deleted the live workload, and it has not gone yet.
func (w *Workload) IsGoing() bool { return w.Live != nil && w.Live.GetDeletionTimestamp() != nil }

// IsReady reports whether the workload serves. One whose turn has not come may do so
// as it was before. Of one that goes, no pod that ends is replaced any more.
func (w *Workload) IsReady() bool {
	pods := w.Pods()
	return w.BlockedBy == "" && !w.IsGoing() && (w.Held || w.IsWritten()) && w.IsRolledOut() &&
		pods.Desired > 0 && pods.Ready >= pods.Desired && (w.Webhook == nil || !w.Webhook.Unregistered)
}

// Message tells a person what the workload waits for, without a number in it that
// moves, and what follows from it for others; "" when it is ready.
func (w *Workload) Message() string {
	message := w.waitsFor()
	if message != "" {
		message += w.additions() + w.consequence()
	}
	if message != "" && len(w.Unseen) > 0 {
		message += "; this could not be looked up: " + strings.Join(w.Unseen, ", ")
	}
	return message
}

// consequence is what an admission webhook that is down means for others.
func (w *Workload) consequence() string {
	switch {
	case w.Webhook == nil || w.Predecessor.Found:
		return ""
	case w.Webhook.Uninjected || w.Webhook.LetsIn && w.Pods().Ready == 0:
		return "; meanwhile pods are created without a client of NSM"
	case w.Webhook.Refuses && w.Pods().Ready == 0:
		return "; meanwhile what asks for NSM, by the annotation " + mesh.ClientAnnotation + ", is refused in all other namespaces: " +
			"spec.admissionWebhook.failurePolicy: Ignore lets it in, without a client of NSM"
	default:
		return ""
	}
}

// waitsFor tells what the workload waits for; "" when it is ready.
func (w *Workload) waitsFor() string {
	pods := w.Pods()
	switch {
	case w.IsReady():
		return ""
	case w.BlockedBy != "":
		return w.String() + " is not changed while " + w.BlockedBy + " is in the way"
	case w.Live == nil:
		return w.String() + w.whyMissing()
	case w.IsGoing():
		return w.String() + w.whyGoing()
	case w.HeldBack:
		return w.String() + " is not as it should be: somebody else keeps changing it, and the operator waits before it puts it back"
	case w.Registration != nil && w.Registration.Unserved:
		return w.String() + ": nobody can register: install the CustomResourceDefinition networkserviceendpoints.networkservicemesh.io, which comes with the operator"
	case w.causes() != "":
		return w.String() + ": " + w.causes()
	case w.IsChanging():
		return w.String() + " is rolling out"
	case pods.Desired == 0:
		return w.String() + w.whyNone()
	case pods.Ready >= pods.Desired && !w.Held && !w.IsWritten():
		return w.String() + " runs as it did before, and has not been changed yet"
	case pods.Ready >= pods.Desired && w.Webhook != nil && w.Webhook.Unregistered:
		return w.String() + w.whyNotCalled()
	case w.isUnlisted():
		return w.String() + " has pods without a live NetworkServiceEndpoint in the registry, so nobody finds them"
	default:
		return w.String() + " has pods that are not ready"
	}
}

// whyNone tells why the workload is to have no pods.
func (w *Workload) whyNone() string {
	if w.Kind() == "DaemonSet" {
		return " has no node to run on: no node matches its node selector" + w.selected() + ", affinity and tolerations"
	}
	return " is scaled to zero"
}

// selected are the labels that a node must have, in parentheses.
func (w *Workload) selected() string {
	selector := mesh.PodTemplateOf(w.Live).Spec.NodeSelector
	if len(selector) == 0 {
		return ""
	}
	return " (" + labels.Set(selector).String() + ")"
}

// causes tells what is wrong with the workload's pods and their nodes, or keeps them from
// being replaced; "" for nothing that is known.
func (w *Workload) causes() string {
	var causes []string
	if w.isPaused() && w.IsChanging() {
		causes = append(causes, w.whyPaused())
	}
	for _, cause := range w.Causes {
		causes = append(causes, cause.String())
	}
	if w.Lost != nil {
		causes = append(causes, w.Lost.String()+w.stuck())
	}
	return strings.Join(causes, "; ")
}

// isUnlisted reports whether pods are ready, and the registry has no live endpoint
// for them.
func (w *Workload) isUnlisted() bool {
	pods, _ := w.counts()
	return w.Registration != nil && w.Registration.IsRead && w.Registration.Registered < pods.Ready
}

// whyNotCalled tells why the API server does not call a webhook that is up.
func (w *Workload) whyNotCalled() string {
	if w.RegistersItself {
		return fmt.Sprintf(" has pods that are ready and have not registered themselves with the API server: kubectl rollout restart -n %s deployment/%s",
			w.Workload.GetNamespace(), w.Name())
	}
	return " is up; the API server does not call it yet"
}

// whyGoing tells what holds the workload, which has been deleted.
func (w *Workload) whyGoing() string {
	if by := keepers(w.Live); by != "" {
		return " is being deleted, and " + by + " it: it is created again when it has gone"
	}
	return " is being deleted: it is created again when it has gone"
}

// whyMissing tells why the mesh does not have the workload.
func (w *Workload) whyMissing() string {
	switch {
	case w.Predecessor.Found && w.Held:
		return " runs as it did before, until the workloads before it are ready"
	case w.Predecessor.Found:
		return " runs as it did before, and has not been taken over yet"
	case w.Predecessor.Unknown:
		return " may exist already: the operator could not check yet"
	default:
		return " has not been created yet"
	}
}

// statusMessage is Message, or why the workload is not of the mesh's release yet.
func (w *Workload) statusMessage(target string) string {
	message := w.Message()
	switch {
	case message == "" && w.Lost != nil:
		return w.Lost.String() + " and not counted"
	case message != "" || !w.Held || w.Version() == target:
		return message
	}
	return "changes to " + target + " when the workloads before it are ready"
}

// Refused tells why new pods of a Deployment are not created, where it says so
// itself.
func (w *Workload) Refused() string {
	deployment, isDeployment := w.Live.(*appsv1.Deployment)
	if !isDeployment {
		return ""
	}
	i := slices.IndexFunc(deployment.Status.Conditions, func(condition appsv1.DeploymentCondition) bool {
		return condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue ||
			condition.Type == appsv1.DeploymentProgressing && condition.Reason == "ReplicaSetCreateError"
	})
	if i < 0 {
		return ""
	}
	return deployment.Status.Conditions[i].Message
}
