// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("An old leader that wakes up", Ordered, func() {
	It("writes nothing, and ends", func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up", "--audit", "system:serviceaccount:"+operatorNamespace+":"+operatorAccount)
		kubectl(ctx, "apply", "--server-side", "-k", "config/local")
		awaitDefinitions(ctx)
		addresses := freeAddresses(2)
		// Each calls itself by its name when it talks to the API server.
		start := func(name, address string) *operator {
			path := filepath.Join(directory, name)
			Expect(os.Symlink(filepath.Join(root, "bin", "manager"), path)).To(Succeed())
			return startReplica(ctx, path, address, addresses[1])
		}
		old := start("old-leader", addresses[0])
		DeferCleanup(func() { old.Kill().Wait() })
		Eventually(func() string { return holder(ctx) }).ShouldNot(BeEmpty())
		first := holder(ctx)
		next := start("next-leader", addresses[1])
		DeferCleanup(next.stop)
		kubectl(ctx, "apply", "-f", newSample)
		waitAvailable(ctx)
		Expect(writesOf("old-leader", time.Time{})).NotTo(BeEmpty(), "it leads")

		By("stopping it for longer than its lease")
		Expect(old.Command.Process.Signal(syscall.SIGSTOP)).To(Succeed())
		Eventually(func() string { return holder(ctx) }).WithTimeout(time.Minute).ShouldNot(Or(BeEmpty(), Equal(first)))

		By("letting it go on, with something to put right all the time")
		woken := time.Now()
		Expect(old.Command.Process.Signal(syscall.SIGCONT)).To(Succeed())
		ended := func() bool { return old.ExitCode() >= 0 }
		for deadline := time.Now().Add(2 * time.Minute); !ended() && time.Now().Before(deadline); {
			meddle(ctx)
		}
		Expect(old).To(gexec.Exit(1), "it has seen that it does not lead")
		Expect(writesOf("old-leader", woken)).To(BeEmpty())
		Eventually(func() []string { return writesOf("next-leader", woken) }).ShouldNot(BeEmpty(), "there was something to do")
	}, NodeTimeout(10*time.Minute))
})

// holder of the lease.
func holder(ctx context.Context) string {
	GinkgoHelper()
	found, err := read(ctx, leaseResource, operatorNamespace, "", "{.items[*].spec.holderIdentity}")
	Expect(err).NotTo(HaveOccurred())
	return found
}

// meddle with the mesh.
func meddle(ctx context.Context) {
	GinkgoHelper()
	change := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"template":{"spec":{"priorityClassName":"system-cluster-critical"}}}}`))
	nsmgr := &appsv1.DaemonSet{}
	nsmgr.Name, nsmgr.Namespace = "nsmgr", namespace
	Expect(client.IgnoreNotFound(admin.Patch(ctx, nsmgr, change))).To(Succeed())
}

// writesOf one operator since a time, but for those that a replica makes that does
// not lead.
func writesOf(name string, since time.Time) []string {
	GinkgoHelper()
	var writes []string
	for _, event := range auditLog() {
		isWrite := !slices.Contains([]string{"get", "list", "watch"}, event.Verb)
		if !isWrite || event.ObjectRef == nil || !strings.HasPrefix(event.UserAgent, name+"/") || event.RequestReceivedTimestamp.Time.Before(since) {
			continue
		}
		if !slices.Contains([]string{"leases", "events", "subjectaccessreviews", "tokenreviews", "secrets", "customresourcedefinitions"}, event.ObjectRef.Resource) {
			writes = append(writes, event.Verb+" "+event.RequestURI)
		}
	}
	return writes
}
