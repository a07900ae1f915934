// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package perf

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

const (
	namespace = "nsm"
	// bare is where the bare client writes.
	bare = "bare"
)

// newMesh is a mesh whose objects can all be written at once: the admission
// webhook's configuration has to wait for its pods.
func newMesh() *nsmv1beta1.NSM {
	return &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mesh"},
		Spec:       nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}},
	}
}

// measureWaves makes the same objects by turns in three ways: by the operator,
// and by a client that does nothing else, applying and creating.
func (c *cluster) measureWaves(b *testing.B) (operator, applied, created []time.Duration) {
	b.Helper()
	must(b, c.client.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: bare}}))
	c.makeMesh(b)
	objects := c.copies(b)
	c.removeMesh(b)
	apply := func(ctx context.Context, object *unstructured.Unstructured) error {
		return c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("bare"), client.ForceOwnership)
	}
	create := func(ctx context.Context, object *unstructured.Unstructured) error {
		return c.client.Create(ctx, object)
	}
	for range meshes {
		operator = append(operator, c.operatorWave(b, len(objects)))
		applied = append(applied, c.bareWave(b, objects, apply))
		created = append(created, c.bareWave(b, objects, create))
	}
	return operator, applied, created
}

// operatorWave is the time from an NSM's being stored to its last child's.
func (c *cluster) operatorWave(b *testing.B, children int) time.Duration {
	b.Helper()
	defer c.removeMesh(b)
	last := c.lastOf(b, namespace, children)
	nsm := newMesh()
	must(b, c.client.Create(b.Context(), nsm))
	stored := time.Now()
	return last().Sub(stored)
}

// bareWave is the time that a client takes for the objects.
func (c *cluster) bareWave(b *testing.B, objects []*unstructured.Unstructured,
	write func(context.Context, *unstructured.Unstructured) error) time.Duration {
	b.Helper()
	defer c.removeBare(b, objects)
	last := c.lastOf(b, bare, len(objects))
	begin := time.Now()
	group, ctx := errgroup.WithContext(b.Context())
	for _, object := range objects {
		group.Go(func() error { return write(ctx, object.DeepCopy()) })
	}
	must(b, group.Wait())
	return last().Sub(begin)
}

// lastOf begins to watch, and returns what waits for a number of new objects of
// a mesh in a namespace and tells when the last of them was seen.
func (c *cluster) lastOf(b *testing.B, namespace string, number int) func() time.Time {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	seen := make(chan time.Time, number)
	for _, kind := range mesh.Kinds() {
		watcher := c.watch(ctx, b, kind, namespace)
		go func() {
			for event := range watcher.ResultChan() {
				if event.Type == watch.Added {
					seen <- time.Now()
				}
			}
		}()
	}
	return func() time.Time {
		defer cancel()
		var last time.Time
		for range number {
			select {
			case last = <-seen:
			case <-ctx.Done():
				b.Fatal("not all objects of a mesh were written within a minute")
			}
		}
		return last
	}
}

// watch begins to watch the objects of one kind that belong to the mesh in a
// namespace and are not there yet.
func (c *cluster) watch(ctx context.Context, b *testing.B, kind mesh.Object, namespace string) watch.Interface {
	b.Helper()
	list := c.newList(b, kind)
	ours := client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNamespace: namespace}
	must(b, c.client.List(ctx, list, ours))
	watcher, err := c.client.Watch(ctx, list, ours, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	must(b, err)
	return watcher
}

func (c *cluster) newList(b *testing.B, kind mesh.Object) *unstructured.UnstructuredList {
	b.Helper()
	gvk, err := apiutil.GVKForObject(kind, c.client.Scheme())
	must(b, err)
	return mesh.EmptyList(gvk)
}

