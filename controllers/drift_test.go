// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/backoff"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("Guarantee 2: whatever anybody changes on our objects comes back at once", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	// Each breaks one object, and says when it is whole again.
	DescribeTable("is counted and told",
		func(ctx SpecContext, kind, told string, breakIt func(context.Context, *nsmv1beta1.NSM), isWhole func(context.Context, *nsmv1beta1.NSM) bool) {
			nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
			before := repaired(kind)
			breakIt(ctx, nsm)
			// Of a mesh that is up nothing but the change itself wakes the loop.
			Eventually(func() bool { return isWhole(ctx, nsm) }).Should(BeTrue())
			Eventually(func() float64 { return repaired(kind) - before }).Should(Equal(1.0))
			Eventually(eventsOf(ctx, nsm)).Should(ContainElement(ContainSubstring(strings.ReplaceAll(told, "NAMESPACE", nsm.Namespace))))
			// The pods of what is down for long are looked at.
			bringAllUp(ctx, nsm)
			settle(o)
			reconcileOften(ctx, o, nsm)
		},
		Entry("an image", "DaemonSet", "Repaired: Repaired DaemonSet NAMESPACE/nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) {
					d.Spec.Template.Spec.Containers[0].Image = "example.com/other"
				})
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template.Spec.Containers[0].Image ==
					"ghcr.io/networkservicemesh/cmd-nsmgr:"+nsm.Spec.Version
			}),
		Entry("an environment variable that is gone", "DaemonSet", "Repaired: Repaired DaemonSet NAMESPACE/forwarder-vpp",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, get(ctx, nsm, "forwarder-vpp", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) {
					d.Spec.Template.Spec.Containers[0].Env = d.Spec.Template.Spec.Containers[0].Env[1:]
				})
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				for _, env := range get(ctx, nsm, "forwarder-vpp", &appsv1.DaemonSet{}).Spec.Template.Spec.Containers[0].Env {
					if env.Name == "SPIFFE_ENDPOINT_SOCKET" {
						return true
					}
				}
				return false
			}),
		Entry("a label", "Service", "Repaired: Repaired Service NAMESPACE/registry",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, get(ctx, nsm, "registry", &corev1.Service{}), func(s *corev1.Service) { delete(s.Labels, mesh.LabelPartOf) })
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return get(ctx, nsm, "registry", &corev1.Service{}).Labels[mesh.LabelPartOf] == mesh.PartOf
			}),
		Entry("the label by which the operator finds it", "Deployment", "Repaired: Repaired Deployment NAMESPACE/nsm-registry",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}), func(d *appsv1.Deployment) { delete(d.Labels, mesh.LabelManagedBy) })
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Labels[mesh.LabelManagedBy] == mesh.ManagedBy
			}),
		Entry("the label that says whose it is", "ClusterRole", "Repaired: Repaired ClusterRole nsm:NAMESPACE:nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, getClusterRole(ctx, nsm), func(r *rbacv1.ClusterRole) { delete(r.Labels, mesh.LabelNSM) })
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return getClusterRole(ctx, nsm).Labels[mesh.LabelNSM] == nsm.Name
			}),
		Entry("the owner", "ServiceAccount", "Repaired: Repaired ServiceAccount NAMESPACE/nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, get(ctx, nsm, "nsmgr", &corev1.ServiceAccount{}), func(s *corev1.ServiceAccount) { s.OwnerReferences = nil })
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				owner := metav1.GetControllerOf(get(ctx, nsm, "nsmgr", &corev1.ServiceAccount{}))
				return owner != nil && owner.UID == nsm.UID
			}),
		Entry("a rule that is too much", "ClusterRole", "Repaired: Repaired ClusterRole nsm:NAMESPACE:nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, getClusterRole(ctx, nsm), func(r *rbacv1.ClusterRole) {
					r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
				})
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				for _, rule := range getClusterRole(ctx, nsm).Rules {
					if rule.Resources[0] == "secrets" {
						return false
					}
				}
				return true
			}),
		Entry("the subject of a binding", "ClusterRoleBinding", "Repaired: Repaired ClusterRoleBinding nsm:NAMESPACE:nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, getBinding(ctx, nsm), func(b *rbacv1.ClusterRoleBinding) { b.Subjects[0].Name = "somebody" })
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return getBinding(ctx, nsm).Subjects[0].Name == "nsmgr"
			}),
		Entry("a deleted Service", "Service", "Repaired: Repaired Service NAMESPACE/registry",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				Expect(admin.Delete(ctx, get(ctx, nsm, "registry", &corev1.Service{}))).To(Succeed())
			}, hasAll),
		Entry("a deleted ClusterRoleBinding", "ClusterRoleBinding", "Repaired: Repaired ClusterRoleBinding nsm:NAMESPACE:nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				Expect(admin.Delete(ctx, getBinding(ctx, nsm))).To(Succeed())
			}, hasAll),
		Entry("a deleted DaemonSet", "DaemonSet", "Repaired: Repaired DaemonSet NAMESPACE/nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				Expect(admin.Delete(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}))).To(Succeed())
			}, hasAll),
		Entry("the mark that remembers what was applied", "DaemonSet", "Repaired: Repaired DaemonSet NAMESPACE/nsmgr",
			func(ctx context.Context, nsm *nsmv1beta1.NSM) {
				change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) { d.Annotations = nil })
			}, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return len(get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Annotations) > 0
			}),
	)

	It("and not when the loop looks by itself, unless the machine is busy each time", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		quickest := time.Hour
		for _, name := range []string{"nsmgr", "forwarder-vpp"} {
			image := func() string { return daemonSetOf(ctx, nsm, name).Spec.Template.Spec.Containers[0].Image }
			ours := image()
			for range backoff.FreeRepeats {
				began := time.Now()
				change(ctx, daemonSetOf(ctx, nsm, name), func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "example.com/other" })
				Eventually(image).Should(Equal(ours))
				quickest = min(quickest, time.Since(began))
			}
		}
		// At what is down it looks after five seconds.
		Expect(quickest).To(BeNumerically("<", 4*time.Second))
	})

	It("also when it was changed while the operator was away", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		o.stop()
		change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.HostPID = true; d.Labels = nil })
		change(ctx, getClusterRole(ctx, nsm), func(r *rbacv1.ClusterRole) { r.Rules = nil })

		startOperator()
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Eventually(func() []rbacv1.PolicyRule { return getClusterRole(ctx, nsm).Rules }).ShouldNot(BeEmpty())
	})

	Describe("what others own is left alone:", func() {
		It("the replicas of the registry, where the spec does not say how many", func(ctx SpecContext) {
			nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
			scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 3}}
			registry := get(ctx, nsm, "nsm-registry", &appsv1.Deployment{})
			Expect(admin.SubResource("scale").Update(ctx, registry, client.WithSubResourceBody(scale))).To(Succeed())
			setDeployment(ctx, nsm, "nsm-registry", pods{current: 3, updated: 3, ready: 3})
			// Counts alone are reported up to a second later.
			Eventually(func() []nsmv1beta1.ComponentStatus { return reread(ctx, nsm).Status.Components }).Should(
				ContainElement(And(HaveField("Name", "nsm-registry"), HaveField("Ready", HaveValue(Equal(int32(3)))))))
			settle(o)
			reconcileOften(ctx, o, nsm)
			Expect(get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Spec.Replicas).To(HaveValue(Equal(int32(3))))
		})

		It("the label by which Argo CD tracks its applications", func(ctx SpecContext) {
			nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
			const tracking = "app.kubernetes.io/instance"
			for _, object := range owned(ctx, nsm) {
				Expect(object.GetLabels()).NotTo(HaveKey(tracking), "Argo CD could take %s for its own", nameOf(object))
			}
			passes := reconciles()
			change(ctx, getClusterRole(ctx, nsm), func(r *rbacv1.ClusterRole) { r.Labels[tracking] = "an-application" })
			change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) { d.Labels[tracking] = "an-application" })
			Eventually(reconciles).Should(BeNumerically(">", passes))
			settle(o)
			reconcileOften(ctx, o, nsm)
			Expect(getClusterRole(ctx, nsm).Labels).To(HaveKeyWithValue(tracking, "an-application"))

			By("and the operator still finds what is its own")
			Expect(admin.Delete(ctx, nsm)).To(Succeed())
			Eventually(func() []string { return names(ctx, nsm) }).Should(BeEmpty())
		})

		It("a sidecar, a volume, labels and annotations that are not ours", func(ctx SpecContext) {
			nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
			passes := reconciles()
			change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) {
				d.Labels["example.com/label"], d.Annotations["example.com/annotation"] = "theirs", "theirs"
				d.Spec.Template.Annotations = map[string]string{"example.com/annotation": "theirs"}
				pod := &d.Spec.Template.Spec
				pod.Containers = append(pod.Containers, corev1.Container{Name: "sidecar", Image: "example.com/sidecar"})
				pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "theirs"})
				pod.Containers[0].Env = append(pod.Containers[0].Env, corev1.EnvVar{Name: "THEIRS", Value: "1"})
			})
			Eventually(reconciles).Should(BeNumerically(">", passes))
			setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 3})
			settle(o)
			reconcileOften(ctx, o, nsm)
			Expect(get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template.Spec.Containers).To(HaveLen(3))
		})
	})

	It("but another controller that always changes it back gets no endless fight, and people are told", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		const theirs = "example.com/theirs"
		image := func() string {
			return get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template.Spec.Containers[0].Image
		}
		meddle := func() {
			if image() != theirs {
				change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) {
					d.Spec.Template.Spec.Containers[0].Image = theirs
				})
			}
		}
		meddle()
		Eventually(image).ShouldNot(Equal(theirs))

		Consistently(func() int {
			meddle()
			return len(o.requests.writesTo("daemonsets"))
		}).WithTimeout(5*time.Second).Should(BeNumerically("<=", 7), "three at once, and then after 1, 2 and 4 seconds")
		Expect(len(o.requests.writesTo("nsms"))).To(BeNumerically("<=", 20), "nor does the status follow every blow")
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionDegraded)).Should(
			HavePrefix("somebody else keeps changing DaemonSet " + nsm.Namespace + "/nsmgr"))

		By("a change of the spec goes out all the same")
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
			nsm.Spec.Nsmgr = &nsmv1beta1.NsmgrSpec{}
			nsm.Spec.Nsmgr.Image = "example.com/ours"
		})
		Eventually(image).Should(Equal("example.com/ours"))
	})
})

