// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// How a workload stands, and the releases that it goes from and to.
var (
	oneUp    = pods{current: 1, updated: 1, ready: 1}
	twoUp    = pods{current: 2, updated: 2, ready: 2}
	threeUp  = pods{desired: 3, current: 3, updated: 3, ready: 3}
	oneDown  = pods{desired: 3, current: 3, updated: 1, ready: 2}
	oldState = "v1.17.0"
	newState = "v1.18.0"
)

// releases are the releases that the workloads of a mesh have been told to run.
func releases(ctx context.Context, nsm *nsmv1beta1.NSM) func() map[string]string {
	return func() map[string]string {
		found := map[string]string{}
		for _, object := range owned(ctx, nsm) {
			switch object.(type) {
			case *appsv1.DaemonSet, *appsv1.Deployment:
				found[object.GetName()] = object.GetLabels()[mesh.LabelVersion]
			}
		}
		return found
	}
}

var _ = Describe("Guarantee 6: a release change goes stage by stage, each ready before the next", func() {
	var (
		o   *operator
		nsm *nsmv1beta1.NSM
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		nsm = newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: oldState})
	})

	upgrade := func(ctx SpecContext, how nsmv1beta1.UpgradeSpec) {
		GinkgoHelper()
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook, Upgrade: &how})
	}

	It("registry, managers, forwarders", func(ctx SpecContext) {
		upgrade(ctx, nsmv1beta1.UpgradeSpec{})
		Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": newState, "nsmgr": oldState, "forwarder-vpp": oldState}))
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", oldState), "the managers wait for the registry")

		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": newState, "nsmgr": newState, "forwarder-vpp": oldState}))
		step(ctx, nsm, "nsmgr", oneDown)
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("forwarder-vpp", oldState), "the forwarders wait for the managers")
		Expect(reread(ctx, nsm).Status.Version).To(Equal(oldState))

		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("forwarder-vpp", newState))
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(func() string { return reread(ctx, nsm).Status.Version }).Should(Equal(newState))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
	})

	It("and halts at one that does not come up in time, saying which", func(ctx SpecContext) {
		upgrade(ctx, nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Second}})
		Eventually(condition(ctx, nsm, degraded)).WithTimeout(20 * time.Second).Should(Equal("True"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring("Deployment " + nsm.Namespace + "/nsm-registry"))
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsmgr", oldState))

		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsmgr", newState), "it goes on when the obstacle is gone")
	})

	// takeBack lets the upgrade fail, and the release before come up again.
	takeBack := func(ctx SpecContext) {
		GinkgoHelper()
		upgrade(ctx, nsmv1beta1.UpgradeSpec{
			ProgressDeadline: &metav1.Duration{Duration: time.Second}, OnFailure: nsmv1beta1.UpgradeFailureRollback,
		})
		Eventually(releases(ctx, nsm)).WithTimeout(20 * time.Second).Should(HaveKeyWithValue("nsm-registry", newState))
		Eventually(releases(ctx, nsm)).WithTimeout(20 * time.Second).Should(HaveKeyWithValue("nsm-registry", oldState))
		Expect(messageOf(ctx, nsm, degraded)()).To(And(ContainSubstring(newState), ContainSubstring(oldState+" runs again")))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(And(HavePrefix("RolledBack: "), ContainSubstring(oldState+" runs again"))))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionStalled)()).To(Equal("True"))
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	}

	It("or goes back to the release before, until the spec changes", func(ctx SpecContext) {
		takeBack(ctx)
		Expect(condition(ctx, nsm, degraded)()).To(Equal("True"), "people are told until they change the spec")
		upgrade(ctx, nsmv1beta1.UpgradeSpec{})
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
	})

	It("and does not forget that when a write fails", func(ctx SpecContext) {
		takeBack(ctx)
		forbid(ctx, "daemonsets", "patch")
		change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(daemonSet *appsv1.DaemonSet) {
			daemonSet.Spec.Template.Spec.Containers[0].Image = "example.com/other:1"
		})
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring("tries again"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring(oldState + " runs again"))
		Expect(releases(ctx, nsm)()).To(HaveKeyWithValue("nsm-registry", oldState))
	})
})

