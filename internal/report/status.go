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

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
	// Unknown are the fields of NSMs that this version of the program does not know.
	Unknown map[types.NamespacedName][]UnknownField
	// Crashes are the containers whose last words were read.
	Crashes   []Crash
	Operators Operators
	// Plugin is the version of the program that shows the status.
	Plugin  string
	NotSeen []string
	Now     time.Time
}

// Status is what meshes run.
type Status struct {
	metav1.TypeMeta `json:",inline"`
	// Plugin is the version of the program that wrote this.
	Plugin string `json:"plugin,omitempty"`
	// Meshes of the namespace, or of all.
	Meshes []Mesh `json:"meshes"`
	// Operators are the installations of the operator, as far as they are seen.
	Operators []Operator `json:"operators"`
	// Warnings are about what no mesh's conditions tell.
	Warnings []string `json:"warnings,omitempty"`
	// NotSeen tells what could not be read, and why.
	NotSeen []string `json:"notSeen,omitempty"`
}

// Mesh is one of them.
type Mesh struct {
	// Namespace of the NSM.
	Namespace string `json:"namespace"`
	// Name of the NSM.
	Name string `json:"name"`
	// Version is the release that has been rolled out.
	Version string `json:"version,omitempty"`
	// Target is the release that the spec asks for.
	Target string `json:"target,omitempty"`
	// State is the sum of the conditions, in one word.
	State State `json:"state"`
	// Message is what the conditions say of that state.
	Message string `json:"message,omitempty"`
	// Conditions of the NSM, those of an older generation included.
	Conditions []metav1.Condition `json:"conditions"`
	// Components are the workloads of the mesh.
	Components []Component `json:"components"`
	// Operator is the namespace of the installation that acts on the NSM; missing where that
	// is not known.
	Operator string `json:"operator,omitempty"`
	// UnknownFields are those of the NSM that this version does not know: a newer operator has them.
	UnknownFields []UnknownField `json:"unknownFields,omitempty"`
}

// UnknownField is a field of an NSM that this version of the program does not know.
type UnknownField struct {
	// Path of the field, such as status.conditions[0].severity.
	Path string `json:"path"`
	// Value of it, as it was read.
	Value any `json:"value"`
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
	// Kind is Deployment or DaemonSet.
	Kind string `json:"kind"`
	// Name of the workload.
	Name string `json:"name"`
	// Version is the release that it is of.
	Version string `json:"version,omitempty"`
	// Desired is how many pods it should have.
	Desired int32 `json:"desired"`
	// Updated is how many of them are of the current definition.
	Updated int32 `json:"updated"`
	// Ready is how many of them serve.
	Ready int32 `json:"ready"`
	// Message tells what it waits for.
	Message string `json:"message,omitempty"`
	// Pods of it, by node.
	Pods []Pod `json:"pods,omitempty"`
}

// Pod of a component, and what it waits for.
type Pod struct {
	// Name of the pod.
	Name string `json:"name"`
	// Node that it is on; missing where it is on none.
	Node string `json:"node,omitempty"`
	// State of it in one word.
	State PodState `json:"state"`
	// Message tells what is wrong, in its own or Kubernetes' words.
	Message string `json:"message,omitempty"`
	// Crashes are its containers that crash, with their last words.
	Crashes []Crash `json:"crashes,omitempty"`
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

// StatusOf what was read.
func StatusOf(seen *Seen) *Status {
	verdict := seen.Operators.Judge(seen.Plugin, seen.Now)
	status := &Status{
		TypeMeta: TypeOf("Status"), Plugin: seen.Plugin, Meshes: []Mesh{}, Operators: verdict.Operators, NotSeen: seen.NotSeen,
		Warnings: slices.Concat(verdict.Broken, verdict.Others, verdict.Versions),
	}
	for i := range seen.NSMs {
		m := seen.mesh(&seen.NSMs[i])
		status.Meshes = append(status.Meshes, m)
		status.Warnings = append(status.Warnings, seen.warnings(&m)...)
	}
	slices.SortFunc(status.Meshes, func(a, b Mesh) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return status
}

// warnings about a mesh: nobody acts on it, or its NSM has fields that nobody here knows.
func (seen *Seen) warnings(m *Mesh) []string {
	var warnings []string
	operators := seen.Operators.Of(m.Namespace)
	switch {
	case len(operators) == 0 && len(seen.Operators.Deployments)+len(seen.Operators.Members) > 0:
		warnings = append(warnings, fmt.Sprintf("mesh %s: no operator acts on namespace %s: all are restricted to others by %s", m.FullName(), m.Namespace, watchFlag))
	case len(operators) > 1:
		warnings = append(warnings, fmt.Sprintf("mesh %s: %s", m.FullName(), Several(operators)))
	}
	if len(m.UnknownFields) > 0 {
		warnings = append(warnings, fmt.Sprintf("mesh %s: this version of the plugin does not know %s: -o json shows them", m.FullName(), PathsOf(m.UnknownFields)))
	}
	return warnings
}

// Several tells that it is not known which of some installations acts on an NSM.
func Several(operators []Installation) string {
	var namespaces []string
	for _, operator := range operators {
		namespaces = append(namespaces, operator.Namespace)
	}
	return "which operator acts on it is not seen: one of those in the namespaces " + strings.Join(namespaces, ", ")
}

// mostPaths is how many unknown fields are named.
const mostPaths = 5

// PathsOf unknown fields; of many, some.
func PathsOf(fields []UnknownField) string {
	var paths []string
	for _, field := range fields[:min(len(fields), mostPaths)] {
		paths = append(paths, field.Path)
	}
	text := strings.Join(paths, ", ")
	if more := len(fields) - mostPaths; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// IsFine reports whether each mesh is up as its spec describes it.
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
	m.UnknownFields = seen.Unknown[types.NamespacedName{Namespace: nsm.Namespace, Name: nsm.Name}]
	if operators := seen.Operators.Of(nsm.Namespace); len(operators) == 1 {
		m.Operator = operators[0].Namespace
	}
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
		told.Crashes = crashesOf(seen.Crashes, pod)
		all = append(all, told)
	}
	slices.SortFunc(all, func(a, b Pod) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Name, b.Name)) })
	return all
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
