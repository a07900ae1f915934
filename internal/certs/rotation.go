// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/cert"
)

// A rotation is three steps, each a write of the Secret and nothing else, so
// that a crash between any two leaves a state from which any replica goes on:
//
//	announce  a new pair lies ready; the CAs of both are trusted, the old one serves
//	promote   the new pair serves; the CAs of both are trusted
//	retire    the old CA is no longer trusted
//
// Between two steps everybody gets Terms.Settle to notice: the API servers that
// there is another CA, the other replicas that there is another certificate.
const (
	announce step = "announced the next serving certificate"
	promote  step = "serving the next certificate"
	retire   step = "retired the CA of the previous certificate"
	// replace is for what serves nothing any more, or never did.
	replace step = "issued a serving certificate"
	stay    step = ""
)

type step string

// Keys of the Secret beside those of every TLS Secret.
const (
	caKey       = "ca.crt"
	nextCertKey = "next.crt"
	nextKeyKey  = "next.key"
)

// state is what the Secret holds: what serves, and during a rotation what will.
type state struct {
	// serving is what all replicas serve. Its CA is all that is to be trusted.
	serving Pair
	// next has the same CA.
	next Pair
}

func stateOf(data map[string][]byte) state {
	ca := data[caKey]
	return state{
		serving: Pair{Certificate: data[corev1.TLSCertKey], Key: data[corev1.TLSPrivateKeyKey], CA: ca},
		next:    Pair{Certificate: data[nextCertKey], Key: data[nextKeyKey], CA: ca},
	}
}

func (s state) data() map[string][]byte {
	data := map[string][]byte{
		corev1.TLSCertKey: s.serving.Certificate, corev1.TLSPrivateKeyKey: s.serving.Key, caKey: s.serving.CA,
	}
	if s.isAnnounced() {
		data[nextCertKey], data[nextKeyKey] = s.next.Certificate, s.next.Key
	}
	return data
}

func (s state) isAnnounced() bool { return len(s.next.Certificate) > 0 }

// isUnderway reports whether there is a step yet to be taken.
func (s state) isUnderway() bool {
	return s.isAnnounced() || !bytes.Equal(s.serving.CA, s.serving.ownCA())
}

// situation is what a step depends on beside the state.
type situation struct {
	names []string
	now   time.Time
	// settled: nothing has changed, and all have been told, for Terms.Settle.
	settled bool
	// renew: there shall be a new certificate, though the old one would do.
	renew bool
}

// advance takes the step that is due, if any.
func (t Terms) advance(s state, in situation) (state, step, error) {
	serves := s.serving.verify(in.names, in.now) == nil
	announced := s.isAnnounced() && s.next.verify(in.names, in.now) == nil
	switch {
	case serves && in.renew:
		// Also in the middle of a rotation, whose next pair is not wanted either.
		return t.announced(s, in)
	case announced && (in.settled || !serves):
		return s.promoted(), promote, nil
	case !serves:
		return t.replaced(s, in)
	case announced:
		return s, stay, nil
	case s.isUnderway():
		if !in.settled {
			return s, stay, nil
		}
		s.serving.CA = s.serving.ownCA()
		return state{serving: s.serving}, retire, nil
	case t.isDue(s.serving, in.now):
		return t.announced(s, in)
	}
	return s, stay, nil
}

func (t Terms) isDue(p Pair, now time.Time) bool {
	at, err := t.renewAt(&p)
	return err != nil || !now.Before(at)
}

func (s state) promoted() state {
	serving := s.next
	serving.CA = joined(s.next.ownCA(), s.serving.ownCA())
	return state{serving: serving}
}

// announced goes on trusting what was trusted, for replicas that have not heard of the last step.
func (t Terms) announced(s state, in situation) (state, step, error) {
	next, err := t.issue(in.names, in.now)
	if err != nil {
		return s, stay, err
	}
	ca, _ := s.serving.Trusted(Servers{}, in.now, s.serving.CA, next.CA)
	s.serving.CA, next.CA = ca, ca
	return state{serving: s.serving, next: *next}, announce, nil
}

// replaced does not wait: there is nothing to be kept up. What was trusted
// stays so for a while, for replicas that serve it still.
func (t Terms) replaced(s state, in situation) (state, step, error) {
	serving, err := t.issue(in.names, in.now)
	if err != nil {
		return s, stay, err
	}
	serving.CA = joined(serving.CA, s.serving.ownCA())
	return state{serving: *serving}, replace, nil
}

// ownCA is the CA that signed the certificate, out of all those trusted; none
// where there is none.
func (p *Pair) ownCA() []byte {
	certificates, err := cert.ParseCertsPEM(p.Certificate)
	if err != nil {
		return nil
	}
	authorities, err := cert.ParseCertsPEM(p.CA)
	if err != nil {
		return nil
	}
	for _, authority := range authorities {
		if certificates[0].CheckSignatureFrom(authority) == nil {
			return pemOf(authority)
		}
	}
	return nil
}

func joined(bundles ...[]byte) []byte { return bytes.Join(bundles, nil) }

// keyPair is the pair as a server takes it.
func (p *Pair) keyPair() (*tls.Certificate, error) {
	certificate, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		return nil, errors.Join(errors.New("the serving certificate"), err)
	}
	return &certificate, nil
}
