// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestFieldOfFindsAllThatPassesThrough marks every text that passes from a spec to
// a workload with its own path, and looks for the marks in what is rendered: each
// has to lead back to where it came from.
func TestFieldOfFindsAllThatPassesThrough(t *testing.T) {
	container := func(path string) nsmv1beta1.ContainerSpec {
		return nsmv1beta1.ContainerSpec{
			Image: path + ".image",
			Env: []corev1.EnvVar{
				// The operator has this one in most containers, and before others.
				{Name: "NSM_LOG_LEVEL", Value: path + ".env[0].value"},
				{Name: "A", Value: path + ".env[1].value"},
				{Name: "B", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: path + ".env[2].valueFrom.secretKeyRef.key"}}},
			},
			Resources: &corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: path + ".resources.claims[0].name"}}},
		}
	}
	component := func(path string) nsmv1beta1.ComponentSpec {
		return nsmv1beta1.ComponentSpec{
			ContainerSpec: container(path),
			NodeSelector:  map[string]string{"a": path + ".nodeSelector[a]"},
			Tolerations: []corev1.Toleration{
				{Key: path + ".tolerations[0].key"}, {Key: "b", Value: path + ".tolerations[1].value"},
			},
			Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
					TopologyKey: path + ".affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
				}},
			}},
			PriorityClassName: path + ".priorityClassName",
			Labels:            map[string]string{"a": path + ".labels[a]"},
			Annotations:       map[string]string{"a": path + ".annotations[a]"},
			PodLabels:         map[string]string{"a": path + ".podLabels[a]"},
			PodAnnotations:    map[string]string{"a": path + ".podAnnotations[a]"},
		}
	}
	spec := nsmv1beta1.NSMSpec{
		Version:        "v1.18.0",
		Labels:         map[string]string{"all": "spec.labels[all]"},
		Annotations:    map[string]string{"all": "spec.annotations[all]"},
		PodLabels:      map[string]string{"all": "spec.podLabels[all]"},
		PodAnnotations: map[string]string{"all": "spec.podAnnotations[all]"},
		Images:         &nsmv1beta1.ImagesSpec{PullSecrets: []nsmv1beta1.PullSecret{{Name: "spec.images.pullSecrets[0].name"}}},
		Registry: &nsmv1beta1.RegistrySpec{
			ComponentSpec:      component("spec.registry"),
			ServiceAnnotations: map[string]string{"b": "spec.registry.serviceAnnotations[b]"},
		},
		Nsmgr: &nsmv1beta1.NsmgrSpec{
			ComponentSpec: component("spec.nsmgr"), ExcludePrefixes: ptr.To(container("spec.nsmgr.excludePrefixes")),
		},
		Forwarders: []nsmv1beta1.ForwarderSpec{
			{Type: "vpp", ComponentSpec: component("spec.forwarders[0]")},
			{Type: "ovs", Name: "mine", ComponentSpec: component("spec.forwarders[1]")},
			{Type: "sriov", ComponentSpec: component("spec.forwarders[2]")},
		},
		AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{ComponentSpec: component("spec.admissionWebhook")},
		CSIDriver: &nsmv1beta1.CSIDriverSpec{
			ComponentSpec: component("spec.csiDriver"), Registrar: ptr.To(container("spec.csiDriver.registrar")),
		},
		Interdomain: &nsmv1beta1.InterdomainSpec{
			ClusterName:        "one",
			NsmgrProxy:         ptr.To(component("spec.interdomain.nsmgrProxy")),
			RegistryProxy:      ptr.To(component("spec.interdomain.registryProxy")),
			ClusterInfo:        ptr.To(component("spec.interdomain.clusterInfo")),
			ServiceAnnotations: map[string]string{"b": "spec.interdomain.serviceAnnotations[b]"},
			MapIP:              ptr.To(container("spec.interdomain.mapIP")),
		},
		VL3: &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{
			{ComponentSpec: component("spec.vl3.ipams[0]")},
			{
				Name: "vl3-ipam-2", ComponentSpec: component("spec.vl3.ipams[1]"),
				ServiceAnnotations: map[string]string{"b": "spec.vl3.ipams[1].serviceAnnotations[b]"},
			},
		}},
		Dashboard: &nsmv1beta1.DashboardSpec{
			ComponentSpec: component("spec.dashboard"), UI: ptr.To(container("spec.dashboard.ui")),
			ServiceAnnotations: map[string]string{"b": "spec.dashboard.serviceAnnotations[b]"},
		},
	}
	// What the mesh says is for the components that do not.
	spec.NodeSelector = map[string]string{"a": "spec.nodeSelector[a]"}
	spec.Tolerations = []corev1.Toleration{{Key: "spec.tolerations[0].key"}}
	spec.PriorityClassName = "spec.priorityClassName"
	spec.Registry.NodeSelector, spec.Registry.Tolerations, spec.Registry.PriorityClassName = nil, nil, ""
	wanted := marks(asJSON(t, spec), "")
	found := map[string]bool{}
	for _, object := range tried(testInput(t, spec, mesh.Platform{ClusterProperties: true})) {
		for field, mark := range marks(asJSON(t, object), "") {
			found[mark] = true
			// As the API server says it of an entry of a map.
			for _, whole := range []string{".labels[", ".annotations[", ".nodeSelector["} {
				field, _, _ = strings.Cut(field, whole)
				if strings.HasSuffix(mark, "]") && !strings.HasSuffix(field, "]") {
					field += strings.TrimSuffix(whole, "[")
					break
				}
			}
			if got := mesh.FieldOf(&spec, object, field, fmt.Sprintf("%q: is wrong", mark)); got != mark {
				t.Errorf("%s of %s comes from %q, and not from %q", field, object.GetName(), mark, got)
			}
		}
	}
	for _, mark := range wanted {
		if !found[mark] {
			t.Errorf("%s does not get through to a workload", mark)
		}
	}
	if len(wanted) < 100 {
		t.Errorf("only %d marks", len(wanted))
	}
}

