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

	"github.com/google/go-cmp/cmp"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	sameNames    = "a namespace holds one NSM: their objects have the same names"
	sameNodes    = "their pods could meet on a node, where they share sockets: give both a spec.nodeSelector, or nsmgr and every forwarder one of their own, with different values for one key"
	sameClients  = "both would add the same containers to a pod, which is refused then: set admissionWebhook.enabled: false in one of them; the other one's webhook serves the clients of both"
	sameVolumes  = "a cluster has one CSIDriver csi.networkservicemesh.io, and a node one socket of it: leave csiDriver out of one of them; the other one's driver serves the clients of both"
	furtherCause = "; and "
)

func TestConflict(t *testing.T) {
	webhook := func(enabled *bool) *nsmv1beta1.AdmissionWebhookSpec {
		return &nsmv1beta1.AdmissionWebhookSpec{Enabled: enabled}
	}
	on, off, byDefault := webhook(ptr.To(true)), webhook(ptr.To(false)), webhook(nil)
	csi := &nsmv1beta1.CSIDriverSpec{}
	for name, tc := range map[string]struct {
		namespace     string
		first, second nsmv1beta1.NSMSpec
		want          string
	}{
		"the same namespace":            {"one", onNodes("a", off), onNodes("b", off), sameNames},
		"the same nodes":                {"two", onNodes("a", off), onNodes("a", off), sameNodes},
		"any nodes":                     {"two", onNodes("a", off), nsmv1beta1.NSMSpec{AdmissionWebhook: off}, sameNodes},
		"nodes of the only system":      {"two", onNodesOf(map[string]string{"kubernetes.io/os": "linux"}, off), onNodes("a", off), sameNodes},
		"other nodes":                   {"two", onNodes("a", off), onNodes("b", off), ""},
		"other nodes for all":           {"two", allOnNodes("a", off), allOnNodes("b", off), ""},
		"the same nodes for all":        {"two", allOnNodes("a", off), onNodes("a", off), sameNodes},
		"one component on all nodes":    {"two", onAllNodes(allOnNodes("a", off)), allOnNodes("b", off), sameNodes},
		"one webhook":                   {"two", onNodes("a", on), onNodes("b", off), ""},
		"one webhook, the other one":    {"two", onNodes("a", off), onNodes("b", nil), ""},
		"two webhooks":                  {"two", onNodes("a", on), onNodes("b", on), sameClients},
		"two webhooks, where none says": {"two", onNodes("a", nil), onNodes("b", byDefault), sameClients},
		"a registry alone":              {"two", alone(), nsmv1beta1.NSMSpec{}, ""},
		"registries alone":              {"two", alone(), alone(), ""},
		"one CSI driver":                {"two", withCSI(onNodes("a", off), csi), onNodes("b", off), ""},
		"two CSI drivers":               {"two", withCSI(onNodes("a", off), csi), withCSI(onNodes("b", off), csi), sameVolumes},
		"everything": {
			"two", withCSI(onNodes("a", on), csi), withCSI(onNodes("a", on), csi),
			sameNodes + furtherCause + sameClients + furtherCause + sameVolumes,
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := &nsmv1beta1.NSM{Spec: tc.first}, &nsmv1beta1.NSM{Spec: tc.second}
			first.Namespace, second.Namespace = "one", tc.namespace
			if got := mesh.Conflict(first, second); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if got := mesh.Conflict(second, first); got != tc.want {
				t.Errorf("the other way round got %q, want %q", got, tc.want)
			}
			outline := &nsmv1beta1.NSM{ObjectMeta: first.ObjectMeta, Spec: mesh.Outline(&first.Spec, true)}
			if got := mesh.Conflict(outline, second); got != tc.want {
				t.Errorf("for the outline got %q, want %q", got, tc.want)
			}
			outline.Spec = mesh.Outline(&first.Spec, false)
			isOnNodes := mesh.ManagersEnabled(&first.Spec) && mesh.ManagersEnabled(&second.Spec)
			if got := mesh.Conflict(outline, second); !strings.Contains(got, tc.want) || tc.namespace != "one" && isOnNodes && !strings.Contains(got, sameNodes) {
				t.Errorf("for the outline without node selectors got %q", got)
			}
		})
	}
}

// allOnNodes is onNodes, said once for the mesh.
func allOnNodes(pool string, webhook *nsmv1beta1.AdmissionWebhookSpec) nsmv1beta1.NSMSpec {
	return nsmv1beta1.NSMSpec{AdmissionWebhook: webhook, NodeSelector: onNodes(pool, webhook).Nsmgr.NodeSelector}
}

// alone is a registry alone.
func alone() nsmv1beta1.NSMSpec {
	return nsmv1beta1.NSMSpec{Nsmgr: &nsmv1beta1.NsmgrSpec{Enabled: ptr.To(false)}}
}

// onAllNodes is a spec whose managers run everywhere, whatever it says of the mesh.
func onAllNodes(spec nsmv1beta1.NSMSpec) nsmv1beta1.NSMSpec {
	spec.Nsmgr = &nsmv1beta1.NsmgrSpec{}
	spec.Nsmgr.NodeSelector = map[string]string{}
	return spec
}

// onNodes is a mesh on the nodes of a pool.
func onNodes(pool string, webhook *nsmv1beta1.AdmissionWebhookSpec) nsmv1beta1.NSMSpec {
	return onNodesOf(map[string]string{"pool": pool}, webhook)
}

func onNodesOf(selector map[string]string, webhook *nsmv1beta1.AdmissionWebhookSpec) nsmv1beta1.NSMSpec {
	component := nsmv1beta1.ComponentSpec{NodeSelector: selector}
	return nsmv1beta1.NSMSpec{
		Nsmgr:            &nsmv1beta1.NsmgrSpec{ComponentSpec: component},
		Forwarders:       []nsmv1beta1.ForwarderSpec{{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: component}},
		AdmissionWebhook: webhook,
	}
}

func withCSI(spec nsmv1beta1.NSMSpec, csi *nsmv1beta1.CSIDriverSpec) nsmv1beta1.NSMSpec {
	spec.CSIDriver = csi
	return spec
}

// OLM's console looks for the objects of a mesh by the kinds that the
// ClusterServiceVersion lists for an NSM.
func TestClusterServiceVersionListsEachKind(t *testing.T) {
	var csv struct {
		Spec struct {
			CustomResourceDefinitions struct {
				Owned []struct {
					Kind      string
					Resources []struct{ Kind, Version string }
				} `json:"owned"`
			} `json:"customresourcedefinitions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "../../config/manifests/bases/nsm-operator.clusterserviceversion.yaml")), &csv); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, owned := range csv.Spec.CustomResourceDefinitions.Owned {
		for _, resource := range owned.Resources {
			if owned.Kind == "NSM" {
				listed = append(listed, resource.Kind+" "+resource.Version)
			}
		}
	}
	// What the registry of a mesh writes, beside what the operator makes.
	want := []string{"NetworkServiceEndpoint v1"}
	everywhere := mesh.Platform{OpenShift: true, ClusterSPIFFEIDs: true, ClusterProperties: true, PodMonitors: true}
	for _, object := range append(mesh.Kinds(), mesh.PlatformKinds(everywhere)...) {
		kind, err := apiutil.GVKForObject(object, clientgoscheme.Scheme)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, kind.Kind+" "+kind.Version)
	}
	slices.Sort(listed)
	slices.Sort(want)
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Error(diff)
	}
}
