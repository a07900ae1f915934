// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// beat is how often each of the hammer's users does something.
const beat = 50 * time.Millisecond

// hammer has users of both versions work with a standing NSM without a pause, and
// notes what fails, what was acknowledged, and what the watches have seen.
type hammer struct {
	client client.WithWatch
	key    client.ObjectKey
	// isValidated: an NSM that nobody has validated is a failure.
	isValidated bool
	end         context.CancelFunc
	users       sync.WaitGroup
	watchers    sync.WaitGroup
	// patching has one patch at a time: of two that meet, the slower one would lose
	// for ever.
	patching sync.Mutex

	mu       sync.Mutex
	done     map[string]int
	failures []failure
	// came is by version how many NSMs of its own came and went.
	came map[string]int
	// coming are the versions that are not served yet, which is no failure.
	coming map[string]bool
	// acknowledged is by version the last mark that a patch has set, and seen the
	// last one that a watch has shown.
	acknowledged, seen map[string]int
}

// failure is a request that was not granted.
type failure struct {
	at                    time.Time
	verb, version, reason string
}

var versions = []string{"v1alpha1", "v1beta1"}

// startHammer starts the users, on an NSM that is there. What they create is another
// NSM, in the same namespace, which is refused by validation; what they delete is deleted
// in a dry run. Some versions may be served later only; as long as one is, there is nobody
// to validate either.
func startHammer(ctx context.Context, key client.ObjectKey, coming ...string) *hammer {
	GinkgoHelper()
	watcher, err := client.NewWithWatch(config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	h := &hammer{client: watcher, key: key, done: map[string]int{}, came: map[string]int{}, acknowledged: map[string]int{}, seen: map[string]int{}}
	h.coming = map[string]bool{}
	for _, version := range coming {
		h.coming[version] = true
	}
	h.isValidated = len(coming) == 0
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h.end = cancel
	// They go on until all has been seen that the others have done.
	watching, leave := context.WithCancel(context.WithoutCancel(ctx))
	DeferCleanup(func() {
		h.stop()
		leave()
		h.watchers.Wait()
	})
	for _, version := range versions {
		for verb, use := range map[string]func(context.Context, string) error{
			"get": h.get, "list": h.list, "patch": h.patch, "try to create": h.create, "try to delete": h.delete,
		} {
			h.users.Go(func() { h.keepOn(running, verb, version, use) })
		}
		h.watchers.Go(func() { h.watch(watching, version) })
	}
	return h
}

// others of a version have NSMs of their own come and go, where no pod of theirs can meet
// another: those of the standing one have to be kept to other nodes.
func (h *hammer) others(ctx context.Context) {
	GinkgoHelper()
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end := h.end
	h.end = func() { end(); cancel() }
	for _, version := range versions {
		nsm := h.example(ctx, version)
		h.users.Go(func() { h.comeAndGo(running, version, nsm) })
	}
}

// example is an NSM of a version that can live beside others. What only the other version
// can say is in its annotation, as in a backup.
func (h *hammer) example(ctx context.Context, version string) *unstructured.Unstructured {
	GinkgoHelper()
	key := client.ObjectKey{Namespace: "hammer-" + version, Name: "hammer"}
	Expect(client.IgnoreAlreadyExists(admin.Create(ctx, namespaceOf(key.Namespace)))).To(Succeed())
	nsm := object("v1beta1", key)
	nsm.Object["spec"] = onNodes("of-" + key.Namespace)
	Expect(unstructured.SetNestedField(nsm.Object, false, "spec", "admissionWebhook", "enabled")).To(Succeed())
	Expect(admin.Create(ctx, nsm)).To(Succeed())
	made := object(version, key)
	Expect(admin.Get(ctx, key, made)).To(Succeed())
	Expect(admin.Delete(ctx, nsm)).To(Succeed())
	Eventually(func() error { return admin.Get(ctx, key, object("v1beta1", key)) }).
		WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
	example := object(version, key)
	example.SetAnnotations(made.GetAnnotations())
	example.Object["spec"] = made.Object["spec"]
	return example
}

// onNodes is the spec of a mesh that keeps to nodes of an architecture.
func onNodes(architecture string) map[string]any {
	selector := map[string]any{corev1.LabelArchStable: architecture}
	return map[string]any{
		"nsmgr":      map[string]any{"nodeSelector": selector},
		"forwarders": []any{map[string]any{"name": "forwarder-vpp", "type": "vpp", "nodeSelector": selector}},
	}
}

// comeAndGo creates an NSM and deletes it, again and again. What was created is there, in
// both versions, until it is deleted, and what was deleted goes.
func (h *hammer) comeAndGo(ctx context.Context, version string, example *unstructured.Unstructured) {
	key := client.ObjectKeyFromObject(example)
	// insist does something until it succeeds, and notes what fails. What failed may have
	// been done all the same.
	insist := func(verb, version string, do func(context.Context) error, isDone func(error) bool) {
		for hasFailed := false; ctx.Err() == nil; hasFailed = true {
			asking, cancel := context.WithTimeout(ctx, 30*time.Second)
			err := do(asking)
			cancel()
			if hasFailed && isDone(err) {
				return
			}
			if ctx.Err() == nil {
				h.note(verb, version, err)
			}
			if err == nil {
				return
			}
			pause(ctx, beat)
		}
	}
	for ctx.Err() == nil {
		insist("create", version, func(ctx context.Context) error { return h.client.Create(ctx, example.DeepCopy()) }, apierrors.IsAlreadyExists)
		for _, other := range versions {
			insist("get what was created", other, func(ctx context.Context) error { return h.client.Get(ctx, key, object(other, key)) }, isNever)
		}
		insist("delete", version, func(ctx context.Context) error { return h.client.Delete(ctx, object(version, key)) }, apierrors.IsNotFound)
		for ctx.Err() == nil {
			err := h.client.Get(ctx, key, object("v1beta1", key))
			if apierrors.IsNotFound(err) {
				h.mu.Lock()
				h.came[version]++
				h.mu.Unlock()
				break
			}
			if err != nil && ctx.Err() == nil {
				h.note("get what was deleted", "v1beta1", err)
			}
			pause(ctx, beat)
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

// stop ends the users, but for those who watch.
func (h *hammer) stop() {
	h.end()
	h.users.Wait()
}

// keepOn does the same again and again.
func (h *hammer) keepOn(ctx context.Context, verb, version string, use func(context.Context, string) error) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asking, cancel := context.WithTimeout(ctx, 30*time.Second)
		err := use(asking, version)
		cancel()
		if ctx.Err() == nil {
			h.note(verb, version, err)
		}
	}
}

func (h *hammer) note(verb, version string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.coming[version] && (meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) {
		return
	}
	h.coming[version] = false
	h.done[version]++
	if err != nil {
		h.failures = append(h.failures, failure{time.Now(), verb, version, reasonOf(err)})
	}
}

// reasonOf is what a failure is counted by.
func reasonOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err.Error()
	}
	message := status.Status().Message
	return fmt.Sprintf("%d %s", status.Status().Code, message[:min(len(message), 160)])
}

