// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	// nodeCritical is the priority class of what a node's pods depend on: it goes
	// last when the node runs out of resources, and takes the place of others.
	nodeCritical = "system-node-critical"
	// clusterCritical is that of what may run on any node.
	clusterCritical = "system-cluster-critical"
	// NoPriorityClass in an NSM leaves the class out of the pods. No class has such
	// a name, which is no DNS subdomain.
	NoPriorityClass = "None"
)

// priorityClass of the component's pods: the component's, or else the mesh's, or else
// the default.
func (p part) priorityClass(byDefault string) string {
	class := cmp.Or(p.spec.PriorityClassName, p.NSM.Spec.PriorityClassName, byDefault)
	if class == NoPriorityClass {
		return ""
	}
	return class
}

// replicate runs a Deployment with a number of pods, nil for nobody's business.
// Several are spread over the nodes, unless the user's affinity says where they
// go: the pods of one ReplicaSet, so that those that a rollout replaces do not
// count.
func (p part) replicate(deployment *appsv1.Deployment, replicas *int32) {
	deployment.Spec.Replicas = replicas
	if ptr.Deref(replicas, 1) < 2 || p.spec.Affinity != nil {
		return
	}
	deployment.Spec.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew:           1,
		TopologyKey:       corev1.LabelHostname,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: p.selector()},
		MatchLabelKeys:    []string{appsv1.DefaultDeploymentUniqueLabelKey},
	}}
}

// disruptionBudget lets a drain take one of several pods at a time, and those that
// are down anyway; nothing for a single pod, which would keep a node from being
// drained.
func (p part) disruptionBudget(replicas *int32) []Object {
	if ptr.Deref(replicas, 1) < 2 {
		return nil
	}
	return []Object{&policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: policyv1.SchemeGroupVersion.String(), Kind: "PodDisruptionBudget"},
		ObjectMeta: p.meta(p.name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             ptr.To(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: p.selector()},
			UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
		},
	}}
}
