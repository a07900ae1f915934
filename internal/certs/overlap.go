// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	"k8s.io/client-go/util/cert"
)

const (
	// maxTrusted is how many CAs are trusted at a time: that of the newest pair, that
	// of the oldest servers, and of some between, should pairs be replaced faster
	// than servers come up.
	maxTrusted = 8
	// lingering is how long servers are reckoned with that have been replaced: they
	// end, and connections to them do, but not at once.
	lingering = time.Minute
)

// Servers is what is known of those that shall serve a pair.
type Servers struct {
	// Alone: none of them serves anything else, Since then; zero for a long time.
	Alone bool
	Since time.Time
}

// Trusted are the CAs by which to trust the servers of a pair now. As long as some
// may serve another one, that is whatever was trusted before, the bundles given,
// and the pair's own. The time is when that may end without anybody changing
// anything; zero for never.
func (p *Pair) Trusted(servers Servers, now time.Time, before ...[]byte) (bundle []byte, again time.Time) {
	own := p.ownCA()
	if servers.Alone {
		if again = servers.Since.Add(lingering); servers.Since.IsZero() || !now.Before(again) {
			return own, time.Time{}
		}
	}
	trusted := authorities(own, now)
	for _, authority := range authorities(joined(before...), now) {
		if !slices.ContainsFunc(trusted, authority.Equal) {
			trusted = append(trusted, authority)
		}
	}
	if len(trusted) > maxTrusted {
		// The last one is the oldest, which servers have come up with.
		trusted = append(trusted[:maxTrusted-1], trusted[len(trusted)-1])
	}
	for _, authority := range trusted {
		bundle = append(bundle, pemOf(authority)...)
	}
	return bundle, again
}

// authorities are the CAs in a bundle that have not ended. What else somebody may
// have put there is passed over.
func authorities(bundle []byte, now time.Time) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != cert.CertificateBlockType {
			continue
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err == nil && authority.IsCA && now.Before(authority.NotAfter) {
			found = append(found, authority)
		}
	}
	return found
}
