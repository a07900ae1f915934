// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package parallel_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/networkservicemesh/nsm-operator/test/parallel"
)

// TestEachSpecRunsOnce: RunSpecs itself fails for a spec that no process runs, or more
// than one.
func TestEachSpecRunsOnce(t *testing.T) {
	RegisterFailHandler(Fail)
	if config, _ := GinkgoConfiguration(); os.Getenv(present) == "" && len(config.FocusStrings) == 0 {
		t.Setenv(present, t.TempDir())
	}
	parallel.RunSpecs(t, "Parallel", processes)
}

const (
	processes = 3
	// present names the directory in which each process has a file.
	present = "NSM_TEST_PRESENT"
)

// awaitAll keeps one process from running all specs before the others have started.
func awaitAll() {
	directory := os.Getenv(present)
	if directory == "" {
		return
	}
	Expect(os.WriteFile(filepath.Join(directory, strconv.Itoa(os.Getpid())), nil, 0o600)).To(Succeed())
	Eventually(func() ([]os.DirEntry, error) { return os.ReadDir(directory) }).WithTimeout(time.Minute).Should(HaveLen(processes))
}

// TestLog: go test is told of all that any of the processes has looked at.
func TestLog(t *testing.T) {
	g := NewWithT(t)
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	log := filepath.Join(t.TempDir(), "log")
	output, err := exec.CommandContext(t.Context(), self, "-test.run=^TestEachSpecRunsOnce$", "-test.testlogfile="+log).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
	told, err := os.ReadFile(log)
	g.Expect(err).NotTo(HaveOccurred())
	for i := range 20 {
		g.Expect(string(told)).To(And(
			ContainSubstring("getenv "+variable(i)+"\n"), ContainSubstring("stat "+variable(i)+"\n"), ContainSubstring("open "+variable(i)+"\n")))
	}
}

// variable that a spec looks at, and the name of a file.
func variable(i int) string { return "NSM_TEST_OF_" + strconv.Itoa(i) }

var _ = Describe("A suite in several processes", func() {
	BeforeEach(awaitAll)
	for i := range 20 {
		It("has specs of one text and place, but for a number: "+strconv.Itoa(i), func() {
			Expect(os.Getenv(variable(i))).To(BeEmpty())
			Expect(variable(i)).NotTo(BeAnExistingFile())
			_, err := os.Open(variable(i))
			Expect(err).To(MatchError(os.ErrNotExist))
		})
	}
	DescribeTable("has tables", func(n int) { Expect(n).To(BeNumerically(">", 0)) }, Entry("of one", 1), Entry("of two", 2))
})

var _ = Describe("Specs that build on each other", Ordered, func() {
	before := -1
	BeforeAll(func() {
		awaitAll()
		before = 0
	})
	AfterAll(func() { Expect(before).To(Equal(5), "it runs only where they have run") })
	for i := range 5 {
		It("run in one process, in their order: "+strconv.Itoa(i), func() {
			Expect(before).To(Equal(i))
			before++
		})
	}
})
