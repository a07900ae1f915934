// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

var _ = Describe("The brake", func() {
	var (
		clock *clocktesting.FakeClock
		b     *brake
	)
	nsmgr := identity{kind: "DaemonSet", namespace: "nsm", name: "nsmgr"}
	other := identity{kind: "DaemonSet", namespace: "nsm", name: "vpp"}

	BeforeEach(func() {
		clock = clocktesting.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		b = newBrake(clock)
	})

	// fight writes an object whenever it may, for a while, and counts the writes.
	fight := func(lasting time.Duration) int {
		writes := 0
		for end := clock.Now().Add(lasting); clock.Now().Before(end); clock.Step(100 * time.Millisecond) {
			if !b.holds(nsmgr, "intent") {
				b.wrote(nsmgr, "intent")
				writes++
			}
		}
		return writes
	}

	It("lets the first repairs through at once", func() {
		b.wrote(nsmgr, "intent")
		for range freeRepeats {
			Expect(b.holds(nsmgr, "intent")).To(BeFalse())
			b.wrote(nsmgr, "intent")
		}
		Expect(b.holds(nsmgr, "intent")).To(BeTrue())
	})

	It("bounds the writes of a fight, however long it lasts", func() {
		Expect(fight(time.Minute)).To(BeNumerically("<=", 10))
		Expect(fight(time.Hour)).To(BeNumerically("<=", 17))
		Expect(fight(24*time.Hour)).To(BeNumerically("<=", 24*12+1), "one each five minutes")
	})

	It("never holds back another intent, nor another object", func() {
		fight(time.Minute)
		Expect(b.holds(nsmgr, "another intent")).To(BeFalse())
		Expect(b.holds(other, "intent")).To(BeFalse())
		b.wrote(nsmgr, "another intent")
		Expect(b.holds(nsmgr, "another intent")).To(BeFalse())
		contested, _ := b.contested(nsmgr)
		Expect(contested).To(BeFalse(), "it begins anew")
	})

	It("tells of a fight, and when to look again: at the end of the pause, and when it is calm", func() {
		b.wrote(nsmgr, "intent")
		contested, _ := b.contested(nsmgr)
		Expect(contested).To(BeFalse())
		for range freeRepeats {
			b.wrote(nsmgr, "intent")
		}
		contested, again := b.contested(nsmgr)
		Expect(contested).To(BeTrue())
		Expect(again).To(Equal(firstPause))
		Expect(b.contested(other)).To(BeFalse())

		clock.Step(again)
		Expect(b.holds(nsmgr, "intent")).To(BeFalse())
		contested, again = b.contested(nsmgr)
		Expect(contested).To(BeTrue())
		Expect(again).To(Equal(calm - firstPause))

		clock.Step(again)
		contested, _ = b.contested(nsmgr)
		Expect(contested).To(BeFalse())
	})

	It("forgets what was left alone, so that the next repair does not wait", func() {
		fight(time.Minute)
		clock.Step(longestPause)
		b.wrote(other, "intent")
		Expect(b.histories).NotTo(HaveKey(nsmgr), "and takes no memory for it")
		Expect(b.holds(nsmgr, "intent")).To(BeFalse())
	})

	It("forgets what was deleted on purpose", func() {
		fight(time.Minute)
		b.forget(nsmgr)
		Expect(b.holds(nsmgr, "intent")).To(BeFalse())
	})
})
