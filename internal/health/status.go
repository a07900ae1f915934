// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"cmp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// MostMessage is how long a message is at most, as the API takes it for an event.
const MostMessage = 1000

// retrying is what Progressing says after a failure.
const retrying = "the operator tries again, with growing pauses of a minute at most"

// Degradation is what Degraded says is wrong; nil for nothing.
func Degradation(status *nsmv1beta1.NSMStatus) *metav1.Condition {
	degraded := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionDegraded)
	if degraded == nil || degraded.Status != metav1.ConditionTrue {
		return nil
	}
	return degraded
}

// Status derives the new status from the old one and what was seen. It is
// pure but for the transition times of conditions.
func Status(nsm *nsmv1beta1.NSM, seen *Mesh, failure error) nsmv1beta1.NSMStatus {
	s := status{NSMStatus: *nsm.Status.DeepCopy(), generation: nsm.Generation}
	s.begin()
	switch {
	case failure != nil:
		s.setFailed(FailureMessage(failure), seen)
	case seen.Refusal.Reason != "":
		s.setRefused(seen.Refusal)
	case seen.AwaitsSpire != "":
		s.setAwaiting(seen)
	default:
		s.setSeen(seen)
	}
	s.setStalled()
	s.setReady()
	return s.NSMStatus
}

// DeletionStatus tells, of an NSM that is being deleted, what keeps its mesh from
// being removed, and what it waits for: objects that somebody holds, as Held names them,
// and pods.
func DeletionStatus(nsm *nsmv1beta1.NSM, held []string, failure error) nsmv1beta1.NSMStatus {
	s := status{NSMStatus: *nsm.Status.DeepCopy(), generation: nsm.Generation}
	s.ObservedGeneration = s.generation
	waits := "waiting for the objects of the mesh to go"
	if len(held) > 0 {
		waits = "waiting for " + strings.Join(held, ", ")
	}
	s.setGoing()
	if failure == nil {
		s.set(nsmv1beta1.ConditionProgressing, true, nsmv1beta1.ReasonDeleting, waits)
		s.set(nsmv1beta1.ConditionDegraded, false, nsmv1beta1.ReasonAsExpected, "nothing is known to be wrong")
		return s.NSMStatus
	}
	s.set(nsmv1beta1.ConditionProgressing, true, nsmv1beta1.ReasonRetrying, retrying)
	s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonDeletionFailed, "the NSM cannot be deleted yet: "+FailureMessage(failure))
	return s.NSMStatus
}

// setGoing reports that the mesh goes: what was told of its parts is true no longer.
func (s *status) setGoing() {
	const going = "the NSM is being deleted, and its mesh with it"
	s.Components, s.Managers, s.Forwarders, s.StaleClients = nil, "", "", nil
	s.set(nsmv1beta1.ConditionAvailable, false, nsmv1beta1.ReasonDeleting, going)
	s.set(nsmv1beta1.ConditionReady, false, nsmv1beta1.ReasonDeleting, going)
	for _, concern := range mesh.Concerns() {
		if meta.FindStatusCondition(s.Conditions, concern.Condition) != nil {
			s.set(concern.Condition, false, nsmv1beta1.ReasonDeleting, going)
		}
	}
}

// Held names an object that was deleted and is still there, and what holds it.
func Held(object mesh.Object) string {
	text := mesh.KindOf(object) + " " + strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")
	if by := keepers(object); by != "" {
		text += ", which " + by
	}
	return text
}

// keepers names the finalizers that hold an object, with the verb; "" for none.
func keepers(object mesh.Object) string {
	finalizers := object.GetFinalizers()
	switch len(finalizers) {
	case 0:
		return ""
	case 1:
		return "the finalizer " + finalizers[0] + " keeps"
	default:
		return "the finalizers " + strings.Join(finalizers, " and ") + " keep"
	}
}

// ReportsDeletion reports whether a status says what a deletion waits for, or that it has
// failed.
func ReportsDeletion(status *nsmv1beta1.NSMStatus) bool {
	available := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionAvailable)
	return available != nil && available.Reason == nsmv1beta1.ReasonDeleting
}

