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
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/apply"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("Somebody's policy that changes the label by which the operator finds its objects", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	DescribeTable("is told with the object and the label, and holds nothing else up:",
		func(ctx SpecContext, kind, resource string, object client.Object, name string) {
			if isBefore(36, "it has no MutatingAdmissionPolicies") {
				return
			}
			nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx), Name: "mesh"}}
			stop := relabel(ctx, nsm.Namespace, resource)
			nsm = newNSMIn(ctx, nsm.Namespace, onZone("a"))
			other := newNSM(ctx, onZone("b"))

			Eventually(func() []string { return names(ctx, other) }).Should(ConsistOf(wholeMesh), "another mesh does not wait")
			bringAllUp(ctx, other)
			Eventually(messageOf(ctx, nsm, degraded)).Should(And(
				ContainSubstring(strings.ReplaceAll(kind, "NAMESPACE", nsm.Namespace)), ContainSubstring("app.kubernetes.io/managed-by=nsm-operator"), ContainSubstring(`"platform-team"`)))
			Expect(names(ctx, nsm)).To(ContainElements("DaemonSet nsmgr", "ServiceAccount nsm-registry"), "the rest of the mesh comes up")
			Expect(condition(ctx, nsm, available)()).To(Equal("False"))

			By("ends when the policy does")
			stop()
			change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.LogLevel = "DEBUG" })
			Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
			bringAllUp(ctx, nsm)
			Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
			settle(o)
			reconcileOften(ctx, o, nsm)

			By("does not keep the NSM from being deleted")
			relabel(ctx, nsm.Namespace, resource)
			object.SetName(strings.ReplaceAll(name, "NAMESPACE", nsm.Namespace))
			if resource != "clusterroles" {
				object.SetNamespace(nsm.Namespace)
			}
			change(ctx, object, func(object client.Object) { object.SetAnnotations(map[string]string{"example.com/touched": "1"}) })
			Expect(admin.Delete(ctx, nsm)).To(Succeed())
			Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
			if object.GetNamespace() == "" {
				Expect(apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(object), object))).To(BeTrue(), "nothing is left in the cluster")
			}
		},
		Entry("a Deployment", "Deployment NAMESPACE/nsm-registry", "deployments", &appsv1.Deployment{}, "nsm-registry"),
		Entry("a ClusterRole", "ClusterRole nsm:NAMESPACE:nsmgr", "clusterroles", &rbacv1.ClusterRole{}, "nsm:NAMESPACE:nsmgr"),
	)
})

var _ = Describe("A kind that goes and comes again", func() {
	It("is written as before, and nobody waits for what the old watch would have told", func(ctx SpecContext) {
		serveClusterProperties(ctx)
		options := controllers.CacheOptions()
		mgr, err := ctrl.NewManager(operatorConfig, ctrl.Options{
			Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Cache: options, Client: controllers.ClientOptions(),
		})
		Expect(err).NotTo(HaveOccurred())
		run(mgr)
		applier := apply.New(mgr.GetClient(), mgr.GetAPIReader(), mesh.LabelManagedBy)
		property := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"value": "one"}}}
		property.SetGroupVersionKind(mesh.ClusterPropertyKind)
		property.SetName("test.example.com")
		nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", UID: "1"}}
		property.SetLabels(mesh.OwnerLabels(nsm))
		write := func() ([]apply.Change, error) {
			survey, err := applier.Survey(ctx, nsm, []mesh.Object{property})
			if err != nil {
				return nil, err
			}
			return applier.Apply(ctx, survey, []mesh.Object{property})
		}
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, property))).To(Succeed()) })
		Eventually(func() error { _, err := write(); return err }).Should(Succeed())

		Expect(mgr.GetCache().RemoveInformer(ctx, property)).To(Succeed())
		for _, value := range []string{"two", "three"} {
			Expect(unstructured.SetNestedField(property.Object, value, "spec", "value")).To(Succeed())
			changes, err := write()
			Expect(err).NotTo(HaveOccurred())
			Expect(changes).To(HaveExactElements(HaveField("Action", apply.Updated)))
			live := property.DeepCopy()
			Expect(mgr.GetClient().Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
			Expect(live.Object).To(HaveKeyWithValue("spec", HaveKeyWithValue("value", value)), "the cache has what was written")
		}
		pruned, err := applier.Prune(ctx, nsm, []mesh.Object{property}, labels.SelectorFromSet(mesh.OwnerLabels(nsm)), nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(pruned).To(HaveLen(1))
	}, SpecTimeout(5*time.Minute))
})

