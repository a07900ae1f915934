// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// next plans what happens next with a mesh, from what it should be and from what is seen
// of what runs.
func (r *NSMReconciler) next(ctx context.Context, d *desired) (rollout.Plan, error) {
	in, err := d.planInput()
	if err != nil {
		return nil, err
	}
	// Each step may need what the ones before it have seen.
	steps := []func(context.Context, *desired, *rollout.Input) error{
		r.observeRunning, r.observeRemains, r.observePreflight, r.pulls.observe, r.observeTurns,
	}
	for _, observe := range steps {
		if err := observe(ctx, d, &in); err != nil {
			return nil, err
		}
	}
	if in.Begins() && d.notBegun == "" && len(d.pulls) == 0 {
		r.recordRisks(in.NSM, in.WasUp(), d.input.Release)
	}
	return rollout.Next(in), nil
}

// planInput is what a plan follows from, but for what is seen of what runs.
func (d *desired) planInput() (rollout.Input, error) {
	in := rollout.Input{
		NSM: d.input.NSM, Target: d.input.Release.String(), Platform: d.input.Platform,
		Components: d.components, Objects: d.objects, Constrained: d.constrained,
		HasCertificate: len(d.input.WebhookCertificate.CertificateChain) > 0,
		Available:      d.available, IsRolledBack: d.isRolledBack,
		Seen: rollout.Seen{
			HasFinalizer: controllerutil.ContainsFinalizer(d.input.NSM, Finalizer), Orphans: d.orphans,
			SetsLabels: d.podSecurity.allowed && d.podSecurity.found != nil,
		},
	}
	var err error
	if in.Record, err = mesh.Record(d.input); err != nil || !d.isRolledBack {
		return in, err
	}
	in.TakenBack, err = mesh.RecordTakenBack(d.input, d.available)
	return in, err
}

// nextAnyway is what happens with a mesh that cannot be rendered: what pods of its
// admission webhook have registered that have gone does not stay.
func (r *NSMReconciler) nextAnyway(ctx context.Context, d *desired) rollout.Plan {
	d.components = mesh.Components(d.input)
	gone, err := r.goneRegistrations(ctx, d)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking at the admission webhook of a mesh that cannot be rendered")
	}
	return rollout.StaleRegistrationsPlan(gone)
}

// observeRunning looks at the mesh's own workloads, at what keeps others from being made, and
// at whether the API server calls the admission webhook.
func (r *NSMReconciler) observeRunning(ctx context.Context, d *desired, in *rollout.Input) error {
	workloads, err := r.applier.Own(ctx, in.NSM, &appsv1.Deployment{}, &appsv1.DaemonSet{})
	if err != nil {
		return err
	}
	in.Avoided, in.Current, in.Blocked = map[string][]string{}, map[string]bool{}, map[string]bool{}
	for _, workload := range workloads {
		if mesh.IsImagePull(workload) {
			in.Avoided[workload.GetName()] = mesh.AvoidedNodes(workload)
			continue
		}
		in.Workloads = append(in.Workloads, workload)
	}
	for _, component := range in.Components {
		in.Blocked[component.Workload.GetName()] = d.survey.Leaves(component.Workload)
		live, err := r.applier.Cached(ctx, component.Workload)
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		intent, _, err := r.applier.Wanted(d.survey, component.Workload, live)
		if err != nil {
			return err
		}
		in.Current[component.Workload.GetName()] = mesh.IsWrittenFrom(live, intent)
	}
	called, err := r.webhookConfiguration(ctx, in.NSM)
	in.IsWebhookCalled = called != nil
	return err
}

// observeRemains looks at what an earlier spec or another release has left, and at what it
// takes to let that go.
func (r *NSMReconciler) observeRemains(ctx context.Context, d *desired, in *rollout.Input) error {
	r.observeDriver(ctx, d, in)
	var err error
	if in.GoneRegistrations, err = r.goneRegistrations(ctx, d); err != nil {
		return err
	}
	in.MayHaveEntries, err = r.hasEntriesRole(ctx, in.NSM)
	return err
}

// observePreflight looks at whether a change of release can begin.
func (r *NSMReconciler) observePreflight(ctx context.Context, d *desired, in *rollout.Input) error {
	if in.Begins() {
		reason, err := r.notReady(ctx, *d)
		if err != nil {
			return err
		}
		in.NotReady = cmp.Or(reason, r.spireNotReady(ctx, d))
	}
	d.isStaged, d.notBegun = in.IsStaged(), in.Preflight()
	return nil
}

// notReady tells why a mesh is not healthy as it is, whatever it should be; "" where
// it is.
func (r *NSMReconciler) notReady(ctx context.Context, d desired) (string, error) {
	for _, component := range d.components {
		w, err := r.observeWorkload(ctx, d, component)
		if err != nil {
			return "", err
		}
		w.Intent, w.HeldBack = "", false
		if message := w.Message(); w.Live != nil && w.BlockedBy == "" && message != "" {
			return message, nil
		}
	}
	return "", nil
}

// recordRisks records, as an event, what is known to go wrong on the way to another
// release, and whether the operator knows that release at all.
func (r *NSMReconciler) recordRisks(nsm *nsmv1beta1.NSM, wasUp string, target release.Release) {
	before, err := release.Parse(wasUp)
	if err != nil {
		return
	}
	risks := release.Warnings(before, target)
	if caveat := target.Caveat(); caveat != "" {
		risks = append(risks, target.String()+caveat)
	}
	if len(risks) == 0 {
		return
	}
	r.recorder.Eventf(nsm, nil, corev1.EventTypeWarning, "RiskyUpgrade", "Plan", "%s",
		health.Shorten(fmt.Sprintf("From %s to %s: %s", before, target, strings.Join(risks, "; ")), health.MostMessage))
}
