// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// What users are promised: a request ends, whatever becomes of the API server.
func TestEachRequestEndsAfterATime(t *testing.T) {
	g := NewWithT(t)
	kubeconfig := filepath.Join(t.TempDir(), "config")
	g.Expect(os.WriteFile(kubeconfig, []byte(deadCluster), 0o600)).To(Succeed())
	for flag, want := range map[string]time.Duration{"": 15 * time.Second, "--request-timeout=1m": time.Minute, "--request-timeout=2s": 2 * time.Second} {
		o := &options{IOStreams: genericiooptions.NewTestIOStreamsDiscard(), flags: genericclioptions.NewConfigFlags(true)}
		args := []string{"--kubeconfig", kubeconfig}
		if flag != "" {
			args = append(args, flag)
		}
		g.Expect(newRoot(o).ParseFlags(args)).To(Succeed())
		c, err := o.connect(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(c.config.Timeout).To(Equal(want), flag)
	}
}

// Tokens are sent, by TLS alone: that of a flag, and that of a user of the kubeconfig.
func TestTokensAreSent(t *testing.T) {
	g := NewWithT(t)
	var sent []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	config := clientcmdapi.NewConfig()
	config.Clusters["one"] = &clientcmdapi.Cluster{Server: server.URL, InsecureSkipTLSVerify: true}
	config.AuthInfos["somebody"] = &clientcmdapi.AuthInfo{Token: "of-somebody"}
	config.Contexts["one"] = &clientcmdapi.Context{Cluster: "one"}
	config.CurrentContext = "one"
	kubeconfig := filepath.Join(t.TempDir(), "config")
	g.Expect(clientcmd.WriteToFile(*config, kubeconfig)).To(Succeed())
	for token, flags := range map[string][]string{"of-mine": {"--token", "of-mine"}, "of-somebody": {"--user", "somebody"}} {
		sent = nil
		found := runAs(t.Context(), kubeconfig, append([]string{"status"}, flags...)...)
		g.Expect(found.code).To(Equal(exitNothing))
		g.Expect(found.stderr).To(ContainSubstring("does not know you: log in again"))
		g.Expect(sent).To(And(Not(BeEmpty()), HaveEach("Bearer "+token)))
	}
}
