// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// held are the permissions that no request of these specs can show, and why the
// operator has them. What it hands on to the components of a mesh is not among
// them: that is read from the roles that it makes.
var held = map[permission]string{
	{
		role: clusterRole, group: "nsm.networkservicemesh.io", resource: "nsms/finalizers", verb: "update",
	}: "The admission plugin OwnerReferencesPermissionEnforcement, which OpenShift runs and Kubernetes does not by default, " +
		"asks for it, within the API server, of who makes an object with an owner and blockOwnerDeletion.",
	{
		role: clusterRole, group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations",
		name: "nsm-operator-validation", verb: "delete",
	}: "The same plugin asks for it of who changes the owners of an object.",
	{
		role: role, resource: "secrets", name: "nsm-operator-webhook-cert", verb: "delete",
	}: "The same plugin asks for it of who changes the owners of the Secret.",
	{
		role: role, group: "monitoring.coreos.com", resource: "servicemonitors", name: "nsm-operator", verb: "delete",
	}: "The same plugin asks for it of who changes the owners of the ServiceMonitor.",
	{
		role: role, group: "monitoring.coreos.com", resource: "prometheusrules", name: "nsm-operator", verb: "delete",
	}: "The same plugin asks for it of who changes the owners of the alerts.",
	{
		role: clusterRole, group: "nsm.networkservicemesh.io", resource: "nsms", verb: "get",
	}: "The migration of what is stored reads an NSM again when somebody else writes it in the same moment.",
}

