package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"testing"
)

func TestCertificatesVerify(t *testing.T) {
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.server("apiserver", []string{"kubernetes.default.svc"}, []net.IP{net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	client, err := ca.client("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.0.0.1", "kubernetes.default.svc"} {
		verify(t, ca, server, x509.VerifyOptions{DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	}
	leaf := verify(t, ca, client, x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if leaf.Subject.CommonName != "admin" || !slices.Equal(leaf.Subject.Organization, []string{"system:masters"}) {
		t.Errorf("the client is %v", leaf.Subject)
	}
}

// verify checks that key and certificate belong together and that the certificate is the authority's and no other's.
func verify(t *testing.T, ca *authority, pair keyPair, options x509.VerifyOptions) *x509.Certificate {
	t.Helper()
	loaded, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	options.Roots = x509.NewCertPool()
	options.Roots.AppendCertsFromPEM(ca.pem())
	if _, err := loaded.Leaf.Verify(options); err != nil {
		t.Error(err)
	}
	other, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	options.Roots = x509.NewCertPool()
	options.Roots.AddCert(other.cert)
	if _, err := loaded.Leaf.Verify(options); err == nil {
		t.Error("verifies against an authority that has not issued it")
	}
	return loaded.Leaf
}
