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

const (
	// validity of the serving certificate and its CA.
	validity = 365 * 24 * time.Hour
	// renewal is how long before its end a certificate is no longer used.
	renewal = 90 * 24 * time.Hour
	// backdate allows for clocks that are behind.
	backdate = time.Hour
)

// Pair is a serving certificate with its key and the CAs to trust it by,
// PEM-encoded.
type Pair struct {
	Certificate, Key, CA []byte
}

// Issue makes a CA, signs one serving certificate with it, and forgets the CA's
// key: nothing else can ever be signed by what the API server trusts. The names
// are DNS names or IP addresses.
func Issue(names []string, now time.Time) (*Pair, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca, err := sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "nsm-operator webhook CA"},
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}, nil, caKey.Public(), caKey, now)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
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
	serving, err := sign(template, ca, key.Public(), caKey, now)
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
func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(validity)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Succeed issues the pair that comes after p: those who trust it trust p, too,
// which servers go on to use until they know the new one.
func (p *Pair) Succeed(names []string, now time.Time) (*Pair, error) {
	next, err := Issue(names, now)
	if err != nil {
		return nil, err
	}
	// One that is no certificate, or has ended, need not be trusted any more.
	previous, err := cert.ParseCertsPEM(p.CA)
	if err == nil && now.Before(previous[0].NotAfter) {
		next.CA = append(next.CA, pemOf(previous[0])...)
	}
	return next, nil
}

// RenewAt is the time from which the pair should be succeeded.
func (p *Pair) RenewAt() (time.Time, error) {
	certificates, err := cert.ParseCertsPEM(p.Certificate)
	if err != nil {
		return time.Time{}, err
	}
	return certificates[0].NotAfter.Add(-renewal), nil
}

// Usable tells, by an error, whether a pair serves all the names and will for a
// while.
func (p *Pair) Usable(names []string, now time.Time) error {
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
			DNSName: name, Roots: roots, CurrentTime: now.Add(renewal),
		}); err != nil {
			return err
		}
	}
	return nil
}

func pemOf(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: certificate.Raw})
}
