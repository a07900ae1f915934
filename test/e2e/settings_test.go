// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"k8s.io/client-go/tools/clientcmd"
)

var _ = Describe("What an admin changes while the operator runs", Ordered, func() {
	var (
		running  *operator
		webhooks string
	)

	BeforeAll(func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up")
		kubectl(ctx, "apply", "--server-side", "-k", "config/local")
		kubectl(ctx, "apply", "--server-side", "-f", openShiftCRD(ctx, "config/v1", "apiservers-Default.crd.yaml"))
		awaitDefinitions(ctx)
		kubectl(ctx, "create", "-f", "test/e2e/testdata/apiserver.yaml")
		webhooks = freeAddresses(1)[0]
		running = startOperator(ctx, webhooks)
		DeferCleanup(func() { running.stop() })
	})

	AfterAll(func() {
		Expect(running.ExitCode()).To(Equal(-1), "it has been the same process all the time")
	})

	It("is the level of the log", func(ctx SpecContext) {
		Expect(running.Out.Contents()).NotTo(ContainSubstring(`"level":"debug"`))
		kubectl(ctx, "create", "configmap", "nsm-operator", "-n", operatorNamespace, "--from-literal=logLevel=debug")
		Eventually(running.Err).Should(gbytes.Say(`"Set the log level","level":"debug"`))
		kubectl(ctx, "apply", "-f", newSample)
		Eventually(running.Err).Should(gbytes.Say(`"level":"debug".*"reason":"Created"`))

		By("refusing a level that there is not")
		kubectl(ctx, "patch", "configmap", "nsm-operator", "-n", operatorNamespace, "--type=merge", "-p", `{"data":{"logLevel":"loud"}}`)
		Eventually(running.Err).Should(gbytes.Say(`"The log level stays as it is".*must be debug, info, error`))
		kubectl(ctx, "delete", "nsm", "nsm-sample", "-n", namespace, "--timeout=3m")
		kubectl(ctx, "apply", "-f", newSample)
		Eventually(running.Err).Should(gbytes.Say(`"level":"debug".*"reason":"Created"`), "the one before stays")

		By("going back to what the flags say")
		kubectl(ctx, "delete", "configmap", "nsm-operator", "-n", operatorNamespace)
		Eventually(running.Err).Should(gbytes.Say(`"Set the log level","level":"info"`))
	})

	It("is the TLS profile of OpenShift", func(ctx SpecContext) {
		profile := func(value string) {
			GinkgoHelper()
			kubectl(ctx, "patch", "apiserver.config.openshift.io", "cluster", "--type=merge", "-p", `{"spec":{"tlsSecurityProfile":`+value+`}}`)
		}
		for _, address := range []string{webhooks, running.metrics} {
			Expect(version(address, tls.VersionTLS11, tls.VersionTLS13)).To(Equal("TLS 1.3"))
			Expect(version(address, tls.VersionTLS11, tls.VersionTLS12)).To(Equal("TLS 1.2"))
			Expect(version(address, tls.VersionTLS10, tls.VersionTLS11)).To(BeEmpty(), "Intermediate is the default")
		}
		profile(`{"type":"Modern","modern":{}}`)
		for _, address := range []string{webhooks, running.metrics} {
			Eventually(func() string { return version(address, tls.VersionTLS10, tls.VersionTLS12) }).Should(BeEmpty())
			Expect(version(address, tls.VersionTLS12, tls.VersionTLS13)).To(Equal("TLS 1.3"))
		}
		kubectl(ctx, "apply", "-f", newSample) // the API server asks the webhooks
		profile(`{"type":"Old","modern":null,"old":{}}`)
		for _, address := range []string{webhooks, running.metrics} {
			Eventually(func() string { return version(address, tls.VersionTLS10, tls.VersionTLS10) }).Should(Equal("TLS 1.0"))
		}
		profile(`{"type":"Custom","old":null,"custom":{"ciphers":["ECDHE-ECDSA-AES256-GCM-SHA384","ECDHE-RSA-AES256-GCM-SHA384"],"minTLSVersion":"VersionTLS12"}}`)
		for _, address := range []string{webhooks, running.metrics} {
			Eventually(suite).WithArguments(address).Should(HaveSuffix("_WITH_AES_256_GCM_SHA384"))
		}
		profile(`null`)
		for _, address := range []string{webhooks, running.metrics} {
			Eventually(suite).WithArguments(address).Should(HaveSuffix("_WITH_AES_128_GCM_SHA256"))
		}
	})

	It("is the proxy that OLM tells the operator of", func(ctx SpecContext) {
		running.stop()
		proxy := newConnectProxy(ctx)
		running = startOperator(ctx, webhooks, "HTTPS_PROXY="+proxy.URL, "NO_PROXY=.svc", "KUBECONFIG="+proxy.kubeconfig)
		kubectl(ctx, "delete", "service", "registry", "-n", namespace)
		Eventually(reading(ctx, serviceResource, namespace, "registry", "{.metadata.name}")).Should(Equal("registry"))
		Expect(proxy.asked.Load()).To(BeNumerically(">", 0))

		By("keeping it from the mesh, whose parts talk to each other")
		Expect(kubectl(ctx, "get", "daemonsets,deployments", "-n", namespace, "-o", "yaml")).
			To(And(ContainSubstring("NSM_LOG_LEVEL"), Not(MatchRegexp("(?i)https?_proxy"))))
	})
})

