// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestTrusted: the CA of whatever servers may still serve is trusted, whatever has
// become of the place where it was kept.
func TestTrusted(t *testing.T) {
	// The CAs are named in the order in which they were issued; x has ended.
	var pairs []*Pair
	for range 12 {
		pair, err := Issue(servers, epoch)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, pair)
	}
	ended, err := Issue(servers, epoch.AddDate(-2, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	of := func(names string) []byte {
		var bundle []byte
		for name := range strings.SplitSeq(names, "") {
			switch name {
			case "":
			case "x":
				bundle = append(bundle, ended.CA...)
			case "!":
				bundle = append(bundle, "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"...)
			case "k":
				bundle = append(bundle, pairs[0].Key...)
			case "l":
				bundle = append(bundle, pairs[0].Certificate...)
			default:
				bundle = append(bundle, pairs[slices.Index(strings.Split("abcdefghij", ""), name)].CA...)
			}
		}
		return bundle
	}
	alone, changing := Servers{Alone: true}, Servers{}
	lately := Servers{Alone: true, Since: epoch.Add(-10 * time.Second)}
	longAgo := Servers{Alone: true, Since: epoch.Add(-time.Hour)}
	for name, tc := range map[string]struct {
		pair    *Pair
		servers Servers
		before  []string
		want    string
		again   time.Time
	}{
		"the first one":                       {pairs[0], changing, nil, "a", time.Time{}},
		"served by all":                       {pairs[1], alone, []string{"ba", "ba"}, "b", time.Time{}},
		"served by all for long":              {pairs[1], longAgo, []string{"ba"}, "b", time.Time{}},
		"served by all since a moment":        {pairs[1], lately, []string{"ba"}, "ba", epoch.Add(50 * time.Second)},
		"the Secret is gone":                  {pairs[1], changing, []string{"", "a"}, "ba", time.Time{}},
		"the configuration is gone":           {pairs[1], changing, []string{"a", ""}, "ba", time.Time{}},
		"a third one in the middle":           {pairs[2], changing, []string{"", "ba"}, "cba", time.Time{}},
		"the same in both":                    {pairs[1], changing, []string{"ba", "ba"}, "ba", time.Time{}},
		"what has ended":                      {pairs[1], changing, []string{"xa", "ax"}, "ba", time.Time{}},
		"nonsense, a key, and a server's own": {pairs[1], changing, []string{"!kl", "a!"}, "ba", time.Time{}},
		"somebody else's":                     {pairs[2], changing, []string{"b", "a"}, "cba", time.Time{}},
		"as many as there may be":             {pairs[7], changing, []string{"gfedcba"}, "hgfedcba", time.Time{}},
		"more: the newest, and the oldest":    {pairs[9], changing, []string{"ihgfedcba"}, "jihgfeda", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var before [][]byte
			for _, names := range tc.before {
				before = append(before, of(names))
			}
			// The pair knows its own CA, among others.
			pair := *tc.pair
			pair.CA = joined(ended.CA, pair.CA)
			bundle, again := pair.Trusted(tc.servers, epoch, before...)
			g.Expect(string(bundle)).To(Equal(string(of(tc.want))))
			g.Expect(again).To(Equal(tc.again))
		})
	}
}
