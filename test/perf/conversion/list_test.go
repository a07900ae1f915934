// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package conversion_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

const (
	operatorNamespace = "nsm-operator-system"
	crdName           = "nsms.nsm.networkservicemesh.io"
	// samples of each measurement; the median counts.
	samples = 7
)

// BenchmarkList lists NSMs, stored as v1beta1, through a real API server.
func BenchmarkList(b *testing.B) {
	ctrl.SetLogger(logr.Discard())
	s := start(b)
	stored := 0
	for _, objects := range []int{1000, 10000} {
		s.fill(b, stored, objects)
		stored = objects
		b.Run(fmt.Sprint("objects=", objects), func(b *testing.B) {
			for b.Loop() {
				s.compare(b)
			}
		})
	}
}

// system is an API server with the CRD, and the webhooks.
type system struct {
	admin client.Client
	raw   kubernetes.Interface
}

// compare lists in both versions, in each of the ways in which that is done.
func (s *system) compare(b *testing.B) {
	b.Helper()
	for _, way := range []struct {
		name  string
		limit int
	}{
		// As controllers do.
		{"whole", 0},
		// As kubectl does.
		{"paged", 500},
	} {
		var took [2]time.Duration
		for n, version := range []string{nsmv1beta1.GroupVersion.Version, nsmv1alpha1.GroupVersion.Version} {
			s.list(b, version, way.limit)
			took[n] = median(func() { s.list(b, version, way.limit) })
		}
		b.ReportMetric(milliseconds(took[0]), way.name+"-stored-ms")
		b.ReportMetric(milliseconds(took[1]), way.name+"-other-ms")
		b.ReportMetric(float64(took[1])/float64(took[0]), way.name+"-ratio")
	}
	// The first time after the API server has started, or the CRD has changed, it
	// fills its cache, which is when it converts.
	for _, version := range []string{nsmv1beta1.GroupVersion.Version, nsmv1alpha1.GroupVersion.Version} {
		name := map[bool]string{true: "first-stored-ms", false: "first-other-ms"}[version == nsmv1beta1.GroupVersion.Version]
		s.touchCRD(b)
		began := time.Now()
		// Until it is filled, and longer than the client is patient, it puts off.
		NewWithT(b).Eventually(func() error { return s.read(b, version) }).WithTimeout(5 * time.Minute).Should(Succeed())
		b.ReportMetric(milliseconds(time.Since(began)), name)
	}
	b.ReportMetric(0, "ns/op")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(do func()) time.Duration {
	took := make([]time.Duration, samples)
	for n := range took {
		began := time.Now()
		do()
		took[n] = time.Since(began)
	}
	slices.Sort(took)
	return took[samples/2]
}

// list reads all NSMs without looking at them: the client is not what is
// measured. A limit makes it pages.
func (s *system) list(b *testing.B, version string, limit int) {
	b.Helper()
	g := NewWithT(b)
	var page metav1.PartialObjectMetadataList
	for {
		body, err := s.raw.CoreV1().RESTClient().Get().AbsPath("/apis/nsm.networkservicemesh.io/"+version+"/nsms").
			Param("limit", strconv.Itoa(limit)).Param("continue", page.Continue).DoRaw(b.Context())
		g.Expect(err).NotTo(HaveOccurred())
		if limit == 0 {
			return
		}
		page = metav1.PartialObjectMetadataList{}
		g.Expect(json.Unmarshal(body, &page)).To(Succeed())
		if page.Continue == "" {
			return
		}
	}
}

func (s *system) read(b *testing.B, version string) error {
	b.Helper()
	return s.raw.CoreV1().RESTClient().Get().AbsPath("/apis/nsm.networkservicemesh.io/" + version + "/nsms").Do(b.Context()).Error()
}

// fill makes NSMs until there are a number of them, one in two of each kind.
func (s *system) fill(b *testing.B, from, to int) {
	b.Helper()
	var workers errgroup.Group
	workers.SetLimit(16)
	for n := from; n < to; n++ {
		nsm := current(corev1.NamespaceDefault)
		if n%2 == 0 {
			nsm = nested(corev1.NamespaceDefault)
		}
		object := &unstructured.Unstructured{Object: nsm}
		object.SetName(fmt.Sprint("mesh-", n))
		workers.Go(func() error { return s.admin.Create(b.Context(), object) })
	}
	NewWithT(b).Expect(workers.Wait()).To(Succeed())
}

// touchCRD changes the CRD in something that means nothing, so that the API
// server begins anew with it.
func (s *system) touchCRD(b *testing.B) {
	b.Helper()
	g := NewWithT(b)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	g.Expect(s.admin.Get(b.Context(), client.ObjectKey{Name: crdName}, crd)).To(Succeed())
	crd.Spec.Names.ShortNames = []string{"mesh" + strconv.FormatInt(crd.Generation, 10)}
	g.Expect(s.admin.Update(b.Context(), crd)).To(Succeed())
	g.Eventually(func() []string {
		g.Expect(s.admin.Get(b.Context(), client.ObjectKey{Name: crdName}, crd)).To(Succeed())
		return crd.Status.AcceptedNames.ShortNames
	}).WithTimeout(30 * time.Second).Should(Equal(crd.Spec.Names.ShortNames))
}

func start(b *testing.B) *system {
	b.Helper()
	g := NewWithT(b)
	directory := os.Getenv("KUBEBUILDER_ASSETS")
	if directory == "" {
		directory = "../../../bin/k8s"
	}
	assets, err := filepath.Abs(directory)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(filepath.Join(assets, "kube-apiserver")).To(BeAnExistingFile(), "run make control-plane first")
	environment := &envtest.Environment{BinaryAssetsDirectory: assets}
	config, err := environment.Start()
	g.Expect(err).NotTo(HaveOccurred())
	b.Cleanup(func() { _ = environment.Stop() }) // a full one takes its time
	config.QPS = -1

	kubeconfig := filepath.Join(b.TempDir(), "kubeconfig")
	g.Expect(os.WriteFile(kubeconfig, environment.KubeConfig, 0o600)).To(Succeed())
	kubectl := exec.CommandContext(b.Context(), filepath.Join(assets, "kubectl"), "--kubeconfig", kubeconfig, "apply", "--server-side", "-k", "../../../config/local")
	output, err := kubectl.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))

	s := &system{raw: kubernetes.NewForConfigOrDie(config)}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, nsmv1alpha1.AddToScheme, nsmv1beta1.AddToScheme,
	} {
		g.Expect(add(scheme)).To(Succeed())
	}
	s.admin, err = client.New(config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	s.serve(b, config)
	return s
}