// TestFieldOfBlamesNobodyForOthers, whose webhooks may put elements of their own
// before ours.
func TestFieldOfBlamesNobodyForOthers(t *testing.T) {
	spec := nsmv1beta1.NSMSpec{Version: "v1.18.0", Registry: &nsmv1beta1.RegistrySpec{ComponentSpec: nsmv1beta1.ComponentSpec{
		ContainerSpec: nsmv1beta1.ContainerSpec{Env: []corev1.EnvVar{{Name: "A", Value: "b"}}},
		Tolerations:   []corev1.Toleration{{Key: "a", Operator: "Exists"}},
	}}}
	in := testInput(t, spec, mesh.Platform{})
	for _, object := range tried(in) {
		deployment, ok := object.(*appsv1.Deployment)
		if !ok || deployment.Name != mesh.RegistryName {
			continue
		}
		last := fmt.Sprintf("spec.template.spec.containers[0].env[%d].name", len(deployment.Spec.Template.Spec.Containers[0].Env)-1)
		for field, want := range map[[2]string]string{
			{last, `"A": is wrong`}:   "spec.registry.env[0].name",
			{last, `"X=Y": is wrong`}: "",
			{last, `is wrong`}:        "spec.registry.env[0].name",
			{last, `"": is wrong`}:    "spec.registry.env[0].name",
			{"spec.template.spec.tolerations[0].operator", `"Exists": is wrong`}: "spec.registry.tolerations[0].operator",
			{"spec.template.spec.tolerations[0].operator", `"exists": is wrong`}: "",
			{"spec.template.spec.tolerations[7].operator", `"Exists": is wrong`}: "",
			{"spec.template.spec.containers[1].image", `"x": is wrong`}:          "",
		} {
			if got := mesh.FieldOf(&spec, object, field[0], field[1]); got != want {
				t.Errorf("%s: got %q, want %q", field, got, want)
			}
		}
	}
}

// TestFieldOfBlamesNobodyForTheOperator's own fields.
func TestFieldOfBlamesNobodyForTheOperator(t *testing.T) {
	spec := nsmv1beta1.NSMSpec{Version: "v1.18.0", Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{
		PodLabels: map[string]string{"team": "net"}, NodeSelector: map[string]string{"a": "b"},
		Tolerations: []corev1.Toleration{{Key: "a"}},
	}}}
	for _, object := range tried(testInput(t, spec, mesh.Platform{})) {
		for field, value := range texts(asJSON(t, object), "") {
			if value == "net" || value == "b" || value == "a" || strings.HasSuffix(field, ".image") {
				continue
			}
			if got := mesh.FieldOf(&spec, object, field, fmt.Sprintf("%q: is wrong", value)); got != "" && got != "spec.spire.agentSocket" {
				t.Errorf("%s of %s is the operator's, and not %s", field, object.GetName(), got)
			}
		}
	}
}

// tried are the objects that the API server is asked about.
func tried(in mesh.Input) []mesh.Object {
	return slices.DeleteFunc(mesh.Objects(mesh.Components(in)), func(object mesh.Object) bool { return !mesh.IsTried(object) })
}

func asJSON(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var read any
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// marks are the texts in a document that are paths of a spec, by their own paths.
func marks(document any, path string) map[string]string {
	found := texts(document, path)
	for path, text := range found {
		if !strings.HasPrefix(text, "spec.") || strings.HasPrefix(text, "spec.nodeName") {
			delete(found, path)
		}
	}
	return found
}

// texts in a document, by their paths.
func texts(document any, path string) map[string]string {
	found := map[string]string{}
	add := func(more map[string]string) { maps.Copy(found, more) }
	switch document := document.(type) {
	case string:
		found[path] = document
	case []any:
		for i := range document {
			add(texts(document[i], fmt.Sprintf("%s[%d]", path, i)))
		}
	case map[string]any:
		for key, value := range document {
			below := strings.TrimPrefix(path+"."+key, ".")
			for _, entries := range []string{".labels", ".annotations", ".nodeSelector"} {
				if strings.HasSuffix(path, entries) {
					below = path + "[" + key + "]"
				}
			}
			add(texts(value, below))
		}
	}
	return found
}
