// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// forEachPull checks what pulls the images of each component of a mesh.
func forEachPull(t *testing.T, platform mesh.Platform, check func(g *WithT, component mesh.Component, pull mesh.Object, pod corev1.PodSpec)) {
	t.Helper()
	nsm := &nsmv1beta1.NSM{Spec: nsmv1beta1.NSMSpec{
		Nsmgr:     &nsmv1beta1.NsmgrSpec{},
		Images:    &nsmv1beta1.ImagesSpec{PullPolicy: corev1.PullAlways, PullSecrets: []nsmv1beta1.PullSecret{{Name: "mirror"}}},
		CSIDriver: &nsmv1beta1.CSIDriverSpec{},
	}}
	nsm.Namespace, nsm.Name = "nsm", "mesh"
	nsm.Spec.Nsmgr.NodeSelector = map[string]string{"zone": "a"}
	nsm.Spec.Nsmgr.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
	in := mesh.Input{NSM: nsm, Release: release.Newest(), Platform: platform}
	for _, component := range mesh.Components(in) {
		t.Run(component.Workload.GetName(), func(t *testing.T) {
			pull := mesh.ImagePull(component.Workload, mesh.ImagesOf(component.Workload), platform)
			check(NewWithT(t), component, pull, mesh.PodTemplateOf(pull).Spec)
		})
	}
}

func TestImagesArePulledAsTheWorkloadWouldDo(t *testing.T) {
	forEachPull(t, mesh.Platform{}, func(g *WithT, component mesh.Component, pull mesh.Object, pod corev1.PodSpec) {
		original := mesh.PodTemplateOf(component.Workload).Spec
		g.Expect(mesh.KindOf(pull)).To(Equal(mesh.KindOf(component.Workload)))
		g.Expect(mesh.ImagesOf(pull)).To(Equal(mesh.ImagesOf(component.Workload)))
		g.Expect(pod.NodeSelector).To(Equal(original.NodeSelector))
		g.Expect(pod.Tolerations).To(Equal(original.Tolerations))
		g.Expect(pod.Affinity).To(Equal(original.Affinity))
		g.Expect(pod.ImagePullSecrets).To(Equal(original.ImagePullSecrets))
		g.Expect(pod.ServiceAccountName).To(Equal(original.ServiceAccountName), "it may have pull secrets of its own")
		for _, container := range pod.Containers {
			g.Expect(container.ImagePullPolicy).To(Equal(corev1.PullAlways))
		}
	})
}

func TestPodsThatPullImagesHaveNoRights(t *testing.T) {
	for _, platform := range []mesh.Platform{{}, {OpenShift: true}} {
		forEachPull(t, platform, func(g *WithT, component mesh.Component, pull mesh.Object, pod corev1.PodSpec) {
			g.Expect(*pod.AutomountServiceAccountToken).To(BeFalse())
			g.Expect(pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Volumes) > 0).To(BeFalse())
			g.Expect(pod.PriorityClassName).To(BeEmpty(), "no other pod has to go for it")
			g.Expect(*pod.SecurityContext.RunAsNonRoot).To(BeTrue())
			for _, container := range pod.Containers {
				g.Expect(container.SecurityContext.Privileged).To(BeNil())
				g.Expect(*container.SecurityContext.AllowPrivilegeEscalation).To(BeFalse())
				g.Expect(container.SecurityContext.Capabilities.Drop).To(ConsistOf(corev1.Capability("ALL")))
				g.Expect(container.SecurityContext.SeccompProfile.Type).To(Equal(corev1.SeccompProfileTypeRuntimeDefault))
			}
			labels := mesh.PodTemplateOf(pull).Labels
			g.Expect(labels).NotTo(HaveKey("spiffe.io/spiffe-id"), "it needs no identity")
			for key, value := range selectorOf(component.Workload) {
				if labels[key] != value {
					return
				}
			}
			g.Expect(labels).To(BeEmpty(), "a pod that pulls must not be taken for one of the workload")
		})
	}
}

// The kubelet creates a container after it has looked up its variables, and that after it
// has pulled its image.
func TestContainersOfPodsThatPullAreNeverCreated(t *testing.T) {
	forEachPull(t, mesh.Platform{}, func(g *WithT, _ mesh.Component, _ mesh.Object, pod corev1.PodSpec) {
		for _, container := range pod.Containers {
			source := container.Env[0].ValueFrom.ResourceFieldRef.ContainerName
			g.Expect(slices.ContainsFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == source })).To(BeFalse())
			g.Expect(source).NotTo(BeEmpty())
		}
	})
}

func TestWhatHasPulledItsImagesHasNoPods(t *testing.T) {
	forEachPull(t, mesh.Platform{}, func(g *WithT, _ mesh.Component, pull mesh.Object, _ corev1.PodSpec) {
		switch done := mesh.ImagesPulled(pull).(type) {
		case *appsv1.DaemonSet:
			g.Expect(done.Spec.Template.Spec.NodeSelector).To(HaveKey("nsm.networkservicemesh.io/no-node"))
		case *appsv1.Deployment:
			g.Expect(*done.Spec.Replicas).To(BeZero())
		}
		g.Expect(mesh.ImagesPulled(pull)).NotTo(Equal(pull))
	})
}

// TestImagesOfADeploymentArePulledOnOtherNodesThanSome, whatever the user says about nodes.
func TestImagesOfADeploymentArePulledOnOtherNodesThanSome(t *testing.T) {
	forEachPull(t, mesh.Platform{}, func(g *WithT, _ mesh.Component, pull mesh.Object, _ corev1.PodSpec) {
		required := func() *corev1.NodeSelector {
			return mesh.PodTemplateOf(pull).Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		}
		not := func(node string) corev1.NodeSelectorRequirement {
			return corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: corev1.NodeSelectorOpNotIn, Values: []string{node}}
		}
		users := corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{not("c")}}
		required().NodeSelectorTerms = append(required().NodeSelectorTerms, users, corev1.NodeSelectorTerm{})
		before := required().DeepCopy()
		g.Expect(mesh.AvoidedNodes(pull)).To(BeEmpty(), "the other term is enough for node c")
		mesh.AvoidNodes(pull, nil)
		g.Expect(required()).To(Equal(before))
		mesh.AvoidNodes(pull, []string{"b", "a", "b"})
		if mesh.KindOf(pull) == "DaemonSet" {
			g.Expect(required()).To(Equal(before), "each of its nodes needs the images")
			return
		}
		mesh.AvoidNodes(pull, mesh.AvoidedNodes(pull))
		g.Expect(mesh.AvoidedNodes(pull)).To(Equal([]string{"b", "a"}), "they can be read from it")
		g.Expect(required().NodeSelectorTerms[0].MatchFields).To(Equal([]corev1.NodeSelectorRequirement{not("b"), not("a")}))
		g.Expect(required().NodeSelectorTerms[1].MatchFields).To(Equal([]corev1.NodeSelectorRequirement{not("c"), not("b"), not("a")}))
		g.Expect(required().NodeSelectorTerms[2]).To(Equal(corev1.NodeSelectorTerm{}), "no node meets it")
	})
	deployment := &appsv1.Deployment{}
	NewWithT(t).Expect(mesh.AvoidedNodes(deployment)).To(BeEmpty(), "somebody has changed it")
}

func selectorOf(workload mesh.Object) map[string]string {
	switch workload := workload.(type) {
	case *appsv1.DaemonSet:
		return workload.Spec.Selector.MatchLabels
	case *appsv1.Deployment:
		return workload.Spec.Selector.MatchLabels
	default:
		return nil
	}
}
