// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	securityv1 "github.com/openshift/api/security/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// rendered is a mesh on a cluster that has nothing else.
type rendered struct {
	cluster
	// pods of all of its workloads, and those that pull their images before.
	pods, pulls []*corev1.Pod
}

// renderer builds kubectl-nsm of the operator's own module, which this module
// cannot import: the two need different versions of Kubernetes.
var renderer = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "render")
	if err != nil {
		return "", err
	}
	program := filepath.Join(directory, "kubectl-nsm")
	build := exec.Command("go", "build", "-o", program, "./cmd/kubectl-nsm")
	build.Dir = filepath.Join("..", "..")
	output, err := build.CombinedOutput()
	if err != nil {
		return "", errors.New(string(output))
	}
	return program, nil
})

// render has the operator's code render a mesh for OpenShift, with one namespace
// of clients.
func render(t *testing.T, spec map[string]any) rendered {
	t.Helper()
	program, err := renderer()
	if err != nil {
		t.Fatalf("building kubectl-nsm: %v", err)
	}
	nsm, err := yaml.Marshal(map[string]any{
		"apiVersion": "nsm.networkservicemesh.io/v1beta1", "kind": "NSM",
		"metadata": map[string]any{"name": "nsm", "namespace": meshNamespace}, "spec": spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "render", "-f", "-", "--openshift", "--cluster-properties", "--image-pulls", "--client-namespaces", selectedNamespace)
	command.Stdin = bytes.NewReader(nsm)
	var failure strings.Builder
	command.Stderr = &failure
	output, err := command.Output()
	if err != nil {
		t.Fatalf("rendering %s: %s", nsm, failure.String())
	}
	mesh := read(t, bytes.NewReader(output))
	stock := stockCluster(t)
	mesh.sccs = append(mesh.sccs, stock.sccs...)
	mesh.clusterRoles = append(mesh.clusterRoles, stock.clusterRoles...)
	mesh.clusterRoleBindings = append(mesh.clusterRoleBindings, stock.clusterRoleBindings...)
	return mesh
}

func stockCluster(t *testing.T) cluster {
	t.Helper()
	return readFile(t, "testdata/stock.yaml").cluster
}

// client is a pod of a user.
func client(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	for _, pod := range readFile(t, "testdata/clients.yaml").pods {
		if pod.Name == name {
			return pod
		}
	}
	t.Fatalf("there is no client %s", name)
	return nil
}

// in a namespace, a copy of a pod with the namespace's default ServiceAccount.
func in(namespace string, pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.Namespace = namespace
	pod.Spec.ServiceAccountName = "default"
	return pod
}

// filesRead so far: what they hold is never changed.
var filesRead = map[string]rendered{}

func readFile(t *testing.T, path string) rendered {
	t.Helper()
	content, known := filesRead[path]
	if known {
		return content
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content = read(t, file)
	filesRead[path] = content
	return content
}

// read sorts documents by what they are to the admission of pods.
func read(t *testing.T, in io.Reader) rendered {
	t.Helper()
	var mesh rendered
	decoder := utilyaml.NewYAMLReader(bufio.NewReader(in))
	for {
		document, err := decoder.Read()
		if errors.Is(err, io.EOF) {
			return mesh
		}
		if err != nil {
			t.Fatal(err)
		}
		mesh.add(t, document)
	}
}

func (m *rendered) add(t *testing.T, document []byte) {
	t.Helper()
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		t.Fatal(err)
	}
	switch kind.Kind {
	case "SecurityContextConstraints":
		m.sccs = append(m.sccs, decode[securityv1.SecurityContextConstraints](t, document))
	case "ClusterRole":
		m.clusterRoles = append(m.clusterRoles, decode[rbacv1.ClusterRole](t, document))
	case "ClusterRoleBinding":
		m.clusterRoleBindings = append(m.clusterRoleBindings, decode[rbacv1.ClusterRoleBinding](t, document))
	case "RoleBinding":
		m.roleBindings = append(m.roleBindings, decode[rbacv1.RoleBinding](t, document))
	case "DaemonSet":
		workload := decode[appsv1.DaemonSet](t, document)
		m.addPod(podOf(workload.ObjectMeta, workload.Spec.Template))
	case "Deployment":
		workload := decode[appsv1.Deployment](t, document)
		m.addPod(podOf(workload.ObjectMeta, workload.Spec.Template))
	case "Pod":
		pod := decode[corev1.Pod](t, document)
		m.pods = append(m.pods, podOf(pod.ObjectMeta, corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}))
	}
}

func (m *rendered) addPod(pod *corev1.Pod) {
	if pod.Labels["app.kubernetes.io/component"] == "image-pull" {
		m.pulls = append(m.pulls, pod)
		return
	}
	m.pods = append(m.pods, pod)
}

func decode[T any](t *testing.T, document []byte) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return object
}

// podOf a workload, as a controller and the API server make it: with the volume
// of the ServiceAccount's token.
func podOf(workload metav1.ObjectMeta, template corev1.PodTemplateSpec) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name, pod.Namespace = workload.Name, workload.Namespace
	if pod.Spec.AutomountServiceAccountToken != nil && !*pod.Spec.AutomountServiceAccountToken {
		return pod
	}
	configMap := func(name, key string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Items: []corev1.KeyToPath{{Key: key, Path: key}},
		}}
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "kube-api-access", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
			configMap("kube-root-ca.crt", "ca.crt"),
			configMap("openshift-service-ca.crt", "service-ca.crt"),
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
			}}},
		}},
	}})
	return pod
}
