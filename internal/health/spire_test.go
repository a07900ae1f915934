// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func handled(stats map[string]any) *unstructured.Unstructured {
	identity := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{
		"name": "nsm-nsm-workloads", "uid": "1", "resourceVersion": "1",
	}}}
	identity.SetGroupVersionKind(mesh.ClusterSPIFFEIDKind)
	if stats != nil {
		identity.Object["status"] = map[string]any{"stats": stats}
	}
	return identity
}

func TestWhatTheControllerManagerSaysIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		stats   map[string]any
		class   string
		hasPods bool
		status  metav1.ConditionStatus
		message string
	}{
		"nothing, of no class": {nil, "", true, metav1.ConditionFalse, "no SPIRE controller manager handles ClusterSPIFFEID nsm-nsm-workloads, which has no class"},
		"nothing, of a class":  {nil, "mine", true, metav1.ConditionFalse, `no SPIRE controller manager of class "mine" handles ClusterSPIFFEID nsm-nsm-workloads`},
		"all well":             {map[string]any{"podsSelected": int64(7), "entriesToSet": int64(7)}, "", true, metav1.ConditionTrue, "registers the pods"},
		"entries of others":    {map[string]any{"podsSelected": int64(7), "entriesMasked": int64(7)}, "", true, metav1.ConditionTrue, "registers the pods"},
		"no pod yet":           {map[string]any{"podsSelected": int64(0), "namespacesSelected": int64(5)}, "", false, metav1.ConditionUnknown, "has no pod to register yet"},
		"no pod of several":    {map[string]any{"podsSelected": int64(0), "namespacesIgnored": int64(5)}, "", true, metav1.ConditionFalse, "ignoreNamespaces"},
		"a template that fails": {map[string]any{"podsSelected": int64(7), "podEntryRenderFailures": int64(1)}, "", true, metav1.ConditionFalse,
			"cannot render entries for pods that ClusterSPIFFEID nsm-nsm-workloads selects"},
		"a server that refuses": {map[string]any{"podsSelected": int64(7), "entryFailures": int64(7)}, "", true, metav1.ConditionFalse, "the SPIRE server does not take entries"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			said := SpireOf(handled(test.stats), test.class, test.hasPods)
			g.Expect(said.Status).To(Equal(test.status))
			g.Expect(said.Message).To(ContainSubstring(test.message))
			g.Expect(said.Message).NotTo(ContainSubstring("7"), "no number that moves")
		})
	}
}

// TestTheControllerManagerIsGivenAMinute, by a process that has just started as
// well, unless something was wrong before it started.

// TestAWebhookThatIsDownIsToldWithoutWhatMoves: it is tried again and again.
func TestAWebhookThatIsDownIsToldWithoutWhatMoves(t *testing.T) {
	const begin = `creating ClusterSPIFFEID a: Internal error occurred: failed calling webhook "vclusterspiffeid.kb.io": failed to call webhook: Post "https://scm.spire.svc:443/x?timeout=10s": `
	for failure, want := range map[string]string{
		`no endpoints available for service "scm"`:            "waiting for pods behind Service spire/scm",
		`dial tcp 10.0.0.7:9443: connect: connection refused`: "waiting for Service spire/scm, which the API server does not reach: its pods may be starting, or a firewall or a NetworkPolicy is in between",
		`tls: failed to verify certificate: x509: certificate signed by unknown authority`: "waiting for SPIRE's controller manager, which may be starting: " +
			"the API server cannot call its admission webhook vclusterspiffeid.kb.io",
	} {
		g := NewWithT(t)
		g.Expect(IsWebhookDown(begin + failure)).To(BeTrue())
		g.Expect(awaitedWebhook(begin + failure)).To(Equal(want))
	}
	NewWithT(t).Expect(IsWebhookDown(`admission webhook "vclusterspiffeid.kb.io" denied the request: no`)).To(BeFalse())
}

// TestClientsThatSPIREIgnoresAreTold, where nothing worse is to be told.
func TestClientsThatSPIREIgnoresAreTold(t *testing.T) {
	g := NewWithT(t)
	seen := &Mesh{IgnoredClients: []string{"ibm-apps", "my-openshift-apps"}}
	seen.SetSpire(SpireOf(handled(map[string]any{"podsSelected": int64(7)}), "", true))
	g.Expect(seen.Spire.Status).To(Equal(metav1.ConditionTrue))
	g.Expect(seen.Spire.Message).To(HaveSuffix("; unless its ignoreNamespaces says otherwise, it ignores these namespaces of clients, whose pods then get no identity: ibm-apps, my-openshift-apps"))
	seen.SetSpire(SpireOf(handled(map[string]any{"podsSelected": int64(0)}), "", true))
	g.Expect(seen.Spire.Message).NotTo(ContainSubstring("ibm-apps"))
}
