// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	ofMicroK8s = "/var/snap/microk8s/common/var/lib/kubelet"
	ofK0s      = "/var/lib/k0s/kubelet"
)

// TestNodesShowTheirKubeletsDirectory, by what MicroK8s and k0s write into them.
func TestNodesShowTheirKubeletsDirectory(t *testing.T) {
	for name, test := range map[string]struct {
		labels  map[string]string
		version string
		want    string
	}{
		"k0s":                          {nil, "v1.33.1+k0s", ofK0s},
		"k0s, of a release of its own": {nil, "v1.33.1+k0s.1", ofK0s},
		"k3s":                          {nil, "v1.33.1+k3s1", mesh.UsualKubeletDirectory},
		"MicroK8s":                     {map[string]string{"microk8s.io/cluster": "true"}, "v1.33.1", ofMicroK8s},
		"any other":                    {nil, "v1.33.1", mesh.UsualKubeletDirectory},
		"Windows":                      {map[string]string{corev1.LabelOSStable: "windows"}, "v1.33.1+k0s", ""},
		"a node without a system":      {map[string]string{corev1.LabelOSStable: ""}, "v1.33.1+k0s", ""},
		"a virtual node":               {map[string]string{"type": "virtual-kubelet"}, "v1.33.1", ""},
	} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
		maps.Copy(node.Labels, test.labels)
		node.Status.NodeInfo.KubeletVersion = test.version
		if got := mesh.KubeletDirectoryOf(node); got != test.want {
			t.Errorf("%s: %q, and not %q", name, got, test.want)
		}
	}
}

// TestWhichKubeletsDirectoryCounts: the user's, what all nodes show, what is mounted
// already where they differ, and the usual one.
func TestWhichKubeletsDirectoryCounts(t *testing.T) {
	differing := mesh.KubeletDirectories([]string{mesh.UsualKubeletDirectory, ofK0s})
	for name, test := range map[string]struct{ said, shown, before, want string }{
		"nothing is known":                 {"", "", "", mesh.UsualKubeletDirectory},
		"the user says it":                 {"/k", ofK0s, ofMicroK8s, "/k"},
		"all nodes agree":                  {"", mesh.KubeletDirectories([]string{ofK0s}), mesh.UsualKubeletDirectory, ofK0s},
		"all nodes agree on the usual one": {"", mesh.KubeletDirectories([]string{mesh.UsualKubeletDirectory}), ofK0s, mesh.UsualKubeletDirectory},
		"they differ":                      {"", differing, "", mesh.UsualKubeletDirectory},
		"they differ since the mesh runs":  {"", differing, ofK0s, ofK0s},
	} {
		in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", KubeletDirectory: test.said, CSIDriver: &nsmv1beta1.CSIDriverSpec{}}, mesh.Platform{KubeletDirectories: test.shown})
		in.KubeletDirectoryBefore = test.before
		mounting := 0
		for _, component := range mesh.Components(in) {
			if mounted := mesh.MountedKubeletDirectory(component.Workload); mounted != "" {
				mounting++
				if mounted != test.want {
					t.Errorf("%s: %s mounts %s, and not %s", name, component.Workload.GetName(), mounted, test.want)
				}
			}
		}
		if mounting != 2 {
			t.Errorf("%s: %d components mount it, and not a forwarder and the CSI driver", name, mounting)
		}
	}
}
