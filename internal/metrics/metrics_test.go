// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package metrics_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// collector has Prometheus' own client look at the samples: it refuses a series that
// is there twice, and labels that do not fit.
type collector []metrics.Mesh

func (collector) Describe(all chan<- *prometheus.Desc) {
	for _, one := range metrics.Descriptions() {
		all <- one
	}
}

func (c collector) Collect(all chan<- prometheus.Metric) {
	for _, one := range c {
		for _, sample := range one.Samples() {
			all <- sample
		}
	}
}

func component(kind, name string, desired, updated, ready int32) nsmv1beta1.ComponentStatus {
	return nsmv1beta1.ComponentStatus{Kind: kind, Name: name, Desired: &desired, Updated: &updated, Ready: &ready}
}

// rolling is a mesh in the middle of a change of release.
func rolling() metrics.Mesh {
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "mesh"}}
	nsm.Spec.Version = "v1.18.0"
	nsm.Spec.Upgrade = &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(intstr.FromString("25%"))}
	nsm.Status = nsmv1beta1.NSMStatus{
		Version: "v1.17.0",
		Conditions: []metav1.Condition{
			{Type: nsmv1beta1.ConditionAvailable, Status: metav1.ConditionFalse, Reason: "NotReady"},
			{Type: nsmv1beta1.ConditionProgressing, Status: metav1.ConditionTrue, Reason: "RollingOut"},
		},
		Components: []nsmv1beta1.ComponentStatus{
			component("Deployment", "nsm-registry", 1, 1, 1), component("DaemonSet", "forwarder-vpp", 10, 4, 7),
		},
		StaleClients: ptr.To[int32](5),
	}
	return metrics.Mesh{NSM: nsm, Observed: metrics.Observed{
		Contested: 2, Unregistered: map[string]int32{"forwarder-vpp": 1}, CertificateEnds: time.Unix(1_800_000_000, 0),
		Stage: mesh.RoleForwarder, StageBegan: time.Unix(1_700_000_000, 0),
	}}
}

const exposed = `
# HELP nsm_mesh_info Always 1: the NSM release that the mesh runs, in version, and the one that it shall run, in target.
# TYPE nsm_mesh_info gauge
nsm_mesh_info{mesh="mesh",mesh_namespace="nsm",target="v1.18.0",version="v1.17.0"} 1
# HELP nsm_mesh_condition Always 1: the conditions of the NSM, as its status has them.
# TYPE nsm_mesh_condition gauge
nsm_mesh_condition{condition="Available",mesh="mesh",mesh_namespace="nsm",reason="NotReady",status="False"} 1
nsm_mesh_condition{condition="Progressing",mesh="mesh",mesh_namespace="nsm",reason="RollingOut",status="True"} 1
# HELP nsm_mesh_component_pods_tolerated Pods of a component that may be missing right now: all until the mesh has been available once; of a DaemonSet, spec.upgrade.maxUnavailable while a change replaces its pods one after the other, until none is left to replace or the change is overdue; else 0.
# TYPE nsm_mesh_component_pods_tolerated gauge
nsm_mesh_component_pods_tolerated{component="forwarder-vpp",kind="DaemonSet",mesh="mesh",mesh_namespace="nsm"} 3
nsm_mesh_component_pods_tolerated{component="nsm-registry",kind="Deployment",mesh="mesh",mesh_namespace="nsm"} 0
# HELP nsm_mesh_component_pods_unregistered Pods of a forwarder that the kubelet calls ready, and that have no live NetworkServiceEndpoint in the registry: they take no requests.
# TYPE nsm_mesh_component_pods_unregistered gauge
nsm_mesh_component_pods_unregistered{component="forwarder-vpp",mesh="mesh",mesh_namespace="nsm"} 1
# HELP nsm_mesh_contested_objects Objects of the mesh that somebody else keeps changing, and that the operator puts back with growing pauses.
# TYPE nsm_mesh_contested_objects gauge
nsm_mesh_contested_objects{mesh="mesh",mesh_namespace="nsm"} 2
# HELP nsm_mesh_stale_clients Running pods with another client (cmd-nsc) than the one that the mesh's admission webhook injects now. Absent until they have been counted.
# TYPE nsm_mesh_stale_clients gauge
nsm_mesh_stale_clients{mesh="mesh",mesh_namespace="nsm"} 5
# HELP nsm_mesh_certificate_not_after_timestamp_seconds When the certificate of the mesh's admission webhook ends, in seconds since 1970. The operator renews it 90 days before.
# TYPE nsm_mesh_certificate_not_after_timestamp_seconds gauge
nsm_mesh_certificate_not_after_timestamp_seconds{mesh="mesh",mesh_namespace="nsm"} 1.8e+09
`

