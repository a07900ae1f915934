// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package prometheus_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	_ "sigs.k8s.io/controller-runtime/pkg/controller" // its metrics
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	_ "sigs.k8s.io/controller-runtime/pkg/webhook" // its metrics
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

var (
	// metricName is one that queries here ask for. Those of the API server, apiserver_..., are not
	// among them: nothing here says what it serves.
	metricName = regexp.MustCompile(`\b((?:nsm|controller_runtime|leader_election|workqueue|rest_client|process|go|client|server)_[a-z_]+|up)\b`)
	// matchers are a metric with what is asked of its labels.
	matchers = regexp.MustCompile(`\b([a-z_]+)\{([^}]*)\}`)
	// labelName is one that is asked about; text in quotes has been taken out before.
	labelName = regexp.MustCompile(`([a-zA-Z_]+)\s*(?:=~|!~|!=|=)`)
	// grouping is an aggregation that keeps labels, up to what it adds up, or labels that
	// two sides are matched by.
	grouping = regexp.MustCompile(`\b(by|on)\s*\(([^)]*)\)\s*`)
	quoted   = regexp.MustCompile(`"[^"]*"`)
	// variableLabels are those of a metric, as its description is printed.
	variableLabels = regexp.MustCompile(`^Desc\{fqName: "([^"]+)".* variableLabels: \{(.*)\}\}$`)
)

// targetLabels are those that Prometheus gives to all that it reads from the operator.
var targetLabels = []string{"job", "instance", "namespace", "pod", "service", "endpoint", "container"}

// knownMetrics are all that may be asked for, with their labels but for the target's: the
// operator's own, those of the libraries that it is made of, and the forwarders'.
var knownMetrics = sync.OnceValue(func() map[string][]string {
	known := map[string][]string{"up": nil}
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		crmetrics.Registry.(prometheus.Collector).Describe(descriptions) //nolint:forcetypeassert // a Registry is one
	}()
	for one := range descriptions {
		if found := variableLabels.FindStringSubmatch(one.String()); found != nil {
			known[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })
		}
	}
	for _, metric := range metrics.All() {
		known[metric.Name] = metric.Labels
	}
	for _, side := range []string{"client_", "server_"} {
		for _, what := range []string{"rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "drops"} {
			known[side+what+"_total"] = append(podMonitorLabels(), "connection_id", "network_service", "nsc", "nsc_interface", "nse_interface")
		}
	}
	return known
})

// podMonitorLabels are those that a forwarder's PodMonitor adds.
func podMonitorLabels() (added []string) {
	text, err := os.ReadFile("../../internal/mesh/testdata/golden/v1.18.0-everything.yaml")
	if err != nil {
		panic(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var monitor struct {
			Kind string `json:"kind"`
			Spec struct {
				Endpoints []struct {
					Relabelings []struct {
						TargetLabel string `json:"targetLabel"`
					} `json:"relabelings"`
				} `json:"podMetricsEndpoints"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(document), &monitor); err != nil {
			panic(err)
		}
		if monitor.Kind != "PodMonitor" {
			continue
		}
		for _, rule := range monitor.Spec.Endpoints[0].Relabelings {
			added = append(added, rule.TargetLabel)
		}
		return added
	}
	panic("there is no PodMonitor in the golden file")
}

// labelsOf a metric, or of a series of a histogram; false for none.
func labelsOf(name string) (labels []string, isKnown bool) {
	if labels, isKnown = knownMetrics()[name]; isKnown {
		return labels, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		base, isPart := strings.CutSuffix(name, suffix)
		if labels, isKnown = knownMetrics()[base]; isPart && isKnown {
			return append(slices.Clone(labels), "le"), true
		}
	}
	return nil, false
}

// hasLabel reports whether the series of a metric have a label.
func hasLabel(metric, label string) bool {
	labels, _ := labelsOf(metric)
	return slices.Contains(labels, label) || slices.Contains(targetLabels, label)
}

// expectMetrics finds no mistake in a query.
func expectMetrics(t *testing.T, where, query string) {
	t.Helper()
	for _, mistake := range mistakes(query) {
		t.Errorf("%s: %s", where, mistake)
	}
}

// mistakes in a query: metrics that there are not, and labels that they do not have, by which
// it chooses among their series, adds them up or matches them.
func mistakes(query string) (all []string) {
	query = quoted.ReplaceAllString(query, `""`)
	for _, name := range metricName.FindAllString(query, -1) {
		if _, isKnown := labelsOf(name); !isKnown {
			all = append(all, "there is no metric "+name)
		}
	}
	for _, match := range matchers.FindAllStringSubmatch(query, -1) {
		if _, isKnown := labelsOf(match[1]); !isKnown {
			continue
		}
		for _, asked := range labelName.FindAllStringSubmatch(match[2], -1) {
			if !hasLabel(match[1], asked[1]) {
				all = append(all, match[1]+" has no label "+asked[1])
			}
		}
	}
	for _, at := range grouping.FindAllStringSubmatchIndex(query, -1) {
		labels, rest := query[at[4]:at[5]], query[at[1]:]
		if query[at[2]:at[3]] == "by" {
			if rest = inParentheses(rest); rest == "" {
				all = append(all, "by (...) has to be before what is added up")
			}
		}
		for label := range strings.FieldsFuncSeq(labels, func(r rune) bool { return r == ',' || r == ' ' }) {
			for _, name := range metricName.FindAllString(rest, -1) {
				if !hasLabel(name, label) {
					all = append(all, name+" has no label "+label+" to go by")
				}
			}
		}
	}
	return all
}

// inParentheses is what a text begins with; "" for nothing.
func inParentheses(text string) string {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return text[:i]
		}
	}
	return ""
}

// A query that asks for what is not there is found out.
func TestMistakesInQueriesAreSeen(t *testing.T) {
	t.Parallel()
	for query, isRight := range map[string]bool{
		`sum by (result) (rate(controller_runtime_reconcile_total{controller="nsm"}[5m]))`:           true,
		`sum by (le) (rate(controller_runtime_reconcile_time_seconds_bucket{controller="nsm"}[5m]))`: true,
		`max by (mesh) (nsm_mesh_info) unless on (mesh) nsm_mesh_contested_objects`:                  true,
		`sum by (node, network_service) (rate(client_rx_bytes_total{mesh!=""}[10m]))`:                true,
		`sum(rate(controller_runtime_reconciles_total[5m]))`:                                         false,
		`nsm_mesh_infos`:                                        false,
		`process_resident_memory`:                               false,
		`leader_election_master{name="nsm-operator"}`:           false,
		`leader_election_master_status{lease="x"}`:              false,
		`nsm_mesh_info{component="x"}`:                          false,
		`sum by (outcome) (controller_runtime_reconcile_total)`: false,
		`max by (mesh, component) (nsm_mesh_info)`:              false,
		`sum(nsm_mesh_info) by (mesh)`:                          false,
		`up unless on (mesh) nsm_operator_conversions_total`:    false,
		`sum by (cluster) (rate(server_drops_total[10m]))`:      false,
		`rate(server_drop_total[10m])`:                          false,
	} {
		if found := mistakes(query); len(found) == 0 != isRight {
			t.Errorf("%s: mistakes %q", query, found)
		}
	}
}
