// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/olm/kubelet"
)

// operatorImages is how the images begin whose pods are processes here.
const operatorImages = "ghcr.io/networkservicemesh/nsm-operator:"

// startCluster starts a control plane, and a kubelet for the operator's pods.
func startCluster(ctx context.Context) {
	GinkgoHelper()
	socket := filepath.Join(directory, "proxy")
	launcher := start("localcluster", binary("localcluster"), nil, "up", "--dir", filepath.Join(directory, "cluster"),
		"--assets", assets(), "--not-simulated", operatorImages, "--service-proxy", socket)
	Eventually(launcher).WithContext(ctx).WithTimeout(5 * time.Minute).Should(gbytes.Say("control plane .* is up"))
	var err error
	config, err = clientcmd.BuildConfigFromFlags("", kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	admin, err = client.New(config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	startKubelet(ctx, socket)
}

// startKubelet runs the pods of the operator, each version of which is the program
// that was built from this tree.
func startKubelet(ctx context.Context, socket string) {
	GinkgoHelper()
	manager := kubelet.Image{Executable: binary("manager"), User: 65532, PortFlags: map[string]string{
		"webhooks": "--webhook-port=%d",
		"metrics":  "--metrics-bind-address=127.0.0.1:%d",
		"probes":   "--health-probe-bind-address=127.0.0.1:%d",
	}}
	images := map[string]kubelet.Image{}
	for n := range uint64(4) { // of this version and of the next ones
		images[operatorImages+"v"+next(n)] = manager
	}
	node := &kubelet.Kubelet{
		Config: config, Directory: directory, Log: GinkgoWriter, Images: images, Lag: 3 * time.Second,
		Runs: func(pod *corev1.Pod) bool { return strings.HasPrefix(pod.Spec.Containers[0].Image, operatorImages) },
	}
	inBackground(ctx, node.Run)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	Expect(err).NotTo(HaveOccurred())
	inBackground(ctx, func(ctx context.Context) error { return node.ServeProxy(ctx, listener) })
}

// inBackground runs until the end of the suite what is not expected to end before.
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
		Eventually(ended).Should(BeClosed())
	})
}

// kubeconfig is the file of the administrator.
func kubeconfig() string { return filepath.Join(directory, "cluster", "kubeconfig") }

// kubectl runs the kubectl that was built, and returns what it says.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, filepath.Join(assets(), "kubectl"), args...)
	command.Dir = root
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig())
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	return string(output)
}