var _ = Describe("What the spec no longer says goes away:", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	It("node selectors, variables, resources and all the rest", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, fullSpec())
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: nsm.Spec.Version})
		Eventually(func() map[string]string { return templates(ctx, nsm) }).ShouldNot(
			ContainElement(ContainSubstring("registry.example.com")), "all of them are new")
		bringAllUp(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)
		got := templates(ctx, nsm)

		By("leaving no difference to a mesh that never said it")
		remove(ctx, nsm)
		settle(o)
		fresh := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: nsm.Spec.Version})
		want := templates(ctx, fresh)
		for name, template := range got {
			Expect(strings.ReplaceAll(template, nsm.Namespace, fresh.Namespace)).To(Equal(want[name]), name)
		}
		Expect(got).To(HaveLen(len(want)))
	})

	It("a forwarder, and one with a new name takes its place", func(ctx SpecContext) {
		spec := nsmv1beta1.NSMSpec{Forwarders: []nsmv1beta1.ForwarderSpec{
			{Name: "one", Type: nsmv1beta1.ForwarderTypeVPP}, {Name: "two", Type: nsmv1beta1.ForwarderTypeSRIOV},
		}}
		nsm := newNSM(ctx, spec)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("DaemonSet one", "DaemonSet two", "ServiceAccount two"))
		settle(o)

		spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Name: "three", Type: nsmv1beta1.ForwarderTypeVPP}}
		setSpec(ctx, nsm, spec)
		Eventually(func() []string { return names(ctx, nsm) }).Should(And(
			ContainElements("DaemonSet three", "ServiceAccount three"),
			Not(ContainElement(HaveSuffix(" one"))), Not(ContainElement(HaveSuffix(" two")))))
		// In more than one event where a pass has broken off.
		Eventually(eventsOfReason(ctx, nsm, "Pruned")).Should(And(
			ContainElement(ContainSubstring("DaemonSet "+nsm.Namespace+"/one")), ContainElement(ContainSubstring("DaemonSet "+nsm.Namespace+"/two"))))
	})

	It("the registry's role when it turns from k8s to memory, which comes back with it", func(ctx SpecContext) {
		spec := nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{Replicas: ptr.To(int32(2))}}
		nsm := newAvailableNSM(ctx, o, spec)
		strategy := func() appsv1.DeploymentStrategyType {
			return get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Spec.Strategy.Type
		}

		spec.Registry = &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}
		setSpec(ctx, nsm, spec)
		Eventually(strategy).Should(Equal(appsv1.RecreateDeploymentStrategyType))
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement(HaveSuffix(":nsm-registry")))
		registry := get(ctx, nsm, "nsm-registry", &appsv1.Deployment{})
		Expect(registry.Spec.Strategy.RollingUpdate).To(BeNil())
		Expect(registry.Spec.Replicas).To(HaveValue(Equal(int32(1))))
		Expect(get(ctx, nsm, "registry", &corev1.Service{}).Spec.SessionAffinity).To(Equal(corev1.ServiceAffinityNone))
		setAllReady(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)

		spec.Registry = nil
		setSpec(ctx, nsm, spec)
		Eventually(strategy).Should(Equal(appsv1.RollingUpdateDeploymentStrategyType))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		setAllReady(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)
	})
})

