// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	securityv1 "github.com/openshift/api/security/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	// RoleImagePull is that of workloads whose pods have nodes pull images.
	RoleImagePull Role = "image-pull"
	// imagePullSuffix ends the names of such workloads.
	imagePullSuffix = "-image-pull"
	// neverStarts is a container that no pod has. A variable that refers to it keeps a
	// container from being created, after its image has been pulled; the kubelet's event
	// about that names it.
	neverStarts = "only-the-image-is-pulled"
	// noNode is a label that no node has.
	noNode = ownDomain + "no-node"
)

// ImagesOf are the images that the pods of a workload run, each once.
func ImagesOf(workload Object) []string {
	var images []string
	pod := PodTemplateOf(workload).Spec
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		if !slices.Contains(images, container.Image) {
			images = append(images, container.Image)
		}
	}
	return images
}

// ImagePull is a workload that has the nodes on which another one runs pull images,
// with the same credentials and the same pull policy: of a DaemonSet all of its nodes, of
// a Deployment one. Its containers are never created: the kubelet pulls the image of a
// container, and only then looks at the container's variables (kubelet,
// kuberuntime_container.go: startContainer), of which one refers to a container that
// does not exist. So nothing of an image runs, no image needs to hold a program, and
// every container runtime does the same. Its pods need no rights at all.
func ImagePull(workload Object, images []string, platform Platform) Object {
	template := imagePullTemplate(workload, images, platform)
	selector := &metav1.LabelSelector{MatchLabels: ImagePullSelector(workload)}
	meta := metav1.ObjectMeta{
		Namespace: workload.GetNamespace(), Name: workload.GetName() + imagePullSuffix,
		Labels: mergeMaps(workload.GetLabels(), ImagePullSelector(workload)), Annotations: maps.Clone(workload.GetAnnotations()),
		OwnerReferences: slices.Clone(workload.GetOwnerReferences()),
	}
	if _, isDaemonSet := workload.(*appsv1.DaemonSet); !isDaemonSet {
		return &appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
			ObjectMeta: meta,
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To(int32(1)), Selector: selector, Template: template,
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			},
		}
	}
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: meta,
		Spec: appsv1.DaemonSetSpec{
			Selector: selector, Template: template,
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type:          appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: ptr.To(intstr.FromString("100%"))},
			},
		},
	}
}

// AvoidNodes has the ImagePull of a Deployment, for which any node will do, use none of some
// nodes.
func AvoidNodes(pull Object, nodes []string) {
	for _, term := range placesOf(pull) {
		for _, node := range nodes {
			if !slices.Contains(avoidedBy(*term), node) {
				term.MatchFields = append(term.MatchFields, corev1.NodeSelectorRequirement{
					Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpNotIn, Values: []string{node},
				})
			}
		}
	}
}

// AvoidedNodes are those that the ImagePull of a Deployment does not use.
func AvoidedNodes(pull Object) []string {
	terms := placesOf(pull)
	if len(terms) == 0 {
		return nil
	}
	return slices.DeleteFunc(avoidedBy(*terms[0]), func(node string) bool {
		return slices.ContainsFunc(terms, func(term *corev1.NodeSelectorTerm) bool { return !slices.Contains(avoidedBy(*term), node) })
	})
}

// placesOf an ImagePull of a Deployment are the terms that a node has to meet one of; all
// pods of a mesh have such terms. None meets one that says nothing.
func placesOf(pull Object) []*corev1.NodeSelectorTerm {
	deployment, isDeployment := pull.(*appsv1.Deployment)
	if !isDeployment {
		return nil
	}
	affinity := ptr.Deref(deployment.Spec.Template.Spec.Affinity, corev1.Affinity{})
	required := ptr.Deref(affinity.NodeAffinity, corev1.NodeAffinity{}).RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return nil // somebody has taken them off a live one
	}
	var terms []*corev1.NodeSelectorTerm
	for i := range required.NodeSelectorTerms {
		if term := &required.NodeSelectorTerms[i]; len(term.MatchExpressions)+len(term.MatchFields) > 0 {
			terms = append(terms, term)
		}
	}
	return terms
}

