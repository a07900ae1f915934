// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rollout

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// DeletionPlan is what happens to the mesh of an NSM that is being deleted. readable are
// those of the platform's kinds that the API server lists: objects of the others
// cannot be deleted either, and the NSM does not wait for them. While pods mount volumes of
// the mesh's CSI driver, that stays with what it needs, and the NSM waits.
func DeletionPlan(nsm *nsmv1beta1.NSM, readable []mesh.Object, mayHaveEntries, isDriverInUse bool) Plan {
	all := slices.Concat(mesh.Kinds(), readable)
	unseen := slices.Concat(mesh.ClusterKinds(), readable)
	gone := Gate{Gone: all}
	if isDriverInUse {
		some := ownKinds(nsm, only(all, isNoClusterRole))
		some.Keep, some.Spare = mesh.CSIDriverNeeds(nsm), []mesh.Role{mesh.RoleCSI}
		return Plan{
			{Name: "callers of the admission webhook", Delete: Deletion{Callers: AllCallers}},
			{Name: "all but roles and the CSI driver, whose volumes pods mount", Delete: some},
		}
	}

	plan := Plan{
		// Left behind for a moment, they would block the creation of pods in the cluster.
		{Name: "callers of the admission webhook", Delete: Deletion{Callers: AllCallers}},
		{Name: "all but roles", Delete: ownKinds(nsm, only(all, isNoClusterRole))},
		{Name: "what the cache does not show", Gate: Gate{Gone: only(all, isNoClusterRole)}, Delete: Deletion{Unseen: only(unseen, isNoClusterRole)}},
	}
	if mesh.KeepsEntries(&nsm.Spec) || mayHaveEntries {
		// They do no harm: the NSM does not wait for them.
		plan = append(plan, Wave{
			Name: "entries of the registry", Gate: Gate{Gone: only(all, isNoClusterRole)}, Delete: Deletion{Entries: true}, OnFailure: LogOnly,
		})
	}
	return append(plan,
		// One of them shows that a registry has kept entries.
		Wave{Name: "roles", Gate: Gate{Gone: only(all, isNoClusterRole)}, Delete: ownKinds(nsm, only(all, isClusterRole))},
		Wave{Name: "roles that the cache does not show", Gate: gone, Delete: Deletion{Unseen: only(unseen, isClusterRole)}},
		Wave{Name: "Pod Security", Gate: gone, Namespace: RemoveLabels},
		Wave{Name: "the NSM", Gate: gone, Releases: true})
}

// CleanupPlan is what happens after an NSM that has gone without its finalizer: what no
// owner reference removes goes, as it would with it.
func CleanupPlan(nsm *nsmv1beta1.NSM, platform mesh.Platform, mayHaveEntries bool) Plan {
	all := slices.Concat(mesh.ClusterKinds(), mesh.PlatformKinds(platform))
	plan := Plan{
		{Name: "callers of the admission webhook", Delete: Deletion{Callers: AllCallers}},
		{Name: "what no owner reference removes, but for roles", Delete: ownKinds(nsm, only(all, isNoClusterRole))},
	}
	if mayHaveEntries {
		plan = append(plan, Wave{Name: "entries of the registry", Delete: Deletion{Entries: true}, OnFailure: LogOnly})
	}
	return append(plan,
		Wave{Name: "Pod Security", Namespace: RemoveLabels, OnFailure: LogOnly},
		// While there is one, the next pass knows that there is something to do.
		Wave{Name: "roles", Delete: ownKinds(nsm, only(all, isClusterRole))})
}

// TerminatingNamespacePlan is what happens when the mesh's namespace is being deleted: its
// webhook's pods go with it, sooner or later than the NSM does, and until both are
// gone pods would be refused in the whole cluster.
func TerminatingNamespacePlan() Plan {
	return Plan{{Name: "callers of the admission webhook", Delete: Deletion{Callers: AllCallers}}}
}

// ownKinds deletes the NSM's own objects of the kinds.
func ownKinds(nsm *nsmv1beta1.NSM, kinds []mesh.Object) Deletion {
	return Deletion{Kinds: kinds, Labels: mesh.OwnerLabels(nsm)}
}

func isClusterRole(object mesh.Object) bool {
	_, is := object.(*rbacv1.ClusterRole)
	return is
}

func isNoClusterRole(object mesh.Object) bool { return !isClusterRole(object) }
