// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Pull is what has to be on nodes before a workload is changed.
type Pull struct {
	// Component whose workload is to be changed.
	mesh.Component
	// Images that its pods do not run yet.
	Images []string
	// Pulling has the nodes pull them; Done is what it becomes when they have.
	Pulling, Done mesh.Object
}

// Name of the workload.
func (p Pull) Name() string { return p.Workload.GetName() }

// Pulls are what has to be on nodes before anything of the mesh is changed: the new
// images of workloads that serve. They follow from what runs: when a workload has been
// changed, or the change has been taken back, there is nothing to pull for it any more.
// What somebody else has changed is put back without.
func (in Input) Pulls() []Pull {
	if !ptr.Deref(ptr.Deref(in.NSM.Spec.Upgrade, nsmv1beta1.UpgradeSpec{}).PrePull, true) {
		return nil
	}
	var pulls []Pull
	for _, component := range in.Components {
		name := component.Workload.GetName()
		running := in.running(component.Workload)
		if running == nil || !hasReadyPods(running) || in.Blocked[name] || in.Current[name] {
			continue
		}
		known := mesh.ImagesOf(running)
		images := slices.DeleteFunc(mesh.ImagesOf(component.Workload), func(image string) bool { return slices.Contains(known, image) })
		if len(images) == 0 {
			continue
		}
		pulling := mesh.ImagePull(component.Workload, images, in.Platform)
		mesh.AvoidNodes(pulling, in.Avoided[pulling.GetName()])
		pulls = append(pulls, Pull{Component: component, Images: images, Pulling: pulling, Done: mesh.ImagesPulled(pulling)})
	}
	return pulls
}

// running is what a workload takes the place of: the mesh's own, or somebody else's that
// is taken over; nil for nothing.
func (in Input) running(workload mesh.Object) mesh.Object {
	for _, live := range slices.Concat(in.Workloads, only(in.Orphans, isPodMaker)) {
		if isSame(live, workload) {
			return live
		}
	}
	return nil
}

func isPodMaker(object mesh.Object) bool {
	switch object.(type) {
	case *appsv1.DaemonSet, *appsv1.Deployment:
		return true
	default:
		return false
	}
}

// pullsFirst changes nothing until all images are where they should be.
func (in Input) pullsFirst(pulls []Pull) Plan {
	objects := in.pullObjects(pulls)
	plan := Plan{{Name: "pull the new images", Parts: []Part{{Objects: slices.Concat(in.accounts(pulls), objects)}}}}
	return append(plan, Plan{
		{
			Name: "what no image is to be pulled for any more", AfterSuccess: true,
			Delete: Deletion{Kinds: []mesh.Object{&appsv1.DaemonSet{}, &appsv1.Deployment{}}, Labels: in.pullLabels(), Keep: objects},
		},
		{Name: "the change", Gate: Gate{Preflight: "not before the images are on the nodes"}, Parts: []Part{{Objects: in.Objects}}},
	}...)
}

// pulled shows which images have been pulled, as long as the workloads have not been
// changed: then no new process pulls them again.
func (in Input) pulled(pulls []Pull) Plan {
	if len(pulls) == 0 {
		return nil
	}
	return Plan{{Name: "the new images are on the nodes", Parts: []Part{{Objects: in.pullObjects(pulls)}}}}
}

func (in Input) pullObjects(pulls []Pull) []mesh.Object {
	var objects []mesh.Object
	for _, pull := range pulls {
		if in.Pulled[pull.Name()] {
			objects = append(objects, pull.Done)
			continue
		}
		objects = append(objects, pull.Pulling)
	}
	return objects
}

// accounts are the ServiceAccounts that pods need to pull images for workloads that are
// taken over from somebody else, who may have used others.
func (in Input) accounts(pulls []Pull) []mesh.Object {
	var accounts []mesh.Object
	for _, pull := range pulls {
		if in.live(pull.Name()) != nil {
			continue
		}
		accounts = append(accounts, only(pull.Others, func(object mesh.Object) bool {
			_, isAccount := object.(*corev1.ServiceAccount)
			return isAccount
		})...)
	}
	return accounts
}

// pullLabels find all that pulls images.
func (in Input) pullLabels() map[string]string {
	labels := mesh.OwnerLabels(in.NSM)
	labels[mesh.LabelComponent] = string(mesh.RoleImagePull)
	return labels
}
