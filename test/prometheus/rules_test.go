// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package prometheus_test has Prometheus' own promtool judge the alerting rules: that
// each fires and clears, and that what happens to a healthy mesh wakes nobody.
package prometheus_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	rulesFile    = "../../config/prometheus/rules.yaml"
	runbooksFile = "../../docs/runbooks.md"
)

// groups are what a PrometheusRule holds, and what promtool reads.
type groups struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Alert         string            `json:"alert,omitempty"`
	Record        string            `json:"record,omitempty"`
	Expr          string            `json:"expr"`
	For           string            `json:"for,omitempty"`
	KeepFiringFor string            `json:"keep_firing_for,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func read(t *testing.T) groups {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	// A misspelt field would be dropped, and never be missed.
	var rules groups
	if err := yaml.UnmarshalStrict(object.Spec, &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

func alerts(t *testing.T) map[string]rule {
	t.Helper()
	all := map[string]rule{}
	for _, group := range read(t).Groups {
		for _, rule := range group.Rules {
			if rule.Record == "" {
				all[rule.Alert] = rule
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

// promtool runs it in a directory.
func promtool(t *testing.T, directory string, arguments ...string) {
	t.Helper()
	tool, err := filepath.Abs("../../bin/promtool")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), tool, arguments...)
	command.Dir = directory
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

func write(t *testing.T, path string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	write(t, filepath.Join(directory, "rules.yaml"), read(t))
	promtool(t, directory, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
}

// Each alert says how bad it is, in words that are the same for each mesh, of which mesh
// it speaks, and what to do.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(runbooksFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, alert := range alerts(t) {
		switch alert.Labels["severity"] {
		case "critical":
			if !slices.Contains([]string{"5m", "10m"}, alert.For) {
				t.Errorf("%s: for %s", name, alert.For)
			}
		case "warning", "info":
			if !slices.Contains([]string{"15m", "1h"}, alert.For) {
				t.Errorf("%s: for %s", name, alert.For)
			}
		default:
			t.Errorf("%s: severity %q", name, alert.Labels["severity"])
		}
		if strings.Contains(alert.Annotations["summary"], "{{") || alert.Annotations["summary"] == "" {
			t.Errorf("%s: summary %q", name, alert.Annotations["summary"])
		}
		description := alert.Annotations["description"]
		if ofMesh := strings.Contains(alert.Expr, "by (mesh, mesh_namespace)"); ofMesh &&
			(!strings.Contains(description, "$labels.mesh ") || !strings.Contains(description, "$labels.mesh_namespace ")) {
			t.Errorf("%s: description %q does not say which mesh", name, description)
		}
		if want := "https://github.com/networkservicemesh/nsm-operator/blob/main/docs/runbooks.md#" + strings.ToLower(name); alert.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", name, alert.Annotations["runbook_url"], want)
		}
		if !strings.Contains(string(page), "\n## "+name+"\n") {
			t.Errorf("%s has no heading in docs/runbooks.md", name)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (NSM\w+)$`).FindAllStringSubmatch(string(page), -1) {
		if _, exists := alerts(t)[heading[1]]; !exists {
			t.Errorf("docs/runbooks.md has %s, and there is no such alert", heading[1])
		}
	}
}

// What a rule asks for exists: a typo would only mean that it never fires.
func TestRulesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	for _, group := range read(t).Groups {
		for _, rule := range group.Rules {
			expectMetrics(t, rule.Alert+rule.Record, rule.Expr)
		}
	}
}

// series of one metric: what it is worth while all is well, and while it is not; "_" for
// a moment without a value.
type series struct{ metric, good, bad string }

// target are the labels that Prometheus gives to what it reads from a replica by the
// ServiceMonitor.
const target = `job="nsm-operator-metrics",namespace="nsm-operator-system",service="nsm-operator-metrics",endpoint="metrics",container="manager",pod="INSTANCE",instance="INSTANCE"`

