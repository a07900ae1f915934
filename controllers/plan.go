// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/follow"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// plan is what a mesh should be made of, and from what that follows.
type plan struct {
	input      mesh.Input
	components []mesh.Component
	// objects are all, those of the components included.
	objects []client.Object
	// constrained: OpenShift refuses the pods until it has their SCCs, and who may
	// use them.
	constrained bool
	// survey of what stands in the place of the objects.
	survey *apply.Survey
	// orphans are what an earlier operator has made.
	orphans []client.Object
	// renewAt is when the admission webhook's certificate ends; zero for never.
	renewAt time.Time
	// podSecurity of the mesh's namespace.
	podSecurity podSecurity
}

// isStaged tells whether the workloads change one after the other. A fresh
// mesh, which serves nobody yet, comes up in one wave.
func (p plan) isStaged() bool {
	return isStaged(p.input.NSM) || len(p.orphans) > 0
}

// withoutWorkloads are the objects that make no pods, and let no clients in. In
// stages, a Service goes with its workload: before, it would find no pods.
func (p plan) withoutWorkloads() []client.Object {
	workloads := workloadsOf(p.components)
	return slices.DeleteFunc(slices.Clone(p.objects), func(o client.Object) bool {
		return slices.Contains(workloads, o) || p.isOfClients(o) || p.isStaged() && isService(o)
	})
}

// objectsLike are those of the plan's objects that one asks for.
func (p plan) objectsLike(is func(client.Object) bool) []client.Object {
	return slices.DeleteFunc(slices.Clone(p.objects), func(o client.Object) bool { return !is(o) })
}

// withoutWebhook leaves the admission webhook as it is, with its certificate and
// what has it asked.
func (p plan) withoutWebhook() plan {
	isWebhook := func(c mesh.Component) bool { return c.Role == mesh.RoleWebhook }
	webhook := workloadsOf(slices.DeleteFunc(slices.Clone(p.components), func(c mesh.Component) bool { return !isWebhook(c) }))
	p.components = slices.DeleteFunc(slices.Clone(p.components), isWebhook)
	p.objects = p.objectsLike(func(o client.Object) bool {
		return !slices.Contains(webhook, o) && !isWebhookConfiguration(o) && !isSecret(o)
	})
	return p
}

func isService(object client.Object) bool {
	_, isService := object.(*corev1.Service)
	return isService
}

// run plans and applies the mesh and looks at what came of it.
func (r *NSMReconciler) run(ctx context.Context, nsm *nsmv1beta1.NSM) (*observation, error) {
	plan, err := r.plan(ctx, nsm)
	if errors.Is(err, errNamespaceGoes) {
		return nil, err
	}
	if err != nil {
		return r.lookAnyway(ctx, plan), err
	}
	r.shutClientsOut(ctx, plan)
	notLabelled := r.labelNamespace(ctx, plan)
	held, failure := r.write(ctx, plan)
	failure = errors.Join(failure, notLabelled)
	var clientFailure error
	if failure == nil {
		clientFailure = r.letClientsIn(ctx, plan)
	}
	// What is up and what is down is seen also when not all could be written.
	seen, err := r.look(ctx, plan, held)
	if err != nil {
		return nil, errors.Join(failure, err)
	}
	r.seeClients(ctx, seen, clientFailure)
	if failure == nil && seen.summary() == "" {
		failure = r.dropOrphans(ctx, plan)
	}
	return seen, failure
}

// lookAnyway observes what there is of a mesh that could not be planned, as far as
// that is known without a plan.
func (r *NSMReconciler) lookAnyway(ctx context.Context, plan plan) *observation {
	if plan.input.NSM == nil {
		return nil
	}
	plan.components = mesh.Components(plan.input)
	seen, err := r.look(ctx, plan, nil)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking at a mesh that could not be planned")
		return nil
	}
	return seen
}

