// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"maps"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("A node that reboots", func() {
	It("is named while it is not ready, and missed while its new pod starts, which is no progress", func(ctx SpecContext) {
		o := impatient(mesh.Platform{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		managers := &daemon{nsm: nsm, name: "nsmgr"}
		for range 3 {
			managers.nodes = append(managers.nodes, newNode(ctx))
		}
		managers.run(ctx)
		for _, node := range managers.nodes {
			managers.ready(ctx, node, corev1.ConditionTrue)
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		history := record(ctx, nsm)
		rebooted := managers.nodes[1]

		setNodeReady(ctx, rebooted, corev1.ConditionUnknown)
		managers.ready(ctx, rebooted, corev1.ConditionFalse)
		Eventually(messageOf(ctx, nsm, available)).Should(ContainSubstring("node " + rebooted + " is down"))
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).Should(Equal("2/2"))

		before := managers.names(ctx)
		setNodeReady(ctx, rebooted, corev1.ConditionTrue)
		Expect(admin.Delete(ctx, managers.pods(ctx)[rebooted])).To(Succeed())
		managers.run(ctx)
		Expect(managers.names(ctx)[rebooted]).NotTo(Equal(before[rebooted]))
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).Should(Equal("2/3"))
		Eventually(messageOf(ctx, nsm, available)).Should(HavePrefix("DaemonSet " + nsm.Namespace + "/nsmgr has pods that are not ready"))

		managers.ready(ctx, rebooted, corev1.ConditionTrue)
		Eventually(messageOf(ctx, nsm, available)).Should(HaveSuffix(" is ready"))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionReady)()).To(Equal("True"))
		Expect(history.of(progressing)).To(Equal([]string{"False"}))
		Expect(history.of(degraded)).To(Equal([]string{"False"}))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})
})

// newNode makes a node that is ready, and goes at the end of the spec.
func newNode(ctx context.Context) string {
	GinkgoHelper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}
	Expect(admin.Create(ctx, node)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
	setNodeReady(ctx, node.Name, corev1.ConditionTrue)
	return node.Name
}

var _ = Describe("SPIRE's definitions that come, go and come again", func() {
	It("take no mesh down, and its pods are registered anew", func(ctx SpecContext) {
		serve := func() *unstructured.Unstructured {
			GinkgoHelper()
			crd := &unstructured.Unstructured{}
			Expect(crd.UnmarshalJSON([]byte(spiffeIDs))).To(Succeed())
			Expect(admin.Create(ctx, crd)).To(Succeed())
			server.AwaitDefinitions(ctx, crd.GetName())
			return crd
		}
		o := attentive(mesh.Platform{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		spireReady := condition(ctx, nsm, nsmv1beta1.ConditionSpireReady)
		crd := serve()
		DeferCleanup(takeAway, crd)
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(identityOf(nsm)), identityOf(nsm)) }).Should(Succeed())
		say(ctx, nsm, map[string]any{"podsSelected": 3})
		Eventually(spireReady).Should(Equal("True"))

		takeAway(ctx, crd)
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionSpireReady)).Should(ContainSubstring("no SPIRE controller manager serves ClusterSPIFFEIDs"))
		Expect(spireReady()).To(Equal("Unknown"))
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		settle(o)
		reconcileOften(ctx, o, nsm)

		serve()
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(identityOf(nsm)), identityOf(nsm)) }).Should(Succeed())
		say(ctx, nsm, map[string]any{"podsSelected": 3})
		Eventually(spireReady).Should(Equal("True"))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		settle(o)
		reconcileOften(ctx, o, nsm)

		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, nsm)
		Expect(apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(identityOf(nsm)), identityOf(nsm)))).To(BeTrue())
	}, SpecTimeout(10*time.Minute))
})

var _ = Describe("OpenShift's SCCs that are served later", func() {
	It("are made for a mesh that is there, and it stays up when they cannot be read any more", func(ctx SpecContext) {
		o := attentive(mesh.Platform{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{Upgrade: &nsmv1beta1.UpgradeSpec{PrePull: ptr.To(false)}})
		crd := serveSCCs(ctx)
		Eventually(func() []string { return sccs(ctx, nsm) }).
			Should(ConsistOf(sccName(nsm, "forwarder"), sccName(nsm, "nsmgr"), sccName(nsm, "spire-socket")))
		required := func() string {
			return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Annotations["openshift.io/required-scc"]
		}
		Eventually(required).Should(Equal(sccName(nsm, "nsmgr")))
		bringAllUp(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)

		By("an API server of OpenShift's that is gone, which changes no pod")
		before := daemonSetOf(ctx, nsm, "nsmgr").Generation
		takeAway(ctx, crd)
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.Labels = map[string]string{"team": "blue"} })
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("True"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring("SecurityContextConstraints"))
		Expect(daemonSetOf(ctx, nsm, "nsmgr").Generation).To(Equal(before))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))

		By("and is back")
		again := crd.DeepCopy()
		again.SetResourceVersion("")
		again.SetUID("")
		Expect(admin.Create(ctx, again)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.List(ctx, newSCCList())).To(Succeed())
			g.Expect(sccs(ctx, nsm)).To(ConsistOf(sccName(nsm, "forwarder"), sccName(nsm, "nsmgr"), sccName(nsm, "spire-socket")))
		}).Should(Succeed())
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
		Eventually(func() map[string]string { return daemonSetOf(ctx, nsm, "nsmgr").Labels }).Should(HaveKeyWithValue("team", "blue"))
	}, SpecTimeout(10*time.Minute))
})

