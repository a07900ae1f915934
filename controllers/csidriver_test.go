// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("A CSI driver that pods mount volumes of", func() {
	driver := []string{"DaemonSet nsm-csi", "ServiceAccount nsm-csi", "CSIDriver csi.networkservicemesh.io"}

	start := func(platform mesh.Platform) *operator {
		return impatient(platform, func(times *controllers.Times) { times.Unmounted = 500 * time.Millisecond })
	}
	// newMesh has the driver, and is up.
	newMesh := func(ctx context.Context, spec nsmv1beta1.NSMSpec) *nsmv1beta1.NSM {
		GinkgoHelper()
		spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
		nsm := newNSM(ctx, spec)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements(driver))
		bringAllUp(ctx, nsm)
		return nsm
	}
	leaveOut := func(ctx context.Context, nsm *nsmv1beta1.NSM) {
		GinkgoHelper()
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.CSIDriver, nsm.Spec.LogLevel = nil, "DEBUG" })
		Eventually(func() string { return templates(ctx, nsm)["DaemonSet nsmgr"] }).Should(ContainSubstring("DEBUG"), "all else goes on")
		bringAllUp(ctx, nsm)
	}
	waits := func(pods string) string { return pods + " volumes of NSM's CSI driver, which goes after them: " }

	It("stays where it is not wanted any more, until they have ended", func(ctx SpecContext) {
		start(mesh.Platform{})
		nsm := newMesh(ctx, nsmv1beta1.NSMSpec{})
		for _, name := range []string{"a", "b", "c", "d"} {
			newMount(ctx, nsm, name)
		}
		leaveOut(ctx, nsm)
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal("nothing is left to do but to wait for " + waits("4 pods that mount") +
			nsm.Namespace + "/a, " + nsm.Namespace + "/b, " + nsm.Namespace + "/c and 1 more"))
		Expect(condition(ctx, nsm, available)()).To(Equal("True"))
		Expect(names(ctx, nsm)).To(ContainElements(driver))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement("CSIDriverInUse: waiting for " + waits("4 pods that mount") +
			nsm.Namespace + "/a, " + nsm.Namespace + "/b, " + nsm.Namespace + "/c and 1 more"))

		for _, name := range []string{"a", "b", "c"} {
			Expect(admin.Delete(ctx, mount(nsm, name))).To(Succeed())
		}
		Eventually(messageOf(ctx, nsm, progressing)).Should(HaveSuffix(waits("1 pod that mounts") + nsm.Namespace + "/d"))
		Expect(names(ctx, nsm)).To(ContainElements(driver))
		last := mount(nsm, "d")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(last), last)).To(Succeed())
		last.Status.Phase = corev1.PodSucceeded
		Expect(admin.Status().Update(ctx, last)).To(Succeed())
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElements(Or(Equal(driver[0]), Equal(driver[1]), Equal(driver[2]))))
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal("nothing is left to do"))
	})

	It("stays when the NSM is deleted, which says so and waits", func(ctx SpecContext) {
		start(mesh.Platform{})
		nsm := newMesh(ctx, nsmv1beta1.NSMSpec{})
		newMount(ctx, nsm, "a")
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(messageOf(ctx, nsm, progressing)).Should(Equal("waiting for " + waits("1 pod that mounts") + nsm.Namespace + "/a"))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(append(slices.DeleteFunc(slices.Clone(wholeMesh),
			func(name string) bool { return !strings.HasPrefix(name, "ClusterRole ") }), driver...)), "roles go last")
		Eventually(eventsOf(ctx, nsm)).Should(ContainElement("CSIDriverInUse: waiting for " + waits("1 pod that mounts") + nsm.Namespace + "/a"))

		Expect(admin.Delete(ctx, mount(nsm, "a"))).To(Succeed())
		expectNothingLeft(ctx, nsm)
	})

	It("stays as long as nobody can tell who mounts them", func(ctx SpecContext) {
		hidden := &fault{name: "answered 403, for ever", status: http.StatusForbidden, more: math.MaxInt}
		requests := &requests{fault: hidden, counts: func(asked request) bool { return asked.path == "/api/v1/pods" }}
		times := controllers.DefaultTimes()
		times.AskAgain, times.Soonest = 500*time.Millisecond, 100*time.Millisecond
		o := startOperatorWith(&controllers.NSMReconciler{Namespace: operatorNamespace, Times: times}, requests)
		nsm := newMesh(ctx, nsmv1beta1.NSMSpec{})
		leaveOut(ctx, nsm)
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix("looking for pods that mount volumes of NSM's CSI driver"))
		Expect(names(ctx, nsm)).To(ContainElements(driver))
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Expect(admin.Delete(ctx, nsm.DeepCopy())).To(Succeed())
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix("the NSM cannot be deleted yet: looking for pods that mount volumes of NSM's CSI driver"))
		Expect(names(ctx, nsm)).To(ContainElements(driver))

		o.stop()
		start(mesh.Platform{})
		expectNothingLeft(ctx, nsm)
	})

	It("makes room for that of another mesh, which serves them", func(ctx SpecContext) {
		start(mesh.Platform{})
		nsm := newMesh(ctx, onZone("a"))
		newMount(ctx, nsm, "a")
		leaveOut(ctx, nsm)
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring(waits("1 pod that mounts")))
		other := onZone("b")
		other.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
		after := newNSM(ctx, other)
		Eventually(func() []string { return names(ctx, after) }).Should(ContainElements(driver))
		Eventually(func() []string { return names(ctx, nsm) }).ShouldNot(ContainElement("DaemonSet nsm-csi"))
	})

	It("keeps what OpenShift lets its pods in by", func(ctx SpecContext) {
		serveSCCs(ctx)
		start(mesh.Platform{OpenShift: true})
		nsm := newMesh(ctx, nsmv1beta1.NSMSpec{})
		newMount(ctx, nsm, "a")
		leaveOut(ctx, nsm)
		Eventually(messageOf(ctx, nsm, progressing)).Should(ContainSubstring(waits("1 pod that mounts")))
		Expect(names(ctx, nsm)).To(ContainElements("ClusterRole nsm:NAMESPACE:scc:csi-driver", "RoleBinding scc:nsm-csi", driver[0]))
		Expect(sccs(ctx, nsm)).To(ContainElement(sccName(nsm, "csi-driver")))

		Expect(admin.Delete(ctx, mount(nsm, "a"))).To(Succeed())
		Eventually(func() []string { return sccs(ctx, nsm) }).ShouldNot(ContainElement(sccName(nsm, "csi-driver")))
	})
})

// mount is a pod with a volume of NSM's CSI driver.
func mount(nsm *nsmv1beta1.NSM, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: name},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}},
			Volumes: []corev1.Volume{{Name: "nsm", VolumeSource: corev1.VolumeSource{
				CSI: &corev1.CSIVolumeSource{Driver: "csi.networkservicemesh.io", ReadOnly: new(true)},
			}}},
		},
	}
}

// newMount makes such a pod. It goes at the end of the spec: they are looked for in the
// whole cluster.
func newMount(ctx context.Context, nsm *nsmv1beta1.NSM, name string) {
	GinkgoHelper()
	pod := mount(nsm, name)
	Expect(admin.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, pod))).To(Succeed()) })
}