// handshake with a server of the operator.
func handshake(address string, least, most uint16) (tls.ConnectionState, error) {
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	config := &tls.Config{MinVersion: least, MaxVersion: most, InsecureSkipVerify: true}
	for _, suite := range all {
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	connection, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", address, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer connection.Close()
	return connection.ConnectionState(), nil
}

// version of TLS that both sides agree on; "" for none.
func version(address string, least, most uint16) string {
	state, err := handshake(address, least, most)
	if err != nil {
		return ""
	}
	return tls.VersionName(state.Version)
}

// suite of ciphers that both sides agree on, in TLS 1.2.
func suite(address string) string {
	state, err := handshake(address, tls.VersionTLS12, tls.VersionTLS12)
	if err != nil {
		return err.Error()
	}
	return tls.CipherSuiteName(state.CipherSuite)
}

// connectProxy is an HTTP proxy on the way to the API server.
type connectProxy struct {
	*httptest.Server
	// kubeconfig of the operator, with an address that nobody but the proxy knows.
	kubeconfig string
	// asked counts connections.
	asked atomic.Int64
}

func newConnectProxy(ctx context.Context) *connectProxy {
	GinkgoHelper()
	path := operatorKubeconfig(ctx, operatorNamespace)
	config, err := clientcmd.LoadFromFile(path)
	Expect(err).NotTo(HaveOccurred())
	var apiServer string
	for _, cluster := range config.Clusters {
		apiServer = strings.TrimPrefix(cluster.Server, "https://")
		// Go asks no proxy for what is on the same machine.
		cluster.Server, cluster.TLSServerName = "https://api.example.com:6443", strings.Split(apiServer, ":")[0]
	}
	proxy := &connectProxy{kubeconfig: filepath.Join(directory, "proxied.kubeconfig")}
	Expect(clientcmd.WriteToFile(*config, proxy.kubeconfig)).To(Succeed())
	proxy.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		defer GinkgoRecover()
		Expect(request.Method + " " + request.Host).To(Equal("CONNECT api.example.com:6443"))
		proxy.asked.Add(1)
		far, err := net.Dial("tcp", apiServer)
		Expect(err).NotTo(HaveOccurred())
		answer.WriteHeader(http.StatusOK)
		near, _, err := http.NewResponseController(answer).Hijack()
		Expect(err).NotTo(HaveOccurred())
		go func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}))
	DeferCleanup(proxy.Close)
	return proxy
}
