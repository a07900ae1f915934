// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// What the API server makes of the policy is tried on one, in controllers.

// An SCC of clients never goes without the policy that limits it, nor the policy
// without the SCC.
func TestClientPolicyGoesWithTheSCC(t *testing.T) {
	there := map[bool]int{}
	forEachMesh(t, func(m randomMesh) {
		m.in.NSM.Spec.OpenShift = oneOf(newGenerator(m.seed), nil,
			&nsmv1beta1.OpenShiftSpec{},
			&nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}},
			&nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"nsm": "true"}}},
			&nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}, SecurityContextConstraints: "None"})
		name := "nsm-" + m.in.NSM.Namespace + "-client"
		var kinds []string
		for _, object := range constraintsOf(m.in) {
			if object.GetName() == name {
				kinds = append(kinds, object.GetObjectKind().GroupVersionKind().Kind)
			}
		}
		there[len(kinds) > 0]++
		if len(kinds) > 0 && !slices.Equal(kinds, []string{"SecurityContextConstraints", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}) {
			m.t.Errorf("the clients have %v", kinds)
		}
	})
	if there[true] == 0 || there[false] == 0 {
		t.Errorf("there were policies, or none: %v", there)
	}
}

// The policy follows the spec, and has text of the user's in it as text.
func TestClientPolicyFollowsTheSpec(t *testing.T) {
	spec := nsmv1beta1.NSMSpec{
		Version: "v1.18.0", OpenShift: &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}},
		Spire: &nsmv1beta1.SpireSpec{AgentSocket: `unix:///run/x"]||true||v.name/in["/../spire\agent/agent.sock`},
	}
	policy := clientPolicyOf(t, spec)
	if got := metav1.FormatLabelSelector(policy.Spec.MatchConstraints.NamespaceSelector); got != "!kubernetes.io/metadata.name" {
		t.Errorf("it looks at %s, want nothing", got)
	}
	some := clientPolicyOf(t, spec, "blue", "default", "green", "kube-system", "openshift-dns", "nsm")
	if got := metav1.FormatLabelSelector(some.Spec.MatchConstraints.NamespaceSelector); got != "kubernetes.io/metadata.name in (blue,green)" {
		t.Errorf("it looks at %s, want those that hold clients", got)
	}
	if want := `["/run/x\"]||true||v.name/spire\\agent", "/var/lib/networkservicemesh"]`; !strings.Contains(policy.Spec.Variables[0].Expression, want) {
		t.Errorf("it refuses by %s, want the paths %s", policy.Spec.Variables[0].Expression, want)
	}
}

func clientPolicyOf(t *testing.T, spec nsmv1beta1.NSMSpec, clients ...string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	t.Helper()
	in := testInput(t, spec, openShift)
	in.ClientNamespaces = clients
	for _, object := range mesh.Constraints(in, mesh.Components(in)) {
		if policy, ok := object.(*admissionregistrationv1.ValidatingAdmissionPolicy); ok {
			return policy
		}
	}
	t.Fatal("there is no policy")
	return nil
}
