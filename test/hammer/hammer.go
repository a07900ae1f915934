// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package hammer has users of both versions work with an NSM without a pause while something
// happens to the operator, and tells what that costs them.
package hammer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Hammer has users of both versions work with a standing NSM without a pause, and
// notes what fails, what has to wait, what was acknowledged, and what the watches have seen.
type Hammer struct {
	// Beat is how often each of the users does something.
	Beat time.Duration
	// IsValidated: an NSM that nobody has validated is a failure. Once the users work, Validated
	// says so.
	IsValidated bool

	config *rest.Config
	client client.WithWatch
	key    client.ObjectKey
	// generation of the definition of NSMs in the beginning.
	generation int64
	end        context.CancelFunc
	users      sync.WaitGroup
	watchers   sync.WaitGroup
	// patching has one patch at a time: of two that meet, the slower one would lose
	// for ever.
	patching sync.Mutex

	mu       sync.Mutex
	done     map[string]int
	failures []Failure
	// putOff is by version when the API server asked somebody to come again later. client-go
	// does so by itself: the user only waits.
	putOff map[string][]time.Time
	// longest is by version the request that was granted last after it was made.
	longest map[string]slow
	// refused is by version how many NSMs validation has refused.
	refused map[string]int
	// came is by version how many NSMs of its own came and went.
	came map[string]int
	// late are the versions that are not served in the beginning, and coming those of them
	// that are not served yet, which is no failure.
	late, coming map[string]bool
	// acknowledged is by version the last mark that a patch has set, and seen the
	// last one that a watch has shown.
	acknowledged, seen map[string]int
}

// Failure is a request that was not granted.
type Failure struct {
	at                    time.Time
	verb, version, reason string
}

// patience of a user: a request that takes longer is a failure, however often it was put off.
const patience = 30 * time.Second

// slow is a request, and how long it took.
type slow struct {
	verb string
	took time.Duration
}

// Versions of NSMs.
var Versions = []string{"v1alpha1", "v1beta1"}

// IsForWantOfOperator reports whether a request needs one: each in v1alpha1, which nobody
// else converts, and what its webhooks are asked about, be it one that has lost its rights.
// v1beta1 can be read and deleted.
func (f Failure) IsForWantOfOperator() bool {
	isAskedAbout := f.verb == "patch" || f.verb == "try to create"
	return f.version == "v1alpha1" || isAskedAbout && strings.Contains(f.reason, "webhook")
}

// IsForWantOfAnswer reports whether nobody answered the API server: it may call a replica
// that has just ended once more.
func (f Failure) IsForWantOfAnswer() bool { return strings.Contains(f.reason, "webhook") }

// New has users of an NSM that is there. What they create is another NSM, in the same
// namespace, which is refused by validation; what they delete is deleted in a dry run. Some
// versions may be served later only; as long as one is, there is nobody to validate either.
func New(config *rest.Config, key client.ObjectKey, coming ...string) *Hammer {
	h := &Hammer{
		Beat: 50 * time.Millisecond, IsValidated: len(coming) == 0, config: rest.CopyConfig(config), key: key,
		done: map[string]int{}, putOff: map[string][]time.Time{}, longest: map[string]slow{}, refused: map[string]int{},
		came: map[string]int{}, late: map[string]bool{}, coming: map[string]bool{}, acknowledged: map[string]int{}, seen: map[string]int{},
	}
	h.config.Wrap(func(next http.RoundTripper) http.RoundTripper { return listener{next, h} })
	for _, version := range coming {
		h.late[version], h.coming[version] = true, true
	}
	return h
}

// listener hears what the API server says to client-go.
type listener struct {
	next   http.RoundTripper
	hammer *Hammer
}

// RoundTrip notes which requests are put off.
func (l listener) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(request)
	if err != nil || response.Header.Get("Retry-After") == "" {
		return response, err
	}
	for _, version := range Versions {
		if strings.HasPrefix(request.URL.Path, "/apis/"+group+"/"+version+"/") {
			l.hammer.mu.Lock()
			l.hammer.putOff[version] = append(l.hammer.putOff[version], time.Now())
			l.hammer.mu.Unlock()
		}
	}
	return response, nil
}