// takeAway deletes a definition, where it is there, and waits until it is gone.
func takeAway(ctx context.Context, crd *unstructured.Unstructured) {
	GinkgoHelper()
	gone := crd.DeepCopy()
	Expect(client.IgnoreNotFound(admin.Delete(ctx, gone))).To(Succeed())
	Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(gone), gone)) }).Should(BeTrue())
}

var _ = Describe("The certificate of the admission webhook", func() {
	It("is replaced when somebody edits its Secret, and no other key stays in it", func(ctx SpecContext) {
		o := startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("Deployment admission-webhook-k8s", "DaemonSet forwarder-vpp"))
		bringAllUp(ctx, nsm)
		settle(o)
		secret := func() *corev1.Secret { return get(ctx, nsm, mesh.WebhookSecret, &corev1.Secret{}) }
		before := secret()
		change(ctx, secret(), func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = []byte("somebody's") })
		// It cannot be known whether somebody has seen the key.
		Eventually(func() []byte { return secret().Data[corev1.TLSPrivateKeyKey] }).Should(HavePrefix("-----BEGIN"))
		Expect(secret().Data).To(HaveLen(len(before.Data)))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement(HaveSuffix(" Secret " + nsm.Namespace + "/" + mesh.WebhookSecret)))
		Eventually(func(g Gomega) {
			setAllReady(ctx, nsm)
			g.Expect(condition(ctx, nsm, available)()).To(Equal("True"))
			g.Expect(verify(configurationOf(ctx, nsm).Webhooks[0].ClientConfig.CABundle, secret().Data[corev1.TLSCertKey], nsm)).To(Succeed())
		}).Should(Succeed())
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
	})
})

var _ = Describe("An object of the mesh that gets another owner", func() {
	It("is left to him, told, and taken back when he lets go", func(ctx SpecContext) {
		o := impatient(mesh.Platform{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		theirs := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "theirs", UID: "1", Controller: ptr.To(true)}
		change(ctx, daemonSetOf(ctx, nsm, "nsmgr"), func(d *appsv1.DaemonSet) {
			d.OwnerReferences = []metav1.OwnerReference{theirs}
		})
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(ContainSubstring("DaemonSet "+nsm.Namespace+"/nsmgr is in the way"), ContainSubstring("theirs")))
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		change(ctx, nsm.DeepCopy(), func(n *nsmv1beta1.NSM) { n.Spec.LogLevel = "DEBUG" })
		Eventually(func() []string { return env(daemonSetOf(ctx, nsm, "forwarder-vpp")) }).Should(ContainElement("NSM_LOG_LEVEL=DEBUG"))
		settle(o)
		Expect(env(daemonSetOf(ctx, nsm, "nsmgr"))).NotTo(ContainElement("NSM_LOG_LEVEL=DEBUG"))
		Expect(daemonSetOf(ctx, nsm, "nsmgr").OwnerReferences).To(Equal([]metav1.OwnerReference{theirs}))

		change(ctx, daemonSetOf(ctx, nsm, "nsmgr"), func(d *appsv1.DaemonSet) { d.OwnerReferences = nil })
		Eventually(func() []string { return env(daemonSetOf(ctx, nsm, "nsmgr")) }).Should(ContainElement("NSM_LOG_LEVEL=DEBUG"))
		Expect(metav1.IsControlledBy(daemonSetOf(ctx, nsm, "nsmgr"), nsm)).To(BeTrue())
		bringAllUp(ctx, nsm)
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("is put right where all of its labels have been changed at the same time", func(ctx SpecContext) {
		o := impatient(mesh.Platform{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		before := maps.Clone(daemonSetOf(ctx, nsm, "nsmgr").Labels)
		change(ctx, daemonSetOf(ctx, nsm, "nsmgr"), func(d *appsv1.DaemonSet) { d.Labels = map[string]string{"app": "theirs"} })
		before["app"] = "theirs" // his own label is his
		Eventually(func() map[string]string { return daemonSetOf(ctx, nsm, "nsmgr").Labels }).Should(Equal(before))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})
})

var _ = Describe("An object that leaves the mesh and that somebody keeps", func() {
	It("is named, with the finalizer, and keeps nothing else waiting", func(ctx SpecContext) {
		o := impatient(mesh.Platform{})
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		kept := func() *corev1.ServiceAccount {
			return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "forwarder-vpp"}}
		}
		change(ctx, kept(), func(account *corev1.ServiceAccount) { account.Finalizers = []string{"example.com/hold"} })
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{
			AdmissionWebhook: nsm.Spec.AdmissionWebhook, Forwarders: []nsmv1beta1.ForwarderSpec{{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP}},
		})
		Eventually(func() []string { return names(ctx, nsm) }).Should(And(ContainElement("DaemonSet vpp"), Not(ContainElement("DaemonSet forwarder-vpp"))))
		setAllReady(ctx, nsm)
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal("nothing is left to do but to wait for what was deleted: ServiceAccount " +
			nsm.Namespace + "/forwarder-vpp, which the finalizer example.com/hold keeps"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionReady)()).To(Equal("True"))
		settle(o)
		reconcileOften(ctx, o, nsm)

		change(ctx, kept(), func(account *corev1.ServiceAccount) { account.Finalizers = nil })
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal("nothing is left to do"))
	})
})

// env are the variables of a DaemonSet's first container.
func env(daemonSet *appsv1.DaemonSet) []string {
	var found []string
	for _, variable := range daemonSet.Spec.Template.Spec.Containers[0].Env {
		found = append(found, variable.Name+"="+variable.Value)
	}
	return found
}
