// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
	"github.com/networkservicemesh/nsm-operator/webhooks"
)

// These tests go through a real API server, which calls conversion, defaulting
// and validation as in a cluster.

const (
	v1alpha1 = "nsm.networkservicemesh.io/v1alpha1"
	v1beta1  = "nsm.networkservicemesh.io/v1beta1"

	namespace      = "nsm"
	otherNamespace = "other"
	// ignoredNamespace is one that SPIRE's controller manager ignores by default.
	ignoredNamespace = "my-openshift-nsm"
)

var (
	admin client.WithWatch
	// cached is what the validator reads.
	cached client.Reader
	// warned holds what the API server warned of.
	warned = &warnings{}
	server *apiserver.Server
)

func TestWebhooks(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Webhooks")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{"../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{
			// As the operator makes them.
			Paths: []string{"../config/webhook/mutating.yaml", "../config/webhook/validating.yaml"},
			// Our types are plain data: that they convert cannot be seen on them.
			IgnoreSchemeConvertible: true,
		},
	}
	server = apiserver.Start(environment)
	config := rest.CopyConfig(server.Config)
	config.QPS = -1
	config.WarningHandlerWithContext = warned
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	askForVersion(ctx, discoverer)
	admin, err = client.NewWithWatch(config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{namespace, otherNamespace, ignoredNamespace, "nsm-system", apiserver.OperatorNamespace} {
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
	server.Kubectl(ctx, "apply", "--server-side", "-k", "../config/rbac")
	// The webhooks run with the rights that the operator is shipped with.
	operator := server.Operator()
	operator.Wrap(asked.wrap)
	serveWebhooks(operator, environment.WebhookInstallOptions)
})

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(nsmv1alpha1.AddToScheme(scheme)).To(Succeed())
	Expect(nsmv1beta1.AddToScheme(scheme)).To(Succeed())
	return scheme
}

func serveWebhooks(config *rest.Config, options envtest.WebhookInstallOptions) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  newScheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{
			Host: options.LocalServingHost, Port: options.LocalServingPort, CertDir: options.LocalServingCertDir,
		}),
	})
	Expect(err).NotTo(HaveOccurred())
	cached = mgr.GetCache()
	Expect(webhooks.Setup(mgr, cached)).To(Succeed())

	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	DeferCleanup(func() {
		stop()
		Eventually(stopped).Should(Receive(BeNil()))
	})
	Eventually(func() error { return mgr.GetWebhookServer().StartedChecker()(nil) }).Should(Succeed())
}

// warnings that the API server answered with.
type warnings struct {
	lock sync.Mutex
	text []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if code == 299 {
		w.text = append(w.text, text)
	}
}

// take returns the warnings since the last time.
func (w *warnings) take() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	taken := w.text
	w.text = nil
	return taken
}

// removeAll removes all NSMs, and waits until validation knows, and the API server's own
// caches, one for each version: what is applied over what one of them still has is asked
// about as an update first, and then as what it is.
func removeAll(ctx context.Context) {
	GinkgoHelper()
	for _, namespace := range []string{namespace, otherNamespace, "nsm-system"} {
		Expect(admin.DeleteAllOf(ctx, &nsmv1beta1.NSM{}, client.InNamespace(namespace))).To(Succeed())
	}
	Eventually(func(g Gomega) []nsmv1beta1.NSM {
		var all nsmv1beta1.NSMList
		g.Expect(cached.List(ctx, &all)).To(Succeed())
		return all.Items
	}).WithContext(ctx).Should(BeEmpty())
	for _, version := range []string{v1beta1, v1alpha1} {
		Eventually(func(g Gomega) []unstructured.Unstructured {
			all := &unstructured.UnstructuredList{}
			all.SetAPIVersion(version)
			all.SetKind("NSMList")
			g.Expect(admin.List(ctx, all, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}})).To(Succeed())
			return all.Items
		}).WithContext(ctx).Should(BeEmpty(), version)
	}
	warned.take()
}

// untilKnown waits until validation knows of an NSM.
func untilKnown(ctx context.Context, nsm client.Object) {
	GinkgoHelper()
	Eventually(func() error {
		return cached.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1beta1.NSM{})
	}).WithContext(ctx).Should(Succeed())
}

// nsm is an NSM of a version with a spec given as YAML.
func nsm(version, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	object := parse("spec: " + spec)
	if len(spec) > 0 && spec[0] == '\n' {
		object = parse("spec:" + spec)
	}
	object.SetAPIVersion(version)
	object.SetKind("NSM")
	object.SetNamespace(namespace)
	object.SetName("mesh")
	return object
}

func parse(text string) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	Expect(err).NotTo(HaveOccurred())
	Expect(json.Unmarshal(asJSON, &object.Object)).To(Succeed())
	return object
}

// in reads an NSM in a version.
func in(ctx context.Context, version string, like client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(version)
	object.SetKind("NSM")
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(like), object)).To(Succeed())
	return object
}

func spec(object *unstructured.Unstructured) map[string]any {
	GinkgoHelper()
	fields, _, err := unstructured.NestedMap(object.Object, "spec")
	Expect(err).NotTo(HaveOccurred())
	return fields
}
