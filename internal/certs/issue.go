// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package certs gives the webhooks their serving certificate, and the API
// server the means to trust it.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// backdate allows for clocks that are behind.
const backdate = time.Hour

// Terms are how long certificates live and how much time a rotation takes.
type Terms struct {
	// Validity of a serving certificate and its CA.
	Validity time.Duration
	// Renewal is how long before its end a certificate is succeeded by another.
	Renewal time.Duration
	// Settle is how long all replicas and API servers get to notice one step of a
	// rotation before the next one is taken.
	Settle time.Duration
}

// DefaultTerms leave three months to notice that renewal fails. The minutes in
// between cost nothing: old and new are both trusted.
func DefaultTerms() Terms {
	const day = 24 * time.Hour
	return Terms{Validity: 365 * day, Renewal: 90 * day, Settle: 10 * time.Minute}
}

// Pair is a serving certificate with its key and the CAs to trust it by,
// PEM-encoded.
type Pair struct {
	Certificate, Key, CA []byte
}

// Issue makes a CA, signs one serving certificate with it, and forgets the CA's
// key: nothing else can ever be signed by what the API server trusts. The names
// are DNS names or IP addresses.
func Issue(names []string, now time.Time) (*Pair, error) {
	return DefaultTerms().issue(names, now)
}

func (t Terms) issue(names []string, now time.Time) (*Pair, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	notBefore, notAfter := now.Add(-backdate), now.Add(t.Validity)
	ca, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "nsm-operator webhook CA"},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}, nil, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		NotBefore:   notBefore,
		NotAfter:    notAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	serving, err := sign(template, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, err
	}
	return &Pair{Certificate: pemOf(serving), Key: keyPEM, CA: pemOf(ca)}, nil
}

// sign completes a template and signs it; without a parent it signs itself.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// RenewAt is the time from which the pair should be succeeded.
func (p *Pair) RenewAt() (time.Time, error) {
	return DefaultTerms().renewAt(p)
}

func (t Terms) renewAt(p *Pair) (time.Time, error) {
	certificates, err := cert.ParseCertsPEM(p.Certificate)
	if err != nil {
		return time.Time{}, err
	}
	return certificates[0].NotAfter.Add(-t.Renewal), nil
}

// Usable tells, by an error, whether a pair serves all the names and will for a
// while.
func (p *Pair) Usable(names []string, now time.Time) error {
	return p.verify(names, now.Add(DefaultTerms().Renewal))
}

// verify tells, by an error, whether a pair serves all the names at a time.
func (p *Pair) verify(names []string, at time.Time) error {
	if _, err := tls.X509KeyPair(p.Certificate, p.Key); err != nil {
		return err
	}
	certificates, err := cert.ParseCertsPEM(p.Certificate)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.CA) {
		return fmt.Errorf("no CA certificate")
	}
	for _, name := range names {
		if _, err := certificates[0].Verify(x509.VerifyOptions{
			DNSName: name, Roots: roots, CurrentTime: at,
		}); err != nil {
			return err
		}
	}
	return nil
}

func pemOf(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: certificate.Raw})
}
