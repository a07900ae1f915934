// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package perf

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

// hostileObjects is how many objects of one kind there are when the operator
// starts.
const hostileObjects = 10_000

// BenchmarkHostile measures the memory of an operator that starts in a cluster
// with ten thousand NSMs whose annotations, or specs, somebody has written to do
// harm, and looks at all of them; beside as many with an annotation of the same
// size that means nothing.
func BenchmarkHostile(b *testing.B) {
	unreadable := `{"v1alpha1":{"spec":{"nsmgr":{"envVars":[` + strings.Repeat(`{"name":1},`, 1400) + `1]}}}}`
	difference := `{"path":[".spec",".forwarders","#forwarder-vpp",".env","#A"],"is":[{"name":"A"}]}`
	differences := `{"v1beta1":[` + strings.Repeat(difference+",", 180) + difference + `]}`
	large := map[string]string{}
	for n := range 60 {
		large[fmt.Sprint("example.com/note-", n)] = strings.Repeat("x", 230)
	}
	for _, kind := range []struct {
		name   string
		change func(*nsmv1beta1.NSM)
	}{
		{"honest", func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{"example.com/note": unreadable} }},
		{"unreadable", func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{conversion.Annotation: unreadable} }},
		{"differences", func(nsm *nsmv1beta1.NSM) { nsm.Annotations = map[string]string{conversion.Annotation: differences} }},
		{"spec", func(nsm *nsmv1beta1.NSM) { nsm.Spec.PodAnnotations = large }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				hostile(b, kind.change)
			}
		})
	}
}

func hostile(b *testing.B, change func(*nsmv1beta1.NSM)) {
	b.Helper()
	ctrl.SetLogger(logr.Discard())
	c := startCluster(b)
	// They came before the operator, or past its webhooks.
	for _, object := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-defaults"}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator-validation"}},
	} {
		must(b, gone(c.client.Delete(b.Context(), object)))
	}
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(16)
	for n := range hostileObjects {
		nsm := newMesh()
		nsm.Name = fmt.Sprint("mesh-", n)
		change(nsm)
		group.Go(func() error { return c.client.Create(ctx, nsm) })
	}
	must(b, group.Wait())
	c.configure(b)

	began := time.Now()
	m := c.startManager(b)
	c.untilJudged(b)
	b.ReportMetric(m.ready.Seconds(), "s-until-ready")
	b.ReportMetric(time.Since(began).Seconds(), "s-until-all-judged")
	b.ReportMetric(m.peakMiB(b), "MiB-peak")
	b.ReportMetric(0, "ns/op")
	m.stop(b)
}

// untilJudged waits until the operator has written something about each of the
// objects. A watch ends whenever the CRD changes.
func (c *cluster) untilJudged(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Minute)
	defer cancel()
	judged := map[string]bool{}
	for len(judged) < hostileObjects {
		watcher, err := c.client.Watch(ctx, &nsmv1beta1.NSMList{}, client.InNamespace(namespace))
		if apierrors.IsTooManyRequests(err) {
			// The CRD has changed, and its cache is being filled.
			<-time.After(100 * time.Millisecond)
			continue
		}
		must(b, err)
		for event := range watcher.ResultChan() {
			if nsm, isNSM := event.Object.(*nsmv1beta1.NSM); isNSM && len(nsm.Status.Conditions) > 0 {
				judged[nsm.Name] = true
			}
			if len(judged) == hostileObjects {
				break
			}
		}
		watcher.Stop()
	}
}

// peakMiB is the most memory that the operator has taken.
func (m *manager) peakMiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.command.Process.Pid))
	must(b, err)
	for line := range strings.Lines(string(status)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
