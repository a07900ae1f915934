// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package prometheus_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// serviceMonitor is what of a ServiceMonitor decides on the label job.
type serviceMonitor struct {
	Spec struct {
		JobLabel string `json:"jobLabel"`
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		Endpoints []struct {
			Port        string `json:"port"`
			Relabelings []any  `json:"relabelings"`
		} `json:"endpoints"`
	} `json:"spec"`
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// services that the operator comes with.
func services(t *testing.T) []corev1.Service {
	t.Helper()
	text, err := os.ReadFile("../../config/manager/service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []corev1.Service
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var service corev1.Service
		if err := yaml.Unmarshal(document, &service); err != nil {
			t.Fatal(err)
		}
		all = append(all, service)
	}
	return all
}

// deployment of the operator.
func deployment(t *testing.T) appsv1.Deployment {
	t.Helper()
	var found appsv1.Deployment
	readYAML(t, "../../config/manager/manager.yaml", &found)
	return found
}

// selects reports whether the monitor reads a Service.
func (m serviceMonitor) selects(service *corev1.Service) bool {
	for key, value := range m.Spec.Selector.MatchLabels {
		if service.Labels[key] != value {
			return false
		}
	}
	return slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return port.Name == m.Spec.Endpoints[0].Port })
}

// jobs that Prometheus' operator makes of the monitor: by default the names of the Services,
// else what these have in the label jobLabel.
func (m serviceMonitor) jobs(all []corev1.Service) []string {
	var jobs []string
	for i := range all {
		service := &all[i]
		if !m.selects(service) {
			continue
		}
		job := service.Name
		if value := service.Labels[m.Spec.JobLabel]; value != "" {
			job = value
		}
		jobs = append(jobs, job)
	}
	return jobs
}

var jobOf = regexp.MustCompile(`job="([^"]*)"`)

// The rules, and the cases here, name the job as the ServiceMonitor makes it: that the
// operator is gone would be told all the time, or never.
func TestRulesNameTheJobOfTheServiceMonitor(t *testing.T) {
	t.Parallel()
	var monitor serviceMonitor
	readYAML(t, "../../config/prometheus/servicemonitor.yaml", &monitor)
	if len(monitor.Spec.Endpoints) != 1 || len(monitor.Spec.Endpoints[0].Relabelings) > 0 {
		t.Fatalf("endpoints %v: this test knows one, without relabelings", monitor.Spec.Endpoints)
	}
	want := monitor.jobs(services(t))
	if len(want) != 1 {
		t.Fatalf("jobs %v, want one", want)
	}
	named := map[string]bool{}
	var queries []string
	for _, alert := range alerts(t) {
		queries = append(queries, alert.Expr)
	}
	queries = append(queries, target)
	for _, one := range healthy("", 1) {
		queries = append(queries, one.Series)
	}
	for _, query := range queries {
		for _, match := range jobOf.FindAllStringSubmatch(query, -1) {
			named[match[1]] = true
		}
	}
	deployment := deployment(t)
	wantTarget := fmt.Sprintf("job=%q,namespace=%q,service=%q,endpoint=%q,container=%q,pod=%[6]q,instance=%[6]q", want[0],
		deployment.Namespace, want[0], monitor.Spec.Endpoints[0].Port, deployment.Spec.Template.Spec.Containers[0].Name, "INSTANCE")
	if target != wantTarget {
		t.Errorf("the cases have the labels %s, what the ServiceMonitor selects has %s", target, wantTarget)
	}
	if got := slices.Sorted(maps.Keys(named)); !slices.Equal(got, want) {
		t.Errorf("rules and cases name the jobs %v, the ServiceMonitor makes %v", got, want)
	}
}