// The operator is walked through all that it can do, with the roles that it is
// shipped with, while the API server writes down what it asks for: least
// privilege means that it does ask for each thing that it may.
var _ = Describe("The operator's permissions", Ordered, SpecPriority(1), func() {
	const (
		oldMesh    = "test/e2e/testdata/old.yaml"
		everything = "test/e2e/testdata/everything.yaml"
	)
	var (
		running *operator
		// webhooks is the address at which both lives of the operator serve them.
		webhooks string
		// handedOn are the rules of all roles that the operator has made.
		handedOn []permission
	)

	BeforeAll(func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up", "--audit", "system:serviceaccount:"+operatorNamespace+":"+operatorAccount)
		kubectl(ctx, "apply", "--server-side", "-k", "config/local")
		kubectl(ctx, "apply", "-f", "test/e2e/testdata/crds.yaml", "-f", federationCRD)
		kubectl(ctx, "apply", "-f", "test/e2e/testdata/monitoring.yaml")
		awaitDefinitions(ctx)
		// As if an earlier operator had stored NSMs in its version.
		kubectl(ctx, "patch", "crd", "nsms.nsm.networkservicemesh.io", "--subresource=status", "--type=merge",
			"-p", `{"status":{"storedVersions":["v1alpha1","v1beta1"]}}`)
		webhooks = freeAddresses(1)[0]
		running = startOperator(ctx, webhooks)
		DeferCleanup(func() { running.stop() })
	})

	It("let it tell why a mesh is down", func(ctx SpecContext) {
		// Else it would let the pods in.
		kubectl(ctx, "delete", "rolebinding", "nsm-operator-pod-security", "-n", namespace)
		kubectl(ctx, "label", "namespace", namespace, "--overwrite", "pod-security.kubernetes.io/enforce=restricted")
		kubectl(ctx, "apply", "-f", oldMesh)
		Eventually(reading(ctx, nsmResource, namespace, "old", "{.status.conditions}")).Should(ContainSubstring("violates PodSecurity"))
		handedOn = append(handedOn, madeRoles(ctx)...)
	})

	It("let it clean up behind a webhook that has registered itself", func(ctx SpecContext) {
		kubectl(ctx, "delete", "nsm", "old", "-n", namespace, "--timeout=3m")
		expectNothingOurs(ctx)
		var left admissionregistrationv1.MutatingWebhookConfigurationList
		Expect(admin.List(ctx, &left)).To(Succeed())
		Expect(left.Items).To(HaveLen(1), "the operator's own")
	})

	It("let it replace a certificate that somebody damages", func(ctx SpecContext) {
		secret := &corev1.Secret{}
		kubectl(ctx, "patch", "secret", "nsm-operator-webhook-cert", "-n", operatorNamespace, "-p", `{"stringData":{"tls.crt":"damaged"}}`)
		Eventually(func() string {
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "nsm-operator-webhook-cert"}, secret)).To(Succeed())
			return string(secret.Data[corev1.TLSCertKey])
		}).Should(ContainSubstring("BEGIN CERTIFICATE"))
	})

	It("let it tell Prometheus of itself", func(ctx SpecContext) {
		alerts := reading(ctx, ruleResource, operatorNamespace, "nsm-operator", "{.spec}")
		monitor := reading(ctx, monitorResource, operatorNamespace, "nsm-operator", "{.spec}")
		Eventually(alerts).WithTimeout(3 * time.Minute).Should(ContainSubstring("NSMOperatorDown"))
		Eventually(monitor).WithTimeout(3 * time.Minute).Should(ContainSubstring("bearerTokenFile"))
		kubectl(ctx, "patch", "prometheusrule", "nsm-operator", "-n", operatorNamespace, "--type=merge", "-p", `{"spec":{"groups":[]}}`)
		Eventually(alerts).WithTimeout(3 * time.Minute).Should(ContainSubstring("NSMOperatorDown"))
		kubectl(ctx, "patch", "servicemonitor", "nsm-operator", "-n", operatorNamespace, "--type=merge", "-p", `{"spec":{"endpoints":[]}}`)
		Eventually(monitor).WithTimeout(3 * time.Minute).Should(ContainSubstring("bearerTokenFile"))
	})

	It("let it give up and take the lead, now on OpenShift", func(ctx SpecContext) {
		running.stop()
		kubectl(ctx, "apply", "--server-side", "-f", openShiftCRD(ctx, "security/v1", "securitycontextconstraints.crd.yaml"))
		kubectl(ctx, "apply", "--server-side", "-f", openShiftCRD(ctx, "config/v1", "networks-Default.crd.yaml"))
		kubectl(ctx, "apply", "--server-side", "-f", openShiftCRD(ctx, "config/v1", "apiservers-Default.crd.yaml"))
		awaitDefinitions(ctx)
		kubectl(ctx, "apply", "-f", "test/e2e/testdata/network.yaml")
		// API servers of the oldest Kubernetes that is supported do not stream what
		// there is before what changes: caches have to list it.
		running = startOperator(ctx, webhooks, "KUBE_FEATURE_WatchListClient=false")
	})

	It("let it make a mesh with all that there is", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", everything)
		kubectl(ctx, "wait", "--for=condition=Available", "nsm/everything", "-n", "nsm-system", "--timeout=3m")
		Eventually(ours).WithArguments(ctx).WithPolling(listing).Should(ContainElements(
			"clusterproperties /id.k8s.io", "clusterspiffeids /nsm-nsm-system-workloads", "csidrivers /csi.networkservicemesh.io",
			"mutatingwebhookconfigurations /nsm-mutating-webhook-nsm-system", "podmonitors nsm-system/forwarder-vpp", "rolebindings clients/nsm:nsm-system:client",
			"secrets nsm-system/admission-webhook-tls", "securitycontextconstraints /nsm-nsm-system-client",
			"validatingadmissionpolicies /nsm-nsm-system-client", "validatingadmissionpolicybindings /nsm-nsm-system-client"))
		handedOn = append(handedOn, madeRoles(ctx)...)
	})

	It("let it limit whom the pods of that mesh talk to, and lift that again", func(ctx SpecContext) {
		limited := []string{
			"nsm-registry", "nsmgr", "nsm-csi", "admission-webhook-k8s", "nsmgr-proxy", "registry-proxy", "cluster-info",
			"vl3-ipam", "vl3-ipam-ipv6", "dashboard",
		}
		expectPoliciesOf(ctx, limited...)
		policies := func() []string {
			return slices.DeleteFunc(ours(ctx), func(object string) bool { return !strings.HasPrefix(object, "networkpolicies ") })
		}
		kubectl(ctx, "patch", "nsm", "everything", "-n", "nsm-system", "--type=merge", "-p", `{"spec":{"networkPolicy":"None"}}`)
		Eventually(policies).WithPolling(listing).Should(BeEmpty())
		kubectl(ctx, "patch", "nsm", "everything", "-n", "nsm-system", "--type=merge", "-p", `{"spec":{"networkPolicy":"Managed"}}`)
		Eventually(policies).WithPolling(listing).Should(HaveLen(len(limited)))
	})

	It("let it replace the pods of a forwarder node by node", func(ctx SpecContext) {
		pods := func() []string {
			var list corev1.PodList
			Expect(admin.List(ctx, &list, client.InNamespace("nsm-system"), client.MatchingLabels{"app.kubernetes.io/name": "forwarder-ovs"})).To(Succeed())
			var names []string
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
			return names
		}
		before := pods()
		Expect(before).NotTo(BeEmpty())
		kubectl(ctx, "rollout", "restart", "-n", "nsm-system", "daemonset/forwarder-ovs")
		for _, pod := range before {
			Eventually(pods).WithTimeout(3 * time.Minute).ShouldNot(ContainElement(pod))
		}
		kubectl(ctx, "wait", "--for=condition=Available", "nsm/everything", "-n", "nsm-system", "--timeout=3m")
	})

	It("let it count what it does again and again", func(ctx SpecContext) {
		// A Service that goes and comes changes nothing of the NSM, so that it is the same
		// event, unless the status is written in between.
		service := &corev1.Service{}
		key := client.ObjectKey{Namespace: "nsm-system", Name: "registry"}
		repair := func() {
			Expect(admin.Get(ctx, key, service)).To(Succeed())
			gone := service.UID
			Expect(admin.Delete(ctx, service)).To(Succeed())
			Eventually(func() bool { return admin.Get(ctx, key, service) == nil && service.UID != gone }).Should(BeTrue())
		}
		repair()
		Eventually(func() []eventsv1.Event {
			repair()
			var told eventsv1.EventList
			Expect(admin.List(ctx, &told, client.InNamespace("nsm-system"))).To(Succeed())
			return told.Items
		}).WithTimeout(3 * time.Minute).WithPolling(2 * time.Second).
			Should(ContainElement(And(HaveField("Reason", "Repaired"), HaveField("Series.Count", BeNumerically(">=", 2)))))
	})

	It("let it take all of that away", func(ctx SpecContext) {
		kubectl(ctx, "delete", "nsm", "everything", "-n", "nsm-system", "--timeout=3m")
		expectNothingOurs(ctx)
	})

	It("let it ask who reads its metrics", func(ctx SpecContext) {
		kubectl(ctx, "create", "clusterrolebinding", "metrics", "--clusterrole=nsm-operator-metrics-reader", "--serviceaccount=default:default")
		token := strings.TrimSpace(kubectl(ctx, "create", "token", "default", "-n", "default"))
		var served string
		Eventually(func() int {
			var status int
			status, served = running.scrape(ctx, token)
			return status
		}).Should(Equal(http.StatusOK))
		running.stop()

		By("the alerts and the dashboard asking for what there is")
		// The operator is gone: the API server cannot ask it.
		refused := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "nsm.networkservicemesh.io/v1beta1", "kind": "NSM", "metadata": map[string]any{"namespace": "default", "name": "refused"},
		}}
		Expect(admin.Create(ctx, refused)).To(MatchError(ContainSubstring("failed calling webhook")))
		// The guard of its definition is passed over then.
		kubectl(ctx, "annotate", "crd", "nsms.nsm.networkservicemesh.io", "example.com/written=unguarded")
		served += kubectl(ctx, "get", "--raw", "/metrics")
		for _, name := range askedFor("rules.yaml", "dashboard.json") {
			family := strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")
			isServed := strings.Contains(served, "\n# TYPE "+name+" ") || strings.Contains(served, "\n# TYPE "+family+" histogram")
			Expect(isServed).To(BeTrue(), name)
		}
		Expect(strings.Contains(served, `rejection_count{error_type="calling_webhook_error",name="defaults.nsm.networkservicemesh.io"`)).To(BeTrue())
		Expect(strings.Contains(served, `fail_open_count{name="definition.nsm.networkservicemesh.io"`)).To(BeTrue())
		Expect(strings.Contains(served, `webhook_request_total{code="200",name="defaults.nsm.networkservicemesh.io"`)).To(BeTrue())
	})

	It("are enough", func() {
		for _, event := range auditLog() {
			Expect(event.isRefused()).To(BeFalse(), "%s %s", event.Verb, event.RequestURI)
		}
	})

	It("are all needed", func() {
		shipped, used := shippedPermissions(), usedPermissions(auditLog())
		Expect(used).NotTo(BeEmpty())
		var problems []string
		for _, one := range shipped {
			if problem := problemOf(one, shipped, used, handedOn); problem != "" {
				problems = append(problems, one.String()+": "+problem)
			}
		}
		for one := range held {
			if !slices.Contains(shipped, one) {
				problems = append(problems, one.String()+": the role does not have it any more; take it from the table of what is held")
			}
		}
		Expect(strings.Join(problems, "\n")).To(BeEmpty())
	})
})

