// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package argocd_test has a Lua interpreter judge NSMs by the health check for Argo CD, as
// Argo CD does: in every state that the operator reports.
package argocd_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// check is the directory that Argo CD's own repository has one like it of, for each kind.
const check = "../../config/argocd/nsm.networkservicemesh.io/NSM"

const (
	healthy     = "Healthy"
	progressing = "Progressing"
	degraded    = "Degraded"
)

// verdict of the check.
type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// judge an object, as JSON, by the check.
func judge(t *testing.T, object []byte) verdict {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(check, "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(object, &content); err != nil {
		t.Fatal(err)
	}
	// Argo CD opens no libraries but these, of which os and io are not.
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", toLua(state, content))
	if err := state.DoString(string(script)); err != nil {
		t.Fatal(err)
	}
	answer, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		t.Fatalf("the check returns %v", state.Get(-1))
	}
	return verdict{Status: answer.RawGetString("status").String(), Message: answer.RawGetString("message").String()}
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// managers of a mesh on three nodes.
func managers(updated, ready int32) health.Workload {
	meta := metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: map[string]string{mesh.LabelVersion: release.Newest().String()}}
	return health.Workload{
		Component: mesh.Component{Role: mesh.RoleManager, Workload: &appsv1.DaemonSet{ObjectMeta: meta}},
		Live: &appsv1.DaemonSet{ObjectMeta: meta, Status: appsv1.DaemonSetStatus{
			DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: updated, NumberReady: ready,
		}},
	}
}

// up is a mesh that is all there, after a change.
func up(change func(*health.Mesh)) *health.Mesh {
	seen := &health.Mesh{Release: release.Newest(), Workloads: []health.Workload{managers(3, 3)}}
	if change != nil {
		change(seen)
	}
	return seen
}

// step is what a pass of the loop makes of a generation.
type step struct {
	generation int64
	seen       *health.Mesh
	failure    error
}

func refusal(reason string) []step {
	return []step{{1, &health.Mesh{Refusal: health.Refusal{Reason: reason, Message: "what is wrong, and what to do"}}, nil}}
}

func upWith(change func(*health.Mesh)) []step { return []step{{1, up(nil), nil}, {1, up(change), nil}} }

