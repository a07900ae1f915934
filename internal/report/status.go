// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Seen is what was read for a status; what could not be read is missing.
type Seen struct {
	NSMs []nsmv1beta1.NSM
	// Workloads and Pods of the meshes.
	Workloads []mesh.Object
	Pods      []corev1.Pod
	// Nodes that may be down, by name.
	Nodes map[string]*corev1.Node
	// Operators are the Deployments of the operator, and Leases tell which of its
	// replicas leads, by namespace.
	Operators []appsv1.Deployment
	Leases    map[string]*coordinationv1.Lease
	// SeesOperators: all namespaces were looked through for the operator; SeesLeases:
	// so were its Leases.
	SeesOperators, SeesLeases bool
	NotSeen                   []string
	Now                       time.Time
}

// Status is what meshes run.
type Status struct {
	metav1.TypeMeta `json:",inline"`
	Meshes          []Mesh     `json:"meshes"`
	Operators       []Operator `json:"operators"`
	// Warnings are about what no mesh's conditions tell.
	Warnings []string `json:"warnings,omitempty"`
	NotSeen  []string `json:"notSeen,omitempty"`
}

// Mesh is one of them.
type Mesh struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Version is the release that has been rolled out, Target the one of the spec.
	Version string `json:"version,omitempty"`
	Target  string `json:"target,omitempty"`
	// State sums up the conditions in one word; Message is what they say of it.
	State      State              `json:"state"`
	Message    string             `json:"message,omitempty"`
	Conditions []metav1.Condition `json:"conditions"`
	Components []Component        `json:"components"`
}

// State of a mesh.
type State string

// The states of a mesh, the first that holds.
const (
	// StateUnseen: the operator has not looked at this generation of it.
	StateUnseen State = "NotYetSeen"
	// StateDeleting: it goes.
	StateDeleting State = "Deleting"
	// StateDegraded: something is wrong that does not mend by itself.
	StateDegraded State = "Degraded"
	// StateProgressing: it is being changed.
	StateProgressing State = "Progressing"
	// StateUnavailable: a part of it is down, and nobody changes it.
	StateUnavailable State = "Unavailable"
	// StateAvailable: every part of it is up, as the spec describes it.
	StateAvailable State = "Available"
)

// Component is one workload of a mesh, as the NSM's status tells of it.
type Component struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Desired int32  `json:"desired"`
	Updated int32  `json:"updated"`
	Ready   int32  `json:"ready"`
	Message string `json:"message,omitempty"`
	// Pods of it, by node.
	Pods []Pod `json:"pods,omitempty"`
}

// Pod of a component, and what it waits for.
type Pod struct {
	Name    string   `json:"name"`
	Node    string   `json:"node,omitempty"`
	State   PodState `json:"state"`
	Message string   `json:"message,omitempty"`
}

// PodState is how a pod is.
type PodState string

// The states of a pod, the first that holds.
const (
	// PodLost: its node is down.
	PodLost PodState = "NodeDown"
	// PodTerminating: it goes.
	PodTerminating PodState = "Terminating"
	// PodFailing: it says what is wrong.
	PodFailing PodState = "Failing"
	// PodNotReady: it starts, or waits.
	PodNotReady PodState = "NotReady"
	// PodOutdated: it is ready, and of an older definition.
	PodOutdated PodState = "Outdated"
	// PodReady: it serves.
	PodReady PodState = "Ready"
)

// Operator is an installation of the operator.
type Operator struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Image     string `json:"image,omitempty"`
	Ready     int32  `json:"ready"`
	Desired   int32  `json:"desired"`
	// Leader is the replica that leads; "" for none, or where that is not seen.
	Leader string `json:"leader,omitempty"`
}