// status is a status while it is being derived.
type status struct {
	nsmv1beta1.NSMStatus
	generation int64
	// wasProgressing: the mesh was being changed when it was seen last.
	wasProgressing bool
	// refused: the NSM is not acted on; overdue: it takes longer to come up than it
	// may.
	refused, overdue bool
	// inTheWay: somebody else's object is in the place of one of the mesh's.
	inTheWay bool
}

// begin notes that this generation has been seen, whatever will be said of it.
func (s *status) begin() {
	s.wasProgressing = !meta.IsStatusConditionFalse(s.Conditions, nsmv1beta1.ConditionProgressing)
	if s.ObservedGeneration != s.generation {
		// Progressing counts from the change of the spec on.
		meta.RemoveStatusCondition(&s.Conditions, nsmv1beta1.ConditionProgressing)
	}
	s.ObservedGeneration = s.generation
}

func (s *status) set(conditionType string, value bool, reason, message string) {
	conditionStatus := metav1.ConditionFalse
	if value {
		conditionStatus = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: conditionType, Status: conditionStatus, Reason: reason, Message: Shorten(message, MostMessage),
		ObservedGeneration: s.generation,
	})
}

// setFailed reports that the last pass could not write all it wanted to. What
// was available stays so as long as nothing is seen to be down.
func (s *status) setFailed(message string, seen *Mesh) {
	waits := ""
	if seen != nil {
		s.setParts(seen)
		waits = seen.Summary()
	}
	if waits != "" {
		s.set(nsmv1beta1.ConditionAvailable, false, nsmv1beta1.ReasonNotReady, waits)
	} else if !meta.IsStatusConditionTrue(s.Conditions, nsmv1beta1.ConditionAvailable) {
		s.set(nsmv1beta1.ConditionAvailable, false, nsmv1beta1.ReasonApplyFailed, message)
	}
	s.set(nsmv1beta1.ConditionProgressing, true, nsmv1beta1.ReasonRetrying, retrying)
	switch {
	case ReportsRollback(&s.NSMStatus, s.generation):
		// That a release was taken back, and why, is more than that a write has failed.
	case seen != nil && seen.RollBackTo != "":
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonRolledBack, seen.rollbackMessage())
	case seen != nil && seen.Overdue != "":
		s.overdue = true
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonProgressDeadlineExceeded, seen.overdueMessage())
	default:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonApplyFailed, message)
	}
}

// setAwaiting reports that not all could be written yet, which is no failure so far. As
// after one, what was available stays so as long as nothing is seen to be down.
func (s *status) setAwaiting(seen *Mesh) {
	s.overdue = seen.Overdue != ""
	s.setParts(seen)
	waits := seen.Summary()
	if waits != "" || !meta.IsStatusConditionTrue(s.Conditions, nsmv1beta1.ConditionAvailable) {
		s.set(nsmv1beta1.ConditionAvailable, false, nsmv1beta1.ReasonNotReady, cmp.Or(waits, seen.AwaitsSpire))
	}
	s.set(nsmv1beta1.ConditionProgressing, true, nsmv1beta1.ReasonWaiting, seen.AwaitsSpire)
	s.setDegraded(seen)
}

// setRefused reports an NSM that is not acted on.
func (s *status) setRefused(why Refusal) {
	s.refused = true
	s.set(nsmv1beta1.ConditionAvailable, false, why.Reason, why.Message)
	s.set(nsmv1beta1.ConditionProgressing, false, why.Reason, "the operator does nothing until that is fixed")
	s.set(nsmv1beta1.ConditionDegraded, true, why.Reason, why.Message)
}

