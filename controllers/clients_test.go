// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// What goes on in the namespaces of clients is theirs: the mesh does not depend
// on it.
var _ = Describe("OpenShift: namespaces of clients", func() {
	var o *operator

	BeforeEach(func(ctx SpecContext) {
		serveSCCs(ctx)
		o = startOperatorOn(mesh.Platform{OpenShift: true}, &requests{})
	})

	It("may go", func(ctx SpecContext) {
		// Nobody brings up the mesh, and another one would look why.
		o.stop()
		o = patient(mesh.Platform{OpenShift: true})
		going, staying := labelledNamespace(ctx, "go"), labelledNamespace(ctx, "go")
		deleteNamespace(ctx, going)
		nsm := newNSM(ctx, clientsWith("go"))
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(staying + "/")))
		Eventually(messageOf(ctx, nsm, degraded)).Should(Equal("nothing is known to be wrong"))

		deleteNamespace(ctx, staying)
		label(ctx, staying, "gone")
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(BeEmpty())
		Expect(messageOf(ctx, nsm, degraded)()).To(Equal("nothing is known to be wrong"))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("may go while they are written to", func(ctx SpecContext) {
		clients := labelledNamespace(ctx, "race")
		remove := refuseAsTerminating(ctx, clients)
		nsm := newNSM(ctx, clientsWith("race"))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet nsmgr"))
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"), "the pass does not end without a word")
		Expect(messageOf(ctx, nsm, degraded)()).To(Equal("nothing is known to be wrong"))
		Expect(bindingsOfClients(ctx, nsm)).To(BeEmpty())

		remove()
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(HaveLen(1), "the pass comes again")
	})

	It("may refuse, and stop neither the mesh nor each other", func(ctx SpecContext) {
		refusing, willing := labelledNamespace(ctx, "refuse"), labelledNamespace(ctx, "refuse")
		admit := refuseBindings(ctx, refusing)
		nsm := newNSM(ctx, clientsWith("refuse"))
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(willing + "/")))
		Expect(names(ctx, nsm)).To(ContainElements("DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry"))
		bringAllUp(ctx, nsm)
		Expect(reread(ctx, nsm).Status.Version).NotTo(BeEmpty())
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionProgressing)()).To(Equal("False"))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("True"))
		Expect(messageOf(ctx, nsm, degraded)()).To(And(ContainSubstring("RoleBinding "+refusing+"/"), ContainSubstring("nobody binds here")))

		admit()
		label(ctx, willing, "") // the loop would look again later
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(refusing + "/")))
		Eventually(messageOf(ctx, nsm, degraded)).Should(Equal("nothing is known to be wrong"))
	})

	It("may be others than before, which are limited to the end", func(ctx SpecContext) {
		before, after := labelledNamespace(ctx, "before"), labelledNamespace(ctx, "after")
		nsm := newNSM(ctx, clientsWith("before"))
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(before + "/")))
		settle(o)
		change(ctx, nsm, func(n *nsmv1beta1.NSM) { n.Spec.OpenShift = clientsWith("after").OpenShift })
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(after + "/")))
		Expect(writesOf(o, "/namespaces/"+before+"/", "/validatingadmissionpolicies/", "/namespaces/"+after+"/")).To(Equal([]string{
			"DELETE /namespaces/" + before + "/", "PATCH /validatingadmissionpolicies/", "PATCH /namespaces/" + after + "/",
		}))
	})

	It("are no clients as long as CSI drivers bring them what they need", func(ctx SpecContext) {
		clients := labelledNamespace(ctx, "csi")
		nsm := newNSM(ctx, clientsWith("csi"))
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(clients + "/")))
		change(ctx, nsm, func(n *nsmv1beta1.NSM) {
			n.Spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
			n.Spec.Spire = &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI}
		})
		Eventually(func() []string { return append(bindingsOfClients(ctx, nsm), policies(ctx, nsm)...) }).Should(BeEmpty())
		Expect(sccs(ctx, nsm)).NotTo(ContainElement(sccName(nsm, "client")))

		change(ctx, nsm, func(n *nsmv1beta1.NSM) { n.Spec.Spire = nil })
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ConsistOf(HavePrefix(clients + "/")))
		Expect(policies(ctx, nsm)).To(HaveLen(2))
	})
})

// clientsWith is a spec with clients in the namespaces that have a label.
func clientsWith(value string) nsmv1beta1.NSMSpec {
	return nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{
		ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": value}},
	}}
}

// writesOf are the operator's writes to paths with one of the parts, in order:
// "VERB part".
func writesOf(o *operator, parts ...string) []string {
	var written []string
	for _, asked := range o.requests.all() {
		i := slices.IndexFunc(parts, func(part string) bool { return strings.Contains(asked.path, part) })
		if i >= 0 && asked.isWrite() && !asked.isEvent() {
			written = append(written, asked.verb+" "+parts[i])
		}
	}
	return written
}

// refuseBindings has a policy of somebody else refuse RoleBindings in a namespace,
// until the returned function or the end of the spec.
func refuseBindings(ctx context.Context, namespace string) (admit func()) {
	GinkgoHelper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "refuse-" + namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: bindingsCreated(),
			}}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "request.namespace != '" + namespace + "'", Message: "nobody binds here",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	Expect(admin.Create(ctx, policy)).To(Succeed())
	Expect(admin.Create(ctx, binding)).To(Succeed())
	admit = func() {
		Expect(client.IgnoreNotFound(admin.Delete(context.Background(), binding))).To(Succeed())
		Expect(client.IgnoreNotFound(admin.Delete(context.Background(), policy))).To(Succeed())
		Eventually(func() error { return tryBinding(context.Background(), namespace) }).Should(Succeed())
	}
	DeferCleanup(admit)
	Eventually(func() error { return tryBinding(ctx, namespace) }).Should(MatchError(ContainSubstring("nobody binds here")))
	return admit
}

// refuseAsTerminating has a webhook refuse RoleBindings in a namespace as the API
// server does where the namespace goes, until the returned function or the end of
// the spec.
func refuseAsTerminating(ctx context.Context, namespace string) (remove func()) {
	GinkgoHelper()
	server := httptest.NewTLSServer(http.HandlerFunc(answerTerminating))
	DeferCleanup(server.Close)
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "terminating"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "terminating.example.com", SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      ptr.To(server.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{bindingsCreated()},
		}},
	}
	Expect(admin.Create(ctx, configuration)).To(Succeed())
	remove = func() { Expect(client.IgnoreNotFound(admin.Delete(context.Background(), configuration))).To(Succeed()) }
	DeferCleanup(remove)
	Eventually(func() error { return tryBinding(ctx, namespace) }).Should(MatchError(ContainSubstring("terminated")))
	return remove
}

func answerTerminating(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: "it is being terminated",
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}},
	}}
	_ = json.NewEncoder(w).Encode(review)
}

func bindingsCreated() admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"rolebindings"},
		},
	}
}

// tryBinding reports whether a RoleBinding could be made in a namespace.
func tryBinding(ctx context.Context, namespace string) error {
	return admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "try"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
	}, client.DryRunAll)
}
