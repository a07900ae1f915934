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

// next is what happens next with a mesh.
func (r *NSMReconciler) next(ctx context.Context, d *desired) (rollout.Plan, error) {
	nsm := d.input.NSM
	in := rollout.Input{
		NSM: nsm, Target: d.input.Release.String(), Platform: d.input.Platform,
		Components: d.components, Objects: d.objects, Constrained: d.constrained,
		HasCertificate: len(d.input.WebhookCertificate.CertificateChain) > 0,
		Available:      d.available, IsRolledBack: d.isRolledBack,
		Seen: rollout.Seen{
			HasFinalizer: controllerutil.ContainsFinalizer(nsm, Finalizer), Orphans: d.orphans, Blocked: map[string]bool{},
			SetsLabels: d.podSecurity.allowed && d.podSecurity.found != nil,
		},
	}
	for _, component := range d.components {
		in.Blocked[component.Workload.GetName()] = d.survey.Leaves(component.Workload)
	}
	if err := r.observeRunning(ctx, &in); err != nil {
		return nil, err
	}
	r.observeDriver(ctx, d, &in)
	var err error
	if in.GoneRegistrations, err = r.goneRegistrations(ctx, d); err != nil {
		return nil, err
	}
	told, err := r.webhookConfiguration(ctx, nsm)
	if err != nil {
		return nil, err
	}
	in.IsWebhookCalled = told != nil
	if in.MayHaveEntries, err = r.hasEntriesRole(ctx, nsm); err != nil {
		return nil, err
	}
	if in.Record, err = mesh.Record(d.input); err != nil {
		return nil, err
	}
	if d.isRolledBack {
		if in.TakenBack, err = mesh.RecordTakenBack(d.input, d.available); err != nil {
			return nil, err
		}
	}
	if in.Begins() {
		if in.NotReady, err = r.notReady(ctx, *d); err != nil {
			return nil, err
		}
		in.NotReady = cmp.Or(in.NotReady, r.spireNotReady(ctx, d))
	}
	d.isStaged, d.notBegun = in.IsStaged(), in.Preflight()
	if d.notBegun == "" {
		if err := r.pulls.observe(ctx, d, &in); err != nil {
			return nil, err
		}
	}
	if err := r.observeTurns(ctx, d, &in); err != nil {
		return nil, err
	}
	if in.Begins() && d.notBegun == "" && len(d.pulls) == 0 {
		r.recordRisks(nsm, in.WasUp(), d.input.Release)
	}
	return rollout.Next(in), nil
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

// observeRunning looks at the mesh's own workloads.
func (r *NSMReconciler) observeRunning(ctx context.Context, in *rollout.Input) error {
	workloads, err := r.applier.Own(ctx, in.NSM, &appsv1.Deployment{}, &appsv1.DaemonSet{})
	if err != nil {
		return err
	}
	in.Avoided, in.Current = map[string][]string{}, map[string]bool{}
	for _, workload := range workloads {
		if mesh.IsImagePull(workload) {
			in.Avoided[workload.GetName()] = mesh.AvoidedNodes(workload)
			continue
		}
		in.Workloads = append(in.Workloads, workload)
	}
	for _, component := range in.Components {
		live, err := r.applier.Cached(ctx, component.Workload)
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		intent, _, err := r.applier.Wanted(component.Workload, live)
		if err != nil {
			return err
		}
		in.Current[component.Workload.GetName()] = mesh.IsWrittenFrom(live, intent)
	}
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
