// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"net/http"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/networkservicemesh/nsm-operator/internal/report"
)

var _ = Describe("the connection", func() {
	var here, elsewhere string
	// asked are the paths of requests since it was called last.
	var asked func() []string

	BeforeEach(func(ctx SpecContext) {
		here, elsewhere = newNamespace(ctx), newNamespace(ctx)
		for _, namespace := range []string{here, elsewhere} {
			reportStatus(ctx, newNSM(ctx, namespace, nil), nil)
		}
		var mutex sync.Mutex
		var paths []string
		asked = func() (last []string) {
			mutex.Lock()
			defer mutex.Unlock()
			last, paths = paths, nil
			return last
		}
		config, err := clientcmd.LoadFromFile(between(func(_ http.ResponseWriter, r *http.Request) bool {
			mutex.Lock()
			defer mutex.Unlock()
			paths = append(paths, r.URL.Path+"/")
			return false
		}))
		Expect(err).NotTo(HaveOccurred())
		config.Contexts["one"].Namespace = here
		config.Clusters["nowhere"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
		// As people have it: in several files, of which the first one says what is current.
		first, second := filepath.Join(GinkgoT().TempDir(), "first"), filepath.Join(GinkgoT().TempDir(), "second")
		Expect(clientcmd.WriteToFile(*config, first)).To(Succeed())
		Expect(clientcmd.WriteToFile(clientcmdapi.Config{
			Contexts: map[string]*clientcmdapi.Context{"two": {Cluster: "one", Namespace: elsewhere}}, CurrentContext: "two",
		}, second)).To(Succeed())
		GinkgoT().Setenv(clientcmd.RecommendedConfigPathEnvVar, first+string(filepath.ListSeparator)+second)
	})

	// of the files in the variable: no other one is named.
	const ofFiles = ""

	It("is that of kubectl's flags, and the namespace that of the context", func(ctx SpecContext) {
		namespaces := func(flags ...string) (all []string) {
			GinkgoHelper()
			found := runAs(ctx, ofFiles, append([]string{"status", "-o", "json"}, flags...)...)
			Expect(found.code).To(Equal(exitFine), found.stderr)
			for _, mesh := range decode[report.Status](found).Meshes {
				all = append(all, mesh.Namespace)
			}
			return all
		}
		Expect(namespaces()).To(Equal([]string{here}))
		Expect(namespaces("--context", "two")).To(Equal([]string{elsewhere}))
		Expect(namespaces("--namespace", elsewhere)).To(Equal([]string{elsewhere}))
		Expect(namespaces("-A")).To(ContainElements(here, elsewhere))

		By("one cluster of several")
		found := runAs(ctx, ofFiles, "status", "--cluster", "nowhere")
		Expect(found.code).To(Equal(exitNothing))
		Expect(found.stderr).To(ContainSubstring("the cluster at https://127.0.0.1:1 gives no answer"))

		By("somebody else")
		Expect(runAs(ctx, ofFiles, "status", "--as", "viewer", "-n", viewed).code).To(Equal(exitFine))
		found = runAs(ctx, ofFiles, "status", "--as", "viewer")
		Expect(found.code).To(Equal(exitNothing))
		Expect(found.stderr).To(ContainSubstring(`User "viewer" cannot list resource "nsms"`))
	})

	It("asks about the namespace of the context in every command", func(ctx SpecContext) {
		register(ctx, elsewhere, "live", time.Hour)
		for _, command := range []string{"status", "render", "diff", "topology", "check"} {
			asked()
			found := runAs(ctx, ofFiles, command, "--context", "two")
			Expect(found.code).NotTo(Equal(exitNothing), "%s: %s", command, found.stderr)
			paths := asked()
			Expect(paths).To(ContainElement(ContainSubstring("/namespaces/"+elsewhere+"/")), command)
			Expect(paths).NotTo(ContainElement(ContainSubstring("/namespaces/"+here+"/")), command)
		}
	})
})
