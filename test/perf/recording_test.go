// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package perf

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// sampleEvery is how often the operator is asked for its metrics. In test/prometheus a
// sample stands for a minute, or for some.
const sampleEvery = time.Second

// BenchmarkRecording records what the operator tells Prometheus while meshes are installed,
// change and lose a node, into the directory RECORD. test/prometheus replays that.
func BenchmarkRecording(b *testing.B) {
	ctrl.SetLogger(zap.New(zap.WriteTo(&bytes.Buffer{})))
	directory := os.Getenv("RECORD")
	if directory == "" {
		b.Fatal("RECORD: must be a directory to write to")
	}
	b.Run("3-nodes", func(b *testing.B) {
		// Pods that take minutes.
		r := startRecorder(b, directory, 3, "--pod-start=3s")
		r.record(b, "install-3-nodes", r.install)
		r.record(b, "upgrade-3-nodes", r.upgrade)
		r.record(b, "node-reboot", r.reboot)
		r.record(b, "operator-upgrade", r.upgradeOperator)
		r.record(b, "rollback", r.rollBack)
	})
	b.Run("100-nodes", func(b *testing.B) {
		r := startRecorder(b, directory, 100, "--pod-start=1s")
		r.record(b, "install-100-nodes", r.install)
		r.record(b, "upgrade-100-nodes", r.upgrade)
	})
}

// recorder is an operator with a mesh, and what is read of its metrics.
type recorder struct {
	*scale
	directory  string
	kubeconfig string
	http       *http.Client
	token      string
	// operator that runs, and how many have been started.
	operator *manager
	started  int

	mu sync.Mutex
	// address of the operator that is asked, and what Prometheus calls it.
	address, instance string
	// samples so far, and the values of each series.
	samples int
	series  map[string][]string
}

func startRecorder(b *testing.B, directory string, nodes int, flags ...string) *recorder {
	b.Helper()
	r := &recorder{
		scale:     &scale{cluster: startCluster(b, append(flags, "--nodes", strconv.Itoa(nodes))...), nodes: nodes},
		directory: directory,
		http: &http.Client{Timeout: sampleEvery, Transport: &http.Transport{
			// The operator signs it itself, as for Prometheus.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}},
	}
	r.kubeconfig = r.operatorKubeconfig(b)
	config, err := clientcmd.LoadFromFile(r.kubeconfig)
	must(b, err)
	for _, user := range config.AuthInfos {
		r.token = user.Token
	}
	r.startOperator(b)
	return r
}

// startOperator starts one.
func (r *recorder) startOperator(b *testing.B) {
	b.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(b))
	r.started++
	r.ask(address, fmt.Sprintf("operator-%d", r.started))
	r.operator = r.startManagerAs(b, r.kubeconfig, "--leader-elect=true", "--metrics-bind-address="+address)
}

// ask the operator at an address from now on, which is an instance to Prometheus; "" for
// none.
func (r *recorder) ask(address, instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address, r.instance = address, instance
}

// record what goes on while something is done, with some samples before and after.
func (r *recorder) record(b *testing.B, name string, do func(*testing.B)) {
	b.Helper()
	r.mu.Lock()
	r.samples, r.series = 0, map[string][]string{}
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(b.Context())
	var recording sync.WaitGroup
	recording.Go(func() {
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			r.sample(ctx)
			<-ticker.C
		}
	})
	r.pass(b, 5)
	do(b)
	r.pass(b, 20)
	cancel()
	recording.Wait()
	r.write(b, name)
}

// pass waits until there are some more samples.
func (r *recorder) pass(b *testing.B, more int) {
	b.Helper()
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.samples
	}
	until := count() + more
	r.wait(b, func(context.Context) bool { return count() >= until })
}