// children of the mesh in a namespace.
func (c *cluster) children(b *testing.B, namespace string) []*unstructured.Unstructured {
	b.Helper()
	var found []*unstructured.Unstructured
	for _, kind := range mesh.Kinds() {
		list := c.newList(b, kind)
		must(b, c.client.List(b.Context(), list, client.MatchingLabels{mesh.LabelNamespace: namespace}))
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
	}
	return found
}

// copies of the mesh's objects as a client would write them, for the other
// namespace.
func (c *cluster) copies(b *testing.B) []*unstructured.Unstructured {
	b.Helper()
	children := c.children(b, namespace)
	for _, object := range children {
		delete(object.Object, "status")
		labels, annotations := object.GetLabels(), object.GetAnnotations()
		delete(annotations, "deprecated.daemonset.template.generation")
		delete(annotations, "deployment.kubernetes.io/revision")
		labels[mesh.LabelNamespace] = bare
		fresh := map[string]any{"name": strings.ReplaceAll(object.GetName(), ":"+namespace+":", ":"+bare+":")}
		if object.GetNamespace() != "" {
			fresh["namespace"] = bare
		}
		object.Object["metadata"] = fresh
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
		for _, allocated := range []string{"clusterIP", "clusterIPs"} {
			unstructured.RemoveNestedField(object.Object, "spec", allocated)
		}
	}
	return children
}

// makeMesh makes the mesh and waits until it is Available.
func (c *cluster) makeMesh(b *testing.B) {
	b.Helper()
	nsm := newMesh()
	must(b, c.client.Create(b.Context(), nsm))
	c.until(b, func() bool {
		must(b, c.client.Get(b.Context(), client.ObjectKeyFromObject(nsm), nsm))
		return meta.IsStatusConditionTrue(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	})
}

// removeMesh deletes the mesh and waits until all of it is gone, pods included.
func (c *cluster) removeMesh(b *testing.B) {
	b.Helper()
	nsm := newMesh()
	must(b, gone(c.client.Delete(b.Context(), nsm)))
	c.until(b, func() bool {
		return apierrors.IsNotFound(c.client.Get(b.Context(), client.ObjectKeyFromObject(nsm), nsm)) && c.noPods(b, namespace)
	})
}

// removeBare deletes what the bare client wrote and waits until it is gone.
func (c *cluster) removeBare(b *testing.B, objects []*unstructured.Unstructured) {
	b.Helper()
	for _, object := range objects {
		must(b, gone(c.client.Delete(b.Context(), object.DeepCopy(), client.PropagationPolicy(metav1.DeletePropagationBackground))))
	}
	c.until(b, func() bool { return len(c.children(b, bare)) == 0 && c.noPods(b, bare) })
}

func (c *cluster) noPods(b *testing.B, namespace string) bool {
	b.Helper()
	var pods corev1.PodList
	must(b, c.client.List(b.Context(), &pods, client.InNamespace(namespace)))
	return len(pods.Items) == 0
}

// until looks at a condition until it holds.
func (c *cluster) until(b *testing.B, holds func() bool) {
	b.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatal("not within a minute")
		}
		<-time.After(20 * time.Millisecond)
	}
}

// measurePass is the time, and the memory, that the loop takes for a mesh on
// which there is nothing to do.
func (c *cluster) measurePass(b *testing.B) (each time.Duration, allocated uint64) {
	b.Helper()
	mgr, err := ctrl.NewManager(c.config, ctrl.Options{
		Scheme: c.client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: controllers.CacheOptions(), Client: controllers.ClientOptions(),
	})
	must(b, err)
	reconciler := &controllers.NSMReconciler{}
	must(b, reconciler.SetupWithManager(mgr))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	<-mgr.Elected()
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(newMesh())}
	_, err = reconciler.Reconcile(ctx, request)
	must(b, err)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for range passes {
		_, err := reconciler.Reconcile(ctx, request)
		must(b, err)
	}
	each = time.Since(begin) / passes
	runtime.ReadMemStats(&after)
	cancel()
	must(b, <-done)
	return each, (after.TotalAlloc - before.TotalAlloc) / passes
}