// plan reads what the mesh depends on and renders it. When it fails, what it
// returns has the input alone, as far as that is known.
func (r *NSMReconciler) plan(ctx context.Context, nsm *nsmv1beta1.NSM) (plan, error) {
	nsmRelease, err := release.Parse(targetOf(nsm))
	if err != nil {
		return plan{}, err
	}
	p := plan{input: mesh.Input{
		NSM: nsm, Release: nsmRelease, Platform: r.platform.now(),
		OperatorNamespace: r.Namespace, RelatedImages: r.RelatedImages,
	}}
	// Early, so that a new mesh waits for all answers at the same time.
	r.follower.Follow(client.ObjectKeyFromObject(nsm), queriesOf(p.input)...)
	failure := r.planObjects(ctx, &p)
	// By now the answer is there, as a rule. Whatever else failed, what goes with its
	// namespace is not planned.
	if err := r.checkNamespace(ctx, nsm); err != nil {
		return p, err
	}
	if failure != nil {
		return p, failure
	}
	p.podSecurity, err = r.podSecurity(ctx, nsm, p.input.Platform)
	return p, err
}

// planObjects renders a mesh, and looks at what stands in its place.
func (r *NSMReconciler) planObjects(ctx context.Context, p *plan) error {
	in := &p.input
	nsm := in.NSM
	var err error
	if p.renewAt, err = r.prepareWebhook(ctx, in); err != nil {
		return err
	}
	if in.ClientNamespaces, err = r.clientNamespaces(ctx, *in); err != nil {
		return err
	}
	if in.FileHashes, err = r.fileHashes(ctx, nsm); err != nil {
		return err
	}
	if p.orphans, err = r.adoption.orphans(ctx, nsm); err != nil {
		return err
	}
	p.components = mesh.Components(*in)
	constraints := mesh.Constraints(*in, p.components)
	p.constrained = len(constraints) > 0
	p.objects = clientObjects(slices.Concat(mesh.Identities(*in), constraints, mesh.Objects(p.components)))
	p.survey, err = r.survey(ctx, *p, clientObjects(constraints))
	return err
}

// survey looks for what stands in the way. Of a component that has something in
// its way nothing is changed: it would run with somebody else's account, keys or
// role. Nor is anything of what OpenShift would judge by somebody else's SCC.
func (r *NSMReconciler) survey(ctx context.Context, plan plan, constraints []client.Object) (*apply.Survey, error) {
	survey, err := r.applier.Survey(ctx, plan.input.NSM, plan.objects)
	if err != nil {
		return nil, err
	}
	isJudged := len(survey.NotOurs(constraints)) == 0
	for _, component := range plan.components {
		objects := clientObjects(mesh.Objects([]mesh.Component{component}))
		if !isJudged || len(survey.NotOurs(objects)) > 0 {
			survey.Leave(objects)
		}
	}
	return survey, nil
}

// queriesOf are all that a mesh asks about objects that are not its own.
func queriesOf(in mesh.Input) []follow.Query {
	namespace := in.NSM.Namespace
	queries := podSecurityQueries(namespace)
	for _, file := range mesh.ConfigFiles(&in.NSM.Spec) {
		queries = append(queries, fileQuery(namespace, file))
	}
	if mesh.Registers(in) {
		queries = append(queries, endpointQuery(namespace))
	}
	return queries
}

// look observes what has become of a plan; held are the workloads that wait.
func (r *NSMReconciler) look(ctx context.Context, plan plan, held []string) (*observation, error) {
	nsm := plan.input.NSM
	seen, err := r.observe(ctx, plan)
	if err != nil {
		return nil, err
	}
	seen.wakeAt = plan.renewAt
	seen.missing = missingParts(plan.input)
	seen.hold(held)
	if err := r.seeWebhook(ctx, plan, seen.webhook()); err != nil {
		return nil, err
	}
	r.seeCallers(ctx, nsm, seen.webhook(), seen)
	r.diagnose(ctx, plan, seen)
	r.seeIdentities(ctx, plan, seen)
	seen.see(plan)
	if again := plan.survey.Again(); !again.IsZero() {
		seen.wake(again)
	}
	r.checkDeadline(nsm, seen)
	seen.unknown = conversion.Unknown(nsm)
	seen.refusedPods = r.refusedPods(plan.podSecurity)
	contested, again := r.applier.Contested(append(slices.Clone(plan.objects), plan.podSecurity.object()))
	if seen.contested = contested; len(contested) > 0 {
		seen.wake(r.now().Add(again))
	}
	return seen, nil
}

