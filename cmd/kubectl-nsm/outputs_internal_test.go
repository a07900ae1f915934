// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// outcome of a command in a situation.
type outcome struct {
	// args of it, without the output.
	args []string
	// kubeconfig that it is run with.
	kubeconfig string
	code       int
	// kind of the document that it writes; "" for any.
	kind string
}

var _ = Describe("each output of each command", func() {
	It("has the same exit code, and is one document of a known kind", func(ctx SpecContext) {
		up, down, empty := newNamespace(ctx), newNamespace(ctx), newNamespace(ctx)
		reportStatus(ctx, newNSM(ctx, up, nil), nil)
		reportStatus(ctx, newNSM(ctx, down, nil), unavailable)
		register(ctx, up, "live", time.Hour)
		register(ctx, down, "gone", -time.Hour)
		dead := filepath.Join(GinkgoT().TempDir(), "dead")
		Expect(os.WriteFile(dead, []byte(deadCluster), 0o600)).To(Succeed())
		// Nothing is asked of it that it could answer: a file is enough.
		file := write(&nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh"}})
		seen := write(&nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: viewed, Name: "mesh"}})
		for _, one := range []outcome{
			{[]string{"status", "-n", up}, server.Kubeconfig, exitFine, "Status"},
			{[]string{"status", "-n", down}, server.Kubeconfig, exitFinding, "Status"},
			{[]string{"status", "-n", empty}, server.Kubeconfig, exitFine, "Status"},
			{[]string{"status", "missing", "-n", up}, server.Kubeconfig, exitNothing, "Failure"},
			{[]string{"status"}, dead, exitNothing, "Failure"},
			{[]string{"status", "-n", "default"}, viewer, exitNothing, "Failure"},
			{[]string{"diff", "-n", empty}, server.Kubeconfig, exitFine, "Diff"},
			{[]string{"diff", "-n", up}, server.Kubeconfig, exitFinding, "Diff"},
			{[]string{"diff", "-n", up, "--release", "1.18"}, server.Kubeconfig, exitNothing, "Failure"},
			{[]string{"diff", "-f", file}, server.Kubeconfig, exitFinding, "Diff"},
			{[]string{"diff", "-f", "missing.yaml"}, server.Kubeconfig, exitNothing, "Failure"},
			{[]string{"diff"}, dead, exitNothing, "Failure"},
			{[]string{"diff", "-f", file}, dead, exitNothing, "Failure"},
			{[]string{"topology", "-n", up}, server.Kubeconfig, exitFine, "Topology"},
			{[]string{"topology", "-n", down}, server.Kubeconfig, exitFinding, "Topology"},
			{[]string{"topology"}, dead, exitNothing, "Failure"},
			{[]string{"topology", "-n", "default"}, viewer, exitNothing, "Failure"},
			{[]string{"check", "-n", viewed}, viewer, exitFine, "Checks"},
			{[]string{"check", "-n", viewed, "--strict"}, viewer, exitFinding, "Checks"},
			{[]string{"check", "-n", up}, server.Kubeconfig, exitFinding, "Checks"},
			{[]string{"check", "-f", seen}, viewer, exitFine, "Checks"},
			{[]string{"check", "-f", file}, server.Kubeconfig, exitFinding, "Checks"},
			{[]string{"check", "-f", "missing.yaml"}, server.Kubeconfig, exitNothing, "Failure"},
			{[]string{"check"}, dead, exitNothing, "Failure"},
			{[]string{"check", "-f", file}, dead, exitNothing, "Failure"},
			{[]string{"render", "-f", file}, dead, exitFine, ""},
			{[]string{"render", "-n", up}, server.Kubeconfig, exitFine, ""},
			{[]string{"render"}, dead, exitNothing, "Failure"},
			{[]string{"render", "-f", "missing.yaml"}, dead, exitNothing, "Failure"},
		} {
			text := runAs(ctx, one.kubeconfig, one.args...)
			Expect(text.code).To(Equal(one.code), "%v: %s%s", one.args, text.stdout, text.stderr)
			asJSON := runAs(ctx, one.kubeconfig, append(one.args, "-o", "json")...)
			asYAML := runAs(ctx, one.kubeconfig, append(one.args, "-o", "yaml")...)
			Expect([]int{asJSON.code, asYAML.code}).To(HaveEach(one.code), "%v", one.args)
			if one.args[0] == "topology" {
				for format, begins := range map[string]string{"dot": "digraph nsm {", "svg": "<svg "} {
					drawn := runAs(ctx, one.kubeconfig, append(one.args, "-o", format)...)
					Expect(drawn.code).To(Equal(one.code), "%v -o %s", one.args, format)
					if one.code == exitNothing {
						begins = ""
						Expect(drawn.stdout).To(BeEmpty(), "%v -o %s", one.args, format)
					}
					Expect(drawn.stdout).To(HavePrefix(begins), "%v -o %s", one.args, format)
				}
			}
			Expect(text.stdout+asJSON.stdout+asYAML.stdout).NotTo(ContainSubstring("\x1b"), "no colours in a pipe")
			Expect(json.Valid([]byte(asJSON.stdout))).To(BeTrue(), "%v: %s", one.args, asJSON.stdout)
			if one.kind == "" {
				continue // these are Kubernetes' objects
			}
			asRead := decode[metav1.TypeMeta](asJSON)
			Expect(asRead).To(Equal(report.TypeOf(one.kind)), "%v", one.args)
			var fromYAML metav1.TypeMeta
			Expect(yaml.Unmarshal([]byte(asYAML.stdout), &fromYAML)).To(Succeed())
			Expect(fromYAML).To(Equal(asRead))
			Expect(strings.Count(asYAML.stdout, "---\n")).To(Equal(1), "%v", one.args)
			if one.code == exitNothing {
				Expect(text.stdout).To(BeEmpty(), "%v", one.args)
				Expect(asJSON.stderr).To(ContainSubstring("error: "), "%v", one.args)
			}
		}
	}, NodeTimeout(10*time.Minute))

	It("shows what is known when the time is over, and ends with 2", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		reportStatus(ctx, newNSM(ctx, namespace, nil), nil)
		register(ctx, namespace, "live", time.Hour)
		slow := between(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/pods") {
				<-r.Context().Done()
				return true
			}
			return false
		})
		for _, command := range []string{"status", "topology", "check"} {
			found := runAs(ctx, slow, command, "-n", namespace, "--request-timeout", "5s", "-o", "json")
			Expect(found.code).To(Equal(exitNothing), "%s: %s%s", command, found.stdout, found.stderr)
			Expect(found.stderr).To(And(ContainSubstring("list pods"), ContainSubstring("--timeout and --request-timeout give it longer")))
			Expect(decode[metav1.TypeMeta](found).Kind).NotTo(Equal("Failure"), command)
			Expect(found.stdout).To(ContainSubstring("no answer in time"), command)
		}
		Expect(decode[report.Status](runAs(ctx, slow, "status", "-n", namespace, "--request-timeout", "5s", "-o", "json")).Meshes).To(HaveLen(1))
	})
})

// deadCluster is a kubeconfig for one where nobody listens.
const deadCluster = `{apiVersion: v1, kind: Config, current-context: one, contexts: [{name: one, context: {cluster: one}}],
  clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}]}`