func TestSamplesOfAMesh(t *testing.T) {
	t.Parallel()
	names := []string{
		"nsm_mesh_info", "nsm_mesh_condition", "nsm_mesh_component_pods_tolerated", "nsm_mesh_component_pods_unregistered",
		"nsm_mesh_contested_objects", "nsm_mesh_stale_clients", "nsm_mesh_certificate_not_after_timestamp_seconds",
	}
	if err := testutil.CollectAndCompare(collector{rolling()}, strings.NewReader(exposed), names...); err != nil {
		t.Error(err)
	}
	for name, want := range map[string][]float64{"desired": {10, 1}, "updated": {4, 1}, "ready": {7, 1}} {
		if got := valuesOf(t, "nsm_mesh_component_pods_"+name, rolling()); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// What the other tests compare has a sample of each metric of a mesh.
func TestSamplesHaveEveryMetricOfAMesh(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, sample := range rolling().Samples() {
		seen[sample.Desc().String()] = true
	}
	for _, metric := range metrics.Descriptions() {
		if !seen[metric.String()] {
			t.Errorf("no sample of %s", metric)
		}
	}
}

// valuesOf a metric, in the order of their labels.
func valuesOf(t *testing.T, name string, meshes ...metrics.Mesh) []float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(collector(meshes)); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var values []float64
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			values = append(values, series.GetGauge().GetValue())
		}
	}
	return values
}

