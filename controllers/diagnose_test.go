// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// newPod makes a pod of the mesh's managers, and writes its status.
func newPod(ctx context.Context, nsm *nsmv1beta1.NSM, name, node string, status corev1.PodStatus) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: name, Labels: map[string]string{
			mesh.LabelName: "nsmgr", mesh.LabelComponent: "nsmgr",
		}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "nsmgr", Image: "example.com/nsmgr:1"}}},
	}
	Expect(admin.Create(ctx, pod)).To(Succeed())
	pod.Status = status
	Expect(admin.Status().Update(ctx, pod)).To(Succeed())
	return pod
}

// waiting is the status of a pod whose container waits for something.
func waiting(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "nsmgr", Image: "example.com/nsmgr:1",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}}
}

// warn makes an event about an object.
func warn(ctx context.Context, nsm *nsmv1beta1.NSM, kind, name string, uid types.UID, reason, message string) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: nsm.Namespace, GenerateName: "e-"},
		InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: nsm.Namespace, Name: name, UID: uid},
		Type:           corev1.EventTypeWarning, Reason: reason, Message: message,
	})).To(Succeed())
}

var _ = Describe("A part that stays down", func() {
	var nsm *nsmv1beta1.NSM

	BeforeEach(func(ctx SpecContext) {
		impatient(mesh.Platform{})
		nsm = newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3})
	})

	managers := func(ctx context.Context) func() string { return messageOf(ctx, nsm, nsmv1beta1.ConditionManagersReady) }

	It("tells of an image that cannot be pulled, once for all nodes", func(ctx SpecContext) {
		for _, node := range []string{"node-b", "node-a"} {
			newPod(ctx, nsm, "nsmgr-"+node, node, waiting("ImagePullBackOff", `Back-off pulling image "example.com/nsmgr:1"`))
		}
		Eventually(managers(ctx)).Should(Equal("DaemonSet " + nsm.Namespace +
			"/nsmgr: the image example.com/nsmgr:1 cannot be pulled (on node node-a)"))
	})

	// crashed is a container that has ended with the last lines of a log.
	crashed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 2, Reason: "Error",
		Message: "Nov 25 12:00:01.123 [INFO] phase 1\nNov 25 12:00:02.456 [FATA] [cmd:nsmgr] no identity\nNov 25 12:00:02.457 [INFO] bye\n",
	}}
	const lastWords = "container nsmgr crashes: exit code 2, Error: [FATA] [cmd:nsmgr] no identity"

	It("tells a crashing container's last words", func(ctx SpecContext) {
		status := waiting("CrashLoopBackOff", "back-off 10s restarting")
		status.ContainerStatuses[0].LastTerminationState = crashed
		newPod(ctx, nsm, "nsmgr-1", "node-a", status)
		Eventually(managers(ctx)).Should(ContainSubstring(lastWords))
	})

	It("tells them while it tries again, too", func(ctx SpecContext) {
		status := waiting("", "")
		status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		status.ContainerStatuses[0].LastTerminationState = crashed
		newPod(ctx, nsm, "nsmgr-1", "node-a", status)
		Eventually(managers(ctx)).Should(ContainSubstring(lastWords))
	})

	It("tells what the probe of a pod that runs says", func(ctx SpecContext) {
		status := waiting("", "")
		status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{
			StartedAt: metav1.NewTime(time.Now().Add(-time.Minute)),
		}}
		pod := newPod(ctx, nsm, "nsmgr-1", "node-a", status)
		warn(ctx, nsm, "Pod", pod.Name, pod.UID, "Unhealthy", "Readiness probe failed: no x509 source")
		Eventually(managers(ctx)).Should(HaveSuffix(
			"it runs and is not ready (has it got an identity from SPIRE?): Readiness probe failed: no x509 source (on node node-a)"))
	})

	It("tells why a Deployment's new pods are refused while an old one runs", func(ctx SpecContext) {
		setDeployment(ctx, nsm, "nsm-registry", pods{current: 1, ready: 1})
		deployment := get(ctx, nsm, "nsm-registry", &appsv1.Deployment{})
		deployment.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
			Message: `pods "nsm-registry-5f7c-x2kf9" is forbidden: exceeded quota`,
		}}
		Expect(admin.Status().Update(ctx, deployment)).To(Succeed())
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionRegistryReady)).Should(HaveSuffix(
			`/nsm-registry: its pods are refused: pods "nsm-registry-..." is forbidden: exceeded quota`))
	})

	It("tells what the scheduler says", func(ctx SpecContext) {
		newPod(ctx, nsm, "nsmgr-1", "", corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "Insufficient cpu",
		}}})
		Eventually(managers(ctx)).Should(HaveSuffix("no node takes its pod: Insufficient cpu"))
	})

	It("tells of SPIRE's directory missing on a node", func(ctx SpecContext) {
		pod := newPod(ctx, nsm, "nsmgr-1", "node-a", waiting("ContainerCreating", ""))
		warn(ctx, nsm, "Pod", pod.Name, pod.UID, "FailedMount", "hostPath type check failed: /run/spire/sockets is not a directory")
		Eventually(managers(ctx)).Should(ContainSubstring(
			"a volume cannot be mounted: hostPath type check failed: /run/spire/sockets is not a directory (on node node-a)"))
	})

	It("tells that pods are refused, with the command that lets them in", func(ctx SpecContext) {
		// Of another workload, whose name begins alike.
		warn(ctx, nsm, "ReplicaSet", "nsmgr-proxy-5f7c", "", "FailedCreate", "exceeded quota")
		warn(ctx, nsm, "DaemonSet", "nsmgr", "", "FailedCreate", `pods "nsmgr-x" is forbidden: violates PodSecurity "baseline:latest"`)
		Eventually(managers(ctx)).Should(And(
			ContainSubstring(`its pods are refused: pods "nsmgr-..." is forbidden`),
			HaveSuffix("kubectl label namespace "+nsm.Namespace+" pod-security.kubernetes.io/enforce=privileged --overwrite")))
	})

	It("names no more than three causes", func(ctx SpecContext) {
		for _, n := range []string{"1", "2", "3", "4"} {
			newPod(ctx, nsm, "nsmgr-"+n, "node-"+n, waiting("CreateContainerError", "reason "+n))
		}
		Eventually(managers(ctx)).Should(ContainSubstring("reason 3"))
		Expect(strings.Count(managers(ctx)(), "cannot be started")).To(Equal(3))
	})

	It("tells nothing of an older definition once there is a newer one", func(ctx SpecContext) {
		pod := newPod(ctx, nsm, "nsmgr-1", "node-a", waiting("ImagePullBackOff", `Back-off pulling image "example.com/nsmgr:1"`))
		Eventually(managers(ctx)).Should(ContainSubstring("the image example.com/nsmgr:1 cannot be pulled"))
		change(ctx, nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) {
			nsm.Spec.Nsmgr = &nsmv1beta1.NsmgrSpec{}
			nsm.Spec.Nsmgr.Image = "example.com/nsmgr:2"
		})
		Eventually(func() string { return daemonSetOf(ctx, nsm, "nsmgr").Spec.Template.Spec.Containers[0].Image }).Should(Equal("example.com/nsmgr:2"))
		Eventually(managers(ctx)).Should(HaveSuffix("is rolling out"))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed(), "the pod of the older definition is still there")
	})
})

