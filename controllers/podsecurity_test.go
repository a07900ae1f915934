// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	enforceLabel    = "pod-security.kubernetes.io/enforce"
	auditLabel      = "pod-security.kubernetes.io/audit"
	warnLabel       = "pod-security.kubernetes.io/warn"
	syncLabel       = "security.openshift.io/scc.podSecurityLabelSync"
	podSecurityRole = "nsm-operator-pod-security"
)

// letsAllIn are the labels that the operator gives a namespace.
var letsAllIn = map[string]string{enforceLabel: "privileged", auditLabel: "privileged", warnLabel: "privileged"}

var _ = Describe("The Pod Security labels of a mesh's namespace", func() {
	var (
		o         *operator
		namespace string
	)

	BeforeEach(func(ctx SpecContext) {
		o = startOperator()
		namespace = newNamespace(ctx)
	})

	It("are set where an admin lets the operator do so, before any pod can be made", func(ctx SpecContext) {
		setLabels(ctx, namespace, map[string]string{enforceLabel: "restricted", "example.com/theirs": "1"})
		letLabel(ctx, namespace)
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Expect(labelsOf(ctx, namespace)()).To(And(haveLabels(letsAllIn), HaveKeyWithValue("example.com/theirs", "1")))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement("Updated: Updated Namespace " + namespace))
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("False"))

		writes := slices.DeleteFunc(o.requests.all(), func(one request) bool { return !one.isWrite() })
		labelled := slices.Index(writes, labelling(namespace))
		finalized := slices.IndexFunc(writes, func(one request) bool { return strings.HasSuffix(one.path, "/nsms/"+nsm.Name) })
		created := slices.IndexFunc(writes, func(one request) bool { return strings.Contains(one.path, "/daemonsets/") })
		Expect(labelled).To(And(BeNumerically(">", finalized), BeNumerically("<", created)))
		Expect(finalized).To(BeNumerically(">=", 0), "what has to go with the mesh waits for the finalizer")
	})

	It("are not, where nobody lets it", func(ctx SpecContext) {
		before := labelsOf(ctx, namespace)()
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		settle(o)
		Expect(labelsOf(ctx, namespace)()).To(Equal(before))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"), "what the cluster does without a label is not known")
	})

	It("come back when somebody changes them, and nothing else is done", func(ctx SpecContext) {
		letLabel(ctx, namespace)
		nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
		reconcileOften(ctx, o, nsm)
		drifted := repaired("Namespace")
		for n, change := range []map[string]string{{enforceLabel: "restricted"}, {warnLabel: ""}} {
			setLabels(ctx, namespace, change)
			Eventually(labelsOf(ctx, namespace)).Should(haveLabels(letsAllIn))
			Eventually(func() float64 { return repaired("Namespace") - drifted }).Should(Equal(float64(n + 1)))
			Eventually(eventsOf(ctx, nsm)).Should(ContainElement("Repaired: Repaired Namespace " + namespace))
			settle(o)
		}
		setLabels(ctx, namespace, map[string]string{"example.com/theirs": "1"})
		reconcileOften(ctx, o, nsm)

		By("nor after a restart")
		o.stop()
		passes := reconciles()
		second := startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(second.requests.all).Should(BeEmpty())
	})

	It("are no cause for an endless fight, and people are told", func(ctx SpecContext) {
		letLabel(ctx, namespace)
		nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
		Consistently(func() int {
			if labelsOf(ctx, namespace)()[enforceLabel] != "baseline" {
				setLabels(ctx, namespace, map[string]string{enforceLabel: "baseline"})
			}
			return o.requests.count(labelling(namespace))
		}).WithTimeout(4*time.Second).Should(BeNumerically("<=", 6), "three at once, and then after 1 and 2 seconds")
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix("somebody else keeps changing Namespace " + namespace))
	})

	It("are asked for where pods are known to be refused, with the commands that end that", func(ctx SpecContext) {
		nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
		setLabels(ctx, namespace, map[string]string{enforceLabel: "restricted"})
		Eventually(reasonOf(ctx, nsm)).Should(Equal("PodSecurity"))
		label := "kubectl label namespace " + namespace + " pod-security.kubernetes.io/enforce=privileged --overwrite"
		allow := "kubectl create rolebinding nsm-operator-pod-security --namespace " + namespace +
			" --clusterrole nsm-operator-pod-security --serviceaccount nsm-operator-system:nsm-operator"
		Expect(messageOf(ctx, nsm, degraded)()).To(Equal("namespace " + namespace + " has the label pod-security.kubernetes.io/enforce=restricted, " +
			"which refuses new pods of forwarders, and of other components that use their node. To let them in: " + label + "; or to have the operator set the labels: " + allow))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"), "what runs goes on")
		settle(o)

		By("and while it lasts, nothing is asked or written")
		o.stop()
		passes := reconciles()
		o = startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(o.requests.all).Should(BeEmpty())

		By("which the first of them does")
		server.Kubectl(ctx, strings.Fields(label)[1:]...)
		Eventually(reasonOf(ctx, nsm)).Should(Equal("AsExpected"))

		By("and so does the second")
		setLabels(ctx, namespace, map[string]string{enforceLabel: "baseline"})
		Eventually(reasonOf(ctx, nsm)).Should(Equal("PodSecurity"))
		server.Kubectl(ctx, strings.Fields(allow)[1:]...)
		Eventually(labelsOf(ctx, namespace)).Should(haveLabels(letsAllIn))
		Eventually(reasonOf(ctx, nsm)).Should(Equal("AsExpected"))

		By("until the admin takes it back")
		Expect(admin.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podSecurityRole}})).To(Succeed())
		settle(o)
		Expect(labelsOf(ctx, namespace)()).To(haveLabels(letsAllIn))
		setLabels(ctx, namespace, map[string]string{enforceLabel: "baseline"})
		Eventually(reasonOf(ctx, nsm)).Should(Equal("PodSecurity"))
		settle(o)
		Expect(labelsOf(ctx, namespace)()).To(HaveKeyWithValue(enforceLabel, "baseline"))
	})

	It("do not keep the mesh waiting where the binding is not for the operator", func(ctx SpecContext) {
		binding := letLabel(ctx, namespace)
		change(ctx, binding, func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "somebody" })
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("labelling Namespace "+namespace+": "), ContainSubstring("cannot patch resource"),
			HaveSuffix("; RoleBinding "+namespace+"/nsm-operator-pod-security should allow that, "+
				"by binding the ClusterRole nsm-operator-pod-security to the ServiceAccount nsm-operator-system/nsm-operator")))

		By("and when it is put right, that is seen, and not found out by trying again")
		tries := func() int { return o.requests.count(labelling(namespace)) }
		Eventually(tries).Should(BeNumerically(">=", 12), "the next pause is of ten seconds")
		before := tries()
		change(ctx, binding, func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "nsm-operator" })
		Eventually(tries).WithTimeout(9 * time.Second).Should(BeNumerically(">", before))
		// The API server may hear of it later than the operator. The next pause is longer
		// still, so the operator is woken until it is allowed to.
		woken := 0
		Eventually(func() map[string]string {
			if woken++; woken > 1 {
				change(ctx, binding, func(b *rbacv1.RoleBinding) {
					b.Annotations = map[string]string{"example.com/woken": strconv.Itoa(woken)}
				})
			}
			return labelsOf(ctx, namespace)()
		}).WithPolling(time.Second).Should(haveLabels(letsAllIn))
		Eventually(reasonOf(ctx, nsm)).Should(Equal("AsExpected"))
	})

	Describe("go with the mesh:", func() {
		It("those of the operator, and not an admin's", func(ctx SpecContext) {
			before := labelsOf(ctx, namespace)()
			setLabels(ctx, namespace, map[string]string{enforceLabel: "privileged", "example.com/theirs": "1"})
			letLabel(ctx, namespace)
			nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
			Expect(labelsOf(ctx, namespace)()).To(haveLabels(letsAllIn))

			Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
			expectNothingLeft(ctx, nsm)
			before[enforceLabel], before["example.com/theirs"] = "privileged", "1"
			Expect(labelsOf(ctx, namespace)()).To(Equal(before))
			// The cache may know the NSM for a moment longer than it is there.
			Expect(o.requests.count(labelling(namespace))).To(And(BeNumerically(">=", 1), BeNumerically("<=", 2)))
		})

		It("and come again with it", func(ctx SpecContext) {
			before := labelsOf(ctx, namespace)()
			letLabel(ctx, namespace)
			nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
			o.stop()
			Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
			o = startOperator()
			expectNothingLeft(ctx, nsm)
			Expect(labelsOf(ctx, namespace)()).To(Equal(before), "also when it goes while the operator is away")

			newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
			Eventually(labelsOf(ctx, namespace)).Should(haveLabels(letsAllIn))
		})

		It("unless the admin has taken that back, or the namespace itself goes", func(ctx SpecContext) {
			binding := letLabel(ctx, namespace)
			nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{})
			// What is only watched is in no cache that settle looks at.
			passes := reconciles()
			Expect(admin.Delete(ctx, binding)).To(Succeed())
			Eventually(reconciles).Should(BeNumerically(">", passes))
			settle(o)
			Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
			expectNothingLeft(ctx, nsm)
			Expect(labelsOf(ctx, namespace)()).To(haveLabels(letsAllIn))
			Expect(o.requests.count(labelling(namespace))).To(BeZero(), "nothing is tried that is not allowed")

			going := newNamespace(ctx)
			letLabel(ctx, going)
			nsm = newAvailableNSMIn(ctx, o, going, nsmv1beta1.NSMSpec{})
			passes = reconciles()
			deleteNamespace(ctx, going)
			Eventually(reconciles).Should(BeNumerically(">", passes))
			setLabels(ctx, going, map[string]string{enforceLabel: "restricted"})
			Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
			expectNothingLeft(ctx, nsm)
			Expect(o.requests.count(labelling(going))).To(BeZero())
		})
	})
})

