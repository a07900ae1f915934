// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
)

// desired is what a mesh should be made of, and what was read to know that.
type desired struct {
	input      mesh.Input
	components []mesh.Component
	// objects are all, those of the components included.
	objects []mesh.Object
	// constrained: OpenShift refuses the pods until it has their SCCs, and who may
	// use them.
	constrained bool
	// survey of what stands in the place of the objects; nil where nobody has looked.
	survey *apply.Survey
	// orphans are what an earlier operator has made.
	orphans []mesh.Object
	// renewAt is when the admission webhook's certificate ends; zero for never.
	renewAt time.Time
	// podSecurity of the mesh's namespace.
	podSecurity podSecurity
	// endpoints are the live ones of forwarders, by name, asked for once in a pass: where
	// the API server does not answer, that takes seconds.
	endpoints func() (map[string]string, error)
	// available is the record of the spec that was Available last; nil for none.
	available mesh.Object
	// isRolledBack: the NSM is as it was before a change that did not come up.
	isRolledBack bool
	// isStaged: the workloads change one after the other.
	isStaged bool
	// notBegun tells why a change of release has not begun; "" where it has.
	notBegun string
	// pulls are the images that have to be on the nodes before anything is changed.
	pulls []health.ImagePull
	// pulling are the workloads that have nodes pull images, or have had, as they are.
	pulling []mesh.Object
	// turns are the next pods of workloads that are rolled node by node, by name.
	turns map[string]rollout.Turn
	// unseenRegistrations tells why nobody knows what pods of the admission webhook have
	// registered; "" where that is known.
	unseenRegistrations string
	// driverMounts are the pods that a CSI driver waits for that is not wanted any more.
	driverMounts *health.DriverMounts
	// failedApart tells what could not be read and does not block the rest.
	failedApart []string
	wakeUp
}

// desire reads what the mesh depends on and renders it. When it fails, what it
// returns has the input alone, as far as that is known.
func (r *NSMReconciler) desire(ctx context.Context, nsm *nsmv1beta1.NSM) (desired, error) {
	d := desired{}
	var err error
	if d.available, err = r.availableBefore(ctx, nsm); err != nil {
		return d, err
	}
	nsm, d.isRolledBack = rollout.Effective(nsm, d.available)
	nsmRelease, err := release.Parse(rollout.VersionOf(&nsm.Spec))
	if err != nil {
		return d, err
	}
	d.input = mesh.Input{
		NSM: nsm, Release: nsmRelease, Platform: r.platform.now(),
		OperatorNamespace: r.Namespace, RelatedImages: r.RelatedImages,
	}
	// Early, so that a new mesh waits for all answers at the same time.
	r.watcher.Watch(client.ObjectKeyFromObject(nsm), queriesOf(d.input)...)
	d.endpoints = sync.OnceValues(func() (map[string]string, error) {
		return r.watcher.Facts(ctx, client.ObjectKeyFromObject(nsm), endpointQuery(nsm.Namespace))
	})
	failure := r.render(ctx, &d)
	// By now the watch has answered, as a rule. Whatever else failed, nothing is planned in a
	// namespace that is being deleted.
	if err := r.checkNamespace(ctx, nsm); err != nil {
		return d, err
	}
	if failure != nil {
		return d, failure
	}
	d.podSecurity, err = r.readPodSecurity(ctx, nsm, d.input.Platform)
	return d, err
}

// availableBefore is the record of the spec that was Available last; nil for none. One that
// is being deleted is of a spec before that: somebody's finalizer holds it.
func (r *NSMReconciler) availableBefore(ctx context.Context, nsm *nsmv1beta1.NSM) (mesh.Object, error) {
	record, err := r.applier.Cached(ctx, &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: mesh.RecordName}})
	if err != nil || record == nil || !mesh.IsOf(record, nsm) || record.GetDeletionTimestamp() != nil {
		return nil, err
	}
	return record, nil
}

// render renders a mesh, and looks at what stands in its place.
func (r *NSMReconciler) render(ctx context.Context, d *desired) error {
	in := &d.input
	var err error
	if d.renewAt, err = r.prepareWebhook(ctx, in); err != nil {
		return err
	}
	if in.KubeletDirectoryBefore, err = r.mountedKubeletDirectory(ctx, in.NSM); err != nil {
		return err
	}
	if in.ClientNamespaces, err = r.clientNamespaces(ctx, *in); err != nil {
		return err
	}
	if in.FileHashes, err = r.fileHashes(ctx, in.NSM); err != nil {
		return err
	}
	if d.orphans, err = r.adoption.orphans(ctx, in.NSM); err != nil {
		return err
	}
	d.components = mesh.Components(*in)
	constraints := mesh.Constraints(*in, d.components)
	d.constrained = len(constraints) > 0
	d.objects = slices.Concat(mesh.Identities(*in), constraints, mesh.Objects(d.components), mesh.PodMonitors(*in, d.components), d.entriesRole())
	d.survey, err = r.survey(ctx, *d, constraints)
	return err
}

// mountedKubeletDirectory is what pods of the mesh mount already; "" for nothing.
func (r *NSMReconciler) mountedKubeletDirectory(ctx context.Context, nsm *nsmv1beta1.NSM) (string, error) {
	workloads, err := r.applier.Own(ctx, nsm, &appsv1.DaemonSet{})
	for _, workload := range workloads {
		if directory := mesh.MountedKubeletDirectory(workload); directory != "" {
			return directory, err
		}
	}
	return "", err
}

// survey looks for what stands in the way. Of a component that has something in
// its way nothing is changed: it would run with somebody else's account, keys or
// role. Nor is anything of what OpenShift would judge by somebody else's SCC.
func (r *NSMReconciler) survey(ctx context.Context, d desired, constraints []mesh.Object) (*apply.Survey, error) {
	survey, err := r.applier.Survey(ctx, d.input.NSM, d.objects)
	if err != nil {
		return nil, err
	}
	isJudged := len(survey.NotOurs(constraints)) == 0
	for _, component := range d.components {
		objects := mesh.Objects([]mesh.Component{component})
		if !isJudged || len(survey.NotOurs(objects)) > 0 {
			survey.Leave(objects)
		}
	}
	return survey, nil
}

// queriesOf are all that a mesh asks about objects that are not its own.
func queriesOf(in mesh.Input) []watchfacts.Query {
	namespace := in.NSM.Namespace
	queries := podSecurityQueries(namespace)
	for _, file := range mesh.ConfigFiles(&in.NSM.Spec) {
		queries = append(queries, fileQuery(namespace, file))
	}
	if len(mesh.FederatesWith(in)) > 0 {
		queries = append(queries, federationQuery())
	}
	if mesh.Registers(in) {
		queries = append(queries, endpointQuery(namespace))
	}
	return queries
}
