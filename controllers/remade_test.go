// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("A field that leaves the NSM leaves the object", func() {
	const zone, variable = "example.com/zone", "LEAVES"

	// manager's pod, as far as the NSM says something about it.
	manager := func(ctx context.Context, nsm *nsmv1beta1.NSM) corev1.PodSpec {
		GinkgoHelper()
		return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec
	}
	full := func() nsmv1beta1.NSMSpec {
		spec := nsmv1beta1.NSMSpec{Nsmgr: &nsmv1beta1.NsmgrSpec{}}
		spec.Nsmgr.NodeSelector = map[string]string{zone: "a"}
		spec.Nsmgr.Env = []corev1.EnvVar{{Name: variable, Value: "1"}}
		return spec
	}
	expectNothingOfIt := func(ctx context.Context, nsm *nsmv1beta1.NSM) {
		GinkgoHelper()
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: nsm.Spec.Version})
		Eventually(func() map[string]string { return manager(ctx, nsm).NodeSelector }).WithTimeout(soon).ShouldNot(HaveKey(zone))
		Eventually(func() []corev1.EnvVar { return manager(ctx, nsm).Containers[0].Env }).WithTimeout(soon).
			ShouldNot(ContainElement(HaveField("Name", variable)))
		for _, entry := range daemonSetOf(ctx, nsm, "nsmgr").ManagedFields {
			Expect(entry.Subresource != "" || entry.Manager == mesh.FieldOwner && entry.Operation == metav1.ManagedFieldsOperationApply).
				To(BeTrue(), "%s has fields by %s", entry.Manager, entry.Operation)
		}
	}

	It("also where another tool has made that anew while there was no operator", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, full())
		o.stop()
		backup := daemonSetOf(ctx, nsm, "nsmgr")
		Expect(admin.Delete(ctx, backup)).To(Succeed())
		restored := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{
			Namespace: backup.Namespace, Name: backup.Name, Labels: backup.Labels, Annotations: backup.Annotations, OwnerReferences: backup.OwnerReferences,
		}, Spec: backup.Spec}
		Expect(admin.Create(ctx, restored, client.FieldOwner("velero-server"))).To(Succeed())
		o = startOperator()
		setAllReady(ctx, nsm)
		settle(o)
		expectNothingOfIt(ctx, nsm)
	})

	It("also where the spec had to be replaced as a whole", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		o.stop()
		change(ctx, get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{}), func(registry *appsv1.Deployment) {
			registry.Spec.Strategy.RollingUpdate.MaxSurge = ptr.To(percent("50%"))
		})
		spec := nsmv1beta1.NSMSpec{Version: nsm.Spec.Version, Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}}
		spec.Registry.NodeSelector = map[string]string{zone: "a"}
		setSpec(ctx, nsm, spec)
		startOperator()
		selector := func() map[string]string {
			return get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{}).Spec.Template.Spec.NodeSelector
		}
		Eventually(selector).WithTimeout(soon).Should(HaveKey(zone))
		spec.Registry.NodeSelector = nil
		setSpec(ctx, nsm, spec)
		Eventually(selector).WithTimeout(soon).ShouldNot(HaveKey(zone))
	})
})

var _ = Describe("What somebody does to the pods of a mesh", func() {
	It("by kubectl rollout restart, is left alone", func(ctx SpecContext) {
		const restarted = "kubectl.kubernetes.io/restartedAt"
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		change(ctx, daemonSetOf(ctx, nsm, "nsmgr"), func(d *appsv1.DaemonSet) {
			d.Spec.Template.Annotations = map[string]string{restarted: "2026-11-28T12:00:00Z"}
		})
		change(ctx, get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{}), func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{restarted: "2026-11-28T12:00:00Z"}
		})
		setAllReady(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)
		Expect(daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Annotations).To(HaveKey(restarted))
		Expect(get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{}).Spec.Template.Annotations).To(HaveKey(restarted))
	})

	It("by a node selector of his own, which could take all of them down, is taken back", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		before := daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec.NodeSelector
		change(ctx, daemonSetOf(ctx, nsm, "nsmgr"), func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.NodeSelector["example.com/theirs"] = "yes"
		})
		Eventually(func() map[string]string { return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec.NodeSelector }).WithTimeout(soon).Should(Equal(before))
		Eventually(eventsOf(ctx, nsm)).WithTimeout(soon).Should(ContainElement(HavePrefix("Repaired: Repaired DaemonSet " + nsm.Namespace + "/nsmgr")))
	})
})
