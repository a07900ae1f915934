// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package backoff

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestBackoff(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Backoff")
}

var _ = Describe("The backoff", func() {
	var (
		clock *clocktesting.FakeClock
		b     *Backoff[string]
	)
	const nsmgr, other = "nsmgr", "vpp"

	BeforeEach(func() {
		clock = clocktesting.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		b = New[string](clock)
	})

	// fight writes an object whenever it may, for a while, and counts the writes.
	fight := func(lasting time.Duration) int {
		writes := 0
		for end := clock.Now().Add(lasting); clock.Now().Before(end); clock.Step(100 * time.Millisecond) {
			if !b.Holds(nsmgr, "intent") {
				b.Wrote(nsmgr, "intent")
				writes++
			}
		}
		return writes
	}

	It("lets the first repairs through at once", func() {
		b.Wrote(nsmgr, "intent")
		for range FreeRepeats {
			Expect(b.Holds(nsmgr, "intent")).To(BeFalse())
			b.Wrote(nsmgr, "intent")
		}
		Expect(b.Holds(nsmgr, "intent")).To(BeTrue())
	})

	It("bounds the writes of a fight, however long it lasts", func() {
		Expect(fight(time.Minute)).To(BeNumerically("<=", 10))
		Expect(fight(time.Hour)).To(BeNumerically("<=", 17))
		Expect(fight(24*time.Hour)).To(BeNumerically("<=", 24*12+1), "one each five minutes")
	})

	It("never holds back another intent, nor another object", func() {
		fight(time.Minute)
		Expect(b.Holds(nsmgr, "another intent")).To(BeFalse())
		Expect(b.Holds(other, "intent")).To(BeFalse())
		b.Wrote(nsmgr, "another intent")
		Expect(b.Holds(nsmgr, "another intent")).To(BeFalse())
		contested, _ := b.Contested(nsmgr)
		Expect(contested).To(BeFalse(), "it begins anew")
	})

	It("tells of a fight, and when to look again: at the end of the pause, and when it is calm", func() {
		b.Wrote(nsmgr, "intent")
		contested, _ := b.Contested(nsmgr)
		Expect(contested).To(BeFalse())
		for range FreeRepeats {
			b.Wrote(nsmgr, "intent")
		}
		contested, again := b.Contested(nsmgr)
		Expect(contested).To(BeTrue())
		Expect(again).To(Equal(firstPause))
		Expect(b.Contested(other)).To(BeFalse())

		clock.Step(again)
		Expect(b.Holds(nsmgr, "intent")).To(BeFalse())
		contested, again = b.Contested(nsmgr)
		Expect(contested).To(BeTrue())
		Expect(again).To(Equal(calm - firstPause))

		clock.Step(again)
		contested, _ = b.Contested(nsmgr)
		Expect(contested).To(BeFalse())
	})

	It("forgets what was left alone, so that the next repair does not wait", func() {
		fight(time.Minute)
		clock.Step(longestPause)
		b.Wrote(other, "intent")
		Expect(b.histories).NotTo(HaveKey(nsmgr), "and takes no memory for it")
		Expect(b.Holds(nsmgr, "intent")).To(BeFalse())
	})

	It("forgets what was deleted on purpose", func() {
		fight(time.Minute)
		b.Forget(nsmgr)
		Expect(b.Holds(nsmgr, "intent")).To(BeFalse())
	})
})
