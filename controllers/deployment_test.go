// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"os"
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
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
		if pod.PriorityClassName != "system-cluster-critical" {
			t.Errorf("%s: priority class %q", how, pod.PriorityClassName)
		}
		if pod.NodeSelector[corev1.LabelOSStable] != "linux" {
			t.Errorf("%s: node selector %v", how, pod.NodeSelector)
		}
		if pod.Affinity == nil || pod.Affinity.PodAntiAffinity == nil {
			t.Errorf("%s: both replicas may land on one node", how)
		}
	}
	for _, file := range []string{"../config/manager/budget.yaml", "../bundle/manifests/nsm-operator_policy_v1_poddisruptionbudget.yaml"} {
		var budget policyv1.PodDisruptionBudget
		readYAML(t, file, &budget)
		if budget.Spec.MaxUnavailable.IntValue() != 1 || !reflect.DeepEqual(budget.Spec.Selector, deployment.Spec.Selector) {
			t.Errorf("%s: %v of %v", file, budget.Spec.MaxUnavailable, budget.Spec.Selector)
		}
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
