// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/health"
)

// fieldOwner is kubectl's, so that what kubectl has applied and what is applied here
// never conflict with each other.
const fieldOwner = client.FieldOwner("kubectl")

// Cluster is the one of the current kubeconfig.
type Cluster struct {
	client.Client
	// Config that leads to it.
	Config    *rest.Config
	discovery discovery.DiscoveryInterface
	timeout   time.Duration
	version   *version.Info
}

// Connect finds out whether the cluster is there.
func Connect(s *Settings) (*Cluster, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster: %w", err)
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{} // one request at a time is slow enough
	asking := rest.CopyConfig(config)
	asking.Timeout = 10 * time.Second
	c := &Cluster{Config: config, timeout: s.Timeout}
	if c.discovery, err = discovery.NewDiscoveryClientForConfig(asking); err != nil {
		return nil, err
	}
	if c.version, err = c.discovery.ServerVersion(); err != nil {
		return nil, fmt.Errorf("the cluster at %s does not answer: %w", config.Host, err)
	}
	// A cluster that takes requests and never answers must not hold anything up. Config has
	// no such limit: what runs in a pod by it may take long.
	limited := rest.CopyConfig(config)
	limited.Timeout = min(time.Minute, s.Timeout)
	c.Client, err = client.New(limited, client.Options{Scheme: clientgoscheme.Scheme})
	return c, err
}

// counts are what applying objects has come to.
type counts struct{ created, changed, same int }

func (c counts) String() string {
	return fmt.Sprintf("%d created, %d changed, %d as they were", c.created, c.changed, c.same)
}

// apply applies objects one after the other, and counts what that changes.
func (c *Cluster) apply(ctx context.Context, total *counts, all objects) error {
	for _, object := range all {
		before, err := c.resourceVersion(ctx, object)
		if err != nil {
			return err
		}
		answer := object.DeepCopy()
		options := []client.ApplyOption{fieldOwner}
		if object.GetKind() == kindDefinition {
			// The definitions are the operator's, whoever has applied them before; of all
			// else, what somebody has changed is not overwritten without a word.
			options = append(options, client.ForceOwnership)
		}
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(answer), options...); err != nil {
			return fmt.Errorf("%s: %w", nameOf(object), err)
		}
		switch before {
		case "":
			total.created++
		case answer.GetResourceVersion():
			total.same++
		default:
			total.changed++
		}
	}
	return nil
}

// resourceVersion of what is there; "" for nothing.
func (c *Cluster) resourceVersion(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	there, err := c.find(ctx, object.GroupVersionKind(), object.GetNamespace(), object.GetName())
	if there == nil || err != nil {
		return "", err
	}
	return there.GetResourceVersion(), nil
}

// find reads an object; nil where there is none, or no such kind.
func (c *Cluster) find(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind.Kind, name, err)
	}
	return object, nil
}

// list reads objects; none where there is no such kind.
func (c *Cluster) list(ctx context.Context, kind schema.GroupVersionKind, options ...client.ListOption) ([]unstructured.Unstructured, error) {
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(kind)
	err := c.List(ctx, all, options...)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return all.Items, nil
}

// isAbsent reports whether an error says that there is no such object or kind.
func isAbsent(err error) bool {
	return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || discovery.IsGroupDiscoveryFailedError(err)
}

// Within is the same cluster with another limit of what is waited for.
func (c *Cluster) Within(timeout time.Duration) *Cluster {
	other := *c
	other.timeout = timeout
	return &other
}

// Await asks again and again until there is nothing left to wait for, says what it
// waits for whenever that changes, and gives up after the timeout.
func (c *Cluster) Await(ctx context.Context, what string, waitsFor func(context.Context) (string, error)) error {
	begin, last := time.Now(), ""
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, c.timeout, true, func(ctx context.Context) (bool, error) {
		now, err := waitsFor(ctx)
		if ctx.Err() != nil {
			return false, ctx.Err() // what it said last counts
		}
		if err != nil {
			now = err.Error()
		}
		if now != "" && now != last {
			fmt.Printf("  waiting for %s: %s\n", what, now)
			last = now
		}
		return now == "", nil
	})
	if err == nil {
		fmt.Printf("%s: ready after %s\n", what, time.Since(begin).Round(100*time.Millisecond))
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wait.Interrupted(err) {
		return fmt.Errorf("%s: not ready after %s: %s%s", what, c.timeout, last, c.unreached(ctx, last))
	}
	return err
}

// unreached says what to look at where the API server does not reach a webhook; "" where
// that is not what it says.
func (c *Cluster) unreached(ctx context.Context, said string) string {
	webhook := health.UnreachedOf(said)
	if webhook == nil {
		return ""
	}
	var found discoveryv1.EndpointSliceList
	if err := c.List(ctx, &found, client.InNamespace(webhook.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: webhook.Name}); err == nil {
		webhook.Ports = health.PortsOf(found.Items)
	}
	return ".\n" + webhook.Advice()
}

// Remove asks for objects to be deleted, and waits until they are gone or the timeout
// is over. What is left then is said with what holds it.
func (c *Cluster) Remove(ctx context.Context, what string, all objects) error {
	begin := time.Now()
	var refused []error
	there := 0
	for _, object := range all {
		var options []client.DeleteOption
		switch object.GetKind() {
		case "Deployment", "StatefulSet", "DaemonSet":
			// Its pods go before it does.
			options = append(options, client.PropagationPolicy(metav1.DeletePropagationForeground))
		}
		err := c.Delete(ctx, object, options...)
		switch {
		case err == nil:
			there++
		case !isAbsent(err):
			refused = append(refused, fmt.Errorf("%s: %w", nameOf(object), err))
		}
	}
	if err := errors.Join(refused...); err != nil || there == 0 {
		return err
	}
	var left []string
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, c.timeout, true, func(ctx context.Context) (bool, error) {
		var now []string
		for _, object := range all {
			there, err := c.find(ctx, object.GroupVersionKind(), object.GetNamespace(), object.GetName())
			if ctx.Err() != nil {
				return false, ctx.Err() // the last whole look counts
			}
			switch {
			case err != nil:
				now = append(now, nameOf(object)+": "+err.Error())
			case there != nil:
				now = append(now, nameOf(there)+holds(there))
			}
		}
		left = now
		return len(left) == 0, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return &leftError{what: what, after: c.timeout, left: left}
	}
	if err == nil {
		fmt.Printf("%s: gone after %s\n", what, time.Since(begin).Round(100*time.Millisecond))
	}
	return err
}

// leftError says what was not gone in time.
type leftError struct {
	what  string
	after time.Duration
	left  []string
}

func (e *leftError) Error() string {
	return fmt.Sprintf("%s: not gone after %s:\n  %s", e.what, e.after, strings.Join(e.left, "\n  "))
}

// holds says what keeps an object that is being deleted.
func holds(object *unstructured.Unstructured) string {
	var reasons []string
	if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
		reasons = append(reasons, "its finalizers: "+strings.Join(finalizers, ", "))
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		condition, _ := condition.(map[string]any)
		// Those of a namespace that is going.
		switch condition["type"] {
		case "NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure", "NamespaceDeletionDiscoveryFailure":
			if condition["status"] == string(corev1.ConditionTrue) {
				reasons = append(reasons, fmt.Sprint(condition["message"]))
			}
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	return " (" + strings.Join(reasons, "; ") + ")"
}

// nameOf an object, as kubectl would have it.
func nameOf(object client.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if object.GetNamespace() == "" {
		return kind + " " + object.GetName()
	}
	return kind + " " + object.GetNamespace() + "/" + object.GetName()
}
