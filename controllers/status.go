// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// reportTimeout is how long the status of a pass that has run out of time may
// take to be written.
const reportTimeout = 10 * time.Second

// observation is what a pass of the loop saw.
type observation struct {
	release   release.Release
	workloads []workload
	refusal   refusal
	// wakeAt is when the loop has to look again though nothing happens; zero for
	// never.
	wakeAt time.Time
	// contested are the objects that somebody else keeps changing.
	contested []string
	// notOurs are objects of somebody else in the place of the mesh's.
	notOurs []apply.NotOurs
	// callers are configurations of somebody else that call the admission webhook.
	callers []string
	// refusedPods tells that the namespace refuses pods of the mesh, and what lets
	// them in; "" where it is not known to.
	refusedPods string
	// refusedByClients tells what namespaces of clients have refused.
	refusedByClients []string
	// spire tells who registers the mesh's workloads with SPIRE.
	spire metav1.Condition
	// unknown are fields of the object that no version of NSM has.
	unknown []string
	// overdue tells what has been waited for too long; rollBack, that the release
	// before is to be run again.
	overdue  string
	rollBack bool
	// rolledBack: it is run already.
	rolledBack bool
	// missing tells what an admin has to install for a part of the mesh, by role.
	missing map[mesh.Role]string
}

// wake lets the loop look again at a time, or earlier.
func (o *observation) wake(at time.Time) {
	if o.wakeAt.IsZero() || at.Before(o.wakeAt) {
		o.wakeAt = at
	}
}

// reasonConflict of a refusal: another NSM was here first.
const reasonConflict = "Conflict"

// refusal says why an NSM is not acted on; empty when it is.
type refusal struct {
	reason, message string
}

// workload is what was seen of one component's Deployment or DaemonSet.
type workload struct {
	role       mesh.Role
	kind, name string
	namespace  string
	desired    int32
	updated    int32
	ready      int32
	// rolledOut: every pod that should run is there and of the current definition.
	rolledOut bool
	// changing: there are pods of an older definition, or the newest definition
	// has not been acted on. A pod that is missing is no change.
	changing bool
	// exists: the workload itself was seen.
	exists bool
	// version is the NSM release of its definition.
	version string
	// blockedBy names somebody else's object that keeps it from being written.
	blockedBy string
	// held: it goes to the mesh's release after others.
	held bool
	// unregistered: it is the admission webhook, and the API server has not been
	// told to ask its pods of this release; uninjected: nor any other of its pods.
	unregistered, uninjected bool
	// shutsOut: while none of its pods answers, the API server refuses what asks for
	// NSM; letsIn: it lets that in without a client.
	shutsOut, letsIn bool
	// registersItself: it is an admission webhook whose pods tell the API server
	// themselves.
	registersItself bool
	// unlisted: pods of it are ready, and the registry has no live endpoint for them.
	unlisted bool
	// endpoints are the live ones that may be of its pods, where those register.
	endpoints []string
	// registers: its pods register themselves.
	registers bool
	// unserved: the cluster does not know the kind that they register in.
	unserved bool
	// seenAt is the resource version of what was seen.
	seenAt string
	// refused tells why new pods of it are not created, where the workload itself
	// does.
	refused string
	// definition tells one definition of it from the next.
	definition string
	// templateGeneration is that of a DaemonSet's pods, "" for none; images are
	// those of its containers.
	templateGeneration string
	images             map[string]string
	// causes tell why it is not ready, where that has been found out.
	causes []cause
	// unseen is what could not be looked up, and why.
	unseen []string
}

func (w workload) isReady() bool {
	return w.exists && w.blockedBy == "" && w.rolledOut && !w.unregistered && w.desired > 0 && w.ready >= w.desired
}

func (w workload) fullName() string {
	return fmt.Sprintf("%s %s/%s", w.kind, w.namespace, w.name)
}