// of a replica: the target's labels.
func of(instance string) string { return strings.ReplaceAll(target, "INSTANCE", instance) }

func ofMesh(name, labels string) string {
	return fmt.Sprintf(`%s{mesh="mesh",mesh_namespace="nsm",%s,%s}`, name, labels, target)
}

func pods(component, good, bad string) []series {
	labels := `kind="DaemonSet",component="` + component + `"`
	return []series{
		{ofMesh("nsm_mesh_component_pods_desired", labels), "3", "3"},
		{ofMesh("nsm_mesh_component_pods_tolerated", labels), "0", "0"},
		{ofMesh("nsm_mesh_component_pods_ready", labels), good, bad},
	}
}

func degraded(reason string) []series {
	return []series{
		{ofMesh("nsm_mesh_condition", `condition="Degraded",status="True",reason="`+reason+`"`), "_", "1"},
		{ofMesh("nsm_mesh_condition", `condition="Degraded",status="False",reason="AsExpected"`), "1", "_"},
	}
}

func rejected(webhook string) []series {
	return []series{{`apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="` + webhook + `",type="admit",instance="INSTANCE"}`, "+0", "+2"}}
}

func letIn(webhook string) []series {
	return []series{{`apiserver_admission_webhook_fail_open_count{name="` + webhook + `",type="admit",instance="INSTANCE"}`, "+0", "+2"}}
}

func unregistered(component, good, bad string) series {
	return series{ofMesh("nsm_mesh_component_pods_unregistered", `component="`+component+`"`), good, bad}
}

// what makes each alert fire.
var troubles = map[string][]series{
	"NSMMeshDown":               pods("nsmgr", "3", "0"),
	"NSMPodsMissing":            pods("nsmgr", "3", "2"),
	"NSMForwarderNotRegistered": append(pods("forwarder-vpp", "3", "2"), unregistered("forwarder-vpp", "0", "1")),
	"NSMUpgradeHalted":          degraded("ProgressDeadlineExceeded"),
	"NSMRolledBack":             degraded("RolledBack"),
	"NSMDegraded":               degraded("ApplyFailed"),
	"NSMDriftFought":            append(degraded("Contested"), series{ofMesh("nsm_mesh_contested_objects", `x="y"`), "0", "2"}),
	// Seconds since 1970, where promtool's time begins.
	"NSMCertificateEnding":         {{ofMesh("nsm_mesh_certificate_not_after_timestamp_seconds", `x="y"`), "31536000", "864000"}},
	"NSMOperatorCertificateEnding": {{`nsm_operator_certificate_not_after_timestamp_seconds{` + target + `}`, "31536000", "864000"}},
	"NSMOperatorDown":              {{`up{` + target + `}`, "1", "0"}},
	"NSMOperatorWithoutLeader":     {{`leader_election_master_status{name="nsm-operator",` + target + `}`, "1", "0"}},
	"NSMWebhookUnreachable":        rejected("validation.nsm.networkservicemesh.io"),
}

// phase is a time, in minutes, in which all is well or not.
type phase struct {
	minutes int
	good    bool
	// gap: nothing is scraped.
	gap bool
}

// values of a series through phases, as promtool writes them.
func (s series) values(phases []phase) string {
	var all []string
	count := 0
	for _, phase := range phases {
		value := s.bad
		if phase.good {
			value = s.good
		}
		if phase.gap {
			value = "stale"
		}
		for range phase.minutes {
			if added, isCounter := strings.CutPrefix(value, "+"); isCounter {
				more, err := strconv.Atoi(added)
				if err != nil {
					panic(err) // a mistake in this file
				}
				count += more
				all = append(all, fmt.Sprint(count))
				continue
			}
			all = append(all, value)
		}
	}
	return strings.Join(all, " ")
}

type input struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

type expectation struct {
	EvalTime  string         `json:"eval_time"`
	AlertName string         `json:"alertname"`
	ExpAlerts []expectedOnce `json:"exp_alerts"`
}