// write applies the objects and prunes what else there is of the mesh. It
// returns the names of the workloads that wait for others, in a change of
// release.
func (r *NSMReconciler) write(ctx context.Context, plan plan) ([]string, error) {
	nsm := plan.input.NSM
	ready, notReady := r.prepareCertificate(ctx, plan)
	changes, held, err := r.apply(ctx, ready)
	r.tell(ctx, nsm, changes)
	if err := errors.Join(err, notReady); err != nil {
		return held, err
	}
	if err := r.removeSelfRegistrations(ctx, nsm); err != nil {
		return held, err
	}
	pruned, err := r.applier.Prune(ctx, nsm, kindsOn(plan.input.Platform), mesh.OwnerLabels(nsm), plan.objects)
	r.tell(ctx, nsm, pruned)
	return held, err
}

// apply applies the objects, but for those of clients: all at once; or the
// workloads after all else, where their pods are refused without it; or those one
// after the other, when the release changes.
func (r *NSMReconciler) apply(ctx context.Context, plan plan) ([]apply.Change, []string, error) {
	if !plan.isStaged() && !plan.constrained {
		changes, err := r.applyAtOnce(ctx, plan)
		return changes, nil, err
	}
	if err := r.ensureFinalizer(ctx, plan.input.NSM); err != nil {
		return nil, nil, err
	}
	before, err := r.applier.Apply(ctx, plan.survey, plan.withoutWorkloads())
	if err != nil {
		return before, nil, err
	}
	if !plan.isStaged() {
		changes, err := r.applier.Apply(ctx, plan.survey, workloadsOf(plan.components))
		return append(before, changes...), nil, err
	}
	changes, held, err := r.applyStaged(ctx, plan)
	return append(before, changes...), held, err
}

// applyAtOnce applies all objects in one wave. In the first one, what no owner
// reference removes waits for the finalizer, and nothing else does.
func (r *NSMReconciler) applyAtOnce(ctx context.Context, plan plan) ([]apply.Change, error) {
	if controllerutil.ContainsFinalizer(plan.input.NSM, Finalizer) {
		return r.applier.Apply(ctx, plan.survey, plan.objects)
	}
	var owned, finalized []client.Object
	for _, object := range plan.objects {
		if metav1.GetControllerOf(object) != nil && !isBinding(object) {
			owned = append(owned, object)
		} else {
			finalized = append(finalized, object)
		}
	}
	var (
		group                    errgroup.Group
		ownChanges, finalChanges []apply.Change
		ownFailure, finalFailure error
	)
	group.Go(func() error {
		ownChanges, ownFailure = r.applier.Apply(ctx, plan.survey, owned)
		return nil
	})
	group.Go(func() error {
		if finalFailure = r.ensureFinalizer(ctx, plan.input.NSM); finalFailure == nil {
			finalChanges, finalFailure = r.applier.Apply(ctx, plan.survey, finalized)
		}
		return nil
	})
	_ = group.Wait() // the functions return no errors: they are kept apart
	return append(ownChanges, finalChanges...), errors.Join(ownFailure, finalFailure)
}

// isBinding tells whether an object binds a role, which must be there before.
func isBinding(object client.Object) bool {
	_, isBinding := object.(*rbacv1.RoleBinding)
	return isBinding
}

// tell logs changes, and tells them as events: what was made for the first time
// in one, everything else in one an object.
func (r *NSMReconciler) tell(ctx context.Context, nsm *nsmv1beta1.NSM, changes []apply.Change) {
	var (
		created []string
		// first of what was made: two such events of a pass shall not become one.
		first *metav1.PartialObjectMetadata
	)
	for _, change := range changes {
		log.FromContext(ctx).Info(string(change.Action), "object", change.String())
		switch change.Action {
		case apply.Created:
			created = append(created, change.String())
			if first == nil {
				first = objectOf(change)
			}
			continue
		case apply.Repaired:
			driftRepaired.WithLabelValues(change.Kind).Inc()
		case apply.Updated, apply.Recreated, apply.Pruned:
		}
		r.recorder.Eventf(nsm, objectOf(change), corev1.EventTypeNormal, string(change.Action), "Apply", "%s %s", change.Action, change)
	}
	if len(created) > 0 {
		r.recorder.Eventf(nsm, first, corev1.EventTypeNormal, string(apply.Created), "Apply",
			"%s", limit("Created "+strings.Join(created, ", ")))
	}
}

// objectOf is what an event about a change is related to, so that events about
// two objects do not become one.
func objectOf(change apply.Change) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: change.APIVersion, Kind: change.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: change.Namespace, Name: change.Name},
	}
}