// message tells a person what the workload waits for, without a number in it
// that moves, and what follows from it for others; "" when it is ready.
func (w workload) message() string {
	message := w.waitsFor()
	switch {
	case message == "":
	case w.uninjected || w.letsIn && w.ready == 0:
		message += "; meanwhile pods are created without a client of NSM"
	case w.shutsOut && w.ready == 0:
		message += "; meanwhile what asks for NSM, by the annotation " + mesh.ClientAnnotation + ", is refused in all other namespaces: " +
			"spec.admissionWebhook.failurePolicy: Ignore lets it in, without a client of NSM"
	}
	if message != "" && len(w.unseen) > 0 {
		message += "; this could not be looked up: " + strings.Join(w.unseen, ", ")
	}
	return message
}

// waitsFor tells what the workload waits for; "" when it is ready.
func (w workload) waitsFor() string {
	name := w.fullName()
	switch {
	case w.isReady():
		return ""
	case w.blockedBy != "":
		return name + " is not changed while " + w.blockedBy + " is in the way"
	case !w.exists:
		return name + " has not been created yet"
	case w.unserved:
		return name + ": nobody can register: install the CustomResourceDefinition networkserviceendpoints.networkservicemesh.io, which comes with the operator"
	case len(w.causes) > 0:
		var causes []string
		for _, cause := range w.causes {
			causes = append(causes, cause.String())
		}
		return name + ": " + strings.Join(causes, "; ")
	case w.changing:
		return name + " is rolling out"
	case w.desired == 0 && w.kind == "DaemonSet":
		return name + " has no node to run on: no node matches its node selector, affinity and tolerations"
	case w.desired == 0:
		return name + " is scaled to zero"
	case w.ready >= w.desired && w.unregistered && w.registersItself:
		return name + fmt.Sprintf(" has pods that are ready and have not registered themselves with the API server: kubectl rollout restart -n %s deployment/%s",
			w.namespace, w.name)
	case w.ready >= w.desired && w.unregistered:
		return name + " is up; the API server does not call it yet"
	case w.unlisted:
		return name + " has pods without a live NetworkServiceEndpoint in the registry, so nobody finds them"
	default:
		return name + " has pods that are not ready"
	}
}

// statusMessage is message, or why the workload is not of the mesh's release yet.
func (w workload) statusMessage(target string) string {
	if message := w.message(); message != "" || !w.held || w.version == target {
		return message
	}
	return "changes to " + target + " when the workloads before it are ready"
}

// observe looks, in the cache, at the workloads of the components.
func (r *NSMReconciler) observe(ctx context.Context, plan plan) (*observation, error) {
	seen := &observation{release: plan.input.Release}
	for _, component := range plan.components {
		observed, err := r.observeWorkload(ctx, plan.input.NSM, component)
		if err != nil {
			return nil, err
		}
		seen.workloads = append(seen.workloads, observed)
	}
	return seen, nil
}

func (r *NSMReconciler) observeWorkload(ctx context.Context, nsm *nsmv1beta1.NSM, component mesh.Component) (workload, error) {
	observed := workload{
		role:      component.Role,
		kind:      component.Workload.GetObjectKind().GroupVersionKind().Kind,
		namespace: component.Workload.GetNamespace(),
		name:      component.Workload.GetName(),
	}
	key := client.ObjectKeyFromObject(component.Workload)
	switch component.Workload.(type) {
	case *appsv1.DaemonSet:
		live := &appsv1.DaemonSet{}
		if err := r.client.Get(ctx, key, live); err != nil {
			return observed, client.IgnoreNotFound(err)
		}
		observed.seeDaemonSet(live)
	case *appsv1.Deployment:
		live := &appsv1.Deployment{}
		if err := r.client.Get(ctx, key, live); err != nil {
			return observed, client.IgnoreNotFound(err)
		}
		observed.seeDeployment(live)
	}
	observed.registersItself = component.RegistersItself
	if observed.registers = component.Registers; observed.registers {
		r.seeRegistration(ctx, client.ObjectKeyFromObject(nsm), nsm.Status, &observed)
	}
	return observed, nil
}

// see what workloads of both kinds have.
func (w *workload) see(live client.Object, template *corev1.PodTemplateSpec) {
	w.exists, w.version, w.seenAt = true, live.GetLabels()[mesh.LabelVersion], live.GetResourceVersion()
	w.definition = fmt.Sprintf("%s/%d", live.GetUID(), live.GetGeneration())
	w.images = map[string]string{}
	for _, container := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		w.images[container.Name] = container.Image
	}
}

