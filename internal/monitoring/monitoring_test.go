// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package monitoring

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/networkservicemesh/nsm-operator/config/prometheus"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

const namespace = apiserver.OperatorNamespace

var (
	server *apiserver.Server
	// admin may do everything.
	admin client.Client
	// operatorConfig is the operator's access, with exactly the shipped roles.
	operatorConfig *rest.Config
)

func TestMonitoring(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Monitoring")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = apiserver.Start(&envtest.Environment{})
	scheme := runtime.NewScheme()
	Expect(rbacv1.AddToScheme(scheme)).To(Succeed())
	var err error
	admin, err = client.New(server.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	server.Install(ctx)
	operatorConfig = server.Operator()
})

var _ = Describe("What Prometheus is told of the operator", Ordered, func() {
	BeforeAll(func() { keepOn() })

	It("appears when its kinds are served", func(ctx SpecContext) {
		serve(ctx)
		for kind, manifest := range map[string][]byte{"ServiceMonitor": prometheus.ServiceMonitor, "PrometheusRule": prometheus.Rules} {
			wanted := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal(manifest, wanted)).To(Succeed())
			var live *unstructured.Unstructured
			Eventually(func() (err error) {
				live, err = read(ctx, kind)
				return err
			}).Should(Succeed())
			Expect(live.Object["spec"]).To(Equal(wanted.Object["spec"]))
		}
	})

	It("goes with the operator's rights", func(ctx SpecContext) {
		var bindings rbacv1.ClusterRoleBindingList
		Expect(admin.List(ctx, &bindings)).To(Succeed())
		live, err := read(ctx, "ServiceMonitor")
		Expect(err).NotTo(HaveOccurred())
		Expect(live.GetOwnerReferences()).NotTo(BeEmpty())
		for _, owner := range live.GetOwnerReferences() {
			Expect(bindings.Items).To(ContainElement(And(HaveField("UID", owner.UID),
				HaveField("Subjects", ContainElement(HaveField("Namespace", namespace))))))
		}
	})

	It("comes back when somebody changes or deletes it", func(ctx SpecContext) {
		change(ctx, "PrometheusRule", `{"spec":{"groups":[]}}`)
		Eventually(spec).WithArguments(ctx, "PrometheusRule").Should(HaveKeyWithValue("groups", Not(BeEmpty())))
		change(ctx, "ServiceMonitor", `{"metadata":{"labels":{"app.kubernetes.io/name":"other"},"ownerReferences":null}}`)
		Eventually(func() []metav1.OwnerReference {
			live, err := read(ctx, "ServiceMonitor")
			Expect(err).NotTo(HaveOccurred())
			return live.GetOwnerReferences()
		}).ShouldNot(BeEmpty())
		comesBack(ctx, "ServiceMonitor")
	})

	It("keeps what others add", func(ctx SpecContext) {
		change(ctx, "ServiceMonitor", `{"metadata":{"labels":{"release":"prometheus"}},"spec":{"jobLabel":"theirs"}}`)
		comesBack(ctx, "PrometheusRule")
		Expect(spec(ctx, "ServiceMonitor")).To(HaveKeyWithValue("jobLabel", "theirs"))
	})

	It("is left alone where somebody else has made it", func(ctx SpecContext) {
		change(ctx, "ServiceMonitor", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}},"spec":{"endpoints":[]}}`)
		// A pass goes by, and another one that has begun after the change.
		comesBack(ctx, "PrometheusRule")
		comesBack(ctx, "PrometheusRule")
		Expect(spec(ctx, "ServiceMonitor")).To(HaveKeyWithValue("endpoints", BeEmpty()))
	})

	It("goes and comes with its kinds", func(ctx SpecContext) {
		server.Kubectl(ctx, "delete", "crd", "servicemonitors.monitoring.coreos.com")
		comesBack(ctx, "PrometheusRule")
		server.Kubectl(ctx, "delete", "crd", "prometheusrules.monitoring.coreos.com")
		serve(ctx)
		Eventually(spec).WithArguments(ctx, "PrometheusRule").Should(HaveKeyWithValue("groups", Not(BeEmpty())))
		Eventually(spec).WithArguments(ctx, "ServiceMonitor").Should(HaveKeyWithValue("endpoints", Not(BeEmpty())))
	})
})

var _ = Describe("What Prometheus is told of an operator in another namespace", func() {
	It("names that", func() {
		objects, err := (&Keeper{Namespace: "elsewhere"}).objects()
		Expect(err).NotTo(HaveOccurred())
		for _, object := range objects {
			Expect(object.GetNamespace()).To(Equal("elsewhere"))
		}
		endpoints, _, err := unstructured.NestedSlice(objects[0].Object, "spec", "endpoints")
		Expect(err).NotTo(HaveOccurred())
		Expect(endpoints).To(ConsistOf(HaveKeyWithValue("tlsConfig", HaveKeyWithValue("serverName", "nsm-operator-service.elsewhere.svc"))))
	})
})

var _ = Describe("What Prometheus was told of the operator", Ordered, func() {
	It("goes once monitoring is turned off, but for what others have made", func(ctx SpecContext) {
		serve(ctx)
		stop := keepOn()
		for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
			Eventually(ctx, func() error {
				_, err := read(ctx, kind)
				return err
			}).Should(Succeed())
		}
		stop()
		change(ctx, "PrometheusRule", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`)
		remove(ctx)
		_, err := read(ctx, "ServiceMonitor")
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		_, err = read(ctx, "PrometheusRule")
		Expect(err).NotTo(HaveOccurred(), "it is somebody else's")
	})

	It("is not asked for where its kinds are not served", func(ctx SpecContext) {
		server.Kubectl(ctx, "delete", "crd", "servicemonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com")
		Eventually(ctx, func() ([]metav1.APIResource, error) {
			kinds, err := discovery.NewDiscoveryClientForConfigOrDie(server.Config).ServerResourcesForGroupVersion(served.String())
			if apierrors.IsNotFound(err) {
				return nil, nil
			}
			return kinds.APIResources, err
		}).ShouldNot(ContainElement(HaveField("Kind", BeElementOf("ServiceMonitor", "PrometheusRule"))))
		var asked []string
		remove(ctx, func(path string) { asked = append(asked, path) })
		Expect(asked).To(ConsistOf("/apis/monitoring.coreos.com/v1"))
	})
})

