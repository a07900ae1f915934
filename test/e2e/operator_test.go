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
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// operator is a process of it that these specs start, and stop, themselves.
type operator struct {
	*gexec.Session
	// metrics is the address at which it tells them.
	metrics string
}

// startOperator starts the operator, as its own ServiceAccount, and returns when
// it is ready. The address is that of its webhooks.
func startOperator(ctx context.Context, webhooks string, environment ...string) *operator {
	GinkgoHelper()
	return startReplica(ctx, filepath.Join(root, "bin", "manager"), webhooks, webhooks, environment...)
}

// startReplica starts the operator from a path, which is how it calls itself. It
// listens at one address, and tells the API server to call its webhooks at another.
func startReplica(ctx context.Context, path, listen, webhooks string, environment ...string) *operator {
	GinkgoHelper()
	addresses := freeAddresses(2)
	metrics, probe := addresses[0], addresses[1]
	_, port, err := net.SplitHostPort(listen)
	Expect(err).NotTo(HaveOccurred())
	command := exec.Command(path,
		"--webhook-url=https://"+webhooks, "--webhook-port="+port,
		"--metrics-bind-address="+metrics, "--health-probe-bind-address="+probe, "--monitoring")
	command.Env = slices.Concat(os.Environ(),
		[]string{"KUBECONFIG=" + operatorKubeconfig(ctx, operatorNamespace), "POD_NAMESPACE=" + operatorNamespace}, environment)
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() int { return statusOf(ctx, "http://"+probe+"/readyz", "") }).WithTimeout(time.Minute).Should(Equal(http.StatusOK))
	return &operator{Session: session, metrics: metrics}
}

// stop ends the operator as the kubelet does.
func (o *operator) stop() {
	GinkgoHelper()
	o.Terminate()
	Eventually(o.Session).WithTimeout(time.Minute).Should(gexec.Exit(0))
}

// scrape reads the metrics, and returns the status of the answer and what they are.
func (o *operator) scrape(ctx context.Context, token string) (int, string) {
	GinkgoHelper()
	return answerOf(ctx, "https://"+o.metrics+"/metrics", token)
}

// statusOf an answer; 0 where there is none.
func statusOf(ctx context.Context, url, token string) int {
	GinkgoHelper()
	status, _ := answerOf(ctx, url, token)
	return status
}

func answerOf(ctx context.Context, url, token string) (int, string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The certificate of the metrics has the name of the operator's Service or webhooks.
	asking := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	answer, err := asking.Do(request)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, ""
	}
	return answer.StatusCode, string(body)
}

// operatorKubeconfig is a file with the administrator's access, but for the
// user: the ServiceAccount of the operator in a namespace.
func operatorKubeconfig(ctx context.Context, namespace string) string {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	token := strings.TrimSpace(kubectl(ctx, "create", "token", operatorAccount, "-n", namespace))
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	}
	path := filepath.Join(directory, namespace+".kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// freeAddresses of this machine, on which nobody listens. They are held all at
// once, so that they differ.
func freeAddresses(n int) []string {
	GinkgoHelper()
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}