func (w *workload) seeDaemonSet(live *appsv1.DaemonSet) {
	status := live.Status
	w.see(live, &live.Spec.Template)
	w.templateGeneration = live.Annotations[appsv1.DeprecatedTemplateGeneration]
	w.desired, w.updated, w.ready = status.DesiredNumberScheduled, status.UpdatedNumberScheduled, status.NumberReady
	w.changing = status.ObservedGeneration < live.Generation || w.updated < status.CurrentNumberScheduled
	w.rolledOut = !w.changing && w.updated >= w.desired
}

func (w *workload) seeDeployment(live *appsv1.Deployment) {
	status := live.Status
	w.see(live, &live.Spec.Template)
	w.desired, w.updated, w.ready = ptr.Deref(live.Spec.Replicas, 1), status.UpdatedReplicas, status.ReadyReplicas
	for _, condition := range status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue ||
			condition.Type == appsv1.DeploymentProgressing && condition.Reason == "ReplicaSetCreateError" {
			w.refused = condition.Message
		}
	}
	w.changing = status.ObservedGeneration < live.Generation || w.updated < status.Replicas
	w.rolledOut = !w.changing && w.updated >= w.desired
}

// concerns are the conditions that each tell about one role.
var concerns = []struct {
	condition string
	role      mesh.Role
}{
	{nsmv1beta1.ConditionRegistryReady, mesh.RoleRegistry},
	{nsmv1beta1.ConditionManagersReady, mesh.RoleManager},
	{nsmv1beta1.ConditionForwardersReady, mesh.RoleForwarder},
	{nsmv1beta1.ConditionAdmissionWebhookReady, mesh.RoleWebhook},
	{nsmv1beta1.ConditionInterdomainReady, mesh.RoleInterdomain},
}

// report writes what was seen, or the error, into the status, when it differs.
func (r *NSMReconciler) report(ctx context.Context, nsm *nsmv1beta1.NSM, seen *observation, failure error) error {
	return r.reportStatus(ctx, nsm, statusOf(nsm, seen, failure), failure)
}

// reportDeletion reports why the mesh of an NSM that is being deleted could not be
// removed, or that what was reported is over while the NSM still waits.
func (r *NSMReconciler) reportDeletion(ctx context.Context, nsm *nsmv1beta1.NSM, waits bool, failure error) error {
	wrong := degradation(&nsm.Status)
	if !waits || failure == nil && (wrong == nil || wrong.Reason != reasonDeletionFailed) {
		return failure
	}
	return r.reportStatus(ctx, nsm, deletionStatusOf(nsm, failure), failure)
}

// reportStatus writes a status when it differs from what the NSM has. That somebody
// else wrote at the same moment is not worth a word: the next pass comes at once.
// Only when that does not end is it reported.
func (r *NSMReconciler) reportStatus(ctx context.Context, nsm *nsmv1beta1.NSM, status nsmv1beta1.NSMStatus, failure error) error {
	if r.races.isRace(client.ObjectKeyFromObject(nsm), failure) {
		return failure
	}
	before := nsm.DeepCopy()
	nsm.Status = status
	if equality.Semantic.DeepEqual(before.Status, nsm.Status) {
		return failure
	}
	ctx, cancel := timeToReport(ctx)
	defer cancel()
	if err := r.client.Status().Patch(ctx, nsm, client.MergeFrom(before)); err != nil {
		return errors.Join(failure, client.IgnoreNotFound(err))
	}
	r.tellAvailability(before, nsm)
	r.tellDegradation(before, nsm)
	return failure
}

// timeToReport is a pass' own time, or a little more where that has run out: what
// took so long has to be told.
func timeToReport(ctx context.Context) (context.Context, context.CancelFunc) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	}
	return ctx, func() {}
}

