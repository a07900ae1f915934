// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// federationCRD is SPIRE's own definition of ClusterFederatedTrustDomains.
const federationCRD = "config/spire/crd/spire.spiffe.io_clusterfederatedtrustdomains.yaml"

// domain is a cluster with an operator of its own.
type domain struct {
	// directory of its control plane.
	directory string
	// sample is the file of its NSM, and nsm the NSM's name.
	sample, nsm string
	// cluster is its name, and trusts the trust domains of the others.
	cluster string
	trusts  []string
}

// use has kubectl and all else ask this cluster.
func (d *domain) use() {
	GinkgoHelper()
	directory = d.directory
	connect()
}

// start runs a control plane with one node, and an operator beside it.
func (d *domain) start(ctx SpecContext) {
	GinkgoHelper()
	launch(ctx, "control plane .* is up", "up", "--nodes", "1")
	d.directory = directory
	kubectl(ctx, "apply", "--server-side", "-k", "config/local")
	kubectl(ctx, "apply", "-f", "test/e2e/testdata/crds.yaml", "-f", federationCRD)
	awaitDefinitions(ctx)
	running := startOperator(ctx, freeAddresses(1)[0])
	DeferCleanup(func() { running.stop() })
}

// apply applies the sample, as its comment says: with names of one's own.
func (d *domain) apply(ctx context.Context) {
	GinkgoHelper()
	d.use()
	text, err := os.ReadFile(filepath.Join(root, d.sample))
	Expect(err).NotTo(HaveOccurred())
	before, after, found := strings.Cut(string(text), "    clusterName: ")
	Expect(found).To(BeTrue())
	_, _, found = strings.Cut(after, "\n    federatesWith:\n")
	Expect(found).To(BeTrue())
	file := filepath.Join(d.directory, "nsm.yaml")
	own := fmt.Sprintf("%s    clusterName: %s\n    federatesWith: [%s]\n", before, d.cluster, strings.Join(d.trusts, ", "))
	Expect(os.WriteFile(file, []byte(own), 0o600)).To(Succeed())
	if !strings.Contains(own, "kind: Namespace") {
		kubectl(ctx, "create", "namespace", "nsm-system")
		kubectl(ctx, "label", "namespace", "nsm-system", "pod-security.kubernetes.io/enforce=privileged")
	}
	kubectl(ctx, "apply", "-f", file)
}

// reach is what InterdomainReady says: its status, reason and message.
func (d *domain) reach(ctx context.Context) func() (string, error) {
	return func() (string, error) {
		GinkgoHelper()
		d.use()
		return read(ctx, nsmResource, "nsm-system", d.nsm, `{range .status.conditions[?(@.type=="InterdomainReady")]}{.status} {.reason}: {.message}{end}`)
	}
}

// federate tells SPIRE's controller manager of another trust domain.
func (d *domain) federate(ctx context.Context, trustDomain string) {
	GinkgoHelper()
	d.use()
	file := filepath.Join(d.directory, "federation.yaml")
	Expect(os.WriteFile(file, []byte(fmt.Sprintf(`apiVersion: spire.spiffe.io/v1alpha1
kind: ClusterFederatedTrustDomain
metadata: {name: %[1]s}
spec:
  trustDomain: %[1]s
  bundleEndpointURL: https://spire.%[1]s:8443
  bundleEndpointProfile: {type: https_web}
`, trustDomain)), 0o600)).To(Succeed())
	kubectl(ctx, "apply", "-f", file)
}

// balance gives a Service an address, as a load balancer does.
func (d *domain) balance(ctx context.Context, service string) {
	GinkgoHelper()
	d.use()
	kubectl(ctx, "patch", "service", service, "-n", "nsm-system", "--subresource=status", "--type=merge",
		"-p", `{"status":{"loadBalancer":{"ingress":[{"ip":"198.18.1.1"}]}}}`)
}

