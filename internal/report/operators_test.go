// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// Which operator acts on an NSM is read, and not guessed.
func TestTheOperatorOfAMeshIsNotGuessed(t *testing.T) {
	t.Parallel()
	deployment := func(namespace string, ready int32, args ...string) appsv1.Deployment {
		return appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec:       appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Args: args}}}}},
			Status:     appsv1.DeploymentStatus{ReadyReplicas: ready},
		}
	}
	member := func(namespace string, watches ...string) report.Installation {
		return report.Installation{Namespace: namespace, WatchNamespaces: watches}
	}
	for name, test := range map[string]struct {
		operators report.Operators
		want      string
	}{
		"none":                             {report.Operators{}, ""},
		"the only one":                     {report.Operators{Deployments: []appsv1.Deployment{deployment("a", 0)}}, "a"},
		"the one that works, as the CRD":   {report.Operators{Deployments: []appsv1.Deployment{deployment("a", 1), deployment("b", 1)}, Members: []report.Installation{member("b")}}, "b"},
		"outside of the cluster":           {report.Operators{Members: []report.Installation{member("b")}}, "b"},
		"for other namespaces, as the CRD": {report.Operators{Members: []report.Installation{member("b", "apps")}}, ""},
		"each for its own, as the CRD":     {report.Operators{Members: []report.Installation{member("a", "apps"), member("b", "x", "nsm")}}, "b"},
		"each for its own, as their flags": {report.Operators{Deployments: []appsv1.Deployment{
			deployment("a", 1, "--watch-namespaces=apps"), deployment("b", 1, "--leader-elect", "--watch-namespaces", "x,nsm"),
		}}, "b"},
		"one of which is ready":      {report.Operators{Deployments: []appsv1.Deployment{deployment("a", 0), deployment("b", 2)}}, "b"},
		"two that both may":          {report.Operators{Deployments: []appsv1.Deployment{deployment("a", 1), deployment("b", 2)}}, "a b"},
		"two, neither of them ready": {report.Operators{Deployments: []appsv1.Deployment{deployment("a", 0), deployment("b", 0)}}, "a b"},
	} {
		var namespaces []string
		for _, operator := range test.operators.Of("nsm") {
			namespaces = append(namespaces, operator.Namespace)
		}
		g := NewWithT(t)
		g.Expect(strings.Join(namespaces, " ")).To(Equal(test.want), name)
		seen := managers()
		seen.Operators = test.operators
		status := report.StatusOf(seen)
		warnings := strings.Join(status.Warnings, "\n")
		switch len(namespaces) {
		case 1:
			g.Expect(status.Meshes[0].Operator).To(Equal(test.want), name)
		case 2:
			g.Expect(status.Meshes[0].Operator).To(BeEmpty(), name)
			g.Expect(warnings).To(ContainSubstring("mesh nsm/mesh: which operator acts on it is not seen: one of those in the namespaces a, b"), name)
		case 0:
			if name != "none" {
				g.Expect(warnings).To(ContainSubstring("mesh nsm/mesh: no operator acts on namespace nsm"), name)
			}
		}
	}
}

// One that stands by for another is no operator that is down.
func TestAnOperatorThatStandsByIsNotBroken(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	operators := twoOperators()
	verdict := operators.Judge("v2.0.0", now)
	g.Expect(verdict.Broken).To(BeEmpty())
	g.Expect(verdict.Others).To(ConsistOf(ContainSubstring("the operator in namespace two stands by, because another installation works in this cluster, in namespace one")))
	g.Expect(verdict.Operators[1].StandsBy).To(BeTrue())
	var text strings.Builder
	fullStatus().Text(&text, report.Style{}, false)
	g.Expect(text.String()).To(And(
		ContainSubstring("NSM nsm/mesh  v1.18.0 -> v1.19.0  Degraded  of the operator in namespace one\n"),
		ContainSubstring("operator one/nsm-operator  2/2  example.com/nsm-operator@sha256:0  v2.1.0  led by nsm-operator-x  for the namespaces nsm, apps\n"),
		ContainSubstring("operator two/nsm-operator  0/2  example.com/nsm-operator:v2.0.0  stands by"),
		ContainSubstring("status.weather: -o json shows them"),
		ContainSubstring("   ├─ c  Failing  container nsmgr crashes: exit code 1: no route to the registry\n"+
			"   │  ├─ last lines of container nsmgr:\n   │  │  ├─ dialing the registry\n   │  │  └─ FATA no route to the registry\n"+
			"   │  └─ last lines of container exclude-prefixes not seen: get pods/log: forbidden\n"),
	))
}

// Versions that differ are told, and what has none is not compared.
func TestVersionsThatDifferAreTold(t *testing.T) {
	t.Parallel()
	for plugin, isTold := range map[string]bool{"v2.0.0": true, "v2.1.0": false, "2.1.0": false, "unreleased": false, "": false} {
		operators := twoOperators()
		versions := operators.Judge(plugin, now).Versions
		if !isTold {
			NewWithT(t).Expect(versions).To(BeEmpty(), plugin)
			continue
		}
		NewWithT(t).Expect(versions).To(ConsistOf(HavePrefix("the operator in namespace one is v2.1.0, and this plugin is v2.0.0")))
	}
	// Where the CRD does not tell, the tag of the image does.
	operators := twoOperators()
	operators.Members = nil
	operators.Deployments[1].Spec.Template.Spec.Containers[0].Image = "example.com:5000/nsm-operator:v1.9.9"
	NewWithT(t).Expect(operators.Judge("v2.0.0", now).Versions).To(ConsistOf(ContainSubstring("the operator in namespace two is v1.9.9")))
}

func TestCrashesAreFound(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
	}
	pod := func(statuses ...corev1.ContainerStatus) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "p"}, Status: corev1.PodStatus{ContainerStatuses: statuses}}
	}
	g.Expect(report.CrashesIn([]corev1.Pod{pod(
		corev1.ContainerStatus{Name: "now", State: ended(2)},
		corev1.ContainerStatus{Name: "before", LastTerminationState: ended(3), RestartCount: 7},
		corev1.ContainerStatus{Name: "well", LastTerminationState: ended(0)},
		corev1.ContainerStatus{Name: "again", Ready: true, LastTerminationState: ended(3)},
		corev1.ContainerStatus{Name: "starts"},
	)})).To(ConsistOf(
		report.Crash{Namespace: "nsm", Pod: "p", Container: "now", ExitCode: 2},
		report.Crash{Namespace: "nsm", Pod: "p", Container: "before", ExitCode: 3, Restarts: 7, Previous: true},
	))
	var many []corev1.Pod
	for range 100 {
		many = append(many, pod(corev1.ContainerStatus{State: ended(1)}))
	}
	g.Expect(report.CrashesIn(many)).To(HaveLen(report.MostCrashes))
}
