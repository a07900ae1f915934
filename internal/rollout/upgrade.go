// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// defaultProgressDeadline is the time that a stage may take.
const defaultProgressDeadline = 10 * time.Minute

// VersionOf a spec is the release that it asks for.
func VersionOf(spec *nsmv1beta1.NSMSpec) string {
	return cmp.Or(spec.Version, release.Newest().String())
}

// Effective is the NSM as the mesh should be: with what was Available last in place of
// a spec that has been tried and taken back, as the status says or, where that was lost,
// the record. They alone do not decide that: whoever may write the status, and not the
// spec, shall not choose what runs.
func Effective(nsm *nsmv1beta1.NSM, record mesh.Object) (effective *nsmv1beta1.NSM, isRolledBack bool) {
	if !health.ReportsRollback(&nsm.Status, nsm.Generation) && !mesh.IsTakenBack(record, nsm) {
		return nsm, false
	}
	before := Before(nsm, record)
	if before == nil {
		return nsm, false
	}
	effective = nsm.DeepCopy()
	effective.Spec = *before
	return effective, true
}

// Before is the spec to go back to where the NSM's own does not come up: the one that
// was Available last, or, where an older operator has not recorded it, the NSM's own
// with the release that was. How changes are made is the NSM's to say. It is nil where
// the NSM does not ask for that, or there is nothing to go back to.
func Before(nsm *nsmv1beta1.NSM, record mesh.Object) *nsmv1beta1.NSMSpec {
	if ptr.Deref(nsm.Spec.Upgrade, nsmv1beta1.UpgradeSpec{}).OnFailure != nsmv1beta1.UpgradeFailureRollback {
		return nil
	}
	before := mesh.Recorded(record)
	if before == nil {
		before = nsm.Spec.DeepCopy()
		before.Version = nsm.Status.Version
	}
	before.Upgrade = nsm.Spec.Upgrade
	if _, err := release.Parse(before.Version); err != nil || equality.Semantic.DeepEqual(*before, nsm.Spec) {
		return nil
	}
	return before
}

// WayBack tells how to undo a change that does not come up, of a mesh that should run the
// target release; "" where nothing can be said. hasBegun: something of it has been written.
func WayBack(nsm *nsmv1beta1.NSM, target string, record mesh.Object, hasBegun bool) string {
	was := nsm.Status.Version
	switch {
	case was == "":
		return ""
	case was != target && !hasBegun:
		return "to keep " + was + ", set spec.version to that"
	case was != target:
		return fmt.Sprintf("to go back, set spec.version to %s, or spec.upgrade.onFailure to %s, which brings back all of the spec that was available last",
			was, nsmv1beta1.UpgradeFailureRollback)
	}
	before := mesh.Recorded(record)
	if before == nil {
		return ""
	}
	fields := differences(before, &nsm.Spec)
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf("to go back, set %s as in the spec that was available last: kubectl get controllerrevision %s -n %s -o jsonpath={.data.spec}",
		strings.Join(fields, ", "), mesh.RecordName, nsm.Namespace)
}

// differences names the fields of two specs that differ, other than those that say how
// changes are made.
func differences(one, other *nsmv1beta1.NSMSpec) []string {
	a, errA := runtime.DefaultUnstructuredConverter.ToUnstructured(one)
	b, errB := runtime.DefaultUnstructuredConverter.ToUnstructured(other)
	if errA != nil || errB != nil {
		return nil
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	delete(all, "upgrade")
	var fields []string
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if !equality.Semantic.DeepEqual(a[field], b[field]) {
			fields = append(fields, "spec."+field)
		}
	}
	return fields
}

// Deadline is when the change of a mesh that is going on has to have come up, and the
// time that a stage of it may take; zero where none is going on. A stage begins with the
// change of the spec, or when the last of the workloads was written since, those that
// have nodes pull images included: neither a pod that comes and goes nor a restart of the
// operator moves that, and what a change has waited for before it begins is not taken from
// the time that it has.
func Deadline(nsm *nsmv1beta1.NSM, workloads []health.Workload, pulling []mesh.Object) (at time.Time, limit time.Duration) {
	upgrade := ptr.Deref(nsm.Spec.Upgrade, nsmv1beta1.UpgradeSpec{})
	limit = ptr.Deref(upgrade.ProgressDeadline, metav1.Duration{Duration: defaultProgressDeadline}).Duration
	progressing := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionProgressing)
	if progressing == nil || progressing.Status != metav1.ConditionTrue || progressing.ObservedGeneration != nsm.Generation {
		return time.Time{}, limit
	}
	written := slices.Clone(pulling)
	for i := range workloads {
		if live := workloads[i].Live; live != nil {
			written = append(written, live)
		}
	}
	begun := progressing.LastTransitionTime.Time
	for _, live := range written {
		if at := mesh.WrittenAt(live); at.After(begun) {
			begun = at
		}
	}
	return begun.Add(limit), limit
}

// WasUp is the release that the mesh was available with last, as the status says or, where
// that was lost, the record; "" for none.
func (in Input) WasUp() string {
	if in.Available == nil {
		return in.NSM.Status.Version
	}
	return cmp.Or(in.NSM.Status.Version, in.Available.GetLabels()[mesh.LabelVersion])
}

// Begins reports whether a change of release is about to begin: all that runs is of the
// release that was up.
func (in Input) Begins() bool {
	wasUp := in.WasUp()
	return !in.IsRolledBack && len(in.Orphans) == 0 && wasUp != "" && wasUp != in.Target && len(in.Workloads) > 0 &&
		!slices.ContainsFunc(in.Workloads, func(workload mesh.Object) bool { return workload.GetLabels()[mesh.LabelVersion] != wasUp })
}

// Preflight tells what has to be mended before a change of release begins; "" for
// nothing, or where the NSM says that it shall begin all the same.
func (in Input) Preflight() string {
	if !in.Begins() || in.NSM.Annotations[mesh.UpgradeAnywayAnnotation] == in.Target {
		return ""
	}
	problem := in.NotReady
	spire := meta.FindStatusCondition(in.NSM.Status.Conditions, nsmv1beta1.ConditionSpireReady)
	if problem == "" && spire != nil && spire.Status == metav1.ConditionFalse {
		problem = spire.Message
	}
	if problem == "" {
		return ""
	}
	return fmt.Sprintf("the change from %s to %s has not begun, since the mesh is not healthy: %s. "+
		"It begins when that is mended, or all the same with the annotation %s=%s on the NSM",
		in.WasUp(), in.Target, problem, mesh.UpgradeAnywayAnnotation, in.Target)
}
