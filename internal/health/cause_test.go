// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package health

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheLastWordsOfACrashAreItsCauseWithoutTheTime(t *testing.T) {
	for name, log := range map[string]struct{ log, want string }{
		"nothing":               {"", ""},
		"the last line":         {"one\ntwo\n", "two"},
		"NSM's format":          {"Nov 28 12:00:00.000 [FATA] [cmd:nsmgr] no identity\n", "[FATA] [cmd:nsmgr] no identity"},
		"NSM's, a day below 10": {"Nov  8 12:00:00.000 [FATA] no identity", "[FATA] no identity"},
		"a year":                {"2026-11-28T12:00:00Z fatal: no identity", "fatal: no identity"},
		"what follows a panic":  {"panic: x\n\ngoroutine 1 [running]:\nmain.main()", "panic: x"},
		"not the consequence": {
			"Nov 28 12:00:00.000 [INFO] starting VPP\nNov 28 12:00:01.000 [ERRO] VPP has ended: signal: segmentation fault\n" +
				"Nov 28 12:00:01.001 [FATA] error getting x509 source: context canceled\n", "[ERRO] VPP has ended: signal: segmentation fault",
		},
		"not a chain of consequences": {
			"[ERRO] cannot bind\n[ERRO] stopping: context canceled\n[FATA] error getting x509 source: context canceled\n", "[ERRO] cannot bind",
		},
		"the consequence, where nothing else went wrong": {
			"Nov 28 12:00:00.000 [INFO] starting\nNov 28 12:00:01.000 [FATA] context canceled\n", "[FATA] context canceled",
		},
		"a time out is a cause": {
			"[ERRO] retrying, attempt failed\n[FATA] getting x509 source: context deadline exceeded", "[FATA] getting x509 source: context deadline exceeded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(lastMessage(log.log)).To(Equal(log.want))
		})
	}
}

// TestWhatTheKubeletSaysOfTheNodeIsAdvisedAbout, where its words do not tell what to do.
func TestWhatTheKubeletSaysOfTheNodeIsAdvisedAbout(t *testing.T) {
	const elsewhere = "; if the node's kubelet keeps its files elsewhere, as on MicroK8s and k0s, spec.kubeletDirectory says where"
	g := NewWithT(t)
	const notShared = `failed to generate container "1f2e" spec: failed to generate spec: path "/var/lib/kubelet/pods" is mounted on "/" but it is not a shared mount`
	g.Expect(containerCause(waitsFor("CreateContainerError", notShared), time.Now()).String()).To(Equal(
		"container nsmgr cannot be started (CreateContainerError): " + notShared +
			"; the node's root is no shared mount, as on k3d: run mount --make-rshared / on the node, or leave spec.csiDriver out"))
	for message, want := range map[string]string{
		`MountVolume.SetUp failed for volume "kubelet-socket" : hostPath type check failed: /var/lib/kubelet is not a directory`:                                   elsewhere,
		`MountVolume.SetUp failed for volume "mountpoint-dir" : hostPath type check failed: /var/lib/kubelet/pods is not a directory`:                              elsewhere,
		`MountVolume.SetUp failed for volume "kubelet-plugin-registration-dir" : hostPath type check failed: /var/lib/kubelet/plugins_registry is not a directory`: elsewhere,
		`MountVolume.SetUp failed for volume "spire-agent-socket" : hostPath type check failed: /run/spire/sockets is not a directory`:                             "",
	} {
		answer := Question{what: "a volume cannot be mounted"}.Answer([]corev1.Event{{Message: message}})
		g.Expect(answer.String()).To(Equal("a volume cannot be mounted: " + message + want))
	}
}

// waitsFor is a container that waits.
func waitsFor(reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: "nsmgr", Image: "example.com/nsmgr:1",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}
}

