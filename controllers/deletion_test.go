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
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("The deletion of an NSM", func() {
	It("does not wait for what the registry has kept and somebody does not let go", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		held, free := forwarderPod("forwarder-vpp", 0), forwarderPod("forwarder-vpp", 1)
		refuseDeletion(ctx, "networkserviceendpoints", entry(nsm, held))

		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: held}, entry(nsm, held))).To(Succeed())
		Expect(apierrors.IsNotFound(admin.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: free}, entry(nsm, free)))).To(BeTrue(), "the others go")
	})

	It("says what holds it up, once, and goes on by itself", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		role := getClusterRole(ctx, nsm)
		let := refuseDeletion(ctx, "clusterroles", role)
		settle(o)

		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("the NSM cannot be deleted yet: deleting ClusterRole "+role.Name), ContainSubstring(refusal)))
		Expect(meta.FindStatusCondition(reread(ctx, nsm).Status.Conditions, degraded).Reason).To(Equal("DeletionFailed"))
		Expect(condition(ctx, nsm, progressing)()).To(Equal("True"))
		Eventually(func() int {
			return o.requests.count(request{"DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/" + role.Name})
		}).
			Should(BeNumerically(">", 3), "it tries again")
		Expect(o.requests.count(request{"PATCH", "/apis/nsm.networkservicemesh.io/v1beta1/namespaces/" + nsm.Namespace + "/nsms/" + nsm.Name + "/status"})).
			To(Equal(1), "the report does not move")

		let()
		Eventually(func() bool { return isGone(ctx, nsm) }).WithTimeout(time.Minute).Should(BeTrue())
		expectNothingLeft(ctx, nsm)
	})

	It("names what it waits for, and what holds that", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		role := getClusterRole(ctx, nsm)
		role.Finalizers = []string{"example.com/hold"}
		Expect(admin.Update(ctx, role)).To(Succeed())
		let := refuseDeletion(ctx, "clusterroles", role)
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("True"))

		let()
		Eventually(condition(ctx, nsm, degraded)).WithTimeout(time.Minute).Should(Equal("False"))
		Eventually(messageOf(ctx, nsm, progressing)).WithTimeout(time.Minute).Should(
			Equal("waiting for ClusterRole " + role.Name + ", which the finalizer example.com/hold keeps"))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"), "its workloads are gone")
		change(ctx, getClusterRole(ctx, nsm), func(o *rbacv1.ClusterRole) { o.Finalizers = nil })
		expectNothingLeft(ctx, nsm)
	})

	It("does not wait for a kind of somebody else's that cannot be listed any more", func(ctx SpecContext) {
		crd := serveSPIFFEIDs(ctx)
		o := impatient(mesh.Platform{ClusterSPIFFEIDs: true})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		breakConversion(ctx, crd)
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(func() bool { return isGone(ctx, nsm) }).WithTimeout(time.Minute).Should(BeTrue())
		expectNothingLeft(ctx, nsm)
	})
})

var _ = Describe("A kind of somebody else's that cannot be listed when the operator starts", func() {
	var (
		crd    *unstructured.Unstructured
		before *nsmv1beta1.NSM
	)

	BeforeEach(func(ctx SpecContext) {
		crd = serveSPIFFEIDs(ctx)
		first := startOperatorOn(mesh.Platform{ClusterSPIFFEIDs: true}, &requests{})
		before = newAvailableNSM(ctx, first, onZone("a"))
		first.stop()
		breakConversion(ctx, crd)
	})

	It("does not keep an NSM from being deleted", func(ctx SpecContext) {
		impatient(mesh.Platform{ClusterSPIFFEIDs: true})
		Expect(admin.Delete(ctx, before.DeepCopy())).To(Succeed())
		Eventually(func() bool { return isGone(ctx, before) }).Should(BeTrue())
		expectNothingLeft(ctx, before)
	})

	It("is reported, and holds up nothing else", func(ctx SpecContext) {
		if isBefore(35, "it lists what has the operator's labels without converting the rest") {
			return
		}
		impatient(mesh.Platform{ClusterSPIFFEIDs: true})
		Eventually(messageOf(ctx, before, degraded)).Should(ContainSubstring("ClusterSPIFFEIDs cannot be read"))
		Expect(condition(ctx, before, available)()).To(Equal("True"), "its workloads run")
		change(ctx, before.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.LogLevel = "DEBUG" })
		Eventually(func() string { return templates(ctx, before)["DaemonSet nsmgr"] }).Should(ContainSubstring("DEBUG"))
		after := newNSM(ctx, onZone("b"))
		Eventually(func() []string { return names(ctx, after) }).Should(ConsistOf(wholeMesh))

		By("ends when the kind can be listed again")
		mendConversion(ctx, crd)
		Eventually(condition(ctx, after, degraded)).WithTimeout(2 * time.Minute).Should(Equal("False"))
	}, SpecTimeout(4*time.Minute))
})

