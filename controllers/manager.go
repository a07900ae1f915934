// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// CacheOptions limit the cache to NSMs and to objects with our label, so that
// memory does not grow with the cluster. It is of all namespaces, also where the
// loop acts on NSMs of some only: whether two meshes conflict depends on all, and
// the client reads its own writes from such a cache only.
func CacheOptions() cache.Options {
	ours := labels.SelectorFromSet(labels.Set{mesh.LabelManagedBy: mesh.ManagedBy})
	options := cache.Options{
		DefaultTransform:     withoutStrangers,
		DefaultLabelSelector: ours,
		NewInformer:          newInformer,
		ByObject: map[client.Object]cache.ByObject{
			&nsmv1beta1.NSM{}: {Label: labels.Everything(), Transform: abridge},
		},
	}
	// A ConfigMap holds up to a MiB, and anybody can label one.
	options.ByObject[&corev1.ConfigMap{}] = cache.ByObject{
		Label: ours, Field: fields.OneTermEqualSelector("metadata.name", mesh.ClusterInfoConfigMap),
	}
	// The operator may read Secrets of this one name, and no others.
	options.ByObject[&corev1.Secret{}] = cache.ByObject{
		Label: ours, Field: fields.OneTermEqualSelector("metadata.name", mesh.WebhookSecret),
	}
	options.ByObject[&corev1.Namespace{}] = namespaceCache()
	return options
}

// namespaceCache holds what is asked of namespaces, for all of them: the names
// and the labels.
func namespaceCache() cache.ByObject {
	return cache.ByObject{
		Label: labels.Everything(),
		Transform: func(object any) (any, error) {
			if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
				namespace.ManagedFields, namespace.Annotations = nil, nil
			}
			return object, nil
		},
	}
}

// withoutStrangers keeps, of what has the operator's label and stands where no mesh
// has anything, no more than what it is known by: whoever may make objects in a
// namespace can make many such, and large ones.
func withoutStrangers(cached any) (any, error) {
	object, isObject := cached.(client.Object)
	if !isObject {
		return cached, nil
	}
	if _, isPlaced := mesh.OwnerOf(object); isPlaced {
		object.SetManagedFields(nil)
		return object, nil
	}
	bare, ok := reflect.TypeAssert[client.Object](reflect.New(reflect.TypeOf(object).Elem()))
	if !ok {
		return cached, nil
	}
	bare.GetObjectKind().SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
	bare.SetNamespace(object.GetNamespace())
	bare.SetName(object.GetName())
	bare.SetUID(object.GetUID())
	bare.SetResourceVersion(object.GetResourceVersion())
	bare.SetLabels(object.GetLabels())
	bare.SetDeletionTimestamp(object.GetDeletionTimestamp())
	return bare, nil
}

// ClientOptions let the loop see all that it wrote, so that it never writes a
// thing twice.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{
		Unstructured:                    true, // the kinds of others' CRDs
		EnableReadYourWritesConsistency: ptr.To(true),
	}}
}

// Mapper is the manager's. It knows NSMs without asking the API server: on the way from
// the earlier operator their version is served only once this operator can convert.
func Mapper(config *restclient.Config, client *http.Client) (meta.RESTMapper, error) {
	others, err := apiutil.NewDynamicRESTMapper(config, client)
	return nsmMapper{others}, err
}

type nsmMapper struct{ meta.RESTMapper }

// RESTMapping implements meta.RESTMapper.
func (m nsmMapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	nsm := nsmv1beta1.GroupVersion.WithKind("NSM")
	if kind != nsm.GroupKind() || !slices.Equal(versions, []string{nsm.Version}) {
		return m.RESTMapper.RESTMapping(kind, versions...)
	}
	return &meta.RESTMapping{Resource: nsmv1beta1.GroupVersion.WithResource("nsms"), GroupVersionKind: nsm, Scope: meta.RESTScopeNamespace}, nil
}

// ParseNamespaces reads the names of namespaces with commas between them; none
// means all.
func ParseNamespaces(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	namespaces := strings.Split(text, ",")
	for i, namespace := range namespaces {
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			return nil, fmt.Errorf("%q: entry %d, %q, is not the name of a namespace: %s; separate names by commas, without spaces",
				text, i+1, namespace, strings.Join(problems, "; "))
		}
		if slices.Contains(namespaces[:i], namespace) {
			return nil, fmt.Errorf("%q: %q is listed twice", text, namespace)
		}
	}
	return namespaces, nil
}

// AddProbes makes the operator healthy when it runs, and ready when its webhooks,
// if it has any, serve and its caches of what meshes are made of are filled. NSMs
// themselves are left out: reading them may need the conversion that only a ready
// operator is asked for. onReady is called once it is, if it serves webhooks.
func AddProbes(mgr ctrl.Manager, servesWebhooks bool, onReady func(context.Context)) error {
	var filled atomic.Bool
	var errs []error
	if servesWebhooks {
		errs = append(errs, mgr.AddReadyzCheck("webhooks", mgr.GetWebhookServer().StartedChecker()))
	}
	return errors.Join(append(errs,
		mgr.Add(EveryReplica(func(ctx context.Context) error {
			for _, kind := range mesh.Kinds() {
				if !awaitCache(ctx, mgr.GetCache(), kind) {
					return nil // the process ends
				}
			}
			filled.Store(true)
			if servesWebhooks {
				onReady(ctx)
			}
			return nil
		})),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("caches", func(*http.Request) error {
			if !filled.Load() {
				return errors.New("the caches are not filled yet")
			}
			return nil
		}),
	)...)
}

// awaitCache waits until the cache of a kind is filled, whatever the API server answers
// meanwhile. It returns false when the context ends.
func awaitCache(ctx context.Context, from cache.Cache, kind mesh.Object) bool {
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := from.GetInformer(ctx, kind)
		if err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Filling a cache", "kind", fmt.Sprintf("%T", kind))
		}
		return err == nil, nil
	}) == nil
}

// EveryReplica runs in replicas that do not lead, too.
type EveryReplica manager.RunnableFunc

// Start implements manager.Runnable.
func (f EveryReplica) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (EveryReplica) NeedLeaderElection() bool { return false }