type expectedOnce struct {
	ExpLabels map[string]string `json:"exp_labels"`
}

type scenario struct {
	Name          string        `json:"name"`
	Interval      string        `json:"interval"`
	InputSeries   []input       `json:"input_series"`
	AlertRuleTest []expectation `json:"alert_rule_test"`
	PromQLTest    []promQLTest  `json:"promql_expr_test,omitempty"`
}

// promQLTest says what a query gives.
type promQLTest struct {
	Expr       string   `json:"expr"`
	EvalTime   string   `json:"eval_time"`
	ExpSamples []sample `json:"exp_samples"`
}

type sample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

// Of single connections nothing is left but their sum, for each node and network service;
// and what others call the same is no forwarder's.
func TestForwardersTrafficIsAddedUp(t *testing.T) {
	t.Parallel()
	var scenarios []scenario
	for _, side := range []string{"client", "server"} {
		for _, what := range []string{"rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "drops"} {
			metric := side + "_" + what
			connection := func(labels, values string) input {
				return input{metric + `_total{mesh="mesh",mesh_namespace="nsm",pod="forwarder-1",nsc="client",nsc_interface="a",nse_interface="b",` + labels + `}`, values}
			}
			recorded := "mesh_node_network_service:nsm_forwarder_" + metric + ":rate10m"
			of := func(node, service string) string {
				return fmt.Sprintf(`%s{mesh="mesh",mesh_namespace="nsm",network_service=%q,node=%q}`, recorded, service, node)
			}
			scenarios = append(scenarios, scenario{
				Name: metric, Interval: "1m",
				InputSeries: []input{
					connection(`connection_id="1",network_service="icmp",node="one"`, "0+60x30"),
					connection(`connection_id="2",network_service="icmp",node="one"`, "0+120x30"),
					connection(`connection_id="3",network_service="vl3",node="one"`, "0+60x30"),
					connection(`connection_id="4",network_service="icmp",node="two"`, "0+60x30"),
					{metric + `_total{network_service="icmp",node="one"}`, "0+6000x30"},
				},
				AlertRuleTest: []expectation{},
				PromQLTest: []promQLTest{{Expr: recorded, EvalTime: "20m", ExpSamples: []sample{
					{of("one", "icmp"), 3}, {of("one", "vl3"), 1}, {of("two", "icmp"), 1},
				}}},
			})
		}
	}
	runScenarios(t, scenarios...)
}

// runScenarios has promtool run them, on the rules without their annotations, which it would
// want to be told word for word.
func runScenarios(t *testing.T, scenarios ...scenario) {
	t.Helper()
	directory := t.TempDir()
	rules := read(t)
	for i := range rules.Groups {
		for j := range rules.Groups[i].Rules {
			rules.Groups[i].Rules[j].Annotations = nil
		}
	}
	write(t, filepath.Join(directory, "rules.yaml"), rules)
	write(t, filepath.Join(directory, "test.yaml"), map[string]any{
		"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m", "tests": scenarios,
	})
	promtool(t, directory, "test", "rules", "test.yaml")
}

// expected reports whether an alert, and no other, fires at a minute: once.
func expected(t *testing.T, alert string, minute int, fires bool) []expectation {
	t.Helper()
	if !fires {
		return firing(t, minute)
	}
	return firing(t, minute, alert)
}

// firing tells which alerts fire at a minute, each once, and no others.
func firing(t *testing.T, minute int, names ...string) []expectation {
	t.Helper()
	all := alerts(t)
	var expectations []expectation
	for _, name := range slices.Sorted(maps.Keys(all)) {
		one := expectation{EvalTime: fmt.Sprintf("%dm", minute), AlertName: name, ExpAlerts: []expectedOnce{}}
		if slices.Contains(names, name) {
			labels := map[string]string{"severity": all[name].Labels["severity"]}
			if strings.Contains(all[name].Expr, "by (mesh, mesh_namespace)") {
				labels["mesh"], labels["mesh_namespace"] = "mesh", "nsm"
			}
			if strings.Contains(all[name].Expr, "by (namespace)") {
				labels["namespace"] = "nsm-operator-system"
			}
			one.ExpAlerts = []expectedOnce{{labels}}
		}
		expectations = append(expectations, one)
	}
	return expectations
}

