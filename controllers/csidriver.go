// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// driverMounts are the pods that keep a CSI driver from going: without it they could never
// end. No cache has them and no label tells them, so all pods are read, and only while a
// driver is to go.
type driverMounts struct {
	health.DriverMounts
	// until is when they are looked for again.
	until time.Time
}

// observeDriver tells which pods mount volumes of a mesh's CSI driver that is not wanted any
// more, and keeps it for them. If that cannot be seen, it stays as well.
func (r *NSMReconciler) observeDriver(ctx context.Context, d *desired, in *rollout.Input) {
	driver := in.GoingDriver()
	mounts, err := r.mountsOf(ctx, in.NSM, driver)
	if err == nil && mounts.Count == 0 {
		return
	}
	in.KeepDriver(driver)
	d.wake(mounts.until)
	if err != nil {
		d.failedApart = append(d.failedApart, health.FailureMessage(err))
		return
	}
	d.driverMounts = &mounts.DriverMounts
}

// observeDriverOf does the same for an NSM that is being deleted, with its mesh.
func (r *NSMReconciler) observeDriverOf(ctx context.Context, nsm *nsmv1beta1.NSM) (driverMounts, error) {
	workloads, err := r.applier.Own(ctx, nsm, &appsv1.DaemonSet{})
	if err != nil {
		return driverMounts{}, err
	}
	return r.mountsOf(ctx, nsm, rollout.DriverIn(workloads))
}

// mountsOf tells which pods mount volumes of a mesh's CSI driver, which is to go. None
// counts where the driver of another mesh serves them, and where there is no driver.
func (r *NSMReconciler) mountsOf(ctx context.Context, nsm *nsmv1beta1.NSM, driver mesh.Object) (driverMounts, error) {
	remembered := r.memories.of(nsm)
	if driver == nil {
		remembered.mounts = nil
		return driverMounts{}, nil
	}
	all, err := r.nsms.all(ctx)
	if err != nil {
		return driverMounts{until: r.now().Add(r.Times.AskAgain)}, err
	}
	for other := range all {
		if mesh.TakesCSIDriver(other, nsm) {
			remembered.mounts = nil
			return driverMounts{}, nil
		}
	}
	if remembered.mounts != nil && r.now().Before(remembered.mounts.until) {
		return *remembered.mounts, nil
	}
	mounts := driverMounts{until: r.now().Add(r.Times.Unmounted)}
	if err := eachPod(ctx, r.direct, func(pod *corev1.Pod) {
		if mesh.MountsVolumeOf(mesh.CSIDriverName, pod) {
			mounts.Add(pod.Namespace, pod.Name)
		}
	}); err != nil {
		return driverMounts{until: r.now().Add(r.Times.AskAgain)}, fmt.Errorf("looking for pods that mount volumes of NSM's CSI driver, which goes after them: %w", err)
	}
	if mounts.Count == 0 {
		remembered.mounts = nil
		return mounts, nil
	}
	isNew := remembered.mounts == nil
	remembered.mounts = &mounts
	if isNew {
		r.recorder.Eventf(nsm, nil, corev1.EventTypeWarning, "CSIDriverInUse", "Prune", "waiting for %s", mounts.DriverMounts)
	}
	return mounts, nil
}
