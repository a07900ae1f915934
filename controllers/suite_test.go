// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
	"github.com/networkservicemesh/nsm-operator/test/parallel"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// These tests run the loop against a real API server, as the operator's own
// ServiceAccount with exactly the shipped roles. There are no other controllers:
// the tests write the status of workloads, and what owner references would
// remove stays.

const (
	operatorNamespace = apiserver.OperatorNamespace
	uncheckedLabel    = "test.example.com/unchecked"
)

var (
	server *apiserver.Server
	// admin may do everything and reads the API server itself.
	admin client.Client
	// adminWatch watches the API server.
	adminWatch client.WithWatch
	// operatorConfig is the operator's access.
	operatorConfig *rest.Config
	scheme         = newScheme()
	// kubernetes is the release of the API server.
	kubernetes *version.Version
)

// What takes longest begins first: no process then waits for another one at the end.
const (
	longer  = SpecPriority(1)
	longest = SpecPriority(2)
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(150 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(20 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	parallel.RunSpecs(t, "Controllers", 3)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = apiserver.Start(&envtest.Environment{})
	var err error
	adminWatch, err = client.NewWithWatch(server.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	admin = adminWatch
	kubernetes = askForVersion(ctx)
	server.Install(ctx)
	operatorConfig = server.Operator()
	serveWebhooks(ctx)
	exemptFromValidation(ctx)
	nodes.start()
})

func askForVersion(ctx context.Context) *version.Version {
	GinkgoHelper()
	discoverer, err := discovery.NewDiscoveryClientForConfig(server.Config)
	Expect(err).NotTo(HaveOccurred())
	info, err := discoverer.ServerVersionWithContext(ctx)
	Expect(err).NotTo(HaveOccurred())
	found, err := version.ParseSemantic(info.GitVersion)
	Expect(err).NotTo(HaveOccurred())
	return found
}

// isBefore reports whether this API server is one on which what a spec is about cannot
// happen, or not be brought about.
func isBefore(minor uint, why string) bool {
	if kubernetes.AtLeast(version.MajorMinor(1, minor)) {
		return false
	}
	AddReportEntry("not on this API server", why)
	return true
}

// serveWebhooks runs conversion, defaulting and validation for the whole suite,
// as a replica that does not lead does.
func serveWebhooks(ctx context.Context) {
	GinkgoHelper()
	port := freePort()
	issued, err := (&certs.Issuer{Config: operatorConfig, Namespace: operatorNamespace, URL: "https://127.0.0.1:" + strconv.Itoa(port)}).Ensure(ctx)
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(operatorConfig, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   controllers.CacheOptions(),
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: "127.0.0.1", Port: port, TLSOpts: []func(*tls.Config){issued},
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(webhooks.Setup(mgr, mgr.GetCache())).To(Succeed())
	run(mgr)
	Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).Should(Succeed())
}

// exemptFromValidation lets NSMs with uncheckedLabel past the webhook.
func exemptFromValidation(ctx context.Context) {
	GinkgoHelper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: "nsm-operator-validation"}, configuration)).To(Succeed())
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: uncheckedLabel, Operator: metav1.LabelSelectorOpDoesNotExist},
		}}
	}
	Expect(admin.Update(ctx, configuration)).To(Succeed())
}

// run starts a manager and returns what stops it, which happens at the latest
// at the end of the spec, or of the suite.
func run(mgr ctrl.Manager) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		Eventually(done).Should(Receive(Succeed()))
	}
	DeferCleanup(stop)
	return stop
}

func freePort() int {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	Expect(ok).To(BeTrue())
	return address.Port
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, nsmv1alpha1.AddToScheme, nsmv1beta1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}
