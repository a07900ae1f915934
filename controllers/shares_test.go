// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
)

// What a night leaves out, another one has to try.
func TestTheNightsTogetherTryEveryFault(t *testing.T) {
	const counted = 50
	for _, shares := range []int{1, 3, 7, 10, 14} {
		t.Run(fmt.Sprint(shares), func(t *testing.T) {
			g := NewWithT(t)
			tried := map[string]int{}
			for which := range shares {
				kinds, places := map[string]bool{}, map[int]bool{}
				share := shareOf(counted, shares, which, nil)
				for _, one := range share {
					tried[one.String()]++
					kinds[one.name], places[one.after] = true, true
				}
				g.Expect(kinds).To(HaveLen(len(ways)), "share %d has faults of each kind", which)
				if shares <= len(ways) {
					g.Expect(places).To(HaveLen(counted), "share %d has a fault of each request", which)
				}
				g.Expect(len(share)*shares).To(BeNumerically("~", counted*len(ways), shares), "share %d is as large as any", which)
			}
			g.Expect(tried).To(HaveLen(counted * len(ways)))
			g.Expect(tried).To(HaveEach(1))
		})
	}
}