// How many pods may be missing: an alert goes by it through a long change.
func TestTolerated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*nsmv1beta1.NSM)
		want   []float64
	}{
		"while pods are replaced":                  {func(*nsmv1beta1.NSM) {}, []float64{3, 0}},
		"by default one":                           {func(nsm *nsmv1beta1.NSM) { nsm.Spec.Upgrade = nil }, []float64{1, 0}},
		"what cannot be read counts as 1":          {func(nsm *nsmv1beta1.NSM) { nsm.Spec.Upgrade.MaxUnavailable = ptr.To(intstr.FromString("many")) }, []float64{1, 0}},
		"no more than there are":                   {func(nsm *nsmv1beta1.NSM) { nsm.Spec.Upgrade.MaxUnavailable = ptr.To(intstr.FromInt32(99)) }, []float64{10, 0}},
		"none when nothing is changed":             {func(nsm *nsmv1beta1.NSM) { nsm.Status.Conditions[1].Status = metav1.ConditionFalse }, []float64{0, 0}},
		"none once all pods are new":               {func(nsm *nsmv1beta1.NSM) { nsm.Status.Components[1].Updated = ptr.To[int32](10) }, []float64{0, 0}},
		"none while a write is refused":            {func(nsm *nsmv1beta1.NSM) { nsm.Status.Conditions[1].Reason = nsmv1beta1.ReasonRetrying }, []float64{0, 0}},
		"none before images are pulled":            {func(nsm *nsmv1beta1.NSM) { nsm.Status.Conditions[1].Reason = nsmv1beta1.ReasonPullingImages }, []float64{0, 0}},
		"none of a change that is overdue":         {degradedFor(nsmv1beta1.ReasonProgressDeadlineExceeded), []float64{0, 0}},
		"in a rollback as in the change":           {degradedFor(nsmv1beta1.ReasonRolledBack), []float64{3, 0}},
		"none of a Deployment without its new pod": {func(nsm *nsmv1beta1.NSM) { nsm.Status.Components[0].Updated = ptr.To[int32](0) }, []float64{3, 0}},
		"all before it has been up":                {func(nsm *nsmv1beta1.NSM) { nsm.Status.Version = "" }, []float64{10, 1}},
	} {
		m := rolling()
		c.change(m.NSM)
		if got := valuesOf(t, "nsm_mesh_component_pods_tolerated", m); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// degradedFor has a mesh be degraded for a reason.
func degradedFor(reason string) func(*nsmv1beta1.NSM) {
	return func(nsm *nsmv1beta1.NSM) {
		nsm.Status.Conditions = append(nsm.Status.Conditions, metav1.Condition{
			Type: nsmv1beta1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: reason,
		})
	}
}

// A stage has one series, while it runs.
func TestStageThatRuns(t *testing.T) {
	t.Parallel()
	const name, help = "nsm_mesh_stage_start_timestamp_seconds", "When the stage of a change of release that runs now has begun, in seconds since 1970, " +
		"by the role of the workload; image-pull while nodes get the new images. Absent when none runs."
	for what, c := range map[string]struct {
		change func(*metrics.Mesh)
		stage  string
		began  string
	}{
		"of a workload": {func(*metrics.Mesh) {}, "forwarder", "1.7e+09"},
		"of images": {func(m *metrics.Mesh) {
			m.NSM.Status.Conditions[1].Reason = nsmv1beta1.ReasonPullingImages
			m.NSM.Status.Conditions[1].LastTransitionTime = metav1.NewTime(time.Unix(1_600_000_000, 0))
		}, "image-pull", "1.6e+09"},
		"none, once the status says so":  {func(m *metrics.Mesh) { m.NSM.Status.Conditions[1].Status = metav1.ConditionFalse }, "", ""},
		"none, in a change without any":  {func(m *metrics.Mesh) { m.Observed = metrics.Observed{} }, "", ""},
		"none, of an NSM without status": {func(m *metrics.Mesh) { m.NSM.Status.Conditions = nil }, "", ""},
	} {
		m := rolling()
		c.change(&m)
		want := ""
		if c.stage != "" {
			want = fmt.Sprintf("# HELP %s %s\n# TYPE %s gauge\n%s{mesh=\"mesh\",mesh_namespace=\"nsm\",stage=%q} %s\n", name, help, name, name, c.stage, c.began)
		}
		if err := testutil.CollectAndCompare(collector{m}, strings.NewReader(want), name); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Prometheus' own rules for names, units and help.
func TestMetricsAreNamedAsPrometheusWantsThem(t *testing.T) {
	t.Parallel()
	metrics.Repairs.WithLabelValues("mesh", "nsm", "DaemonSet").Inc()
	metrics.Conversions.WithLabelValues("v1beta1", metrics.Converted).Inc()
	metrics.StageDuration.WithLabelValues("nsmgr").Observe(30)
	metrics.WebhooksRepaired.WithLabelValues("CustomResourceDefinition").Inc()
	problems, err := testutil.CollectAndLint(collector{rolling()})
	if err != nil {
		t.Fatal(err)
	}
	own := func(name string) bool { return strings.HasPrefix(name, "nsm_") }
	var ownNames []string
	families, err := crmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if own(family.GetName()) {
			ownNames = append(ownNames, family.GetName())
		}
	}
	more, err := testutil.GatherAndLint(crmetrics.Registry, ownNames...)
	if err != nil {
		t.Fatal(err)
	}
	if problems = append(problems, more...); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
	if len(ownNames) != 5 {
		t.Errorf("%v: want the five that are written as things happen", ownNames)
	}
}

// The number of series does not grow with nodes.
func TestSeriesDoNotGrowWithNodes(t *testing.T) {
	t.Parallel()
	few, many := rolling(), rolling()
	many.NSM.Status.Components[1] = component("DaemonSet", "forwarder-vpp", 1000, 400, 900)
	if len(few.Samples()) != len(many.Samples()) {
		t.Errorf("%d series for 10 nodes, %d for 1000", len(few.Samples()), len(many.Samples()))
	}
}

// Two meshes in one cluster share no series, and an NSM without any status has two.
func TestMeshesAreToldApart(t *testing.T) {
	t.Parallel()
	other := rolling()
	other.NSM = other.NSM.DeepCopy()
	other.NSM.Namespace = "other"
	if got := valuesOf(t, "nsm_mesh_info", rolling(), other); !slices.Equal(got, []float64{1, 1}) {
		t.Errorf("%v", got)
	}
	bare := metrics.Mesh{NSM: &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "bare"}}}
	if got := len(bare.Samples()); got != 2 {
		t.Errorf("%d series", got)
	}
}

// docs/metrics.md has the table as it is generated.
func TestDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	const path = "../../docs/metrics.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- generated: metrics -->\n", "<!-- end -->\n"
	before, rest, found := strings.Cut(string(page), begin)
	table, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %q ... %q", path, begin, end)
	}
	if table == metrics.Markdown() {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatalf("%s is not current: make golden", path)
	}
	written := fmt.Sprintf("%s%s%s%s%s", before, begin, metrics.Markdown(), end, after)
	if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
}
