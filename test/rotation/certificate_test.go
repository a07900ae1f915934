// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rotation_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
)

// busy is how old may be what a busy machine reads.
const busy = 4 * time.Second

// hasty certificates are succeeded after a second or two (they count in whole ones).
var hasty = certs.Terms{Validity: time.Hour, Renewal: time.Hour - 2*time.Second, Settle: busy}

// calm ones are not succeeded while a spec lasts.
var calm = certs.Terms{Validity: time.Hour, Renewal: time.Minute, Settle: 200 * time.Millisecond}

var _ = Describe("The certificate of the webhooks", Ordered, func() {
	BeforeEach(func(ctx SpecContext) { deleteSecret(ctx) })

	It("rotates three times while both versions are used, and nobody notices", func(ctx SpecContext) {
		service := newService()
		replicas := startReplicas(service, hasty)
		kept := newNSM(ctx)
		load := startHammer(kept)
		probe := startProbe(replicas)

		served := watchServed(ctx, 4)
		load.stop()
		probe.stop()
		Expect(served).To(HaveLen(4))
		AddReportEntry("load", fmt.Sprintf("%d requests, %d of them tried again by client-go, the slowest answered after %v; %d handshakes",
			load.requests.Load(), load.throttled.Load(), time.Duration(load.slowest.Load()), len(bundles(ctx))*int(probe.count.Load())))
		Expect(load.errors()).To(BeEmpty())
		Expect(probe.errors()).To(BeEmpty())
		Expect(load.requests.Load()).To(BeNumerically(">", 100))
	}, NodeTimeout(10*time.Minute))

	It("is one when two replicas start at once", func(ctx SpecContext) {
		for range 5 {
			deleteSecret(ctx)
			service := newService()
			replicas := startReplicas(service, calm)
			expectOnePair(ctx, replicas)
			for _, r := range replicas {
				r.stop()
			}
		}
	}, NodeTimeout(10*time.Minute))

	It("is there for a replica that does not lead", func(ctx SpecContext) {
		holdLease(ctx)
		service := newService()
		r := startReplica(service.url, calm, func(options *ctrl.Options) {
			options.LeaderElection, options.LeaderElectionID, options.LeaderElectionNamespace = true, "nsm-operator", operatorNamespace
		})
		service.add(r, "")
		nsm := newNSM(ctx)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{})).To(Succeed())
		Expect(r.manager.Elected()).NotTo(BeClosed())
	}, NodeTimeout(10*time.Minute))

	It("is succeeded, not missed, when somebody deletes the Secret", func(ctx SpecContext) {
		service := newService()
		replicas := startReplicas(service, certs.Terms{Validity: calm.Validity, Renewal: calm.Renewal, Settle: busy})
		nsm := newNSM(ctx)
		before := getSecret(ctx).Data[corev1.TLSCertKey]
		load := startHammer(nsm)
		Expect(admin.Delete(ctx, getSecret(ctx))).To(Succeed())
		Eventually(func(g Gomega) {
			secret := &corev1.Secret{}
			g.Expect(admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: secretName}, secret)).To(Succeed())
			g.Expect(secret.Data[corev1.TLSCertKey]).NotTo(Equal(before))
			g.Expect(countCertificates(secret.Data["ca.crt"])).To(Equal(1))
		}).Should(Succeed())
		load.stop()
		Expect(load.errors()).To(BeEmpty())
		expectOnePair(ctx, replicas)
	}, NodeTimeout(10*time.Minute))

	It("is told to the API server again whenever somebody overwrites that", func(ctx SpecContext) {
		service := newService()
		startReplicas(service, calm)
		nsm := newNSM(ctx)
		whole := getCRD(ctx).Spec.Conversion
		for _, overwrite := range []func(*apiextensionsv1.CustomResourceConversion){
			func(c *apiextensionsv1.CustomResourceConversion) { c.Webhook.ClientConfig.CABundle = nil },
			func(c *apiextensionsv1.CustomResourceConversion) {
				c.Strategy, c.Webhook = apiextensionsv1.NoneConverter, nil
			},
			func(c *apiextensionsv1.CustomResourceConversion) {
				c.Webhook.ClientConfig.URL = nil
				c.Webhook.ClientConfig.Service = &apiextensionsv1.ServiceReference{Namespace: "elsewhere", Name: "nobody"}
			},
		} {
			crd := getCRD(ctx)
			overwrite(crd.Spec.Conversion)
			Expect(admin.Update(ctx, crd)).To(Succeed())
			began := time.Now()
			Eventually(func() *apiextensionsv1.CustomResourceConversion { return getCRD(ctx).Spec.Conversion }).Should(Equal(whole))
			Eventually(func() error {
				return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1alpha1.NSM{})
			}).Should(Succeed())
			AddReportEntry("back after", time.Since(began).String())
		}
	}, NodeTimeout(10*time.Minute))

	It("outlives an upgrade: however often the CRD is written as the next bundle has it, nobody notices", func(ctx SpecContext) {
		service := newService()
		startReplicas(service, calm)
		kept := newNSM(ctx)
		awaitGuard(ctx)
		told := bundles(ctx)
		Expect(told).To(HaveEach(string(getSecret(ctx).Data["ca.crt"])))
		file, err := os.ReadFile("../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml")
		Expect(err).NotTo(HaveOccurred())
		load := startHammer(kept)
		for n := range 3 {
			Eventually(func() error {
				next := &apiextensionsv1.CustomResourceDefinition{}
				Expect(yaml.Unmarshal(file, next)).To(Succeed())
				next.Spec.Versions[1].Schema.OpenAPIV3Schema.Description = fmt.Sprint("As of the next version, ", n)
				next.ResourceVersion = getCRD(ctx).ResourceVersion
				return admin.Update(ctx, next)
			}).Should(Succeed())
			Expect(bundles(ctx)).To(Equal(told))
			sofar := load.requests.Load()
			Eventually(load.requests.Load).Should(BeNumerically(">", sofar+30))
		}
		load.stop()
		AddReportEntry("load", fmt.Sprintf("%d requests, %d of them tried again by client-go, the slowest answered after %v",
			load.requests.Load(), load.throttled.Load(), time.Duration(load.slowest.Load())))
		Expect(load.errors()).To(BeEmpty())
	}, NodeTimeout(10*time.Minute))

	It("survives the manifests being applied again, in each of the ways to do so", func(ctx SpecContext) {
		DeferCleanup(allowUnvalidated)
		_, err := (&certs.Issuer{Config: operatorConfig, Namespace: operatorNamespace, Terms: calm}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		told := bundles(ctx)
		Expect(told).To(HaveEach(string(getSecret(ctx).Data["ca.crt"])))
		conversion := getCRD(ctx).Spec.Conversion
		for _, args := range [][]string{
			{"apply", "--server-side", "--force-conflicts", "-k", "../../config/local"},
			{"delete", "mutatingwebhookconfiguration/nsm-operator-defaults", "validatingwebhookconfiguration/nsm-operator-validation"},
			{"replace", "-k", "../../config/crd"},
			{"replace", "-f", "../../bundle/manifests/nsm.networkservicemesh.io_nsms.yaml"},
		} {
			server.Kubectl(ctx, args...)
			Eventually(func() error {
				return errors.Join(
					admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, &admissionregistrationv1.MutatingWebhookConfiguration{}),
					admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, &admissionregistrationv1.ValidatingWebhookConfiguration{}))
			}).Should(Succeed())
			Eventually(func() []string { return bundles(ctx) }).Should(Equal(told))
			Eventually(func() *apiextensionsv1.CustomResourceConversion { return getCRD(ctx).Spec.Conversion }).Should(Equal(conversion))
		}
	}, NodeTimeout(10*time.Minute))
})