var _ = Describe("The labels of a mesh's namespace on OpenShift", func() {
	It("keep OpenShift from changing them as well", func(ctx SpecContext) {
		serveSCCs(ctx)
		startOperatorOn(mesh.Platform{OpenShift: true}, &requests{})
		namespace := newNamespace(ctx)
		setLabels(ctx, namespace, map[string]string{enforceLabel: "restricted"})
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		label := "kubectl label namespace " + namespace +
			" pod-security.kubernetes.io/enforce=privileged security.openshift.io/scc.podSecurityLabelSync=false --overwrite"
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("To let them in: " + label + ";"))

		letLabel(ctx, namespace)
		Eventually(labelsOf(ctx, namespace)).Should(And(haveLabels(letsAllIn), HaveKeyWithValue(syncLabel, "false")))
		Eventually(reasonOf(ctx, nsm)).Should(Equal("AsExpected"))
	})
})

var _ = Describe("Pod Security", func() {
	// judged is what the API server says of the pods of a mesh's Deployments, by name, in a
	// namespace that enforces a level.
	judged := func(ctx context.Context, level string, spec nsmv1beta1.NSMSpec) map[string]error {
		GinkgoHelper()
		place := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-security-", Labels: map[string]string{enforceLabel: level}}}
		Expect(admin.Create(ctx, place)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, place))).To(Succeed()) })
		nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: place.Name, Name: "mesh"}, Spec: spec}
		said := map[string]error{}
		for _, component := range mesh.Components(mesh.Input{NSM: nsm, Release: release.Newest()}) {
			if mesh.KindOf(component.Workload) != "Deployment" {
				continue
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: place.Name, Name: component.Workload.GetName()}}
			pod.Spec = *mesh.PodTemplateOf(component.Workload).Spec.DeepCopy()
			pod.Spec.PriorityClassName, pod.Spec.ServiceAccountName = "", "" // of which there is none here
			said[pod.Name] = admin.Create(ctx, pod, client.DryRunAll)
		}
		return said
	}
	restricted := nsmv1beta1.NSMSpec{
		Spire:       &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI},
		Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: "one"},
		VL3:         &nsmv1beta1.VL3Spec{},
		Dashboard:   &nsmv1beta1.DashboardSpec{},
	}

	It("lets the parts that are on no node in particular run where it is restricted", func(ctx SpecContext) {
		said := judged(ctx, "restricted", restricted)
		Expect(said).To(And(HaveKey("nsm-registry"), HaveKey("registry-proxy"), HaveKey("vl3-ipam"), HaveKey("dashboard"), HaveKey(mesh.WebhookName)))
		for name, admitted := range said {
			Expect(admitted).NotTo(HaveOccurred(), name)
		}
	})

	It("lets NSM's webhook have the network of its node where the namespace is privileged, and nowhere else", func(ctx SpecContext) {
		onNode := nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{HostNetwork: ptr.To(true)}}
		Expect(judged(ctx, "baseline", onNode)[mesh.WebhookName]).To(MatchError(ContainSubstring("host namespaces (hostNetwork=true)")))
		said := judged(ctx, "privileged", onNode)
		Expect(said).To(HaveKeyWithValue(mesh.WebhookName, BeNil()))
	})
})

