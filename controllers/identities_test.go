// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// spiffeIDs is the kind as SPIRE's controller manager brings it, as far as it
// matters here: with a status that is written apart.
const spiffeIDs = `{
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "clusterspiffeids.spire.spiffe.io"},
  "spec": {
    "group": "spire.spiffe.io", "scope": "Cluster",
    "names": {"kind": "ClusterSPIFFEID", "plural": "clusterspiffeids"},
    "versions": [{"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
      "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]
  }
}`

var _ = Describe("SpireReady tells what was observed:", func() {
	var o *operator

	BeforeEach(func(ctx SpecContext) {
		crd := &unstructured.Unstructured{}
		Expect(crd.UnmarshalJSON([]byte(spiffeIDs))).To(Succeed())
		Expect(admin.Create(ctx, crd)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(admin.Delete(ctx, crd)).To(Succeed())
			Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
		})
		server.AwaitDefinitions(ctx, crd.GetName())
		o = patient(mesh.Platform{ClusterSPIFFEIDs: true})
	})
	spireReady := func(ctx context.Context, nsm *nsmv1beta1.NSM) func() string {
		return condition(ctx, nsm, nsmv1beta1.ConditionSpireReady)
	}
	why := func(ctx context.Context, nsm *nsmv1beta1.NSM) func() string {
		return messageOf(ctx, nsm, nsmv1beta1.ConditionSpireReady)
	}

	It("not yet, then True when the controller manager has said so, and its numbers wake nobody", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(why(ctx, nsm)).Should(ContainSubstring("has not registered the pods"))
		Expect(spireReady(ctx, nsm)()).To(Equal("Unknown"))
		say(ctx, nsm, map[string]any{"podsSelected": 3, "entriesToSet": 3})
		Eventually(spireReady(ctx, nsm)).Should(Equal("True"))

		settle(o)
		passes := reconciles()
		say(ctx, nsm, map[string]any{"podsSelected": 4, "entriesToSet": 4})
		Consistently(reconciles).Should(Equal(passes))
		Expect(o.requests.all()).To(BeEmpty())

		By("and the deletion takes it along")
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue())
		Expect(apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(identityOf(nsm)), identityOf(nsm)))).To(BeTrue())
	})

	It("and what it says now holds a change of release up, whatever was told before", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.17.0"})
		Eventually(why(ctx, nsm)).Should(ContainSubstring("has not registered the pods"))
		say(ctx, nsm, map[string]any{"podsSelected": 3})
		bringAllUp(ctx, nsm)
		Eventually(spireReady(ctx, nsm)).Should(Equal("True"))
		settle(o)
		o.stop()
		say(ctx, nsm, map[string]any{"podsSelected": 3, "entryFailures": 3})
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: "v1.18.0"})
		o = patient(mesh.Platform{ClusterSPIFFEIDs: true})
		Eventually(messageOf(ctx, nsm, available)).Should(And(
			HavePrefix("the change from v1.17.0 to v1.18.0 has not begun"), ContainSubstring("the SPIRE server does not take entries")))
		Expect(releases(ctx, nsm)()).To(HaveEach("v1.17.0"))

		say(ctx, nsm, map[string]any{"podsSelected": 3, "entryFailures": 0})
		Eventually(messageOf(ctx, nsm, available)).ShouldNot(ContainSubstring("has not begun"))
	})

	It("not by what the controller manager of another class has said", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Spire: &nsmv1beta1.SpireSpec{ClassName: "old"}})
		Eventually(why(ctx, nsm)).Should(ContainSubstring("has not registered the pods"))
		say(ctx, nsm, map[string]any{"podsSelected": 3, "entriesToSet": 3})
		Eventually(spireReady(ctx, nsm)).Should(Equal("True"))
		before := identityOf(nsm)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(before), before)).To(Succeed())

		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Spire.ClassName = "new" })
		Eventually(spireReady(ctx, nsm)).Should(Equal("Unknown"))
		settle(o)
		Expect(spireReady(ctx, nsm)()).To(Equal("Unknown"))
		after := identityOf(nsm)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(after), after)).To(Succeed())
		Expect(after.GetUID()).NotTo(Equal(before.GetUID()))

		say(ctx, nsm, map[string]any{"podsSelected": 3, "entriesToSet": 3})
		Eventually(spireReady(ctx, nsm)).Should(Equal("True"))
	})

	It("by the old one for as long as a new ClusterSPIFFEID cannot be made", func(ctx SpecContext) {
		o.stop()
		impatient(mesh.Platform{ClusterSPIFFEIDs: true}, func(times *controllers.Times) { times.SpireWebhook = time.Hour })
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(why(ctx, nsm)).Should(ContainSubstring("has not registered the pods"))
		say(ctx, nsm, map[string]any{"podsSelected": 3, "entriesToSet": 3})
		Eventually(spireReady(ctx, nsm)).Should(Equal("True"))
		before := identityOf(nsm)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(before), before)).To(Succeed())

		serve := refuseIdentities(ctx)
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.Spire = &nsmv1beta1.SpireSpec{ClassName: "new"} })
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring("cannot be written yet"))
		after := identityOf(nsm)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(after), after)).To(Succeed())
		Expect(after.GetUID()).To(Equal(before.GetUID()), "what serves stays")

		serve()
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(after), after)).To(Succeed())
			g.Expect(after.GetUID()).NotTo(Equal(before.GetUID()))
		}).WithTimeout(soon).Should(Succeed())
	})

	It("waits while SPIRE's webhook is down, and goes on when it serves", func(ctx SpecContext) {
		o.stop()
		impatient(mesh.Platform{ClusterSPIFFEIDs: true}, func(times *controllers.Times) { times.SpireWebhook = time.Hour })
		serve := refuseIdentities(ctx)
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		history := record(ctx, nsm)
		waits := "ClusterSPIFFEID nsm-" + nsm.Namespace + "-workloads cannot be written yet: waiting for SPIRE's controller manager, which may be starting: " +
			"the API server cannot call its admission webhook vclusterspiffeid.example.com"
		Eventually(why(ctx, nsm)).Should(Equal(waits))
		Expect(spireReady(ctx, nsm)()).To(Equal("Unknown"))
		Expect(messageOf(ctx, nsm, progressing)()).To(Equal(waits))

		setAllReady(ctx, nsm)
		Eventually(messageOf(ctx, nsm, available)).Should(Equal(waits), "not all of the mesh is there")

		serve()
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(why(ctx, nsm)()).To(ContainSubstring("has not registered the pods"))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(identityOf(nsm)), identityOf(nsm))).To(Succeed())
		Eventually(history.of).WithArguments(available).Should(Equal([]string{"False", "True"}))
		Expect(history.of(degraded)).To(Equal([]string{"False"}))
	})

	It("and waiting for that webhook hides no deadline", func(ctx SpecContext) {
		o.stop()
		impatient(mesh.Platform{ClusterSPIFFEIDs: true}, func(times *controllers.Times) { times.SpireWebhook = time.Hour })
		refuseIdentities(ctx)
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Upgrade: &nsmv1beta1.UpgradeSpec{ProgressDeadline: &metav1.Duration{Duration: time.Second}}})
		Eventually(reasonOf(ctx, nsm)).Should(Equal("ProgressDeadlineExceeded"))
		Expect(messageOf(ctx, nsm, progressing)()).To(ContainSubstring("cannot be written yet"))
	})

	It("Degraded where it could not be made for longer than SPIRE takes to start", func(ctx SpecContext) {
		o.stop()
		impatient(mesh.Platform{ClusterSPIFFEIDs: true})
		refuseIdentities(ctx)
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("ClusterSPIFFEID nsm-" + nsm.Namespace + "-workloads"))
		Expect(spireReady(ctx, nsm)()).To(Equal("Unknown"))
		Expect(why(ctx, nsm)()).To(ContainSubstring("has not registered the pods that ClusterSPIFFEID nsm-" + nsm.Namespace + "-workloads selects yet"))
	})

	It("False where a pod waits for its identity, whoever registers it", func(ctx SpecContext) {
		o.stop()
		impatient(mesh.Platform{ClusterSPIFFEIDs: true})
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Spire: &nsmv1beta1.SpireSpec{Registration: nsmv1beta1.SpireRegistrationNone}})
		Eventually(why(ctx, nsm)).Should(ContainSubstring("somebody else registers"))
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3})
		status := waiting("", "")
		status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{
			StartedAt: metav1.NewTime(time.Now().Add(-time.Minute)),
		}}
		pod := newPod(ctx, nsm, "nsmgr-1", "node-a", status)
		warn(ctx, nsm, "Pod", pod.Name, pod.UID, "Unhealthy", "Readiness probe failed: no x509 source")
		Eventually(spireReady(ctx, nsm)).Should(Equal("False"))
		Expect(why(ctx, nsm)()).To(And(HavePrefix("DaemonSet "+nsm.Namespace+"/nsmgr: "), ContainSubstring("no x509 source")))
	})
})