// awaitGuard has the API server ask the guard of the CRD once more, for as long as it can wait,
// until the end of the spec. As it is shipped, it holds up nobody for more than three seconds,
// which a busy machine may take.
func awaitGuard(ctx context.Context) {
	GinkgoHelper()
	var shipped admissionregistrationv1.MutatingWebhookConfiguration
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-defaults"}, &shipped)).To(Succeed())
	patient := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "patient-guard"}}
	for _, webhook := range shipped.Webhooks {
		if ptr.Deref(webhook.FailurePolicy, "") == admissionregistrationv1.Ignore {
			webhook.TimeoutSeconds = ptr.To[int32](30)
			patient.Webhooks = append(patient.Webhooks, webhook)
		}
	}
	Expect(patient.Webhooks).To(HaveLen(1))
	Expect(admin.Create(ctx, patient)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, patient)).To(Succeed()) })
}

func deleteSecret(ctx context.Context) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: secretName}}
	Expect(client.IgnoreNotFound(admin.Delete(ctx, secret))).To(Succeed())
}

// startReplicas starts two at once.
func startReplicas(s *service, terms certs.Terms) []*replica {
	GinkgoHelper()
	replicas := make([]*replica, 2)
	var group sync.WaitGroup
	for n := range replicas {
		group.Go(func() {
			defer GinkgoRecover()
			replicas[n] = startReplica(s.url, terms)
		})
	}
	group.Wait()
	for _, r := range replicas {
		Expect(r).NotTo(BeNil())
		s.add(r, "")
	}
	return replicas
}

// expectOnePair: all replicas serve what the Secret holds, and only its CA is
// trusted.
func expectOnePair(ctx context.Context, replicas []*replica) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		secret := getSecret(ctx)
		block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
		for _, r := range replicas {
			served, err := r.handshake(secret.Data["ca.crt"])
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(served.Raw).To(Equal(block.Bytes))
		}
		g.Expect(countCertificates(secret.Data["ca.crt"])).To(Equal(1))
		g.Expect(secret.Data).NotTo(HaveKey("next.crt"))
		g.Expect(bundles(ctx)).To(HaveEach(string(secret.Data["ca.crt"])))
	}).Should(Succeed())
}