// Start the users.
func (h *Hammer) Start(ctx context.Context) {
	GinkgoHelper()
	var err error
	h.client, err = client.NewWithWatch(h.config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	h.generation = h.generationNow(ctx)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h.end = cancel
	// They go on until all has been seen that the others have done.
	watching, leave := context.WithCancel(context.WithoutCancel(ctx))
	DeferCleanup(func() {
		h.Stop()
		leave()
		h.watchers.Wait()
	})
	for _, version := range Versions {
		for verb, use := range map[string]func(context.Context, string) error{
			"get": h.get, "list": h.list, "patch": h.patch, "try to create": h.create, "try to delete": h.delete,
		} {
			h.users.Go(func() { h.keepOn(running, verb, version, use) })
		}
		h.watchers.Go(func() { h.watch(watching, version) })
	}
}

// Others of a version have NSMs of their own come and go, where no pod of theirs can meet
// another: those of the standing one have to be kept to other nodes.
func (h *Hammer) Others(ctx context.Context) {
	GinkgoHelper()
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end := h.end
	h.end = func() { end(); cancel() }
	for _, version := range Versions {
		nsm := h.example(ctx, version)
		h.users.Go(func() { h.comeAndGo(running, version, nsm) })
	}
}

// example is an NSM of a version that can live beside others. What only the other version
// can say is in its annotation, as in a backup.
func (h *Hammer) example(ctx context.Context, version string) *unstructured.Unstructured {
	GinkgoHelper()
	key := client.ObjectKey{Namespace: "hammer-" + version, Name: "hammer"}
	Expect(client.IgnoreAlreadyExists(h.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}))).To(Succeed())
	remove := func() {
		Expect(client.IgnoreNotFound(h.client.Delete(ctx, Object("v1beta1", key)))).To(Succeed())
		Eventually(func() error { return h.client.Get(ctx, key, Object("v1beta1", key)) }).
			WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
	}
	remove() // one that was there when users before these were stopped
	nsm := Object("v1beta1", key)
	nsm.Object["spec"] = OnNodes("of-" + key.Namespace)
	Expect(unstructured.SetNestedField(nsm.Object, false, "spec", "admissionWebhook", "enabled")).To(Succeed())
	Expect(h.client.Create(ctx, nsm)).To(Succeed())
	made := Object(version, key)
	Expect(h.client.Get(ctx, key, made)).To(Succeed())
	remove()
	example := Object(version, key)
	example.SetAnnotations(made.GetAnnotations())
	example.Object["spec"] = made.Object["spec"]
	return example
}

// OnNodes is the spec of a mesh that keeps to nodes of an architecture.
func OnNodes(architecture string) map[string]any {
	selector := map[string]any{corev1.LabelArchStable: architecture}
	return map[string]any{
		"nsmgr":      map[string]any{"nodeSelector": selector},
		"forwarders": []any{map[string]any{"name": "forwarder-vpp", "type": "vpp", "nodeSelector": selector}},
	}
}

// comeAndGo creates an NSM and deletes it, again and again. What was created is there, in
// both versions, until it is deleted, and what was deleted goes.
func (h *Hammer) comeAndGo(ctx context.Context, version string, example *unstructured.Unstructured) {
	key := client.ObjectKeyFromObject(example)
	// insist does something until it succeeds, and notes what fails. What failed may have
	// been done all the same.
	insist := func(verb, version string, do func(context.Context) error, isDone func(error) bool) {
		for hasFailed := false; ctx.Err() == nil; hasFailed = true {
			asking, cancel := context.WithTimeout(ctx, patience)
			begin := time.Now()
			err := do(asking)
			cancel()
			if hasFailed && isDone(err) {
				return
			}
			if ctx.Err() == nil {
				h.note(verb, version, begin, err)
			}
			if err == nil {
				return
			}
			pause(ctx, h.Beat)
		}
	}
	for ctx.Err() == nil {
		insist("create", version, func(ctx context.Context) error { return h.client.Create(ctx, example.DeepCopy()) }, apierrors.IsAlreadyExists)
		for _, other := range Versions {
			insist("get what was created", other, func(ctx context.Context) error { return h.client.Get(ctx, key, Object(other, key)) }, isNever)
		}
		insist("delete", version, func(ctx context.Context) error { return h.client.Delete(ctx, Object(version, key)) }, apierrors.IsNotFound)
		for ctx.Err() == nil {
			begin := time.Now()
			err := h.client.Get(ctx, key, Object("v1beta1", key))
			if apierrors.IsNotFound(err) {
				h.mu.Lock()
				h.came[version]++
				h.mu.Unlock()
				break
			}
			if err != nil && ctx.Err() == nil {
				h.note("get what was deleted", "v1beta1", begin, err)
			}
			pause(ctx, h.Beat)
		}
	}
}

func isNever(error) bool { return false }

func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// Stop ends the users, but for those who watch.
func (h *Hammer) Stop() {
	h.end()
	h.users.Wait()
}

// keepOn does the same again and again.
func (h *Hammer) keepOn(ctx context.Context, verb, version string, use func(context.Context, string) error) {
	ticker := time.NewTicker(h.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if verb == "patch" {
			h.patching.Lock()
		}
		asking, cancel := context.WithTimeout(ctx, patience)
		begin := time.Now()
		err := use(asking, version)
		cancel()
		if verb == "patch" {
			h.patching.Unlock()
		}
		if ctx.Err() == nil {
			h.note(verb, version, begin, err)
		}
	}
}