// sample reads the metrics once.
func (r *recorder) sample(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	values, err := r.read(ctx)
	target := map[string]string{"instance": r.instance, "job": "nsm-operator-metrics"}
	switch {
	case err == nil:
		values[seriesOf("up", target)] = "1"
	case r.instance != "":
		values = map[string]string{seriesOf("up", target): "0"}
	}
	for series := range values {
		if r.series[series] == nil {
			r.series[series] = slices.Repeat([]string{"_"}, r.samples)
		}
	}
	for series, so := range r.series {
		value, isThere := values[series]
		switch {
		case isThere:
		case len(so) > 0 && so[len(so)-1] != "_" && so[len(so)-1] != "stale":
			value = "stale"
		default:
			value = "_"
		}
		r.series[series] = append(so, value)
	}
	r.samples++
}

// read the metrics of the operator's own, but for histograms, and who leads.
func (r *recorder) read(ctx context.Context) (map[string]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.address+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	response, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for name, family := range families {
		if !strings.HasPrefix(name, "nsm_") && name != "leader_election_master_status" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if metric.GetHistogram() != nil {
				continue
			}
			labels := map[string]string{"instance": r.instance, "job": "nsm-operator-metrics"}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			values[seriesOf(name, labels)] = strconv.FormatFloat(metric.GetGauge().GetValue()+metric.GetCounter().GetValue(), 'f', -1, 64)
		}
	}
	return values, nil
}

// seriesOf is how promtool writes a series.
func seriesOf(name string, labels map[string]string) string {
	var all []string
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, fmt.Sprintf("%s=%q", label, labels[label]))
	}
	return name + "{" + strings.Join(all, ",") + "}"
}

// write the series as promtool reads them.
func (r *recorder) write(b *testing.B, name string) {
	b.Helper()
	type input struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	var inputs []input
	for _, series := range slices.Sorted(maps.Keys(r.series)) {
		inputs = append(inputs, input{series, shortened(r.series[series])})
	}
	text, err := yaml.Marshal(inputs)
	must(b, err)
	begin := "# Recorded from the operator by make record-metrics, a sample a second: not to be edited.\n"
	must(b, os.WriteFile(filepath.Join(r.directory, name+".yaml"), append([]byte(begin), text...), 0o600))
}

// shortened values: what is there several times is written once, with how often it is
// there again.
func shortened(values []string) string {
	var runs []string
	for i := 0; i < len(values); {
		j := i
		for j < len(values) && values[j] == values[i] {
			j++
		}
		switch {
		case j-i == 1 || values[i] == "stale":
			runs = append(runs, values[i:j]...)
		case values[i] == "_":
			runs = append(runs, fmt.Sprintf("_x%d", j-i))
		default:
			runs = append(runs, fmt.Sprintf("%sx%d", values[i], j-i-1))
		}
		i = j
	}
	return strings.Join(runs, " ")
}

// install the mesh in the older release.
func (r *recorder) install(b *testing.B) {
	b.Helper()
	nsm := newMesh()
	nsm.Spec = nsmv1beta1.NSMSpec{Version: older}
	must(b, r.client.Create(b.Context(), nsm))
	r.settle(b, func(nsm *nsmv1beta1.NSM) bool { return nsm.Status.Version == older })
}

// upgrade it to the newer one, with the defaults: images first, and then one node after
// the other.
func (r *recorder) upgrade(b *testing.B) {
	b.Helper()
	r.edit(b, func(spec *nsmv1beta1.NSMSpec) { spec.Version = newer })
	r.settle(b, func(nsm *nsmv1beta1.NSM) bool { return nsm.Status.Version == newer })
}

// reboot the registry's node: its pods are not ready for a while, and then there are others.
func (r *recorder) reboot(b *testing.B) {
	b.Helper()
	pods := r.neighbours(b, "nsm-registry")
	for i := range pods {
		before := client.MergeFrom(pods[i].DeepCopy())
		for j := range pods[i].Status.Conditions {
			if condition := &pods[i].Status.Conditions[j]; condition.Type == corev1.PodReady {
				condition.Status, condition.LastTransitionTime = corev1.ConditionFalse, metav1.Now()
			}
		}
		must(b, r.client.Status().Patch(b.Context(), &pods[i], before))
	}
	r.pass(b, 4)
	for i := range pods {
		must(b, gone(r.client.Delete(b.Context(), &pods[i])))
	}
	r.settle(b, func(*nsmv1beta1.NSM) bool { return true })
}