func countCertificates(bundle []byte) int { return bytes.Count(bundle, []byte("BEGIN CERTIFICATE")) }

// watchServed waits until the Secret has held a number of serving certificates.
func watchServed(ctx context.Context, number int) [][]byte {
	GinkgoHelper()
	var served [][]byte
	Eventually(func() int {
		now := getSecret(ctx).Data[corev1.TLSCertKey]
		if len(served) == 0 || !bytes.Equal(served[len(served)-1], now) {
			served = append(served, now)
		}
		return len(served)
	}).WithTimeout(5 * time.Minute).Should(Equal(number))
	return served
}

// worker does a thing again and again until it is stopped, and keeps the errors.
type worker struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
	mu     sync.Mutex
	failed []string
	count  atomic.Int64
}

func (w *worker) start(ctx context.Context, name string, do func(context.Context) error) {
	w.group.Go(func() {
		for ctx.Err() == nil {
			// What has begun is finished: only errors of the server count.
			if err := do(context.WithoutCancel(ctx)); err != nil {
				w.mu.Lock()
				w.failed = append(w.failed, time.Now().Format(time.StampMilli)+" "+name+": "+err.Error())
				w.mu.Unlock()
			}
			w.count.Add(1)
		}
	})
}

func (w *worker) stop() {
	w.cancel()
	w.group.Wait()
}

func (w *worker) errors() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// hammer uses both versions as fast as it can.
type hammer struct {
	worker
	// requests that were sent, and those of them that the API server put off.
	requests, throttled atomic.Int64
	// slowest answer, in nanoseconds.
	slowest atomic.Int64
}

func startHammer(kept *nsmv1beta1.NSM) *hammer {
	GinkgoHelper()
	h := &hammer{}
	config := rest.CopyConfig(adminConfig)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return h.counting(next) })
	c, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	DeferCleanup(h.stop)
	key := client.ObjectKeyFromObject(kept)
	h.start(ctx, "get v1alpha1", func(ctx context.Context) error { return c.Get(ctx, key, &nsmv1alpha1.NSM{}) })
	h.start(ctx, "get v1beta1", func(ctx context.Context) error { return c.Get(ctx, key, &nsmv1beta1.NSM{}) })
	h.start(ctx, "list v1alpha1", func(ctx context.Context) error { return c.List(ctx, &nsmv1alpha1.NSMList{}) })
	h.start(ctx, "list v1beta1", func(ctx context.Context) error { return c.List(ctx, &nsmv1beta1.NSMList{}) })
	beta, alpha := newNamespace(ctx), newNamespace(ctx)
	h.start(ctx, "create and delete v1beta1", func(ctx context.Context) error {
		nsm := nsmIn(beta)
		if err := create(ctx, c, nsm); err != nil {
			return err
		}
		return c.Delete(ctx, nsm)
	})
	h.start(ctx, "create and delete v1alpha1", func(ctx context.Context) error {
		nsm := nsmIn(alpha)
		if err := create(ctx, c, nsm); err != nil {
			return err
		}
		old := &nsmv1alpha1.NSM{}
		if err := c.Get(ctx, client.ObjectKeyFromObject(nsm), old); err != nil {
			return err
		}
		old.Labels = map[string]string{"edited": "true"}
		if err := c.Update(ctx, old); err != nil {
			return err
		}
		return c.Delete(ctx, old)
	})
	return h
}

// create an NSM. The webhook's cache may know its predecessor for a moment, which
// is no fault.
func create(ctx context.Context, c client.Client, nsm *nsmv1beta1.NSM) error {
	err := c.Create(ctx, nsm.DeepCopy())
	for tries := 1; apierrors.IsInvalid(err) && tries < 1000; tries++ {
		err = c.Create(ctx, nsm.DeepCopy())
	}
	return err
}

func (h *hammer) counting(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		h.requests.Add(1)
		began := time.Now()
		answer, err := next.RoundTrip(request)
		h.slowest.Store(max(h.slowest.Load(), int64(time.Since(began))))
		if err == nil && answer.StatusCode == http.StatusTooManyRequests {
			h.throttled.Add(1)
		}
		return answer, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// startProbe connects to each replica anew all the time, trusting what the API
// server is told to: the API server itself keeps its connections.
func startProbe(replicas []*replica) *worker {
	GinkgoHelper()
	w := &worker{}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	DeferCleanup(w.stop)
	for _, r := range replicas {
		w.start(ctx, r.address, func(ctx context.Context) error {
			// What is read may be outdated by the time of the handshake, as it may
			// be for the API server; Settle allows for that.
			for _, bundle := range bundles(ctx) {
				if _, err := r.handshake([]byte(bundle)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return w
}

// holdLease makes somebody else the leader.
func holdLease(ctx context.Context) {
	GinkgoHelper()
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "nsm-operator"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("somebody else"), LeaseDurationSeconds: ptr.To[int32](3600), AcquireTime: &now, RenewTime: &now,
		},
	}
	Expect(admin.Create(ctx, lease)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(admin.Delete(ctx, lease)).To(Succeed()) })
}
