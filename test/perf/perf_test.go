// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package perf measures, on a local control plane, what the operator's speed
// goals are about, and prints it beside them. It asserts nothing: the figures
// depend on the machine, and what is compared is compared within one run.
package perf

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

const (
	// starts of the operator.
	starts = 5
	// meshes that are made by the operator, and as often by a bare client.
	meshes = 15
	// passes of the loop with nothing to do.
	passes = 1000
)

// BenchmarkOperator measures everything, once.
func BenchmarkOperator(b *testing.B) {
	if b.N > 1 {
		b.Skip("once says it: -benchtime 1x")
	}
	ctrl.SetLogger(zap.New(zap.WriteTo(io.Discard)))
	table := &results{}
	defer table.print()
	b.Cleanup(func() { b.ReportMetric(0, "ns/op") }) // the sum of all this means nothing

	table.add("second make run, until Available", "<= 30 s", seconds(measureRun(b)))

	c := startCluster(b)
	var started []time.Duration
	for range starts - 1 {
		m := c.startManager(b)
		started = append(started, m.ready)
		m.stop(b)
	}
	m := c.startManager(b)
	started = append(started, m.ready)
	table.add(fmt.Sprintf("operator start until ready, median of %d", starts), "< 1 s", seconds(median(started)))

	operator, applied, created := c.measureWaves(b)
	table.add(fmt.Sprintf("NSM stored until its last child is written, median of %d", meshes), "", milliseconds(median(operator)))
	table.add("  the same objects applied all at once by a bare client", "", milliseconds(median(applied)))
	table.add("  ratio", "<= 1.5", ratio(operator, applied))
	table.add("  the same objects created all at once by a bare client", "", milliseconds(median(created)))
	table.add("  ratio", "", ratio(operator, created))

	c.makeMesh(b)
	table.add("memory of the operator with one mesh (resident)", "", fmt.Sprintf("%d MiB", m.residentMiB(b)))
	m.stop(b)

	pass, allocated := c.measurePass(b)
	table.add("a pass of the loop with nothing to do", "", fmt.Sprintf("%.2f ms, %d KiB allocated", float64(pass.Microseconds())/1000, allocated>>10))
}

// results is the table that is printed.
type results struct{ rows [][3]string }

func (r *results) add(what, goal, measured string) {
	r.rows = append(r.rows, [3]string{what, measured, goal})
}

func (r *results) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "\nmeasured\t\tgoal")
	for _, row := range r.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row[0], row[1], row[2])
	}
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func ratio(one, other []time.Duration) string {
	return fmt.Sprintf("%.2f", float64(median(one))/float64(median(other)))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// must ends the benchmark at an error.
func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// gone ignores that an object is gone already.
func gone(err error) error { return client.IgnoreNotFound(err) }