// note what became of a request that began at a time.
func (h *Hammer) note(verb, version string, begin time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.coming[version] && (meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) {
		return
	}
	h.coming[version] = false
	h.done[version]++
	if err != nil {
		h.failures = append(h.failures, Failure{time.Now(), verb, version, reasonOf(err)})
	} else if took := time.Since(begin); took > h.longest[version].took && verb != "watch" {
		h.longest[version] = slow{verb, took}
	}
}

// number is one that differs from failure to failure.
var number = regexp.MustCompile(`(revision=|ResourceVersion: )\d+`)

// reasonOf is what a failure is counted by.
func reasonOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err.Error()
	}
	message := number.ReplaceAllString(status.Status().Message, "$1")
	return fmt.Sprintf("%d %s", status.Status().Code, message[:min(len(message), 160)])
}

func (h *Hammer) get(ctx context.Context, version string) error {
	return h.client.Get(ctx, h.key, Object(version, h.key))
}

func (h *Hammer) list(ctx context.Context, version string) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(Object(version, h.key).GroupVersionKind())
	if err := h.client.List(ctx, list, client.InNamespace(h.key.Namespace)); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("the list is empty")
	}
	return nil
}

// patch sets a mark that nobody else sets.
func (h *Hammer) patch(ctx context.Context, version string) error {
	h.mu.Lock()
	next := h.acknowledged[version] + 1
	h.mu.Unlock()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, mark(version), next))
	if err := h.client.Patch(ctx, Object(version, h.key), patch); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acknowledged[version] = next
	return nil
}

// create tries what a second NSM in the namespace would meet: conversion and both
// webhooks, of which one refuses it.
func (h *Hammer) create(ctx context.Context, version string) error {
	second := Object(version, client.ObjectKey{Namespace: h.key.Namespace, Name: "second"})
	if version == "v1alpha1" {
		Expect(unstructured.SetNestedField(second.Object, "v1.18.0", "spec", "version")).To(Succeed())
	}
	err := h.client.Create(ctx, second, client.DryRunAll)
	h.mu.Lock()
	defer h.mu.Unlock()
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		h.refused[version]++
		return nil
	}
	if err == nil && h.IsValidated {
		return errors.New("admitted without having been validated")
	}
	return err
}

// delete tries to delete.
func (h *Hammer) delete(ctx context.Context, version string) error {
	return h.client.Delete(ctx, Object(version, h.key), client.DryRunAll)
}

// watch follows the NSM, as an informer does.
func (h *Hammer) watch(ctx context.Context, version string) {
	for ctx.Err() == nil {
		begin := time.Now()
		err := h.follow(ctx, version)
		if ctx.Err() == nil {
			h.note("watch", version, begin, err)
		}
		pause(ctx, h.Beat)
	}
}

// follow watches until the watch ends, and fails when that is not in good order.
func (h *Hammer) follow(ctx context.Context, version string) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(Object(version, h.key).GroupVersionKind())
	watching, err := h.client.Watch(ctx, list, client.InNamespace(h.key.Namespace))
	if err != nil {
		return err
	}
	defer watching.Stop()
	for event := range watching.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		seen, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		number, _ := strconv.Atoi(seen.GetAnnotations()[mark(version)])
		h.mu.Lock()
		h.seen[version] = max(h.seen[version], number)
		h.mu.Unlock()
	}
	return nil
}

// Validated says that an NSM which nobody has validated is a failure from now on, and waits
// until one of each version has been refused.
func (h *Hammer) Validated(ctx context.Context) {
	GinkgoHelper()
	h.mu.Lock()
	h.IsValidated = true
	clear(h.refused)
	h.mu.Unlock()
	for _, version := range Versions {
		Eventually(func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.refused[version]
		}).WithContext(ctx).Should(BeNumerically(">", 0), version)
	}
}

// AwaitWrites waits until a write has succeeded in each version: some could only be made
// a moment ago.
func (h *Hammer) AwaitWrites(ctx context.Context) {
	GinkgoHelper()
	for _, version := range Versions {
		Eventually(func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.acknowledged[version]
		}).WithContext(ctx).Should(BeNumerically(">", 0), version)
	}
}

