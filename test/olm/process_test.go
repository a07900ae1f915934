// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
)

// catalogProcess is OLM's catalog operator, which carries out InstallPlans.
const catalogProcess = "olm-catalog"

// binary is a program that make builds.
func binary(name string) string {
	GinkgoHelper()
	path := filepath.Join(root, "bin", name)
	Expect(path).To(BeAnExistingFile(), "run the tests by make test-olm, which builds it")
	return path
}

// assets is the directory of the control plane's binaries.
func assets() string {
	GinkgoHelper()
	found := os.Getenv("KUBEBUILDER_ASSETS")
	if found == "" {
		found = filepath.Join(root, "bin", "k8s")
	}
	Expect(filepath.Join(found, "kube-controller-manager")).To(BeAnExistingFile(), "run make control-plane first")
	return found
}

// start runs a program of ours in the background, with a log of its own. Those that
// are not stopped end with the suite.
func start(name, path string, environment []string, args ...string) *gexec.Session {
	GinkgoHelper()
	log, err := os.OpenFile(filepath.Join(directory, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	Expect(err).NotTo(HaveOccurred())
	command := exec.Command(path, args...)
	command.Env = slices.Concat(slices.DeleteFunc(os.Environ(), isDebugSwitch), environment)
	session, err := gexec.Start(command, log, log)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() {
		session.Terminate()
		Eventually(session.Exited).Should(BeClosed(), name)
		Expect(log.Close()).To(Succeed())
	})
	return session
}

// logOf is what a program that start has run has written so far.
func logOf(name string) string {
	GinkgoHelper()
	log, err := os.ReadFile(filepath.Join(directory, name+".log"))
	Expect(err).NotTo(HaveOccurred())
	return string(log)
}

// isDebugSwitch reports whether OLM takes a variable for a wish for debugging.
func isDebugSwitch(variable string) bool { return strings.HasPrefix(variable, "CI=") }
