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
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

var _ = Describe("A cluster that asks something of every workload", func() {
	BeforeEach(func() { startOperator() })

	It("a label on every Deployment, DaemonSet, Service and ServiceAccount: it can be given", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		demandLabel(ctx, namespace, "cost-centre")
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{
			Labels: map[string]string{"cost-centre": "42"}, AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{},
		})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements(
			"DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry", "Deployment admission-webhook-k8s",
			"Service registry", "Service admission-webhook-svc"))
		bringAllUp(ctx, nsm)

		By("a component's own wins, and replaces no pod")
		template := get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Spec.Template
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
			nsm.Spec.Registry = &nsmv1beta1.RegistrySpec{ServiceAnnotations: map[string]string{"example.com/load-balancer": "internal"}}
			nsm.Spec.Registry.Labels = map[string]string{"cost-centre": "43"}
		})
		Eventually(func() map[string]string { return get(ctx, nsm, "registry", &corev1.Service{}).Annotations }).
			Should(HaveKeyWithValue("example.com/load-balancer", "internal"))
		Eventually(func() map[string]string { return get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Labels }).
			Should(HaveKeyWithValue("cost-centre", "43"))
		Expect(get(ctx, nsm, "nsm-registry", &appsv1.Deployment{}).Spec.Template).To(Equal(template))
	})

	It("requests and limits of every container: a quota of all of them refuses no pod", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		quota := &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "everything"},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
				corev1.ResourceRequestsCPU: resource.MustParse("100"), corev1.ResourceRequestsMemory: resource.MustParse("100Gi"),
				corev1.ResourceLimitsCPU: resource.MustParse("100"), corev1.ResourceLimitsMemory: resource.MustParse("100Gi"),
			}},
		}
		Expect(admin.Create(ctx, quota)).To(Succeed())
		// No controller counts what is used here.
		quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{
			corev1.ResourceRequestsCPU: resource.MustParse("0"), corev1.ResourceRequestsMemory: resource.MustParse("0"),
			corev1.ResourceLimitsCPU: resource.MustParse("0"), corev1.ResourceLimitsMemory: resource.MustParse("0"),
		}}
		Expect(admin.Status().Update(ctx, quota)).To(Succeed())
		unlimited := podOf(namespace, "unlimited", nil)
		Eventually(func() error { return admin.Create(ctx, unlimited.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring("must specify limits.cpu")))
		made := 0
		for _, object := range rendered(namespace, nsmv1beta1.NSMSpec{
			CSIDriver: &nsmv1beta1.CSIDriverSpec{}, Interdomain: &nsmv1beta1.InterdomainSpec{},
			Forwarders: []nsmv1beta1.ForwarderSpec{
				{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP}, {Name: "ovs", Type: nsmv1beta1.ForwarderTypeOVS}, {Name: "sriov", Type: nsmv1beta1.ForwarderTypeSRIOV},
			},
		}) {
			var template corev1.PodTemplateSpec
			switch workload := object.(type) {
			case *appsv1.DaemonSet:
				template = workload.Spec.Template
			case *appsv1.Deployment:
				template = workload.Spec.Template
			default:
				continue
			}
			made++
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Namespace, pod.Name, pod.Spec.ServiceAccountName = namespace, object.GetName(), ""
			Expect(admin.Create(ctx, pod, client.DryRunAll)).To(Succeed(), object.GetName())
		}
		Expect(made).To(Equal(9))
	})
})

// demandLabel has the API server refuse workloads, Services and ServiceAccounts of a
// namespace without a label.
func demandLabel(ctx context.Context, namespace, label string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Name: "demand-" + namespace}
	rule := func(group string, resources ...string) admissionregistrationv1.NamedRuleWithOperations {
		return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: resources},
		}}
	}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{
					rule("apps", "deployments", "daemonsets"), rule("", "services", "serviceaccounts"),
				},
			},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "has(object.metadata.labels) && '" + label + "' in object.metadata.labels", Message: "a label is missing",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: meta.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	for _, object := range []client.Object{policy, binding} {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
	}
	bare := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bare"}}
	Eventually(func() error { return admin.Create(ctx, bare.DeepCopy(), client.DryRunAll) }).
		Should(MatchError(ContainSubstring("a label is missing")))
}