var _ = Describe("Reads that fail do not hide what is known:", func() {
	It("what pods say is told beside nodes that cannot be read", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, impatient(mesh.Platform{}), nsmv1beta1.NSMSpec{})
		forbid(ctx, "nodes", "list")
		newPod(ctx, nsm, "nsmgr-1", "node-a", waiting("ImagePullBackOff", `Back-off pulling image "example.com/nsmgr:1"`))
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionManagersReady)).Should(And(
			ContainSubstring("the image example.com/nsmgr:1 cannot be pulled"), ContainSubstring(`nodes "node-a" is forbidden: `)))
	})

	It("pods and events that cannot be read are told in words beside the rest", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, impatient(mesh.Platform{}), nsmv1beta1.NSMSpec{})
		forbid(ctx, "pods", "list")
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionManagersReady)).Should(And(
			HavePrefix("DaemonSet "+nsm.Namespace+"/nsmgr has pods that are not ready; this could not be looked up: why (pods is forbidden: "),
			ContainSubstring(`cannot list resource "pods"`)))
		status := reread(ctx, nsm).Status
		Expect(status.Managers).To(Equal("2/3"))
		Expect(status.Forwarders).To(Equal("3/3"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionRegistryReady)()).To(Equal("True"))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		Expect(condition(ctx, nsm, progressing)()).To(Equal("False"))
	})

	It("registrations that a new process cannot read count as they were reported", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		o.stop()
		forbid(ctx, "networkserviceendpoints", "list", "watch")
		passes := reconciles()
		impatient(mesh.Platform{})
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(condition(ctx, nsm, available)).Should(Equal("True"))

		By("and a pod that is lost meanwhile is told, with what is not known")
		setDaemonSetStatus(ctx, nsm, "forwarder-vpp", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(messageOf(ctx, nsm, nsmv1beta1.ConditionForwardersReady)).Should(And(
			ContainSubstring("forwarder-vpp has pods that are not ready"), ContainSubstring("whether its pods are registered (")))
		Expect(condition(ctx, nsm, degraded)()).To(Equal("False"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)()).To(Equal("True"))
	})

	It("what a mesh depends on and cannot be read leaves the state of its parts to be told", func(ctx SpecContext) {
		o := startOperator()
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		o.stop()
		forbid(ctx, "namespaces", "list", "watch")
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		impatient(mesh.Platform{})
		Eventually(func() string { return reread(ctx, nsm).Status.Managers }).Should(Equal("2/3"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring("namespaces"))
		Expect(messageOf(ctx, nsm, available)()).To(ContainSubstring("nsmgr has pods that are not ready"))
	})
})
