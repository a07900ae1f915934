// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package prometheus_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// recording is what an operator told Prometheus: make record-metrics writes it.
type recording []input

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	var all recording
	readYAML(t, "testdata/"+name+".yaml", &all)
	return all
}

// asRead are its series with all labels that they have by the ServiceMonitor.
func (r recording) asRead() []input {
	var all []input
	for _, one := range r {
		name, labels, _ := strings.Cut(one.Series, "{")
		_, instance, _ := strings.Cut(labels, `instance="`)
		instance, _, _ = strings.Cut(instance, `"`)
		_, others, _ := strings.Cut(of(instance), ",")
		others, _, _ = strings.Cut(others, ",instance=")
		all = append(all, input{name + "{" + others + "," + labels, one.Values})
	}
	return all
}

// samples that it has.
func (r recording) samples(t *testing.T) int {
	t.Helper()
	return len(r.values(t, 0))
}

// values of a series, sample by sample; "_" and "stale" where there is none.
func (r recording) values(t *testing.T, series int) []string {
	t.Helper()
	var values []string
	for run := range strings.FieldsSeq(r[series].Values) {
		value, times, isRun := strings.Cut(run, "x")
		count := 1
		if isRun {
			var err error
			if count, err = strconv.Atoi(times); err != nil {
				t.Fatalf("%s: %q", r[series].Series, run)
			}
			if value != "_" {
				count++
			}
		}
		values = append(values, slices.Repeat([]string{value}, count)...)
	}
	return values
}

// shows reports whether a series with all of these parts has, at some time, a value that is
// meant.
func (r recording) shows(t *testing.T, isMeant func(value float64) bool, parts ...string) bool {
	t.Helper()
	for i := range r {
		if slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(r[i].Series, part) }) {
			continue
		}
		for _, text := range r.values(t, i) {
			if value, err := strconv.ParseFloat(text, 64); err == nil && isMeant(value) {
				return true
			}
		}
	}
	return false
}

func is(wanted float64) func(float64) bool {
	return func(value float64) bool { return value == wanted }
}

// What each recording has to show to be of what it is called by: the parts of a series, and
// a value of it at some time.
var recordings = map[string]struct {
	samples int
	// every is how much time a sample stands for.
	every time.Duration
	shows []shown
}{
	"install-3-nodes":   {20, time.Minute, append(installed(3), ofNodes("desired", 3), ofNodes("ready", 3))},
	"install-100-nodes": {20, time.Minute, append(installed(100), ofNodes("desired", 100), ofNodes("ready", 100))},
	"upgrade-3-nodes":   {30, 3 * time.Minute, upgraded(3)},
	// Pods take long: whole nights.
	"upgrade-100-nodes": {180, 3 * time.Minute, append(upgraded(100), ofNodes("ready", 99))},
	// Of the registry's node. Pods whose images are there start sooner.
	"node-reboot": {25, 30 * time.Second, []shown{{is(0), []string{"pods_ready", "nsm-registry"}}, ofNodes("ready", 2), ofNodes("ready", 3), {is(0), []string{"pods_tolerated", "forwarder-vpp"}}}},
	"operator-upgrade": {25, time.Minute, []shown{
		condition("Progressing", "True"), ofNodes("updated", 3), {is(1), []string{"pods_tolerated", `component="nsmgr"`}},
	}},
	"rollback": {40, time.Minute, []shown{
		{is(1), []string{"nsm_mesh_condition{", `condition="Degraded"`, `reason="RolledBack"`, `status="True"`}},
		ofNodes("ready", 2), {is(1), []string{"pods_tolerated", "forwarder-vpp"}}, condition("Available", "True"),
	}},
}

type shown struct {
	isMeant func(float64) bool
	parts   []string
}

func ofNodes(what string, pods float64) shown {
	return shown{is(pods), []string{"nsm_mesh_component_pods_" + what + "{", `kind="DaemonSet"`}}
}

func condition(name, status string) shown {
	return shown{is(1), []string{"nsm_mesh_condition{", fmt.Sprintf("condition=%q", name), fmt.Sprintf("status=%q", status)}}
}

func installed(nodes float64) []shown {
	return []shown{
		{is(1), []string{"nsm_mesh_info{", `target="v1.17.0"`, `version=""`}}, {is(1), []string{"nsm_mesh_info{", `version="v1.17.0"`}},
		// All may be missing until the mesh is up.
		{is(nodes), []string{"pods_tolerated", "forwarder-vpp"}}, condition("Available", "True"),
	}
}

func upgraded(nodes float64) []shown {
	hasBegun := func(value float64) bool { return value > 0 }
	isPartOf := func(value float64) bool { return value > nodes/2 && value < nodes }
	return []shown{
		{is(1), []string{"nsm_mesh_info{", `target="v1.18.0"`, `version="v1.17.0"`}}, {is(1), []string{"nsm_mesh_info{", `version="v1.18.0"`}},
		{hasBegun, []string{"nsm_mesh_stage_start_timestamp_seconds", `stage="forwarder"`}},
		{is(1), []string{"pods_tolerated", "forwarder-vpp"}}, {isPartOf, []string{"pods_updated", "forwarder-vpp"}},
	}
}

