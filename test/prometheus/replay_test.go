// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package prometheus_test

import (
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
		labels := []string{fmt.Sprintf("instance=%q", instance), `job="nsm-operator-metrics"`}
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

// expectQuiet has nothing fire, at any minute.
func (r *replay) expectQuiet(t *testing.T) {
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
			test.AlertRuleTest = append(test.AlertRuleTest, expected(t, "", minute, false)...)
		}
	}
	runScenarios(t, test)
}

// state of a mesh with a forwarder on a number of nodes.
type state struct {
	nodes, updated, ready int32
	version               string
	progressing           bool
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
	nsm.Status = nsmv1beta1.NSMStatus{
		Version: s.version,
		Conditions: []metav1.Condition{
			{Type: nsmv1beta1.ConditionAvailable, Status: is(s.ready == s.nodes && s.updated == s.nodes), Reason: "Any"},
			{Type: nsmv1beta1.ConditionProgressing, Status: is(s.progressing), Reason: nsmv1beta1.ReasonRollingOut},
			{Type: nsmv1beta1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: "AsExpected"},
		},
		Components: []nsmv1beta1.ComponentStatus{
			{Kind: "Deployment", Name: "nsm-registry", Desired: ptr.To[int32](1), Updated: ptr.To[int32](1), Ready: ptr.To[int32](1)},
			{Kind: "DaemonSet", Name: "forwarder-vpp", Desired: &s.nodes, Updated: &s.updated, Ready: &s.ready},
		},
	}
	return metrics.Mesh{NSM: nsm, Observed: metrics.Observed{Unregistered: map[string]int32{"forwarder-vpp": 0}}}
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
				for _, ready := range []int32{99, 90, 99} {
					r.tell(t, state{nodes: 100, updated: updated, ready: ready, version: "v1.17.0", progressing: true}.mesh(), "a")
				}
			}
			for range 30 {
				r.tell(t, state{nodes: 100, updated: 100, ready: 100, version: "v1.18.0"}.mesh(), "a")
			}
		},
		"an upgrade of three nodes, and its rollback": func(r *replay) {
			for _, target := range []int32{1, 2, 3, 2, 1, 0} {
				for range 12 {
					r.tell(t, state{nodes: 3, updated: target, ready: 2, version: "v1.17.0", progressing: true}.mesh(), "a")
				}
			}
			r.tell(t, state{nodes: 3, updated: 3, ready: 3, version: "v1.17.0"}.mesh(), "a")
		},
		"a node's reboot": func(r *replay) {
			for minute := range 60 {
				ready := int32(3)
				if minute >= 20 && minute < 30 {
					ready = 2
				}
				r.tell(t, state{nodes: 3, updated: 3, ready: ready, version: "v1.18.0"}.mesh(), "a")
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

// The same replay is not quiet when the change hangs: the operator says so.
func TestAnUpgradeThatHangsFires(t *testing.T) {
	t.Parallel()
	r := &replay{}
	for range 40 {
		hanging := state{nodes: 100, updated: 10, ready: 80, version: "v1.17.0", progressing: true}.mesh()
		r.tell(t, hanging, "a")
	}
	test := scenario{Name: t.Name(), Interval: "1m", InputSeries: healthy("", r.minute)}
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		test.InputSeries = append(test.InputSeries, input{key, strings.Join(r.values[key], " ")})
	}
	test.AlertRuleTest = expected(t, "NSMPodsMissing", 30, true)
	runScenarios(t, test)
}
