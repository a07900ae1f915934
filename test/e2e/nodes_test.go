// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"fmt"
	"maps"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the mesh comes to when nodes change is decided by the real controller of
// DaemonSets. Its pods are simulated.
var _ = Describe("Nodes that come, go and change", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up")
		kubectl(ctx, "apply", "--server-side", "-k", "config/local")
		awaitDefinitions(ctx)
		running := startOperator(ctx, freeAddresses(1)[0])
		DeferCleanup(func() { running.stop() })
		kubectl(ctx, "apply", "-f", "config/samples/nsm_v1beta1_nsm.yaml")
		waitAvailable(ctx)
	})

	told := func(ctx context.Context, path string) func() string {
		return func() string {
			GinkgoHelper()
			found, err := read(ctx, nsmResource, namespace, "nsm-sample", path)
			Expect(err).NotTo(HaveOccurred())
			return found
		}
	}
	isTold := func(ctx context.Context, path string, what any) {
		GinkgoHelper()
		Eventually(told(ctx, path)).WithTimeout(3 * time.Minute).Should(what.(OmegaMatcher))
	}
	patch := func(ctx context.Context, spec string) {
		GinkgoHelper()
		kubectl(ctx, "patch", "nsm", "nsm-sample", "-n", namespace, "--type=merge", "-p", `{"spec":`+spec+`}`)
	}
	// expectUp expects that the spec has come up, on that many nodes.
	expectUp := func(ctx context.Context, nodes int) {
		GinkgoHelper()
		counts := fmt.Sprintf("%d/%d", nodes, nodes)
		isTold(ctx, "{.status.managers} {.status.forwarders}", Equal(counts+" "+counts))
		generation := told(ctx, "{.metadata.generation}")()
		isTold(ctx, "{.status.observedGeneration} {.status.conditions[?(@.type=='Ready')].status} {.status.conditions[?(@.type=='Available')].status}",
			Equal(generation+" True True"))
		isTold(ctx, "{.status.conditions[?(@.type=='Progressing')].status} {.status.conditions[?(@.type=='Degraded')].status}", Equal("False False"))
	}

	It("one that is cordoned keeps its pods, counts, and is changed as well", func(ctx SpecContext) {
		kubectl(ctx, "cordon", "node-1")
		patch(ctx, `{"logLevel":"DEBUG"}`)
		expectUp(ctx, 3)
		for _, pod := range podsOf(ctx) {
			if pod.Spec.NodeName == "node-1" && workloadOf(&pod) == "nsmgr" {
				Expect(pod.Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "NSM_LOG_LEVEL", Value: "DEBUG"}))
			}
		}
		kubectl(ctx, "uncordon", "node-1")
	})

	It("one that is added gets its pods, and one that is removed is not missed", func(ctx SpecContext) {
		addNode(ctx, "node-4", nil)
		expectUp(ctx, 4)
		kubectl(ctx, "delete", "node", "node-4")
		expectUp(ctx, 3)
	})

	It("those on which no mesh can run never count, and hold up no change", func(ctx SpecContext) {
		addNode(ctx, "windows", map[string]string{"kubernetes.io/os": "windows"})
		addNode(ctx, "virtual", map[string]string{"type": "virtual-kubelet"})
		addNode(ctx, "fargate", map[string]string{"eks.amazonaws.com/compute-type": "fargate"})
		addNode(ctx, "node-4", nil)
		patch(ctx, `{"logLevel":"INFO"}`)
		expectUp(ctx, 4)
		for _, pod := range podsOf(ctx) {
			Expect(pod.Spec.NodeName).To(HavePrefix("node-"), pod.Name)
		}
		kubectl(ctx, "delete", "node", "windows", "virtual", "fargate", "node-4")
		expectUp(ctx, 3)
	})

	It("one that comes or goes in the middle of a change of release", func(ctx SpecContext) {
		// The managers' stage does not come to its end.
		patch(ctx, `{"version":"v1.17.0","upgrade":{"prePull":false},"nsmgr":{"image":"registry.invalid/nsmgr:1"}}`)
		stage := func(nodes int) OmegaMatcher {
			return And(ContainSubstring("DaemonSet "+namespace+"/nsmgr: "), ContainSubstring(fmt.Sprintf(" of %d pods are new and ready", nodes)))
		}
		progressing := "{.status.conditions[?(@.type=='Progressing')].message}"
		isTold(ctx, progressing, stage(3))
		addNode(ctx, "node-4", nil)
		isTold(ctx, progressing, stage(4))
		kubectl(ctx, "delete", "node", "node-2")
		isTold(ctx, progressing, stage(3))
		Expect(told(ctx, "{.status.version}")()).To(Equal("v1.18.0"))
		Expect(daemonSet(ctx, "forwarder-vpp").Labels).To(HaveKeyWithValue("app.kubernetes.io/version", "v1.18.0"), "the forwarders wait for the managers")

		patch(ctx, `{"nsmgr":{"image":null}}`)
		isTold(ctx, "{.status.version}", Equal("v1.17.0"))
		expectUp(ctx, 3)
		// Pods of a node that is gone stay until Kubernetes collects them.
		Eventually(func() []string { return nodesOf(podsOf(ctx), "forwarder-vpp") }).WithContext(ctx).WithTimeout(3 * time.Minute).
			Should(And(ContainElement("node-4"), Not(ContainElement("node-2"))))
	})
})

// addNode adds a node like node-1, but for some of its labels.
func addNode(ctx context.Context, name string, labels map[string]string) {
	GinkgoHelper()
	like := &corev1.Node{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "node-1"}, like)).To(Succeed())
	node := &corev1.Node{}
	node.Name, node.Labels = name, map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
	maps.Copy(node.Labels, labels)
	Expect(admin.Create(ctx, node)).To(Succeed())
	Eventually(func() error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(node), node); err != nil {
			return err
		}
		node.Status.Capacity, node.Status.Allocatable, node.Status.NodeInfo = like.Status.Capacity, like.Status.Allocatable, like.Status.NodeInfo
		return admin.Status().Update(ctx, node)
	}).Should(Succeed())
}
