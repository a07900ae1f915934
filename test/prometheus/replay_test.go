// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package prometheus_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// replay has the metrics of an NSM, minute by minute, go through all rules.
type replay struct {
	minute int
	// values of each series so far.
	values map[string][]string
}

// tell adds the samples of one minute, as the replica serves them.
func (r *replay) tell(t *testing.T, mesh metrics.Mesh, instance string) {
	t.Helper()
	if r.values == nil {
		r.values = map[string][]string{}
	}
	for _, sample := range mesh.Samples() {
		written := &dto.Metric{}
		if err := sample.Write(written); err != nil {
			t.Fatal(err)
		}
		labels := []string{of(instance)}
		for _, pair := range written.GetLabel() {
			labels = append(labels, fmt.Sprintf("%s=%q", pair.GetName(), pair.GetValue()))
		}
		name := nameOf(t, sample.Desc().String())
		key := name + "{" + strings.Join(labels, ",") + "}"
		for len(r.values[key]) < r.minute {
			r.values[key] = append(r.values[key], "stale")
		}
		r.values[key] = append(r.values[key], strconv.FormatFloat(written.GetGauge().GetValue(), 'g', -1, 64))
	}
	r.minute++
}

// nameOf a metric, which its description tells as text alone.
func nameOf(t *testing.T, description string) string {
	t.Helper()
	_, rest, _ := strings.Cut(description, `fqName: "`)
	name, _, found := strings.Cut(rest, `"`)
	if !found {
		t.Fatal(description)
	}
	return name
}

// expect has those alerts fire that it is told of for each minute, and no others.
func (r *replay) expect(t *testing.T, firesAt func(minute int) []string) {
	t.Helper()
	test := scenario{Name: t.Name(), Interval: "1m", InputSeries: healthy("", r.minute)}
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		values := r.values[key]
		for len(values) < r.minute {
			values = append(values, "stale")
		}
		test.InputSeries = append(test.InputSeries, input{key, strings.Join(values, " ")})
	}
	for minute := range r.minute {
		if minute%5 == 0 {
			test.AlertRuleTest = append(test.AlertRuleTest, firing(t, minute, firesAt(minute)...)...)
		}
	}
	runScenarios(t, test)
}

func (r *replay) expectQuiet(t *testing.T) {
	t.Helper()
	r.expect(t, func(int) []string { return nil })
}

// state of a mesh with a forwarder on a number of nodes.
type state struct {
	nodes, updated, ready int32
	// unregistered of the forwarder's pods are up and count as not ready.
	unregistered int32
	version      string
	progressing  bool
	// degraded is why, "" for not.
	degraded string
	// noRegistry: its one pod is not ready.
	noRegistry bool
}

func (s state) mesh() metrics.Mesh {
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh"}}
	nsm.Spec.Version = "v1.18.0"
	nsm.Spec.Upgrade = &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(intstr.FromString("10%"))}
	is := func(value bool) metav1.ConditionStatus {
		if value {
			return metav1.ConditionTrue
		}
		return metav1.ConditionFalse
	}
	registry := int32(1)
	if s.noRegistry {
		registry = 0
	}
	nsm.Status = nsmv1beta1.NSMStatus{
		Version: s.version,
		Conditions: []metav1.Condition{
			{Type: nsmv1beta1.ConditionAvailable, Status: is(s.ready == s.nodes && s.updated == s.nodes), Reason: "Any"},
			{Type: nsmv1beta1.ConditionProgressing, Status: is(s.progressing), Reason: nsmv1beta1.ReasonRollingOut},
			{Type: nsmv1beta1.ConditionDegraded, Status: is(s.degraded != ""), Reason: cmp.Or(s.degraded, nsmv1beta1.ReasonAsExpected)},
		},
		Components: []nsmv1beta1.ComponentStatus{
			{Kind: "Deployment", Name: "nsm-registry", Desired: ptr.To[int32](1), Updated: ptr.To[int32](1), Ready: &registry},
			{Kind: "DaemonSet", Name: "forwarder-vpp", Desired: &s.nodes, Updated: &s.updated, Ready: &s.ready},
		},
	}
	return metrics.Mesh{NSM: nsm, Observed: metrics.Observed{Unregistered: map[string]int32{"forwarder-vpp": s.unregistered}}}
}

