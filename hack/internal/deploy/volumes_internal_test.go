// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/networkservicemesh/nsm-operator/internal/installation"
)

// podWith a volume of a CSI driver.
func podWith(driver string, changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "client"}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "a", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: driver}}}}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

func ofMesh(pod *corev1.Pod) { pod.Labels = map[string]string{labelMadeBy: operatorName} }

// ending pods are kept by somebody's finalizer.
func ending(pod *corev1.Pod) {
	pod.DeletionTimestamp, pod.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"example.com/a"}
}

func inPhase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Status.Phase = phase }
}

// driversOf SPIRE, and of a mesh in a namespace.
func driversOf(namespace string) []client.Object {
	return []client.Object{
		&storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: driverSpire, Labels: map[string]string{labelMadeBy: madeByDeploy}}},
		&storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: driverNSM, Labels: map[string]string{
			labelMadeBy: operatorName, labelMeshNamespace: namespace,
		}}},
	}
}

func clusterWith(functions interceptor.Funcs, all ...client.Object) *Cluster {
	return &Cluster{
		Client:  fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithInterceptorFuncs(functions).WithObjects(all...).Build(),
		timeout: 10 * time.Millisecond,
	}
}

func TestVolumesAreChecked(t *testing.T) {
	t.Parallel()
	everywhere := installation.Member{Namespace: operatorNamespace}
	elsewhere := installation.Member{Namespace: operatorNamespace, WatchNamespaces: []string{"other"}}
	for name, test := range map[string]struct {
		pod      *corev1.Pod
		here     installation.Member
		isShared bool
		wrong    string
	}{
		"SPIRE's driver":                         {pod: podWith(driverSpire), here: everywhere, wrong: "nothing was removed"},
		"NSM's driver":                           {pod: podWith(driverNSM), here: everywhere, wrong: "nothing was removed"},
		"somebody's driver":                      {pod: podWith("csi.example.com"), here: everywhere},
		"SPIRE's, which stays for another":       {pod: podWith(driverSpire), here: everywhere, isShared: true},
		"NSM's, which goes beside another":       {pod: podWith(driverNSM), here: everywhere, isShared: true, wrong: "nothing was removed"},
		"NSM's, of another's mesh":               {pod: podWith(driverNSM), here: elsewhere, isShared: true},
		"a pod that has succeeded":               {pod: podWith(driverSpire, inPhase(corev1.PodSucceeded)), here: everywhere},
		"a pod that has failed":                  {pod: podWith(driverSpire, inPhase(corev1.PodFailed)), here: everywhere},
		"a pod of a mesh, which goes before":     {pod: podWith(driverSpire, ofMesh), here: everywhere},
		"a pod that is ending, and does not end": {pod: podWith(driverSpire, ending), here: everywhere, wrong: "still there after 10ms"},
	} {
		c := clusterWith(interceptor.Funcs{}, append(driversOf("mesh"), test.pod)...)
		err := c.checkVolumes(t.Context(), test.here, test.isShared)
		g := NewWithT(t)
		if test.wrong == "" {
			g.Expect(err).NotTo(HaveOccurred(), name)
			continue
		}
		g.Expect(err).To(MatchError(And(ContainSubstring(test.wrong), ContainSubstring("default/client (csi."))), name)
	}
}

// An NSM is gone before its pods are, and a pod may have come since the first look.
func TestSpireStaysForVolumes(t *testing.T) {
	t.Parallel()
	for name, pod := range map[string]*corev1.Pod{"a mesh's": podWith(driverSpire, ofMesh), "a new one": podWith(driverSpire)} {
		g := NewWithT(t)
		c := clusterWith(interceptor.Funcs{}, append(driversOf("mesh"), pod)...)
		g.Expect(c.removeSpire(t.Context())).To(MatchError(And(
			ContainSubstring("SPIRE was not removed"), ContainSubstring("default/client (csi.spiffe.io)"))), name)
		g.Expect(c.Get(t.Context(), client.ObjectKey{Name: driverSpire}, &storagev1.CSIDriver{})).To(Succeed(), name)
	}
}

func TestSpireGoesAfterPodsOfMeshes(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	looks := 0
	c := clusterWith(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		err := c.List(ctx, list, options...)
		if _, isPods := list.(*corev1.PodList); isPods {
			looks++
			_ = c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace("default"))
		}
		return err
	}}, append(driversOf("mesh"), podWith(driverSpire, ofMesh))...)
	c.timeout = time.Minute
	g.Expect(c.removeSpire(t.Context())).To(Succeed())
	g.Expect(looks).To(Equal(2))
	g.Expect(client.IgnoreNotFound(c.Get(t.Context(), client.ObjectKey{Name: driverSpire}, &storagev1.CSIDriver{}))).To(Succeed())
}

// Data on a node outlives SPIRE.
func TestDataOnNodesIsNamed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: spireNamespace, Name: spireServer, Labels: map[string]string{labelMadeBy: madeByDeploy}, Annotations: map[string]string{annotationStorage: "hostPath"},
	}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: spireNamespace, Name: "spire-server-0"}, Spec: corev1.PodSpec{NodeName: "worker"}}
	g.Expect(clusterWith(interceptor.Funcs{}, server, pod).staysOnNode(t.Context())).To(ContainSubstring("stays in /var/lib/nsm-spire-server on node worker, "))
	g.Expect(clusterWith(interceptor.Funcs{}, server).staysOnNode(t.Context())).To(ContainSubstring("on its node, "))
	server.Annotations[annotationStorage] = "pvc"
	g.Expect(clusterWith(interceptor.Funcs{}, server, pod).staysOnNode(t.Context())).To(BeEmpty())
	g.Expect(clusterWith(interceptor.Funcs{}).staysOnNode(t.Context())).To(BeEmpty())
}
