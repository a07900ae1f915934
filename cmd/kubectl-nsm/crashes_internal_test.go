// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// No kubelet runs: what one would answer, the test does.
var _ = Describe("status of a mesh with a pod that crashes", func() {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly9leGFtcGxlLm9yZyJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

	It("shows the last lines of its log, without secrets, where the user may read them", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		reportStatus(ctx, newNSM(ctx, namespace, nil), unavailable)
		labels := map[string]string{
			mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNSM: "mesh", mesh.LabelNamespace: namespace, mesh.LabelName: "nsmgr",
		}
		template := corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "nsmgr", Image: "example.com/nsmgr"}}},
		}
		daemonSet := &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nsmgr", Labels: labels},
			Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		}
		Expect(admin.Create(ctx, daemonSet)).To(Succeed())
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nsmgr-x", Labels: labels}, Spec: template.Spec}
		Expect(admin.Create(ctx, pod)).To(Succeed())
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "nsmgr", Image: "example.com/nsmgr", RestartCount: 7,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}},
		}}
		Expect(admin.Status().Update(ctx, pod)).To(Succeed())

		var asked atomic.Pointer[string]
		answer := http.StatusOK
		kubeconfig := between(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/pods/nsmgr-x/log") {
				return false
			}
			query := r.URL.RawQuery
			asked.Store(&query)
			w.WriteHeader(answer)
			for i := range 2000 {
				_, _ = fmt.Fprintf(w, "line %d\n", i)
			}
			_, _ = fmt.Fprintf(w, "\x1b[31mrequest with {\"token\":\"%s\"} %s\n", token, strings.Repeat("x", 5000))
			_, _ = fmt.Fprintln(w, "FATA no registry")
			return true
		})
		found := runAs(ctx, kubeconfig, "status", "-n", namespace, "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(*asked.Load()).To(HavePrefix("container=nsmgr&previous=true&tailLines=10"))
		crash := decode[report.Status](found).Meshes[0].Components[0].Pods[0].Crashes[0]
		Expect(crash.ExitCode).To(BeEquivalentTo(2))
		Expect(crash.Restarts).To(BeEquivalentTo(7))
		Expect(crash.Log).To(HaveLen(report.MostLines), "however much the kubelet answers")
		Expect(crash.Log).To(HaveEach(WithTransform(func(line string) int { return len(line) }, BeNumerically("<=", report.MostLine+4))))
		Expect(crash.Log[report.MostLines-1]).To(Equal("FATA no registry"))
		Expect(found.stdout).NotTo(ContainSubstring(token))
		text := runAs(ctx, kubeconfig, "status", "-n", namespace)
		Expect(text.stdout).To(And(ContainSubstring("last lines of container nsmgr:"), ContainSubstring("└─ FATA no registry"), Not(ContainSubstring("\x1b"))))

		answer = http.StatusForbidden
		hidden := runAs(ctx, kubeconfig, "status", "-n", namespace)
		Expect(hidden.code).To(Equal(exitFinding))
		Expect(hidden.stdout).To(ContainSubstring("last lines of container nsmgr not seen: get pods/log: forbidden"))
	})
})