// setSeen reports the workloads. A mesh that was all there and whose pods went,
// as in a node's reboot, is not progressing: nobody changes it.
func (s *status) setSeen(seen *Mesh) {
	s.overdue = seen.Overdue != ""
	s.setParts(seen)
	message := seen.Summary()
	switch {
	case message == "":
		s.Version = seen.Release.String()
		s.set(nsmv1beta1.ConditionAvailable, true, nsmv1beta1.ReasonReady, "NSM "+s.Version+" is ready"+seen.lostMessage()+seen.Release.Caveat())
		s.set(nsmv1beta1.ConditionProgressing, false, nsmv1beta1.ReasonDone, seen.leftToDo())
	case s.wasProgressing || seen.isChanging():
		s.set(nsmv1beta1.ConditionAvailable, false, nsmv1beta1.ReasonNotReady, message)
		reason, progress := seen.progress()
		s.set(nsmv1beta1.ConditionProgressing, true, reason, progress)
	default:
		s.set(nsmv1beta1.ConditionAvailable, false, nsmv1beta1.ReasonNotReady, message)
		s.set(nsmv1beta1.ConditionProgressing, false, nsmv1beta1.ReasonDone, seen.leftToDo())
	}
	s.setDegraded(seen)
}

// setDegraded reports what does not mend by itself.
func (s *status) setDegraded(seen *Mesh) {
	switch {
	case seen.RollBackTo != "":
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonRolledBack, seen.rollbackMessage())
	case seen.RolledBack && ReportsRollback(&s.NSMStatus, s.generation):
		// It stays as it was told.
	case seen.RolledBack:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonRolledBack,
			"the spec was tried and has not come up in time; NSM "+seen.Release.String()+" runs again until the spec changes")
	case len(seen.InTheWay) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonNotOurs, seen.inTheWayMessage())
	case len(seen.Callers) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonForeignWebhook, seen.callersMessage())
	case seen.Overdue != "":
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonProgressDeadlineExceeded, seen.overdueMessage())
	case seen.RefusedPods != "":
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonPodSecurity, seen.RefusedPods)
	case len(seen.FailedApart) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonApplyFailed, strings.Join(seen.FailedApart, "; "))
	case seen.EntriesLeft != "":
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonApplyFailed, seen.EntriesLeft)
	case len(seen.Contested) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonContested, "somebody else keeps changing "+strings.Join(seen.Contested, ", ")+
			"; the operator puts it back with growing pauses: metadata.managedFields tells who else writes it")
	case seen.KubeletDirectories != "":
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonKubeletsDiffer, seen.kubeletsMessage())
	case len(seen.UnknownFields) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, nsmv1beta1.ReasonUnknownFields, "these fields have no effect: "+strings.Join(seen.UnknownFields, ", ")+"; remove them")
	default:
		s.set(nsmv1beta1.ConditionDegraded, false, nsmv1beta1.ReasonAsExpected, "nothing is known to be wrong")
	}
}

// setStalled reports that no waiting helps: nothing is done, or all that could be
// was, and in vain. What the operator tries again by itself does not count, unless it holds
// a change of release up for longer than that may take.
func (s *status) setStalled() {
	wrong := Degradation(&s.NSMStatus)
	if wrong != nil && (s.refused || s.overdue || wrong.Reason == nsmv1beta1.ReasonRolledBack) {
		s.set(nsmv1beta1.ConditionStalled, true, wrong.Reason, wrong.Message)
		return
	}
	s.set(nsmv1beta1.ConditionStalled, false, nsmv1beta1.ReasonAsExpected, "the operator goes on by itself")
}

// setReady reports whether the mesh has come up as this generation describes it.
// Once it has, that stays so until somebody changes the mesh: pods that are lost,
// as in a node's reboot, are Available's to tell.
func (s *status) setReady() {
	stalled := meta.FindStatusCondition(s.Conditions, nsmv1beta1.ConditionStalled)
	available := meta.FindStatusCondition(s.Conditions, nsmv1beta1.ConditionAvailable)
	ready := meta.FindStatusCondition(s.Conditions, nsmv1beta1.ConditionReady)
	switch {
	case stalled.Status == metav1.ConditionTrue:
		s.set(nsmv1beta1.ConditionReady, false, stalled.Reason, stalled.Message)
	case available.Status == metav1.ConditionTrue && available.ObservedGeneration == s.generation && !s.inTheWay:
		s.set(nsmv1beta1.ConditionReady, true, nsmv1beta1.ReasonRolledOut, "the mesh has come up as the spec describes it")
	case available.Status == metav1.ConditionTrue:
		// This generation could not be written, yet or at all, or a part of it that no
		// workload needs.
		wrong := cmp.Or(Degradation(&s.NSMStatus), meta.FindStatusCondition(s.Conditions, nsmv1beta1.ConditionProgressing))
		s.set(nsmv1beta1.ConditionReady, false, wrong.Reason, wrong.Message)
	case ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == s.generation &&
		meta.IsStatusConditionFalse(s.Conditions, nsmv1beta1.ConditionProgressing):
		// It stays as it is.
	default:
		s.set(nsmv1beta1.ConditionReady, false, available.Reason, available.Message)
	}
}