func (h *hammer) get(ctx context.Context, version string) error {
	return h.client.Get(ctx, h.key, object(version, h.key))
}

func (h *hammer) list(ctx context.Context, version string) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(object(version, h.key).GroupVersionKind())
	if err := h.client.List(ctx, list, client.InNamespace(h.key.Namespace)); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errors.New("the list is empty")
	}
	return nil
}

// patch sets a mark that nobody else sets.
func (h *hammer) patch(ctx context.Context, version string) error {
	h.patching.Lock()
	defer h.patching.Unlock()
	h.mu.Lock()
	next := h.acknowledged[version] + 1
	h.mu.Unlock()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, mark(version), next))
	if err := h.client.Patch(ctx, object(version, h.key), patch); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acknowledged[version] = next
	return nil
}

// create tries what a second NSM in the namespace would meet: conversion and both
// webhooks, of which one refuses it.
func (h *hammer) create(ctx context.Context, version string) error {
	second := object(version, client.ObjectKey{Namespace: h.key.Namespace, Name: "second"})
	if version == "v1alpha1" {
		Expect(unstructured.SetNestedField(second.Object, "v1.18.0", "spec", "version")).To(Succeed())
	}
	err := h.client.Create(ctx, second, client.DryRunAll)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return nil
	}
	if err == nil && h.isValidated {
		return errors.New("admitted without having been validated")
	}
	return err
}

// delete tries to delete.
func (h *hammer) delete(ctx context.Context, version string) error {
	return h.client.Delete(ctx, object(version, h.key), client.DryRunAll)
}

