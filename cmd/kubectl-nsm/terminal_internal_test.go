// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

//go:build linux

package main

import (
	"context"
	"os"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

var _ = Describe("text", func() {
	It("has colours on a terminal alone, and none where they are not wanted", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		reportStatus(ctx, newNSM(ctx, namespace, nil), unavailable)
		args := []string{"status", "-n", namespace, "--kubeconfig", server.Kubeconfig}
		onTerminal := func() string {
			GinkgoHelper()
			terminal, output := openTerminal()
			Expect(run(ctx, args, genericiooptions.IOStreams{Out: terminal, ErrOut: GinkgoWriter})).To(Equal(exitFinding))
			Expect(terminal.Close()).To(Succeed())
			Eventually(ctx, output.Closed).Should(BeTrue())
			return string(output.Contents())
		}
		watched := func() string {
			GinkgoHelper()
			watching, stop := context.WithCancel(ctx)
			defer stop()
			terminal, output := openTerminal()
			ended := make(chan int, 1)
			go func() {
				ended <- run(watching, append(args, "--watch"), genericiooptions.IOStreams{Out: terminal, ErrOut: GinkgoWriter})
			}()
			Eventually(ctx, output).Should(gbytes.Say("Unavailable"))
			stop()
			Eventually(ctx, ended).Should(Receive(Equal(exitFinding)))
			Expect(terminal.Close()).To(Succeed())
			Eventually(ctx, output.Closed).Should(BeTrue())
			return string(output.Contents())
		}
		setenv := func(variable, value string) {
			GinkgoHelper()
			Expect(os.Setenv(variable, value)).To(Succeed())
		}
		GinkgoT().Setenv("TERM", "xterm") // put back when the spec ends
		GinkgoT().Setenv("NO_COLOR", "")
		Expect(onTerminal()).To(ContainSubstring("\x1b[31mUnavailable\x1b[0m"))
		Expect(watched()).To(ContainSubstring(clearScreen))

		for variable, values := range map[string][]string{"NO_COLOR": {"1", ""}, "TERM": {"dumb", "xterm"}} {
			By(variable)
			setenv(variable, values[0])
			Expect(onTerminal()).To(And(ContainSubstring("Unavailable"), Not(ContainSubstring("\x1b"))))
			Expect(watched()).To(And(MatchRegexp("^"+namespace+"/mesh  v1.18.0  Unavailable"), Not(ContainSubstring("\x1b"))))
			setenv(variable, values[1])
		}

		By("a pipe")
		reader, writer, err := os.Pipe()
		Expect(err).NotTo(HaveOccurred())
		output := gbytes.BufferReader(reader)
		run(ctx, args, genericiooptions.IOStreams{Out: writer, ErrOut: GinkgoWriter})
		Expect(writer.Close()).To(Succeed())
		Eventually(ctx, output.Closed).Should(BeTrue())
		Expect(string(output.Contents())).To(And(ContainSubstring("Unavailable"), Not(ContainSubstring("\x1b"))))
	})
})

// openTerminal makes a terminal, and returns what a program writes to, and what somebody
// sees.
func openTerminal() (*os.File, *gbytes.Buffer) {
	GinkgoHelper()
	seen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	Expect(err).NotTo(HaveOccurred())
	Expect(unix.IoctlSetPointerInt(int(seen.Fd()), unix.TIOCSPTLCK, 0)).To(Succeed())
	number, err := unix.IoctlGetInt(int(seen.Fd()), unix.TIOCGPTN)
	Expect(err).NotTo(HaveOccurred())
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	Expect(err).NotTo(HaveOccurred())
	return terminal, gbytes.BufferReader(seen)
}