// healthy are the operator's own series while all is well with it, so that only what a
// case is about fires.
func healthy(alert string, minutes int) []input {
	values := fmt.Sprintf("1x%d", minutes)
	up := input{`up{` + of("other") + `}`, values}
	leads := input{`leader_election_master_status{name="nsm-operator",` + of("other") + `}`, values}
	switch alert {
	case "NSMOperatorDown":
		return nil
	case "NSMOperatorWithoutLeader":
		return []input{up}
	default:
		return []input{up, leads}
	}
}

func (s series) at(instance string) string { return strings.ReplaceAll(s.metric, "INSTANCE", instance) }

// minutesOf a duration that an alert waits.
func minutesOf(t *testing.T, text string) int {
	t.Helper()
	var count int
	var unit string
	if _, err := fmt.Sscanf(text, "%d%s", &count, &unit); err != nil {
		t.Fatal(err)
	}
	if unit == "h" {
		count *= 60
	}
	return count
}

// Each alert fires when what it is about has lasted, no scrape earlier, as one alert
// through a gap in the scrapes and through a change of leader; and it clears.
func TestEachAlertFiresAndClears(t *testing.T) {
	t.Parallel()
	all := alerts(t)
	if got, want := slices.Sorted(maps.Keys(troubles)), slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Fatalf("cases for %v, alerts %v", got, want)
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const begins, gap = 20, 3
			wait := minutesOf(t, all[name].For)
			fires := begins + wait
			leads, ends := fires+10, fires+30
			before := []phase{{minutes: begins, good: true}, {minutes: fires + 2 - begins}, {minutes: gap, gap: true}, {minutes: leads - fires - 2 - gap}}
			after := []phase{{minutes: ends - leads}, {minutes: 60, good: true}}
			test := scenario{Name: name, Interval: "1m", InputSeries: healthy(name, ends+60)}
			for _, one := range trouble {
				test.InputSeries = append(test.InputSeries,
					input{one.at("first"), one.values(before) + " stale"},
					input{one.at("second"), strings.Repeat("_ ", leads) + one.values(after)})
			}
			for _, step := range []struct {
				minute int
				fires  bool
			}{{begins - 1, false}, {fires - 1, false}, {fires, true}, {fires + 4, true}, {leads - 1, true}, {leads + 1, true}, {ends - 1, true}, {ends + 30, false}} {
				test.AlertRuleTest = append(test.AlertRuleTest, expected(t, name, step.minute, step.fires)...)
			}
			runScenarios(t, test)
		})
	}
}

// combined has a mesh be well for some minutes and then have troubles for an hour.
func combined(t *testing.T, trouble ...series) scenario {
	t.Helper()
	const well, troubled = 10, 60
	test := scenario{Name: t.Name(), Interval: "1m", InputSeries: healthy("", well+troubled)}
	for _, one := range trouble {
		test.InputSeries = append(test.InputSeries, input{one.at("first"), one.values([]phase{{minutes: well, good: true}, {minutes: troubled}})})
	}
	return test
}

