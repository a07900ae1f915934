// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// unavailable turns the conditions of a mesh that is up into those of one that is not.
func unavailable(conditions map[string]*metav1.Condition) {
	conditions[nsmv1beta1.ConditionAvailable].Status = metav1.ConditionFalse
	conditions[nsmv1beta1.ConditionAvailable].Message = "DaemonSet nsmgr has pods that are not ready"
}

var _ = Describe("status", func() {
	It("ends with 0 for a mesh that is up, and with 1 for any other, in every output", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		nsm := newNSM(ctx, namespace, nil)
		for _, output := range []string{"", "json", "yaml"} {
			args := []string{"status", "-n", namespace}
			if output != "" {
				args = append(args, "-o", output)
			}
			Expect(runAdmin(ctx, args...).code).To(Equal(exitFinding), "nobody has looked at it yet")
			reportStatus(ctx, nsm, nil)
			Expect(runAdmin(ctx, args...).code).To(Equal(exitFine))
			reportStatus(ctx, nsm, unavailable)
			found := runAdmin(ctx, args...)
			Expect(found.code).To(Equal(exitFinding))
			Expect(found.stdout).To(ContainSubstring("has pods that are not ready"))
			nsm.Status.ObservedGeneration = 0
			Expect(admin.Status().Update(ctx, nsm)).To(Succeed())
		}
	})

	It("shows one mesh, those of a namespace, or all", func(ctx SpecContext) {
		one, other := newNamespace(ctx), newNamespace(ctx)
		reportStatus(ctx, newNSM(ctx, one, nil), nil)
		reportStatus(ctx, newNSM(ctx, other, nil), nil)
		namespaces := func(args ...string) []string {
			var all []string
			for _, mesh := range decode[report.Status](runAdmin(ctx, append(args, "-o", "json")...)).Meshes {
				all = append(all, mesh.Namespace)
			}
			return all
		}
		Expect(namespaces("status", "mesh", "-n", one)).To(Equal([]string{one}))
		Expect(namespaces("status", "-n", one)).To(Equal([]string{one}))
		Expect(namespaces("status", "-A")).To(ContainElements(one, other))
		Expect(namespaces("status", "-n", "default")).To(BeEmpty())
	})

	It("shows what a viewer of one namespace may see, and says what not", func(ctx SpecContext) {
		reportStatus(ctx, newNSM(ctx, viewed, nil), nil)
		seen := runAs(ctx, viewer, "status", "-n", viewed)
		Expect(seen.code).To(Equal(exitFine), seen.stderr)
		Expect(seen.stdout).To(ContainSubstring("NSM viewed/mesh  v1.18.0  Available"))
		Expect(seen.stdout).To(ContainSubstring("not seen: list deployments in all namespaces, for the operator's: forbidden"))
		Expect(seen.stderr).To(BeEmpty())
		all := runAs(ctx, viewer, "status", "-A")
		Expect(all.code).To(Equal(exitNothing))
		Expect(all.stderr).To(ContainSubstring("choose a namespace with -n"))
	})

	It("writes a line for each change while it watches", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		nsm := newNSM(ctx, namespace, nil)
		stdout, stop := watchStatus(ctx, server.Kubeconfig, namespace)
		Eventually(stdout).Should(gbytes.Say("%s/mesh  v1.18.0  NotYetSeen", namespace))
		reportStatus(ctx, nsm, unavailable)
		Eventually(stdout).Should(gbytes.Say("Unavailable  nsmgr 3/3  DaemonSet nsmgr has pods that are not ready\n"))
		reportStatus(ctx, nsm, nil)
		Eventually(stdout).Should(gbytes.Say("Available"))
		Expect(stop()).To(Equal(exitFine))
	})
})