var _ = Describe("What stands where our objects should", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	// foreign is a DaemonSet nsmgr that was there before the mesh.
	foreign := func(namespace string, labels, selector map[string]string) *appsv1.DaemonSet {
		return &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nsmgr", Labels: labels},
			Spec: appsv1.DaemonSetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: selector},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{
						"app": "nsmgr", mesh.LabelName: "nsmgr", mesh.LabelComponent: "nsmgr",
					}},
					Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "nsmgr", Image: "example.com/nsmgr"}}},
				},
			},
		}
	}
	ours := map[string]string{mesh.LabelName: "nsmgr", mesh.LabelComponent: "nsmgr"}
	other := map[string]string{"app": "nsmgr"}

	It("with our labels and another selector is replaced", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		before := foreign(namespace, map[string]string{
			mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNSM: "mesh", mesh.LabelNamespace: namespace,
		}, other)
		Expect(admin.Create(ctx, before)).To(Succeed())

		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		var after *appsv1.DaemonSet
		Eventually(func(g Gomega) {
			// The one that was there before counts as well, until it is replaced.
			g.Expect(names(ctx, nsm)).To(ConsistOf(wholeMesh))
			after = &appsv1.DaemonSet{}
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(before), after)).To(Succeed())
			g.Expect(after.Spec.Selector.MatchLabels).To(Equal(ours))
		}).Should(Succeed())
		Expect(after.Spec.Template.Spec.Containers).To(HaveLen(2))
		Expect(metav1.IsControlledBy(after, nsm)).To(BeTrue())
		Expect(after.UID).NotTo(Equal(before.UID))
		bringAllUp(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	DescribeTable("and has a field of somebody else's that does not go with ours loses it", func(ctx SpecContext, lose func(*appsv1.Deployment)) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		o.stop()
		before := get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{})
		change(ctx, before, func(registry *appsv1.Deployment) {
			registry.Spec.Replicas = ptr.To[int32](3)
			registry.Spec.Strategy.RollingUpdate.MaxSurge = ptr.To(intstr.FromInt32(2))
			lose(registry)
		})
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory}})
		startOperator()
		Eventually(func() appsv1.DeploymentStrategy {
			return get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{}).Spec.Strategy
		}).Should(Equal(appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}))
		after := get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{})
		Expect(after.UID).To(Equal(before.UID))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment "+mesh.RegistryName), "its labels are back")
		Expect(after.Spec.Replicas).To(HaveValue(BeEquivalentTo(3)), "that is left to others")
	},
		Entry("where it can be seen", func(*appsv1.Deployment) {}),
		Entry("where it has lost its labels as well", func(registry *appsv1.Deployment) { delete(registry.Labels, mesh.LabelManagedBy) }),
	)

	It("of an NSM that is gone goes on in one of the same name: a mesh that a backup has brought back", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		gone := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mesh", UID: "of-another-life"}}
		before := foreign(namespace, map[string]string{
			mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNSM: "mesh", mesh.LabelNamespace: namespace,
		}, ours)
		before.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(gone, nsmv1beta1.GroupVersion.WithKind("NSM"))}
		Expect(admin.Create(ctx, before)).To(Succeed())

		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Eventually(func() bool { return metav1.IsControlledBy(get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), nsm) }).Should(BeTrue())
		after := get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{})
		Expect(after.UID).To(Equal(before.UID))
		Expect(after.OwnerReferences).To(HaveLen(1))
	})
})