// What one alert tells no other one does: what they have in common is one fact. And two
// facts are two alerts.
func TestOneAlertAFact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trouble []series
		want    []string
	}{
		"one component down, pods of another missing": {
			slices.Concat(pods("nsm-registry", "3", "0"), pods("nsmgr", "3", "2")), []string{"NSMMeshDown"},
		},
		"down, and degraded for it": {slices.Concat(pods("nsmgr", "3", "0"), degraded("PodSecurity")), []string{"NSMMeshDown"}},
		"all forwarders up and not registered": {
			append(pods("forwarder-vpp", "3", "0"), unregistered("forwarder-vpp", "0", "3")), []string{"NSMMeshDown"},
		},
		"a change halted, with the pods that it took away": {
			slices.Concat(pods("nsmgr", "3", "2"), degraded("ProgressDeadlineExceeded")), []string{"NSMUpgradeHalted"},
		},
		"a change halted with a component down": {
			slices.Concat(pods("nsmgr", "3", "0"), degraded("ProgressDeadlineExceeded")), []string{"NSMMeshDown", "NSMUpgradeHalted"},
		},
		"pods missing, and something else wrong": {slices.Concat(pods("nsmgr", "3", "2"), degraded("Conflict")), []string{"NSMPodsMissing", "NSMDegraded"}},
		"one pod not registered, and one not ready": {
			append(pods("forwarder-vpp", "3", "1"), unregistered("forwarder-vpp", "0", "1")), []string{"NSMForwarderNotRegistered", "NSMPodsMissing"},
		},
		"pods of one forwarder not registered, of another not ready": {
			slices.Concat(pods("forwarder-vpp", "3", "2"), pods("forwarder-ovs", "3", "2"), []series{unregistered("forwarder-vpp", "0", "1"), unregistered("forwarder-ovs", "0", "0")}),
			[]string{"NSMForwarderNotRegistered", "NSMPodsMissing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := combined(t, c.trouble...)
			test.AlertRuleTest = slices.Concat(firing(t, 9), firing(t, 40, c.want...), firing(t, 69, c.want...))
			runScenarios(t, test)
		})
	}
}

// While pods are replaced one after the other, there is always one that has not registered
// yet. What is more than that is told.
func TestToleratedPodsNeedNotRegister(t *testing.T) {
	t.Parallel()
	rolling := func(ready, notRegistered string) []series {
		return []series{
			{ofMesh("nsm_mesh_component_pods_desired", `kind="DaemonSet",component="forwarder-vpp"`), "20", "20"},
			{ofMesh("nsm_mesh_component_pods_tolerated", `kind="DaemonSet",component="forwarder-vpp"`), "0", "2"},
			{ofMesh("nsm_mesh_component_pods_ready", `kind="DaemonSet",component="forwarder-vpp"`), "20", ready},
			unregistered("forwarder-vpp", "0", notRegistered),
		}
	}
	for name, c := range map[string]struct {
		ready, unregistered string
		want                []string
	}{
		"as many as are replaced": {"18", "2", nil},
		"one more":                {"17", "3", []string{"NSMForwarderNotRegistered"}},
		"others not ready":        {"15", "2", []string{"NSMPodsMissing"}},
		"both":                    {"12", "4", []string{"NSMForwarderNotRegistered", "NSMPodsMissing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := combined(t, rolling(c.ready, c.unregistered)...)
			test.AlertRuleTest = firing(t, 40, c.want...)
			runScenarios(t, test)
		})
	}
}

// Each way in which the API server counts that it could not call a webhook is heard of, for
// each webhook that is meant; and those of others are not.
func TestWebhooksThatCannotBeCalled(t *testing.T) {
	t.Parallel()
	conversion := func(definition, succeeded string) []series {
		return []series{{`apiserver_crd_conversion_webhook_duration_seconds_count{crd_name="` + definition + `",succeeded="` + succeeded + `",instance="INSTANCE"}`, "+0", "+2"}}
	}
	for name, c := range map[string]struct {
		trouble []series
		fires   bool
	}{
		"the operator's refuses":           {rejected("defaults.nsm.networkservicemesh.io"), true},
		"the mesh's refuses":               {rejected("nsm-mutating-webhook.networkservicemesh.io"), true},
		"the operator's guard lets in":     {letIn("definition.nsm.networkservicemesh.io"), true},
		"the mesh's lets in":               {letIn("nsm-mutating-webhook.networkservicemesh.io"), true},
		"conversion fails":                 {conversion("nsms.nsm.networkservicemesh.io", "false"), true},
		"somebody else's refuses":          {rejected("validation.example.com"), false},
		"somebody else's lets in":          {letIn("validation.example.com"), false},
		"a pod that did not ask is let in": {letIn("namespaces.nsm-mutating-webhook.networkservicemesh.io"), false},
		"conversion of others fails":       {conversion("others.example.com", "false"), false},
		"conversion works":                 {conversion("nsms.nsm.networkservicemesh.io", "true"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := combined(t, c.trouble...)
			test.AlertRuleTest = slices.Concat(firing(t, 9), expected(t, "NSMWebhookUnreachable", 30, c.fires))
			runScenarios(t, test)
		})
	}
}