// avoidedBy a term are the nodes that it names as such.
func avoidedBy(term corev1.NodeSelectorTerm) []string {
	var nodes []string
	for _, field := range term.MatchFields {
		if field.Key == metav1.ObjectNameField && field.Operator == corev1.NodeSelectorOpNotIn {
			nodes = append(nodes, field.Values...)
		}
	}
	return nodes
}

// ImagesPulled is what an ImagePull becomes when its images are where they should be: it
// has no pods any more, and shows that they have been pulled.
func ImagesPulled(pull Object) Object {
	switch done := pull.DeepCopyObject().(type) {
	case *appsv1.DaemonSet:
		done.Spec.Template.Spec.NodeSelector = mergeMaps(done.Spec.Template.Spec.NodeSelector, map[string]string{noNode: ""})
		return done
	case *appsv1.Deployment:
		done.Spec.Replicas = ptr.To(int32(0))
		return done
	default:
		panic("an ImagePull is a DaemonSet or a Deployment")
	}
}

// ImagePullSelector finds the pods of the ImagePull of a workload, and no others.
func ImagePullSelector(workload Object) map[string]string {
	return map[string]string{LabelName: workload.GetLabels()[LabelName], LabelComponent: string(RoleImagePull)}
}

// IsImagePull reports whether an object of a mesh has nodes pull images.
func IsImagePull(object metav1.Object) bool {
	return object.GetLabels()[LabelComponent] == string(RoleImagePull)
}

// IsImagePullName reports whether a workload has the name of one that pulls images.
func IsImagePullName(name string) bool { return strings.HasSuffix(name, imagePullSuffix) }

func imagePullTemplate(workload Object, images []string, platform Platform) corev1.PodTemplateSpec {
	original := PodTemplateOf(workload).DeepCopy()
	pod := corev1.PodSpec{
		ServiceAccountName:            original.Spec.ServiceAccountName,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To(int64(0)),
		ImagePullSecrets:              original.Spec.ImagePullSecrets,
		NodeSelector:                  original.Spec.NodeSelector,
		Tolerations:                   original.Spec.Tolerations,
		Affinity:                      original.Spec.Affinity,
		SecurityContext:               Input{Platform: platform}.nonRootUser(),
	}
	policy := original.Spec.Containers[0].ImagePullPolicy
	for i, image := range images {
		pod.Containers = append(pod.Containers, imagePullContainer(fmt.Sprintf("image-%d", i), image, policy))
	}
	// SPIRE gives an identity to what has this label.
	delete(original.Labels, labelSpiffeID)
	delete(original.Labels, labelApp)
	maps.DeleteFunc(original.Annotations, func(key, _ string) bool { return IsOwnAnnotation(key) })
	if _, isConstrained := original.Annotations[securityv1.RequiredSCCAnnotation]; isConstrained {
		original.Annotations[securityv1.RequiredSCCAnnotation] = restrictedSCC
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels: mergeMaps(original.Labels, ImagePullSelector(workload)), Annotations: original.Annotations,
		},
		Spec: pod,
	}
}

func imagePullContainer(name, image string, policy corev1.PullPolicy) corev1.Container {
	// A quota may ask for both. The pod's sandbox, which does run, gets the sum of the limits.
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	return corev1.Container{
		Name: name, Image: image, ImagePullPolicy: policy,
		Env: []corev1.EnvVar{{Name: "NEVER_STARTED", ValueFrom: &corev1.EnvVarSource{
			ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: neverStarts, Resource: "requests.cpu", Divisor: resource.MustParse("0")},
		}}},
		Resources:       corev1.ResourceRequirements{Requests: requests, Limits: limits},
		SecurityContext: confined(),
	}
}