var _ = Describe("An object that somebody else makes at the same moment", func() {
	// applyMeanwhile applies an object of ours, over another state of it where there is
	// one, and has somebody else make his own right before the operator's n-th write.
	applyMeanwhile := func(ctx SpecContext, ours, before client.Object, n int, theirs client.Object, then ...func(context.Context)) error {
		GinkgoHelper()
		options := controllers.CacheOptions()
		mgr, err := ctrl.NewManager(operatorConfig, ctrl.Options{
			Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Cache: options, Client: controllers.ClientOptions(),
		})
		Expect(err).NotTo(HaveOccurred())
		run(mgr)
		Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
		writing, err := client.NewWithWatch(operatorConfig, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		writes := 0
		racing := interceptor.NewClient(writing, interceptor.Funcs{
			Get: func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				return mgr.GetClient().Get(ctx, key, object, options...)
			},
			Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
				if writes++; writes == n {
					Expect(admin.Create(ctx, theirs, client.FieldOwner("theirs"))).To(Succeed())
					for _, also := range then {
						also(ctx)
					}
				}
				return c.Apply(ctx, object, options...)
			},
		})
		nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx), Name: "mesh", UID: "1"}}
		for _, object := range []client.Object{ours, theirs} {
			object.SetNamespace(nsm.Namespace)
			object.SetName(mesh.WebhookSecret)
		}
		ours.SetLabels(mesh.OwnerLabels(nsm))
		if before != nil {
			before.SetNamespace(nsm.Namespace)
			before.SetName(mesh.WebhookSecret)
			before.SetLabels(mesh.OwnerLabels(nsm))
			Expect(admin.Create(ctx, before)).To(Succeed())
			Eventually(func() error { return mgr.GetClient().Get(ctx, client.ObjectKeyFromObject(before), before) }).Should(Succeed())
		}
		applier := apply.New(racing, mgr.GetAPIReader(), mesh.LabelManagedBy)
		survey, err := applier.Survey(ctx, nsm, []mesh.Object{ours})
		Expect(err).NotTo(HaveOccurred())
		_, err = applier.Apply(ctx, survey, []mesh.Object{ours})
		return err
	}
	service := func(app string) *corev1.Service {
		return &corev1.Service{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			Spec:     corev1.ServiceSpec{Selector: map[string]string{"app": app}, ClusterIP: corev1.ClusterIPNone},
		}
	}
	secret := func(kind corev1.SecretType) *corev1.Secret {
		return &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, Type: kind}
	}
	expectUntouched := func(ctx SpecContext, theirs, live client.Object) {
		GinkgoHelper()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(theirs), live)).To(Succeed())
		Expect(live.GetUID()).To(Equal(theirs.GetUID()))
		Expect(live.GetLabels()).To(BeEmpty())
		Expect(live.GetAnnotations()).To(BeEmpty())
	}

	It("stays his, whatever he says in it", func(ctx SpecContext) {
		theirs, live := service("theirs"), &corev1.Service{}
		Expect(applyMeanwhile(ctx, service("ours"), nil, 1, theirs)).To(MatchError(ContainSubstring("somebody else created it at the same moment")))
		expectUntouched(ctx, theirs, live)
		Expect(live.Spec).To(Equal(theirs.Spec))
	})

	It("stays his also where he says the same", func(ctx SpecContext) {
		theirs, live := service("ours"), &corev1.Service{}
		Expect(applyMeanwhile(ctx, service("ours"), nil, 1, theirs)).To(MatchError(ContainSubstring("theirs created it at the same moment")))
		expectUntouched(ctx, theirs, live)
		Expect(live.Spec).To(Equal(theirs.Spec))
	})

	It("is not made while the old one is held by a finalizer, which is told", func(ctx SpecContext) {
		before := secret("example.com/before")
		before.Finalizers = []string{"example.com/hold"}
		DeferCleanup(func(ctx context.Context) {
			change(ctx, before, func(secret *corev1.Secret) { secret.Finalizers = nil })
		})
		err := applyMeanwhile(ctx, secret("example.com/ours"), before, 3, secret("example.com/theirs"))
		Expect(err).To(MatchError(And(
			ContainSubstring("recreating Secret"), ContainSubstring("the old one is still being deleted"), ContainSubstring("example.com/hold"))))
	})

	It("is left as it is while it is being deleted", func(ctx SpecContext) {
		theirs := service("ours")
		theirs.Finalizers = []string{"example.com/hold"}
		DeferCleanup(func(ctx context.Context) {
			change(ctx, theirs, func(service *corev1.Service) { service.Finalizers = nil })
		})
		dying := func(ctx context.Context) { Expect(admin.Delete(ctx, theirs.DeepCopy())).To(Succeed()) }
		Expect(applyMeanwhile(ctx, service("ours"), nil, 1, theirs, dying)).To(MatchError(ContainSubstring("the old one is still being deleted")))
		live := &corev1.Service{}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(theirs), live)).To(Succeed())
		Expect(live.Labels).NotTo(BeEmpty(), "nothing is taken off it")
	})

	It("stays his when ours has been deleted to be made anew", func(ctx SpecContext) {
		// The type cannot change: the first write is refused, and the second makes the
		// Secret anew.
		theirs, live := secret("example.com/ours"), &corev1.Secret{}
		Expect(applyMeanwhile(ctx, secret("example.com/ours"), secret("example.com/before"), 2, theirs)).To(
			MatchError(ContainSubstring("recreating Secret")))
		expectUntouched(ctx, theirs, live)
		Expect(live.Type).To(Equal(theirs.Type))
	})
})

