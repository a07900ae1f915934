// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// The backend is a server of the test's, behind the API server's own proxy. It answers
// with what the backend's code made of three connections.
var _ = Describe("topology --live", func() {
	withDashboard := func(spec *nsmv1beta1.NSMSpec) { spec.Dashboard = &nsmv1beta1.DashboardSpec{} }

	It("asks the dashboard for live connections, by requests to the API server alone", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		newNSM(ctx, namespace, withDashboard)
		serveDashboard(ctx, namespace)
		kubeconfig, asked := listen()
		found := runAs(ctx, kubeconfig, "topology", "--live", "-n", namespace)
		Expect(found.code).To(Equal(exitFinding), "one is down; "+found.stdout+found.stderr)
		Expect(found.stdout).To(And(
			ContainSubstring("live connections, as the dashboard of mesh "+namespace+"/mesh reports"),
			ContainSubstring("alpine-0a9d9aa7 -> forwarder-vpp-t2jgb -> forwarder-vpp-9dxwt -> nse-kernel-zz6m5  up  NetworkService icmp-responder"),
			ContainSubstring("alpine-broken -> forwarder-vpp-t2jgb -> nse-kernel-zz6m5  down"), Not(ContainSubstring("not seen"))))
		Expect(asked()).To(ContainElements(
			HaveSuffix("/services/http:dashboard-backend:http/proxy/nodes"), HaveSuffix("/services/http:dashboard-backend:http/proxy/edges")))
		expectReads(asked())

		Expect(decode[report.Topology](runAdmin(ctx, "topology", "--live", "-n", namespace, "-o", "json")).Connections).To(HaveLen(3))
		Expect(runAdmin(ctx, "topology", "--live", "-n", namespace, "-o", "dot").stdout).To(ContainSubstring("[style=bold]"))
		Expect(runAdmin(ctx, "topology", "--live", "-n", namespace, "-o", "svg").stdout).To(ContainSubstring(`stroke-width="3"`))
		Expect(runAdmin(ctx, "topology", "-n", namespace).stdout).NotTo(ContainSubstring("live connections"))
	})

	It("says why they are not seen, and fails for nothing of it", func(ctx SpecContext) {
		seen := func(kubeconfig, namespace, why string) {
			GinkgoHelper()
			found := runAs(ctx, kubeconfig, "topology", "--live", "-n", namespace)
			Expect(found.code).To(Equal(exitFine), found.stderr)
			Expect(found.stdout).To(ContainSubstring("not seen: live connections" + why))
		}
		empty, without, silent := newNamespace(ctx), newNamespace(ctx), newNamespace(ctx)
		newNSM(ctx, without, nil)
		newNSM(ctx, silent, withDashboard)
		newNSM(ctx, viewed, withDashboard)
		seen(server.Kubeconfig, empty, ": there is no NSM here")
		seen(server.Kubeconfig, without, " of mesh "+without+"/mesh: it has no dashboard: spec.dashboard adds one")
		seen(server.Kubeconfig, silent, " of mesh "+silent+"/mesh: its dashboard gives no answer: no endpoints available for service \"dashboard-backend\"")
		seen(viewer, viewed, " of mesh "+viewed+"/mesh: get services/proxy: forbidden")
	})
})

// serveDashboard on an address that the API server calls: it refuses that of a loopback.
func serveDashboard(ctx context.Context, namespace string) {
	GinkgoHelper()
	address := ownAddress()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	Expect(err).NotTo(HaveOccurred())
	backend := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		http.ServeFile(w, r, filepath.Join("..", "..", "internal", "report", "testdata", "dashboard-"+strings.TrimPrefix(r.URL.Path, "/")+".json"))
	})}}
	backend.Start()
	DeferCleanup(backend.Close)
	port := int32(listener.Addr().(*net.TCPAddr).Port)
	// It calls no address but that of a pod.
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "dashboard"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "one", Image: "example.com/one"}}},
	}
	Expect(admin.Create(ctx, pod)).To(Succeed())
	pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
	Expect(admin.Status().Update(ctx, pod)).To(Succeed())
	target := &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pod.Name}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: mesh.DashboardBackend}
	Expect(admin.Create(ctx, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 3001}}}})).To(Succeed())
	// Older API servers read Endpoints, newer ones EndpointSlices.
	Expect(admin.Create(ctx, &corev1.Endpoints{ObjectMeta: meta, Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // see above
		Addresses: []corev1.EndpointAddress{{IP: address, TargetRef: target}}, Ports: []corev1.EndpointPort{{Name: "http", Port: port}},
	}}})).To(Succeed())
	meta.Labels = map[string]string{discoveryv1.LabelServiceName: mesh.DashboardBackend}
	Expect(admin.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}, TargetRef: target,
		}},
		Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(port)}},
	})).To(Succeed())
	// It goes by what it has seen of them.
	core, err := typedcorev1.NewForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func() error {
		body, err := core.Services(namespace).ProxyGet("http", mesh.DashboardBackend, "http", "nodes", nil).DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("%w: %s", err, body)
		}
		return nil
	}, time.Minute).Should(Succeed())
}

// ownAddress of this machine, in IPv4, that is none of a loopback.
func ownAddress() string {
	GinkgoHelper()
	addresses, err := net.InterfaceAddrs()
	Expect(err).NotTo(HaveOccurred())
	for _, one := range addresses {
		if network, is := one.(*net.IPNet); is && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	Fail("this machine has no address but that of its loopback")
	return ""
}
