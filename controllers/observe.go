// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// observation is what a pass of the loop saw.
type observation struct {
	health.Mesh
	wakeUp
	// webhookCertificate is the admission webhook's, PEM-encoded; nil for none.
	webhookCertificate []byte
	// isIdentityMissing: the ClusterSPIFFEID of the mesh does not exist.
	isIdentityMissing bool
}

// webhook is the admission webhook, nil for none.
func (o *observation) webhook() *health.Workload { return o.Workload(mesh.WebhookName) }

// observe looks at a mesh; held are the workloads, by name, whose turn has not come.
// Where not all could be written, what should have been does not count.
func (r *NSMReconciler) observe(ctx context.Context, d desired, held map[string]bool, isWritten bool) (*observation, error) {
	nsm := d.input.NSM
	seen := &observation{Mesh: health.Mesh{
		Release: d.input.Release, Missing: missingParts(d.input), RolledBack: d.isRolledBack, NotBegun: d.notBegun,
		Pulls: d.pulls, Staged: d.isStaged,
	}, wakeUp: wakeUp{d.renewAt}, webhookCertificate: d.input.WebhookCertificate.CertificateChain}
	seen.wake(d.wakeAt)
	for _, component := range d.components {
		w, err := r.observeWorkload(ctx, d, component)
		if err != nil {
			return nil, err
		}
		w.Held = held[w.Name()]
		w.Now, w.NoManager = d.turns[w.Name()].Now, d.turns[w.Name()].NoManager
		if !isWritten {
			w.Intent, w.HeldBack = "", false
		}
		seen.Workloads = append(seen.Workloads, w)
	}
	if err := r.observeWebhook(ctx, d, seen.webhook()); err != nil {
		return nil, err
	}
	r.callers.observe(ctx, nsm, seen.webhook(), seen)
	r.staleClients.observe(ctx, nsm, seen.webhook(), seen)
	r.diagnoses.observe(ctx, d, seen)
	r.observeIdentities(ctx, d, seen)
	if err := r.observeDomains(ctx, d, seen); err != nil {
		return nil, err
	}
	r.observeKept(ctx, d, seen)
	seen.DriverMounts, seen.FailedApart = d.driverMounts, d.failedApart
	seen.InTheWay = inTheWay(d)
	seen.wake(d.survey.Again())
	seen.UnknownFields = conversion.Unknown(nsm)
	if nsm.Spec.KubeletDirectory == "" && d.input.KubeletsDiffer() && mesh.MountsKubelets(d.components) {
		seen.KubeletDirectories, seen.KubeletDirectory = d.input.Platform.KubeletDirectories, d.input.KubeletDirectory()
	}
	if mesh.UsesNodes(d.components) {
		seen.RefusedPods = r.refusedPods(d.podSecurity)
	}
	contested, again := r.applier.Contested(append(slices.Clone(d.objects), d.podSecurity.object()))
	if seen.Contested = contested; len(contested) > 0 {
		seen.wake(r.now().Add(again))
	}
	return seen, nil
}

// observeKept finds objects of the mesh that were deleted and that somebody keeps. A kind
// that cannot be listed is reported where its objects are deleted.
func (r *NSMReconciler) observeKept(ctx context.Context, d desired, seen *observation) {
	left, err := r.heldOf(ctx, d.input.NSM, mesh.KindsOn(d.input.Platform))
	if err != nil {
		log.FromContext(ctx).V(1).Info("Looking for objects that somebody keeps", "error", err.Error())
	}
	seen.Kept = left.held
	seen.wake(left.wakeAt)
}

// checkDeadline notes what a change has been waiting for longer than it may, or when
// that will be. failure is why not all could be written: that holds a change of release up
// as a pod does that does not come up, if the pass before has failed, too.
func (r *NSMReconciler) checkDeadline(d desired, seen *observation, failure error) {
	end, limit := rollout.Deadline(d.input.NSM, seen.Workloads, d.pulling)
	message := seen.FirstProblem()
	if failure != nil {
		message = ""
		if d.isStaged && d.notBegun == "" && health.IsRetrying(&d.input.NSM.Status) {
			message = health.FailureMessage(failure)
		}
	}
	switch {
	case end.IsZero() || message == "":
	case r.now().Before(end):
		seen.wake(end)
	default:
		seen.Overdue = fmt.Sprintf("within spec.upgrade.progressDeadline, %s: %s", limit, message)
		if d.isRolledBack {
			return
		}
		seen.WayBack = rollout.WayBack(d.input.NSM, d.input.Release.String(), d.available, d.notBegun == "")
		// What has not begun goes on as soon as the mesh is healthy: there is nothing to take back.
		if before := rollout.Before(d.input.NSM, d.available); before != nil && d.isStaged && d.notBegun == "" {
			seen.RollBackTo = before.Version
			seen.wake(r.now())
		}
	}
}

// observeWorkload looks, in the cache, at the workload of a component.
func (r *NSMReconciler) observeWorkload(ctx context.Context, d desired, component mesh.Component) (health.Workload, error) {
	w := health.Workload{Component: component}
	var err error
	if w.Live, err = r.applier.Cached(ctx, component.Workload); err != nil {
		return w, err
	}
	if known, isKnown := r.memories.of(d.input.NSM).diagnoses[w.Name()]; isKnown {
		w.Recall(known.lost)
	}
	switch {
	case w.Live == nil:
		w.Predecessor = predecessorOf(d, component)
	case component.Registers:
		r.observeRegistration(ctx, d, &w)
	}
	if d.survey.Leaves(component.Workload) {
		w.BlockedBy = blockerOf(d, component)
		return w, nil
	}
	w.Intent, w.HeldBack, err = r.applier.Wanted(d.survey, component.Workload, w.Live)
	return w, err
}

// predecessorOf a workload that the mesh does not have is what stands in its place:
// that may run.
func predecessorOf(d desired, component mesh.Component) health.Predecessor {
	before := health.Predecessor{Unknown: d.survey == nil, Found: d.survey.Finds(component.Workload)}
	for _, orphan := range d.orphans {
		if orphan.GetName() == component.Workload.GetName() && mesh.KindOf(orphan) == mesh.KindOf(component.Workload) {
			before.Found, before.Object = true, orphan
		}
	}
	return before
}

// blockerOf a component names what is in its way, or else in that of what it needs.
func blockerOf(d desired, component mesh.Component) string {
	inTheWay := d.survey.NotOurs(mesh.Objects([]mesh.Component{component}))
	if len(inTheWay) == 0 {
		inTheWay = d.survey.NotOurs(d.objects)
	}
	return inTheWay[0].String()
}

// inTheWay of the mesh are objects of somebody else.
func inTheWay(d desired) []health.InTheWay {
	var found []health.InTheWay
	for _, one := range d.survey.NotOurs(d.objects) {
		found = append(found, health.InTheWay{Object: one.String(), Whose: one.Whose})
	}
	return found
}

// missingParts tells what an admin has to install before a part of the mesh
// can run.
func missingParts(in mesh.Input) map[mesh.Role]string {
	if !in.NamesCluster() || in.Platform.ClusterProperties {
		return nil
	}
	return map[mesh.Role]string{
		mesh.RoleInterdomain: "cluster-info cannot run: install the CustomResourceDefinition clusterproperties.about.k8s.io " +
			"(kubernetes-sigs/about-api), in which spec.interdomain.clusterName is kept",
	}
}
