// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// requestTimeout is how long one request may take, unless --request-timeout says so.
const requestTimeout = 15 * time.Second

// cluster is what the flags lead to. What may not be read, or is not served, counts as
// not seen: the rest is shown all the same.
type cluster struct {
	client.WithWatch
	config *rest.Config
	// asks what the cluster serves.
	asks *discovery.DiscoveryClient
	// namespace that is asked about; "" for all.
	namespace string
	// notSeen are the parts that could not be read, and why.
	notSeen []string
	// showsPart: what was seen until the time was over is shown; late is what was not seen.
	showsPart bool
	late      error
	// versions of the NSMs that were read last.
	versions map[types.NamespacedName]string
	// unknown are the fields of these NSMs that no version of them known here has.
	unknown map[types.NamespacedName][]report.UnknownField
	// operators that were read; nil where nobody has asked.
	operators *report.Operators
	// lastLines of containers that crash, by run, as read the last time.
	lastLines map[string][]string
	clock     *serverClock
}

// connect finds the cluster of the flags. It sends no request yet. The context ends what
// is asked of discovery, whose calls have none of their own.
func (o *options) connect(ctx context.Context) (*cluster, error) {
	config, err := o.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster: %w; --kubeconfig and --context choose one", err)
	}
	namespace, _, err := o.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	c := &cluster{config: rest.CopyConfig(config), namespace: namespace, clock: &serverClock{}}
	c.forget()
	c.config.WarningHandler = rest.NoWarnings{}
	// As kubectl: the API server's own fairness is enough.
	c.config.QPS, c.config.Burst = 50, 300
	c.config.Wrap(c.clock.wrap)
	if c.config.Timeout == 0 {
		c.config.Timeout = requestTimeout
	}
	until := rest.CopyConfig(c.config)
	until.Wrap(endsWith(ctx))
	connection, err := rest.HTTPClientFor(until)
	if err != nil {
		return nil, err
	}
	if c.asks, err = discovery.NewDiscoveryClientForConfigAndClient(until, connection); err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(until, connection)
	if err != nil {
		return nil, err
	}
	c.WithWatch, err = client.NewWithWatch(c.config, client.Options{Scheme: newScheme(), Mapper: mapper})
	return c, err
}

// endsWith ends requests when a context does.
func endsWith(ctx context.Context) transport.WrapperFunc {
	return func(next http.RoundTripper) http.RoundTripper {
		return &roundTripper{next, func(request *http.Request) (*http.Response, error) {
			until, end := context.WithCancelCause(request.Context())
			// Not when this returns: the body is read later.
			context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
			return next.RoundTrip(request.WithContext(until)) //nolint:contextcheck // it is the request's own, which now ends with the other as well
		}}
	}
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(nsmv1beta1.AddToScheme(scheme))
	return scheme
}

// see lists objects, as far as they may be read.
func (c *cluster) see(ctx context.Context, list client.ObjectList, what string, options ...client.ListOption) error {
	return c.unlessHidden(c.List(ctx, list, options...), "list "+what)
}

// unlessHidden notes what an error says is not to be seen, and returns every other one.
func (c *cluster) unlessHidden(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		c.notSeen = append(c.notSeen, what+": forbidden")
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		c.notSeen = append(c.notSeen, what+": not there")
	case errors.Is(err, context.DeadlineExceeded) && c.showsPart:
		c.notSeen = append(c.notSeen, what+": no answer in time")
		c.late = cmp.Or(c.late, c.explain(err, what))
	default:
		return c.explain(err, what)
	}
	return nil
}

// verdict is what a command ends with that has printed its answer.
func (c *cluster) verdict(isFine bool) error {
	switch {
	case c.late != nil:
		return incomplete{c.late}
	case !isFine:
		return errFinding
	default:
		return nil
	}
}

// explain tells what to do about an error of the API server, or on the way to it.
func (c *cluster) explain(err error, what string) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w; ask for the right to do so, or choose a namespace with -n", what, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the cluster at %s does not know you: log in again", what, c.config.Host)
	case isOfServer(err), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer of the cluster at %s in time: --timeout and --request-timeout give it longer", what, c.config.Host)
	default:
		return fmt.Errorf("%s: the cluster at %s gives no answer: %w", what, c.config.Host, err)
	}
}

// isOfServer reports whether an error is the API server's own.
func isOfServer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// serverClock is the API server's clock, as its answers tell it: that of this machine
// may be another one.
type serverClock struct {
	mutex sync.Mutex
	// ahead is how far the server's clock is ahead of this one.
	ahead time.Duration
}

func (s *serverClock) wrap(next http.RoundTripper) http.RoundTripper {
	return &roundTripper{next, func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return response, err
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			s.mutex.Lock()
			s.ahead = time.Until(date)
			s.mutex.Unlock()
		}
		return response, nil
	}}
}

// now is the time on the API server.
func (s *serverClock) now() time.Time { return time.Now().Add(s.aheadBy()) }

func (s *serverClock) aheadBy() time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.ahead
}

// roundTripper does something around another one.
type roundTripper struct {
	next http.RoundTripper
	do   func(*http.Request) (*http.Response, error)
}

func (r *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r.do(request) }

// WrappedRoundTripper is where client-go looks for who can cancel a request.
func (r *roundTripper) WrappedRoundTripper() http.RoundTripper { return r.next }

// unlessHiddenOnce is unlessHidden where the same is asked again and again.
func (c *cluster) unlessHiddenOnce(err error, what string) error {
	before := len(c.notSeen)
	err = c.unlessHidden(err, what)
	if len(c.notSeen) > before && slices.Contains(c.notSeen[:before], c.notSeen[before]) {
		c.notSeen = c.notSeen[:before]
	}
	return err
}

// typed is an object of a kind of Kubernetes' own in its Go type, and any other as it is.
func (c *cluster) typed(object *unstructured.Unstructured, kind schema.GroupVersionKind) (mesh.Object, error) {
	if !c.Scheme().Recognizes(kind) {
		return object, nil
	}
	empty, err := c.Scheme().New(kind)
	if err != nil {
		return nil, err
	}
	into, isObject := empty.(mesh.Object)
	if !isObject {
		return object, nil
	}
	return into, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)
}