// problemOf a permission that is shipped; "" for none.
func problemOf(one permission, shipped, used, handedOn []permission) string {
	for _, other := range shipped {
		if other != one && other.includes(one) {
			return fmt.Sprintf("adds nothing to %q; remove it from the +kubebuilder:rbac comments", other)
		}
	}
	isUsed, isHandedOn := slices.ContainsFunc(used, one.includes), slices.ContainsFunc(handedOn, one.includes)
	_, isHeld := held[one]
	switch {
	case isHeld && isUsed:
		return "the operator uses it; take it from the table of what is held"
	case isHeld && isHandedOn:
		return "the operator hands it on; take it from the table of what is held"
	case !isHeld && !isUsed && !isHandedOn:
		return "the operator never uses it, and hands it on to nobody; remove it from the +kubebuilder:rbac comments, " +
			"or walk the operator through what needs it"
	default:
		return ""
	}
}

// The check itself says what is wrong, and of what is right nothing.
func TestProblemOf(t *testing.T) {
	g := NewWithT(t)
	every := permission{role: clusterRole, resource: "pods", verb: "get"}
	one, own, other := every, every, every
	one.name, own.role, other.verb = "one", role, "list"
	for _, used := range []permission{every, one, own} {
		g.Expect(problemOf(every, []permission{every}, []permission{used}, nil)).To(BeEmpty(), used.String())
		g.Expect(problemOf(every, []permission{every}, nil, []permission{used})).To(BeEmpty(), used.String())
	}
	g.Expect(problemOf(one, []permission{one}, []permission{every}, nil)).To(ContainSubstring("never uses"), "another name may be meant")
	g.Expect(problemOf(own, []permission{own}, []permission{every}, nil)).To(ContainSubstring("never uses"), "another namespace is meant")
	g.Expect(problemOf(other, []permission{every, other}, []permission{every}, nil)).To(ContainSubstring("never uses"))
	for _, narrow := range []permission{one, own} {
		g.Expect(problemOf(narrow, []permission{narrow, every}, []permission{one, own}, nil)).To(ContainSubstring("adds nothing"))
	}
	for excused := range held {
		g.Expect(problemOf(excused, []permission{excused}, nil, nil)).To(BeEmpty())
		g.Expect(problemOf(excused, []permission{excused}, []permission{excused}, nil)).To(ContainSubstring("uses it"))
		g.Expect(problemOf(excused, []permission{excused}, nil, []permission{excused})).To(ContainSubstring("hands it on"))
	}
}

