// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package watchfacts_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/networkservicemesh/nsm-operator/internal/watchfacts"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

var (
	admin client.WithWatch
	// watches are the open ones of the Watchers.
	watches atomic.Int32
	// began is the resource version with which a Watcher first asked for a state, by list or
	// by watch, after it was last emptied.
	began atomic.Pointer[string]
	owner = types.NamespacedName{Namespace: "default", Name: "mesh"}
)

func TestWatchFacts(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(150 * time.Millisecond)
	RunSpecs(t, "Watch facts")
}

var _ = BeforeSuite(func() {
	config := rest.CopyConfig(apiserver.Start(&envtest.Environment{}).Config)
	config.Wrap(countWatches)
	var err error
	admin, err = client.NewWithWatch(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
})

// countWatches counts the watches that are open.
func countWatches(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(call *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(call)
		if err == nil && call.Method == http.MethodGet && answer.StatusCode == http.StatusOK {
			version := call.URL.Query().Get("resourceVersion")
			began.CompareAndSwap(nil, &version)
		}
		if err == nil && call.URL.Query().Get("watch") != "" && answer.StatusCode == http.StatusOK {
			watches.Add(1)
			answer.Body = &countedBody{ReadCloser: answer.Body}
		}
		return answer, err
	})
}

type countedBody struct {
	io.ReadCloser
	closed atomic.Bool
}

func (b *countedBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		watches.Add(-1)
	}
	return b.ReadCloser.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(call *http.Request) (*http.Response, error) { return f(call) }

// watcher starts one that counts its calls, and ends with the spec.
func watcher() (*watchfacts.Watcher, *atomic.Int32) {
	GinkgoHelper()
	calls := &atomic.Int32{}
	w := watchfacts.New(admin, func(_ context.Context, told types.NamespacedName) {
		defer GinkgoRecover()
		Expect(told).To(Equal(owner))
		calls.Add(1)
	})
	w.Patience = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Eventually(done).Should(Receive(Succeed()))
		Eventually(watches.Load).Should(BeZero(), "all watches end with the Watcher")
	})
	return w, calls
}

// life of a fact in these tests, which is renewed twelve times as often: a busy
// machine may be late by a second.
const life = 3 * time.Second

// value watches ConfigMaps and keeps the value of the key "value", until the time
// in the key "ends".
func value(name string) watchfacts.Query {
	return watchfacts.Query{
		ID: "ConfigMap " + name, Namespace: "default", Name: name, Life: life,
		List: func() client.ObjectList { return &corev1.ConfigMapList{} },
		Keep: func(object client.Object) (watchfacts.Fact, bool) {
			configMap, ok := object.(*corev1.ConfigMap)
			if !ok || configMap.Data["value"] == "" {
				return watchfacts.Fact{}, false
			}
			ends, _ := time.Parse(time.RFC3339Nano, configMap.Data["ends"])
			return watchfacts.Fact{Value: configMap.Data["value"], Ends: ends}, true
		},
	}
}

func newConfigMap(ctx context.Context, name string, data map[string]string) *corev1.ConfigMap {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: data}
	Expect(admin.Create(ctx, configMap)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, configMap))).To(Succeed()) })
	return configMap
}

func write(ctx context.Context, configMap *corev1.ConfigMap, data map[string]string) {
	GinkgoHelper()
	configMap.Data = data
	Expect(admin.Update(ctx, configMap)).To(Succeed())
}

// answer asks again and again.
func answer(ctx context.Context, w *watchfacts.Watcher, query watchfacts.Query) func() map[string]string {
	return func() map[string]string {
		GinkgoHelper()
		facts, err := w.Facts(ctx, owner, query)
		Expect(err).NotTo(HaveOccurred())
		return facts
	}
}

