// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// hostileObjects is how many objects with one kind of annotation there are.
const hostileObjects = 10_000

// BenchmarkHostile converts objects whose annotations somebody has written to do
// harm, in reviews of 500, which is how the API server asks for a page, and then
// looks at them as the loop does. One of honest objects stands beside them.
func BenchmarkHostile(b *testing.B) {
	handler, err := webhooks.NewConversionHandler()
	NewWithT(b).Expect(err).NotTo(HaveOccurred())
	difference := `{"path":[".spec",".forwarders","#forwarder-vpp",".env","#A"],"is":[{"name":"A"}]}`
	for _, kind := range []struct{ name, annotation string }{
		{"honest", `{"v1beta1":[{"path":[".spec",".upgrade",".maxUnavailable"],"is":["20%"]}],"v1alpha1":{"spec":{"tag":"v1.9.0"}}}`},
		{"bomb", compressed(b, `{"v1alpha1":{"spec":"`+strings.Repeat("x", 16<<20)+`"}}`)},
		{"packed", compressed(b, `{"v1beta1":[`+strings.Repeat(difference+",", 190)+difference+`]}`)},
		{"differences", `{"v1beta1":[` + strings.Repeat(difference+",", 180) + difference + `]}`},
		{"values", `{"v1alpha1":{"spec":{"x":[` + strings.Repeat("[],", 5000) + `1]}}}`},
		{"deep", `{"v1alpha1":{"spec":` + strings.Repeat("[", 8000) + strings.Repeat("]", 8000) + `}}`},
		{"unreadable", `{"v1alpha1":{"spec":{"nsmgr":{"envVars":[` + strings.Repeat(`{"name":1},`, 1400) + `1]}}}}`},
	} {
		b.Run(kind.name, func(b *testing.B) { hostile(b, handler, kind.annotation) })
	}
}

func hostile(b *testing.B, handler http.Handler, annotation string) {
	b.Helper()
	const page = 500
	body := func(from func(string) map[string]any, to string) []byte {
		return review(b, to, func(namespace string) map[string]any {
			object := from(namespace)
			metadata, _ := object["metadata"].(map[string]any)
			metadata["annotations"] = map[string]any{conversion.Annotation: annotation}
			return object
		}, page)
	}
	up, down := body(nested, nsmv1beta1.GroupVersion.String()), body(current, nsmv1alpha1.GroupVersion.String())
	debug.FreeOSMemory()
	resetPeak(b)
	before := memory(b, "VmRSS:")
	for b.Loop() {
		// A list in v1alpha1; what is written in v1alpha1 comes one by one.
		b.ReportMetric(each(b, hostileObjects, func() {
			for range hostileObjects / page {
				answer(b, handler, down)
			}
		}), "cpu-µs/read")
		b.ReportMetric(each(b, page, func() { answer(b, handler, up) }), "cpu-µs/write")
		b.ReportMetric(each(b, hostileObjects, func() {
			for n := range hostileObjects {
				nsm := &nsmv1beta1.NSM{}
				// No two are the same, so that nothing has been looked at already.
				nsm.Annotations = map[string]string{conversion.Annotation: annotation + strings.Repeat(" ", n%5000)}
				conversion.Unreadable(nsm)
				conversion.Unknown(nsm)
			}
		}), "cpu-µs/first-pass")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(annotation)), "B/annotation")
	b.ReportMetric(before, "MiB-before")
	b.ReportMetric(memory(b, "VmHWM:"), "MiB-peak")
}

// each is what one of many takes of the processor's time, in microseconds.
func each(b *testing.B, count int, do func()) float64 {
	b.Helper()
	began := cpuTime(b)
	do()
	return float64((cpuTime(b) - began).Microseconds()) / float64(count)
}

func answer(b *testing.B, handler http.Handler, body []byte) {
	b.Helper()
	got := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, webhooks.ConversionPath, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	handler.ServeHTTP(got, request)
	NewWithT(b).Expect(got.Code).To(Equal(http.StatusOK))
}

// memory of the process, resident, in MiB: VmRSS or, at its highest, VmHWM.
func memory(b *testing.B, name string) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	NewWithT(b).Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kilobytes, err := strconv.Atoi(fields[1])
			NewWithT(b).Expect(err).NotTo(HaveOccurred())
			return float64(kilobytes) / 1024
		}
	}
	b.Fatalf("no %s", name)
	return 0
}

// resetPeak has the kernel measure the highest use of memory anew.
func resetPeak(b *testing.B) {
	b.Helper()
	NewWithT(b).Expect(os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600)).To(Succeed())
}

func compressed(b *testing.B, text string) string {
	b.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	_, err := writer.Write([]byte(text))
	NewWithT(b).Expect(err).NotTo(HaveOccurred())
	NewWithT(b).Expect(writer.Close()).To(Succeed())
	return "gzip:" + base64.StdEncoding.EncodeToString(out.Bytes())
}