// StatusOf what was read.
func StatusOf(seen *Seen) *Status {
	status := &Status{TypeMeta: TypeOf("Status"), Meshes: []Mesh{}, Operators: []Operator{}, NotSeen: seen.NotSeen}
	for i := range seen.NSMs {
		status.Meshes = append(status.Meshes, seen.mesh(&seen.NSMs[i]))
	}
	slices.SortFunc(status.Meshes, func(a, b Mesh) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for i := range seen.Operators {
		operator, warning := seen.operator(&seen.Operators[i])
		status.Operators = append(status.Operators, operator)
		if warning != "" {
			status.Warnings = append(status.Warnings, warning)
		}
	}
	if seen.SeesOperators && len(seen.Operators) == 0 {
		status.Warnings = append(status.Warnings, "no Deployment of the operator is found: unless it runs outside of the cluster, as with make run, nobody looks after the meshes")
	}
	return status
}

// IsFine tells whether each mesh is up as its spec describes it.
func (s *Status) IsFine() bool {
	return !slices.ContainsFunc(s.Meshes, func(m Mesh) bool { return m.State != StateAvailable })
}

func (seen *Seen) mesh(nsm *nsmv1beta1.NSM) Mesh {
	m := Mesh{
		Namespace: nsm.Namespace, Name: nsm.Name, Version: nsm.Status.Version, Target: nsm.Spec.Version,
		Conditions: slices.Clone(nsm.Status.Conditions), Components: []Component{},
	}
	if m.Conditions == nil {
		m.Conditions = []metav1.Condition{}
	}
	m.State, m.Message = StateOf(nsm)
	for i := range nsm.Status.Components {
		m.Components = append(m.Components, seen.component(nsm, &nsm.Status.Components[i]))
	}
	return m
}

// StateOf a mesh, from its conditions as far as they are about this generation of it,
// and what they say.
func StateOf(nsm *nsmv1beta1.NSM) (State, string) {
	find := func(condition string) *metav1.Condition {
		found := meta.FindStatusCondition(nsm.Status.Conditions, condition)
		if found == nil || found.ObservedGeneration != nsm.Generation {
			return &metav1.Condition{Status: metav1.ConditionUnknown}
		}
		return found
	}
	available, progressing := find(nsmv1beta1.ConditionAvailable), find(nsmv1beta1.ConditionProgressing)
	switch degraded := find(nsmv1beta1.ConditionDegraded); {
	case !nsm.DeletionTimestamp.IsZero():
		return StateDeleting, cmp.Or(progressing.Message, "the NSM is being deleted, and its mesh with it")
	case nsm.Status.ObservedGeneration != nsm.Generation:
		return StateUnseen, "the operator has not looked at this generation of the NSM yet"
	case degraded.Status == metav1.ConditionTrue:
		return StateDegraded, degraded.Reason + ": " + degraded.Message
	case progressing.Status == metav1.ConditionTrue:
		return StateProgressing, progressing.Message
	case available.Status != metav1.ConditionTrue || find(nsmv1beta1.ConditionReady).Status != metav1.ConditionTrue:
		return StateUnavailable, available.Message
	default:
		return StateAvailable, available.Message
	}
}

func (seen *Seen) component(nsm *nsmv1beta1.NSM, told *nsmv1beta1.ComponentStatus) Component {
	c := Component{
		Kind: told.Kind, Name: told.Name, Version: told.Version, Message: told.Message,
		Desired: ptr.Deref(told.Desired, 0), Updated: ptr.Deref(told.Updated, 0), Ready: ptr.Deref(told.Ready, 0),
	}
	at := slices.IndexFunc(seen.Workloads, func(w mesh.Object) bool {
		return w.GetNamespace() == nsm.Namespace && w.GetName() == told.Name && mesh.KindOf(w) == told.Kind
	})
	if at < 0 {
		return c
	}
	workload := &health.Workload{Component: mesh.Component{Workload: seen.Workloads[at]}, Live: seen.Workloads[at]}
	pods := slices.DeleteFunc(slices.Clone(seen.Pods), func(pod corev1.Pod) bool {
		return pod.Namespace != nsm.Namespace || pod.Labels[mesh.LabelNSM] != nsm.Name ||
			pod.Labels[mesh.LabelName] != told.Name || mesh.IsImagePull(&pod)
	})
	c.Pods = seen.podsOf(workload, pods)
	return c
}

func (seen *Seen) podsOf(workload *health.Workload, pods []corev1.Pod) []Pod {
	nodes := map[string]*corev1.Node{}
	for _, name := range health.Suspects(pods) {
		if node := seen.Nodes[name]; node != nil {
			nodes[name] = node
		}
	}
	lost := workload.FindLost(pods, nodes)
	if lost == nil {
		lost = &health.Lost{}
	}
	current := map[string]bool{}
	for _, pod := range workload.Current(slices.Clone(pods)) {
		current[pod.Name] = true
	}
	var all []Pod
	for i := range pods {
		pod := &pods[i]
		told := Pod{Name: pod.Name, Node: pod.Spec.NodeName}
		cause, _ := workload.CauseOf(pod, seen.Now)
		switch {
		case slices.Contains(lost.Nodes, pod.Spec.NodeName):
			told.State, told.Message = PodLost, lost.Why
		case pod.DeletionTimestamp != nil:
			told.State = PodTerminating
		case cause.What != "":
			told.State, told.Message = PodFailing, cause.String()
		case !health.IsReady(pod):
			told.State = PodNotReady
		case !current[pod.Name]:
			told.State = PodOutdated
		default:
			told.State = PodReady
		}
		all = append(all, told)
	}
	slices.SortFunc(all, func(a, b Pod) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Name, b.Name)) })
	return all
}

// leaseSlack is how long a Lease may be over until nobody leads: another replica takes
// it within some seconds.
const leaseSlack = time.Minute

// operator tells about an installation, and warns where it does not work.
func (seen *Seen) operator(deployment *appsv1.Deployment) (operator Operator, warning string) {
	operator = Operator{
		Namespace: deployment.Namespace, Name: deployment.Name,
		Ready: deployment.Status.ReadyReplicas, Desired: ptr.Deref(deployment.Spec.Replicas, 1),
	}
	if containers := deployment.Spec.Template.Spec.Containers; len(containers) > 0 {
		operator.Image = containers[0].Image
	}
	lease := seen.Leases[deployment.Namespace]
	leads := lease != nil && ptr.Deref(lease.Spec.HolderIdentity, "") != "" && lease.Spec.RenewTime != nil &&
		seen.Now.Before(lease.Spec.RenewTime.Add(time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 15))*time.Second+leaseSlack))
	name := "the operator in namespace " + deployment.Namespace
	if leads {
		operator.Leader = *lease.Spec.HolderIdentity
	}
	switch {
	case operator.Ready == 0:
		return operator, name + fmt.Sprintf(" has no pod that is ready: meshes run on as they are; kubectl get pods -n %s", deployment.Namespace)
	case seen.SeesLeases && !leads:
		return operator, name + " has no leader: meshes run on as they are; its log tells why"
	default:
		return operator, ""
	}
}

// FullName of a mesh: its namespace and name.
func (m *Mesh) FullName() string { return m.Namespace + "/" + m.Name }

// versions of the mesh: what runs, and what it goes to.
func (m *Mesh) versions() string {
	switch {
	case m.Version == "" || m.Target == "" || m.Version == m.Target:
		return cmp.Or(m.Version, m.Target)
	default:
		return strings.Join([]string{m.Version, m.Target}, " -> ")
	}
}
