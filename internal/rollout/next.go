// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Input is what the next steps with a mesh follow from.
type Input struct {
	// NSM as it should be, with the status that was reported last.
	NSM *nsmv1beta1.NSM
	// Target is the release that the mesh should run.
	Target string
	// Platform that it runs on.
	Platform mesh.Platform
	// Components of the mesh, in the order in which they change to another release.
	Components []mesh.Component
	// Objects are all of the mesh, those of the components included.
	Objects []mesh.Object
	// Constrained: OpenShift refuses pods until it has their SCCs, and who may use
	// them.
	Constrained bool
	// HasCertificate: the admission webhook serves a certificate of the operator's.
	HasCertificate bool
	// Record keeps the spec, once it is up, to go back to.
	Record mesh.Object
	// Available is the record as it is, of the spec that was available last; nil for none.
	Available mesh.Object
	// IsRolledBack: the NSM is as it was before a change that did not come up.
	IsRolledBack bool
	// TakenBack notes that, so that a status that is lost does not begin the change again;
	// nil where there is nothing to note it in.
	TakenBack mesh.Object
	Seen
}

// Seen is what was observed before.
type Seen struct {
	// HasFinalizer: the NSM has the operator's.
	HasFinalizer bool
	// Workloads are the mesh's own Deployments and DaemonSets, wanted or not.
	Workloads []mesh.Object
	// Blocked tells, by name, the workloads that are left alone, since somebody else's
	// object is in the way.
	Blocked map[string]bool
	// Orphans are what an earlier operator, or NSM's own manifests, have made.
	Orphans []mesh.Object
	// IsWebhookCalled: the operator has told the API server to call the webhook.
	IsWebhookCalled bool
	// SetsLabels: an admin has the operator look after the namespace's labels.
	SetsLabels bool
	// NotReady tells why the mesh is not healthy as it is, before a change of release;
	// "" where it is.
	NotReady string
	// MayHaveEntries: a registry has kept entries in the API, or may have.
	MayHaveEntries bool
	// Current tells, by name, the workloads that were written last from what is wanted.
	Current map[string]bool
	// Pulled tells, by the name of a workload, that its new images are where they should
	// be, as Pulls asks.
	Pulled map[string]bool
	// DriverInUse: pods mount volumes of a CSI driver of the mesh that is not wanted any
	// more; without it they could never go.
	DriverInUse bool
	// GoneRegistrations are what pods of the admission webhook have registered that have
	// gone.
	GoneRegistrations []mesh.Object
	// Avoided are nodes that are down, or were, and are not to pull images, by the name of the
	// Deployment that has a node pull them.
	Avoided map[string][]string
	// Turns tell, by the name of a workload that the operator rolls node by node, which
	// pods come next.
	Turns map[string]Turn
}

// Next is what happens next with a mesh.
func Next(in Input) Plan {
	return slices.Concat(StaleRegistrationsPlan(in.GoneRegistrations), in.note(), in.changes())
}

// note notes that the spec was tried and taken back.
func (in Input) note() Plan {
	if in.TakenBack == nil {
		return nil
	}
	return Plan{{Name: "note that the spec was tried and taken back", Parts: []Part{{Objects: []mesh.Object{in.TakenBack}}}, OnFailure: GoOn}}
}

// StaleRegistrationsPlan deletes the webhook configurations of admission webhook pods that
// no longer exist, whatever else happens: they would block the creation of pods in the whole
// cluster.
func StaleRegistrationsPlan(gone []mesh.Object) Plan {
	if len(gone) == 0 {
		return nil
	}
	return Plan{{Name: "what pods of the admission webhook that have gone have registered", OnFailure: ReportApart, Delete: Deletion{Others: gone}}}
}

// changes are what happens with the mesh itself.
func (in Input) changes() Plan {
	if problem := in.Preflight(); problem != "" {
		// What rolls already goes on: the change waits for it.
		return append(in.nodeByNode(), Wave{Name: "the change to " + in.Target, Gate: Gate{Preflight: problem}, Parts: []Part{{Objects: in.Objects}}})
	}
	pulls := in.Pulls()
	if slices.ContainsFunc(pulls, func(pull Pull) bool { return !in.Pulled[pull.Name()] }) {
		return in.pullsFirst(pulls)
	}
	plan := append(in.pulled(pulls), in.prerequisites()...)
	switch {
	case in.IsStaged():
		plan = append(plan, in.stages()...)
	case in.Constrained:
		plan = append(plan,
			Wave{Name: "roles, SCCs and all else that makes no pods", Parts: in.parts(in.without(in.isWorkload, in.isOfClients), true)},
			Wave{Name: "workloads", Parts: in.parts(in.only(in.isWorkload), true)})
	default:
		plan = append(plan, Wave{Name: "the whole mesh", Parts: in.parts(in.without(in.isOfClients), in.HasFinalizer)})
	}
	return slices.Concat(plan, in.nodeByNode(), in.cleanup())
}

