// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package conversion_test measures what the second version of the API costs: in
// the webhook itself, and for whoever lists NSMs. It prints, and asserts nothing:
// what is fast enough depends on the machine.
package conversion_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// conversions that one measurement takes at least.
const conversions = 20_000

// BenchmarkReview answers reviews as the API server sends them: decoding,
// converting and encoding, without the network.
func BenchmarkReview(b *testing.B) {
	handler, err := webhooks.NewConversionHandler()
	NewWithT(b).Expect(err).NotTo(HaveOccurred())
	for _, direction := range []struct {
		to   string
		from func(namespace string) map[string]any
	}{
		{nsmv1beta1.GroupVersion.String(), flat},
		{nsmv1beta1.GroupVersion.String(), nested},
		{nsmv1alpha1.GroupVersion.String(), current},
	} {
		for _, objects := range []int{1, 1000, 10000} {
			sample := direction.from("mesh")
			name := fmt.Sprintf("from=%s/to=%s/objects=%d", sample["metadata"].(map[string]any)["name"], direction.to[len("nsm.networkservicemesh.io/"):], objects)
			b.Run(name, func(b *testing.B) { measure(b, handler, review(b, direction.to, direction.from, objects), objects) })
		}
	}
}

func measure(b *testing.B, handler http.Handler, body []byte, objects int) {
	b.Helper()
	g := NewWithT(b)
	done := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), cpuTime(b)
	for b.Loop() {
		for range max(conversions/objects, 2) {
			answer := httptest.NewRecorder()
			request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, webhooks.ConversionPath, bytes.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			handler.ServeHTTP(answer, request)
			g.Expect(answer.Code).To(Equal(http.StatusOK))
			done += objects
		}
	}
	elapsed, used := time.Since(began), cpuTime(b)-cpu
	runtime.ReadMemStats(&after)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(done)/elapsed.Seconds(), "conversions/s")
	b.ReportMetric(float64(used.Microseconds())/float64(done), "cpu-µs/conversion")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(done), "B/conversion")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(done), "allocs/conversion")
}

// cpuTime of the process: what others do on the machine does not count.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	NewWithT(b).Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &usage)).To(Succeed())
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func review(b *testing.B, to string, from func(string) map[string]any, objects int) []byte {
	b.Helper()
	g := NewWithT(b)
	request := &apiextensionsv1.ConversionRequest{UID: "1", DesiredAPIVersion: to}
	for n := range objects {
		raw, err := json.Marshal(from(fmt.Sprint("mesh-", n)))
		g.Expect(err).NotTo(HaveOccurred())
		request.Objects = append(request.Objects, apiruntime.RawExtension{Raw: raw})
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request,
	})
	g.Expect(err).NotTo(HaveOccurred())
	return body
}

// flat is an NSM of the first releases.
func flat(namespace string) map[string]any {
	return object(nsmv1alpha1.GroupVersion.String(), namespace, "flat", map[string]any{
		"tag": "v1.0.0", "nsmPullPolicy": "IfNotPresent", "registry": "ghcr.io", "organization": "networkservicemesh",
		"registryMemoryImage": "cmd-registry-memory", "nsmgrImage": "cmd-nsmgr",
		"forwardingPlaneName": "vpp", "forwardingPlaneImage": "cmd-forwarder-vpp",
	})
}

// nested is one of the releases after.
func nested(namespace string) map[string]any {
	return object(nsmv1alpha1.GroupVersion.String(), namespace, "nested", map[string]any{
		"version": "v1.9.0", "nsmPullPolicy": "IfNotPresent", "nsmLogLevel": "DEBUG",
		"registry": map[string]any{"type": "k8s", "replicaCount": int64(1), "image": "ghcr.io/networkservicemesh/cmd-registry-k8s:v1.9.0"},
		"nsmgr":    map[string]any{"image": "ghcr.io/networkservicemesh/cmd-nsmgr:v1.9.0"},
		"forwarders": []any{map[string]any{
			"type": "vpp", "name": "forwarder-vpp", "image": "ghcr.io/networkservicemesh/cmd-forwarder-vpp:v1.9.0",
			"envVars": []any{map[string]any{"name": "NSM_LOG_LEVEL", "value": "TRACE"}},
		}},
	})
}

// current is one of today, with much that the older version cannot say.
func current(namespace string) map[string]any {
	nodes := map[string]any{"nodeSelector": map[string]any{"kubernetes.io/os": "linux"}}
	return object(nsmv1beta1.GroupVersion.String(), namespace, "current", map[string]any{
		"version":  "v1.18.0",
		"logLevel": "DEBUG",
		"nsmgr":    nodes,
		"forwarders": []any{
			map[string]any{"type": "vpp", "name": "forwarder-vpp", "nodeSelector": map[string]any{"kubernetes.io/os": "linux"}},
		},
		"telemetry": map[string]any{"openTelemetry": map[string]any{"endpoint": "otel-collector.observability:4317"}},
	})
}

func object(apiVersion, namespace, name string, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": apiVersion, "kind": "NSM",
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"spec":     spec,
	}
}
