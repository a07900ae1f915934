// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// What can only be seen with a clock that is set, and between two requests. All
// else is seen on a real API server, in test/rotation.

func TestTwoReplicasOverTheYears(t *testing.T) {
	g := NewWithT(t)
	clock := testclock.NewFakeClock(epoch)
	api := newAPI(g)
	one, two := newIssuer(g, api, clock), newIssuer(g, api, clock)
	served := map[string]bool{}
	for clock.Now().Before(epoch.AddDate(4, 0, 0)) {
		var wakeAt time.Time
		for _, i := range []*Issuer{one, two} {
			at, err := i.pass(t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			if wakeAt.IsZero() || at.Before(wakeAt) {
				wakeAt = at
			}
			for _, replica := range []*Issuer{one, two} {
				if serving := replica.serving.Load(); serving != nil {
					pair := Pair{Certificate: pemOf(serving.Leaf), Key: replica.last.serving.Key, CA: trusted(g, api)}
					g.Expect(pair.verify(i.names, clock.Now())).To(Succeed())
					if replica == i {
						g.Expect(testutil.ToFloat64(metrics.OperatorCertificateEnds)).To(BeEquivalentTo(serving.Leaf.NotAfter.Unix()))
					}
					served[serving.Leaf.SerialNumber.String()] = true
				}
			}
		}
		clock.SetTime(wakeAt)
	}
	// 1461 days, and one serves for 275.
	g.Expect(served).To(HaveLen(6))
	g.Expect(one.last.serving.Certificate).To(Equal(two.last.serving.Certificate))
}

func TestLoserTakesWhatTheWinnerWrote(t *testing.T) {
	g := NewWithT(t)
	clock := testclock.NewFakeClock(epoch)
	api := newAPI(g)
	winner := newIssuer(g, api, clock)
	// Whenever the loser has made up its mind, the winner writes first.
	first := true
	overtake := func(ctx context.Context) {
		if first {
			first = false
			_, err := winner.pass(ctx)
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	loser := newIssuer(g, interceptor.NewClient(api, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			overtake(ctx)
			return c.Create(ctx, object, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			overtake(ctx)
			return c.Update(ctx, object, options...)
		},
	}), clock)

	_, err := loser.pass(t.Context())
	g.Expect(apierrors.IsAlreadyExists(err)).To(BeTrue())
	g.Expect(loser.serving.Load()).To(BeNil())
	g.Expect(loser.pass(t.Context())).Error().NotTo(HaveOccurred())
	g.Expect(loser.last.data()).To(Equal(winner.last.data()))

	clock.Step(280 * 24 * time.Hour)
	first = true
	_, err = loser.pass(t.Context())
	g.Expect(apierrors.IsConflict(err)).To(BeTrue())
	g.Expect(loser.pass(t.Context())).Error().NotTo(HaveOccurred())
	g.Expect(loser.last.data()).To(Equal(winner.last.data()))
	g.Expect(loser.last.isAnnounced()).To(BeTrue())
}

func TestNothingIsWrittenWhileNothingIsDue(t *testing.T) {
	g := NewWithT(t)
	writes := 0
	api := interceptor.NewClient(newAPI(g), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			writes++
			return c.Update(ctx, object, options...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			writes++
			return c.Patch(ctx, object, patch, options...)
		},
	})
	i := newIssuer(g, api, testclock.NewFakeClock(epoch))
	g.Expect(i.pass(t.Context())).Error().NotTo(HaveOccurred())
	writes = 0
	wakeAt, err := i.pass(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(writes).To(BeZero())
	g.Expect(wakeAt).To(Equal(epoch.Add(275 * 24 * time.Hour)))
}

func TestCertificateIsNotServedBeforeItIsTrusted(t *testing.T) {
	g := NewWithT(t)
	clock := testclock.NewFakeClock(epoch)
	api := newAPI(g)
	broken := true
	i := newIssuer(g, interceptor.NewClient(api, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if object.GetName() == crdName && broken {
				return apierrors.NewInternalError(context.DeadlineExceeded)
			}
			return c.Update(ctx, object, options...)
		},
	}), clock)
	g.Expect(i.pass(t.Context())).Error().To(HaveOccurred())
	g.Expect(i.serving.Load()).To(BeNil())
	broken = false
	g.Expect(i.pass(t.Context())).Error().NotTo(HaveOccurred())
	g.Expect(i.serving.Load()).NotTo(BeNil())

	// Nor does a rotation go on while the API server cannot be told.
	clock.Step(280 * 24 * time.Hour)
	broken = true
	before := i.serving.Load()
	for range 3 {
		g.Expect(i.pass(t.Context())).Error().To(HaveOccurred())
		g.Expect(i.serving.Load()).To(BeIdenticalTo(before))
		clock.Step(time.Hour)
	}
}

// newAPI has what the operator is installed with.
func newAPI(g *WithT) client.WithWatch {
	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	called := admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{Name: serviceName, Namespace: "home", Path: ptr.To("/admit")},
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: crdName}},
		&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: mutatingConfigurationName},
			Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "m", ClientConfig: called}},
		},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: validatingConfigurationName},
			Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "v", ClientConfig: called}},
		},
	).Build()
}

func newIssuer(g *WithT, api client.WithWatch, clock *testclock.FakeClock) *Issuer {
	i := &Issuer{Namespace: "home", Clock: clock, client: api}
	g.Expect(i.complete()).To(Succeed())
	return i
}

// trusted is what the API server trusts, the same for all that it calls.
func trusted(g *WithT, api client.Client) []byte {
	ctx := context.Background()
	var crd apiextensionsv1.CustomResourceDefinition
	g.Expect(api.Get(ctx, client.ObjectKey{Name: crdName}, &crd)).To(Succeed())
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	g.Expect(api.Get(ctx, client.ObjectKey{Name: mutatingConfigurationName}, &mutating)).To(Succeed())
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	g.Expect(api.Get(ctx, client.ObjectKey{Name: validatingConfigurationName}, &validating)).To(Succeed())
	ca := crd.Spec.Conversion.Webhook.ClientConfig.CABundle
	g.Expect(mutating.Webhooks[0].ClientConfig.CABundle).To(Equal(ca))
	g.Expect(validating.Webhooks[0].ClientConfig.CABundle).To(Equal(ca))
	return ca
}