// serveSPIFFEIDs has the API server serve ClusterSPIFFEIDs until the spec ends.
func serveSPIFFEIDs(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	crd := &unstructured.Unstructured{}
	Expect(crd.UnmarshalJSON([]byte(spiffeIDs))).To(Succeed())
	Expect(admin.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		mendConversion(ctx, crd)
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	})
	server.AwaitDefinitions(ctx, crd.GetName())
	// It is established a moment before it can be listed.
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind)
	Eventually(func() error { return admin.List(ctx, list) }).Should(Succeed())
	return crd
}

// mendConversion takes back what breakConversion did.
func mendConversion(ctx context.Context, crd *unstructured.Unstructured) {
	GinkgoHelper()
	change(ctx, crd, func(crd *unstructured.Unstructured) {
		Expect(unstructured.SetNestedMap(crd.Object, map[string]any{"strategy": "None"}, "spec", "conversion")).To(Succeed())
	})
}

// breakConversion gives ClusterSPIFFEIDs a second version and a conversion webhook
// that does not answer, so that they cannot be listed in the first any more.
func breakConversion(ctx context.Context, crd *unstructured.Unstructured) {
	GinkgoHelper()
	change(ctx, crd, func(crd *unstructured.Unstructured) {
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		Expect(err).NotTo(HaveOccurred())
		first, ok := versions[0].(map[string]any)
		Expect(ok).To(BeTrue())
		second := (&unstructured.Unstructured{Object: first}).DeepCopy().Object
		first["storage"], second["name"] = false, "v1alpha2"
		Expect(unstructured.SetNestedSlice(crd.Object, []any{first, second}, "spec", "versions")).To(Succeed())
		Expect(unstructured.SetNestedMap(crd.Object, map[string]any{"strategy": "Webhook", "webhook": map[string]any{
			"conversionReviewVersions": []any{"v1"}, "clientConfig": map[string]any{"url": "https://127.0.0.1:1/convert"},
		}}, "spec", "conversion")).To(Succeed())
	})
	theirs := &unstructured.Unstructured{}
	theirs.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind.GroupKind().WithVersion("v1alpha2"))
	theirs.SetName("theirs")
	Eventually(func() error { return client.IgnoreAlreadyExists(admin.Create(ctx, theirs.DeepCopy())) }).Should(Succeed())
	listed := mesh.EmptyList(mesh.ClusterSPIFFEIDKind)
	Eventually(func() error { return admin.List(ctx, listed) }).Should(MatchError(ContainSubstring("conversion webhook")))
}

// refusal is what a policy of somebody else says.
const refusal = "nobody writes here"

// refuseDeletion has a policy of somebody else refuse the deletion of an object of a
// resource, until it is let.
func refuseDeletion(ctx context.Context, resource string, object client.Object) (let func()) {
	GinkgoHelper()
	return refuseBy(ctx, "request.name != '"+object.GetName()+"'", admissionregistrationv1.Rule{
		APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{resource},
	}, func() error { return admin.Delete(context.Background(), object, client.DryRunAll) }, admissionregistrationv1.Delete)
}

// refuseBy has a policy of somebody else refuse what it does not allow, until it is let.
// try meets it, and changes nothing.
func refuseBy(
	ctx context.Context, allowed string, objects admissionregistrationv1.Rule, try func() error, operations ...admissionregistrationv1.OperationType,
) (let func()) {
	GinkgoHelper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "refuse-"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{Operations: operations, Rule: objects},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: allowed, Message: refusal}},
		},
	}
	Expect(admin.Create(ctx, policy)).To(Succeed())
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	let = func() {
		GinkgoHelper()
		Expect(client.IgnoreNotFound(admin.Delete(context.Background(), binding))).To(Succeed())
		Expect(client.IgnoreNotFound(admin.Delete(context.Background(), policy))).To(Succeed())
		Eventually(func() error { return client.IgnoreNotFound(try()) }).Should(Succeed())
	}
	DeferCleanup(let)
	Eventually(try).Should(MatchError(ContainSubstring(refusal)))
	return let
}
