// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// NodeSelector of a component, which may have one of its own, even an empty one.
func NodeSelector(spec *nsmv1beta1.NSMSpec, own map[string]string) map[string]string {
	if own != nil {
		return own
	}
	return spec.NodeSelector
}

// amd64 is the value of the label kubernetes.io/arch that images without others need.
const amd64 = "amd64"

// virtualNodes are no machines that a DaemonSet could serve. Their taints keep pods
// off, and a mesh with tolerations for all taints would wait for them for ever: nodes
// of virtual-kubelet, as AKS labels its own, and of AWS Fargate.
var virtualNodes = []corev1.NodeSelectorRequirement{
	{Key: "type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"virtual-kubelet"}},
	{Key: "eks.amazonaws.com/compute-type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"fargate"}},
}

// schedule says where the component's pods run: what the component says takes the
// place of what the mesh says.
func (p part) schedule(pod *corev1.PodSpec) {
	pod.NodeSelector = mergeMaps(p.architecture(), NodeSelector(&p.NSM.Spec, p.spec.NodeSelector))
	// Else a node with Windows would get a pod that it cannot run.
	pod.NodeSelector = mergeMaps(pod.NodeSelector, map[string]string{corev1.LabelOSStable: string(corev1.Linux)})
	pod.Tolerations = p.spec.Tolerations
	if pod.Tolerations == nil {
		pod.Tolerations = p.NSM.Spec.Tolerations
	}
	pod.Affinity = offVirtualNodes(p.spec.Affinity)
}

// architecture is what the component's image is limited to, where the user does not
// say otherwise.
func (p part) architecture() map[string]string {
	if p.amd64Only {
		return map[string]string{corev1.LabelArchStable: amd64}
	}
	return nil
}

// offVirtualNodes adds to an affinity that it keeps off virtual nodes. A node has to
// meet one of the terms, and all that this one says; a term that says nothing is met
// by none, and stays so.
func offVirtualNodes(users *corev1.Affinity) *corev1.Affinity {
	affinity := &corev1.Affinity{}
	if users != nil {
		affinity = users.DeepCopy()
	}
	if affinity.NodeAffinity == nil {
		affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: virtualNodes}},
		}
		return affinity
	}
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		if len(term.MatchExpressions)+len(term.MatchFields) > 0 {
			term.MatchExpressions = append(term.MatchExpressions, virtualNodes...)
		}
	}
	return affinity
}
