// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package preflight_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
)

const hasIdentity = "INFO [cmd:/bin/x] SVID: \"spiffe://example.org/ns/a/pod/b\"\n"

// goodTrial is one in which the client had its answers.
func goodTrial() preflight.Trial {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	pod := func(name, node string, containers ...corev1.ContainerStatus) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{ContainerStatuses: containers}}
	}
	trial := preflight.Trial{
		Mesh: "nsm/mesh", Registered: true, Now: now,
		Endpoint: preflight.TrialPod{Pod: pod("endpoint", "a", corev1.ContainerStatus{Name: mesh.TrialEndpoint, State: running}), Log: hasIdentity},
		Client: preflight.TrialPod{Pod: pod("client", "b", corev1.ContainerStatus{
			Name: mesh.TrialPing, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
		}), Log: hasIdentity},
	}
	for _, node := range []string{"a", "b"} {
		for _, role := range []mesh.Role{mesh.RoleManager, mesh.RoleForwarder} {
			part := pod(string(role)+"-"+node, node)
			part.Labels = map[string]string{mesh.LabelComponent: string(role)}
			part.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			trial.Parts = append(trial.Parts, *part)
		}
	}
	return trial
}

// waiting has a client that still waits for its connection.
func waiting(change func(*preflight.Trial)) func(*preflight.Facts) {
	return func(f *preflight.Facts) {
		trial := goodTrial()
		trial.Client.Pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
		change(&trial)
		f.Trials = []preflight.Trial{trial}
	}
}

// said has a client whose script has failed.
func said(words string) func(*preflight.Facts) {
	return waiting(func(t *preflight.Trial) {
		t.Client.Pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: words}}
	})
}

// notStarted has a pod whose one container waits.
func notStarted(pod *corev1.Pod, reason, message string) {
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// Each hop that fails is named, in the words of who knows, and nothing behind it is judged.
func TestATrialNamesTheHopThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code, says string
		change     func(*preflight.Facts)
	}{
		"refused": {"NSM027", "mesh nsm/mesh: violates PodSecurity", waiting(func(t *preflight.Trial) {
			t.Endpoint.Pod, t.Client.Pod, t.Refused = nil, nil, "violates PodSecurity"
		})},
		"no room": {"NSM028", "pod client: no node takes its pod: 0/2 nodes", waiting(func(t *preflight.Trial) {
			t.Client.Pod.Spec.NodeName = ""
			t.Client.Pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/2 nodes"}}
		})},
		"no image": {"NSM029", "pod endpoint on node a: the image", waiting(func(t *preflight.Trial) {
			notStarted(t.Endpoint.Pod, "ImagePullBackOff", "Back-off")
		})},
		"no volume": {"NSM029", "driver name csi.networkservicemesh.io not found", waiting(func(t *preflight.Trial) {
			notStarted(t.Client.Pod, "PodInitializing", "")
			t.Client.Warnings = []corev1.Event{{Reason: "FailedMount", Message: "driver name csi.networkservicemesh.io not found"}}
		})},
		"no directory of SPIRE": {"NSM030", "/run/spire/sockets is not a directory", waiting(func(t *preflight.Trial) {
			notStarted(t.Client.Pod, "PodInitializing", "")
			t.Client.Warnings = []corev1.Event{{Reason: "FailedMount", Message: "hostPath type check failed: /run/spire/sockets is not a directory"}}
		})},
		"no identity": {"NSM030", "pod endpoint on node a has got no identity", waiting(func(t *preflight.Trial) {
			t.Endpoint.Log = "executing phase 2: retrieving svid, check spire agent logs if this is the last line you see\n"
			t.Registered = false
		})},
		"no agent": {"NSM030", "there is no socket", said("FAILED at the SPIRE agent (node b): there is no socket")},
		"no manager": {"NSM031", "there is no manager on node a, where pod endpoint is", waiting(func(t *preflight.Trial) {
			t.Parts, t.Registered = t.Parts[1:], false
		})},
		"no forwarder": {"NSM031", "pod /forwarder-b on node b is not ready", waiting(func(t *preflight.Trial) {
			t.Parts[3].Status.Conditions = nil
		})},
		"not registered": {"NSM032", "which says: unable to register ns", waiting(func(t *preflight.Trial) {
			t.Registered, t.Endpoint.Log = false, hasIdentity+"Nov  1 10:00:00.000 [FATA] [cmd:/bin/x] [type:registry] unable to register ns: no registry\n"
		})},
		"request refused": {"NSM033", "the client says: failed connect to NSMgr: forwarding failed", waiting(func(t *preflight.Trial) {
			t.Client.Log = hasIdentity + "Nov  1 10:00:00.000\x1b[31m [ERRO] [cmd:[/bin/x]] \x1b[0mfailed connect to NSMgr: forwarding failed\nNov  1 [INFO] again\n"
		})},
		"no connection": {"NSM033", "everything else answers", said("FAILED at the forwarder (node b): everything else answers")},
		"no ping":       {"NSM034", "does not answer", said("connected after 1 s\nFAILED at the ping (node b): 172.16.1.96 does not answer")},
		"left": {"NSM035", "still there: Namespace one", func(f *preflight.Facts) {
			trial := goodTrial()
			trial.Left = []string{"Namespace one"}
			f.Trials = []preflight.Trial{trial}
		}},
	} {
		g := NewWithT(t)
		facts := good()
		test.change(facts)
		failedAt := ""
		for _, result := range preflight.Run(facts) {
			switch {
			case !isOfTrial(result):
			case result.Outcome == preflight.Failed:
				g.Expect(failedAt).To(BeEmpty(), name)
				failedAt = result.Code
				g.Expect(result.Message).To(ContainSubstring(test.says), name)
				g.Expect(result.Link).To(HaveSuffix("#"+strings.ToLower(result.Code)), name)
			case failedAt != "" && result.Code != "NSM035":
				g.Expect(result.Outcome).To(Equal(preflight.Skipped), name+" "+result.Code)
			default:
				g.Expect(result.Outcome).To(Equal(preflight.OK), name+" "+result.Code)
			}
		}
		g.Expect(failedAt).To(Equal(test.code), name)
	}
}

