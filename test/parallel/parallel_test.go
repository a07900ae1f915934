// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package parallel_test

import (
	"strconv"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/networkservicemesh/nsm-operator/test/parallel"
)

// TestEachSpecRunsOnce: RunSpecs itself fails for a spec that no process runs, or more
// than one.
func TestEachSpecRunsOnce(t *testing.T) {
	RegisterFailHandler(Fail)
	parallel.RunSpecs(t, "Parallel", 3)
}

var _ = Describe("A suite in several processes", func() {
	for i := range 20 {
		It("has specs of one text and place, but for a number: "+strconv.Itoa(i), func() { Expect(i).To(BeNumerically("<", 20)) })
	}
	DescribeTable("has tables", func(n int) { Expect(n).To(BeNumerically(">", 0)) }, Entry("of one", 1), Entry("of two", 2))
})

var _ = Describe("Specs that build on each other", Ordered, func() {
	before := 0
	for i := range 5 {
		It("run in one process, in their order: "+strconv.Itoa(i), func() {
			Expect(before).To(Equal(i))
			before++
		})
	}
})
