// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// TestWhatAComponentSaysOfNodesTakesThePlaceOfWhatTheMeshSays, also where it says that
// there is none.
func TestWhatAComponentSaysOfNodesTakesThePlaceOfWhatTheMeshSays(t *testing.T) {
	ofMesh, own := []corev1.Toleration{{Key: "mesh"}}, []corev1.Toleration{{Key: "own"}}
	for name, tc := range map[string]struct {
		component     func(*nsmv1beta1.ComponentSpec)
		tolerations   []corev1.Toleration
		pool          string
		priorityClass string
	}{
		"nothing": {func(*nsmv1beta1.ComponentSpec) {}, ofMesh, "mesh", "mesh"},
		"its own": {func(component *nsmv1beta1.ComponentSpec) {
			component.Tolerations, component.NodeSelector, component.PriorityClassName = own, map[string]string{"pool": "own"}, "own"
		}, own, "own", "own"},
		"others, and not beside them": {func(component *nsmv1beta1.ComponentSpec) {
			component.NodeSelector = map[string]string{"zone": "own"}
		}, ofMesh, "", "mesh"},
		"none": {func(component *nsmv1beta1.ComponentSpec) {
			component.Tolerations, component.NodeSelector, component.PriorityClassName = []corev1.Toleration{}, map[string]string{}, mesh.NoPriorityClass
		}, []corev1.Toleration{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := allComponents("v1.18.0")
			spec.Tolerations, spec.NodeSelector, spec.PriorityClassName = ofMesh, map[string]string{"pool": "mesh"}, "mesh"
			forEachComponent(&spec, tc.component)
			for _, workload := range workloads(t, mesh.Components(testInput(t, spec, everyPlatform))) {
				pod := workload.template.Spec
				if diff := cmp.Diff(tc.tolerations, pod.Tolerations); diff != "" {
					t.Errorf("%s: tolerations (-want +got)\n%s", workload.name, diff)
				}
				if pod.NodeSelector["pool"] != tc.pool || pod.NodeSelector[corev1.LabelOSStable] != "linux" {
					t.Errorf("%s: node selector %v", workload.name, pod.NodeSelector)
				}
				if pod.PriorityClassName != tc.priorityClass {
					t.Errorf("%s: priority class %q", workload.name, pod.PriorityClassName)
				}
			}
		})
	}
}

// TestNoClassForTheWholeMesh: the mesh can leave the class out, and a component have
// one all the same.
func TestNoClassForTheWholeMesh(t *testing.T) {
	spec := allComponents("v1.18.0")
	spec.PriorityClassName = mesh.NoPriorityClass
	spec.Nsmgr.PriorityClassName = "mine"
	for workload, class := range priorityClasses(t, spec) {
		if want := map[string]string{mesh.NsmgrName: "mine"}[workload]; class != want {
			t.Errorf("%s: got %q, want %q", workload, class, want)
		}
	}
}

// TestNoPodIsForAVirtualNode, whatever the user selects and tolerates: a DaemonSet
// would wait for it for ever.
func TestNoPodIsForAVirtualNode(t *testing.T) {
	user := corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpExists}
	field := corev1.NodeSelectorRequirement{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"a"}}
	spec := allComponents("v1.18.0")
	spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	spec.Nsmgr.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}, NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{user}}, {MatchFields: []corev1.NodeSelectorRequirement{field}}, {},
		}},
	}}
	before := spec.Nsmgr.Affinity.DeepCopy()
	virtual := []corev1.NodeSelectorRequirement{
		{Key: "type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"virtual-kubelet"}},
		{Key: "eks.amazonaws.com/compute-type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"fargate"}},
	}
	for _, workload := range workloads(t, mesh.Components(testInput(t, spec, everyPlatform))) {
		affinity := workload.template.Spec.Affinity
		want := []corev1.NodeSelectorTerm{{MatchExpressions: virtual}}
		if workload.name == mesh.NsmgrName {
			want = []corev1.NodeSelectorTerm{
				{MatchExpressions: append([]corev1.NodeSelectorRequirement{user}, virtual...)},
				{MatchFields: []corev1.NodeSelectorRequirement{field}, MatchExpressions: virtual},
				// Kubernetes takes it for no node at all.
				{},
			}
			if affinity.PodAntiAffinity == nil {
				t.Error("the rest of the user's affinity is lost")
			}
		}
		if diff := cmp.Diff(want, affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", workload.name, diff)
		}
	}
	if diff := cmp.Diff(before, spec.Nsmgr.Affinity); diff != "" {
		t.Errorf("rendering changes the spec\n%s", diff)
	}
}

// TestVPPRunsWhereItsImageDoes: from v1.14.3 on there is one for amd64 alone.
func TestVPPRunsWhereItsImageDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		version  string
		selector map[string]string
		want     string
	}{
		"before":             {"v1.14.2", nil, ""},
		"from there on":      {"v1.14.3", nil, "amd64"},
		"the newest":         {"v1.18.0", map[string]string{}, "amd64"},
		"beside others":      {"v1.18.0", map[string]string{"pool": "a"}, "amd64"},
		"an own image":       {"v1.18.0", map[string]string{corev1.LabelArchStable: "arm64"}, "arm64"},
		"a newer than known": {"v1.19.0-rc.1", nil, "amd64"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := allComponents(tc.version)
			spec.Dashboard, spec.VL3, spec.CSIDriver, spec.Interdomain = nil, nil, nil, nil
			for i := range spec.Forwarders {
				spec.Forwarders[i].NodeSelector = tc.selector
			}
			for _, workload := range workloads(t, mesh.Components(testInput(t, spec, mesh.Platform{}))) {
				want := ""
				switch workload.name {
				case "vpp":
					want = tc.want
				case "ovs", "sriov":
					want = tc.selector[corev1.LabelArchStable]
				}
				if got := workload.template.Spec.NodeSelector[corev1.LabelArchStable]; got != want {
					t.Errorf("%s: got %q, want %q", workload.name, got, want)
				}
			}
		})
	}
}

