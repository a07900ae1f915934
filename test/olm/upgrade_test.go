// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/hammer"
)

var _ = Describe("An upgrade to the next version", Ordered, func() {
	// numbers of replicas, of one version after the other.
	numbers := []int32{2, 1, 4}
	if !long {
		numbers = numbers[:1]
	}
	// bundles are this tree's and the next ones, each of which replaces the one before.
	var bundles []bundle
	manual := subscription{usual.namespace, "stable", operatorsv1alpha1.ApprovalManual}

	BeforeAll(func(ctx SpecContext) {
		bundles = []bundle{current()}
		for n, number := range numbers {
			to := release(next(uint64(n + 1)))
			bundles = append(bundles, to.changeCRD(addColumn(columnOf(to))).changeCSV(replicas(number)))
		}
		DeferCleanup(cleanUp)
		catalog.serve(ctx, []channel{{"stable", []entry{{Name: current().name}}}}, current())
	})

	It("begins with an installation that waits for its approval", func(ctx SpecContext) {
		begin := time.Now()
		manual.create(ctx)
		manual.awaitPlan(ctx, current().name)
		figure("from the Subscription to its plan", begin)
		Expect(manual.csvs(ctx)).To(BeEmpty())
		Expect(admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, definition(nsmDefinition))).NotTo(Succeed())
		begin = time.Now()
		manual.follow(ctx, documented("Approving by hand")...)
		manual.awaitCSV(ctx, current().name)
		figure("from the approval to Succeeded", begin)

		createMesh(ctx)
		patch, err := json.Marshal(map[string]any{"spec": hammer.OnNodes(runtime.GOARCH)})
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Patch(ctx, object("v1beta1", meshKey), client.RawPatch(types.MergePatchType, patch))).To(Succeed())
		awaitAvailable(ctx, meshKey)
	})

	for n, number := range numbers {
		It(fmt.Sprintf("waits for its approval, and then loses nothing, alters nothing and leaves the mesh alone while both versions are used, "+
			"with replicas: %d", number), func(ctx SpecContext) {
			from, to := bundles[n], bundles[n+1]
			before, pods, authority := specs(ctx, meshKey), podsOf(ctx, meshNamespace), caBundle(ctx)
			entries := registered(ctx)
			users := startHammer(ctx)
			users.Others(ctx)
			begin := time.Now()
			catalog.serve(ctx, []channel{upgradeOf("stable", from, to)}, from, to)
			manual.awaitPlan(ctx, to.name)
			figure("from the new catalog to its plan", begin)
			Expect(manual.phases(ctx)).To(HaveLen(1))
			Expect(columns(ctx)).NotTo(ContainElement(columnOf(to)))
			begin = time.Now()
			manual.follow(ctx, documented("Approving by hand")...)
			manual.awaitCSV(ctx, to.name)
			figure("from the approval to Succeeded", begin)
			manual.awaitQuiet(ctx, 15*time.Second)
			users.Stop()
			users.Report("during the upgrade")

			users.ExpectNothingLost(ctx)
			users.ExpectOthers()
			users.ExpectFewFailures(ctx, nil)
			Expect(specs(ctx, meshKey)).To(Equal(before))
			Expect(podsOf(ctx, meshNamespace)).To(Equal(pods), "the pods of the mesh")
			Expect(registered(ctx)).To(Equal(entries), "what clients have registered")
			Expect(caBundle(ctx)).To(Equal(authority), "an upgrade changes no CA")
			Expect(columns(ctx)).To(ContainElement(columnOf(to)), "the new definition is there")
			awaitAvailable(ctx, meshKey)
		})
	}

	It("lets its mesh go when the definition of NSMs is deleted before all else", func(ctx SpecContext) {
		begin := time.Now()
		kubectl(ctx, "delete", "crd", nsmDefinition, "--timeout=2m")
		figure("until the definition is gone", begin)
		Eventually(func() map[string]string { return podsOf(ctx, meshNamespace) }).WithContext(ctx).Should(BeEmpty())
		expectNobodyBlocked(ctx)
		deleteNamespace(ctx, meshNamespace)
	})
})

// awaitPlan waits until there is a plan for a version that waits for approval.
func (s subscription) awaitPlan(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var waiting []string
		for _, plan := range s.plans(ctx) {
			if plan.Status.Phase == operatorsv1alpha1.InstallPlanPhaseRequiresApproval {
				waiting = append(waiting, plan.Spec.ClusterServiceVersionNames...)
			}
		}
		g.Expect(waiting).To(ConsistOf(name))
	}).WithContext(ctx).Should(Succeed())
}

// replicas of the operator.
func replicas(number int32) func(*operatorsv1alpha1.ClusterServiceVersion) {
	return func(csv *operatorsv1alpha1.ClusterServiceVersion) {
		for i := range csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs {
			csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[i].Spec.Replicas = ptr.To(number)
		}
	}
}

func columnOf(b bundle) string { return "Since " + b.name }

// addColumn is a change of the definition that every kubectl shows.
func addColumn(name string) func(*apiextensionsv1.CustomResourceDefinition) {
	return func(definition *apiextensionsv1.CustomResourceDefinition) {
		for i := range definition.Spec.Versions {
			version := &definition.Spec.Versions[i]
			version.AdditionalPrinterColumns = append(version.AdditionalPrinterColumns,
				apiextensionsv1.CustomResourceColumnDefinition{Name: name, Type: "date", JSONPath: ".metadata.creationTimestamp"})
		}
	}
}

func columns(ctx context.Context) []string {
	GinkgoHelper()
	var names []string
	for _, version := range storedDefinition(ctx).Spec.Versions {
		for _, column := range version.AdditionalPrinterColumns {
			names = append(names, column.Name)
		}
	}
	return names
}

func storedDefinition(ctx context.Context) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	found := &apiextensionsv1.CustomResourceDefinition{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: nsmDefinition}, found)).To(Succeed())
	return found
}

// caBundle is what the API server trusts when it converts.
func caBundle(ctx context.Context) string {
	GinkgoHelper()
	conversion := storedDefinition(ctx).Spec.Conversion
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil {
		return ""
	}
	return string(conversion.Webhook.ClientConfig.CABundle)
}

// conversionNamespace is where the API server looks for the operator's Service.
func conversionNamespace(ctx context.Context) string {
	GinkgoHelper()
	return storedDefinition(ctx).Spec.Conversion.Webhook.ClientConfig.Service.Namespace
}
