// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// spireCondition tells who registers the mesh's workloads with SPIRE. The
// operator knows only of what it registers itself.
func spireCondition(in mesh.Input) metav1.Condition {
	spire := ptr.Deref(in.NSM.Spec.Spire, nsmv1beta1.SpireSpec{})
	condition := metav1.Condition{Type: nsmv1beta1.ConditionSpireReady, Status: metav1.ConditionUnknown}
	identities := mesh.Identities(in)
	switch {
	case len(identities) > 0:
		condition.Status, condition.Reason = metav1.ConditionTrue, "Registered"
		condition.Message = "ClusterSPIFFEID " + identities[0].GetName() + " registers the workloads"
	case spire.Registration == nsmv1beta1.SpireRegistrationNone:
		condition.Reason, condition.Message = "NotManaged", "spec.spire.registration is None: somebody else registers the workloads"
	default:
		condition.Reason = "NotServed"
		condition.Message = "no SPIRE controller manager serves ClusterSPIFFEIDs here: whoever runs SPIRE registers the workloads"
	}
	return condition
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

// webhook is the admission webhook, nil for none.
func (o *observation) webhook() *workload {
	i := slices.IndexFunc(o.workloads, func(w workload) bool { return w.role == mesh.RoleWebhook })
	if i < 0 {
		return nil
	}
	return &o.workloads[i]
}
