// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Mesh is what was observed of a mesh: all that its status follows from.
type Mesh struct {
	// Refusal says why the NSM is not acted on; then nothing else is known.
	Refusal Refusal
	// Release that the mesh should run.
	Release release.Release
	// Workloads are its components.
	Workloads []Workload
	// Missing tells what an admin has to install for a part of the mesh, by role.
	Missing map[mesh.Role]string
	// Spire is SpireReady; it has no type where it is not known.
	Spire metav1.Condition
	// IgnoredClients are the namespaces of clients that SPIRE's controller manager ignores,
	// unless it is configured otherwise.
	IgnoredClients []string
	// AwaitsSpire tells what SPIRE's controller manager keeps from being written for the
	// moment, since it may be starting; "" for nothing.
	AwaitsSpire string
	// NoAddress are the Services by which other domains reach the mesh and that have no
	// address for them yet.
	NoAddress []string
	// NotFederated are trust domains that SPIRE has not been told of; FederationUnseen
	// tells why that cannot be seen, "" where it can.
	NotFederated     []string
	FederationUnseen string
	// Contested are the objects that somebody else keeps changing.
	Contested []string
	// Kept are objects of the mesh that were deleted a while ago and are still there, with
	// what keeps them, as Held names them.
	Kept []string
	// DriverMounts are the pods that a CSI driver waits for that is not wanted any more; nil
	// for none.
	DriverMounts *DriverMounts
	// InTheWay are objects of somebody else in the place of the mesh's.
	InTheWay []InTheWay
	// Callers are configurations of somebody else that call the admission webhook.
	Callers []Caller
	// StaleClients are pods with an older client; nil where nobody has counted them.
	StaleClients *StaleClients
	// RefusedPods tells that the namespace refuses pods of the mesh, and what lets
	// them in; "" where it is not known to.
	RefusedPods string
	// FailedApart tells what has failed and does not block the rest.
	FailedApart []string
	// EntriesLeft tells why entries of the registry before this one are still there.
	EntriesLeft string
	// KubeletDirectories are those of all nodes, with commas between them, where they
	// differ and nobody has said which one counts; KubeletDirectory is what pods mount.
	KubeletDirectories, KubeletDirectory string
	// UnknownFields are fields of the NSM that no version of it has.
	UnknownFields []string
	// Overdue tells what has been waited for too long; "" for nothing.
	Overdue string
	// WayBack tells how to undo the change that is overdue; "" where nothing can be said.
	WayBack string
	// RollBackTo is the release that is to run again, with the spec that was Available
	// last; "" for none. RolledBack: it does already.
	RollBackTo string
	RolledBack bool
	// NotBegun tells why a change of release has not begun; "" where it has.
	NotBegun string
	// Staged: the workloads change one after the other, in their order.
	Staged bool
	// Pulls are the images that have to be on the nodes before anything is changed.
	Pulls []ImagePull
}

// Refusal says why an NSM is not acted on; empty when it is.
type Refusal struct {
	Reason, Message string
}

// InTheWay is an object of somebody else in the place of one of the mesh.
type InTheWay struct {
	// Object is its kind and name, Whose a sentence that says whose it is.
	Object, Whose string
}

// Caller is a configuration of somebody else that calls the admission webhook.
type Caller struct{ Kind, Name string }

// problem is what one part of the mesh waits for.
type problem struct {
	role          mesh.Role
	name, message string
}

// problems lists what the parts of a role, or of all with "", wait for.
func (m *Mesh) problems(role mesh.Role) []problem {
	var problems []problem
	if m.NotBegun != "" {
		problems = append(problems, problem{"", "the change to " + m.Release.String(), m.NotBegun})
	}
	if len(m.Pulls) > 0 {
		problems = append(problems, problem{"", "the new images", m.notPulled()})
	}
	for _, missing := range slices.Sorted(maps.Keys(m.Missing)) {
		problems = append(problems, problem{missing, string(missing), m.Missing[missing]})
	}
	for i := range m.Workloads {
		if w := &m.Workloads[i]; w.Message() != "" {
			problems = append(problems, problem{w.Role, w.String(), w.Message()})
		}
	}
	if len(problems) == 0 {
		problems = m.waitingTurns()
	}
	return slices.DeleteFunc(problems, func(p problem) bool { return role != "" && role != p.role })
}

// waitingTurns are the workloads that serve as they were before and that nothing but
// their turn keeps from being changed.
func (m *Mesh) waitingTurns() []problem {
	var problems []problem
	for i := range m.Workloads {
		if w := &m.Workloads[i]; w.Held && !w.IsWritten() {
			problems = append(problems, problem{w.Role, w.String(), w.String() + " has not been changed yet"})
		}
	}
	return problems
}