// cases are the states of an NSM, and what Argo CD shall think of them. Those of Degraded
// are called as its reason.
var cases = map[string]struct {
	steps []step
	want  string
}{
	"healthy":      {[]step{{1, up(nil), nil}}, healthy},
	"installing":   {[]step{{1, up(func(m *health.Mesh) { m.Workloads[0] = managers(0, 0) }), nil}}, progressing},
	"changing":     {[]step{{1, up(nil), nil}, {2, up(func(m *health.Mesh) { m.Workloads[0] = managers(1, 2) }), nil}}, progressing},
	"node_reboots": {[]step{{1, up(nil), nil}, {1, up(func(m *health.Mesh) { m.Workloads[0] = managers(3, 2) }), nil}}, progressing},

	"InvalidVersion": {refusal("InvalidVersion"), degraded},
	"InvalidSpec":    {refusal("InvalidSpec"), degraded},
	"Conflict":       {refusal("Conflict"), degraded},
	"Unreadable":     {refusal("Unreadable"), degraded},
	"ProgressDeadlineExceeded": {[]step{{1, up(func(m *health.Mesh) {
		m.Workloads[0], m.Overdue = managers(1, 2), "within spec.upgrade.progressDeadline, 10m0s: nsmgr is rolling out"
	}), nil}}, degraded},
	"RolledBack": {[]step{{1, up(nil), nil}, {2, up(func(m *health.Mesh) {
		m.Workloads[0], m.Overdue, m.RollBackTo = managers(1, 2), "within spec.upgrade.progressDeadline, 10m0s: nsmgr is rolling out", "v1.17.0"
	}), nil}}, degraded},
	"ApplyFailed":    {[]step{{1, nil, errors.New("applying DaemonSet nsm/nsmgr: quota exceeded")}}, progressing},
	"ApplyFailed_up": {[]step{{1, up(nil), nil}, {1, up(nil), errors.New("applying DaemonSet nsm/nsmgr: quota exceeded")}}, degraded},
	"NotOurs": {upWith(func(m *health.Mesh) {
		m.InTheWay = []health.InTheWay{{Object: "Service nsm/registry", Whose: "Helm's"}}
	}), progressing},
	"ForeignWebhook": {upWith(func(m *health.Mesh) {
		m.Callers = []health.Caller{{Kind: "MutatingWebhookConfiguration", Name: "theirs"}}
	}), degraded},
	"PodSecurity": {upWith(func(m *health.Mesh) { m.RefusedPods = "the namespace refuses privileged pods" }), degraded},
	"Contested":   {upWith(func(m *health.Mesh) { m.Contested = []string{"DaemonSet nsm/nsmgr"} }), degraded},
	"KubeletsDiffer": {upWith(func(m *health.Mesh) {
		m.KubeletDirectories, m.KubeletDirectory = "/var/lib/k0s/kubelet,/var/lib/kubelet", "/var/lib/kubelet"
	}), degraded},
	"PullingImages": {[]step{{1, up(nil), nil}, {2, up(func(m *health.Mesh) {
		m.Pulls = []health.ImagePull{{Workload: "DaemonSet nsm/nsmgr", Images: []string{"nsmgr:new"}, Desired: 3, Done: 1, Nodes: []string{"b", "c"}, Pods: 3}}
	}), nil}}, progressing},
	"ForeignWebhook_overdue": {upWith(func(m *health.Mesh) {
		m.Workloads[0], m.Callers = managers(1, 2), []health.Caller{{Kind: "MutatingWebhookConfiguration", Name: "theirs"}}
		m.Overdue = "within spec.upgrade.progressDeadline, 10m0s: nsmgr is rolling out"
	}), degraded},
	"NotOurs_overdue": {upWith(func(m *health.Mesh) {
		m.Workloads[0], m.InTheWay = managers(1, 2), []health.InTheWay{{Object: "Service nsm/registry", Whose: "Helm's"}}
		m.Overdue = "within spec.upgrade.progressDeadline, 10m0s: nsmgr is rolling out"
	}), degraded},
	"ApplyFailed_clients": {upWith(func(m *health.Mesh) {
		m.FailedApart = []string{"namespace apps refuses a RoleBinding: quota exceeded"}
	}), degraded},
	"ApplyFailed_entries": {upWith(func(m *health.Mesh) { m.FailedApart = []string{"deleting NetworkServiceEndpoint nsm/old: forbidden"} }), degraded},
	"Unreachable": {upWith(func(m *health.Mesh) {
		m.Workloads[0].Role, m.NoAddress = mesh.RoleInterdomain, []string{"nsm/nsmgr-proxy"}
	}), healthy},
	"node_lost": {upWith(func(m *health.Mesh) {
		w := &m.Workloads[0]
		status := &w.Live.(*appsv1.DaemonSet).Status
		status.DesiredNumberScheduled, status.CurrentNumberScheduled, status.UpdatedNumberScheduled, status.NumberReady = 2, 2, 2, 2
		w.Lost = &health.Lost{Nodes: []string{"c"}, Why: "Kubelet stopped posting node status.", Others: health.Pods{Desired: 2, Updated: 2, Ready: 2}}
	}), healthy},
	"PodsWait": {[]step{{1, up(func(m *health.Mesh) {
		m.Workloads[0] = managers(3, 2)
		m.SetSpire(health.SpireFailed(nsmv1beta1.ReasonPodsWait, "DaemonSet nsm/nsmgr: a pod waits for its identity"))
	}), nil}}, progressing},
	"UnknownFields":     {upWith(func(m *health.Mesh) { m.UnknownFields = []string{"spec.registry.size"} }), degraded},
	"DeletionFailed":    {nil, progressing},
	"not_seen_yet":      {[]step{}, progressing},
	"spec_just_changed": {[]step{{1, up(nil), nil}}, progressing},
}