var _ = Describe("A status that somebody else has written", func() {
	DescribeTable("chooses no release", func(ctx SpecContext, version string) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Version: newState})
		settle(o)
		before := releases(ctx, nsm)()
		forged := reread(ctx, nsm)
		forged.Status.Version = version
		meta.SetStatusCondition(&forged.Status.Conditions, metav1.Condition{
			Type: nsmv1beta1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "RolledBack", ObservedGeneration: forged.Generation,
		})
		Expect(admin.Status().Update(ctx, forged)).To(Succeed())
		change(ctx, forged, func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{"example.com/wake": "up"} })
		Eventually(func() string { return reread(ctx, nsm).Status.Version }).Should(Equal(newState))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		Expect(releases(ctx, nsm)()).To(Equal(before))
	},
		Entry("that there is", "v1.0.0"),
		Entry("that there is not", "nonsense"),
		Entry("that is too large a number", "v99999999999999999999.0.0"),
	)
})

var _ = Describe("What an earlier operator made for an NSM", func() {
	orphan := func(nsm *nsmv1beta1.NSM, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: nsm.Namespace, Name: name, Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(nsm, nsmv1beta1.GroupVersion.WithKind("NSM"))},
		}
	}
	template := func(app string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/old"}}},
		}
	}
	selector := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}

	It("is taken over one component at a time, and what is no longer wanted goes", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.9.0"})
		leftService := &corev1.Service{ObjectMeta: orphan(nsm, "nsm-registry-svc"), Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{Port: 5002}},
		}}
		leftForwarder := &appsv1.DaemonSet{ObjectMeta: orphan(nsm, "forwarder-ovs"), Spec: appsv1.DaemonSetSpec{
			Selector: selector("forwarder"), Template: template("forwarder"),
		}}
		for _, object := range []client.Object{
			leftService, leftForwarder,
			&appsv1.Deployment{ObjectMeta: orphan(nsm, "nsm-registry"), Spec: appsv1.DeploymentSpec{Selector: selector("nsm-registry"), Template: template("nsm-registry")}},
			&appsv1.DaemonSet{ObjectMeta: orphan(nsm, "nsmgr"), Spec: appsv1.DaemonSetSpec{Selector: selector("nsmgr"), Template: template("nsmgr")}},
			&appsv1.DaemonSet{ObjectMeta: orphan(nsm, "forwarder-vpp"), Spec: appsv1.DaemonSetSpec{Selector: selector("forwarder"), Template: template("forwarder")}},
		} {
			Expect(admin.Create(ctx, object)).To(Succeed())
		}
		o := startOperator()

		Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": "v1.9.0"}))
		settle(o)
		Expect(releases(ctx, nsm)()).To(HaveLen(1), "the managers go on until the registry is up")
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveLen(2))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveLen(3))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(leftService), leftService)).To(Succeed(), "until all is up, nothing is dropped")

		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		for _, left := range []client.Object{leftService, leftForwarder} {
			Eventually(func() bool {
				return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(left), left))
			}).Should(BeTrue(), left.GetName())
		}
	})

	It("is found by its Services until it is their turn", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.9.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		service := &corev1.Service{ObjectMeta: orphan(nsm, mesh.WebhookService), Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": mesh.WebhookName}, Ports: []corev1.ServicePort{{Port: 443}},
		}}
		old := &appsv1.Deployment{ObjectMeta: orphan(nsm, mesh.WebhookName), Spec: appsv1.DeploymentSpec{
			Selector: selector(mesh.WebhookName), Template: template(mesh.WebhookName),
		}}
		Expect(admin.Create(ctx, service)).To(Succeed())
		Expect(admin.Create(ctx, old)).To(Succeed())
		finds := func() map[string]string {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(service), service)).To(Succeed())
			return service.Spec.Selector
		}
		o := startOperator()
		Eventually(releases(ctx, nsm)).Should(HaveKey("nsm-registry"))
		settle(o)
		Expect(finds()).To(Equal(map[string]string{"app": mesh.WebhookName}), "no pod can be made while nobody answers for it")

		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey("nsmgr"))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey("forwarder-vpp"))
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey(mesh.WebhookName))
		Eventually(finds).Should(HaveKeyWithValue(mesh.LabelName, mesh.WebhookName))
	})
})