// relabel makes the API server change the label by which the operator finds its
// objects, on all objects of a resource that are of the mesh in a namespace, until
// the returned function is called or the spec ends.
func relabel(ctx context.Context, namespace, resource string) (stop func()) {
	GinkgoHelper()
	group, probe := "apps", client.Object(&appsv1.Deployment{Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "probe"}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "probe"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/c"}}},
		},
	}})
	if resource == "clusterroles" {
		group, probe = rbacv1.GroupName, &rbacv1.ClusterRole{}
	}
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "platform-team-"},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
				},
			}}},
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name:       "mesh",
				Expression: `object.metadata.?labels["` + mesh.LabelNamespace + `"].orValue("") == "` + namespace + `"`,
			}},
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{
					Expression: `Object{metadata: Object.metadata{labels: {"` + mesh.LabelManagedBy + `": "platform-team"}}}`,
				},
			}},
		},
	}
	Expect(admin.Create(ctx, policy)).To(Succeed())
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: policy.Name},
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	isActive := func() string {
		GinkgoHelper()
		tried, ok := probe.DeepCopyObject().(client.Object)
		Expect(ok).To(BeTrue())
		tried.SetGenerateName("probe-")
		if resource != "clusterroles" {
			tried.SetNamespace(namespace)
		}
		tried.SetLabels(map[string]string{mesh.LabelManagedBy: "probe", mesh.LabelNamespace: namespace})
		Expect(admin.Create(ctx, tried, client.DryRunAll)).To(Succeed())
		return tried.GetLabels()[mesh.LabelManagedBy]
	}
	Eventually(isActive).Should(Equal("platform-team"))
	remove := func(ctx context.Context) {
		GinkgoHelper()
		Expect(client.IgnoreNotFound(admin.Delete(ctx, binding))).To(Succeed())
		Expect(client.IgnoreNotFound(admin.Delete(ctx, policy))).To(Succeed())
	}
	DeferCleanup(remove)
	return func() {
		GinkgoHelper()
		remove(ctx)
		Eventually(isActive).Should(Equal("probe"))
	}
}