// TestAnImageThatIsMissingIsToldInTheSameWordsAllTheTime, though the kubelet tries
// and waits in turns, so that no status is written for it.
func TestAnImageThatIsMissingIsToldInTheSameWordsAllTheTime(t *testing.T) {
	const notFound = `rpc error: code = NotFound desc = failed to pull and unpack image "example.com/nsmgr:1": not found`
	const refused = `failed to pull: dial tcp 192.0.2.7:443: read tcp 10.0.0.1:51234->192.0.2.7:443: connection reset`
	for name, states := range map[string]struct {
		turns []corev1.ContainerStatus
		want  string
	}{
		"as of Kubernetes 1.31": {[]corev1.ContainerStatus{
			waitsFor("ErrImagePull", notFound),
			waitsFor("ImagePullBackOff", `Back-off pulling image "example.com/nsmgr:1": ErrImagePull: `+notFound),
		}, "the image example.com/nsmgr:1 cannot be pulled: " + notFound},
		"before": {[]corev1.ContainerStatus{
			waitsFor("ErrImagePull", notFound),
			waitsFor("ImagePullBackOff", `Back-off pulling image "example.com/nsmgr:1"`),
			waitsFor("ErrImagePull", notFound),
		}, "the image example.com/nsmgr:1 cannot be pulled: " + notFound},
		"with ports that are others each time": {[]corev1.ContainerStatus{
			waitsFor("ErrImagePull", refused),
			waitsFor("ErrImagePull", `failed to pull: dial tcp 192.0.2.9:443: read tcp 10.0.0.1:60000->192.0.2.9:443: connection reset`),
		}, "the image example.com/nsmgr:1 cannot be pulled: " + refused},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var known []Cause
			for _, state := range states.turns {
				known = SameWords(known, []Cause{containerCause(state, time.Now())})
				g.Expect(known[0].String()).To(Equal(states.want))
			}
		})
	}
}

func TestCausesThatDifferInNumbersStayApart(t *testing.T) {
	one, two, three := Cause{What: "x", Detail: "reason 1"}, Cause{What: "x", Detail: "reason 2"}, Cause{What: "x", Detail: "reason 3"}
	g := NewWithT(t)
	g.Expect(SameWords([]Cause{one, two}, []Cause{two, one})).To(Equal([]Cause{two, one}))
	g.Expect(SameWords([]Cause{one}, []Cause{one, two})).To(Equal([]Cause{one, two}))
	g.Expect(SameWords([]Cause{one, two}, []Cause{two, three})).To(Equal([]Cause{two, one}), "two are known, and one of them moves")
}

func TestAnotherCauseIsToldInItsOwnWords(t *testing.T) {
	g := NewWithT(t)
	known := []Cause{{What: "the image a cannot be pulled", Detail: "not found"}}
	for _, found := range []Cause{
		{What: "the image a cannot be pulled", Detail: "unauthorized"}, {What: "the image b cannot be pulled"}, {What: "container a crashes: exit code 1"},
	} {
		g.Expect(SameWords(known, []Cause{found})).To(Equal([]Cause{found}))
	}
}

// TestAPodThatStartsIsGivenAFairTime before anybody asks for its identity.
func TestAPodThatStartsIsGivenAFairTime(t *testing.T) {
	g := NewWithT(t)
	started := time.Now()
	pod := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}},
	}}}}
	g.Expect(isUnready(pod, started.Add(5*time.Second))).To(BeFalse())
	g.Expect(isUnready(pod, started.Add(29*time.Second))).To(BeFalse())
	g.Expect(isUnready(pod, started.Add(30*time.Second))).To(BeTrue())
}

// TestPodsOfAnOlderDefinitionAreNotBlamed: what is wrong with them may be mended.
func TestPodsOfAnOlderDefinitionAreNotBlamed(t *testing.T) {
	pod := func(name, generation, image string) corev1.Pod {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "nsmgr", Image: image}}}}
		if generation != "" {
			pod.Labels = map[string]string{templateGenerationLabel: generation}
		}
		return pod
	}
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "nsmgr", Image: "nsmgr:2"}}}}
	daemonSet := Workload{Live: &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{appsv1.DeprecatedTemplateGeneration: "2"}}, Spec: appsv1.DaemonSetSpec{Template: template},
	}}
	deployment := Workload{Live: &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: template}}}
	for name, test := range map[string]struct {
		of   Workload
		pods []corev1.Pod
		want []string
	}{
		"the old of a DaemonSet":                   {daemonSet, []corev1.Pod{pod("old", "1", "nsmgr:2"), pod("new", "2", "nsmgr:2")}, []string{"new"}},
		"only old ones of a DaemonSet":             {daemonSet, []corev1.Pod{pod("old", "1", "nsmgr:1")}, nil},
		"the old of a Deployment":                  {deployment, []corev1.Pod{pod("old", "", "nsmgr:1"), pod("new", "", "nsmgr:2")}, []string{"new"}},
		"where a mirror is put into all pods":      {deployment, []corev1.Pod{pod("a", "", "mirror/nsmgr:2"), pod("b", "", "mirror/nsmgr:2")}, []string{"a", "b"}},
		"where a mirror is put into a DaemonSet's": {daemonSet, []corev1.Pod{pod("a", "2", "mirror/nsmgr:2")}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, left := range test.of.Current(test.pods) {
				names = append(names, left.Name)
			}
			NewWithT(t).Expect(names).To(Equal(test.want))
		})
	}
}