// object is the NSM of a case, as the API server has it.
func object(name string, steps []step) *nsmv1beta1.NSM {
	nsm := &nsmv1beta1.NSM{
		TypeMeta:   metav1.TypeMeta{APIVersion: nsmv1beta1.GroupVersion.String(), Kind: "NSM"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh", Generation: 1},
		Spec:       nsmv1beta1.NSMSpec{Version: release.Newest().String()},
		Status:     nsmv1beta1.NSMStatus{ObservedGeneration: -1},
	}
	for _, step := range steps {
		nsm.Generation = step.generation
		nsm.Status = health.Status(nsm, step.seen, step.failure)
	}
	switch name {
	case "spec_just_changed":
		nsm.Generation++
	case "DeletionFailed":
		nsm.Status = health.Status(nsm, up(nil), nil)
		nsm.Status = health.DeletionStatus(nsm, nil, errors.New("deleting ClusterRole nsm:nsm:nsmgr: forbidden"))
		nsm.Status.Conditions = slices.DeleteFunc(nsm.Status.Conditions, func(c metav1.Condition) bool { return c.Type == nsmv1beta1.ConditionReady })
	}
	for i := range nsm.Status.Conditions {
		nsm.Status.Conditions[i].LastTransitionTime = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	return nsm
}

// suite is health_test.yaml, by which Argo CD's repository tests a check.
type suite struct {
	Tests []test `json:"tests"`
}

type test struct {
	HealthStatus verdict `json:"healthStatus"`
	InputPath    string  `json:"inputPath"`
}

func TestArgoCDSeesTheTruth(t *testing.T) {
	t.Parallel()
	var all suite
	for _, name := range sortedCases() {
		nsm := object(name, cases[name].steps)
		text, err := yaml.Marshal(nsm)
		if err != nil {
			t.Fatal(err)
		}
		path := "testdata/" + strings.ToLower(name) + ".yaml"
		expectFile(t, path, text)
		content, err := json.Marshal(nsm)
		if err != nil {
			t.Fatal(err)
		}
		got := judge(t, content)
		if got.Status != cases[name].want || got.Message == "" {
			t.Errorf("%s: got %+v, want %s", name, got, cases[name].want)
		}
		if old := judge(t, inV1alpha1(t, content)); old != got {
			t.Errorf("%s: got %+v, and %+v in v1alpha1", name, got, old)
		}
		all.Tests = append(all.Tests, test{got, path})
	}
	text, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	expectFile(t, "health_test.yaml", text)
}

func sortedCases() []string {
	var names []string
	for name := range cases {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// inV1alpha1 is an object as a client of the older version reads it.
func inV1alpha1(t *testing.T, content []byte) []byte {
	t.Helper()
	var hub conversion.V1beta1Document
	var spoke conversion.V1alpha1Document
	if err := json.Unmarshal(content, &hub); err != nil {
		t.Fatal(err)
	}
	if err := conversion.ToV1alpha1(context.Background(), &hub, &spoke); err != nil {
		t.Fatal(err)
	}
	converted, err := json.Marshal(&spoke)
	if err != nil {
		t.Fatal(err)
	}
	return converted
}

// expectFile compares a file beside the check, or writes it.
func expectFile(t *testing.T, path string, want []byte) {
	t.Helper()
	path = filepath.Join(check, path)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		t.Errorf("%s is not current (make golden): %v", path, err)
	}
}

// Every reason that Degraded can have, as docs/troubleshooting.md lists them, is a case.
func TestEachReasonIsACase(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n### Degraded\n")
	section, _, ended := strings.Cut(rest, "\n### ")
	if !found || !ended {
		t.Fatal("docs/troubleshooting.md has no section Degraded")
	}
	reasons := regexp.MustCompile("(?m)^\\| True \\| `(\\w+)`").FindAllStringSubmatch(section, -1)
	if len(reasons) < 10 {
		t.Fatalf("%d reasons", len(reasons))
	}
	for _, reason := range reasons {
		if _, isCase := cases[reason[1]]; !isCase {
			t.Errorf("%s is no case", reason[1])
		}
	}
}
