// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/networkservicemesh/nsm-operator/internal/backoff"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
)

const day = 24 * time.Hour

var _ = Describe("A pair", func() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	names := []string{"nsm-operator-service.nsm-operator-system.svc", "127.0.0.1"}
	var pair *certs.Pair

	BeforeEach(func() {
		var err error
		pair, err = certs.Issue(names, now)
		Expect(err).NotTo(HaveOccurred())
	})

	It("is usable for its names, from now until three months before its end", func() {
		Expect(pair.Usable(names, now)).To(Succeed())
		Expect(pair.Usable(names[1:], now.Add(274*day))).To(Succeed())
		Expect(pair.Usable(names, now.Add(276*day))).To(MatchError(ContainSubstring("expired")))
	})

	It("is not usable for another name or address", func() {
		Expect(pair.Usable([]string{"nsm-operator-service.other.svc"}, now)).To(MatchError(ContainSubstring("other.svc")))
		Expect(pair.Usable([]string{"127.0.0.2"}, now)).To(MatchError(ContainSubstring("127.0.0.2")))
	})

	DescribeTable("is not usable when somebody damaged it", func(damage func(*certs.Pair)) {
		damage(pair)
		Expect(pair.Usable(names, now)).NotTo(Succeed())
	},
		Entry("all gone", func(p *certs.Pair) { *p = certs.Pair{} }),
		Entry("garbage for a certificate", func(p *certs.Pair) { p.Certificate = []byte("garbage") }),
		Entry("garbage for a key", func(p *certs.Pair) { p.Key = []byte("garbage") }),
		Entry("garbage for a CA", func(p *certs.Pair) { p.CA = []byte("garbage") }),
		Entry("another pair's key", func(p *certs.Pair) { p.Key = other(names, now).Key }),
		Entry("another pair's CA", func(p *certs.Pair) { p.CA = other(names, now).CA }),
	)

	It("is no CA: nothing else can be signed with what the Secret holds", func() {
		certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		Expect(err).NotTo(HaveOccurred())
		leaf, err := x509.ParseCertificate(certificate.Certificate[0])
		Expect(err).NotTo(HaveOccurred())
		Expect(leaf.IsCA).To(BeFalse())
		Expect(leaf.KeyUsage & x509.KeyUsageCertSign).To(BeZero())
		_, err = tls.X509KeyPair(pair.CA, pair.Key)
		Expect(err).To(MatchError(ContainSubstring("does not match")), "the key is not the CA's")
	})
})