// tellAvailability tells, as an event, that a mesh came up or went down.
func (r *NSMReconciler) tellAvailability(before, after *nsmv1beta1.NSM) {
	was := meta.IsStatusConditionTrue(before.Status.Conditions, nsmv1beta1.ConditionAvailable)
	available := meta.FindStatusCondition(after.Status.Conditions, nsmv1beta1.ConditionAvailable)
	switch {
	case !was && available.Status == metav1.ConditionTrue:
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, "Available", "Observe", "%s", available.Message)
	case was && available.Status != metav1.ConditionTrue:
		r.recorder.Eventf(after, nil, corev1.EventTypeWarning, "Unavailable", "Observe", "%s", limit(available.Message))
	}
}

// tellDegradation tells, as an event, that something went wrong, or something
// else did, or that nothing is wrong any more.
func (r *NSMReconciler) tellDegradation(before, after *nsmv1beta1.NSM) {
	was := degradation(&before.Status)
	is := degradation(&after.Status)
	switch {
	case is != nil && (was == nil || was.Reason != is.Reason):
		r.recorder.Eventf(after, nil, corev1.EventTypeWarning, is.Reason, "Observe", "%s", limit(is.Message))
	case is == nil && was != nil:
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, "Recovered", "Observe", "%s is over", was.Reason)
	}
}

// degradation is what Degraded says is wrong; nil for nothing.
func degradation(status *nsmv1beta1.NSMStatus) *metav1.Condition {
	degraded := meta.FindStatusCondition(status.Conditions, nsmv1beta1.ConditionDegraded)
	if degraded == nil || degraded.Status != metav1.ConditionTrue {
		return nil
	}
	return degraded
}

// statusOf derives the new status from the old one and what was seen. It is
// pure but for the transition times of conditions.
func statusOf(nsm *nsmv1beta1.NSM, seen *observation, failure error) nsmv1beta1.NSMStatus {
	s := status{NSMStatus: *nsm.Status.DeepCopy(), generation: nsm.Generation}
	s.begin()
	switch {
	case failure != nil:
		s.setFailed(failureMessage(failure), seen)
	case seen.refusal.reason != "":
		s.setRefused(seen.refusal)
	default:
		s.setSeen(seen)
	}
	s.setStalled()
	s.setReady()
	return s.NSMStatus
}

// reasonDeletionFailed of the condition Degraded: the mesh of an NSM that is being
// deleted could not be removed.
const reasonDeletionFailed = "DeletionFailed"

// deletionStatusOf tells, of an NSM that is being deleted, what keeps its mesh from
// being removed; without an error, that what kept it is over.
func deletionStatusOf(nsm *nsmv1beta1.NSM, failure error) nsmv1beta1.NSMStatus {
	s := status{NSMStatus: *nsm.Status.DeepCopy(), generation: nsm.Generation}
	s.ObservedGeneration = s.generation
	if failure == nil {
		s.set(nsmv1beta1.ConditionProgressing, true, "Deleting", "waiting for the objects of the mesh to go")
		s.set(nsmv1beta1.ConditionDegraded, false, "AsExpected", "nothing is known to be wrong")
		return s.NSMStatus
	}
	s.set(nsmv1beta1.ConditionProgressing, true, "Retrying", retrying)
	s.set(nsmv1beta1.ConditionDegraded, true, reasonDeletionFailed, "the NSM cannot be deleted yet: "+failureMessage(failure))
	return s.NSMStatus
}

// retrying is what Progressing says after a failure.
const retrying = "the operator tries again, with growing pauses of a minute at most"

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
		Type: conditionType, Status: conditionStatus, Reason: reason, Message: limit(message),
		ObservedGeneration: s.generation,
	})
}

// setFailed reports that the last pass could not write all it wanted to. What
// was available stays so as long as nothing is seen to be down.
func (s *status) setFailed(message string, seen *observation) {
	waits := ""
	if seen != nil {
		s.setParts(seen)
		waits = seen.summary()
	}
	if waits != "" {
		s.set(nsmv1beta1.ConditionAvailable, false, "NotReady", waits)
	} else if !meta.IsStatusConditionTrue(s.Conditions, nsmv1beta1.ConditionAvailable) {
		s.set(nsmv1beta1.ConditionAvailable, false, "ApplyFailed", message)
	}
	s.set(nsmv1beta1.ConditionProgressing, true, "Retrying", retrying)
	// That a release was taken back is remembered here and nowhere else.
	if !reportsRollback(&s.NSMStatus, s.generation) {
		s.set(nsmv1beta1.ConditionDegraded, true, "ApplyFailed", message)
	}
}

