// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package support

import (
	"context"
	"net/http"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	typedauthenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	typedauthorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/pager"
)

const (
	// pageSize keeps a page small in memory: pods take some ten KiB each.
	pageSize = 25
	// patience is how many requests in a row may get no answer before nobody is asked
	// any more.
	patience = 5
)

// api reads from the API server, and counts what it answers.
type api struct {
	limits  Limits
	objects dynamic.Interface
	core    typedcorev1.CoreV1Interface
	rights  typedauthorizationv1.AuthorizationV1Interface
	// identity tells who one is.
	identity typedauthenticationv1.AuthenticationV1Interface
	groups   *discovery.DiscoveryClient
	// served are the groups of the API, and mapper finds their resources.
	served []*restmapper.APIGroupResources
	mapper meta.RESTMapper

	answered atomic.Bool
	silent   atomic.Int32
	// giveUp ends all that goes on.
	giveUp context.CancelCauseFunc
}

func newAPI(config *rest.Config, limits Limits, giveUp context.CancelCauseFunc) (*api, error) {
	a := &api{limits: limits, giveUp: giveUp}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NoWarnings{}
	// Each request has a context that ends.
	config.Timeout = 0
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return roundTripper{api: a, next: next} })
	var err error
	if a.objects, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	if a.groups, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
		return nil, err
	}
	if a.rights, err = typedauthorizationv1.NewForConfig(config); err != nil {
		return nil, err
	}
	if a.identity, err = typedauthenticationv1.NewForConfig(config); err != nil {
		return nil, err
	}
	a.core, err = typedcorev1.NewForConfig(config)
	return a, err
}

// roundTripper notices when the API server does not answer any more.
type roundTripper struct {
	api  *api
	next http.RoundTripper
}

// RoundTrip sends a request.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	switch {
	case err == nil:
		r.api.silent.Store(0)
		if response.StatusCode < http.StatusBadRequest {
			r.api.answered.Store(true)
		}
	case r.api.silent.Add(1) >= patience:
		r.api.giveUp(errDead)
	}
	return response, err
}

// discover asks what the API server serves.
func (a *api) discover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.limits.Request)
	defer cancel()
	var err error
	if a.served, err = restmapper.GetAPIGroupResourcesWithContext(ctx, a.groups); err != nil {
		return err
	}
	a.mapper = restmapper.NewDiscoveryRESTMapper(a.served)
	return nil
}

// resource that serves a kind, in the version of the kind or else the preferred one;
// nil if there is none.
func (a *api) resource(kind schema.GroupVersionKind) *meta.RESTMapping {
	var versions []string
	if kind.Version != "" {
		versions = append(versions, kind.Version)
	}
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), versions...)
	if err != nil {
		return nil
	}
	return mapping
}

// versions of a kind that are served.
func (a *api) versions(kind schema.GroupKind) []string {
	var versions []string
	for _, group := range a.served {
		if group.Group.Name != kind.Group {
			continue
		}
		for _, version := range group.Group.Versions {
			if a.resource(kind.WithVersion(version.Version)) != nil {
				versions = append(versions, version.Version)
			}
		}
	}
	return versions
}

// list has one object after the other, of which few are in memory at a time.
func (a *api) list(ctx context.Context, of schema.GroupVersionResource, namespace string, options metav1.ListOptions, each func(*unstructured.Unstructured) error) error {
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		ctx, cancel := context.WithTimeout(ctx, a.limits.Request)
		defer cancel()
		return a.objects.Resource(of).Namespace(namespace).List(ctx, options)
	})
	pages.PageSize, pages.PageBufferSize, pages.FullListIfExpired = pageSize, 0, false
	return pages.EachListItem(ctx, options, func(object runtime.Object) error {
		item, isObject := object.(*unstructured.Unstructured)
		if !isObject {
			return nil
		}
		return each(item)
	})
}
