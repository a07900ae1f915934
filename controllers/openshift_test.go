// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// A plain API server with OpenShift's own definition of SCCs. What they allow is
// judged by OpenShift's code, in test/scc.
var _ = Describe("OpenShift", func() {
	var o *operator

	BeforeEach(func(ctx SpecContext) {
		serveSCCs(ctx)
		o = startOperatorOn(mesh.Platform{OpenShift: true}, &requests{writesLeft: -1})
	})

	It("gets the SCCs that a mesh needs, and loses them with it", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return sccs(ctx, nsm) }).Should(ConsistOf(sccName(nsm, "forwarder"), sccName(nsm, "nsmgr"), sccName(nsm, "spire-socket")))
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ConsistOf(
			nsm.Namespace+"/scc:forwarder-vpp", nsm.Namespace+"/scc:nsm-registry", nsm.Namespace+"/scc:nsmgr"))

		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
		Expect(sccs(ctx, nsm)).To(BeEmpty())
		Expect(bindings(ctx, nsm)).To(BeEmpty())
	})

	It("has the SCCs, and who may use them, before the pods", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry"))
		var written []string
		for _, asked := range o.requests.all() {
			parts := strings.Split(asked.path, "/")
			if resource := parts[len(parts)-2]; asked.isWrite() && !asked.isEvent() {
				written = append(written, resource)
			}
		}
		firstPod := slices.IndexFunc(written, func(resource string) bool { return resource == "daemonsets" || resource == "deployments" })
		Expect(written[:firstPod]).To(ContainElements("serviceaccounts", "securitycontextconstraints", "clusterroles", "rolebindings"))
		Expect(written[firstPod:]).NotTo(ContainElement(
			BeElementOf("serviceaccounts", "securitycontextconstraints", "clusterroles", "rolebindings")))
	})

	It("is left alone when there is nothing to do", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{
			ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "quiet"}},
		}})
		clients := labelledNamespace(ctx, "quiet")
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ContainElement(HavePrefix(clients + "/")))
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("has what somebody changes put right", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		scc := newSCC()
		scc.SetName(sccName(nsm, "nsmgr"))
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(scc), scc) }).Should(Succeed())
		settle(o)
		wide := scc.DeepCopy()
		wide.Object["users"] = []any{"system:serviceaccount:default:default"}
		wide.Object["allowPrivilegedContainer"] = true
		Expect(admin.Update(ctx, wide)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(scc), scc)).To(Succeed())
			g.Expect(scc.Object["users"]).To(BeEmpty())
			g.Expect(scc.Object["allowPrivilegedContainer"]).To(BeFalse())
		}).WithTimeout(time.Second).Should(Succeed())
	})

	It("lets clients in as their namespaces' labels come and go", func(ctx SpecContext) {
		early := labelledNamespace(ctx, "yes")
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{
			ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "yes"}},
		}})
		name := "nsm:" + nsm.Namespace + ":client"
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ContainElement(early + "/" + name))
		Expect(sccs(ctx, nsm)).To(ContainElement(sccName(nsm, "client")))

		late := labelledNamespace(ctx, "no")
		Consistently(func() []string { return bindings(ctx, nsm) }).ShouldNot(ContainElement(late + "/" + name))
		label(ctx, late, "yes")
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ContainElements(early+"/"+name, late+"/"+name))
		label(ctx, early, "no")
		Eventually(func() []string { return bindings(ctx, nsm) }).ShouldNot(ContainElement(early + "/" + name))

		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() []string { return append(bindings(ctx, nsm), sccs(ctx, nsm)...) }).Should(BeEmpty())
	})

	It("lets clients mount the sockets' directories and no others", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{
			Spire: &nsmv1beta1.SpireSpec{AgentSocket: `unix:///run/spire/it's-"mine"/agent.sock`},
			OpenShift: &nsmv1beta1.OpenShiftSpec{
				ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "paths"}},
			},
		})
		clients, others := labelledNamespace(ctx, "paths"), labelledNamespace(ctx, "other")
		scc := sccName(nsm, "client")
		refused := func(namespace, scc string, paths ...string) string {
			err := admin.Create(ctx, podWith(namespace, scc, paths...), client.DryRunAll)
			if err == nil {
				return ""
			}
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), err.Error())
			return err.Error()
		}
		Eventually(func() string { return refused(clients, scc, "/etc") }).Should(ContainSubstring("host path"))

		Expect(refused(clients, scc)).To(BeEmpty())
		Expect(refused(clients, scc, `/run/spire/it's-"mine"`, "/var/lib/networkservicemesh")).To(BeEmpty())
		Expect(refused(clients, scc, "/var/lib/networkservicemesh", "/var/lib/kubelet", "/")).To(HaveSuffix(
			"volume volume-1 has the host path /var/lib/kubelet, volume volume-2 has the host path /: clients of the NSM " +
				nsm.Namespace + `/mesh may mount /run/spire/it's-"mine" and /var/lib/networkservicemesh, and no other host path`))
		for _, near := range []string{"/var/lib/networkservicemesh/", "/var/lib/networkservicemesh/config", "/var/lib", "/run/spire/sockets"} {
			Expect(refused(clients, scc, near)).To(ContainSubstring("has the host path "+near+":"), "exactly these")
		}
		Expect(refused(clients, scc, "/"+strings.Repeat("long", 2000))).To(ContainSubstring("and no other host path"))

		By("and looks at no pods but those of its SCC, in the namespaces of clients")
		Expect(refused(clients, "", "/etc")).To(BeEmpty())
		Expect(refused(clients, "privileged", "/etc")).To(BeEmpty())
		Expect(refused(others, scc, "/etc")).To(BeEmpty())

		By("and goes with the mesh, after the right to use the SCC")
		o.requests.reset()
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue())
		Expect(policies(ctx, nsm)).To(BeEmpty())
		Expect(deleted(o)).To(And(HaveKey("securitycontextconstraints"), HaveKey("validatingadmissionpolicies")))
		for _, limit := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
			Expect(deleted(o)[limit]).To(BeNumerically(">", deleted(o)["rolebindings"]))
		}
	})

	It("has the policy on clients when it has their SCC", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return sccs(ctx, nsm) }).ShouldNot(BeEmpty())
		Consistently(func() []string { return policies(ctx, nsm) }).Should(BeEmpty())
		change(ctx, nsm, func(n *nsmv1beta1.NSM) {
			n.Spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
		})
		Eventually(func() []string { return policies(ctx, nsm) }).Should(ConsistOf(
			"ValidatingAdmissionPolicy "+sccName(nsm, "client"), "ValidatingAdmissionPolicyBinding "+sccName(nsm, "client")))

		By("and lets in neither the platform nor the mesh itself, though all are selected")
		clients := newNamespace(ctx)
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "openshift-" + clients}})).To(Succeed())
		last := newNamespace(ctx)
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ContainElements(
			HavePrefix(clients+"/"), HavePrefix(last+"/")))
		Expect(bindingsOfClients(ctx, nsm)).NotTo(ContainElement(Or(
			HavePrefix("default/"), HavePrefix("kube-"), HavePrefix("openshift-"))))
		Expect(bindings(ctx, nsm)).NotTo(ContainElement(nsm.Namespace + "/nsm:" + nsm.Namespace + ":client"))
		Eventually(func() error {
			return admin.Create(ctx, podWith(clients, sccName(nsm, "client"), "/etc"), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("host path")))
		for _, namespace := range []string{"default", "kube-system", "openshift-" + clients, nsm.Namespace} {
			Expect(admin.Create(ctx, podWith(namespace, sccName(nsm, "client"), "/etc"), client.DryRunAll)).To(Succeed())
		}

		change(ctx, nsm, func(n *nsmv1beta1.NSM) { n.Spec.OpenShift = nil })
		Eventually(func() []string { return append(policies(ctx, nsm), bindingsOfClients(ctx, nsm)...) }).Should(BeEmpty())
		Expect(sccs(ctx, nsm)).NotTo(ContainElement(sccName(nsm, "client")))
	})

	It("keeps to itself what somebody else looks after", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return sccs(ctx, nsm) }).ShouldNot(BeEmpty())
		change(ctx, nsm, func(n *nsmv1beta1.NSM) {
			n.Spec.OpenShift = &nsmv1beta1.OpenShiftSpec{SecurityContextConstraints: "None"}
		})
		Eventually(func() []string { return append(bindings(ctx, nsm), sccs(ctx, nsm)...) }).Should(BeEmpty())
	})
})

