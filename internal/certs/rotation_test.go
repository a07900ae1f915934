// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/util/cert"
)

// TestRotation goes through years of rotations. Whatever a replica serves that
// has, or has not, heard of the last step is trusted by an API server that has,
// or has not.
func TestRotation(t *testing.T) {
	g := NewWithT(t)
	terms := DefaultTerms()
	now, since := epoch, epoch
	current, taken, err := terms.advance(state{}, situation{names: servers, now: now})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(taken).To(Equal(replace))

	random := rand.New(rand.NewPCG(1, 2))
	var steps []step
	for range 500 {
		pause := 20 * 24 * time.Hour
		if current.isUnderway() {
			pause = 2 * terms.Settle
		}
		now = now.Add(time.Duration(random.Int64N(int64(pause))))
		in := situation{names: servers, now: now, settled: !now.Before(since.Add(terms.Settle))}
		next, taken, err := terms.advance(current, in)
		g.Expect(err).NotTo(HaveOccurred())
		if taken == stay {
			g.Expect(next).To(Equal(current))
			continue
		}
		for _, served := range []Pair{current.serving, next.serving} {
			for _, trusted := range []Pair{current.serving, next.serving} {
				served.CA = trusted.CA
				g.Expect(served.verify(servers, now)).To(Succeed(), string(taken))
			}
		}
		// As it is read back.
		current, since = stateOf(next.data()), now
		steps = append(steps, taken)
	}
	g.Expect(len(steps)).To(BeNumerically(">", 9))
	for n, taken := range steps {
		g.Expect(taken).To(Equal([]step{announce, promote, retire}[n%3]))
	}
}

func TestAdvance(t *testing.T) {
	terms := DefaultTerms()
	fresh := func(at time.Time, names ...string) state {
		pair, err := terms.issue(names, at)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		return state{serving: *pair}
	}
	const day = 24 * time.Hour
	steady := fresh(epoch, servers...)
	underway, _, err := terms.announced(steady, situation{names: servers, now: epoch.Add(280 * day)})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	broken := underway
	broken.next.Key = nil
	promoted := underway.promoted()

	for name, test := range map[string]struct {
		from     state
		in       situation
		want     step
		trusted  int
		servesOn bool // the certificate stays the same
	}{
		"nothing":                             {state{}, situation{}, replace, 1, false},
		"garbage":                             {stateOf(map[string][]byte{"tls.crt": []byte("a"), "ca.crt": []byte("b")}), situation{}, replace, 1, false},
		"new":                                 {steady, situation{settled: true}, stay, 1, true},
		"of another name":                     {fresh(epoch, "elsewhere"), situation{settled: true}, replace, 2, false},
		"due":                                 {steady, situation{now: epoch.Add(275 * day)}, announce, 2, true},
		"not yet due":                         {steady, situation{now: epoch.Add(275*day - time.Second), settled: true}, stay, 1, true},
		"ended before anybody looked":         {steady, situation{now: epoch.Add(400 * day)}, replace, 2, false},
		"wanted anew":                         {steady, situation{renew: true}, announce, 2, true},
		"announced, and wanted anew":          {underway, situation{now: epoch.Add(280 * day), renew: true}, announce, 3, true},
		"promoted, and wanted anew":           {promoted, situation{now: epoch.Add(280 * day), renew: true}, announce, 3, true},
		"announced":                           {underway, situation{now: epoch.Add(280 * day)}, stay, 2, true},
		"announced, and everybody knows":      {underway, situation{now: epoch.Add(280 * day), settled: true}, promote, 2, false},
		"announced, and the old one ended":    {underway, situation{now: epoch.Add(366 * day)}, promote, 2, false},
		"announced, but it is broken":         {broken, situation{now: epoch.Add(280 * day), settled: true}, retire, 1, true},
		"announced, but both ended":           {underway, situation{now: epoch.Add(900 * day), settled: true}, replace, 2, false},
		"promoted":                            {promoted, situation{now: epoch.Add(280 * day)}, stay, 2, true},
		"promoted, and everybody knows":       {promoted, situation{now: epoch.Add(280 * day), settled: true}, retire, 1, true},
		"promoted, and due before all settle": {promoted, situation{now: epoch.Add(560 * day)}, stay, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			test.in.names = servers
			if test.in.now.IsZero() {
				test.in.now = epoch
			}
			next, taken, err := terms.advance(test.from, test.in)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(taken).To(Equal(test.want))
			g.Expect(cert.ParseCertsPEM(next.serving.CA)).To(HaveLen(test.trusted))
			g.Expect(next.serving.verify(servers, test.in.now)).To(Succeed())
			g.Expect(bytes.Equal(next.serving.Certificate, test.from.serving.Certificate)).To(Equal(test.servesOn))
			if taken == announce {
				g.Expect(next.next.verify(servers, test.in.now)).To(Succeed())
				g.Expect(next.next.Certificate).NotTo(Equal(test.from.next.Certificate))
			}
		})
	}
}