// setParts reports the workloads one by one.
func (s *status) setParts(seen *Mesh) {
	s.inTheWay = len(seen.InTheWay) > 0
	s.Components = seen.components()
	s.StaleClients = nil
	if seen.StaleClients != nil {
		s.StaleClients = ptr.To(int32(seen.StaleClients.Count)) //nolint:gosec // no cluster has that many pods
	}
	s.Managers = seen.count(mesh.RoleManager)
	s.Forwarders = seen.count(mesh.RoleForwarder)
	if seen.Spire.Type != "" {
		condition := seen.Spire
		condition.ObservedGeneration = s.generation
		meta.SetStatusCondition(&s.Conditions, condition)
	}
	for _, concern := range mesh.Concerns() {
		if len(seen.workloadsOf(concern.Role)) == 0 {
			meta.RemoveStatusCondition(&s.Conditions, concern.Condition)
			continue
		}
		if message := seen.messageOf(concern.Role); message != "" {
			s.set(concern.Condition, false, nsmv1beta1.ReasonNotReady, message)
			continue
		}
		if unreachable := seen.unreachable(); concern.Role == mesh.RoleInterdomain && unreachable != "" {
			s.set(concern.Condition, false, nsmv1beta1.ReasonUnreachable, unreachable)
			continue
		}
		s.set(concern.Condition, true, nsmv1beta1.ReasonReady, "ready: "+seen.namesOf(concern.Role))
	}
}

// WithoutCounts is a status without what moves while pods come up: counts, and the words
// for them. What Degraded says stays.
func WithoutCounts(from *nsmv1beta1.NSMStatus) *nsmv1beta1.NSMStatus {
	still := from.DeepCopy()
	still.Managers, still.Forwarders = "", ""
	for i := range still.Components {
		component := &still.Components[i]
		component.Desired, component.Updated, component.Ready, component.Message = nil, nil, nil, ""
	}
	for i := range still.Conditions {
		if still.Conditions[i].Type != nsmv1beta1.ConditionDegraded {
			still.Conditions[i].Message = ""
		}
	}
	return still
}

// FailureMessage is the text of an error without what moves in it: the lines of
// a joined error in their order, each once. It says what is waited for, where a webhook
// does not answer.
func FailureMessage(failure error) string {
	lines := strings.Split(failure.Error(), "\n")
	for i := range lines {
		lines[i] = untilWebhooksAnswer(lines[i])
	}
	return strings.Join(lines, "; ")
}

// FailedBefore reports whether a status says that a pass has failed, and has said that
// something is wrong since before a time.
func FailedBefore(status *nsmv1beta1.NSMStatus, when time.Time) bool {
	wrong := Degradation(status)
	return wrong != nil && wrong.LastTransitionTime.Time.Before(when) && IsRetrying(status)
}

// IsRetrying reports whether a status says that the last pass has failed.
func IsRetrying(status *nsmv1beta1.NSMStatus) bool {
	progressing := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionProgressing)
	return progressing != nil && progressing.Reason == nsmv1beta1.ReasonRetrying
}

// ReportsRollback reports whether a status says that the spec of a generation has
// been tried and taken back.
func ReportsRollback(status *nsmv1beta1.NSMStatus, generation int64) bool {
	degraded := Degradation(status)
	return degraded != nil && degraded.Reason == nsmv1beta1.ReasonRolledBack && degraded.ObservedGeneration == generation
}