// neighbours are all pods of the mesh on the node of a workload's.
func (r *recorder) neighbours(b *testing.B, workload string) []corev1.Pod {
	b.Helper()
	var pods corev1.PodList
	must(b, r.client.List(b.Context(), &pods, client.InNamespace(namespace)))
	i := slices.IndexFunc(pods.Items, func(pod corev1.Pod) bool { return pod.Labels["app.kubernetes.io/name"] == workload })
	if i < 0 {
		b.Fatalf("no pod of %s", workload)
	}
	node := pods.Items[i].Spec.NodeName
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.Spec.NodeName != node })
}

// upgradeOperator replaces the operator by one that has other images for two parts of the
// mesh, as a newer operator has.
func (r *recorder) upgradeOperator(b *testing.B) {
	b.Helper()
	const image = "registry.example.com/cmd-nsmgr:rebuilt"
	r.ask("", "")
	r.operator.stop(b)
	r.pass(b, 2)
	b.Setenv("RELATED_IMAGE_CMD_NSMGR", image)
	r.startOperator(b)
	r.settle(b, func(*nsmv1beta1.NSM) bool {
		manager := &appsv1.DaemonSet{}
		must(b, r.client.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: "nsmgr"}, manager))
		return slices.ContainsFunc(manager.Spec.Template.Spec.Containers, func(c corev1.Container) bool { return c.Image == image })
	})
}

// rollBack has the operator take a change of release back that does not come up.
func (r *recorder) rollBack(b *testing.B) {
	b.Helper()
	r.edit(b, func(spec *nsmv1beta1.NSMSpec) {
		spec.Version = older
		spec.Upgrade = &nsmv1beta1.UpgradeSpec{
			PrePull: ptr.To(false), OnFailure: nsmv1beta1.UpgradeFailureRollback, ProgressDeadline: &metav1.Duration{Duration: 30 * time.Second},
		}
		spec.Forwarders = []nsmv1beta1.ForwarderSpec{{Type: nsmv1beta1.ForwarderTypeVPP}}
		spec.Forwarders[0].Image = "missing.invalid/cmd-forwarder-vpp:none"
	})
	r.wait(b, func(ctx context.Context) bool {
		degraded := meta.FindStatusCondition(r.nsm(ctx, b).Status.Conditions, nsmv1beta1.ConditionDegraded)
		return degraded != nil && degraded.Reason == nsmv1beta1.ReasonRolledBack
	})
	r.wait(b, func(ctx context.Context) bool { return isAvailable(r.nsm(ctx, b)) })
}

func (r *recorder) nsm(ctx context.Context, b *testing.B) *nsmv1beta1.NSM {
	b.Helper()
	nsm := newMesh()
	must(b, r.client.Get(ctx, client.ObjectKeyFromObject(nsm), nsm))
	return nsm
}

func (r *recorder) edit(b *testing.B, change func(*nsmv1beta1.NSMSpec)) {
	b.Helper()
	nsm := r.nsm(b.Context(), b)
	before := client.MergeFrom(nsm.DeepCopy())
	change(&nsm.Spec)
	must(b, r.client.Patch(b.Context(), nsm, before))
}

// settle waits until something holds, and the mesh is up with nothing left to do.
func (r *recorder) settle(b *testing.B, holds func(*nsmv1beta1.NSM) bool) {
	b.Helper()
	r.wait(b, func(ctx context.Context) bool {
		nsm := r.nsm(ctx, b)
		return holds(nsm) && nsm.Status.ObservedGeneration == nsm.Generation && isAvailable(nsm) &&
			meta.IsStatusConditionFalse(nsm.Status.Conditions, nsmv1beta1.ConditionProgressing)
	})
}
