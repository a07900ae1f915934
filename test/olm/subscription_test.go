// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	operatorsv1 "github.com/operator-framework/api/pkg/operators/v1"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/hammer"
)

// subscription is one to the operator: all that is needed for it in a namespace.
type subscription struct {
	namespace, channel string
	approval           operatorsv1alpha1.Approval
}

// usual is what the documents have.
var usual = subscription{"nsm-operator-system", "stable", operatorsv1alpha1.ApprovalAutomatic}

// create does what an admin does who wants the operator.
func (s subscription) create(ctx context.Context) {
	GinkgoHelper()
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}},
		&operatorsv1.OperatorGroup{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: packageName}},
		&operatorsv1alpha1.Subscription{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: packageName},
			Spec: &operatorsv1alpha1.SubscriptionSpec{
				CatalogSource: catalogName, CatalogSourceNamespace: olmNamespace, Package: packageName,
				Channel: s.channel, InstallPlanApproval: s.approval,
			},
		},
	} {
		Expect(client.IgnoreAlreadyExists(admin.Create(ctx, object))).To(Succeed())
	}
}

// awaitCSV waits until OLM has installed a version, and nothing is left of another.
func (s subscription) awaitCSV(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(s.phases(ctx)).To(Equal(map[string]operatorsv1alpha1.ClusterServiceVersionPhase{name: operatorsv1alpha1.CSVPhaseSucceeded}))
		s.expectPlansDone(ctx, g)
	}).WithContext(ctx).WithTimeout(10 * time.Minute).Should(Succeed())
}

// awaitPlans waits until OLM has carried out what was approved.
func (s subscription) awaitPlans(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) { s.expectPlansDone(ctx, g) }).WithContext(ctx).Should(Succeed())
}

// expectPlansDone expects that OLM goes on with no plan. One may go on after its CSV has
// Succeeded, and would make that again. Even a plan that is complete is carried out once
// more, until OLM's cache knows that it is: what is deleted meanwhile comes back, and
// nobody deletes it again.
func (s subscription) expectPlansDone(ctx context.Context, g Gomega) {
	for _, plan := range s.plans(ctx) {
		g.Expect(plan.Status.Phase).NotTo(Equal(operatorsv1alpha1.InstallPlanPhaseInstalling), plan.Name)
		if plan.Status.Phase == operatorsv1alpha1.InstallPlanPhaseComplete {
			g.Expect(logOf(catalogProcess)).To(MatchRegexp("msg=syncing .*ip="+plan.Name+" .*phase=Complete"), "OLM's cache")
		}
	}
}

// phases of the CSVs, by name. OLM copies CSVs into all other namespaces.
func (s subscription) phases(ctx context.Context) map[string]operatorsv1alpha1.ClusterServiceVersionPhase {
	GinkgoHelper()
	phases := map[string]operatorsv1alpha1.ClusterServiceVersionPhase{}
	for _, csv := range s.csvs(ctx) {
		phases[csv.Name] = csv.Status.Phase
	}
	return phases
}

func (s subscription) csvs(ctx context.Context) []operatorsv1alpha1.ClusterServiceVersion {
	GinkgoHelper()
	var list operatorsv1alpha1.ClusterServiceVersionList
	Expect(admin.List(ctx, &list, client.InNamespace(s.namespace))).To(Succeed())
	return list.Items
}

func (s subscription) plans(ctx context.Context) []operatorsv1alpha1.InstallPlan {
	GinkgoHelper()
	var list operatorsv1alpha1.InstallPlanList
	Expect(admin.List(ctx, &list, client.InNamespace(s.namespace))).To(Succeed())
	return list.Items
}

// delete uninstalls the operator as the documents say, and waits until it is gone. A
// plan that is at work when it is deleted may make the CSV once more.
func (s subscription) delete(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		for _, kind := range []client.Object{
			&operatorsv1alpha1.Subscription{}, &operatorsv1alpha1.InstallPlan{}, &operatorsv1alpha1.ClusterServiceVersion{},
		} {
			g.Expect(admin.DeleteAllOf(ctx, kind, client.InNamespace(s.namespace))).To(Succeed())
		}
		s.expectNobody(ctx, g)
	}).WithContext(ctx).Should(Succeed())
}

// expectNobody: OLM knows of no operator, and none runs.
func (s subscription) expectNobody(ctx context.Context, g Gomega) {
	g.Expect(s.phases(ctx)).To(BeEmpty())
	g.Expect(podsOf(ctx, s.namespace)).NotTo(HaveKey(HavePrefix(packageName + "-")))
}

// awaitQuiet waits until OLM and the operator have nothing more to do with an NSM's
// definition: what OLM calls Succeeded is not the end, since it may write it again.
func (s subscription) awaitQuiet(ctx context.Context, quiet time.Duration) {
	GinkgoHelper()
	last, since := "", time.Now()
	Eventually(func(g Gomega) {
		for _, plan := range s.plans(ctx) {
			g.Expect(plan.Status.Phase).To(Equal(operatorsv1alpha1.InstallPlanPhaseComplete), plan.Name)
		}
		for _, version := range hammer.Versions {
			g.Expect(admin.Get(ctx, meshKey, object(version, meshKey))).To(Succeed(), version)
		}
		if now := storedDefinition(ctx).ResourceVersion; now != last {
			last, since = now, time.Now()
		}
		g.Expect(time.Since(since)).To(BeNumerically(">=", quiet), "nobody writes the definition")
	}).WithContext(ctx).WithTimeout(5 * time.Minute).Should(Succeed())
}

// upgradeOf is a channel in which each version replaces the one before.
func upgradeOf(name string, from bundle, to ...bundle) channel {
	entries := []entry{{Name: from.name}}
	for _, next := range to {
		entries = append(entries, entry{Name: next.name, Replaces: from.name})
		from = next
	}
	return channel{name, entries}
}

// install subscribes to this tree's version, and has all of it removed in the end.
func install(ctx context.Context) {
	GinkgoHelper()
	DeferCleanup(cleanUp)
	catalog.serve(ctx, []channel{{"stable", []entry{{Name: current().name}}}}, current())
	usual.create(ctx)
	usual.awaitCSV(ctx, current().name)
}
