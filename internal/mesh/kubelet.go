// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// UsualKubeletDirectory is the kubelet's own.
const UsualKubeletDirectory = "/var/lib/kubelet"

// kubeletDirectories are those of distributions that have another one, and how their
// nodes look: by a label, or by the kubelet's version.
var kubeletDirectories = []struct{ label, version, directory string }{
	// canonical/microk8s, microk8s-resources/default-args/kubelet
	{"microk8s.io/cluster", "", "/var/snap/microk8s/common/var/lib/kubelet"},
	// docs.k0sproject.io, "k0s directories"
	{"", "+k0s", "/var/lib/k0s/kubelet"},
}

// KubeletDirectoryOf a node, as far as the node shows it: the usual one where it shows
// nothing else, and "" where it runs no pods of a mesh.
func KubeletDirectoryOf(node *corev1.Node) string {
	if !RunsMeshes(node) {
		return ""
	}
	for _, known := range kubeletDirectories {
		_, isLabelled := node.Labels[known.label]
		if isLabelled || known.version != "" && strings.Contains(node.Status.NodeInfo.KubeletVersion, known.version) {
			return known.directory
		}
	}
	return UsualKubeletDirectory
}

// RunsMeshes reports whether a node is one that pods of a mesh may run on, by the kind of node
// that it is: a machine with Linux.
func RunsMeshes(node *corev1.Node) bool {
	isVirtual := slices.ContainsFunc(virtualNodes, func(is corev1.NodeSelectorRequirement) bool {
		return slices.Contains(is.Values, node.Labels[is.Key])
	})
	return node.Labels[corev1.LabelOSStable] == string(corev1.Linux) && !isVirtual
}

// KubeletDirectories is what Platform has of those of all nodes, each of them once.
func KubeletDirectories(ofNodes []string) string {
	if slices.Equal(ofNodes, []string{UsualKubeletDirectory}) {
		return ""
	}
	return strings.Join(slices.Sorted(slices.Values(ofNodes)), ",")
}

// KubeletDirectory is where the kubelets keep their sockets and their pods: where the
// user says so, or where the nodes agree on.
func (in Input) KubeletDirectory() string {
	found := in.Platform.KubeletDirectories
	if in.KubeletsDiffer() {
		found = in.KubeletDirectoryBefore
	}
	return cmp.Or(in.NSM.Spec.KubeletDirectory, found, UsualKubeletDirectory)
}

// KubeletsDiffer tells that no directory is right for all nodes.
func (in Input) KubeletsDiffer() bool { return strings.Contains(in.Platform.KubeletDirectories, ",") }

// MountedKubeletDirectory is the kubelet's directory that a workload mounts; "" for none.
func MountedKubeletDirectory(workload Object) string {
	return KubeletDirectoryIn(&PodTemplateOf(workload).Spec)
}

// KubeletDirectoryIn a pod of a mesh is the kubelet's directory that it mounts; "" for none.
func KubeletDirectoryIn(pod *corev1.PodSpec) string {
	for _, volume := range pod.Volumes {
		switch {
		case volume.HostPath == nil:
		case volume.Name == kubeletVolume:
			return volume.HostPath.Path
		case volume.Name == csiRegistrationVolume:
			return strings.TrimSuffix(volume.HostPath.Path, kubeletRegistrations)
		}
	}
	return ""
}

// MountsKubelets reports whether one of the components mounts the kubelet's directory.
func MountsKubelets(components []Component) bool {
	return slices.ContainsFunc(components, func(component Component) bool { return MountedKubeletDirectory(component.Workload) != "" })
}