// What a request takes is read from its line of the log.
func TestUses(t *testing.T) {
	g := NewWithT(t)
	for line, want := range map[string][]string{
		`{"verb":"get","requestURI":"/healthz","annotations":{"authorization.k8s.io/decision":"allow"}}`:          nil,
		`{"verb":"get","objectRef":{"resource":"pods"},"annotations":{"authorization.k8s.io/decision":"forbid"}}`: nil,
		`{"verb":"patch","objectRef":{"apiGroup":"apps","resource":"daemonsets","subresource":"status","name":"a"},` +
			`"responseStatus":{"code":200},"annotations":{"authorization.k8s.io/decision":"allow"}}`: {`ClusterRole: patch daemonsets.apps/status "a"`},
		`{"verb":"patch","objectRef":{"resource":"secrets","namespace":"nsm-operator-system","name":"a"},` +
			`"responseStatus":{"code":201},"annotations":{"authorization.k8s.io/decision":"allow"}}`: {`Role: patch secrets "a"`, `Role: create secrets "a"`},
		`{"verb":"create","objectRef":{"resource":"secrets","namespace":"a","name":"a"},` +
			`"responseStatus":{"code":201},"annotations":{"authorization.k8s.io/decision":"allow"}}`: {`ClusterRole: create secrets`},
	} {
		var event auditEvent
		g.Expect(json.Unmarshal([]byte(line), &event)).To(Succeed())
		var got []string
		for _, use := range event.uses() {
			got = append(got, use.String())
		}
		g.Expect(got).To(Equal(want), line)
	}
}

// madeRoles are the permissions in the roles that the operator has made: nobody
// may grant what he has not.
func madeRoles(ctx context.Context) []permission {
	GinkgoHelper()
	var roles rbacv1.ClusterRoleList
	Expect(admin.List(ctx, &roles, client.MatchingLabels{"app.kubernetes.io/managed-by": "nsm-operator"})).To(Succeed())
	Expect(roles.Items).NotTo(BeEmpty())
	var all []permission
	for _, made := range roles.Items {
		for _, rule := range made.Rules {
			all = append(all, permissionsOf(clusterRole, rule)...)
		}
	}
	return all
}

// openShiftCRD is the file with OpenShift's own definition of a kind.
func openShiftCRD(ctx context.Context, group, suffix string) string {
	GinkgoHelper()
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api").Output()
	Expect(err).NotTo(HaveOccurred())
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(module)), group, "zz_generated.crd-manifests", "*_"+suffix))
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(HaveLen(1))
	return found[0]
}

// askedFor are the metrics in files of config/prometheus that are not the operator's own.
func askedFor(files ...string) []string {
	GinkgoHelper()
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, "config", "prometheus", file))
		Expect(err).NotTo(HaveOccurred())
		for _, name := range regexp.MustCompile(`\b(apiserver|controller_runtime|leader_election|process)_[a-z_]+`).FindAllString(string(text), -1) {
			found[name] = true
		}
	}
	Expect(len(found)).To(BeNumerically(">", 4))
	return slices.Sorted(maps.Keys(found))
}