// IsStaged reports whether the workloads change one after the other: something of
// another release runs, or has been made by somebody else. What runs is read from the
// workloads, since a status can be lost. A fresh mesh, which serves nobody yet, comes
// up in one wave.
func (in Input) IsStaged() bool {
	wasUp := in.NSM.Status.Version
	isOther := func(workload mesh.Object) bool {
		return workload.GetLabels()[mesh.LabelVersion] != in.Target && (wasUp != "" || hasReadyPods(workload))
	}
	isUnfinished := wasUp != "" && wasUp != in.Target && len(in.Workloads) > 0
	return len(in.Orphans) > 0 || isUnfinished || slices.ContainsFunc(in.Workloads, isOther)
}

func hasReadyPods(workload mesh.Object) bool {
	switch live := workload.(type) {
	case *appsv1.DaemonSet:
		return live.Status.NumberReady > 0
	case *appsv1.Deployment:
		return live.Status.ReadyReplicas > 0
	default:
		return false
	}
}

// prerequisites come before the mesh's objects.
func (in Input) prerequisites() Plan {
	var plan Plan
	if in.Platform.OpenShift {
		// Before the policy that limits their pods looks elsewhere.
		plan = append(plan, Wave{
			Name: "revoke the client SCC in namespaces that are not selected any more", OnFailure: LogOnly,
			Delete: Deletion{Kinds: []mesh.Object{&rbacv1.RoleBinding{}}, Labels: mesh.ClientLabels(in.NSM), Keep: in.Objects},
		})
	}
	if in.SetsLabels {
		plan = append(plan, Wave{Name: "Pod Security", Namespace: SetLabels, OnFailure: GoOn})
	}
	if !in.HasCertificate {
		return plan
	}
	// A pod may serve a certificate once the API server trusts it, where that calls the
	// webhook already, and the Secret holds it.
	trust := Gate{}
	if in.IsWebhookCalled {
		trust.Written = in.only(isWebhookConfiguration)
		plan = append(plan, Wave{Name: "trust the admission webhook's certificate", Parts: []Part{{Objects: trust.Written}}, OnFailure: GoOn})
	}
	return append(plan, Wave{
		Name: "the admission webhook's certificate", Gate: trust, Parts: []Part{{Objects: in.only(isSecret)}}, OnFailure: GoOn,
	})
}

// parts are objects that are written at the same time. What no owner reference
// removes waits for the finalizer, and nothing else does; the admission webhook waits
// for its certificate, and nothing else does.
func (in Input) parts(objects []mesh.Object, together bool) []Part {
	var parts []Part
	add := func(gate Gate, finalizer bool, some []mesh.Object) {
		if len(some) > 0 {
			parts = append(parts, Part{Gate: gate, Finalizer: finalizer, Objects: some})
		}
	}
	rest := only(objects, func(o mesh.Object) bool { return !in.needsCertificate(o) })
	if together {
		add(Gate{}, !in.HasFinalizer, rest)
	} else {
		add(Gate{}, false, only(rest, isOwned))
		add(Gate{}, true, only(rest, func(o mesh.Object) bool { return !isOwned(o) }))
	}
	add(in.certificate(), !in.HasFinalizer, only(objects, in.needsCertificate))
	return parts
}

// certificate is the gate before the admission webhook.
func (in Input) certificate() Gate {
	if !in.HasCertificate {
		return Gate{}
	}
	return Gate{Written: in.only(isSecret)}
}

// needsCertificate reports whether an object of the admission webhook stays as it is
// until its certificate is in place.
func (in Input) needsCertificate(object mesh.Object) bool {
	return in.HasCertificate && (isSecret(object) || isWebhookConfiguration(object) || in.isWorkload(object) && in.roleOf(object) == mesh.RoleWebhook)
}

// stages change the workloads one after the other, each when those before it are
// ready as they should be now.
func (in Input) stages() Plan {
	plan := Plan{{
		Name:  "roles, identities and all else that makes no pods",
		Parts: in.parts(in.without(in.isWorkload, in.isOfClients, isService), true),
	}}
	var before []mesh.Component
	for _, component := range in.Components {
		if in.Blocked[component.Workload.GetName()] {
			continue // it comes no further, and the others do not depend on that
		}
		gate := Gate{Ready: slices.Clone(before)}
		if component.Role == mesh.RoleWebhook && mesh.MayTakeOver(in.NSM) {
			// Ours would answer them with a certificate that they do not trust.
			plan = append(plan, Wave{Name: "callers of the webhook that is replaced", Gate: gate, Delete: Deletion{Callers: OldCallers}})
		}
		plan = append(plan, Wave{
			Name: fmt.Sprintf("%s %s", mesh.KindOf(component.Workload), component.Workload.GetName()), Gate: gate,
			Parts: in.parts(stageOf(component), true), Service: in.redirect(component),
		})
		before = append(before, component)
	}
	return plan
}