// count is a counter, minute by minute, that goes up in certain ones.
func count(metric string, minutes int, isIn func(minute int) bool) input {
	var values []string
	total := 0
	for minute := range minutes {
		if isIn(minute) {
			total++
		}
		values = append(values, fmt.Sprint(total))
	}
	return input{metric, strings.Join(values, " ")}
}

// A webhook is told of while its calls fail and a while after, without a pause where they
// are rare, and not for one call.
func TestWebhooksThatAreBackAreNotTold(t *testing.T) {
	t.Parallel()
	const minutes = 90
	between := func(first, last int) func(int) bool {
		return func(minute int) bool { return minute >= first && minute < last }
	}
	never, always := between(0, 0), between(0, minutes)
	every := func(n int) func(int) bool { return func(minute int) bool { return minute >= 10 && minute%n == 0 } }
	for name, c := range map[string]struct {
		// failed and succeeded tell in which minutes there is such a call.
		failed, succeeded func(minute int) bool
		// others succeed through another API server.
		others func(minute int) bool
		// fires from a minute on, and is over by another one; 0 for never.
		fires, over int
	}{
		"one call, and then none":                  {between(10, 11), never, never, 0, 0},
		"one call among others":                    {between(10, 11), always, never, 0, 0},
		"a few calls, and then those that succeed": {between(10, 30), between(30, minutes), never, 16, 36},
		"a few calls, and then none":               {between(10, 30), never, never, 16, 42},
		"through one API server alone":             {between(10, minutes), never, always, 16, minutes},
		"rare calls that fail all":                 {every(4), never, never, 21, minutes},
		"calls of which half fail":                 {every(2), func(minute int) bool { return !every(2)(minute) }, never, 17, minutes},
	} {
		for kind, metrics := range map[string]struct{ failed, succeeded string }{
			"admission": {
				`apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="validation.nsm.networkservicemesh.io",type="validating",instance="%s"}`,
				`apiserver_admission_webhook_request_total{code="200",rejected="false",name="validation.nsm.networkservicemesh.io",type="validating",instance="%s"}`,
			},
			"conversion": {
				`apiserver_crd_conversion_webhook_duration_seconds_count{crd_name="nsms.nsm.networkservicemesh.io",succeeded="false",instance="%s"}`,
				`apiserver_crd_conversion_webhook_duration_seconds_count{crd_name="nsms.nsm.networkservicemesh.io",succeeded="true",instance="%s"}`,
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				test := scenario{Name: t.Name(), Interval: "1m", InputSeries: append(healthy("", minutes),
					count(fmt.Sprintf(metrics.failed, "first"), minutes, c.failed),
					count(fmt.Sprintf(metrics.succeeded, "first"), minutes, c.succeeded),
					count(fmt.Sprintf(metrics.succeeded, "second"), minutes, c.others),
				)}
				for minute := range minutes {
					if c.fires == 0 || minute < c.fires-1 || minute >= c.over {
						test.AlertRuleTest = append(test.AlertRuleTest, expected(t, "NSMWebhookUnreachable", minute, false)...)
					} else if minute > c.fires && minute < c.over-2 {
						test.AlertRuleTest = append(test.AlertRuleTest, expected(t, "NSMWebhookUnreachable", minute, true)...)
					}
				}
				runScenarios(t, test)
			})
		}
	}
}
