// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"context"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// flaky stands between an operator and the API server, and answers one request with 500.
type flaky struct {
	*httptest.Server

	mu sync.Mutex
	// asked counts the requests since the last reset; at is the one that fails, -1 for
	// none, and failed what that was.
	asked, at int
	failed    string
}

func newFlaky() *flaky {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	target, err := url.Parse(config.Host)
	Expect(err).NotTo(HaveOccurred())
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	Expect(err).NotTo(HaveOccurred())
	f := &flaky{at: -1}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(request *httputil.ProxyRequest) { request.SetURL(target) },
		Transport: transport, FlushInterval: -1, // watches
		ErrorLog: log.New(GinkgoWriter, "", 0),
	}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if f.fails(request) {
			http.Error(answer, "the API server is not itself", http.StatusInternalServerError)
			return
		}
		proxy.ServeHTTP(answer, request)
	}))
	DeferCleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *flaky) fails(request *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.asked-1 != f.at {
		return false
	}
	f.failed = request.Method + " " + request.URL.String()
	return true
}

// reset counts anew, and has another request fail. It returns how many there were, and
// which has failed.
func (f *flaky) reset(at int) (asked int, failed string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked, failed = f.asked, f.failed
	f.asked, f.at, f.failed = 0, at, ""
	return asked, failed
}

var _ = Describe("The start of the operator", Ordered, func() {
	It("comes to its end whichever of its requests fails once", func(ctx SpecContext) {
		launch(ctx, "control plane .* is up", "up")
		kubectl(ctx, "apply", "--server-side", "-k", "config/local")
		awaitDefinitions(ctx)
		api := newFlaky()
		access := clientcmdapi.NewConfig()
		access.Clusters["flaky"] = &clientcmdapi.Cluster{
			Server:                   api.URL,
			CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw}),
		}
		access.AuthInfos["operator"] = operatorToken(ctx)
		access.Contexts["flaky"] = &clientcmdapi.Context{Cluster: "flaky", AuthInfo: "operator"}
		access.CurrentContext = "flaky"
		path := filepath.Join(directory, "flaky.kubeconfig")
		Expect(clientcmd.WriteToFile(*access, path)).To(Succeed())

		kubectl(ctx, "apply", "-f", newSample)
		startOnce(ctx, api, path, -1)
		total, _ := startOnce(ctx, api, path, -1)
		Expect(total).To(BeNumerically(">", 20))
		every := total/4 + 1
		if os.Getenv("LONG") != "" {
			every = 1
		}
		var failed []string
		for at := every / 2; at < total; at += every {
			if _, one := startOnce(ctx, api, path, at); one != "" {
				failed = append(failed, one)
			}
		}
		AddReportEntry("requests", fmt.Sprintf("%d, of which %d have failed once", total, len(failed)))
		Expect(failed).NotTo(BeEmpty(), "requests do fail")
	}, NodeTimeout(4*time.Hour))
})

// operatorToken is how the operator logs in.
func operatorToken(ctx context.Context) *clientcmdapi.AuthInfo {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(operatorKubeconfig(ctx, operatorNamespace))
	Expect(err).NotTo(HaveOccurred())
	for _, info := range config.AuthInfos {
		return info
	}
	return nil
}

// startOnce starts the operator, has one of its requests fail, and expects it to be
// ready, and to look after the mesh. It returns how many requests that took, and which
// has failed.
func startOnce(ctx context.Context, api *flaky, kubeconfig string, at int) (asked int, failed string) {
	GinkgoHelper()
	addresses := freeAddresses(2)
	_, port, err := net.SplitHostPort(addresses[0])
	Expect(err).NotTo(HaveOccurred())
	api.reset(at)
	command := exec.Command(filepath.Join(root, "bin", "manager"), "--namespace="+operatorNamespace,
		"--webhook-url=https://"+addresses[0], "--webhook-port="+port, "--metrics-bind-address=0", "--health-probe-bind-address="+addresses[1])
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	defer session.Kill()
	Eventually(func() int { return statusOf(ctx, "http://"+addresses[1]+"/readyz", "") }).WithTimeout(time.Minute).
		Should(Equal(http.StatusOK), func() string { return fmt.Sprintf("request %d", at) })
	kubectl(ctx, "delete", "service", "registry", "-n", namespace, "--ignore-not-found")
	Eventually(reading(ctx, serviceResource, namespace, "registry", "{.metadata.name}")).ShouldNot(BeEmpty())
	asked, failed = api.reset(-1)
	Expect(session.ExitCode()).To(Equal(-1), "it goes on though this has failed: "+failed)
	session.Terminate()
	Eventually(session).WithTimeout(time.Minute).Should(gexec.Exit(0))
	return asked, failed
}
