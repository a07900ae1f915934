// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

var _ = Describe("check", func() {
	outcomes := func(from result) map[string]preflight.Outcome {
		all := map[string]preflight.Outcome{}
		for _, check := range decode[report.Checks](from).Checks {
			all[check.Code] = check.Outcome
		}
		return all
	}

	It("makes all checks, and fails where one does", func(ctx SpecContext) {
		found := runAdmin(ctx, "check", "-n", newNamespace(ctx), "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(outcomes(found)).To(SatisfyAll(
			HaveKeyWithValue("NSM001", preflight.OK), HaveKeyWithValue("NSM002", preflight.OK),
			HaveKeyWithValue("NSM003", preflight.Failed), // there is no Deployment of the operator
			HaveKeyWithValue("NSM005", preflight.Warning),
			HaveKeyWithValue("NSM013", preflight.Skipped), // there is no mesh yet
		))
		text := runAdmin(ctx, "check")
		Expect(text.code).To(Equal(exitFinding))
		Expect(text.stdout).To(ContainSubstring("failed   NSM003  the operator works\n         no Deployment of the operator is found"))
	})

	It("warns of a namespace of clients that SPIRE ignores", func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "ibm-apps-", Annotations: map[string]string{"networkservicemesh.io": "kernel://service"},
		}}
		Expect(admin.Create(ctx, namespace)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, namespace)).To(Succeed()) })
		found := decode[report.Checks](runAdmin(ctx, "check", "--pre", "-o", "json"))
		Expect(found.Checks).To(ContainElement(And(HaveField("Code", "NSM039"), HaveField("Outcome", preflight.Warning),
			HaveField("Message", ContainSubstring("a client's namespace, "+namespace.Name+", matches")))))
		Expect(outcomes(runAs(ctx, viewer, "check", "--pre", "-n", viewed, "-o", "json"))).To(HaveKeyWithValue("NSM039", preflight.Skipped))
	})

	// written are the requests that are no reads.
	written := func(asked []string) []string {
		return slices.DeleteFunc(asked, func(request string) bool { return strings.HasPrefix(request, "GET ") })
	}
	const review = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

	It("looks at whether an installation can be made, and makes no dry run", func(ctx SpecContext) {
		kubeconfig, asked := listen()
		found := runAs(ctx, kubeconfig, "check", "--pre", "--helm-version", "v3.22.0", "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr) // there is no node for anything
		Expect(outcomes(found)).To(SatisfyAll(
			Not(HaveKey("NSM003")), Not(HaveKey("NSM004")),
			HaveKeyWithValue("NSM006", preflight.Warning), // nobody knows the default of Pod Security
			HaveKeyWithValue("NSM016", preflight.OK), HaveKeyWithValue("NSM017", preflight.OK), HaveKeyWithValue("NSM018", preflight.OK),
			HaveKeyWithValue("NSM019", preflight.Warning), HaveKeyWithValue("NSM022", preflight.Skipped),
		))
		Expect(written(asked())).To(ConsistOf(review))
	})

	It("tries a privileged pod by a dry run where it may be active", func(ctx SpecContext) {
		kubeconfig, asked := listen()
		file := write(&nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh"}})
		found := runAs(ctx, kubeconfig, "check", "--pre", "--active", "-f", file, "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(outcomes(found)).To(SatisfyAll(HaveKeyWithValue("NSM006", preflight.OK), Not(HaveKey("NSM027"))))
		Expect(written(asked())).To(ConsistOf(review, "POST /api/v1/namespaces/default/pods"))
		var pods corev1.PodList
		Expect(admin.List(ctx, &pods, client.InNamespace("default"))).To(Succeed())
		Expect(pods.Items).To(BeEmpty(), "it was a dry run")
		refused := runAdmin(ctx, "check", "--active", "-f", file)
		Expect(refused.code).To(Equal(exitNothing))
		Expect(refused.stderr).To(ContainSubstring("leave out --filename, or add --pre"))
	})

	It("asks for definitions anew, whatever kubectl keeps of a cluster", func(ctx SpecContext) {
		served := true
		kubeconfig := between(func(w http.ResponseWriter, r *http.Request) bool {
			if !served && strings.HasPrefix(r.URL.Path, "/apis/nsm.networkservicemesh.io/") {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		})
		Expect(outcomes(runAs(ctx, kubeconfig, "check", "-o", "json"))).To(HaveKeyWithValue("NSM002", preflight.OK))
		served = false
		found := runAs(ctx, kubeconfig, "check", "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(outcomes(found)).To(HaveKeyWithValue("NSM002", preflight.Failed))
	})

	It("looks for OpenShift's constraints, and whether they are granted", func(ctx SpecContext) {
		serveConstraints(ctx)
		namespace := newNamespace(ctx)
		newNSM(ctx, namespace, nil)
		found := runAdmin(ctx, "check", "-n", namespace)
		Expect(found.stdout).To(ContainSubstring("there is no SecurityContextConstraints nsm-" + namespace + "-forwarder"))
		Expect(found.stdout).To(ContainSubstring("there is no RoleBinding " + namespace + "/scc:forwarder-vpp"))
		for document := range strings.SplitSeq(runAdmin(ctx, "render", "-n", namespace).stdout, "---\n") {
			object := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(document), object)).To(Succeed())
			if slices.Contains([]string{"SecurityContextConstraints", "ClusterRole", "RoleBinding"}, object.GetKind()) {
				object.SetOwnerReferences(nil)
				Expect(admin.Create(ctx, object)).To(Succeed())
				DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
			}
		}
		Expect(outcomes(runAdmin(ctx, "check", "-n", namespace, "-o", "json"))).To(HaveKeyWithValue("NSM007", preflight.OK))
		newNSM(ctx, viewed, nil)
		Expect(outcomes(runAs(ctx, viewer, "check", "-n", viewed, "-o", "json"))).To(HaveKeyWithValue("NSM007", preflight.Skipped))
	})

	It("tells a viewer that he may not install anything", func(ctx SpecContext) {
		found := runAs(ctx, viewer, "check", "--pre", "-n", viewed, "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(outcomes(found)).To(SatisfyAll(
			HaveKeyWithValue("NSM016", preflight.Failed), HaveKeyWithValue("NSM017", preflight.Skipped), HaveKeyWithValue("NSM019", preflight.Skipped)))
	})

	It("skips what a viewer of one namespace cannot see, and fails for nothing of it", func(ctx SpecContext) {
		found := runAs(ctx, viewer, "check", "-n", viewed, "-o", "json")
		Expect(found.code).To(Equal(exitFine), found.stdout+found.stderr)
		Expect(outcomes(found)).To(SatisfyAll(
			HaveKeyWithValue("NSM003", preflight.Skipped), HaveKeyWithValue("NSM004", preflight.Skipped),
			HaveKeyWithValue("NSM012", preflight.Skipped), HaveKeyWithValue("NSM014", preflight.OK),
		))
		Expect(runAs(ctx, viewer, "check", "-n", viewed, "--strict").code).To(Equal(exitFinding), "a warning is one then")
	})
})