// serve converts, and lets in whatever is made: a cluster has one NSM or few.
func (s *system) serve(b *testing.B, config *rest.Config) {
	b.Helper()
	g := NewWithT(b)
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	port := freePort(b)
	issued, err := (&certs.Issuer{Config: config, Namespace: operatorNamespace, URL: "https://127.0.0.1:" + strconv.Itoa(port)}).Ensure(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	nowhere := &metav1.LabelSelector{MatchLabels: map[string]string{"admission": "measured"}}
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	g.Expect(s.admin.Get(b.Context(), client.ObjectKey{Name: "nsm-operator-defaults"}, &mutating)).To(Succeed())
	mutating.Webhooks[0].NamespaceSelector = nowhere
	g.Expect(s.admin.Update(b.Context(), &mutating)).To(Succeed())
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	g.Expect(s.admin.Get(b.Context(), client.ObjectKey{Name: "nsm-operator-validation"}, &validating)).To(Succeed())
	validating.Webhooks[0].NamespaceSelector = nowhere
	g.Expect(s.admin.Update(b.Context(), &validating)).To(Succeed())

	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, TLSOpts: []func(*tls.Config){issued}})
	handler, err := webhooks.NewConversionHandler()
	g.Expect(err).NotTo(HaveOccurred())
	server.Register(webhooks.ConversionPath, handler)
	go func() { _ = server.Start(ctx) }()
	g.Eventually(func() error { return server.StartedChecker()(nil) }).WithTimeout(30 * time.Second).Should(Succeed())
	probe := &unstructured.Unstructured{Object: nested(corev1.NamespaceDefault)}
	g.Eventually(func() error { return s.admin.Create(b.Context(), probe.DeepCopy()) }).WithTimeout(30 * time.Second).Should(Succeed())
	g.Expect(s.admin.Delete(b.Context(), probe)).To(Succeed())
}

func freePort(b *testing.B) int {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(b).Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	address, _ := listener.Addr().(*net.TCPAddr)
	return address.Port
}
