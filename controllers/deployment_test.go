// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"bytes"
	"os"
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/test/earlier"
)

// clusterServiceVersion is what matters here of OLM's kind.
type clusterServiceVersion struct {
	Spec struct {
		Install struct {
			Spec struct {
				Deployments []struct {
					Name string
					Spec appsv1.DeploymentSpec
				}
			}
		}
	}
}

// highestUserPriority is the highest priority that Kubernetes leaves to others than the system.
const highestUserPriority = 1_000_000_000

// Without an operator that answers, no NSM can be written: with OLM and without, a
// node that fails or is drained does not take both of them, nor does anything else
// that wants their place.
func TestOneOperatorIsAlwaysThere(t *testing.T) {
	var deployment appsv1.Deployment
	readYAML(t, "../config/manager/manager.yaml", &deployment)
	var csv clusterServiceVersion
	readYAML(t, "../bundle/manifests/nsm-operator.clusterserviceversion.yaml", &csv)
	if len(csv.Spec.Install.Spec.Deployments) != 1 {
		t.Fatalf("OLM installs %d Deployments", len(csv.Spec.Install.Spec.Deployments))
	}
	for how, spec := range map[string]appsv1.DeploymentSpec{
		"config/manager": deployment.Spec, "bundle": csv.Spec.Install.Spec.Deployments[0].Spec,
	} {
		pod := spec.Template.Spec
		if ptr.Deref(spec.Replicas, 1) != 2 {
			t.Errorf("%s: %d replicas", how, ptr.Deref(spec.Replicas, 1))
		}
		if pod.PriorityClassName != "nsm-operator" {
			t.Errorf("%s: priority class %q", how, pod.PriorityClassName)
		}
		if pod.NodeSelector[corev1.LabelOSStable] != "linux" {
			t.Errorf("%s: node selector %v", how, pod.NodeSelector)
		}
		if pod.Affinity == nil || pod.Affinity.PodAntiAffinity == nil {
			t.Errorf("%s: both replicas may land on one node", how)
		}
		expectToServeOn(t, how, pod)
	}
	for _, file := range []string{
		"../config/manager/priority.yaml", "../bundle/manifests/nsm-operator_scheduling.k8s.io_v1_priorityclass.yaml",
	} {
		var class schedulingv1.PriorityClass
		readYAML(t, file, &class)
		if class.Name != "nsm-operator" || class.Value != highestUserPriority || class.GlobalDefault {
			t.Errorf("%s: class %s of %d, for all pods: %t", file, class.Name, class.Value, class.GlobalDefault)
		}
	}
	for _, file := range []string{"../config/manager/budget.yaml", "../bundle/manifests/nsm-operator_policy_v1_poddisruptionbudget.yaml"} {
		var budget policyv1.PodDisruptionBudget
		readYAML(t, file, &budget)
		if budget.Spec.MaxUnavailable.IntValue() != 1 {
			t.Errorf("%s: %v", file, budget.Spec.MaxUnavailable)
		}
		findsThisOperatorAlone(t, file, budget.Spec.Selector, &deployment)
	}
}

// TestTheEarlierDeploymentCanBecomeOurs: OLM updates the Deployment of 1.8.0, and a
// selector cannot change. What else finds the operator's pods finds none of 1.8.0's.
func TestTheEarlierDeploymentCanBecomeOurs(t *testing.T) {
	var ours appsv1.Deployment
	readYAML(t, "../config/manager/manager.yaml", &ours)
	before := earlierDeployment(t)
	if ours.Name != before.Name || !reflect.DeepEqual(ours.Spec.Selector, before.Spec.Selector) {
		t.Errorf("%s of %v cannot become %s of %v", before.Name, before.Spec.Selector, ours.Name, ours.Spec.Selector)
	}
	var csv clusterServiceVersion
	readYAML(t, "../bundle/manifests/nsm-operator.clusterserviceversion.yaml", &csv)
	for _, bundled := range csv.Spec.Install.Spec.Deployments {
		if bundled.Name != before.Name || !reflect.DeepEqual(bundled.Spec.Selector, before.Spec.Selector) {
			t.Errorf("bundle: %s of %v cannot become %s of %v", before.Name, before.Spec.Selector, bundled.Name, bundled.Spec.Selector)
		}
	}
	content, err := os.ReadFile("../config/manager/service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
		var service corev1.Service
		if err := yaml.Unmarshal(document, &service); err != nil {
			t.Fatal(err)
		}
		findsThisOperatorAlone(t, service.Name, &metav1.LabelSelector{MatchLabels: service.Spec.Selector}, &ours)
	}
}

// findsThisOperatorAlone, and not the pods of the earlier operator, which are beside
// ours for a moment.
func findsThisOperatorAlone(t *testing.T, whose string, selector *metav1.LabelSelector, deployment *appsv1.Deployment) {
	t.Helper()
	finds, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	if finds.Empty() || !finds.Matches(labels.Set(deployment.Spec.Template.Labels)) {
		t.Errorf("%s: %s does not find %v", whose, finds, deployment.Spec.Template.Labels)
	}
	if before := earlierDeployment(t).Spec.Template.Labels; finds.Matches(labels.Set(before)) {
		t.Errorf("%s: %s finds the earlier operator, %v", whose, finds, before)
	}
}

func earlierDeployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	for _, object := range earlier.Operator() {
		if object.GetKind() == "Deployment" {
			deployment := &appsv1.Deployment{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, deployment); err != nil {
				t.Fatal(err)
			}
			return deployment
		}
	}
	t.Fatal("no Deployment")
	return nil
}

// expectToServeOn: a pod that is to end serves until nobody is led to it any more, and
// has the time for what comes after that.
func expectToServeOn(t *testing.T, how string, pod corev1.PodSpec) {
	t.Helper()
	lifecycle := pod.Containers[0].Lifecycle
	if lifecycle == nil || lifecycle.PreStop == nil || lifecycle.PreStop.Sleep == nil {
		t.Errorf("%s: a pod ends while API servers still call it", how)
		return
	}
	grace := ptr.Deref(pod.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	if seconds := lifecycle.PreStop.Sleep.Seconds; seconds < 3 || seconds > grace/2 {
		t.Errorf("%s: a pod serves on for %d of %d seconds", how, seconds, grace)
	}
}

func readYAML(t *testing.T, path string, object any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, object); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