// haveLabels matches what has all of the labels.
func haveLabels(labels map[string]string) OmegaMatcher {
	all := []OmegaMatcher{}
	for key, value := range labels {
		all = append(all, HaveKeyWithValue(key, value))
	}
	return And(all...)
}

// labelling is the request that labels a namespace.
func labelling(namespace string) request {
	return request{verb: http.MethodPatch, path: "/api/v1/namespaces/" + namespace}
}

// letLabel has the operator label a namespace, as an admin would.
func letLabel(ctx context.Context, namespace string) *rbacv1.RoleBinding {
	GinkgoHelper()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podSecurityRole},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: podSecurityRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: "nsm-operator"}},
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	return binding
}

// setLabels of a namespace, as kubectl would; "" takes one off.
func setLabels(ctx context.Context, name string, labels map[string]string) {
	GinkgoHelper()
	values := map[string]any{}
	for key, value := range labels {
		if values[key] = value; value == "" {
			values[key] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": values}})
	Expect(err).NotTo(HaveOccurred())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(admin.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json", patch), client.FieldOwner("kubectl-label"))).To(Succeed())
}

// labelsOf a namespace.
func labelsOf(ctx context.Context, name string) func() map[string]string {
	return func() map[string]string {
		GinkgoHelper()
		namespace := &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: name}, namespace)).To(Succeed())
		return namespace.Labels
	}
}

// reasonOf the condition Degraded.
func reasonOf(ctx context.Context, nsm *nsmv1beta1.NSM) func() string {
	return func() string {
		GinkgoHelper()
		found := meta.FindStatusCondition(reread(ctx, nsm).Status.Conditions, degraded)
		if found == nil {
			return ""
		}
		return found.Reason
	}
}