var _ = Describe("every command", func() {
	It("ends with 2 and says what to do where there is no answer", func(ctx SpecContext) {
		for _, one := range []struct {
			args []string
			says string
		}{
			{[]string{"status", "missing", "-n", viewed}, "kubectl get nsm -A lists all"},
			{[]string{"status", "-o", "table"}, "-o table: must be one of json, yaml"},
			{[]string{"status", "--no-such-flag"}, "unknown flag: --no-such-flag"},
			{[]string{"no-such-command"}, `unknown command "no-such-command"`},
			{[]string{"status", "--context", "nowhere"}, "--kubeconfig and --context choose one"},
			{[]string{"status", "--server", "https://127.0.0.1:1"}, "the cluster at https://127.0.0.1:1 gives no answer"},
		} {
			found := runAdmin(ctx, one.args...)
			Expect(found.code).To(Equal(exitNothing), "%v", one.args)
			Expect(found.stderr).To(ContainSubstring(one.says), "%v", one.args)
			Expect(found.stdout).To(BeEmpty(), "%v", one.args)
		}
	})

	It("ends when its time is over, where the API server does not answer", func(ctx SpecContext) {
		silent := between(func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		})
		for _, command := range []string{"status", "render", "diff", "topology", "check"} {
			began := time.Now()
			found := runAs(ctx, silent, command, "--timeout", "100ms")
			Expect(time.Since(began)).To(BeNumerically("<", requestTimeout), "%s: by its own time, and not by that of a request", command)
			Expect(found.code).To(Equal(exitNothing), command)
			Expect(found.stderr).To(ContainSubstring("in time: --timeout and --request-timeout give it longer"), command)
		}
	}, NodeTimeout(2*time.Minute))

	It("reads, and reads no Secret", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		nsm := newNSM(ctx, namespace, func(spec *nsmv1beta1.NSMSpec) { spec.Dashboard = &nsmv1beta1.DashboardSpec{} })
		reportStatus(ctx, nsm, nil)
		file := write(nsm)
		listening, asked := listen()
		for _, command := range [][]string{
			{"status"}, {"render"}, {"render", "-A"}, {"render", "-f", file}, {"diff"}, {"diff", "-A"}, {"diff", "-f", file}, {"diff", "--release", "v1.17.0"},
			{"topology"}, {"topology", "--live"}, {"check"}, {"check", "--strict"}, {"check", "-f", file},
		} {
			found := runAs(ctx, listening, append(command, "-n", namespace)...)
			Expect(found.code).NotTo(Equal(exitNothing), "%v: %s", command, found.stderr)
		}
		stdout, stop := watchStatus(ctx, listening, namespace)
		Eventually(stdout).Should(gbytes.Say("Available"))
		Expect(stop()).To(Equal(exitFine))
		Expect(len(asked())).To(BeNumerically(">", 50))
		expectReads(asked())
	})

	It("writes JSON also where there is no answer", func(ctx SpecContext) {
		found := runAdmin(ctx, "status", "--server", "https://127.0.0.1:1", "-o", "json")
		Expect(found.code).To(Equal(exitNothing))
		Expect(decode[report.Failure](found).Kind).To(Equal("Failure"))
	})
})

// watchStatus of a namespace until it is told to stop, which returns what the command ends with.
func watchStatus(ctx context.Context, kubeconfig, namespace string) (stdout *gbytes.Buffer, stop func() int) {
	watching, cancel := context.WithCancel(ctx)
	DeferCleanup(cancel)
	stdout = gbytes.NewBuffer()
	ended := make(chan int, 1)
	go func() {
		defer GinkgoRecover()
		ended <- run(watching, []string{"--kubeconfig", kubeconfig, "status", "-n", namespace, "--watch"},
			genericiooptions.IOStreams{Out: stdout, ErrOut: GinkgoWriter})
	}()
	return stdout, func() (code int) {
		GinkgoHelper()
		cancel()
		Eventually(ended).Should(Receive(&code))
		return code
	}
}

// reads of the API that commands may make: of what there is, of objects, and of logs; of the
// kubelets' configuration, and of what a dashboard knows. Others go through the API server to
// a pod as well, by GET, or start something in it.
var reads = regexp.MustCompile("^GET /(" + strings.Join([]string{
	`version`, `api`, `api/v1`, `apis`, `apis/[^/]+`, `apis/[^/]+/[^/]+`,
	`(api/v1|apis/[^/]+/[^/]+)/(namespaces/[^/]+/)?[a-z]+(/[^/]+)?`,
	`api/v1/namespaces/[^/]+/pods/[^/]+/log`, `api/v1/nodes/[^/]+/proxy/configz`, `api/v1/namespaces/[^/]+/services/[^/]+/proxy/(nodes|edges)`,
}, "|") + ")$")

// expectReads alone among requests, and none of Secrets.
func expectReads(requests []string) {
	GinkgoHelper()
	Expect(requests).To(HaveEach(MatchRegexp(reads.String())))
	Expect(requests).NotTo(ContainElement(ContainSubstring("/secrets")))
}
