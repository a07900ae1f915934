// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// domain is a mesh between domains, where ClusterProperties are served or not.
func domain(t *testing.T, version, clusterName string, served bool) mesh.Input {
	t.Helper()
	nsmRelease, err := release.Parse(version)
	if err != nil {
		t.Fatal(err)
	}
	return mesh.Input{
		NSM: &nsmv1beta1.NSM{
			ObjectMeta: metav1.ObjectMeta{Namespace: "nsm-system", Name: "mesh"},
			Spec:       nsmv1beta1.NSMSpec{Interdomain: &nsmv1beta1.InterdomainSpec{ClusterName: clusterName}},
		},
		Release: nsmRelease, Platform: mesh.Platform{ClusterProperties: served},
	}
}

// objectsNamed are the objects of a mesh with a name, by kind.
func objectsNamed(in mesh.Input, name string) map[string]mesh.Object {
	found := map[string]mesh.Object{}
	for _, object := range mesh.Objects(mesh.Components(in)) {
		if object.GetName() == name {
			found[object.GetObjectKind().GroupVersionKind().Kind] = object
		}
	}
	return found
}

// What cluster-info writes is there for it to write, and for nsmgr-proxy to read.
func TestTheNameOfADomain(t *testing.T) {
	for name, tc := range map[string]struct {
		version, clusterName string
		served               bool
		written, mounted     bool
	}{
		"named":                        {"v1.18.0", "one", true, true, true},
		"in the first release":         {"v1.6.0", "one", true, true, true},
		"in a release before":          {"v1.5.0", "one", true, false, false},
		"without a name":               {"v1.18.0", "", true, false, false},
		"without ClusterProperties":    {"v1.18.0", "one", false, false, true},
		"in a release that knows none": {"v1.0.0", "one", false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := domain(t, tc.version, tc.clusterName, tc.served)
			kinds := objectsNamed(in, "cluster-info")
			for _, kind := range []string{"Deployment", "ConfigMap", "ServiceAccount", "RoleBinding"} {
				if _, found := kinds[kind]; found != tc.written {
					t.Errorf("there is a %s cluster-info: %t, want %t", kind, found, tc.written)
				}
			}
			if got := mountsClusterInfo(t, in); got != tc.mounted {
				t.Errorf("nsmgr-proxy has the ConfigMap: %t, want %t", got, tc.mounted)
			}
		})
	}
}

func mountsClusterInfo(t *testing.T, in mesh.Input) bool {
	t.Helper()
	for _, workload := range workloads(t, mesh.Components(in)) {
		pod := workload.template.Spec
		i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == "cluster-info" })
		if workload.name != "nsmgr-proxy" || i < 0 {
			continue
		}
		want := &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "cluster-info"}, Optional: ptr.To(true),
		}
		if diff := cmp.Diff(want, pod.Volumes[i].ConfigMap); diff != "" {
			t.Errorf("the volume differs (-want +got):\n%s", diff)
		}
		return slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(mount corev1.VolumeMount) bool {
			return mount.Name == "cluster-info" && mount.MountPath == "/etc/clusterinfo" && mount.ReadOnly
		})
	}
	return false
}

// Its data are cluster-info's: whoever applies them takes them from it.
func TestTheConfigMapOfADomainIsEmpty(t *testing.T) {
	configMap, ok := objectsNamed(domain(t, "v1.18.0", "one", true), "cluster-info")["ConfigMap"].(*corev1.ConfigMap)
	if !ok {
		t.Fatal("there is none")
	}
	if configMap.Data != nil || configMap.BinaryData != nil {
		t.Errorf("it has data: %v %v", configMap.Data, configMap.BinaryData)
	}
}

// cluster-info may read and update one ConfigMap, of its own namespace: kubeadm
// has one of the same name in kube-public.
func TestWhatClusterInfoMayWrite(t *testing.T) {
	in := domain(t, "v1.18.0", "one", true)
	everywhere, ok := objectsNamed(in, "nsm:nsm-system:cluster-info")["ClusterRole"].(*rbacv1.ClusterRole)
	if !ok {
		t.Fatal("there is no ClusterRole nsm:nsm-system:cluster-info")
	}
	for _, rule := range everywhere.Rules {
		if slices.Contains(rule.Resources, "configmaps") {
			t.Errorf("it may %v ConfigMaps in all namespaces", rule.Verbs)
		}
	}

	here := objectsNamed(in, "nsm:nsm-system:cluster-info:namespace")
	role, ok := here["ClusterRole"].(*rbacv1.ClusterRole)
	if !ok {
		t.Fatal("there is no ClusterRole nsm:nsm-system:cluster-info:namespace")
	}
	want := []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"cluster-info"}, Verbs: []string{"get", "update"},
	}}
	if diff := cmp.Diff(want, role.Rules); diff != "" {
		t.Errorf("the rules differ (-want +got):\n%s", diff)
	}
	if len(here) != 1 {
		t.Errorf("somebody binds it in the whole cluster: %v", here)
	}
	binding, ok := objectsNamed(in, "cluster-info")["RoleBinding"].(*rbacv1.RoleBinding)
	if !ok || binding.Namespace != "nsm-system" || binding.RoleRef.Name != role.Name {
		t.Errorf("no RoleBinding grants it in the mesh's namespace: %v", binding)
	}
}
