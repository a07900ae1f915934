// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package installation

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/internal/backoff"
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
	SetDefaultEventuallyTimeout(time.Minute)
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
		server.Replace(ctx, "-k", "../../config/crd")
		renew = leading(ctx, first)
	})

	enter := func(i *Installation) (Place, error) { return i.Enter(ctx) }

	It("one serves, and the other stands by, says for whom, and touches nothing", func() {
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		_, err := (&certs.Issuer{Config: firstConfig, Namespace: first}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		before := getCRD(ctx).ResourceVersion

		address, now, calls := freeAddress(), testingclock.NewFakePassiveClock(time.Now()), &calls{}
		other := &Installation{
			Member: Member{Namespace: second}, Config: calls.of(secondConfig), ProbeAddress: address, Interval: 50 * time.Millisecond, clock: now,
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
		for range 5 {
			renew()
			// One look may have begun before.
			looks := len(calls.made())
			Eventually(func() int { return len(calls.made()) - looks }).Should(BeNumerically(">", 2))
			Expect(entered).NotTo(Receive())
			now.SetTime(now.Now().Add(defaultPatience - time.Second))
		}
		Expect(getCRD(ctx).ResourceVersion).To(Equal(before), "nothing changes hands")

		By("and takes over when the first shows no sign of life any more")
		kept := make(chan error, 1)
		go func() { kept <- one.Keep(ctx, Place{Serves: true}) }()
		now.SetTime(now.Now().Add(time.Second))
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

	DescribeTable("the second takes over at once when the first's namespace", func(exists bool) {
		if exists {
			// Nobody finishes the deletion here.
			server.Kubectl(ctx, "create", "namespace", "going")
			server.Kubectl(ctx, "delete", "namespace", "going", "--wait=false")
		}
		server.Kubectl(ctx, "annotate", "crd", crdName, Annotation+`=[{"namespace":"going"}]`)
		other := &Installation{Member: Member{Namespace: second}, Config: secondConfig}
		Expect(other.complete()).To(Succeed())
		Expect(other.look(ctx)).To(Equal(Place{Serves: true}), "it does not wait")
	},
		Entry("is gone", false),
		Entry("is being deleted", true),
	)

	It("needs its Service to be seen where it serves, and nowhere else", func() {
		leading(ctx, second)
		server.Kubectl(ctx, "delete", "service", serviceName, "-n", second)
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(one.complete()).To(Succeed())
		Expect(one.readOne(ctx, second, &apiextensionsv1.ServiceReference{Namespace: first})).NotTo(BeEmpty())
		Expect(one.readOne(ctx, second, &apiextensionsv1.ServiceReference{Namespace: second})).To(BeEmpty())
	})

	It("one that cannot be seen is not taken for dead, however long that lasts", func() {
		now := testingclock.NewFakePassiveClock(time.Now())
		blind := &Installation{Member: Member{Namespace: first}, Config: &rest.Config{Host: "127.0.0.1:1"}, clock: now}
		Expect(blind.complete()).To(Succeed())
		other := Member{Namespace: second}
		for range 3 {
			signs := blind.read(ctx, []Member{other}, nil)
			Expect(blind.isAlive(other, signs[second])).To(BeTrue())
			now.SetTime(now.Now().Add(time.Hour))
		}
	})

	It("the second takes over when the first's Service is gone, though it leads", func() {
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		_, err := (&certs.Issuer{Config: firstConfig, Namespace: first}).Ensure(ctx)
		Expect(err).NotTo(HaveOccurred())
		server.Kubectl(ctx, "delete", "service", serviceName, "-n", first)
		other := &Installation{
			Member: Member{Namespace: second}, Config: secondConfig, ProbeAddress: "0", Patience: time.Second, Interval: 50 * time.Millisecond,
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
		server.Replace(ctx, "-k", "../../config/crd")
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

	It("one that serves nothing serves when the one that did shows no sign of life", func() {
		one := &Installation{Member: Member{Namespace: first, WatchNamespaces: []string{"a"}}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		other := &Installation{
			Member: Member{Namespace: second, WatchNamespaces: []string{"b"}}, Config: secondConfig,
			Patience: time.Second, Interval: 50 * time.Millisecond,
		}
		place, err := enter(other)
		Expect(err).NotTo(HaveOccurred())
		Expect(place).To(Equal(Place{}))
		kept := make(chan error, 1)
		go func() { kept <- other.Keep(ctx, place) }()
		Eventually(kept).Should(Receive(MatchError(ContainSubstring("has to serve the webhooks from now on"))))
		Expect(getCRD(ctx).Annotations).To(HaveKeyWithValue(Annotation, `[{"namespace":"another-operator","watchNamespaces":["b"]}]`))

		By("and the first serves no more when it wakes up")
		go func() { kept <- one.Keep(ctx, Place{Serves: true}) }()
		Eventually(kept).Should(Receive(MatchError(ContainSubstring("another installation serves the webhooks from now on"))))
	})

	It("one that has read the list before another one came looks again, and stands by", func() {
		var once sync.Once
		calls := &calls{before: func(call string) error {
			if call == http.MethodPut {
				once.Do(func() {
					Expect(enter(&Installation{Member: Member{Namespace: second}, Config: secondConfig})).To(Equal(Place{Serves: true}))
				})
			}
			return nil
		}}
		late := &Installation{Member: Member{Namespace: first}, Config: calls.of(firstConfig)}
		Expect(late.complete()).To(Succeed())
		Expect(late.look(ctx)).To(Equal(Place{Behind: &Member{Namespace: second}}))
		Expect(getCRD(ctx).Annotations).To(HaveKeyWithValue(Annotation, `[{"namespace":"another-operator"}]`))
	})

	It("looks again when the CRD has changed or cannot be watched any more, and writes only what has changed", func() {
		calls := &calls{}
		one := &Installation{Member: Member{Namespace: first}, Config: calls.of(firstConfig), Interval: 50 * time.Millisecond}
		Expect(one.complete()).To(Succeed())
		running, end := context.WithCancel(ctx)
		defer end()
		kept := make(chan error, 1)
		go func() { kept <- one.Keep(running, Place{Serves: true}) }()
		// atRest waits until it only watches. A watch may begin with what was before the write,
		// if the API server's cache is late, and then it has looked once more.
		atRest := func() (made []string) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				made = calls.made()
				g.Expect(made).To(HaveEach(BeElementOf(http.MethodGet, http.MethodPut, watching)))
				g.Expect(made[len(made)-1:]).To(Equal([]string{watching}))
				g.Consistently(calls.made).Should(Equal(made), "neither what it has written nor the interval is news")
			}).Should(Succeed())
			return made
		}
		made := atRest()
		Expect(made[:2]).To(Equal([]string{http.MethodGet, http.MethodPut}))

		server.Kubectl(ctx, "label", "crd", crdName, "news=")
		Eventually(func() int { return len(calls.made()) }).Should(BeNumerically(">", len(made)))
		made = atRest()

		calls.endWatch()
		Eventually(func() int { return len(calls.made()) }).Should(BeNumerically(">", len(made)))
		made = atRest()
		Expect(slices.DeleteFunc(made, func(call string) bool { return call != http.MethodPut })).To(HaveLen(1))

		end()
		Eventually(kept).Should(Receive(BeNil()))
	})

	It("does not fight with whoever takes the list away again and again, and has it back in the end", func() {
		now := testingclock.NewFakePassiveClock(time.Now())
		calls := &calls{}
		one := &Installation{Member: Member{Namespace: first}, Config: calls.of(firstConfig), clock: now}
		Expect(one.complete()).To(Succeed())
		for range 2 * backoff.FreeRepeats {
			Expect(one.look(ctx)).To(Equal(Place{Serves: true}))
			server.Kubectl(ctx, "annotate", "crd", crdName, Annotation+"-")
		}
		Expect(one.look(ctx)).To(Equal(Place{Serves: true}))
		Expect(slices.DeleteFunc(calls.made(), func(call string) bool { return call != http.MethodPut })).To(HaveLen(1 + backoff.FreeRepeats))

		By("though nothing changes any more")
		waiting, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		one.wait(waiting, Place{Serves: true})
		Expect(waiting.Err()).To(Succeed(), "it looks again after the pause")
		now.SetTime(now.Now().Add(time.Second))
		Expect(one.look(ctx)).To(Equal(Place{Serves: true}))
		Expect(getCRD(ctx).Annotations).To(HaveKeyWithValue(Annotation, `[{"namespace":"`+first+`"}]`))
	})

	It("waits for the interval, and no longer than it has to, when it cannot watch", func() {
		calls := &calls{before: func(string) error { return errors.New("down") }}
		one := &Installation{Member: Member{Namespace: first}, Config: calls.of(firstConfig), Interval: 50 * time.Millisecond}
		Expect(one.complete()).To(Succeed())
		begun := time.Now()
		one.wait(ctx, Place{Serves: true})
		Expect(time.Since(begun)).To(BeNumerically(">=", one.Interval))

		one.Interval = time.Hour
		ended, cancel := context.WithCancel(ctx)
		cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			one.wait(ended, Place{Serves: true})
		}()
		Eventually(done).Should(BeClosed())
	})

	It("goes on while the API server does not answer", func() {
		one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
		Expect(enter(one)).To(Equal(Place{Serves: true}))
		var isDown atomic.Bool
		calls := &calls{before: func(string) error {
			if isDown.Load() {
				return errors.New("down")
			}
			return nil
		}}
		address, now := freeAddress(), testingclock.NewFakePassiveClock(time.Now())
		other := &Installation{
			Member: Member{Namespace: second}, Config: calls.of(secondConfig), ProbeAddress: address, Interval: 50 * time.Millisecond, clock: now,
		}
		goesOn := func() {
			GinkgoHelper()
			isDown.Store(true)
			before := len(calls.made())
			Eventually(func() int {
				calls.endWatch() // it may have begun just before
				return len(calls.made()) - before
			}).Should(BeNumerically(">", 3))
			isDown.Store(false)
		}
		ended := make(chan error, 1)
		go func() {
			place, err := enter(other)
			if err == nil {
				err = other.Keep(ctx, place)
			}
			ended <- err
		}()
		Eventually(func() string { return ask(address, "/readyz") }).Should(ContainSubstring("in namespace " + first))
		goesOn()
		Expect(ended).NotTo(Receive())

		now.SetTime(now.Now().Add(defaultPatience))
		Eventually(func() map[string]string { return getCRD(ctx).Annotations }).Should(HaveKeyWithValue(Annotation, `[{"namespace":"another-operator"}]`))
		goesOn()
		Expect(ended).NotTo(Receive())
	})

	It("replicas of one share its place", func() {
		for range 2 {
			one := &Installation{Member: Member{Namespace: first}, Config: firstConfig}
			Expect(enter(one)).To(Equal(Place{Serves: true}))
		}
	})
})

func TestIsAlive(t *testing.T) {
	begun := time.Now()
	for name, looks := range map[string][]struct {
		after time.Duration
		sign  string
		want  bool
	}{
		"no leader yet":         {{0, "", true}, {59 * time.Second, "", true}, {time.Minute, "", false}},
		"a leader that renews":  {{0, "1", true}, {59 * time.Second, "2", true}, {118 * time.Second, "2", true}, {119 * time.Second, "2", false}},
		"one that is back":      {{0, "1", true}, {time.Minute, "1", false}, {61 * time.Second, "2", true}},
		"a namespace that goes": {{0, "1", true}, {time.Second, gone, false}},
		"nothing can be seen":   {{0, unknown, true}, {time.Hour, unknown, true}, {2 * time.Hour, unknown, true}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			now := testingclock.NewFakePassiveClock(begun)
			one := &Installation{Config: &rest.Config{Host: "127.0.0.1:1"}, clock: now}
			g.Expect(one.complete()).To(Succeed())
			for _, look := range looks {
				now.SetTime(begun.Add(look.after))
				g.Expect(one.isAlive(Member{Namespace: second}, look.sign)).To(Equal(look.want), "after %s", look.after)
			}
		})
	}
}

// watching is what calls note for a watch.
const watching = "WATCH"

// calls are those that an installation makes to the API server, by their verbs, in
// their order.
type calls struct {
	// before a call is sent; an error keeps it from being sent. Optional.
	before func(call string) error

	mu    sync.Mutex
	list  []string
	watch io.Closer
}

// of is the access whose calls about the CRD are noted: a watch when it has begun.
func (c *calls) of(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			call := request.Method
			switch {
			case !strings.Contains(request.URL.Path, "/customresourcedefinitions"):
				return next.RoundTrip(request)
			case request.URL.Query().Has("watch"):
				call = watching
			default:
				c.note(call, nil)
			}
			if c.before != nil {
				if err := c.before(call); err != nil {
					return nil, err
				}
			}
			answer, err := next.RoundTrip(request)
			if err == nil && call == watching {
				c.note(call, answer.Body)
			}
			return answer, err
		})
	})
	return config
}

func (c *calls) note(call string, watch io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.watch = append(c.list, call), watch
}

// made are the calls until now.
func (c *calls) made() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// endWatch ends the watch that goes on, if any does.
func (c *calls) endWatch() {
	GinkgoHelper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch != nil {
		Expect(c.watch.Close()).To(Succeed())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

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
