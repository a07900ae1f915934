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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("A mesh of NSM's own manifests, put up by hand,", func() {
	var (
		namespace string
		objects   []client.Object
		callers   *admissionregistrationv1.MutatingWebhookConfiguration
	)
	exists := func(ctx context.Context, object client.Object) bool {
		GinkgoHelper()
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return err == nil
	}

	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx)
		objects, callers = manifestsMesh(ctx, namespace)
		startOperator()
	})

	It("is left alone where the NSM does not say otherwise", func(ctx SpecContext) {
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			ContainSubstring("DaemonSet "+namespace+"/nsmgr is in the way"), ContainSubstring("Service "+namespace+"/registry"),
			ContainSubstring("Service "+namespace+"/"+mesh.WebhookService)))
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return exists(ctx, nsm) }).Should(BeFalse())
		for _, object := range objects {
			before := object.GetResourceVersion()
			Expect(exists(ctx, object)).To(BeTrue(), object.GetName())
			Expect(object.GetResourceVersion()).To(Equal(before), object.GetName())
		}
	})

	It("is taken over in stages where the NSM says so, and nothing calls a webhook that it does not trust", func(ctx SpecContext) {
		nsm := newTakeOver(ctx, namespace)

		Eventually(releases(ctx, nsm)).Should(Equal(map[string]string{"nsm-registry": "v1.18.0"}))
		Consistently(releases(ctx, nsm)).Should(HaveLen(1), "the managers go on until the registry is up")
		Expect(exists(ctx, callers)).To(BeTrue(), "its webhook still serves")
		setDeployment(ctx, nsm, "nsm-registry", oneUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey("nsmgr"))
		setDaemonSet(ctx, nsm, "nsmgr", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey("forwarder-vpp"))
		setDaemonSet(ctx, nsm, "forwarder-vpp", threeUp)
		Eventually(releases(ctx, nsm)).Should(HaveKey(mesh.WebhookName))
		Expect(exists(ctx, callers)).To(BeFalse(), "before the webhook has another certificate")
		Expect(exists(ctx, objects[0])).To(BeTrue(), "until all is up, nothing is dropped")

		setAllReady(ctx, nsm)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Eventually(func() bool { return exists(ctx, objects[0]) }).Should(BeFalse(), "a second registry")
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
	})
})

// manifestsCaller is the name of what calls the webhook of NSM's own manifests.
const manifestsCaller = "nsm-mutating-webhook"

// manifestsMesh puts up what NSM's own manifests have for a mesh, as far as the operator
// looks at it, and which of that calls its webhook.
func manifestsMesh(ctx context.Context, namespace string) (objects []client.Object, callers *admissionregistrationv1.MutatingWebhookConfiguration) {
	GinkgoHelper()
	template := func(app, program string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "mirror.example.com:5000/nsm/" + program + ":v1.17.0"}}},
		}
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	deployment := func(name, app, program string) client.Object {
		return &appsv1.Deployment{ObjectMeta: meta(name), Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}, Template: template(app, program),
		}}
	}
	daemonSet := func(name, program string) client.Object {
		return &appsv1.DaemonSet{ObjectMeta: meta(name), Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}, Template: template(name, program),
		}}
	}
	service := func(name, app string, port int32) client.Object {
		return &corev1.Service{ObjectMeta: meta(name), Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Port: port}},
		}}
	}
	// As in deployments-k8s, apps/admission-webhook-k8s, from v1.12.0 on.
	callers = callerOf(namespace, manifestsCaller)
	objects = []client.Object{
		deployment("registry-k8s", "registry", "cmd-registry-k8s"), service("registry", "registry", 5002),
		daemonSet("nsmgr", "cmd-nsmgr"), daemonSet("forwarder-vpp", "cmd-forwarder-vpp"),
		deployment(mesh.WebhookName, mesh.WebhookName, "cmd-admission-webhook-k8s"), service(mesh.WebhookService, mesh.WebhookName, 443),
		callers,
	}
	for _, object := range objects {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
	}
	return objects, callers
}

// newTakeOver makes an NSM that takes over what is in its place.
func newTakeOver(ctx context.Context, namespace string) *nsmv1beta1.NSM {
	GinkgoHelper()
	nsm := &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mesh", Annotations: map[string]string{mesh.TakeOverAnnotation: mesh.TakeOverValue}},
		Spec:       nsmv1beta1.NSMSpec{Version: "v1.18.0"},
	}
	Eventually(func() error { return admin.Create(ctx, nsm) }).Should(Succeed())
	DeferCleanup(remove, nsm)
	return nsm
}

var _ = Describe("What else calls the admission webhook", func() {
	It("is told, as long as it does", func(ctx SpecContext) {
		o := impatient(mesh.Platform{})
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("Deployment " + mesh.WebhookName))
		bringAllUp(ctx, nsm)
		settle(o)

		theirs, validating := callerOf(nsm.Namespace, "theirs"), validatingCallerOf(nsm.Namespace, "theirs-too")
		for _, one := range []client.Object{theirs, validating, callerOf("elsewhere", "of-another-namespace"), validatingCallerOf("elsewhere", "of-another-namespace")} {
			Expect(admin.Create(ctx, one)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, one))).To(Succeed()) })
		}
		change(ctx, get(ctx, nsm, mesh.WebhookName, &appsv1.Deployment{}), func(d *appsv1.Deployment) { d.Annotations["example.com/seen"] = "now" })
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("the admission webhook of the mesh is called by configurations that are not the operator's: MutatingWebhookConfiguration theirs, ValidatingWebhookConfiguration theirs-too; "),
			HaveSuffix("kubectl delete mutatingwebhookconfiguration/theirs validatingwebhookconfiguration/theirs-too")))
		Expect(meta.FindStatusCondition(reread(ctx, nsm).Status.Conditions, degraded).Reason).To(Equal("ForeignWebhook"))

		Expect(admin.Delete(ctx, theirs)).To(Succeed())
		Eventually(messageOf(ctx, nsm, degraded)).Should(HaveSuffix("kubectl delete validatingwebhookconfiguration/theirs-too"))
		Expect(admin.Delete(ctx, validating)).To(Succeed())
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
	})
})

// validatingCallerOf is callerOf of the other kind.
func validatingCallerOf(namespace, name string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	one := callerOf(namespace, name).Webhooks[0]
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: one.Name, AdmissionReviewVersions: one.AdmissionReviewVersions, SideEffects: one.SideEffects,
			ClientConfig: one.ClientConfig, ObjectSelector: one.ObjectSelector, Rules: one.Rules,
		}},
	}
}

// callerOf is a configuration of somebody else that calls the admission webhook of
// a namespace, about objects that no spec makes.
func callerOf(namespace, name string) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "theirs.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			ClientConfig:   admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: namespace, Name: mesh.WebhookService}},
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/asked-about": "yes"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
}
