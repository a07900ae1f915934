// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package installation

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

const (
	first  = apiserver.OperatorNamespace
	second = "another-operator"
)

var (
	server *apiserver.Server
	admin  client.Client
	// firstConfig and secondConfig are the operators' access.
	firstConfig, secondConfig *rest.Config
)

func TestInstallation(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Installation")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	server = apiserver.Start(&envtest.Environment{})
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	var err error
	admin, err = client.New(server.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	server.Install(ctx)
	firstConfig = server.Operator()

	server.Kubectl(ctx, "create", "namespace", second)
	account := second + ":nsm-operator"
	server.Kubectl(ctx, "create", "clusterrolebinding", second, "--clusterrole=nsm-operator", "--serviceaccount="+account)
	user, err := server.Environment.AddUser(envtest.User{
		Name: "system:serviceaccount:" + account, Groups: []string{"system:serviceaccounts"},
	}, &rest.Config{QPS: -1})
	Expect(err).NotTo(HaveOccurred())
	secondConfig = user.Config()
})

var _ = Describe("Two installations in one cluster", func() {
	var (
		ctx   context.Context
		renew func()
	)

	BeforeEach(func() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(context.Background()) //nolint:fatcontext // one a spec, from the background
		DeferCleanup(cancel)
		server.Kubectl(ctx, "replace", "-k", "../../config/crd")
		renew = leading(ctx, first)
	})

	enter := func(i *Installation) (Place, error) { return i.Enter(ctx) }

	It("one serves, and the other stands by, says for whom, and touches nothing", func() {
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		_, err := certs.Ensure(ctx, firstConfig, first, "")
		Expect(err).NotTo(HaveOccurred())
		before := getCRD(ctx).ResourceVersion

		address := freeAddress()
		other := &Installation{
			Member: Member{Namespace: second}, Config: secondConfig, ProbeAddress: address,
			Patience: 3 * time.Second, Interval: 50 * time.Millisecond,
		}
		entered := make(chan Place, 1)
		go func() {
			defer GinkgoRecover()
			place, err := enter(other)
			Expect(err).NotTo(HaveOccurred())
			entered <- place
		}()
		Eventually(func() string { return ask(address, "/readyz") }).Should(And(
			HavePrefix("500 "), ContainSubstring("in namespace "+first), ContainSubstring(first+"/nsm-operator-service")))
		Expect(ask(address, "/healthz")).To(HavePrefix("200 "))
		lives := time.Now().Add(5 * time.Second)
		for time.Now().Before(lives) {
			renew()
			Expect(entered).NotTo(Receive())
		}
		Expect(getCRD(ctx).ResourceVersion).To(Equal(before), "nothing changes hands")

		By("and takes over when the first shows no sign of life any more")
		kept := make(chan error, 1)
		go func() { kept <- one.Keep(ctx, Place{Serves: true}) }()
		Eventually(entered).Should(Receive(Equal(Place{Serves: true})))
		Expect(getCRD(ctx).Annotations).To(HaveKeyWithValue(Annotation, `[{"namespace":"another-operator"}]`))
		Expect(ask(address, "/readyz")).To(BeEmpty(), "the operator itself answers now")

		By("and the first stands by when it wakes up")
		Eventually(kept).Should(Receive(MatchError(ContainSubstring("in namespace " + second))))
		again := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(again.complete()).To(Succeed())
		place, err := again.look(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(place).To(Equal(Place{Behind: &Member{Namespace: second}}))
	})

	It("the second takes over at once when the first's namespace is gone", func() {
		server.Kubectl(ctx, "annotate", "crd", crdName, Annotation+`=[{"namespace":"gone"}]`)
		other := &Installation{Member: Member{Namespace: second}, Config: secondConfig}
		Expect(enter(other)).To(Equal(Place{Serves: true}))
	})

	It("the second takes over when the first's Service is gone, though it leads", func() {
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		_, err := certs.Ensure(ctx, firstConfig, first, "")
		Expect(err).NotTo(HaveOccurred())
		server.Kubectl(ctx, "delete", "service", serviceName, "-n", first)
		other := &Installation{
			Member: Member{Namespace: second}, Config: secondConfig, Patience: time.Second, Interval: 50 * time.Millisecond,
		}
		spec, renewed := ctx, renew
		go func() {
			for spec.Err() == nil {
				renewed()
			}
		}()
		Expect(enter(other)).To(Equal(Place{Serves: true}))
	})

	It("both work where they are restricted to different namespaces, and one of them serves", func() {
		one := &Installation{Member: Member{Namespace: first, WatchNamespaces: []string{"a"}}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		other := &Installation{
			Member: Member{Namespace: second, WatchNamespaces: []string{"b"}}, Config: secondConfig, Interval: 50 * time.Millisecond,
		}
		place, err := enter(other)
		Expect(err).NotTo(HaveOccurred())
		Expect(place).To(Equal(Place{}))

		By("until the first is restricted no more")
		kept := make(chan error, 1)
		go func() { kept <- other.Keep(ctx, place) }()
		Consistently(kept).Should(BeEmpty())
		wide := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(enter(wide)).To(Equal(Place{Serves: true}))
		Eventually(kept).Should(Receive(MatchError(ContainSubstring("in namespace " + first))))
	})

	It("the list comes back, in its order, when somebody replaces the CRD", func() {
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		place, err := enter(one)
		Expect(err).NotTo(HaveOccurred())
		kept := make(chan error, 1)
		go func() { kept <- one.Keep(ctx, place) }()
		server.Kubectl(ctx, "replace", "-k", "../../config/crd")
		Eventually(func() map[string]string { return getCRD(ctx).Annotations }).Should(HaveKeyWithValue(Annotation, `[{"namespace":"`+first+`"}]`))
		Expect(kept).NotTo(Receive())
	})

	It("one of two that start at the same time works, and never both", func() {
		both, spec := make(chan Place, 2), ctx // the one that stands by outlives the spec
		for namespace, config := range map[string]*rest.Config{first: firstConfig, second: secondConfig} {
			go func() {
				defer GinkgoRecover()
				one := &Installation{Member: Member{Namespace: namespace}, Config: config, Interval: 50 * time.Millisecond}
				place, err := one.Enter(spec)
				if spec.Err() == nil {
					Expect(err).NotTo(HaveOccurred())
					both <- place
				}
			}()
		}
		Eventually(both).Should(Receive(Equal(Place{Serves: true})))
		Consistently(both).WithTimeout(2 * time.Second).ShouldNot(Receive())
	})

	It("says what the replica with the newest flags says, while an older one goes", func() {
		old := &Installation{Member: Member{Namespace: first, WatchNamespaces: []string{"a"}}, Config: firstConfig}
		place, err := enter(old)
		Expect(err).NotTo(HaveOccurred())
		Expect(enter(&Installation{Member: Member{Namespace: first, WatchNamespaces: []string{"b"}}, Config: firstConfig})).To(Equal(place))
		version := getCRD(ctx).ResourceVersion
		Expect(old.look(ctx)).To(Equal(place))
		Expect(getCRD(ctx).ResourceVersion).To(Equal(version))
		Expect(getCRD(ctx).Annotations).To(HaveKeyWithValue(Annotation, `[{"namespace":"`+first+`","watchNamespaces":["b"]}]`))
	})

	It("replicas of one share its place", func() {
		for range 2 {
			one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
			Expect(enter(one)).To(Equal(Place{Serves: true}))
		}
	})
})

// leading makes what an installation shows of itself, and returns what its leader
// does.
func leading(ctx context.Context, namespace string) (renew func()) {
	GinkgoHelper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: serviceName},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}},
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: LeaseName}}
	for _, object := range []client.Object{service, lease} {
		Expect(admin.Create(ctx, object)).To(Succeed())
		DeferCleanup(func() { _ = admin.Delete(context.Background(), object) })
	}
	return func() {
		now := metav1.NowMicro()
		lease.Spec.RenewTime = &now
		_ = admin.Update(ctx, lease)
	}
}

func getCRD(ctx context.Context) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: crdName}, crd)).To(Succeed())
	return crd
}

// ask a probe; "" where nobody answers.
func ask(address, path string) string {
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.Status + " " + string(text)
}

func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}