var _ = Describe("Plain Kubernetes", func() {
	It("is never asked for SCCs, and for no binding or namespace but the mesh's", func(ctx SpecContext) {
		o := startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet nsmgr"))
		settle(o)
		for _, asked := range o.requests.all() {
			Expect(asked.path).NotTo(Or(ContainSubstring("security.openshift.io"), HaveSuffix("/rolebindings"), Equal("/api/v1/namespaces")))
		}
	})
})

// podWith is a pod as OpenShift's admission leaves it, with volumes of these host
// paths; with no SCC it is one that came from elsewhere.
func podWith(namespace, scc string, paths ...string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "client"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}},
	}
	if scc != "" {
		pod.Annotations = map[string]string{"openshift.io/scc": scc}
	}
	for i, path := range paths {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: fmt.Sprintf("volume-%d", i), VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
		})
	}
	return pod
}

// policies are the admission policies of an NSM, and their bindings.
func policies(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	var (
		policies admissionregistrationv1.ValidatingAdmissionPolicyList
		bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
		names    []string
	)
	Expect(admin.List(ctx, &policies, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	for i := range policies.Items {
		names = append(names, "ValidatingAdmissionPolicy "+policies.Items[i].Name)
	}
	Expect(admin.List(ctx, &bindings, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	for i := range bindings.Items {
		names = append(names, "ValidatingAdmissionPolicyBinding "+bindings.Items[i].Name)
	}
	return names
}

// deleted tells when the operator last deleted something of each resource: its
// place among the requests.
func deleted(o *operator) map[string]int {
	last := map[string]int{}
	for i, asked := range o.requests.all() {
		if parts := strings.Split(asked.path, "/"); asked.verb == http.MethodDelete {
			last[parts[len(parts)-2]] = i
		}
	}
	return last
}

// bindingsOfClients are the RoleBindings of an NSM in namespaces of others.
func bindingsOfClients(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	return slices.DeleteFunc(bindings(ctx, nsm), func(name string) bool { return strings.HasPrefix(name, nsm.Namespace+"/") })
}

// serveSCCs until the end of the spec.
func serveSCCs(ctx context.Context) {
	GinkgoHelper()
	directory, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api").Output()
	Expect(err).NotTo(HaveOccurred())
	manifest, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(directory)),
		"security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml"))
	Expect(err).NotTo(HaveOccurred())
	crd := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(manifest, crd)).To(Succeed())
	Expect(admin.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	})
	Eventually(func() error { return admin.List(ctx, newSCCList()) }).Should(Succeed())
}

func newSCC() *unstructured.Unstructured {
	scc := &unstructured.Unstructured{}
	scc.SetGroupVersionKind(mesh.SecurityContextConstraintsKind)
	return scc
}

func newSCCList() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(mesh.SecurityContextConstraintsKind.GroupVersion().WithKind("SecurityContextConstraintsList"))
	return list
}

func sccName(nsm *nsmv1beta1.NSM, class string) string { return "nsm-" + nsm.Namespace + "-" + class }

// sccs are the names of the SCCs of an NSM.
func sccs(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	list := newSCCList()
	Expect(admin.List(ctx, list, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names
}

// bindings are the RoleBindings of an NSM, in all namespaces.
func bindings(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(admin.List(ctx, &list, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Namespace+"/"+list.Items[i].Name)
	}
	return names
}

func labelledNamespace(ctx context.Context, value string) string {
	GinkgoHelper()
	name := newNamespace(ctx)
	label(ctx, name, value)
	return name
}

func label(ctx context.Context, name, value string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(admin.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"example.com/nsm":"`+value+`"}}}`)))).To(Succeed())
}