// remove runs a Remover to its end, and tells of the paths that it asks for.
func remove(ctx context.Context, asks ...func(path string)) {
	GinkgoHelper()
	config := rest.CopyConfig(operatorConfig)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			for _, tell := range asks {
				tell(request.URL.Path)
			}
			return next.RoundTrip(request)
		})
	})
	// Its mapper asks for itself, and is given what it needs to know instead.
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		mapper.Add(served.WithKind(kind), meta.RESTScopeNamespace)
	}
	c, err := client.New(config, client.Options{Scheme: admin.Scheme(), Mapper: mapper})
	Expect(err).NotTo(HaveOccurred())
	remover := &Remover{Keeper{Client: c, Discovery: discovery.NewDiscoveryClientForConfigOrDie(config), Namespace: namespace, Interval: 50 * time.Millisecond}}
	ended := make(chan error, 1)
	go func() { ended <- remover.Start(ctx) }()
	Eventually(ctx, ended).Should(Receive(BeNil()))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// keepOn runs a Keeper until it is stopped, or to the end of the specs.
func keepOn() (stop func()) {
	GinkgoHelper()
	c, err := client.New(operatorConfig, client.Options{Scheme: admin.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	keeper := &Keeper{
		Client: c, Discovery: discovery.NewDiscoveryClientForConfigOrDie(operatorConfig), Namespace: namespace, Interval: 50 * time.Millisecond,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- keeper.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		Expect(<-ended).NotTo(HaveOccurred())
	})
	DeferCleanup(stop)
	return stop
}

// serve the kinds of Prometheus' operator.
func serve(ctx context.Context) {
	GinkgoHelper()
	apiserver.DependOn("../../test/e2e/testdata")
	server.Kubectl(ctx, "apply", "-f", "../../test/e2e/testdata/monitoring.yaml")
	server.AwaitDefinitions(ctx, "servicemonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com")
}

func read(ctx context.Context, kind string) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(served.WithKind(kind))
	return live, admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "nsm-operator"}, live)
}

// spec of the object of a kind; empty where there is none.
func spec(ctx context.Context, kind string) map[string]any {
	live, err := read(ctx, kind)
	if err != nil {
		return nil
	}
	found, _, _ := unstructured.NestedMap(live.Object, "spec")
	return found
}

// change the object of a kind as somebody else.
func change(ctx context.Context, kind, patch string) {
	GinkgoHelper()
	live, err := read(ctx, kind)
	Expect(err).NotTo(HaveOccurred())
	Expect(admin.Patch(ctx, live, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner("somebody"))).To(Succeed())
}

// comesBack deletes the object of a kind, and waits until there is another one.
func comesBack(ctx context.Context, kind string) {
	GinkgoHelper()
	gone, err := read(ctx, kind)
	Expect(err).NotTo(HaveOccurred())
	Expect(admin.Delete(ctx, gone)).To(Succeed())
	Eventually(func() bool {
		live, err := read(ctx, kind)
		return err == nil && live.GetUID() != gone.GetUID()
	}).Should(BeTrue())
}
