// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/networkservicemesh/nsm-operator/internal/backoff"
)

// LeaseName is the Lease of every installation's leader, in its own namespace.
const LeaseName = "nsm-operator"

const (
	// crdName is the definition of NSMs.
	crdName = "nsms.nsm.networkservicemesh.io"
	// serviceName is the Service of every installation's webhooks.
	serviceName = "nsm-operator-service"
	fieldOwner  = client.FieldOwner("nsm-operator")

	// defaultPatience is how long another installation may show no sign of life
	// before it counts as gone: longer than a restart and a change of the leader.
	defaultPatience = time.Minute
	// defaultInterval between two looks at another installation.
	defaultInterval = 5 * time.Second
)

// The other installation may be in any namespace; its Lease has this name. Services
// the loop may get anyway.
//
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=nsms.nsm.networkservicemesh.io,verbs=get;watch;update
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=nsm-operator,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get

// Installation is this one. All of its replicas share one place.
type Installation struct {
	Member
	// Config is the access to the API server.
	Config *rest.Config
	// ProbeAddress is where /healthz and /readyz are served while it stands by; ""
	// or 0 for nowhere.
	ProbeAddress string
	// Patience with another installation that shows no sign of life. Without it: a
	// minute.
	Patience time.Duration
	// Interval between two looks at another installation. Without it: 5 seconds.
	Interval time.Duration

	client  client.WithWatch
	clock   clock.PassiveClock
	backoff *backoff.Backoff[string]
	// signs of life of others, by their namespace.
	signs map[string]sign
	// version of the CRD that the place was found by.
	version string
	// entered: it has a place. What the list says of it from then on is the word of
	// the replica that came last, which may have other flags, and is left alone.
	entered bool
	// behind is whom it stands by for.
	behind atomic.Pointer[Member]
}

// sign of life: what changes while an installation lives, and since when it has not.
type sign struct {
	text  string
	since time.Time
}

// Enter waits until the installation may work, and returns its place. Until then it
// is healthy and not ready, and says which other one it has met.
func (i *Installation) Enter(ctx context.Context) (Place, error) {
	if err := i.complete(); err != nil {
		return Place{}, err
	}
	place, err := i.look(ctx)
	if err != nil {
		return place, err
	}
	if place.Behind == nil {
		i.entered = true
		return place, nil
	}
	i.standBy(place.Behind)
	stop, err := i.serveProbes(ctx)
	if err != nil {
		return Place{}, err
	}
	defer stop()
	ticker := time.NewTicker(i.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return Place{}, ctx.Err()
		case <-ticker.C:
		}
		if place, err = i.look(ctx); err != nil {
			ctrl.Log.WithName("installation").Error(err, "Cannot tell whether the other installation is still there")
			continue
		}
		if place.Behind == nil {
			ctrl.Log.WithName("installation").Info("The other installation is gone; taking over", "other", i.behind.Load().Namespace)
			i.entered = true
			return place, nil
		}
		i.standBy(place.Behind)
	}
}

// standBy notes, and says once, whom it stands by for.
func (i *Installation) standBy(other *Member) {
	if before := i.behind.Swap(other); before == nil || before.Namespace != other.Namespace {
		ctrl.Log.WithName("installation").Info(standingBy(other))
	}
}

func standingBy(other *Member) string {
	return fmt.Sprintf("Another installation of the operator works in this cluster, in namespace %[1]s (Service %[1]s/%[2]s, Lease %[1]s/%[3]s); "+
		"this one stands by until that one is gone. Remove one of the two, or restrict both to different namespaces with --watch-namespaces",
		other.Namespace, serviceName, LeaseName)
}

// Keep watches over the place until the context ends. It returns an error when the
// place is another one: whoever runs the operator starts it anew then.
func (i *Installation) Keep(ctx context.Context, place Place) error {
	for {
		now, err := i.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // what fails at the end is no failure
		case err != nil:
			ctrl.Log.WithName("installation").Error(err, "Cannot tell whether another installation has taken over")
		case now.Behind != nil:
			return errors.New(standingBy(now.Behind))
		case now.Serves && !place.Serves:
			return errors.New("this installation has to serve the webhooks from now on: the one that did is gone")
		case place.Serves && !now.Serves:
			return errors.New("another installation serves the webhooks from now on: it has found no sign of life of this one")
		}
		i.wait(ctx, place)
	}
}

// wait until the CRD changes; and no longer than the interval where the place
// depends on another installation, or than the backoff holds what is to be noted.
func (i *Installation) wait(ctx context.Context, place Place) {
	isBounded, longest := i.backoff.Contested(crdName)
	if !place.Serves {
		isBounded, longest = true, i.Interval
	}
	if isBounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, longest)
		defer cancel()
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	changes, err := i.client.Watch(ctx, list, client.MatchingFields{"metadata.name": crdName})
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(i.Interval):
		}
		return
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-changes.ResultChan():
			// The first is the CRD as it is, which may be as it was read. An error is no
			// CRD, nor is the end of the watch.
			if crd, isCRD := event.Object.(client.Object); !isCRD || crd.GetResourceVersion() != i.version {
				return
			}
		}
	}
}

