// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// runOperator as a process of this machine that acts on no NSM, and return where it serves
// its metrics. Nobody can call its webhooks.
func runOperator(ctx context.Context) string {
	GinkgoHelper()
	program, err := gexec.Build("github.com/networkservicemesh/nsm-operator")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(gexec.CleanupBuildArtifacts)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	address := listener.Addr().String()
	Expect(listener.Close()).To(Succeed())
	command := exec.Command(program, "--metrics-bind-address="+address, "--health-probe-bind-address=0", "--leader-elect=false", "--watch-namespaces=operators")
	command.Env = append(os.Environ(), "KUBECONFIG="+server.Kubeconfig, "POD_NAMESPACE=operators")
	// What owns what it makes for itself.
	server.Kubectl(ctx, "create", "clusterrolebinding", "operator", "--clusterrole=view", "--serviceaccount=operators:nsm-operator")
	session, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		Eventually(session.Kill()).WithTimeout(time.Minute).Should(gexec.Exit())
		server.Kubectl(ctx, "delete", "validatingwebhookconfiguration", "nsm-operator-validation")
		server.Kubectl(ctx, "delete", "mutatingwebhookconfiguration", "nsm-operator-defaults")
		server.Kubectl(ctx, "delete", "clusterrolebinding", "operator")
		server.Kubectl(ctx, "patch", "crd", "nsms.nsm.networkservicemesh.io", "--type=merge", "--patch", `{"spec":{"conversion":{"strategy":"None","webhook":null}}}`)
		// The API server takes a moment to notice.
		nsms := dynamic.NewForConfigOrDie(server.Config).Resource(schema.GroupVersionResource{Group: "nsm.networkservicemesh.io", Version: "v1alpha1", Resource: "nsms"})
		Eventually(func() error {
			_, err := nsms.List(ctx, metav1.ListOptions{})
			return err
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	})
	Eventually(func() error {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			err = connection.Close()
		}
		return err
	}).WithTimeout(time.Minute).Should(Succeed())
	return address
}

var _ = Describe("The operator itself", Serial, func() {
	It("gives its metrics to a pod of the cluster that verifies its certificate", func(ctx SpecContext) {
		pod := &operatorPod{address: runOperator(ctx)}
		files, _ := gather(ctx, mustGather(ctx), inCluster(pod))
		Expect(files["errors.txt"]).NotTo(ContainSubstring("metrics"))
		Expect(files[metricsOf]).To(ContainSubstring("\nnsm_operator_certificate_not_after_timestamp_seconds "))
	})
})