// watch follows the NSM, as an informer does.
func (h *hammer) watch(ctx context.Context, version string) {
	for ctx.Err() == nil {
		err := h.follow(ctx, version)
		if ctx.Err() == nil {
			h.note("watch", version, err)
		}
		pause(ctx, beat)
	}
}

// follow watches until the watch ends, and fails when that is not in good order.
func (h *hammer) follow(ctx context.Context, version string) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(object(version, h.key).GroupVersionKind())
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

// awaitWrites waits until a write has succeeded in each version: some could only be made
// a moment ago.
func (h *hammer) awaitWrites(ctx context.Context) {
	GinkgoHelper()
	for _, version := range versions {
		Eventually(func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.acknowledged[version]
		}).WithContext(ctx).Should(BeNumerically(">", 0), version)
	}
}

// expectNothingLost: all that was acknowledged is stored, and was shown to whoever
// watched.
func (h *hammer) expectNothingLost(ctx context.Context) {
	GinkgoHelper()
	h.mu.Lock()
	acknowledged := maps.Clone(h.acknowledged)
	h.mu.Unlock()
	for _, version := range versions {
		Expect(acknowledged[version]).To(BeNumerically(">", 0), version)
		stored := object(version, h.key)
		Expect(h.client.Get(ctx, h.key, stored)).To(Succeed())
		Expect(strconv.Atoi(stored.GetAnnotations()[mark(version)])).To(BeNumerically(">=", acknowledged[version]), version)
		Eventually(func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.seen[version]
		}).WithContext(ctx).Should(BeNumerically(">=", acknowledged[version]), "a watch in "+version)
	}
}

// expectOthers: NSMs of both versions came and went.
func (h *hammer) expectOthers() {
	GinkgoHelper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, version := range versions {
		Expect(h.came[version]).To(BeNumerically(">", 1), version)
	}
}

// expectServed: nobody was told that there is no such version, nor that nobody converts it.
func (h *hammer) expectServed(version string) {
	GinkgoHelper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, failed := range h.failures {
		if failed.version == version {
			Expect(failed.reason).NotTo(Or(HavePrefix("404 "), ContainSubstring("no matches for kind"), ContainSubstring("webhook")), failed.verb)
		}
	}
}

// expectFewFailures: the API server's own change of a definition may cost each user the
// request that is on its way. No request fails because nobody answered the API server.
func (h *hammer) expectFewFailures() {
	GinkgoHelper()
	h.mu.Lock()
	defer h.mu.Unlock()
	const verbs = 10
	Expect(len(h.failures)).To(BeNumerically("<=", verbs*len(versions)), "%v", h.failures)
	for _, failed := range h.failures {
		Expect(failed.reason).NotTo(ContainSubstring("webhook"), "%s in %s", failed.verb, failed.version)
	}
}

// report prints what failed: how often, why, and in which version for how long.
func (h *hammer) report(of string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var text strings.Builder
	for _, version := range versions {
		length, count := h.window(version)
		fmt.Fprintf(&text, "%s: %d requests, %d failed, within %s", version, h.done[version], count, length.Round(10*time.Millisecond))
		fmt.Fprintf(&text, "; %d NSMs came and went\n", h.came[version])
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

// window is for how long requests of a version failed, without the times in which
// none did for a second, and how many those were.
func (h *hammer) window(version string) (length time.Duration, count int) {
	var last time.Time
	for _, failed := range h.failures {
		if failed.version != version {
			continue
		}
		if gap := failed.at.Sub(last); count > 0 && gap < time.Second {
			length += gap
		} else {
			length += beat
		}
		last = failed.at
		count++
	}
	return length, count
}

// mark is the annotation that one version's patches set.
func mark(version string) string { return "hammer/" + version }

// object of a version.
func object(version string, key client.ObjectKey) *unstructured.Unstructured {
	nsm := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "nsm.networkservicemesh.io/" + version, "kind": "NSM"}}
	nsm.SetNamespace(key.Namespace)
	nsm.SetName(key.Name)
	return nsm
}

// specs are what an NSM says in both versions.
func specs(ctx context.Context, key client.ObjectKey) map[string]any {
	GinkgoHelper()
	found := map[string]any{}
	for _, version := range versions {
		nsm := object(version, key)
		Eventually(func() error { return admin.Get(ctx, key, nsm) }).WithContext(ctx).Should(Succeed(), version)
		found[version] = nsm.Object["spec"]
	}
	return found
}