// look finds the place, and notes in the CRD what has changed.
func (i *Installation) look(ctx context.Context) (Place, error) {
	var place Place
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		// It is written as a whole: a type of ours would drop a field that only a newer
		// Kubernetes knows.
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		if err := i.client.Get(ctx, client.ObjectKey{Name: crdName}, crd); err != nil {
			return fmt.Errorf("%s: is the operator installed completely? %w", crdName, err)
		}
		members := membersOf(crd)
		signs := i.read(ctx, members, serviceOf(crd))
		var wanted []Member
		place, wanted = placeOf(i.Member, members, func(m Member) bool { return i.isAlive(m, signs[m.Namespace]) })
		if i.entered {
			keepOwn(wanted, members, i.Namespace)
		}
		return i.note(ctx, crd, wanted)
	})
	return place, err
}

// note writes the list into the CRD, where it differs.
func (i *Installation) note(ctx context.Context, crd *unstructured.Unstructured, wanted []Member) error {
	text, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	i.version = crd.GetResourceVersion()
	annotations := crd.GetAnnotations()
	if annotations[Annotation] == string(text) || i.backoff.Holds(crdName, string(text)) {
		return nil
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[Annotation] = string(text)
	crd.SetAnnotations(annotations)
	if err := i.client.Update(ctx, crd, fieldOwner); err != nil {
		return err
	}
	i.backoff.Wrote(crdName, string(text))
	i.version = crd.GetResourceVersion()
	return nil
}

// The signs of an installation that needs no patience, and of one of which nothing
// is known.
const (
	gone    = "gone"
	unknown = "unknown"
)

// read the signs of life of all others.
func (i *Installation) read(ctx context.Context, members []Member, serving *apiextensionsv1.ServiceReference) map[string]string {
	signs := map[string]string{}
	for _, member := range members {
		if member.Namespace == i.Namespace {
			continue
		}
		text, err := i.readOne(ctx, member.Namespace, serving)
		if err != nil {
			// Whoever cannot be seen is not taken for dead.
			ctrl.Log.WithName("installation").Error(err, "Cannot see another installation", "namespace", member.Namespace)
			text = unknown
		}
		signs[member.Namespace] = text
	}
	return signs
}

// readOne reads what changes while an installation lives: the renewals of its
// leader's Lease, as long as its namespace, and the Service that it serves at, are
// there.
func (i *Installation) readOne(ctx context.Context, namespace string, serving *apiextensionsv1.ServiceReference) (string, error) {
	of := &corev1.Namespace{}
	if err := i.client.Get(ctx, client.ObjectKey{Name: namespace}, of); apierrors.IsNotFound(err) || err == nil && of.DeletionTimestamp != nil {
		return gone, nil
	} else if err != nil {
		return "", err
	}
	if serving != nil && serving.Namespace == namespace {
		service := &corev1.Service{}
		if err := i.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: serviceName}, service); err != nil {
			return "", client.IgnoreNotFound(err)
		}
	}
	lease := &coordinationv1.Lease{}
	if err := i.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: LeaseName}, lease); err != nil {
		return "", client.IgnoreNotFound(err)
	}
	return lease.ResourceVersion, nil
}

// isAlive reports whether an installation has shown a sign of life lately. Only what
// changes counts, by this process' own clock.
func (i *Installation) isAlive(other Member, text string) bool {
	now := i.clock.Now()
	last, isKnown := i.signs[other.Namespace]
	if !isKnown || last.text != text || text == unknown {
		last = sign{text: text, since: now}
		i.signs[other.Namespace] = last
	}
	return text != gone && now.Sub(last.since) < i.Patience
}

func (i *Installation) complete() error {
	if i.Patience == 0 {
		i.Patience = defaultPatience
	}
	if i.Interval == 0 {
		i.Interval = defaultInterval
	}
	if i.clock == nil {
		i.clock = clock.RealClock{}
	}
	i.backoff, i.signs = backoff.New[string](i.clock), map[string]sign{}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apiextensionsv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	i.client, err = client.NewWithWatch(i.Config, client.Options{Scheme: scheme})
	return err
}

// serveProbes answers the kubelet while the operator stands by, and returns what
// ends that.
func (i *Installation) serveProbes(ctx context.Context) (stop func(), err error) {
	if i.ProbeAddress == "" || i.ProbeAddress == "0" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", i.ProbeAddress)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/healthz", healthz.CheckHandler{Checker: healthz.Ping})
	mux.Handle("/readyz", healthz.CheckHandler{Checker: func(*http.Request) error {
		return errors.New(standingBy(i.behind.Load()))
	}})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: i.Interval}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }, nil
}
