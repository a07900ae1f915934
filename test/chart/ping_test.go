// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package chart

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
)

// The script runs in a shell of this machine. What it asks the node and the network
// is answered by commands that stand in for those of the image.
var _ = Describe("The test's script", func() {
	var bin, agent, manager string

	command := func(name, script string) {
		GinkgoHelper()
		Expect(os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755)).To(Succeed())
	}
	socket := func(path string) {
		GinkgoHelper()
		listener, err := net.Listen("unix", path)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
	}
	run := func() (string, error) {
		GinkgoHelper()
		script, err := os.ReadFile(filepath.Join(directory, "files", "ping.sh"))
		Expect(err).NotTo(HaveOccurred())
		process := exec.Command("/bin/sh", "-c", string(script))
		process.Env = []string{
			"PATH=" + bin + ":" + os.Getenv("PATH"), "INTERFACE=lo", "SPIRE_SOCKET=" + agent, "MANAGER_SOCKET=" + manager,
			"REGISTRY=registry.nsm", "ENDPOINT=nse-kernel.nsm", "NETWORK_SERVICE=icmp-responder", "MESH_NAMESPACE=nsm",
			"NODE=node-1", "PATIENCE=0",
		}
		output, err := process.CombinedOutput()
		return string(output), err
	}

	// Everything is well, but that there is no connection.
	BeforeEach(func() {
		bin = GinkgoT().TempDir()
		// The path of a socket is short.
		sockets, err := os.MkdirTemp("", "icmp")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(os.RemoveAll, sockets)
		agent, manager = filepath.Join(sockets, "agent.sock"), filepath.Join(sockets, "nsm.io.sock")
		for _, name := range []string{"ip", "getent", "nc", "ping"} {
			command(name, "exit 0")
		}
	})

	DescribeTable("names the first hop that does not answer", func(broken func(), expected string) {
		socket(agent)
		socket(manager)
		broken()
		output, err := run()
		Expect(err).To(HaveOccurred())
		Expect(output).To(HavePrefix("FAILED at the " + expected))
		Expect(output).To(ContainSubstring("node-1"))
	},
		Entry(nil, func() { Expect(os.Remove(agent)).To(Succeed()) }, "SPIRE agent"),
		Entry(nil, func() { Expect(os.Remove(manager)).To(Succeed()) }, "manager"),
		Entry(nil, func() { command("getent", `[ "$2" != registry.nsm ]`) }, "registry (node node-1): the cluster's DNS does not know registry.nsm"),
		Entry(nil, func() { command("nc", "exit 1") }, "registry (node node-1): nobody listens at registry.nsm:5002"),
		Entry(nil, func() { command("getent", `[ "$2" != nse-kernel.nsm ]`) }, "endpoint"),
		Entry(nil, func() {}, "forwarder"),
	)

	// As busybox and iproute2 print them.
	const routes = `case "$*" in
addr*) echo '    inet 172.16.1.1/32 scope global nsm-1'; echo '    inet6 2001:db8::1/128 scope global';;
*-6*)
	echo '2001:db8:: dev nsm-1 proto static metric 1024 pref medium'; echo '2001:db8::1 dev nsm-1  metric 256'
	echo 'fe80::/64 dev nsm-1 proto kernel metric 256'; echo 'multicast ff00::/8 dev nsm-1 proto kernel metric 256 pref medium';;
*) echo '172.16.1.0 scope link';;
esac`

	It("pings each end in four sizes: the default, the largest that fits, one less and one more", func() {
		command("ip", routes)
		command("ping", `echo "asked: $*"; echo '3 packets transmitted, 3 packets received, 0% packet loss'`)
		command("cat", "echo 1500")
		output, err := run()
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(output).To(HaveSuffix("OK\n"))
		for _, sent := range []string{
			"172.16.1.0, 56 bytes", "172.16.1.0, 1471 bytes", "172.16.1.0, 1472 bytes", "172.16.1.0, 1473 bytes",
			"2001:db8::, 56 bytes", "2001:db8::, 1451 bytes", "2001:db8::, 1452 bytes", "2001:db8::, 1453 bytes",
		} {
			Expect(output).To(ContainSubstring(sent + ": 3 packets transmitted, 3 packets received"))
		}
		Expect(output).NotTo(Or(ContainSubstring("fe80"), ContainSubstring("2001:db8::1,")), "nothing else is a far end")

		By("in the time that is left when the connection has come up at the last moment")
		const longest = 4 // seconds that three packets take, with two seconds for the last reply
		for _, pod := range render().tests() {
			env := pod.Spec.Containers[0].Env
			patience, err := strconv.Atoi(env[slices.IndexFunc(env, func(v corev1.EnvVar) bool { return v.Name == "PATIENCE" })].Value)
			Expect(err).NotTo(HaveOccurred())
			Expect(patience + longest*strings.Count(output, "packets transmitted")).To(BeNumerically("<=", *pod.Spec.ActiveDeadlineSeconds))
		}
	})

	It("names the size that is lost", func() {
		command("ip", routes)
		command("ping", `case "$*" in *1473*) echo '3 packets transmitted, 0 packets received, 100% packet loss'; exit 1;; esac; echo '3 packets transmitted'`)
		command("cat", "echo 1500")
		output, err := run()
		Expect(err).To(HaveOccurred())
		Expect(output).To(ContainSubstring("100% packet loss"))
		Expect(output).To(ContainSubstring("FAILED at the ping (node node-1): 172.16.1.0 does not answer packets of 1473 bytes; the MTU of lo is 1500"))
	})
})