// stageOf returns the workload of a component, and the Services that lead to its pods.
// The Services of an earlier operator select pods by other labels. They must keep
// leading to those pods until the workload's turn comes. The admission webhook needs
// this most: without its pods, no pod could be created.
func stageOf(component mesh.Component) []mesh.Object {
	return append([]mesh.Object{component.Workload}, only(component.Others, isService)...)
}

// redirect has the earlier operator's Service of the registry find the pods that take
// the place of those that it found: managers that run as before look for it by that
// name until their turn comes, however long that takes.
func (in Input) redirect(component mesh.Component) *Redirect {
	registry, isDeployment := component.Workload.(*appsv1.Deployment)
	if component.Role != mesh.RoleRegistry || !isDeployment {
		return nil
	}
	for _, orphan := range in.Orphans {
		if service, isService := orphan.(*corev1.Service); isService && service.Name == mesh.EarlierRegistryService {
			return &Redirect{Service: service, Selector: registry.Spec.Selector.MatchLabels}
		}
	}
	return nil
}

// OldEntries names the wave that deletes what the registry before this one has kept.
const OldEntries = "entries of the registry before this one"

// cleanup comes after the mesh's objects.
func (in Input) cleanup() Plan {
	plan := in.prune()
	if clients := in.only(in.isOfClients); len(clients) > 0 {
		// Last, since what limits it has to be there; none of them stops the mesh.
		plan = append(plan, Wave{
			Name: "grant the client SCC in the selected namespaces", Parts: []Part{{Objects: clients}}, OnFailure: ReportApart, AfterSuccess: true,
		})
	}
	if !in.IsRolledBack {
		plan = append(plan, Wave{Name: "the spec to go back to", Gate: Gate{Up: true}, Parts: []Part{{Objects: []mesh.Object{in.Record}}}, OnFailure: ReportHeld, AfterSuccess: true})
	}
	if left := in.leftByOthers(); len(left.Others) > 0 || left.Callers != "" {
		plan = append(plan, Wave{Name: "what somebody else has made and has no place in the mesh", Gate: Gate{Up: true}, Delete: left, AfterSuccess: true})
	}
	if !mesh.KeepsEntries(&in.NSM.Spec) && in.MayHaveEntries {
		// By now nobody may write entries: the role is bound to nobody. It goes with them.
		plan = append(plan, Wave{
			Name: OldEntries, Gate: Gate{RolledOut: mesh.RoleRegistry}, OnFailure: ReportApart, AfterSuccess: true,
			Delete: Deletion{Entries: true, Kinds: []mesh.Object{&rbacv1.ClusterRole{}}, Labels: mesh.OwnerLabels(in.NSM), Keep: in.Objects},
		})
	}
	return plan
}

// prune deletes what is not wanted any more. With a change of release, forwarders that
// are not wanted any more serve until the others do.
func (in Input) prune() Plan {
	var plan Plan
	if !mesh.WebhookEnabled(&in.NSM.Spec) && in.live(mesh.WebhookName) != nil {
		// Their role goes with the webhook: its pods could not do so themselves.
		plan = append(plan, Wave{Name: "callers of the webhook that goes", Delete: Deletion{Callers: OldCallers}, AfterSuccess: true})
	}
	// As long as it is there, it shows that there may be entries.
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: mesh.EntriesRoleName(in.NSM.Namespace)}}
	all := Deletion{
		Kinds: mesh.KindsOn(in.Platform), Labels: mesh.OwnerLabels(in.NSM),
		Keep: slices.Concat(in.Objects, []mesh.Object{role, in.Record}, in.pullObjects(in.Pulls())),
	}
	if in.DriverInUse {
		all.Keep, all.Spare = append(all.Keep, mesh.CSIDriverNeeds(in.NSM)...), []mesh.Role{mesh.RoleCSI}
	}
	if !in.IsStaged() || !slices.ContainsFunc(in.Workloads, in.isOldForwarder) {
		return append(plan, Wave{Name: "what is not wanted any more", Delete: all, AfterSuccess: true})
	}
	some := all
	some.Spare = append([]mesh.Role{mesh.RoleForwarder, mesh.RoleSCC}, all.Spare...)
	forwarders := slices.DeleteFunc(slices.Clone(in.Components), func(c mesh.Component) bool { return c.Role != mesh.RoleForwarder })
	return append(plan,
		Wave{Name: "what is not wanted any more, but for forwarders", Delete: some, AfterSuccess: true},
		Wave{Name: "forwarders that are not wanted any more", Gate: Gate{Ready: forwarders}, Delete: all, AfterSuccess: true})
}