var _ = Describe("A Watcher", func() {
	It("knows what is there when it is first asked, and tells of changes of the facts alone", func(ctx SpecContext) {
		configMap := newConfigMap(ctx, "one", map[string]string{"value": "1"})
		newConfigMap(ctx, "other", map[string]string{"value": "2"})
		w, calls := watcher()
		ask := answer(ctx, w, value("one"))
		Expect(ask()).To(Equal(map[string]string{"one": "1"}))
		Expect(calls.Load()).To(BeZero(), "who asked knows the first answer")

		write(ctx, configMap, map[string]string{"value": "1", "something": "else"})
		write(ctx, configMap, map[string]string{"value": "3"})
		Eventually(ask).Should(Equal(map[string]string{"one": "3"}))
		Eventually(calls.Load).Should(Equal(int32(1)))
		Expect(admin.Delete(ctx, configMap)).To(Succeed())
		Eventually(ask).Should(BeEmpty())
		Eventually(calls.Load).Should(Equal(int32(2)))
		Expect(watches.Load()).To(Equal(int32(1)), "all answers come from one watch")
	})

	It("waits for the latest state, but for facts that may lag", func(ctx SpecContext) {
		newConfigMap(ctx, "lag", map[string]string{"value": "1"})
		w, _ := watcher()
		query := value("lag")
		began.Store(nil)
		Expect(w.Facts(ctx, owner, query)).To(Equal(map[string]string{"lag": "1"}))
		Expect(began.Load()).To(HaveValue(BeEmpty()), "the API server looks whether its cache is up to date")

		// Where the API server does not stream lists, the watch comes after a list.
		Eventually(watches.Load).Should(Equal(int32(1)))
		began.Store(nil)
		query.ID, query.MayLag = "lags", true
		Eventually(ctx, func() (map[string]string, error) { return w.Facts(ctx, owner, query) }).Should(Equal(map[string]string{"lag": "1"}))
		Expect(began.Load()).To(HaveValue(Equal("0")), "the API server answers from its cache")
	})

	It("watches all objects of a namespace", func(ctx SpecContext) {
		newConfigMap(ctx, "a", map[string]string{"value": "1"})
		w, _ := watcher()
		ask := answer(ctx, w, value(""))
		Expect(ask()).To(Equal(map[string]string{"a": "1"}))
		newConfigMap(ctx, "b", map[string]string{"value": "2"})
		newConfigMap(ctx, "c", nil)
		Eventually(ask).Should(Equal(map[string]string{"a": "1", "b": "2"}))
	})

	// until is a fact that ends so long after now, by a clock that is ahead of ours.
	until := func(left, ahead time.Duration) map[string]string {
		return map[string]string{"value": "1", "ends": time.Now().Add(left + ahead).Format(time.RFC3339Nano)}
	}

	for _, ahead := range []time.Duration{0, -time.Hour, time.Hour} {
		It("keeps a fact as long as it is renewed, by a clock that is ahead by "+ahead.String(), func(ctx SpecContext) {
			configMap := newConfigMap(ctx, "short", until(0, ahead))
			w, calls := watcher()
			ask := answer(ctx, w, value("short"))
			Expect(ask()).To(HaveLen(1), "whether it was renewed lately, nobody knows yet")
			// told is how often the Watcher has told of changes before.
			var told int32
			// renew for longer than the fact lives, unless a renewal comes too late to count on.
			renew := func() (isLate bool) {
				GinkgoHelper()
				began := time.Now()
				for last := began; time.Since(began) < life*3/2; <-time.After(life / 12) {
					now := time.Now()
					write(ctx, configMap, until(0, ahead))
					facts, tells := ask(), calls.Load()
					if time.Since(last) > life/2 {
						return true
					}
					Expect(facts).To(HaveLen(1))
					Expect(tells).To(Equal(told), "the value is the same")
					last = now
				}
				return false
			}
			Eventually(func() bool {
				write(ctx, configMap, until(0, ahead))
				Eventually(ask).Should(HaveLen(1))
				told = calls.Load()
				return renew()
			}).Should(BeFalse(), "the machine is not busy for ever")
			Eventually(ask).Should(BeEmpty(), "it is not renewed any more")
			Eventually(calls.Load).Should(Equal(told + 1))

			configMap.Data["something"] = "else"
			write(ctx, configMap, configMap.Data)
			Consistently(ask).Should(BeEmpty(), "a write that renews nothing changes nothing")
			write(ctx, configMap, until(time.Millisecond, ahead))
			Eventually(ask).Should(HaveLen(1))
			Eventually(calls.Load).Should(Equal(told + 2))
		})
	}

	It("keeps a fact for longer where it is renewed more seldom", func(ctx SpecContext) {
		configMap := newConfigMap(ctx, "slow", until(0, -time.Hour))
		w, _ := watcher()
		ask := answer(ctx, w, value("slow"))
		Expect(ask()).To(HaveLen(1))
		write(ctx, configMap, until(time.Minute, -time.Hour))
		Consistently(ask).WithTimeout(life * 3 / 2).Should(HaveLen(1))
	})

	It("waits for no fact that had ended long before the others when it was listed first", func(ctx SpecContext) {
		newConfigMap(ctx, "dead", until(-10*time.Minute, -time.Hour))
		newConfigMap(ctx, "alive", until(time.Minute, -time.Hour))
		w, calls := watcher()
		Expect(answer(ctx, w, value(""))()).To(HaveLen(1))
		Expect(answer(ctx, w, value(""))()).To(HaveKey("alive"))
		Expect(calls.Load()).To(BeZero())
	})

	It("ends the watches that an owner needs no more, and those alone", func(ctx SpecContext) {
		newConfigMap(ctx, "kept", map[string]string{"value": "1"})
		w, _ := watcher()
		for _, name := range []string{"kept", "dropped"} {
			answer(ctx, w, value(name))()
		}
		Eventually(watches.Load).Should(Equal(int32(2)))
		w.Watch(types.NamespacedName{Namespace: "default", Name: "another"})
		w.Watch(owner, value("kept"))
		Eventually(watches.Load).Should(Equal(int32(1)))
		Expect(answer(ctx, w, value("kept"))()).To(HaveLen(1))
		w.Watch(owner)
		Eventually(watches.Load).Should(BeZero())
	})

	It("watches what it is told to before anybody asks", func(ctx SpecContext) {
		newConfigMap(ctx, "early", map[string]string{"value": "1"})
		w, calls := watcher()
		w.Watch(owner, value("early"), value("none"))
		Eventually(watches.Load).Should(Equal(int32(2)))
		w.Watch(owner, value("early"), value("none"))
		Expect(answer(ctx, w, value("early"))()).To(Equal(map[string]string{"early": "1"}))
		Expect(answer(ctx, w, value("none"))()).To(BeEmpty())
		Expect(watches.Load()).To(Equal(int32(2)), "nothing is watched twice")
		Expect(calls.Load()).To(BeZero(), "who asks knows the first answer")
	})

	It("says what the API server says when it has no answer", func(ctx SpecContext) {
		w, _ := watcher()
		query := value("none")
		query.List = func() client.ObjectList {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "UnknownList"})
			return list
		}
		Eventually(func() error {
			_, err := w.Facts(ctx, owner, query)
			return err
		}).Should(MatchError(And(ContainSubstring("ConfigMap none cannot be read yet"), ContainSubstring(`no matches for kind "Unknown"`))))
	})
})
