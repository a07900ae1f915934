// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// execution is a plan while it is carried out.
type execution struct {
	r *NSMReconciler
	d desired

	// failure is what has failed so far.
	failure error
	// apart are failures that are reported beside what became of the mesh, by wave.
	apart map[string]error
	// held are the workloads, by name, that a closed gate has left as they are.
	held map[string]bool
	// left: a gate has seen something that has to be gone before it opens.
	left bool
	// seen is what was observed since all of the mesh was written; nil for nothing yet.
	seen      *observation
	finalizer sync.Mutex
	// isReleased: the NSM has no finalizer any more.
	isReleased bool
}

// execute carries a plan out, up to the first failure that ends it.
func (r *NSMReconciler) execute(ctx context.Context, d desired, plan rollout.Plan) *execution {
	x := &execution{r: r, d: d, apart: map[string]error{}, held: map[string]bool{}}
	for _, wave := range plan {
		if wave.AfterSuccess && x.failure != nil {
			continue
		}
		err := x.run(ctx, wave)
		if err == nil {
			continue
		}
		switch onFailure(wave, err) {
		case rollout.LogOnly:
			log.FromContext(ctx).Error(err, "A step has failed, and does no harm", "step", wave.Name)
		case rollout.ReportApart:
			log.FromContext(ctx).Error(err, "A step has failed, and does not block the rest", "step", wave.Name)
			x.apart[wave.Name] = err
		case rollout.GoOn, rollout.ReportHeld:
			x.failure = errors.Join(x.failure, err)
		case rollout.Stop:
			x.failure = errors.Join(err, x.failure)
			return x
		}
	}
	return x
}

// onFailure is what the failure of a wave means.
func onFailure(wave rollout.Wave, err error) rollout.Failure {
	if wave.OnFailure != rollout.ReportHeld {
		return wave.OnFailure
	}
	if _, isHeld := errors.AsType[*apply.HeldError](err); isHeld {
		return rollout.ReportApart
	}
	return rollout.GoOn
}