// identityOf is the ClusterSPIFFEID of a mesh.
func identityOf(nsm *nsmv1beta1.NSM) *unstructured.Unstructured {
	identity := &unstructured.Unstructured{}
	identity.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind)
	identity.SetName("nsm-" + nsm.Namespace + "-workloads")
	return identity
}

// say writes, as SPIRE's controller manager does, what came of a ClusterSPIFFEID.
func say(ctx context.Context, nsm *nsmv1beta1.NSM, stats map[string]any) {
	GinkgoHelper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"stats": stats}})
	Expect(err).NotTo(HaveOccurred())
	Expect(admin.Status().Patch(ctx, identityOf(nsm), client.RawPatch("application/merge-patch+json", patch))).To(Succeed())
}

// refuseIdentities has the API server ask a webhook that does not answer before any
// ClusterSPIFFEID is written, until the function that it returns is called.
func refuseIdentities(ctx context.Context) (serve func()) {
	GinkgoHelper()
	refusing := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "spire-without-backend"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "vclusterspiffeid.example.com", SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://127.0.0.1:1/")},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"spire.spiffe.io"}, APIVersions: []string{"*"}, Resources: []string{"clusterspiffeids"}},
			}},
		}},
	}
	Expect(admin.Create(ctx, refusing)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, refusing))).To(Succeed()) })
	probe := identityOf(&nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "probe"}})
	Eventually(func() error { return admin.Create(ctx, probe.DeepCopy(), client.DryRunAll) }).ShouldNot(Succeed())
	return func() {
		GinkgoHelper()
		Expect(admin.Delete(ctx, refusing)).To(Succeed())
	}
}