// messageOf joins what the parts of a role wait for; "" when all are ready.
func (m *Mesh) messageOf(role mesh.Role) string {
	var messages []string
	for _, problem := range m.problems(role) {
		messages = append(messages, problem.message)
	}
	return strings.Join(messages, "; ")
}

// Summary tells why the mesh is not available: what the first part that is not ready
// waits for, and the names of the others, whose own conditions tell about them. ""
// when all is up.
func (m *Mesh) Summary() string {
	summary := m.FirstProblem()
	if waiting := m.waitingFor(); len(waiting) > 1 {
		summary += "; not ready either: " + strings.Join(waiting[1:], ", ")
	}
	return summary
}

// FirstProblem is the first of what Summary tells; "" when all is up.
func (m *Mesh) FirstProblem() string {
	problems := m.problems("")
	if len(problems) == 0 {
		return ""
	}
	return problems[0].message
}

// waitingFor names the parts that are not ready.
func (m *Mesh) waitingFor() []string {
	var names []string
	for _, problem := range m.problems("") {
		names = append(names, problem.name)
	}
	return names
}

// progress tells how far a change is: of one in stages, which stage, and how many of its
// pods are up.
func (m *Mesh) progress() (reason, message string) {
	if len(m.Pulls) > 0 {
		return nsmv1beta1.ReasonPullingImages, m.pulling((*ImagePull).Progress)
	}
	i := m.current()
	if !m.Staged || m.NotBegun != "" || i < 0 {
		return nsmv1beta1.ReasonRollingOut, "waiting for " + strings.Join(m.waitingFor(), ", ") + m.turns()
	}
	w := &m.Workloads[i]
	pods := w.Pods()
	isNew := min(pods.Updated, pods.Ready)
	if w.IsChanging() && isNew >= pods.Desired {
		isNew = 0 // nobody has counted yet, or old ones are among them
	}
	message = fmt.Sprintf("stage %d of %d, %s: %d of %d pods are new and ready", i+1, len(m.Workloads), w, isNew, pods.Desired)
	switch {
	case len(w.Now) > 0 || len(w.NoManager) > 0:
		message += w.turn()
	case len(w.Nodes) > 0 && len(w.Nodes) <= int(pods.Desired-isNew): // else it was seen too long ago
		message += ", not yet on " + SomeNodes(w.Nodes)
	}
	return nsmv1beta1.ReasonRollingOut, message
}

// leftToDo tells that nothing is, and what is waited for: objects that the operator has
// deleted and somebody keeps, and pods that need what is not wanted any more.
func (m *Mesh) leftToDo() string {
	var waits []string
	if len(m.Kept) > 0 {
		waits = append(waits, "what was deleted: "+strings.Join(m.Kept, ", "))
	}
	if m.DriverMounts != nil {
		waits = append(waits, m.DriverMounts.String())
	}
	if len(waits) == 0 {
		return "nothing is left to do"
	}
	return "nothing is left to do but to wait for " + strings.Join(waits, "; and for ")
}

// turns tell where workloads that are rolled node by node are; "" for no such workload.
func (m *Mesh) turns() string {
	var text strings.Builder
	for i := range m.Workloads {
		if turn := m.Workloads[i].turn(); turn != "" {
			text.WriteString("; " + m.Workloads[i].Name() + strings.TrimPrefix(turn, ","))
		}
	}
	return text.String()
}

// turn tells where a workload is that is rolled node by node; "" for none such.
func (w *Workload) turn() string {
	var text string
	if len(w.Now) > 0 {
		text = ", now on " + SomeNodes(w.Now)
	}
	if len(w.NoManager) > 0 {
		text += ", waiting for the manager on " + SomeNodes(w.NoManager)
	}
	return text
}

// isChanging reports whether a workload is still to be made, or rolling out, or an image
// to be pulled, or a change waits for a healthy mesh.
func (m *Mesh) isChanging() bool {
	return m.NotBegun != "" || len(m.Pulls) > 0 || slices.ContainsFunc(m.Workloads, func(w Workload) bool { return w.Live == nil || w.IsChanging() })
}

// HasPods reports whether there is a pod of the mesh for sure.
func (m *Mesh) HasPods() bool {
	return slices.ContainsFunc(m.Workloads, func(w Workload) bool {
		pods := w.Pods()
		return pods.Updated > 0 || pods.Ready > 0
	})
}