// ExpectNothingLost expects all that was acknowledged to be stored, and to have been shown
// to whoever watched. It was something in each version, but for one that was not served in
// the beginning.
func (h *Hammer) ExpectNothingLost(ctx context.Context) {
	GinkgoHelper()
	h.mu.Lock()
	acknowledged := maps.Clone(h.acknowledged)
	h.mu.Unlock()
	for _, version := range Versions {
		if acknowledged[version] == 0 && h.late[version] {
			continue
		}
		Expect(acknowledged[version]).To(BeNumerically(">", 0), version)
		stored := Object(version, h.key)
		// Conversion may be led to a replica that has just ended.
		Eventually(func() error { return h.client.Get(ctx, h.key, stored) }).WithContext(ctx).Should(Succeed())
		Expect(strconv.Atoi(stored.GetAnnotations()[mark(version)])).To(BeNumerically(">=", acknowledged[version]), version)
		Eventually(func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.seen[version]
		}).WithContext(ctx).Should(BeNumerically(">=", acknowledged[version]), "a watch in "+version)
	}
}

// ExpectOthers expects NSMs of both versions to have come and gone.
func (h *Hammer) ExpectOthers() {
	GinkgoHelper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, version := range Versions {
		Expect(h.came[version]).To(BeNumerically(">", 1), version)
	}
}

// ExpectServed expects nobody to have been told that there is no such version, nor that
// nobody converts it.
func (h *Hammer) ExpectServed(version string) {
	GinkgoHelper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, failed := range h.failures {
		if failed.version == version {
			Expect(failed.reason).NotTo(Or(HavePrefix("404 "), ContainSubstring("no matches for kind"), ContainSubstring("webhook")), failed.verb)
		}
	}
}

// ExpectFewFailures expects requests to fail, but for those that may, only when the definition
// is written: the API server then begins anew with it, which may cost each user the one that
// is on its way. None of them fails because nobody answered the API server.
func (h *Hammer) ExpectFewFailures(ctx context.Context, may func(Failure) bool) {
	GinkgoHelper()
	const users = 7 // of each version: five verbs, a watch, and one whose NSMs come and go
	writes := int(h.generationNow(ctx) - h.generation)
	h.mu.Lock()
	defer h.mu.Unlock()
	few := slices.DeleteFunc(slices.Clone(h.failures), func(f Failure) bool { return may != nil && may(f) })
	bound := writes * users * len(Versions)
	AddReportEntry("failures that may not be avoided", fmt.Sprintf("%d, of at most %d: the definition was written %d times", len(few), bound, writes))
	Expect(len(few)).To(BeNumerically("<=", bound), "%v", few)
	for _, failed := range few {
		Expect(failed.reason).NotTo(ContainSubstring("webhook"), "%s in %s", failed.verb, failed.version)
	}
}

// Report prints what failed or had to wait: how often, why, and in which version for how long.
func (h *Hammer) Report(of string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var text strings.Builder
	for _, version := range Versions {
		failed, length := h.window(version)
		fmt.Fprintf(&text, "%s: %d requests, %d failed, and %d times one was put off, within %s", version, h.done[version],
			failed, len(h.putOff[version]), length.Round(10*time.Millisecond))
		longest := h.longest[version]
		fmt.Fprintf(&text, "; the longest took %s: %s; %d NSMs came and went\n", longest.took.Round(time.Millisecond), longest.verb, h.came[version])
	}
	kinds := map[string]int{}
	for _, failed := range h.failures {
		kinds[failed.version+" "+failed.verb+": "+failed.reason]++
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&text, "  %4d %s\n", kinds[kind], kind)
	}
	AddReportEntry(of, text.String())
}

// again is when client-go asks again after it was put off.
const again = time.Second

// window is how many requests of a version failed, and for how long some did or were put off,
// without the times in which none was for longer than it takes to ask again.
func (h *Hammer) window(version string) (failed int, length time.Duration) {
	times := slices.Clone(h.putOff[version])
	for _, failure := range h.failures {
		if failure.version == version {
			times = append(times, failure.at)
			failed++
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	var last time.Time
	for _, at := range times {
		if gap := at.Sub(last); gap < again+again/2 {
			length += gap
		} else {
			length += h.Beat
		}
		last = at
	}
	return failed, length
}

// group of NSMs.
const group = "nsm.networkservicemesh.io"

// mark is the annotation that one version's patches set.
func mark(version string) string { return "hammer/" + version }

// Object of a version.
func Object(version string, key client.ObjectKey) *unstructured.Unstructured {
	nsm := &unstructured.Unstructured{Object: map[string]any{"apiVersion": group + "/" + version, "kind": "NSM"}}
	nsm.SetNamespace(key.Namespace)
	nsm.SetName(key.Name)
	return nsm
}

// generationNow of the definition of NSMs: each write of its spec raises it.
func (h *Hammer) generationNow(ctx context.Context) int64 {
	GinkgoHelper()
	definition := &apiextensionsv1.CustomResourceDefinition{}
	Expect(h.client.Get(ctx, client.ObjectKey{Name: "nsms." + group}, definition)).To(Succeed())
	return definition.Generation
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	return scheme
}
