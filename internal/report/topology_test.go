// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// entry of a registry, as it writes it.
func entry(name, service string, expires time.Time, more map[string]any) unstructured.Unstructured {
	spec := map[string]any{
		"name": name, "network_service_names": []any{service},
		"expiration_time": map[string]any{"seconds": expires.Unix(), "nanos": int64(5)},
	}
	maps.Copy(spec, more)
	return unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "nsm", "name": name}, "spec": spec,
	}}
}

func pod(namespace, name, node, address string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: address}}},
	}
}

// registered is a registry with an endpoint for each way in which its place is known.
func registered() *report.Registered {
	client := pod("default", "client", "c", "10.0.0.9")
	client.Annotations = map[string]string{"networkservicemesh.io": "kernel://responder/nsm-1,kernel://far@domain/nsm-2"}
	return &report.Registered{
		Services: []unstructured.Unstructured{
			{Object: map[string]any{"metadata": map[string]any{"namespace": "nsm", "name": "responder"}, "spec": map[string]any{"payload": "IP"}}},
			{Object: map[string]any{"metadata": map[string]any{"namespace": "nsm", "name": "idle"}}},
		},
		Endpoints: []unstructured.Unstructured{
			entry("by-identity", "responder", now.Add(time.Minute), map[string]any{
				"path_ids": []any{"spiffe://example.org/ns/apps/pod/nse-1", "spiffe://example.org/ns/nsm/pod/nsmgr-a", "spiffe://example.org/ns/nsm/pod/registry"},
				"url":      "tcp://10.0.0.2:5001",
			}),
			entry("by-url", "responder", now.Add(time.Minute), map[string]any{
				"path_ids": []any{"spiffe://example.org/another/template"}, "url": "tcp://10.0.0.2:5001",
			}),
			entry("by-label", "responder", now.Add(-3*time.Minute), map[string]any{
				"network_service_labels": map[string]any{"responder": map[string]any{"labels": map[string]any{"nodeName": "c"}}},
			}),
			entry("forwarder-vpp-x", "forwarder", now.Add(time.Minute), nil),
			entry("odd", "undeclared", now.Add(time.Minute), map[string]any{"url": map[string]any{"no": "text"}}),
		},
		Pods: []corev1.Pod{
			pod("apps", "nse-1", "a", "10.0.0.8"), pod("nsm", "nsmgr-a", "a", "10.0.0.1"), pod("nsm", "nsmgr-b", "b", "10.0.0.2"),
			pod("nsm", "forwarder-vpp-x", "b", "10.0.0.3"), client,
		},
		Now: now,
	}
}

func TestEachFactHasItsSource(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	found := map[string]report.Endpoint{}
	for _, endpoint := range report.TopologyOf(registered()).Endpoints {
		found[endpoint.Name] = endpoint
	}
	g.Expect(found["by-identity"].Pod).To(Equal(report.Fact{Value: "apps/nse-1", Source: report.SourceIdentity}))
	g.Expect(found["by-identity"].Manager).To(Equal(report.Fact{Value: "nsm/nsmgr-a", Source: report.SourceIdentity}))
	g.Expect(found["by-identity"].Node).To(Equal(report.Fact{Value: "a", Source: report.SourcePod}))
	g.Expect(found["by-url"].Pod).To(BeZero(), "an identity of another template tells nothing")
	g.Expect(found["by-url"].Manager).To(Equal(report.Fact{Value: "nsm/nsmgr-b", Source: report.SourceURL}))
	g.Expect(found["by-url"].Node).To(Equal(report.Fact{Value: "b", Source: report.SourceURL}))
	g.Expect(found["by-label"].Node).To(Equal(report.Fact{Value: "c", Source: report.SourceLabel}))
	g.Expect(found["by-label"].Expired).To(BeTrue())
	g.Expect(found["by-label"].ExpiredFor).To(Equal(int64(180)))
	g.Expect(found["forwarder-vpp-x"].Node).To(Equal(report.Fact{Value: "b", Source: report.SourcePod}))
	g.Expect(found["odd"].Services).To(ConsistOf("undeclared"), "what cannot be read hides nothing else")
}

// Forwarders and managers may be on the network of their node, whose address says nothing of a pod.
func TestAddressesOfNodesNameNoPod(t *testing.T) {
	t.Parallel()
	seen := registered()
	for i := range seen.Pods {
		seen.Pods[i].Spec.HostNetwork = true
	}
	for _, endpoint := range report.TopologyOf(seen).Endpoints {
		NewWithT(t).Expect(endpoint.Manager.Source).NotTo(Equal(report.SourceURL))
	}
}

func TestTopologyAsText(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	topology := report.TopologyOf(registered())
	topology.Text(&text, report.Style{})
	g := NewWithT(t)
	g.Expect(text.String()).To(Equal(`NetworkService nsm/forwarder  1 of 1 endpoints are live
└─ forwarder-vpp-x  node b (pod)  manager not known
NetworkService nsm/idle  0 of 0 endpoints are live
NetworkService nsm/responder  2 of 3 endpoints are live
├─ by-identity  node a (pod)  manager nsm/nsmgr-a (path_ids)  pod apps/nse-1 (path_ids)
├─ by-label  expired 3m0s ago  node c (label)  manager not known  pod not known
└─ by-url  node b (url)  manager nsm/nsmgr-b (url)  pod not known
NetworkService nsm/undeclared  1 of 1 endpoints are live  there is no NetworkService of this name
└─ odd  node not known  manager not known  pod not known
clients; what they ask for, not what they are connected to
└─ default/client  node c  asks for responder, far
`))
	g.Expect(topology.IsFine()).To(BeFalse())
}

// What is drawn is well formed, whatever the names are, and the same each time.
func TestDrawings(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	seen := registered()
	seen.Endpoints = append(seen.Endpoints, entry(`<"&`+strings.Repeat("long-", 20), "responder", now.Add(time.Minute), nil))
	draw := func() (dot, svg string) {
		var dotted, drawn strings.Builder
		topology := report.TopologyOf(seen)
		topology.Dot(&dotted, report.Style{})
		topology.SVG(&drawn, report.Style{})
		return dotted.String(), drawn.String()
	}
	dot, svg := draw()
	g.Expect(dot).To(ContainSubstring(`"client default/client" -> "service nsm/responder" [style=dashed];`))
	g.Expect(dot).To(ContainSubstring(`"endpoint nsm/by-url" -> "manager nsm/nsmgr-b";`))
	decoder := xml.NewDecoder(strings.NewReader(svg))
	boxes := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		g.Expect(err).NotTo(HaveOccurred())
		if element, isStart := token.(xml.StartElement); isStart && element.Name.Local == "rect" {
			boxes++
		}
	}
	g.Expect(boxes).To(Equal(1+4+6+2+3), "clients, services, endpoints, managers, nodes")
	for range 10 {
		dotAgain, svgAgain := draw()
		g.Expect(dotAgain).To(Equal(dot))
		g.Expect(svgAgain).To(Equal(svg))
	}
}
