// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rotation_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
)

var _ = Describe("While nobody answers for the webhooks", Ordered, func() {
	var nsm *nsmv1beta1.NSM

	BeforeEach(func(ctx SpecContext) {
		service := newService()
		r := startReplica(service.url, calm)
		service.add(r, "")
		nsm = newNSM(ctx)
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{}) }).Should(Succeed())
		r.stop()
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{}) }).ShouldNot(Succeed())
	})

	It("a running mesh is kept, and its status reported", func(ctx SpecContext) {
		startLoop()
		By("once the loop has taken it on, for which it needs the webhooks")
		service := newService()
		r := startReplica(service.url, calm)
		service.add(r, "")
		Eventually(func() error { return admin.Get(ctx, nsmgrOf(nsm), &appsv1.DaemonSet{}) }).Should(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(Succeed())
			g.Expect(nsm.Status.ObservedGeneration).To(Equal(nsm.Generation))
		}).Should(Succeed())
		r.stop()

		children := &appsv1.DaemonSet{}
		Expect(admin.Get(ctx, nsmgrOf(nsm), children)).To(Succeed())
		Expect(admin.Delete(ctx, children)).To(Succeed())
		uid := children.UID
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, nsmgrOf(nsm), children)).To(Succeed())
			g.Expect(children.UID).NotTo(Equal(uid))
		}).Should(Succeed())
		By("and its status follows")
		setReady(ctx, nsm.Namespace)
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(nsm.Status.Conditions, "ManagersReady")).To(BeTrue())
		}).Should(Succeed())
	}, NodeTimeout(10*time.Minute))

	It("an NSM is deleted, with the finalizer of the loop or by hand", func(ctx SpecContext) {
		changed := nsm.DeepCopy()
		changed.Spec.LogLevel = "DEBUG"
		Expect(admin.Update(ctx, changed)).To(MatchError(ContainSubstring("failed calling webhook")), "a change of the spec is asked about")
		nsm.Finalizers = []string{controllers.Finalizer}
		Expect(admin.Update(ctx, nsm)).To(Succeed(), "what leaves it as it is, is not")
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(Succeed())
		nsm.Finalizers = nil
		Expect(admin.Update(ctx, nsm)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(WithTransform(apierrors.IsNotFound, BeTrue()))
	}, NodeTimeout(10*time.Minute))

	It("other kinds and whole namespaces, also that of a mesh, are deleted", func(ctx SpecContext) {
		server.StartControllers(ctx, "namespace-controller", "garbage-collector-controller")
		plain := newNamespace(ctx)
		note := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: plain, Name: "note"}}
		Expect(admin.Create(ctx, note)).To(Succeed())
		for _, namespace := range []string{plain, nsm.Namespace} {
			Expect(admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		}
		for _, namespace := range []string{plain, nsm.Namespace} {
			Eventually(func() error {
				return admin.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
			}).WithTimeout(time.Minute).Should(WithTransform(apierrors.IsNotFound, BeTrue()), namespace)
		}
	}, NodeTimeout(10*time.Minute))

	It("a bundle is installed anew: every version that is served can be read, as OLM does first, and nothing is lost", func(ctx SpecContext) {
		before := in(ctx, nsmv1beta1.GroupVersion.String(), nsm)
		server.Replace(ctx, "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		read := 0
		for _, version := range getCRD(ctx).Spec.Versions {
			if version.Served {
				list := &unstructured.UnstructuredList{}
				list.SetGroupVersionKind(nsmv1beta1.GroupVersion.WithKind("NSMList"))
				list.SetAPIVersion(nsmv1beta1.GroupVersion.Group + "/" + version.Name)
				Expect(admin.List(ctx, list)).To(Succeed(), version.Name)
				Expect(list.Items).NotTo(BeEmpty())
				read++
			}
		}
		Expect(read).To(Equal(1))

		By("starting the operator")
		service := newService()
		service.add(startReplica(service.url, calm), "")
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{}) }).Should(Succeed())
		Expect(in(ctx, nsmv1beta1.GroupVersion.String(), nsm)).To(Equal(before))
	}, NodeTimeout(10*time.Minute))

	It("nothing is stored unconverted", func(ctx SpecContext) {
		namespace := newNamespaceWith(ctx, map[string]string{unvalidated: ""})
		Expect(admin.Create(ctx, legacyNSM(namespace))).NotTo(Succeed())
		old := legacyNSM(nsm.Namespace)
		Expect(admin.Patch(ctx, old, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"tag":"v1.1.0"}}`)))).NotTo(Succeed())
		By("nor while the API server trusts nobody")
		crd := getCRD(ctx)
		crd.Spec.Conversion.Webhook.ClientConfig.CABundle = nil
		Expect(admin.Update(ctx, crd)).To(Succeed())
		Expect(admin.Create(ctx, legacyNSM(namespace))).NotTo(Succeed())
		Expect(storedVersions(ctx)).To(Equal(map[string]string{nsm.Namespace: nsmv1beta1.GroupVersion.String()}))
	}, NodeTimeout(10*time.Minute))
})

var _ = Describe("The operator", Ordered, func() {
	It("starts when what is stored needs the conversion that only it offers", func(ctx SpecContext) {
		service := newService()
		first := startReplica(service.url, calm)
		service.add(first, "")
		storeAs(ctx, "v1alpha1")
		namespace := newLegacyNSM(ctx)
		storeAs(ctx, "v1beta1")
		Expect(storedVersions(ctx)).To(HaveKeyWithValue(namespace, nsmv1alpha1.GroupVersion.String()))
		first.stop()

		By("behind a Service, which leads to it only when it is ready")
		probes := net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort()))
		gated := newService()
		next := startOperator(gated.url, func(options *ctrl.Options) { options.HealthProbeBindAddress = probes })
		DeferCleanup(removeIn, namespace)
		gated.add(next, "http://"+probes+"/readyz")
		Eventually(func() bool { return isReady("http://" + probes + "/readyz") }).Should(BeTrue())
		began := time.Now()
		Eventually(func() error {
			return admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "mesh"}, &nsmv1beta1.NSM{})
		}).Should(Succeed())
		AddReportEntry("readable", fmt.Sprint(time.Since(began), " after ready"))
		By("which its own caches do, too")
		Eventually(func() error {
			return admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "nsmgr"}, &appsv1.DaemonSet{})
		}).Should(Succeed())
	}, NodeTimeout(10*time.Minute))
})

// in reads an NSM in a version.
func in(ctx context.Context, version string, nsm client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(version)
	object.SetKind("NSM")
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), object)).To(Succeed())
	return object
}

func nsmgrOf(nsm *nsmv1beta1.NSM) client.ObjectKey {
	return client.ObjectKey{Namespace: nsm.Namespace, Name: "nsmgr"}
}

// startLoop runs the controllers without any webhook.
func startLoop() {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(operatorConfig, ctrl.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      controllers.CacheOptions(),
		Client:     controllers.ClientOptions(),
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(setupLoop(mgr)).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Eventually(done).Should(Receive(Succeed()))
	})
}

func setupLoop(mgr ctrl.Manager) error {
	return (&controllers.NSMReconciler{Namespace: operatorNamespace}).SetupWithManager(mgr)
}

// setReady reports all DaemonSets of a namespace as up.
func setReady(ctx context.Context, namespace string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var sets appsv1.DaemonSetList
		g.Expect(admin.List(ctx, &sets, client.InNamespace(namespace))).To(Succeed())
		for i := range sets.Items {
			sets.Items[i].Status = appsv1.DaemonSetStatus{
				ObservedGeneration: sets.Items[i].Generation, DesiredNumberScheduled: 1, CurrentNumberScheduled: 1,
				UpdatedNumberScheduled: 1, NumberAvailable: 1, NumberReady: 1,
			}
			g.Expect(admin.Status().Update(ctx, &sets.Items[i])).To(Succeed())
		}
	}).Should(Succeed())
}
