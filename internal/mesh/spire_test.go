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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// A controller manager that filters by class finds the ClusterSPIFFEID of its class,
// whatever labels the user gives to all objects; an object never has a label that
// the API server refuses.
func TestTheClassOfAClusterSPIFFEID(t *testing.T) {
	const label = "spire.spiffe.io/class-name"
	for class, want := range map[string]string{
		"nsm": "nsm", "zero-trust-workload-identity-manager-spire": "zero-trust-workload-identity-manager-spire",
		strings.Repeat("a", 63): strings.Repeat("a", 63), strings.Repeat("a", 64): "theirs", "": "theirs",
	} {
		in := testInput(t, nsmv1beta1.NSMSpec{
			Version: "v1.18.0", Labels: map[string]string{label: "theirs"}, Spire: &nsmv1beta1.SpireSpec{ClassName: class},
		}, mesh.Platform{ClusterSPIFFEIDs: true})
		identities := mesh.Identities(in)
		if len(identities) == 0 {
			t.Fatal("no identities")
		}
		for _, identity := range identities {
			if got := identity.GetLabels()[label]; got != want {
				t.Errorf("class %q: the label is %q, want %q", class, got, want)
			}
			if got, _, _ := unstructured.NestedString(identity.(*unstructured.Unstructured).Object, "spec", "className"); got != class {
				t.Errorf("class %q: className is %q", class, got)
			}
		}
	}
}

// The statistics of another class's controller manager go with the object; what nobody
// has said anything of can change in place.
func TestIdentitiesThatAreMadeAnew(t *testing.T) {
	identity := func(class string) *unstructured.Unstructured {
		in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", Spire: &nsmv1beta1.SpireSpec{ClassName: class}}, mesh.Platform{ClusterSPIFFEIDs: true})
		return mesh.Identities(in)[0].(*unstructured.Unstructured)
	}
	for _, tc := range []struct {
		before, after string
		isHandled     bool
		want          bool
	}{
		{"old", "new", true, true},
		{"old", "", true, true},
		{"", "new", true, true},
		{"old", "old", true, false},
		{"", "", true, false},
		{"old", "new", false, false},
	} {
		live := identity(tc.before)
		live.SetLabels(nil)
		if tc.isHandled {
			live.Object["status"] = map[string]any{"stats": map[string]any{"podsSelected": int64(3)}}
		}
		if got := mesh.IsMadeAnew(live, identity(tc.after)); got != tc.want {
			t.Errorf("from class %q to %q, handled %v: made anew is %v", tc.before, tc.after, tc.isHandled, got)
		}
	}
	if mesh.IsMadeAnew(&metav1.PartialObjectMetadata{}, identity("new")) {
		t.Error("what has not been read is made anew")
	}
}

// SPIRE's patterns have no anchors.
func TestNamespacesThatSPIREIgnores(t *testing.T) {
	for namespace, want := range map[string]string{
		"kube-system": "kube-system", "my-kube-system": "kube-system", "kube-public": "kube-public",
		"openshift-nsm": "openshift-.*", "my-openshift-nsm": "openshift-.*", "ibm-nsm": "ibm-.*", "local-path-storage": "local-path-storage",
		"nsm-system": "", "nsm": "", "openshift": "", "kube": "", "default": "", "spire": "",
	} {
		if got := mesh.IgnoredBySPIRE(namespace); got != want {
			t.Errorf("%s is ignored by %q, want %q", namespace, got, want)
		}
	}
}

func TestClientsThatSPIREIgnores(t *testing.T) {
	spec := nsmv1beta1.NSMSpec{Version: "v1.18.0", OpenShift: &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}}
	in := testInput(t, spec, mesh.Platform{OpenShift: true, ClusterSPIFFEIDs: true})
	in.ClientNamespaces = []string{"apps", "ibm-apps", "my-openshift-apps", "openshift-monitoring"}
	// In the last one are no clients, whatever selects it.
	if got, want := mesh.IgnoredClients(in), []string{"ibm-apps", "my-openshift-apps"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	in.Platform.ClusterSPIFFEIDs = false
	if got := mesh.IgnoredClients(in); len(got) > 0 {
		t.Errorf("somebody else registers them: got %v", got)
	}
}
