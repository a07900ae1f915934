// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// CacheOptions limit the cache to NSMs and to objects with our label, so that
// memory does not grow with the cluster. The namespaces to look at have commas between them;
// none means all.
func CacheOptions(namespaces string) cache.Options {
	ours := labels.SelectorFromSet(labels.Set{mesh.LabelManagedBy: mesh.ManagedBy})
	options := cache.Options{
		DefaultTransform:     cache.TransformStripManagedFields(),
		DefaultLabelSelector: ours,
		ByObject: map[client.Object]cache.ByObject{
			&nsmv1beta1.NSM{}: {Label: labels.Everything()},
		},
	}
	// The operator may read Secrets of this one name, and no others.
	options.ByObject[&corev1.Secret{}] = cache.ByObject{
		Label: ours, Field: fields.OneTermEqualSelector("metadata.name", mesh.WebhookSecret),
	}
	options.ByObject[&corev1.Namespace{}] = namespaceCache()
	// Clients have theirs in namespaces that no NSM is looked for in.
	options.ByObject[&rbacv1.RoleBinding{}] = cache.ByObject{
		Label: ours, Namespaces: map[string]cache.Config{cache.AllNamespaces: {LabelSelector: ours}},
	}
	if namespaces != "" {
		options.DefaultNamespaces = map[string]cache.Config{}
		for namespace := range strings.SplitSeq(namespaces, ",") {
			options.DefaultNamespaces[strings.TrimSpace(namespace)] = cache.Config{}
		}
	}
	return options
}

// ClientOptions let the loop see all that it wrote, so that it never writes a
// thing twice. The client cannot do that over several namespaces.
func ClientOptions(cached cache.Options) client.Options {
	return client.Options{Cache: &client.CacheOptions{
		Unstructured:                    true, // the kinds of others' CRDs
		EnableReadYourWritesConsistency: ptr.To(len(cached.DefaultNamespaces) < 2),
	}}
}

// AddProbes makes the operator healthy when it runs, and ready when its webhooks
// serve and its caches of what meshes are made of are filled. NSMs themselves are
// left out: reading them may need the conversion that only a ready operator is
// asked for.
func AddProbes(mgr ctrl.Manager) error {
	var filled atomic.Bool
	return errors.Join(
		mgr.Add(everyReplica(func(ctx context.Context) error {
			for _, kind := range mesh.Kinds() {
				if _, err := mgr.GetCache().GetInformer(ctx, kind); err != nil {
					return err
				}
			}
			filled.Store(true)
			return nil
		})),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()),
		mgr.AddReadyzCheck("caches", func(*http.Request) error {
			if !filled.Load() {
				return errors.New("the caches are not filled yet")
			}
			return nil
		}),
	)
}

// everyReplica runs in replicas that do not lead, too.
type everyReplica manager.RunnableFunc

// Start implements manager.Runnable.
func (f everyReplica) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (everyReplica) NeedLeaderElection() bool { return false }