// serveConstraints has the API server serve OpenShift's SecurityContextConstraints.
func serveConstraints(ctx context.Context) {
	GinkgoHelper()
	directory, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api").Output()
	Expect(err).NotTo(HaveOccurred())
	server.Kubectl(ctx, "create", "-f", filepath.Join(strings.TrimSpace(string(directory)),
		"security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml"))
	const name = "securitycontextconstraints.security.openshift.io"
	DeferCleanup(func(ctx SpecContext) { server.Kubectl(ctx, "delete", "crd", name, "--wait") })
	server.AwaitDefinitions(ctx, name)
}

var _ = Describe("topology", func() {
	It("shows what a registry keeps, in every output, to a viewer of the namespace as well", func(ctx SpecContext) {
		for name, expires := range map[string]time.Duration{"live": time.Hour, "gone": -time.Hour} {
			register(ctx, viewed, name, expires)
		}
		found := runAs(ctx, viewer, "topology", "-n", viewed)
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(found.stdout).To(ContainSubstring("NetworkService viewed/responder  1 of 2 endpoints are live"))
		Expect(found.stdout).To(MatchRegexp(`gone  expired (1h0m|59m)\d+s ago`))
		Expect(found.stdout).To(ContainSubstring("pod apps/live (path_ids)"))
		Expect(found.stdout).To(ContainSubstring("not seen: list pods in all namespaces: forbidden"))
		topology := decode[report.Topology](runAs(ctx, viewer, "topology", "-n", viewed, "-o", "json"))
		Expect(topology.Endpoints).To(HaveLen(2))
		for format, begins := range map[string]string{"yaml": "---\n", "dot": "digraph nsm {", "svg": "<svg "} {
			drawn := runAs(ctx, viewer, "topology", "-n", viewed, "-o", format)
			Expect(drawn.code).To(Equal(exitFinding), format)
			Expect(drawn.stdout).To(HavePrefix(begins), fmt.Sprintf("%s: %s", format, drawn.stderr))
		}
	})

	It("says so where no registry keeps anything", func(ctx SpecContext) {
		found := runAdmin(ctx, "topology", "-n", newNamespace(ctx))
		Expect(found.code).To(Equal(exitFine))
		Expect(found.stdout).To(BeEmpty())
		Expect(found.stderr).To(ContainSubstring("no registry keeps anything here"))
	})
})