var _ = Describe("Ensure", func() {
	var ctx context.Context

	BeforeEach(func() {
		// What it returns goes on renewing until its context ends.
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(context.Background()) //nolint:fatcontext // one a spec, from the background
		DeferCleanup(func() {
			cancel()
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName}}
			Expect(client.IgnoreNotFound(admin.Delete(context.Background(), secret))).To(Succeed())
		})
		replace(ctx, "-k", "../../config/crd")
		deleteConfigurations(ctx)
	})

	It("ends with one pair and one CA everywhere, however many replicas start at once", func() {
		served := make([][]byte, 5)
		var replicas errgroup.Group
		for n := range served {
			replicas.Go(func() error {
				use, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ctx)
				if err == nil {
					served[n] = servedBy(use)
				}
				return err
			})
		}
		Expect(replicas.Wait()).To(Succeed())
		for _, certificate := range served {
			Expect(certificate).To(Equal(served[0]))
		}
		pair := pairOf(shared(ctx))
		Expect(pair.Usable([]string{"nsm-operator-service." + namespace + ".svc"}, time.Now())).To(Succeed())
		for _, call := range told(ctx) {
			Expect(call).To(Equal(calls{service: namespace + "/nsm-operator-service", ca: string(pair.CA)}))
		}
	})

	It("writes nothing when all is well", func() {
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		before, version := told(ctx), shared(ctx).ResourceVersion
		_, err = (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(told(ctx)).To(Equal(before))
		Expect(shared(ctx).ResourceVersion).To(Equal(version))
	})

	It("replaces what somebody damaged, and tells the API server", func() {
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		secret := shared(ctx)
		damaged := secret.Data[corev1.TLSPrivateKeyKey]
		secret.Data[corev1.TLSPrivateKeyKey] = []byte("garbage")
		Expect(admin.Update(ctx, secret)).To(Succeed())

		use, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		pair := pairOf(shared(ctx))
		Expect(pair.Key).NotTo(Equal(damaged))
		Expect(pair.Usable([]string{"nsm-operator-service." + namespace + ".svc"}, time.Now())).To(Succeed())
		trusted := x509.NewCertPool()
		Expect(trusted.AppendCertsFromPEM([]byte(told(ctx)[0].ca))).To(BeTrue())
		leaf, err := x509.ParseCertificate(servedBy(use))
		Expect(err).NotTo(HaveOccurred())
		_, err = leaf.Verify(x509.VerifyOptions{Roots: trusted})
		Expect(err).NotTo(HaveOccurred(), "what is served is trusted")
	})

	It("prepares another certificate whenever the Secret is deleted, also in the middle of a rotation", func() {
		use, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		served, next := servedBy(use), []byte(nil)
		for range 3 {
			before := told(ctx)[0].ca
			Expect(admin.Delete(ctx, shared(ctx))).To(Succeed())
			Eventually(func() string { return told(ctx)[0].ca }).ShouldNot(Equal(before))
			Expect(told(ctx)[0].ca).To(ContainSubstring(before), "what may be served is trusted on")
			secret := shared(ctx)
			Expect(secret.Data["next.crt"]).NotTo(Or(BeEmpty(), Equal(next)))
			next = secret.Data["next.crt"]
			Expect(servedBy(use)).To(Equal(served))
		}
	})

	It("does not fight whoever keeps overwriting what it has told", func() {
		now := clocktesting.NewFakeClock(time.Now())
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace, Clock: now}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		before, right := repaired(), told(ctx)[0]
		overwrite := func() {
			kubectl(ctx, "patch", "crd", crdName, "--type=json", "-p", `[{"op":"remove","path":"/spec/conversion/webhook/clientConfig/caBundle"}]`)
		}
		conversion := func() calls { return told(ctx)[0] }
		for range backoff.FreeRepeats {
			overwrite()
			Eventually(conversion).Should(Equal(right))
		}
		// By now it is a fight: each pause is twice as long as the one before.
		for pause := time.Second; pause < 5*time.Second; pause *= 2 {
			overwrite()
			now.Step(pause - time.Millisecond)
			Consistently(conversion).WithTimeout(500 * time.Millisecond).ShouldNot(Equal(right))
			// It may have begun to wait only after that step.
			left := pause
			Eventually(func() calls {
				if left > 0 {
					now.Step(pause / 4)
					left -= pause / 4
				}
				return conversion()
			}).Should(Equal(right))
		}
		Eventually(func() float64 { return repaired() - before }).Should(BeEquivalentTo(backoff.FreeRepeats + 3))
	})

	It("tells the API server another address for an operator outside the cluster", func() {
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: "https://127.0.0.1:9443"}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		pair := pairOf(shared(ctx))
		Expect(pair.Usable([]string{"127.0.0.1"}, time.Now())).To(Succeed())
		for n, path := range []string{"/convert", "/mutate-nsm-networkservicemesh-io-v1beta1-nsm", "/validate-nsm-networkservicemesh-io-v1beta1-nsm"} {
			Expect(told(ctx)[n]).To(Equal(calls{url: "https://127.0.0.1:9443" + path, ca: string(pair.CA)}))
		}
	})

	DescribeTable("refuses an address that the API server could not call", func(url string) {
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: namespace, URL: url}).Ensure(ctx)
		Expect(err).To(MatchError(ContainSubstring("must be https://host:port")))
	},
		Entry("without TLS", "http://127.0.0.1:9443"),
		Entry("without a host", "https://:9443"),
		Entry("without a scheme", "localhost"),
	)
})

// repaired is the metric of what was put right of the CRD.
func repaired() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "nsm_operator_webhooks_repaired_total" && metric.GetLabel()[0].GetValue() == "CustomResourceDefinition" {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func other(names []string, now time.Time) *certs.Pair {
	GinkgoHelper()
	pair, err := certs.Issue(names, now)
	Expect(err).NotTo(HaveOccurred())
	return pair
}

func pairOf(secret *corev1.Secret) *certs.Pair {
	return &certs.Pair{
		Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey], CA: secret.Data["ca.crt"],
	}
}

// servedBy is the certificate that a server presents.
func servedBy(use func(*tls.Config)) []byte {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	use(config)
	certificate, err := config.GetCertificate(nil)
	if err != nil {
		return nil
	}
	return bytes.Clone(certificate.Certificate[0])
}