// setRefused reports an NSM that is not acted on.
func (s *status) setRefused(why refusal) {
	s.refused = true
	s.set(nsmv1beta1.ConditionAvailable, false, why.reason, why.message)
	s.set(nsmv1beta1.ConditionProgressing, false, why.reason, "the operator does nothing until that is fixed")
	s.set(nsmv1beta1.ConditionDegraded, true, why.reason, why.message)
}

// setSeen reports the workloads. A mesh that was all there and whose pods went,
// as in a node's reboot, is not progressing: nobody changes it.
func (s *status) setSeen(seen *observation) {
	s.overdue = seen.overdue != ""
	s.setParts(seen)
	message := seen.summary()
	switch {
	case message == "":
		s.Version = seen.release.String()
		s.set(nsmv1beta1.ConditionAvailable, true, "Ready", "NSM "+s.Version+" is ready"+seen.release.Caveat())
		s.set(nsmv1beta1.ConditionProgressing, false, "Done", "nothing is left to do")
	case s.wasProgressing || seen.isChanging():
		s.set(nsmv1beta1.ConditionAvailable, false, "NotReady", message)
		s.set(nsmv1beta1.ConditionProgressing, true, "RollingOut", "waiting for "+strings.Join(seen.waitingFor(), ", "))
	default:
		s.set(nsmv1beta1.ConditionAvailable, false, "NotReady", message)
		s.set(nsmv1beta1.ConditionProgressing, false, "Done", "nothing is left to do")
	}
	s.setDegraded(seen)
}

// setDegraded reports what does not mend by itself.
func (s *status) setDegraded(seen *observation) {
	switch {
	case seen.rollBack:
		s.set(nsmv1beta1.ConditionDegraded, true, reasonRolledBack, "NSM "+seen.release.String()+" has not come up "+seen.overdue+
			"; NSM "+s.Version+" runs again until the spec changes")
	case seen.rolledBack:
		// It stays as it was told.
	case len(seen.notOurs) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, reasonNotOurs, seen.notOursMessage())
	case len(seen.callers) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, reasonForeignWebhook, seen.callersMessage())
	case seen.overdue != "":
		s.set(nsmv1beta1.ConditionDegraded, true, reasonOverdue, "the mesh has not come up "+seen.overdue)
	case seen.refusedPods != "":
		s.set(nsmv1beta1.ConditionDegraded, true, "PodSecurity", seen.refusedPods)
	case len(seen.refusedByClients) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, "ApplyFailed", strings.Join(seen.refusedByClients, "; "))
	case len(seen.contested) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, "Contested", "somebody else keeps changing "+strings.Join(seen.contested, ", ")+
			"; the operator puts it back with growing pauses: metadata.managedFields tells who else writes it")
	case len(seen.unknown) > 0:
		s.set(nsmv1beta1.ConditionDegraded, true, "UnknownFields", "these fields have no effect: "+strings.Join(seen.unknown, ", ")+"; remove them")
	default:
		s.set(nsmv1beta1.ConditionDegraded, false, "AsExpected", "nothing is known to be wrong")
	}
}

// setStalled reports that no waiting helps: nothing is done, or all that could be
// was, and in vain. What the operator tries again by itself never counts.
func (s *status) setStalled() {
	wrong := degradation(&s.NSMStatus)
	if wrong != nil && (s.refused || s.overdue || wrong.Reason == reasonRolledBack) {
		s.set(nsmv1beta1.ConditionStalled, true, wrong.Reason, wrong.Message)
		return
	}
	s.set(nsmv1beta1.ConditionStalled, false, "AsExpected", "the operator goes on by itself")
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
		s.set(nsmv1beta1.ConditionReady, true, "RolledOut", "the mesh has come up as the spec describes it")
	case available.Status == metav1.ConditionTrue:
		// This generation could not be written, or a part of it that no workload needs.
		wrong := degradation(&s.NSMStatus)
		s.set(nsmv1beta1.ConditionReady, false, wrong.Reason, wrong.Message)
	case ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == s.generation &&
		meta.IsStatusConditionFalse(s.Conditions, nsmv1beta1.ConditionProgressing):
		// It stays as it is.
	default:
		s.set(nsmv1beta1.ConditionReady, false, available.Reason, available.Message)
	}
}

