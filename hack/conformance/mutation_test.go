// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Defects of the renderer that the table must not take for what is meant.
func TestDefectsAreNotDeliberate(t *testing.T) {
	const pod = "spec.template.spec."
	newest := release.Newest().String()
	for _, tc := range []struct {
		name, release, component string
		difference               Difference
	}{
		{"no token for the registry", newest, "registry-k8s", Difference{Path: "Deployment." + pod + "automountServiceAccountToken", Ours: "false", Theirs: absent}},
		{"no token for map-ip", newest, "nsmgr-proxy", Difference{Path: "Deployment." + pod + "automountServiceAccountToken", Ours: "false", Theirs: absent}},
		{"no token for the sidecar", newest, "nsmgr", Difference{Path: "DaemonSet." + pod + "automountServiceAccountToken", Ours: "false", Theirs: absent}},
		{"a token for a forwarder", newest, "forwarder-vpp", Difference{Path: "DaemonSet." + pod + "automountServiceAccountToken", Ours: "true", Theirs: absent}},
		{"a probe of another port", newest, "registry-k8s", Difference{Path: "Deployment." + pod + "containers[registry].readinessProbe.tcpSocket.port", Ours: "1", Theirs: absent}},
		{"a probe that waits", newest, "registry-k8s", Difference{Path: "Deployment." + pod + "containers[registry].readinessProbe.initialDelaySeconds", Ours: "600", Theirs: absent}},
		{"another subject", newest, "registry-k8s", Difference{Path: "ClusterRoleBinding.subjects[0].name", Ours: "wrong", Theirs: "registry-k8s-sa"}},
		{"another role", newest, "registry-k8s", Difference{Path: "ClusterRoleBinding.roleRef.name", Ours: "nsm:nsm-system:wrong", Theirs: "registry-k8s-role"}},
		{"another selector", newest, "nsmgr", Difference{Path: "DaemonSet.spec.selector.matchLabels[app.kubernetes.io/name]", Ours: "wrong", Theirs: absent}},
		{"another selector of the Service", newest, "registry-k8s", Difference{Path: "Service.spec.selector[app.kubernetes.io/name]", Ours: "wrong", Theirs: absent}},
		{"one more selector", newest, "nsmgr", Difference{Path: "DaemonSet.spec.selector.matchLabels[app.kubernetes.io/version]", Ours: newest, Theirs: absent}},
		{"no account", newest, "registry-k8s", Difference{Path: "Deployment." + pod + "serviceAccountName", Ours: absent, Theirs: "registry-k8s-sa"}},
		{"another account", newest, "forwarder-vpp", Difference{Path: "DaemonSet." + pod + "serviceAccountName", Ours: "default", Theirs: absent}},
		{"an account of another name", newest, "forwarder-vpp", Difference{Path: "ServiceAccount[wrong]", Ours: present, Theirs: absent}},
		{"no label app on the pods", newest, "nsmgr", Difference{Path: "DaemonSet.spec.template.metadata.labels.app", Ours: absent, Theirs: "nsmgr"}},
		{"another label app on the pods", newest, "nsmgr", Difference{Path: "DaemonSet.spec.template.metadata.labels.app", Ours: "wrong", Theirs: "nsmgr"}},
		{"one verb less", newest, "registry-k8s", Difference{Path: "ClusterRole.rules[networkservicemesh.io/networkservices]", Ours: "list", Theirs: "*"}},
		{"another image", newest, "nsmgr", Difference{Path: "DaemonSet." + pod + "containers[nsmgr].image", Ours: "wrong", Theirs: "ghcr.io/networkservicemesh/ci/cmd-nsmgr:x"}},
		{"another host path", newest, "nsmgr", Difference{Path: "DaemonSet." + pod + "volumes[/var/lib/networkservicemesh].hostPath.path", Ours: absent, Theirs: "/var/lib/networkservicemesh"}},
		{"another log level", "v1.10.0", "nsmgr", Difference{Path: "DaemonSet." + pod + "containers[nsmgr].env[NSM_LOG_LEVEL].value", Ours: "DEBUG", Theirs: "TRACE"}},
		{"another owner", newest, "nsmgr", Difference{Path: "DaemonSet.metadata.ownerReferences[0].uid", Ours: "wrong", Theirs: absent}},
		{"root", newest, "registry-k8s", Difference{Path: "Deployment." + pod + "securityContext.runAsUser", Ours: "0", Theirs: absent}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			judge := NewJudge(deliberate, words())
			if found := judge.Deliberate(parseRelease(t, tc.release), tc.component, tc.difference); found != nil {
				t.Errorf("excused by %s: %s | %s (%s)", found.Path, found.Ours, found.Theirs, found.Why)
			}
		})
	}
}

