// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// published is a small workload with one of everything that needs care.
const published = `
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: manager
spec:
  template:
    spec:
      serviceAccount: manager-sa
      containers:
        - name: manager
          image: example.com/manager:v1
          ports:
            - containerPort: 5001
          env:
            - name: POD_IP
              valueFrom:
                fieldRef:
                  fieldPath: status.podIP
            - name: LISTEN_ON
              value: tcp://$(POD_IP):5001
            - name: LEVEL
              value: 5
          resources:
            limits:
              cpu: 1
              memory: 1024Mi
          volumeMounts:
            - name: sockets
              mountPath: /run/sockets
              readOnly: true
            - name: scratch
              mountPath: /tmp
          readinessProbe:
            exec:
              command: [/bin/probe, -v]
            periodSeconds: 10
      volumes:
        - name: sockets
          hostPath:
            path: /run/sockets
            type: Directory
        - name: scratch
          emptyDir: {}
`

func parse(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := Parse([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// Each case changes the published manifest on our side, once.
func TestCompareOneField(t *testing.T) {
	const container = "DaemonSet.spec.template.spec.containers[manager]"
	for _, tc := range []struct {
		name, old, replacement string
		want                   []Difference
	}{
		// What the API server treats as the same.
		{name: "nothing", old: "", replacement: ""},
		{name: "the other name of the service account", old: "serviceAccount:", replacement: "serviceAccountName:"},
		{name: "a default that is written out", old: "containerPort: 5001", replacement: "{containerPort: 5001, protocol: TCP}"},
		{name: "the default API version of a field reference", old: "fieldPath: status.podIP", replacement: "{fieldPath: status.podIP, apiVersion: v1}"},
		{name: "a number as text", old: "value: 5", replacement: `value: "5"`},
		{name: "a quantity in another unit", old: "cpu: 1", replacement: "cpu: 1000m"},
		{name: "a quantity of memory in another unit", old: "memory: 1024Mi", replacement: "memory: 1Gi"},
		{name: "a probe's default left out", old: "            periodSeconds: 10\n", replacement: ""},
		{name: "an empty object", old: "spec:\n  template:", replacement: "spec:\n  updateStrategy: {}\n  template:"},
		{name: "status", old: "\nspec:\n  template:", replacement: "\nstatus: {ready: 3}\nspec:\n  template:"},

		// What is not.
		{
			name: "a value", old: "image: example.com/manager:v1", replacement: "image: example.com/manager:v2",
			want: []Difference{{container + ".image", "example.com/manager:v2", "example.com/manager:v1"}},
		},
		{
			name: "a missing field", old: "              readOnly: true\n", replacement: "",
			want: []Difference{{container + ".volumeMounts[/run/sockets].readOnly", absent, "true"}},
		},
		{
			name: "another field", old: "containerPort: 5001", replacement: "{containerPort: 5001, hostPort: 5001}",
			want: []Difference{{container + ".ports[5001].hostPort", "5001", absent}},
		},
		{
			name: "another quantity", old: "cpu: 1", replacement: "cpu: 1001m",
			want: []Difference{{container + ".resources.limits.cpu", "1001m", "1"}},
		},
		{
			name: "the order of a command", old: "[/bin/probe, -v]", replacement: "[-v, /bin/probe]",
			want: []Difference{{container + ".readinessProbe.exec.command", `["-v","/bin/probe"]`, `["/bin/probe","-v"]`}},
		},
		{
			name: "another probe timing", old: "periodSeconds: 10", replacement: "periodSeconds: 9",
			want: []Difference{{container + ".readinessProbe.periodSeconds", "9", absent}},
		},
		{
			name: "another protocol", old: "containerPort: 5001", replacement: "{containerPort: 5001, protocol: UDP}",
			want: []Difference{
				{container + ".ports[5001/UDP].containerPort", "5001", absent},
				{container + ".ports[5001/UDP].protocol", "UDP", absent},
				{container + ".ports[5001].containerPort", absent, "5001"},
			},
		},
		{
			name: "another kind of host path", old: "type: Directory", replacement: "type: DirectoryOrCreate",
			want: []Difference{{"DaemonSet.spec.template.spec.volumes[/run/sockets].hostPath.type", "DirectoryOrCreate", "Directory"}},
		},
		{
			name: "an empty directory", old: "          emptyDir: {}", replacement: "          configMap: {}",
			want: []Difference{{"DaemonSet.spec.template.spec.volumes[scratch].emptyDir", absent, "{}"}},
		},
		{
			name: "a default that everybody has", old: "      serviceAccount:", replacement: "      hostPID: true\n      serviceAccount:",
			want: []Difference{{"DaemonSet.spec.template.spec.hostPID", "true", "false"}},
		},
		{
			name: "a variable in twice", old: "            - name: LEVEL", replacement: "            - name: LEVEL\n              value: 5\n            - name: LEVEL",
			want: []Difference{
				{container + ".env[LEVEL#2].name", "LEVEL", absent},
				{container + ".env[LEVEL#2].value", "5", absent},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.Contains(published, tc.old) {
				t.Fatalf("%q is not in the manifest", tc.old)
			}
			ours := parse(t, strings.Replace(published, tc.old, tc.replacement, 1))
			if diff := cmp.Diff(tc.want, Compare(ours, parse(t, published))); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareOrderOfEnv(t *testing.T) {
	const manifest = `{kind: DaemonSet, spec: {template: {spec: {containers: [{name: c, env: [ENV]}]}}}}`
	const (
		ip     = "{name: IP, value: 10.0.0.1}"
		listen = "{name: LISTEN, value: 'tcp://$(IP):1'}"
		other  = "{name: OTHER, value: x}"
	)
	env := func(variables ...string) []*unstructured.Unstructured {
		return parse(t, strings.Replace(manifest, "ENV", strings.Join(variables, ", "), 1))
	}
	theirs := env(ip, listen, other)
	if got := Compare(env(other, ip, listen), theirs); len(got) > 0 {
		t.Errorf("an order without meaning makes differences: %v", got)
	}
	want := []Difference{{"DaemonSet.spec.template.spec.containers[c].env[LISTEN].refersTo[IP]", "false", "true"}}
	if diff := cmp.Diff(want, Compare(env(listen, ip, other), theirs)); diff != "" {
		t.Errorf("a reference before its variable (-want +got):\n%s", diff)
	}
}

func TestComparePolicy(t *testing.T) {
	theirs := parse(t, `
kind: ClusterRole
rules:
  - {apiGroups: [""], resources: [nodes, services], verbs: [list, get]}
  - {apiGroups: [x.io], resources: [things], resourceNames: [a], verbs: [get]}
  - {nonResourceURLs: [/metrics], verbs: [get]}
`)
	same := parse(t, `
kind: ClusterRole
rules:
  - {nonResourceURLs: [/metrics], verbs: [get]}
  - {apiGroups: [""], resources: [services], verbs: [get, list]}
  - {apiGroups: [x.io], resources: [things], resourceNames: [a], verbs: [get]}
  - {apiGroups: [""], resources: [nodes], verbs: [get]}
  - {apiGroups: [""], resources: [nodes], verbs: [list]}
`)
	if got := Compare(same, theirs); len(got) > 0 {
		t.Errorf("the same rights, told in other rules, make differences: %v", got)
	}
	ours := parse(t, `
kind: ClusterRole
rules:
  - {apiGroups: [""], resources: [nodes, services], verbs: [list, get, delete]}
  - {apiGroups: [x.io], resources: [things], verbs: [get]}
  - {nonResourceURLs: [/metrics], verbs: [get]}
`)
	want := []Difference{
		{"ClusterRole.rules[nodes]", "delete get list", "get list"},
		{"ClusterRole.rules[services]", "delete get list", "get list"},
		{"ClusterRole.rules[x.io/things/a]", absent, "get"},
		{"ClusterRole.rules[x.io/things]", "get", absent},
	}
	if diff := cmp.Diff(want, Compare(ours, theirs)); diff != "" {
		t.Errorf("other rights (-want +got):\n%s", diff)
	}
}

func TestCompareServicePorts(t *testing.T) {
	theirs := parse(t, `{kind: Service, spec: {ports: [{port: 443}], type: ClusterIP}}`)
	if got := Compare(parse(t, `{kind: Service, spec: {ports: [{port: 443, targetPort: 443, protocol: TCP}]}}`), theirs); len(got) > 0 {
		t.Errorf("defaults make differences: %v", got)
	}
	want := []Difference{
		{"Service.spec.ports[443].targetPort", "8443", "443"},
		{"Service.spec.type", "LoadBalancer", "ClusterIP"},
	}
	got := Compare(parse(t, `{kind: Service, spec: {ports: [{port: 443, targetPort: 8443}], type: LoadBalancer}}`), theirs)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

func TestComparePairsObjects(t *testing.T) {
	object := func(kind, name string) string {
		return "kind: " + kind + "\nmetadata: {name: '" + name + "'}\n---\n"
	}
	for _, tc := range []struct {
		name         string
		ours, theirs string
		want         []Difference
	}{
		{
			name: "one of a kind, whatever its name", ours: object("A", "x"), theirs: object("A", "y"),
			want: []Difference{{"A.metadata.name", "x", "y"}},
		},
		{
			name: "several of a kind, by name", ours: object("A", "x") + object("A", "y"), theirs: object("A", "y") + object("A", "x"),
		},
		{
			name: "the last of several, whatever its name", ours: object("A", "x") + object("A", "y"), theirs: object("A", "z") + object("A", "x"),
			want: []Difference{{"A[z].metadata.name", "y", "z"}},
		},
		{
			name: "one that we lack", ours: object("A", "x"), theirs: object("A", "x") + object("B", "y"),
			want: []Difference{{"B[y]", absent, "(present)"}},
		},
		{
			name: "one that they lack", ours: object("A", "x") + object("A", "y"), theirs: object("A", "x"),
			want: []Difference{{"A[y]", "(present)", absent}},
		},
		{
			name: "several that both lack", ours: object("A", "v") + object("A", "w"), theirs: object("A", "x") + object("A", "y"),
			want: []Difference{
				{"A[v]", "(present)", absent}, {"A[w]", "(present)", absent},
				{"A[x]", absent, "(present)"}, {"A[y]", absent, "(present)"},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Compare(parse(t, tc.ours), parse(t, tc.theirs))); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

// A typed object and its manifest are the same.
func TestFromObject(t *testing.T) {
	typed := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"example.com/a": "b"}},
		Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			ServiceAccountName: "x",
			Containers: []corev1.Container{{
				Name: "c",
				Resources: corev1.ResourceRequirements{
					Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2000m")},
				},
			}},
		}}},
	}
	ours, err := FromObject(typed)
	if err != nil {
		t.Fatal(err)
	}
	theirs := parse(t, `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: x
  labels:
    example.com/a: b
spec:
  template:
    spec:
      serviceAccount: x
      containers:
        - name: c
          resources:
            limits:
              cpu: 2
`)
	if got := Compare([]*unstructured.Unstructured{ours}, theirs); len(got) > 0 {
		t.Errorf("differences: %v", got)
	}
}

func TestParseRefusesNonsense(t *testing.T) {
	if _, err := Parse([]byte("a: b: c")); err == nil {
		t.Error("no error")
	}
}