// setParts reports the workloads one by one.
func (s *status) setParts(seen *observation) {
	s.inTheWay = len(seen.notOurs) > 0
	s.Components = seen.components()
	s.Managers = seen.count(mesh.RoleManager)
	s.Forwarders = seen.count(mesh.RoleForwarder)
	if seen.spire.Type != "" {
		condition := seen.spire
		condition.ObservedGeneration = s.generation
		meta.SetStatusCondition(&s.Conditions, condition)
	}
	for _, concern := range concerns {
		if !seen.has(concern.role) {
			meta.RemoveStatusCondition(&s.Conditions, concern.condition)
			continue
		}
		if message := seen.messageOf(concern.role); message != "" {
			s.set(concern.condition, false, "NotReady", message)
			continue
		}
		s.set(concern.condition, true, "Ready", "ready: "+seen.namesOf(concern.role))
	}
}

// failureMessage is the text of an error without what moves in it: the lines of
// a joined error in their order, each once.
func failureMessage(failure error) string {
	return strings.ReplaceAll(failure.Error(), "\n", "; ")
}

func (o *observation) isChanging() bool {
	return slices.ContainsFunc(o.workloads, func(w workload) bool { return !w.exists || w.changing })
}

// problem is what one part of the mesh waits for.
type problem struct {
	role          mesh.Role
	name, message string
}

// problems lists what the parts of a role, or of all with "", wait for.
func (o *observation) problems(role mesh.Role) []problem {
	var problems []problem
	for _, missingRole := range slices.Sorted(maps.Keys(o.missing)) {
		problems = append(problems, problem{missingRole, string(missingRole), o.missing[missingRole]})
	}
	for _, w := range o.workloads {
		if message := w.message(); message != "" {
			problems = append(problems, problem{w.role, w.fullName(), message})
		}
	}
	return slices.DeleteFunc(problems, func(p problem) bool { return role != "" && role != p.role })
}

// messageOf joins what the parts of a role wait for; "" when all are ready.
func (o *observation) messageOf(role mesh.Role) string {
	var messages []string
	for _, problem := range o.problems(role) {
		messages = append(messages, problem.message)
	}
	return strings.Join(messages, "; ")
}

// summary tells what the first part that is not ready waits for, and names the
// others: the conditions of their own tell about those.
func (o *observation) summary() string {
	problems := o.problems("")
	if len(problems) == 0 {
		return ""
	}
	summary := problems[0].message
	if len(problems) > 1 {
		summary += "; not ready either: " + strings.Join(o.waitingFor()[1:], ", ")
	}
	return summary
}

// waitingFor names the parts that are not ready.
func (o *observation) waitingFor() []string {
	var names []string
	for _, problem := range o.problems("") {
		names = append(names, problem.name)
	}
	return names
}

func (o *observation) has(role mesh.Role) bool {
	return slices.ContainsFunc(o.workloads, func(w workload) bool { return w.role == role })
}

func (o *observation) namesOf(role mesh.Role) string {
	var names []string
	for _, w := range o.workloads {
		if w.role == role {
			names = append(names, w.fullName())
		}
	}
	return strings.Join(names, ", ")
}

// count is "ready/desired" over the workloads of a role.
func (o *observation) count(role mesh.Role) string {
	var ready, desired int32
	for _, w := range o.workloads {
		if w.role == role {
			ready += w.ready
			desired += w.desired
		}
	}
	return fmt.Sprintf("%d/%d", ready, desired)
}

func (o *observation) components() []nsmv1beta1.ComponentStatus {
	components := make([]nsmv1beta1.ComponentStatus, 0, len(o.workloads))
	for _, w := range o.workloads {
		components = append(components, nsmv1beta1.ComponentStatus{
			Name: w.name, Kind: w.kind, Version: w.version,
			Desired: ptr.To(w.desired), Updated: ptr.To(w.updated), Ready: ptr.To(w.ready),
			Message: w.statusMessage(o.release.String()),
		})
	}
	return components
}