// Every entry names our value in full: a pattern would excuse a wrong one.
func TestEveryDeviationNamesOurValue(t *testing.T) {
	for _, deviation := range deliberate {
		values := map[string]string{deviation.Path: deviation.Ours}
		if len(deviation.Fields) > 0 {
			values = deviation.Fields
		}
		for path, ours := range values {
			if ours == "" || strings.Contains(ours, "*") {
				t.Errorf("%s %s: our value is %q", deviation.Path, path, ours)
			}
		}
	}
}

// Whichever value of whatever we render is wrong or missing, the table does not
// excuse it, whatever NSM has in its place. Where NSM has none, one that is
// missing is no difference, but a gap (Judge.Gaps).
func TestNoBrokenFieldIsDeliberate(t *testing.T) {
	for _, known := range []string{"v1.0.0", "v1.9.0", release.Newest().String()} {
		nsmRelease := parseRelease(t, known)
		for _, one := range components {
			if knownToBeMissing(nsmRelease, one.directory) != nil {
				continue
			}
			t.Run(known+" "+one.directory, func(t *testing.T) { breakEveryField(t, nsmRelease, one) })
		}
	}
}

func breakEveryField(t *testing.T, nsmRelease release.Release, one component) {
	t.Helper()
	objects, whole := rendered(t, nsmRelease, one), rendered(t, nsmRelease, one)
	judge, broken := NewJudge(deliberate, words()), 0
	for _, object := range objects {
		mutate(object.Object, func(what string, missing bool) {
			differences := Compare(objects, whole)
			if missing && len(differences) == 0 {
				return // The API server fills it in.
			}
			broken++
			if !noticed(judge, nsmRelease, one, differences) {
				t.Errorf("not noticed: %s %s%s", object.GetKind(), object.GetName(), what)
			}
		})
	}
	if broken < 50 {
		t.Errorf("only %d values were broken", broken)
	}
}

func rendered(t *testing.T, nsmRelease release.Release, one component) []*unstructured.Unstructured {
	t.Helper()
	objects, err := objectsOf(render(nsmRelease, one), one)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		delete(object.Object, "status") // Nobody publishes one.
	}
	return objects
}

// mutate breaks the values below an object, one at a time, and mends them again:
// each is wrong, and then missing.
func mutate(object map[string]any, try func(what string, missing bool)) {
	for _, field := range slices.Sorted(maps.Keys(object)) {
		value := object[field]
		mutateValue(value, func(broken any) { object[field] = broken }, func(what string, missing bool) {
			try("."+field+what, missing)
		})
		if field == "kind" || field == "apiVersion" { // Without them it is no object.
			continue
		}
		delete(object, field)
		try("."+field+" missing", true)
		object[field] = value
	}
}

func mutateValue(value any, set func(any), try func(what string, missing bool)) {
	switch value := value.(type) {
	case map[string]any:
		mutate(value, try)
		return
	case []any:
		for i := range value {
			mutateValue(value[i], func(broken any) { value[i] = broken }, try)
		}
		return
	case string:
		set(value + "-wrong")
	case bool:
		set(!value)
	case int64:
		set(value + 1)
	default: // Nothing, such as a time of creation.
		return
	}
	try(" wrong", false)
	set(value)
}

// noticed reports whether one of the differences is not deliberate, whatever NSM's
// value is.
func noticed(judge *Judge, nsmRelease release.Release, one component, differences []Difference) bool {
	return slices.ContainsFunc(differences, func(d Difference) bool {
		return !slices.ContainsFunc(append(theirValues(), d.Theirs), func(theirs string) bool {
			d.Theirs = theirs
			return d.Ours != theirs && judge.Deliberate(nsmRelease, one.directory, d) != nil
		})
	})
}

// theirValues has a value for each that the table knows of NSM.
func theirValues() []string {
	values := []string{"other"}
	for _, deviation := range deliberate {
		values = append(values, strings.ReplaceAll(deviation.Theirs, "*", "other"))
	}
	slices.Sort(values)
	return slices.Compact(values)
}