// Workload of a name; nil for none.
func (m *Mesh) Workload(name string) *Workload {
	i := slices.IndexFunc(m.Workloads, func(w Workload) bool { return w.Name() == name })
	if i < 0 {
		return nil
	}
	return &m.Workloads[i]
}

// workloadsOf are those of a role.
func (m *Mesh) workloadsOf(role mesh.Role) []Workload {
	return slices.DeleteFunc(slices.Clone(m.Workloads), func(w Workload) bool { return w.Role != role })
}

// HasRolledOut reports whether a role has workloads, and no pods of an older
// definition. A Deployment of strategy Recreate has none once it has made new ones.
func (m *Mesh) HasRolledOut(role mesh.Role) bool {
	workloads := m.workloadsOf(role)
	return len(workloads) > 0 && !slices.ContainsFunc(workloads, func(w Workload) bool {
		return w.BlockedBy != "" || w.Held || !w.IsWritten() || !w.IsRolledOut() || w.Pods().Desired == 0
	})
}

// count is "ready/desired" over the workloads of a role.
func (m *Mesh) count(role mesh.Role) string {
	if len(m.workloadsOf(role)) == 0 {
		return ""
	}
	var ready, desired int32
	for _, w := range m.workloadsOf(role) {
		ready += w.Pods().Ready
		desired += w.Pods().Desired
	}
	return fmt.Sprintf("%d/%d", ready, desired)
}

func (m *Mesh) namesOf(role mesh.Role) string {
	var names []string
	for _, w := range m.workloadsOf(role) {
		names = append(names, w.String())
	}
	return strings.Join(names, ", ")
}

func (m *Mesh) components() []nsmv1beta1.ComponentStatus {
	components := make([]nsmv1beta1.ComponentStatus, 0, len(m.Workloads))
	for i := range m.Workloads {
		w := &m.Workloads[i]
		pods := w.Pods()
		components = append(components, nsmv1beta1.ComponentStatus{
			Name: w.Name(), Kind: w.Kind(), Version: w.Version(),
			Desired: ptr.To(pods.Desired), Updated: ptr.To(pods.Updated), Ready: ptr.To(pods.Ready),
			Message: w.statusMessage(m.Release.String()),
		})
	}
	return components
}

// inTheWayMessage tells what is in the way, and what to do.
func (m *Mesh) inTheWayMessage() string {
	var inTheWay []string
	for _, one := range m.InTheWay {
		inTheWay = append(inTheWay, fmt.Sprintf("%s is in the way: it is not the mesh's (%s)", one.Object, one.Whose))
	}
	return strings.Join(inTheWay, "; ") + "; the operator leaves it alone, and with it the part of the mesh that needs the name: " +
		"delete it if nobody needs it, or run the mesh in another namespace"
}

// rollbackMessage tells that a change is taken back. If it has not begun, for instance
// because an image cannot be pulled, there is nothing to undo.
func (m *Mesh) rollbackMessage() string {
	message := "NSM " + m.Release.String() + " has not come up " + m.Overdue + "; "
	if !slices.ContainsFunc(m.Workloads, func(w Workload) bool { return w.Version() == m.Release.String() }) {
		return message + "nothing was changed, and NSM " + m.RollBackTo + " goes on until the spec changes"
	}
	return message + "NSM " + m.RollBackTo + " runs again until the spec changes"
}

// overdueMessage tells what takes longer than it may, and how to undo it.
func (m *Mesh) overdueMessage() string {
	return strings.TrimSuffix("the mesh has not come up "+m.Overdue+"; "+m.WayBack, "; ")
}

// kubeletsMessage tells that the nodes keep their kubelets' files in different places.
func (m *Mesh) kubeletsMessage() string {
	return "the kubelets of the nodes keep their files in different directories: " + strings.ReplaceAll(m.KubeletDirectories, ",", ", ") +
		"; pods mount " + m.KubeletDirectory + " on all of them, which works on some: set spec.kubeletDirectory, and spec.nodeSelector to the nodes that have it"
}

// callersMessage tells what else calls the webhook, and what to do.
func (m *Mesh) callersMessage() string {
	var callers, commands []string
	for _, one := range m.Callers {
		callers = append(callers, one.Kind+" "+one.Name)
		commands = append(commands, strings.ToLower(one.Kind)+"/"+one.Name)
	}
	return "the admission webhook of the mesh is called by configurations that are not the operator's: " + strings.Join(callers, ", ") +
		"; what they ask about is refused in the whole cluster unless they trust the operator's certificate. Delete them: kubectl delete " +
		strings.Join(commands, " ")
}