// What happens to a healthy mesh, and takes long, wakes nobody.
func TestWhatIsExpectedFiresNothing(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*replay){
		"an install that pulls for an hour": func(r *replay) {
			for minute := range int32(60) {
				r.tell(t, state{nodes: 100, updated: 100, ready: minute, progressing: true}.mesh(), "a")
			}
			for range 30 {
				r.tell(t, state{nodes: 100, updated: 100, ready: 100, version: "v1.18.0"}.mesh(), "a")
			}
		},
		"an upgrade of a hundred nodes, one at a time, for hours": func(r *replay) {
			for updated := range int32(100) {
				// At any time there is another new pod that has not registered yet.
				for _, is := range []state{{ready: 99, unregistered: 1}, {ready: 90, unregistered: 3}, {ready: 90, unregistered: 10}} {
					is.nodes, is.updated, is.version, is.progressing = 100, updated, "v1.17.0", true
					r.tell(t, is.mesh(), "a")
				}
			}
			for range 30 {
				r.tell(t, state{nodes: 100, updated: 100, ready: 100, version: "v1.18.0"}.mesh(), "a")
			}
		},
		"a node's reboot": func(r *replay) {
			for minute := range 60 {
				is := state{nodes: 3, updated: 3, ready: 3, version: "v1.18.0"}
				if minute >= 20 && minute < 30 {
					is.ready = 2
				}
				r.tell(t, is.mesh(), "a")
			}
		},
		"a reboot of the registry's node": func(r *replay) {
			for minute := range 60 {
				is := state{nodes: 3, updated: 3, ready: 3, version: "v1.18.0"}
				if minute >= 20 && minute < 25 {
					is.ready, is.noRegistry = 2, true
				}
				r.tell(t, is.mesh(), "a")
			}
		},
		"an upgrade of the operator": func(r *replay) {
			for minute := range 60 {
				instance := "old"
				if minute >= 30 {
					instance = "new"
				}
				if minute == 29 {
					// Nobody leads for a moment.
					r.minute++
					continue
				}
				r.tell(t, state{nodes: 3, updated: 3, ready: 3, version: "v1.18.0"}.mesh(), instance)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &replay{}
			play(r)
			r.expectQuiet(t)
		})
	}
}

// A rollback wakes nobody: from its begin on, until the spec is changed, there is an alert
// for information.
func TestARollbackIsForInformation(t *testing.T) {
	t.Parallel()
	r := &replay{}
	for _, updated := range []int32{0, 1, 2} {
		for range 12 {
			r.tell(t, state{nodes: 3, updated: updated, ready: 2, version: "v1.17.0", progressing: true}.mesh(), "a")
		}
	}
	begins := r.minute
	// In the rollback what has not been changed is of the current definition.
	for _, updated := range []int32{1, 2, 3} {
		for range 12 {
			r.tell(t, state{nodes: 3, updated: updated, ready: 2, version: "v1.17.0", progressing: true, degraded: nsmv1beta1.ReasonRolledBack}.mesh(), "a")
		}
	}
	for range 60 {
		r.tell(t, state{nodes: 3, updated: 3, ready: 3, version: "v1.17.0", degraded: nsmv1beta1.ReasonRolledBack}.mesh(), "a")
	}
	if severity := alerts(t)["NSMRolledBack"].Labels["severity"]; severity != "info" {
		t.Errorf("severity %q", severity)
	}
	r.expect(t, func(minute int) []string {
		if minute < begins+minutesOf(t, alerts(t)["NSMRolledBack"].For) {
			return nil
		}
		return []string{"NSMRolledBack"}
	})
}

// A registry that is dead in a change that hangs is not explained by the change.
func TestADeadRegistryInAStuckChangeFires(t *testing.T) {
	t.Parallel()
	r := &replay{}
	for range 40 {
		r.tell(t, state{nodes: 3, updated: 1, ready: 2, version: "v1.17.0", progressing: true, noRegistry: true}.mesh(), "a")
	}
	r.expect(t, func(minute int) []string {
		if minute < minutesOf(t, alerts(t)["NSMMeshDown"].For) {
			return nil
		}
		return []string{"NSMMeshDown"}
	})
}

// The same replay is not quiet when the change hangs: the operator says so.
func TestAnUpgradeThatHangsFires(t *testing.T) {
	t.Parallel()
	r := &replay{}
	for range 40 {
		hanging := state{nodes: 100, updated: 10, ready: 80, version: "v1.17.0", progressing: true}.mesh()
		r.tell(t, hanging, "a")
	}
	r.expect(t, func(minute int) []string {
		if minute < minutesOf(t, alerts(t)["NSMPodsMissing"].For) {
			return nil
		}
		return []string{"NSMPodsMissing"}
	})
}
