// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	resourcehelper "k8s.io/component-helpers/resource"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// requested by pods, in millicores and MiB.
type requested struct{ cpu, memory int64 }

func (r *requested) add(template *corev1.PodTemplateSpec, replicas int64) {
	sum := resourcehelper.PodRequests(&corev1.Pod{Spec: template.Spec}, resourcehelper.PodResourcesOptions{})
	r.cpu += replicas * sum.Cpu().MilliValue()
	r.memory += replicas * sum.Memory().Value() >> 20
}

// docs/requirements.md states the smallest cluster: what the pods of SPIRE, of the operator and of
// a mesh without further settings request.
func TestLeastCluster(t *testing.T) {
	g := NewWithT(t)
	var eachNode, once requested
	s := chosen(t)
	s.CSI = false
	m, err := render(t.Context(), s)
	g.Expect(err).NotTo(HaveOccurred())
	for _, object := range m.all() {
		addWorkload(g, object, &eachNode, &once)
	}
	nsm := &nsmv1beta1.NSM{}
	nsm.Namespace, nsm.Name = "nsm", "mesh"
	for _, component := range mesh.Components(mesh.Input{NSM: nsm, Release: release.Newest(), Platform: mesh.Platform{ClusterSPIFFEIDs: true}}) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(component.Workload)
		g.Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{Object: content}
		object.SetKind(mesh.KindOf(component.Workload))
		addWorkload(g, object, &eachNode, &once)
	}
	page, err := os.ReadFile(filepath.Join(repository, "docs", "requirements.md"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(page)).To(ContainSubstring(fmt.Sprintf("request %d millicores of CPU and %d MiB of memory on each node, and %d millicores and %d MiB once",
		eachNode.cpu, eachNode.memory, once.cpu, once.memory)))
}

// addWorkload adds what a workload requests, if it is one.
func addWorkload(g *WithT, object *unstructured.Unstructured, eachNode, once *requested) {
	convert := func(into any) {
		g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)).To(Succeed())
	}
	replicas := func(of *int32) int64 {
		if of == nil {
			return 1
		}
		return int64(*of)
	}
	switch object.GetKind() {
	case "DaemonSet":
		var set appsv1.DaemonSet
		convert(&set)
		eachNode.add(&set.Spec.Template, 1)
	case "StatefulSet":
		var set appsv1.StatefulSet
		convert(&set)
		once.add(&set.Spec.Template, replicas(set.Spec.Replicas))
	case "Deployment":
		var deployment appsv1.Deployment
		convert(&deployment)
		once.add(&deployment.Spec.Template, replicas(deployment.Spec.Replicas))
	}
}
