// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"crypto/x509"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/util/cert"
)

var (
	servers = []string{"operator.example.svc", "127.0.0.1"}
	epoch   = time.Date(2030, time.March, 1, 12, 0, 0, 0, time.UTC)
)

func TestIssue(t *testing.T) {
	g := NewWithT(t)
	pair, err := Issue(servers, epoch)
	g.Expect(err).NotTo(HaveOccurred())

	leaf := parse(g, pair.Certificate)
	g.Expect(leaf.DNSNames).To(Equal([]string{"operator.example.svc"}))
	g.Expect(leaf.IPAddresses).To(HaveLen(1))
	g.Expect(leaf.IsCA).To(BeFalse())
	g.Expect(leaf.ExtKeyUsage).To(Equal([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}))
	g.Expect(leaf.NotBefore).To(Equal(epoch.Add(-time.Hour)))
	g.Expect(leaf.NotAfter).To(Equal(epoch.Add(365 * 24 * time.Hour)))
	ca := parse(g, pair.CA)
	g.Expect(ca.IsCA).To(BeTrue())
	g.Expect(ca.PublicKey).NotTo(Equal(leaf.PublicKey))

	other, err := Issue(servers, epoch)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other.CA).NotTo(Equal(pair.CA))
	g.Expect(parse(g, other.Certificate).SerialNumber).NotTo(Equal(leaf.SerialNumber))
}

func TestRenewAt(t *testing.T) {
	g := NewWithT(t)
	pair, err := Issue(servers, epoch)
	g.Expect(err).NotTo(HaveOccurred())
	renewAt, err := pair.RenewAt()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(renewAt).To(Equal(epoch.Add(275 * 24 * time.Hour)))
	g.Expect(pair.Usable(servers, renewAt)).To(Succeed())
	g.Expect(pair.Usable(servers, renewAt.Add(time.Second))).NotTo(Succeed())
}

func parse(g *WithT, encoded []byte) *x509.Certificate {
	certificates, err := cert.ParseCertsPEM(encoded)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(certificates).To(HaveLen(1))
	return certificates[0]
}
