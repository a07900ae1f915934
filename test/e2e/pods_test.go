// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/olm/kubelet"
	thistree "github.com/networkservicemesh/nsm-operator/test/release"
)

const spireWebhook = "spire-controller-manager-webhook"

var (
	// imageName of the operator in a registry.
	imageName = "/nsm-operator:v" + thistree.Version()
	// shippedImage is the operator's, as its manifests name it, and documentedImage as the
	// documents do.
	shippedImage    = "ghcr.io/networkservicemesh" + imageName
	documentedImage = "registry.example.com" + imageName
)

// launchWithPods starts a cluster in which the pods of the operator run: as processes
// of this machine, from the program in the operator's image, by what their Deployment
// says. The API server reaches them through their Service. All other pods are simulated.
func launchWithPods(ctx SpecContext) {
	GinkgoHelper()
	startWithPods(ctx, shippedImage, func(string) string { return "" })
	putOnNode(ctx)
}

// putOnNode says that a node has the operator's image: the preflight looks for it there
// before it asks a registry.
func putOnNode(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "patch", "node", "node-1", "--subresource=status", "--type=merge", "-p",
		`{"status":{"images":[{"names":["`+shippedImage+`"],"sizeBytes":1}]}}`)
}

// startWithPods does so with the operator's image under another name, and with more
// arguments for the launcher. elsewhere is where on this machine an address of the cluster
// is that is none of the operator's pods; "" for nowhere.
func startWithPods(ctx SpecContext, image string, elsewhere func(address string) string, args ...string) {
	GinkgoHelper()
	socket := filepath.Join(GinkgoT().TempDir(), "proxy")
	launch(ctx, "control plane .* is up", "up", append(args, "--not-simulated", image, "--service-proxy", socket)...)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	spire := startSpireWebhook()
	node := &kubelet.Kubelet{
		Config: config, Directory: directory, Log: GinkgoWriter,
		Images: map[string]kubelet.Image{image: {Executable: unpackedImage(ctx), User: 65532, PortFlags: map[string]string{
			"webhooks": "--webhook-port=%d",
			"metrics":  "--metrics-bind-address=127.0.0.1:%d",
			"probes":   "--health-probe-bind-address=127.0.0.1:%d",
		}}},
		Runs: func(pod *corev1.Pod) bool { return pod.Spec.Containers[0].Image == image },
		Elsewhere: func(address string) string {
			if strings.HasSuffix(address, ":9443") {
				return spire.address
			}
			return elsewhere(address)
		},
	}
	inBackground(ctx, node.Run)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	Expect(err).NotTo(HaveOccurred())
	inBackground(ctx, func(ctx context.Context) error { return node.ServeProxy(ctx, listener) })
	inBackground(ctx, spire.run)
}

// inBackground runs what is not expected to end before the specs that share it.
func inBackground(ctx context.Context, run func(context.Context) error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(ended)
		Expect(run(running)).To(Succeed())
	}()
	DeferCleanup(func() {
		cancel()
		Eventually(ended).WithTimeout(time.Minute).Should(BeClosed())
	})
}

// spireStandIn does what the simulated SPIRE does not: its server publishes its
// certificates, and its controller manager serves a webhook and says by which CA.
type spireStandIn struct {
	address     string
	certificate []byte
}

func startSpireWebhook() *spireStandIn {
	GinkgoHelper()
	name := spireWebhook + ".spire.svc"
	certificate, key, err := cert.GenerateSelfSignedCertKey(name, nil, []string{name})
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(certificate, key)
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewUnstartedServer(http.HandlerFunc(allow))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	DeferCleanup(server.Close)
	return &spireStandIn{address: server.Listener.Addr().String(), certificate: certificate}
}

// allow whatever an API server asks about.
func allow(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// run publishes both whenever they are not there. What fails is tried again.
func (s *spireStandIn) run(ctx context.Context) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.publishBundle(ctx)
			s.publishCA(ctx)
		}
	}
}

func (s *spireStandIn) publishBundle(ctx context.Context) {
	bundle := &corev1.ConfigMap{}
	if admin.Get(ctx, client.ObjectKey{Namespace: "spire", Name: "spire-bundle"}, bundle) == nil && bundle.Data == nil {
		bundle.Data = map[string]string{"bundle.pem": string(s.certificate)}
		_ = admin.Update(ctx, bundle)
	}
}

func (s *spireStandIn) publishCA(ctx context.Context) {
	webhooks := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if admin.Get(ctx, client.ObjectKey{Name: spireWebhook}, webhooks) != nil || webhooks.Webhooks[0].ClientConfig.CABundle != nil {
		return
	}
	for i := range webhooks.Webhooks {
		webhooks.Webhooks[i].ClientConfig.CABundle = s.certificate
	}
	_ = admin.Update(ctx, webhooks)
}
