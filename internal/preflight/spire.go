// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// SpireDriver is the CSI driver that brings the socket of SPIRE's agent into pods.
const SpireDriver = "csi.spiffe.io"

// labelProfile of a CSIDriver says to OpenShift which pods may use its volumes.
const labelProfile = "security.openshift.io/csi-ephemeral-volume-profile"

// usesSpireDriver reports whether pods of the mesh have volumes of SPIRE's CSI driver.
func (m *Mesh) usesSpireDriver() bool {
	return mesh.SpireOf(m.Input).Mount == nsmv1beta1.SpireMountCSI
}

// spireDriver looks for the CSI driver without which such pods never start.
func spireDriver(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		if !m.usesSpireDriver() {
			continue
		}
		isAsked = true
		at := slices.IndexFunc(f.CSIDrivers, func(driver storagev1.CSIDriver) bool { return driver.Name == SpireDriver })
		switch {
		case at < 0:
			found = append(found, failed("mesh %s: spec.spire.mount is CSI, and there is no CSIDriver %s", m.name(), SpireDriver))
		case f.Platform.OpenShift && f.CSIDrivers[at].Labels[labelProfile] != "restricted":
			found = append(found, failed("mesh %s: CSIDriver %s does not have the label %s=restricted, without which OpenShift refuses its volumes to pods that are not privileged",
				m.name(), SpireDriver, labelProfile))
		}
	}
	if !isAsked {
		return skipped("no mesh has spec.spire.mount: CSI")
	}
	return found
}

// roleLabel begins the labels of a node that say in which pools of OpenShift it is.
const roleLabel = "node-role.kubernetes.io/"

// RolesWithSockets are the pools of nodes for which a MachineConfig gives the directory of
// NSM's sockets a type that SELinux lets containers use.
func RolesWithSockets(machineConfigs []unstructured.Unstructured) []string {
	var roles []string
	for i := range machineConfigs {
		config := &machineConfigs[i]
		spec, err := json.Marshal(config.Object["spec"])
		role := config.GetLabels()["machineconfiguration.openshift.io/role"]
		if err == nil && role != "" && strings.Contains(string(spec), "container_file_t") && strings.Contains(string(spec), mesh.SocketDirectory) {
			roles = append(roles, role)
		}
	}
	return roles
}

// selinux looks for nodes on which clients that may mount no directory of their node get
// the sockets, and may not use them. The types themselves cannot be read from outside.
func selinux(f *Facts) []finding {
	if !f.Platform.OpenShift {
		return skipped("this is not OpenShift")
	}
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		if m.Input.NSM.Spec.CSIDriver == nil {
			continue
		}
		isAsked = true
		var nodes []string
		for j := range f.Nodes {
			if node := &f.Nodes[j]; m.selects(node) && !hasRole(node, f.SocketRoles) {
				nodes = append(nodes, node.Name)
			}
		}
		if len(nodes) > 0 {
			found = append(found, warning("mesh %s: no MachineConfig gives %s an SELinux type that containers may use on %s: clients with CSI volumes may see the sockets there and not reach them",
				m.name(), mesh.SocketDirectory, strings.Join(nodes, ", ")))
		}
	}
	if !isAsked {
		return skipped("no mesh has a csiDriver")
	}
	return found
}

func hasRole(node *corev1.Node, roles []string) bool {
	return slices.ContainsFunc(roles, func(role string) bool {
		_, has := node.Labels[roleLabel+role]
		return has
	})
}

// Bundle is what came of asking for that of another trust domain.
type Bundle struct {
	// URL of the endpoint that was asked.
	URL string
	// Error tells why there was none; "" where there was.
	Error string
}

// bundles: without that of each domain which a mesh federates with, SPIRE's server
// registers none of its pods.
func bundles(f *Facts) []finding {
	var found []finding
	isAsked := false
	for i := range f.Meshes {
		m := &f.Meshes[i]
		for _, domain := range mesh.FederatesWith(m.Input) {
			isAsked = true
			bundle, isThere := f.Bundles[domain]
			switch {
			case !isThere:
				found = append(found, warning("mesh %s: no ClusterFederatedTrustDomain is for %s: SPIRE registers none of the mesh's pods before it has that domain's bundle",
					m.name(), domain))
			case bundle.Error != "":
				found = append(found, warning("mesh %s: the bundle endpoint of %s, %s, does not answer this machine: %s", m.name(), domain, bundle.URL, bundle.Error))
			}
		}
	}
	if !isAsked {
		return skipped("no mesh federates with another domain")
	}
	return found
}
