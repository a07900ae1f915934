// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rotation_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// replica is one process that serves the webhooks.
type replica struct {
	address string
	manager ctrl.Manager
	// stop ends it.
	stop func()
}

// startReplica starts the webhooks as main does, and returns when they listen.
// An option may add to the manager's.
func startReplica(url string, terms certs.Terms, options ...func(*ctrl.Options)) *replica {
	GinkgoHelper()
	return startProcess(url, terms, func(ctrl.Manager) error { return nil }, options...)
}

// startOperator starts the loop as well.
func startOperator(url string, options ...func(*ctrl.Options)) *replica {
	GinkgoHelper()
	return startProcess(url, calm, setupLoop, options...)
}

func startProcess(url string, terms certs.Terms, setup func(ctrl.Manager) error, options ...func(*ctrl.Options)) *replica {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	issuer := &certs.Issuer{Config: operatorConfig, Namespace: operatorNamespace, URL: url, Terms: terms}
	issued, err := issuer.Ensure(ctx)
	if err != nil {
		cancel()
	}
	Expect(err).NotTo(HaveOccurred())
	port := freePort()
	all := ctrl.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      controllers.CacheOptions(),
		Client:     controllers.ClientOptions(),
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: "127.0.0.1", Port: port, TLSOpts: []func(*tls.Config){issued},
		}),
	}
	for _, option := range options {
		option(&all)
	}
	mgr, err := ctrl.NewManager(operatorConfig, all)
	Expect(err).NotTo(HaveOccurred())
	Expect(issuer.SetupWithManager(mgr)).To(Succeed())
	Expect(webhooks.Setup(mgr, mgr.GetCache())).To(Succeed())
	Expect(setup(mgr)).To(Succeed())
	Expect(controllers.AddProbes(mgr, true, issuer.Ready)).To(Succeed())
	r := &replica{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), manager: mgr}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		Eventually(done).Should(Receive(Succeed()))
	})
	DeferCleanup(r.stop)
	Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).Should(Succeed())
	return r
}

// handshake connects as the API server does, and returns what is served.
func (r *replica) handshake(bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, errors.New("no CA")
	}
	connection, err := tls.Dial("tcp", r.address, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0], nil
}

// service stands for the Service of the webhooks: one address, and behind it in
// turn the replicas that are ready.
type service struct {
	url string

	mu       sync.Mutex
	backends []func() (address string, ready bool)
	turn     int
}

func newService() *service {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	s := &service{url: "https://" + listener.Addr().String()}
	DeferCleanup(listener.Close)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(connection)
		}
	}()
	return s
}

// add a replica that counts as ready while the URL, if there is one, says so.
func (s *service) add(r *replica, readyURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backends = append(s.backends, func() (string, bool) { return r.address, readyURL == "" || isReady(readyURL) })
}

func (s *service) serve(connection net.Conn) {
	defer connection.Close()
	backend, err := s.dial()
	if err != nil {
		return
	}
	defer backend.Close()
	go func() {
		defer backend.Close()
		_, _ = io.Copy(backend, connection)
	}()
	_, _ = io.Copy(connection, backend)
}

func (s *service) dial() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.backends {
		s.turn++
		address, ready := s.backends[s.turn%len(s.backends)]()
		if ready {
			return net.Dial("tcp", address)
		}
	}
	return nil, errors.New("no endpoints")
}

func isReady(url string) bool {
	answer, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func freePort() int {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	Expect(ok).To(BeTrue())
	return address.Port
}
