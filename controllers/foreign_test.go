// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("An object of somebody else in the place of one of the mesh", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	reason := func(ctx context.Context, nsm *nsmv1beta1.NSM) func() string {
		return func() string {
			GinkgoHelper()
			found := meta.FindStatusCondition(reread(ctx, nsm).Status.Conditions, degraded)
			return ptr.Deref(found, metav1.Condition{}).Reason
		}
	}
	withCSI := nsmv1beta1.NSMSpec{CSIDriver: &nsmv1beta1.CSIDriverSpec{}}
	withWebhook := nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}}

	DescribeTable("is left alone, with the mesh and after it, and told:",
		func(ctx SpecContext, theirs client.Object, spec nsmv1beta1.NSMSpec, held string) {
			namespace := newNamespace(ctx)
			theirs.SetName(strings.ReplaceAll(theirs.GetName(), "NAMESPACE", namespace))
			if isNamespaced, err := admin.IsObjectNamespaced(theirs); err == nil && isNamespaced {
				theirs.SetNamespace(namespace)
			}
			theirs.SetLabels(map[string]string{mesh.LabelManagedBy: "Helm"})
			Expect(admin.Create(ctx, theirs, client.FieldOwner("helm"))).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, theirs))).To(Succeed()) })
			before := theirs.GetResourceVersion()
			expectUntouched := func() {
				GinkgoHelper()
				Expect(admin.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
				Expect(theirs.GetResourceVersion()).To(Equal(before))
			}

			nsm := newNSMIn(ctx, namespace, spec)
			Eventually(messageOf(ctx, nsm, degraded)).Should(And(
				ContainSubstring(theirs.GetName()+" is in the way"), ContainSubstring("it was written by helm"), ContainSubstring("delete it")))
			Expect(reason(ctx, nsm)()).To(Equal("NotOurs"))
			Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("DaemonSet forwarder-vpp", "ServiceAccount forwarder-vpp"))
			Eventually(func() string {
				setAllReady(ctx, nsm) // also what has been made since
				return messageOf(ctx, nsm, available)()
			}).Should(MatchRegexp(strings.ReplaceAll(held, " ", " .*/") + " is not changed while .*" + theirs.GetName()))
			settle(o)
			Expect(names(ctx, nsm)).NotTo(ContainElement(held), "it would run with what is somebody else's")
			expectUntouched()

			By("goes on in its place when the mesh is deleted")
			Expect(admin.Delete(ctx, nsm)).To(Succeed())
			Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
			expectUntouched()
		},
		Entry("a Service of another application", &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "registry"},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "images"}, Ports: []corev1.ServicePort{{Port: 5000}}},
		}, nsmv1beta1.NSMSpec{}, "Deployment nsm-registry"),
		Entry("a ServiceAccount", &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "nsmgr"}}, nsmv1beta1.NSMSpec{}, "DaemonSet nsmgr"),
		Entry("a ClusterRole", &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "nsm:NAMESPACE:nsmgr"}}, nsmv1beta1.NSMSpec{}, "DaemonSet nsmgr"),
		Entry("a DaemonSet with our selector", theirDaemonSet(), nsmv1beta1.NSMSpec{}, "DaemonSet nsmgr"),
		Entry("a Secret with somebody's keys", &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: mesh.WebhookSecret}, StringData: map[string]string{"password": "theirs"},
		}, withWebhook, "Deployment admission-webhook-k8s"),
		Entry("a CSIDriver that is another one", &storagev1.CSIDriver{
			ObjectMeta: metav1.ObjectMeta{Name: "csi.networkservicemesh.io"},
			Spec:       storagev1.CSIDriverSpec{AttachRequired: ptr.To(true)},
		}, withCSI, "DaemonSet nsm-csi"),
	)

	It("keeps nothing back for longer than it is there", func(ctx SpecContext) {
		o.stop()
		o = impatient(mesh.Platform{})
		namespace := newNamespace(ctx)
		theirs := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nsm-registry"}}
		Expect(admin.Create(ctx, theirs)).To(Succeed())
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		Eventually(reason(ctx, nsm)).Should(Equal("NotOurs"))

		Expect(admin.Delete(ctx, theirs)).To(Succeed())
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		bringAllUp(ctx, nsm)
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("is used as it is where a whole cluster shares it and it says the same", func(ctx SpecContext) {
		first := newNSM(ctx, withCSI)
		Eventually(func() []string { return names(ctx, first) }).Should(ContainElements("DaemonSet nsm-csi", "CSIDriver csi.networkservicemesh.io"))
		settle(o)
		theirs := &storagev1.CSIDriver{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "csi.networkservicemesh.io"}, theirs)).To(Succeed())
		remove(ctx, first)
		theirs.ObjectMeta = metav1.ObjectMeta{Name: theirs.Name}
		Expect(admin.Create(ctx, theirs)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, theirs))).To(Succeed()) })
		before := theirs.ResourceVersion

		nsm := newNSM(ctx, withCSI)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet nsm-csi"))
		bringAllUp(ctx, nsm)
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(theirs.ResourceVersion).To(Equal(before))
	})
})

var _ = Describe("The name of the domain, which the whole cluster shares,", func() {
	theirs := func(ctx context.Context, value string) *unstructured.Unstructured {
		GinkgoHelper()
		property := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"value": value}}}
		property.SetGroupVersionKind(mesh.ClusterPropertyKind)
		property.SetName("id.k8s.io")
		Expect(admin.Create(ctx, property)).To(Succeed())
		return property
	}

	DescribeTable("as somebody else has set it",
		func(ctx SpecContext, value, wanted string) {
			serveClusterProperties(ctx)
			o := startOperatorOn(mesh.Platform{ClusterProperties: true}, &requests{})
			property := theirs(ctx, value)
			before := property.GetResourceVersion()
			nsm := newDomain(ctx, "one")
			Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("DaemonSet nsmgr", "Deployment nsmgr-proxy"))
			setAllReady(ctx, nsm)
			Eventually(condition(ctx, nsm, degraded)).Should(Equal(wanted))
			settle(o)
			Expect(admin.Delete(ctx, nsm)).To(Succeed())
			Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(property), property)).To(Succeed())
			Expect(property.GetResourceVersion()).To(Equal(before))
		},
		Entry("is used where it is the same", "one", "False"),
		Entry("is a conflict that is told where it is another", "two", "True"),
	)
})

var _ = Describe("A copy of an object of the mesh, as a backup tool makes it,", func() {
	It("is neither obeyed nor deleted", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		original := get(ctx, nsm, "registry", &corev1.Service{})
		elsewhere := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx), Name: "registry", Labels: original.Labels, Annotations: original.Annotations},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5002}}},
		}
		Expect(admin.Create(ctx, elsewhere)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, elsewhere))).To(Succeed()) })
		controlled := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: nsm.Namespace, Name: "of-another-controller", Labels: original.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "theirs", UID: "1", Controller: ptr.To(true)}},
		}}
		Expect(admin.Create(ctx, controlled)).To(Succeed())
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.LogLevel = "DEBUG" })
		settle(o)
		expectThere := func() {
			GinkgoHelper()
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(elsewhere), elsewhere)).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(controlled), controlled)).To(Succeed())
		}
		expectThere()
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))

		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
		expectThere()
	})
})

func theirDaemonSet() *appsv1.DaemonSet {
	labels := map[string]string{mesh.LabelName: "nsmgr", mesh.LabelComponent: "nsmgr"}
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "nsmgr"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "nsmgr", Image: "example.com/nsmgr"}}},
			},
		},
	}
}
