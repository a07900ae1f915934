// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package perf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BenchmarkSupport measures what "kubectl nsm support" takes for a mesh on many nodes,
// none of which is ready, so that all of its pods are gathered.
func BenchmarkSupport(b *testing.B) {
	if b.N > 1 {
		b.Skip("once says it: -benchtime 1x")
	}
	const nodes = 1000
	table := &results{}
	defer table.print()
	b.Cleanup(func() { b.ReportMetric(0, "ns/op") })
	c := startCluster(b)
	c.makeNodes(b, nodes)

	archive := filepath.Join(b.TempDir(), "support.tar.gz")
	command := exec.Command(filepath.Join(root, "bin", "kubectl-nsm"), "support", "--kubeconfig", c.kubeconfig(), "--archive", archive)
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	begin := time.Now()
	must(b, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	peak := peakMiB(command.Process.Pid, ended)
	// 1: neither the nodes nor the operator are really there.
	if command.ProcessState.ExitCode() != 1 {
		b.Fatal(output.String())
	}
	table.add(fmt.Sprintf("support data of %d nodes", nodes), "<= 5 min", seconds(time.Since(begin)))
	table.add("  memory (resident, at most)", "<= 64 MiB", fmt.Sprintf("%d MiB", peak))
}

// peakMiB is the most memory that a process has taken, until shortly before its end. What
// the kernel tells afterwards includes that of the process which has started it.
func peakMiB(process int, ended <-chan error) (peak int) {
	looks := time.NewTicker(20 * time.Millisecond)
	defer looks.Stop()
	for {
		select {
		case <-ended:
			return peak
		case <-looks.C:
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
			if err != nil {
				continue
			}
			var kib int
			_, after, _ := strings.Cut(string(status), "VmHWM:")
			if _, err := fmt.Sscan(after, &kib); err == nil {
				peak = kib >> 10
			}
		}
	}
}

// makeNodes makes nodes that nobody simulates, each with a manager and two forwarders of
// usual size.
func (c *cluster) makeNodes(b *testing.B, nodes int) {
	b.Helper()
	must(b, c.client.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "many"}}))
	var group errgroup.Group
	group.SetLimit(16)
	for n := range nodes {
		name := fmt.Sprintf("many-%d", n)
		group.Go(func() error {
			for _, component := range []string{"nsmgr", "forwarder-vpp", "forwarder-ovs"} {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
					Namespace: "many", Name: component + "-" + name,
					Labels:      map[string]string{"app.kubernetes.io/managed-by": "nsm-operator"},
					Annotations: map[string]string{"example.com/size": strings.Repeat("some text ", 400)},
				}}
				pod.Spec.NodeName = name
				container := corev1.Container{Name: component, Image: "ghcr.io/networkservicemesh/cmd-" + component + ":v1.18.0"}
				for i := range 30 {
					container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("NSM_VARIABLE_%d", i), Value: "tcp://registry.nsm:5002"})
				}
				pod.Spec.Containers = []corev1.Container{container}
				if err := c.client.Create(b.Context(), pod); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(b, group.Wait())
}