// GoingDriver is the mesh's CSI driver where that runs and is not wanted any more; nil for
// none.
func (in Input) GoingDriver() mesh.Object {
	driver := DriverIn(in.Workloads)
	if driver == nil || slices.ContainsFunc(in.Components, func(c mesh.Component) bool { return isSame(c.Workload, driver) }) {
		return nil
	}
	return driver
}

// DriverIn is the CSI driver among workloads of a mesh; nil for none, or for one that goes
// already.
func DriverIn(workloads []mesh.Object) mesh.Object {
	for _, workload := range workloads {
		if mesh.IsCSIDriver(workload) && workload.GetDeletionTimestamp() == nil {
			return workload
		}
	}
	return nil
}

// KeepDriver leaves a CSI driver that is not wanted any more as it is: it takes no part in
// what happens to the other workloads.
func (in *Input) KeepDriver(driver mesh.Object) {
	in.DriverInUse = true
	in.Workloads = only(in.Workloads, func(workload mesh.Object) bool { return !isSame(workload, driver) })
}

// isOldForwarder reports whether a workload is a forwarder that is not wanted any more.
func (in Input) isOldForwarder(workload mesh.Object) bool {
	return workload.GetLabels()[mesh.LabelComponent] == string(mesh.RoleForwarder) &&
		!slices.ContainsFunc(in.Components, func(c mesh.Component) bool { return isSame(c.Workload, workload) })
}

// leftByOthers are what an earlier operator, or somebody else, has made for the mesh
// and that it has no place for. What has the name of an object of the mesh is taken
// over when that one is written.
func (in Input) leftByOthers() Deletion {
	left := Deletion{Others: only(in.Orphans, func(orphan mesh.Object) bool {
		return !slices.ContainsFunc(in.Objects, func(o mesh.Object) bool { return isSame(o, orphan) })
	})}
	// What the pods of a webhook that goes have registered would block the creation of
	// pods in the cluster.
	if slices.ContainsFunc(left.Others, isWebhookDeployment) || len(in.Orphans) > 0 && mesh.MayTakeOver(in.NSM) {
		left.Callers = OldCallers
	}
	return left
}

func isWebhookDeployment(object mesh.Object) bool {
	_, isDeployment := object.(*appsv1.Deployment)
	return isDeployment && object.GetName() == mesh.WebhookName
}

// live is the mesh's workload of a name; nil for none.
func (in Input) live(name string) mesh.Object {
	for _, workload := range in.Workloads {
		if workload.GetName() == name {
			return workload
		}
	}
	return nil
}

func (in Input) isWorkload(object mesh.Object) bool {
	return slices.ContainsFunc(in.Components, func(c mesh.Component) bool { return c.Workload == object })
}

func (in Input) roleOf(workload mesh.Object) mesh.Role {
	return mesh.Role(workload.GetLabels()[mesh.LabelComponent])
}

// isOfClients reports whether an object is in a namespace of others, who may refuse
// it for reasons that are not the mesh's.
func (in Input) isOfClients(object mesh.Object) bool {
	return object.GetNamespace() != "" && object.GetNamespace() != in.NSM.Namespace
}

func (in Input) only(is func(mesh.Object) bool) []mesh.Object { return only(in.Objects, is) }

// without are the objects for which nothing holds.
func (in Input) without(conditions ...func(mesh.Object) bool) []mesh.Object {
	return in.only(func(object mesh.Object) bool {
		return !slices.ContainsFunc(conditions, func(is func(mesh.Object) bool) bool { return is(object) })
	})
}

// only are those of the objects for which something holds.
func only(objects []mesh.Object, is func(mesh.Object) bool) []mesh.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(object mesh.Object) bool { return !is(object) })
}

// isOwned reports whether an owner reference removes an object. A binding is left out,
// since the role that it binds must be there before.
func isOwned(object mesh.Object) bool {
	_, isBinding := object.(*rbacv1.RoleBinding)
	return metav1.GetControllerOf(object) != nil && !isBinding
}

func isService(object mesh.Object) bool {
	_, is := object.(*corev1.Service)
	return is
}

func isSecret(object mesh.Object) bool {
	_, is := object.(*corev1.Secret)
	return is
}

func isWebhookConfiguration(object mesh.Object) bool {
	_, is := object.(*admissionregistrationv1.MutatingWebhookConfiguration)
	return is
}

func isSame(one, other mesh.Object) bool {
	return one.GetName() == other.GetName() && one.GetNamespace() == other.GetNamespace() && mesh.KindOf(one) == mesh.KindOf(other)
}