// Each sample runs in a cluster of its own. No packet goes between them here, since no
// image runs: what is looked at is what each operator makes, and what it says is missing.
var _ = Describe("Three domains", Ordered, SpecPriority(1), func() {
	domains := []*domain{
		{sample: "config/samples/nsm_v1beta1_interdomain.yaml", nsm: "interdomain", cluster: "cluster-1", trusts: []string{"nsm.cluster2", "nsm.cluster3"}},
		{sample: "config/samples/nsm_v1beta1_interdomain.yaml", nsm: "interdomain", cluster: "cluster-2", trusts: []string{"nsm.cluster1", "nsm.cluster3"}},
		{sample: "config/samples/nsm_v1beta1_registry.yaml", nsm: "floating", cluster: "floating", trusts: []string{"nsm.cluster1", "nsm.cluster2"}},
	}
	first, second, floating := domains[0], domains[1], domains[2]
	const (
		noProxy    = "Service nsm-system/nsmgr-proxy has no address yet: no load balancer has given it one, so other domains cannot reach it"
		noRegistry = "Service nsm-system/registry has no address yet: no load balancer has given it one, so other domains cannot reach it"
		noIdentity = ": until SPIRE's server has the bundle of each trust domain in spec.interdomain.federatesWith, no new pod of the mesh gets an identity"
	)
	noBundle := func(trustDomains string) string {
		return "there is no ClusterFederatedTrustDomain for " + trustDomains + noIdentity
	}

	BeforeAll(func(ctx SpecContext) {
		for _, d := range domains {
			d.start(ctx)
		}
	}, NodeTimeout(15*time.Minute))

	It("are each Available, with a name and the proxies, and name what they cannot reach", func(ctx SpecContext) {
		for _, d := range domains {
			d.apply(ctx)
		}
		for _, d := range domains {
			d.use()
			kubectl(ctx, "wait", "--for=condition=Available", "nsm/"+d.nsm, "-n", "nsm-system", "--timeout=5m")
			Expect(kubectl(ctx, "get", "clusterproperty", "id.k8s.io", "-o", "jsonpath={.spec.value}")).To(Equal(d.cluster))
			Expect(kubectl(ctx, "get", "clusterspiffeid", "nsm-nsm-system-workloads", "-o", "jsonpath={.spec.federatesWith[*]}")).
				To(Equal(strings.Join(d.trusts, " ")))
			Expect(strings.Fields(kubectl(ctx, "get", "deployments", "-n", "nsm-system", "-o", "jsonpath={.items[*].metadata.name}"))).
				To(ContainElements("nsm-registry", "nsmgr-proxy", "registry-proxy", "cluster-info"))
			Eventually(d.reach(ctx)).Should(Equal("False Unreachable: " + noRegistry + "; " + noProxy + "; " + noBundle(strings.Join(d.trusts, ", "))))
		}
		floating.use()
		Expect(kubectl(ctx, "get", "daemonsets", "-n", "nsm-system", "-o", "name")).To(BeEmpty(), "it is a registry alone")
		first.use()
		Expect(strings.Fields(kubectl(ctx, "get", "daemonsets", "-n", "nsm-system", "-o", "jsonpath={.items[*].metadata.name}"))).
			To(ConsistOf("nsmgr", "forwarder-vpp"))
	}, NodeTimeout(20*time.Minute))

	It("name what is left, each for itself, until nothing is", func(ctx SpecContext) {
		first.balance(ctx, "registry")
		Eventually(first.reach(ctx)).Should(Equal("False Unreachable: " + noProxy + "; " + noBundle("nsm.cluster2, nsm.cluster3")))
		first.balance(ctx, "nsmgr-proxy")
		first.federate(ctx, "nsm.cluster2")
		Eventually(first.reach(ctx)).Should(Equal("False Unreachable: " + noBundle("nsm.cluster3")))
		first.federate(ctx, "nsm.cluster3")
		Eventually(first.reach(ctx)).Should(HavePrefix("True Ready: "))

		Expect(second.reach(ctx)()).To(ContainSubstring(noBundle("nsm.cluster1, nsm.cluster3")), "nobody has told this one")
		second.balance(ctx, "registry")
		second.balance(ctx, "nsmgr-proxy")
		Eventually(second.reach(ctx)).Should(Equal("False Unreachable: " + noBundle("nsm.cluster1, nsm.cluster3")))
		By("SPIRE's controller manager saying that it has registered all: somebody has set the bundles by hand")
		kubectl(ctx, "patch", "clusterspiffeid", "nsm-nsm-system-workloads", "--subresource=status", "--type=merge",
			"-p", `{"status":{"stats":{"podsSelected":5,"entriesToSet":5}}}`)
		Eventually(second.reach(ctx)).Should(HavePrefix("True Ready: "))

		floating.balance(ctx, "registry")
		floating.balance(ctx, "nsmgr-proxy")
		floating.federate(ctx, "nsm.cluster1")
		floating.federate(ctx, "nsm.cluster2")
		Eventually(floating.reach(ctx)).Should(HavePrefix("True Ready: "))
	}, NodeTimeout(10*time.Minute))

	It("say so when one of the others is trusted no more, and stay Available themselves", func(ctx SpecContext) {
		first.use()
		kubectl(ctx, "delete", "clusterfederatedtrustdomain", "nsm.cluster2")
		Eventually(first.reach(ctx)).Should(Equal("False Unreachable: " + noBundle("nsm.cluster2")))
		for _, d := range domains {
			d.use()
			Expect(kubectl(ctx, "get", "nsm", d.nsm, "-n", "nsm-system", "-o", `jsonpath={.status.conditions[?(@.type=="Available")].status}`)).To(Equal("True"))
		}
		Expect(second.reach(ctx)()).To(HavePrefix("True Ready: "))
		Expect(floating.reach(ctx)()).To(HavePrefix("True Ready: "))
	})

	It("leave nothing behind", func(ctx SpecContext) {
		for _, d := range domains {
			d.use()
			kubectl(ctx, "delete", "nsm", d.nsm, "-n", "nsm-system", "--timeout=5m")
			expectNothingOurs(ctx)
		}
	}, NodeTimeout(20*time.Minute))
})
