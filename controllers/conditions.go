// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"slices"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

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