func hasAll(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
	return len(names(ctx, nsm)) == len(wholeMesh)
}

func getClusterRole(ctx context.Context, nsm *nsmv1beta1.NSM) *rbacv1.ClusterRole {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm:" + nsm.Namespace + ":nsmgr"}, role)).To(Succeed())
	return role
}

func getBinding(ctx context.Context, nsm *nsmv1beta1.NSM) *rbacv1.ClusterRoleBinding {
	GinkgoHelper()
	binding := &rbacv1.ClusterRoleBinding{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm:" + nsm.Namespace + ":nsmgr"}, binding)).To(Succeed())
	return binding
}

// setSpec replaces the spec of an NSM.
func setSpec(ctx context.Context, nsm *nsmv1beta1.NSM, spec nsmv1beta1.NSMSpec) {
	GinkgoHelper()
	change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
		spec.AdmissionWebhook = nsm.Spec.AdmissionWebhook
		nsm.Spec = spec
	})
}

// templates maps the workloads of an NSM to their specs.
func templates(ctx context.Context, nsm *nsmv1beta1.NSM) map[string]string {
	GinkgoHelper()
	found := map[string]string{}
	for _, object := range owned(ctx, nsm) {
		switch workload := object.(type) {
		case *appsv1.DaemonSet:
			found[nameOf(object)] = asJSON(workload.Spec)
		case *appsv1.Deployment:
			found[nameOf(object)] = asJSON(workload.Spec)
		case *corev1.Service:
			workload.Spec.ClusterIP, workload.Spec.ClusterIPs = "", nil
			found[nameOf(object)] = asJSON(workload.Spec)
		}
	}
	return found
}
