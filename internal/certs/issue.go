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

// pair is a serving certificate with its key and its CA, PEM-encoded.
type pair struct {
	certificate, key, ca []byte
}

// issue makes a CA, signs one serving certificate with it, and forgets the CA's
// key: nothing else can ever be signed by what the API server trusts.
func issue(names []string, now time.Time) (*pair, error) {
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
	return &pair{certificate: pemOf(serving), key: keyPEM, ca: pemOf(ca)}, nil
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

// usable tells whether a pair serves all the names and will for a while.
func (p *pair) usable(names []string, now time.Time) error {
	if _, err := tls.X509KeyPair(p.certificate, p.key); err != nil {
		return err
	}
	certificates, err := cert.ParseCertsPEM(p.certificate)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.ca) {
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