// Recordings are of the metrics that there are today: otherwise replaying them shows nothing.
func TestRecordingsAreOfTheseMetrics(t *testing.T) {
	t.Parallel()
	labels := map[string][]string{"up": nil, "leader_election_master_status": {"name"}}
	wanted := map[string]bool{}
	for _, metric := range metrics.All() {
		labels[metric.Name] = metric.Labels
		wanted[metric.Name] = metric.Kind == metrics.Gauge
	}
	// Of clients, of which none runs here.
	delete(wanted, "nsm_mesh_stale_clients")
	parts := regexp.MustCompile(`(\w+)="[^"]*"`)
	for name, want := range recordings {
		r := readRecording(t, name)
		if samples := r.samples(t); samples < want.samples {
			t.Errorf("%s: %d samples, less than %d", name, samples, want.samples)
		}
		seen := map[string]bool{}
		for i := range r {
			metric, rest, _ := strings.Cut(r[i].Series, "{")
			var has []string
			for _, label := range parts.FindAllStringSubmatch(rest, -1) {
				has = append(has, label[1])
			}
			wants := append([]string{"instance", "job"}, labels[metric]...)
			slices.Sort(wants)
			if _, isKnown := labels[metric]; !isKnown || !slices.Equal(has, wants) {
				t.Errorf("%s: %s has the labels %v, want %v", name, metric, has, wants)
			}
			if len(r.values(t, i)) != r.samples(t) {
				t.Errorf("%s: %s has %d values, others %d", name, r[i].Series, len(r.values(t, i)), r.samples(t))
			}
			seen[metric] = true
		}
		for _, metric := range slices.Sorted(maps.Keys(wanted)) {
			isOfStages := metric == "nsm_mesh_stage_start_timestamp_seconds"
			if wanted[metric] && !seen[metric] && !isOfStages {
				t.Errorf("%s: nothing was recorded of %s", name, metric)
			}
		}
		// What a newer operator renders is no drift.
		if r.shows(t, func(value float64) bool { return value > 0 }, "nsm_mesh_repairs_total") {
			t.Errorf("%s: repairs are counted, and nobody else has changed anything", name)
		}
		for _, one := range want.shows {
			if !r.shows(t, one.isMeant, one.parts...) {
				t.Errorf("%s: no series with %v shows what is meant", name, one.parts)
			}
		}
	}
}

// A mesh has as many series on a hundred nodes as on three.
func TestRecordedSeriesDoNotGrowWithNodes(t *testing.T) {
	t.Parallel()
	of := func(name string) (all []string) {
		for _, one := range readRecording(t, name) {
			metric, labels, _ := strings.Cut(one.Series, "{")
			// What is there for a moment in one of them is not in the other.
			if metric != "nsm_mesh_condition" && metric != "nsm_mesh_stage_start_timestamp_seconds" && strings.Contains(labels, `mesh="mesh"`) {
				all = append(all, metric+"{"+regexp.MustCompile(`instance="[^"]*",`).ReplaceAllString(labels, ""))
			}
		}
		slices.Sort(all)
		return all
	}
	if few, many := of("install-3-nodes"), of("install-100-nodes"); len(few) == 0 || !slices.Equal(few, many) {
		t.Errorf("3 nodes: %v\n100 nodes: %v", few, many)
	}
}

// What an operator told Prometheus while it did its work wakes nobody.
func TestRecordingsFireNothing(t *testing.T) {
	t.Parallel()
	for name, recorded := range recordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := readRecording(t, name)
			test := scenario{Name: name, Interval: recorded.every.String(), InputSeries: r.asRead()}
			step, last := max(time.Minute, recorded.every), time.Duration(r.samples(t))*recorded.every
			for at := time.Duration(0); at < last; at += step {
				minute := int(at.Minutes())
				for _, one := range firing(t, minute) {
					if alerts(t)[one.AlertName].Labels["severity"] != "info" {
						test.AlertRuleTest = append(test.AlertRuleTest, one)
					}
				}
			}
			runScenarios(t, test)
		})
	}
}

// The same recording is not quiet when the registry's node does not come back.
func TestANodeThatStaysAwayFires(t *testing.T) {
	t.Parallel()
	r := readRecording(t, "node-reboot")
	down := 0
	for i := range r {
		if strings.HasPrefix(r[i].Series, "nsm_mesh_component_pods_ready{") && strings.Contains(r[i].Series, "nsm-registry") {
			down = slices.Index(r.values(t, i), "0")
		}
	}
	hangs := make(recording, 0, len(r))
	for i := range r {
		values := r.values(t, i)[:down+1]
		hangs = append(hangs, input{r[i].Series, strings.Join(append(values, slices.Repeat(values[down:], 30)...), " ")})
	}
	test := scenario{Name: t.Name(), Interval: "1m", InputSeries: hangs.asRead(), AlertRuleTest: expected(t, "NSMMeshDown", down+29, true)}
	test.InputSeries = append(test.InputSeries, healthy("", down+30)...)
	runScenarios(t, test)
}