// run carries a wave out, where its gate is open.
func (x *execution) run(ctx context.Context, wave rollout.Wave) error {
	isOpen, err := x.isOpen(ctx, wave.Gate)
	if err != nil {
		return err
	}
	if !isOpen {
		for _, part := range wave.Parts {
			x.hold(part)
		}
		return nil
	}
	steps := []func(context.Context, rollout.Wave) error{x.write, x.redirect, x.label, x.delete, x.release}
	for _, step := range steps {
		if err := step(ctx, wave); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) hold(part rollout.Part) {
	for _, object := range part.Objects {
		x.held[object.GetName()] = true
	}
}

// write writes the parts of a wave at the same time, as far as their gates are open.
// All gates are looked at before anything is written: writing may change the NSM that
// they are about.
func (x *execution) write(ctx context.Context, wave rollout.Wave) error {
	changes := make([][]apply.Change, len(wave.Parts))
	errs := make([]error, len(wave.Parts))
	isOpen := make([]bool, len(wave.Parts))
	for i, part := range wave.Parts {
		if isOpen[i], errs[i] = x.isOpen(ctx, part.Gate); !isOpen[i] {
			x.hold(part)
		}
	}
	var group errgroup.Group
	for i, part := range wave.Parts {
		if !isOpen[i] {
			continue
		}
		group.Go(func() error {
			changes[i], errs[i] = x.writePart(ctx, part)
			return nil
		})
	}
	_ = group.Wait() // the functions return no errors: they are in errs
	var all []apply.Change
	for _, some := range changes {
		all = append(all, some...)
	}
	x.r.recordChanges(ctx, x.d.input.NSM, all)
	x.recordKubelets(all)
	return errors.Join(errs...)
}

// recordKubelets records that pods have begun to mount another directory of the
// kubelets, which nobody but the nodes has named.
func (x *execution) recordKubelets(changes []apply.Change) {
	in := x.d.input
	directory := in.KubeletDirectory()
	if in.NSM.Spec.KubeletDirectory != "" || directory == cmp.Or(in.KubeletDirectoryBefore, mesh.UsualKubeletDirectory) {
		return
	}
	for _, component := range x.d.components {
		isOf := func(change apply.Change) bool {
			return change.Kind == mesh.KindOf(component.Workload) && change.Name == component.Workload.GetName()
		}
		if mesh.MountedKubeletDirectory(component.Workload) != "" && slices.ContainsFunc(changes, isOf) {
			x.r.recorder.Eventf(in.NSM, nil, corev1.EventTypeNormal, "KubeletDirectory", "Apply",
				"the nodes show that their kubelets keep their files in %s: pods mount that", directory)
			return
		}
	}
}

func (x *execution) writePart(ctx context.Context, part rollout.Part) ([]apply.Change, error) {
	if part.Finalizer {
		if err := x.ensureFinalizer(ctx); err != nil {
			return nil, err
		}
	}
	return x.r.applier.Apply(ctx, x.d.survey, part.Objects)
}

// ensureFinalizer lets one part of a wave add the finalizer for all of them.
func (x *execution) ensureFinalizer(ctx context.Context) error {
	x.finalizer.Lock()
	defer x.finalizer.Unlock()
	return x.r.ensureFinalizer(ctx, x.d.input.NSM)
}

// redirect has a Service find other pods.
func (x *execution) redirect(ctx context.Context, wave rollout.Wave) error {
	if wave.Service == nil {
		return nil
	}
	return x.r.applier.Select(ctx, wave.Service.Service, wave.Service.Selector)
}

func (x *execution) label(ctx context.Context, wave rollout.Wave) error {
	switch wave.Namespace {
	case rollout.SetLabels:
		return x.r.labelNamespace(ctx, x.d.input.NSM, x.d.podSecurity)
	case rollout.RemoveLabels:
		return x.r.unlabelNamespace(ctx, x.d.input.NSM)
	default:
		return nil
	}
}

// delete deletes what calls the admission webhook first: left behind for a moment, it
// would block the creation of pods in the whole cluster.
func (x *execution) delete(ctx context.Context, wave rollout.Wave) error {
	deletion, nsm := wave.Delete, x.d.input.NSM
	if deletion.Callers != "" {
		if err := x.r.deleteCallers(ctx, nsm, deletion.Callers); err != nil {
			return err
		}
	}
	if deletion.Entries {
		if err := x.r.deleteEntries(ctx, nsm); err != nil {
			return err
		}
	}
	if err := x.replacePods(ctx, deletion.Pods); err != nil {
		return err
	}
	// Nothing of these is in the cache: nobody must wait to see it go.
	if err := x.r.applier.DeleteExactly(ctx, deletion.Others...); err != nil {
		return err
	}
	for _, kind := range deletion.Unseen {
		left, err := x.r.leftOf(ctx, nsm, kind)
		if err != nil {
			return err
		}
		if err := x.r.applier.DeleteExactly(ctx, left...); err != nil {
			return err
		}
	}
	if len(deletion.Kinds) == 0 {
		return nil
	}
	pruned, err := x.r.applier.Prune(ctx, nsm, deletion.Kinds, deletion.Selector(), deletion.Keep)
	x.r.recordChanges(ctx, nsm, pruned)
	return err
}

func (x *execution) release(ctx context.Context, wave rollout.Wave) error {
	if !wave.Releases {
		return nil
	}
	released := x.d.input.NSM.DeepCopy()
	controllerutil.RemoveFinalizer(released, Finalizer)
	err := client.IgnoreNotFound(x.r.client.Patch(ctx, released, client.MergeFrom(x.d.input.NSM)))
	x.isReleased = err == nil
	return err
}

// isOpen reports whether what a gate asks for is seen in the cluster.
func (x *execution) isOpen(ctx context.Context, gate rollout.Gate) (bool, error) {
	if gate.Preflight != "" {
		return false, nil
	}
	for _, object := range gate.Written {
		if isWritten, err := x.isWritten(ctx, object); !isWritten || err != nil {
			return false, err
		}
	}
	for _, component := range gate.Ready {
		w, err := x.r.observeWorkload(ctx, x.d, component)
		if err != nil || !w.IsReady() || !w.IsWritten() {
			return false, err
		}
	}
	if len(gate.Gone) > 0 {
		// If it goes only now, the waves that have waited for it come before the rest: in the
		// next pass.
		if x.left {
			return false, nil
		}
		left, err := x.r.applier.Own(ctx, x.d.input.NSM, gate.Gone...)
		if x.left = len(left) > 0; x.left || err != nil {
			return false, err
		}
	}
	if !gate.Up && gate.RolledOut == "" {
		return true, nil
	}
	seen, err := x.look(ctx)
	if err != nil {
		return false, err
	}
	return (!gate.Up || seen.Summary() == "") && (gate.RolledOut == "" || seen.HasRolledOut(gate.RolledOut)), nil
}

// isWritten reports whether an object is there, and was written last from what is
// wanted.
func (x *execution) isWritten(ctx context.Context, object mesh.Object) (bool, error) {
	live, err := x.r.applier.Cached(ctx, object)
	if live == nil || err != nil {
		return false, err
	}
	hash, isHeldBack, err := x.r.applier.Wanted(x.d.survey, object, live)
	return mesh.IsWrittenFrom(live, hash) && !isHeldBack, err
}

// look observes the mesh, once after all of it was written.
func (x *execution) look(ctx context.Context) (*observation, error) {
	if x.seen != nil {
		return x.seen, nil
	}
	seen, err := x.r.observe(ctx, x.d, x.held, x.failure == nil)
	if err == nil {
		x.seen = seen
	}
	return seen, err
}

// reportApart adds what is reported beside the rest, in the same order each time, and looks
// again: what made somebody refuse may go without a sign. A namespace that goes itself is no
// failure; the cache has not heard of it yet.
func (x *execution) reportApart(seen *observation) {
	for _, wave := range slices.Sorted(maps.Keys(x.apart)) {
		for _, err := range flatten(x.apart[wave]) {
			switch {
			case wave == rollout.OldEntries:
				seen.EntriesLeft = health.FailureMessage(err)
				seen.wake(x.r.now().Add(x.r.Times.AskAgain))
			case isNamespaceGone(err):
				seen.wake(x.r.now().Add(x.r.Times.Soonest))
			default:
				seen.FailedApart = append(seen.FailedApart, health.FailureMessage(err))
				seen.wake(x.r.now().Add(x.r.Times.AskAgain))
			}
		}
	}
}

// recordChanges logs changes and, unless all of the mesh goes, records events about them: one
// for all objects that a wave created, updated, adopted or pruned, and one for each object that
// was repaired or recreated.
func (r *NSMReconciler) recordChanges(ctx context.Context, nsm *nsmv1beta1.NSM, changes []apply.Change) {
	planned := map[apply.Action][]apply.Change{}
	for _, change := range changes {
		log.FromContext(ctx).Info(string(change.Action), "object", change.String())
		if nsm.UID == "" || nsm.DeletionTimestamp != nil || mesh.IsImagePullName(change.Name) {
			continue // there are events of their own about images
		}
		switch change.Action {
		case apply.Repaired:
			metrics.Repairs.WithLabelValues(nsm.Name, nsm.Namespace, change.Kind).Inc()
			r.recordChange(nsm, change.Action, change)
		case apply.Recreated:
			r.recordChange(nsm, change.Action, change)
		case apply.Created, apply.Updated, apply.Adopted, apply.Pruned:
			planned[change.Action] = append(planned[change.Action], change)
		}
	}
	for _, action := range slices.Sorted(maps.Keys(planned)) {
		r.recordChange(nsm, action, planned[action]...)
	}
}

// recordChange records one event about objects that were changed in the same way. It is
// related to the first of them, so that two such events of a pass do not become one.
func (r *NSMReconciler) recordChange(nsm *nsmv1beta1.NSM, action apply.Action, changes ...apply.Change) {
	var names []string
	for _, change := range changes {
		names = append(names, change.String())
	}
	r.recorder.Eventf(nsm, objectOf(changes[0]), corev1.EventTypeNormal, string(action), "Apply",
		"%s", health.Shorten(string(action)+" "+strings.Join(names, ", "), health.MostMessage))
}

// objectOf names the object of a change for an event.
func objectOf(change apply.Change) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: change.APIVersion, Kind: change.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: change.Namespace, Name: change.Name},
	}
}