// TestTheKubeletsDirectory: the forwarders find it where their programs look for it,
// and the CSI driver under its own path on the node, by which the kubelet names all in
// it.
func TestTheKubeletsDirectory(t *testing.T) {
	for _, directory := range []string{"/var/lib/kubelet", "/var/snap/microk8s/common/var/lib/kubelet", "/var/lib/k0s/kubelet"} {
		spec := allComponents("v1.18.0")
		spec.KubeletDirectory = directory
		if directory == "/var/lib/kubelet" {
			spec.KubeletDirectory = ""
		}
		onNode := map[string][]string{}
		for _, workload := range workloads(t, mesh.Components(testInput(t, spec, everyPlatform))) {
			for _, volume := range workload.template.Spec.Volumes {
				if volume.HostPath == nil || !strings.Contains(volume.HostPath.Path, "kubelet") {
					continue
				}
				inPod := mountPaths(workload.template.Spec, volume.Name)
				onNode[workload.name] = append(onNode[workload.name], volume.HostPath.Path)
				switch {
				case workload.name != "nsm-csi":
					if !slices.Equal(inPod, []string{"/var/lib/kubelet"}) {
						t.Errorf("%s has %s at %v", workload.name, volume.HostPath.Path, inPod)
					}
				case path.Base(volume.HostPath.Path) == "pods":
					if !slices.Equal(inPod, []string{volume.HostPath.Path}) {
						t.Errorf("the driver has %s at %v", volume.HostPath.Path, inPod)
					}
				}
			}
			if workload.name == "nsm-csi" {
				if args := workload.template.Spec.Containers[1].Args; args[3] != directory+"/plugins/csi.networkservicemesh.io/csi.sock" {
					t.Errorf("the kubelet is told of %s", args[3])
				}
			}
		}
		want := map[string][]string{
			"vpp": {directory}, "ovs": {directory}, "sriov": {directory},
			"nsm-csi": {directory + "/plugins/csi.networkservicemesh.io", directory + "/pods", directory + "/plugins_registry"},
		}
		if diff := cmp.Diff(want, onNode); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// mountPaths are where the containers of a pod have a volume.
func mountPaths(pod corev1.PodSpec, volume string) []string {
	var paths []string
	for _, container := range pod.Containers {
		for _, mount := range container.VolumeMounts {
			if mount.Name == volume {
				paths = append(paths, mount.MountPath)
			}
		}
	}
	return paths
}

// TestFieldOfTheKubeletsDirectory: what the API server says of a path leads back to it,
// where the user has given it.
func TestFieldOfTheKubeletsDirectory(t *testing.T) {
	for _, directory := range []string{"", "/var/lib/k0s/kubelet"} {
		spec := allComponents("v1.18.0")
		spec.KubeletDirectory = directory
		want := ""
		if directory != "" {
			want = "spec.kubeletDirectory"
		}
		for _, object := range tried(testInput(t, spec, mesh.Platform{})) {
			for field, value := range texts(asJSON(t, object), "") {
				if strings.HasSuffix(field, ".hostPath.path") && strings.Contains(value, "kubelet") {
					if got := mesh.FieldOf(&spec, object, field, "is wrong"); got != want {
						t.Errorf("%s of %s comes from %q, and not from %q", field, object.GetName(), got, want)
					}
				}
			}
		}
	}
}