// isOfTrial reports whether a check is about a trial.
func isOfTrial(result preflight.Result) bool {
	return result.Code >= "NSM027" && result.Code <= "NSM035"
}

// What cannot be seen is no failure, and where there is a connection nothing before it
// can have failed.
func TestATrialJudgesByWhatItSees(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	facts := good()
	waiting(func(t *preflight.Trial) {
		t.Endpoint.LogUnseen, t.PartsUnseen, t.RegistryUnseen, t.Registered, t.Parts = "log: forbidden", "pods: forbidden", "memory", false, nil
	})(facts)
	var outcomes []preflight.Outcome
	for _, result := range preflight.Run(facts) {
		if isOfTrial(result) && result.Code >= "NSM030" {
			outcomes = append(outcomes, result.Outcome)
		}
	}
	g.Expect(outcomes).To(Equal([]preflight.Outcome{preflight.Skipped, preflight.Skipped, preflight.Skipped, preflight.Failed, preflight.Skipped, preflight.OK}))

	trial := goodTrial()
	trial.Registered, trial.Parts, trial.Client.Log = false, nil, ""
	facts.Trials = []preflight.Trial{trial}
	g.Expect(preflight.Worst(preflight.Run(facts))).To(Equal(preflight.OK))
	g.Expect(trial.Waits()).To(BeEmpty())
	trial.Client.Pod.Status.ContainerStatuses[0].State = corev1.ContainerState{}
	g.Expect(trial.Waits()).To(ContainSubstring("has not started"))
}

// Without a trial nothing is said of one.
func TestNobodyIsToldOfATrialThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	NewWithT(t).Expect(slices.ContainsFunc(preflight.Run(good()), isOfTrial)).To(BeFalse())
}
