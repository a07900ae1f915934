// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/brake"
)

// Why this package and not github.com/open-policy-agent/cert-controller, which
// does the same for many. As of v0.15.0 it
//
//   - replaces the CA in one go: the new caBundle is written when the server
//     still serves what the old CA signed, and where several objects have a
//     caBundle, at another moment in each. Conversion fails meanwhile, and with
//     it every read of an NSM that is stored in the other version.
//   - has the server read the certificate from a volume of the Secret, where the
//     kubelet takes up to minutes to put it, or restarts the process.
//   - only updates a Secret: somebody else has to create it, empty.
//   - watches all Secrets of its namespace and all CRDs and webhook
//     configurations of the cluster, and asks for the permission to do so.
//   - keeps the CA's key, for ten years, in the Secret.
//   - runs in the manager, whose caches need conversion before they fill, so
//     that a second manager is needed to start the first.
//
// What is left of it, to sign a certificate, is a page of the standard library.

// Names of the objects that call the webhooks, as config/ has them.
const (
	crdName                     = "nsms.nsm.networkservicemesh.io"
	mutatingConfigurationName   = "nsm-operator-defaults"
	validatingConfigurationName = "nsm-operator-validation"
	secretName                  = "nsm-operator-webhook-cert"
	serviceName                 = "nsm-operator-service"
)

// Each object is known by its name; no others can be read or written. The
// MutatingWebhookConfiguration is not among these rules: NSM's own admission
// webhook needs the same and more of such objects of any name.
//
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=nsms.nsm.networkservicemesh.io,verbs=get;watch;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=nsm-operator-validation,verbs=get;watch;patch
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=secrets,resourceNames=nsm-operator-webhook-cert,verbs=get;watch;update

// Issuer looks after the serving certificate that all replicas of one operator
// share. Every replica runs one, whether it leads or not: they agree through the
// resource version of the Secret, and whoever loses reads what the other wrote.
type Issuer struct {
	// Config is the access to the API server.
	Config *rest.Config
	// Namespace of the operator, its Service and its Secret.
	Namespace string
	// URL under which the API server reaches the webhooks instead of the Service
	// nsm-operator-service, for an operator outside the cluster. Optional.
	URL string
	// Terms of the certificates. Without them: DefaultTerms.
	Terms Terms
	// Clock tells the time. Without it: the system's.
	Clock clock.WithTicker

	client client.WithWatch
	names  []string
	// brake keeps it from fighting about an object, by its name.
	brake *brake.Brake[string]
	// intents are what was written into the objects last, by their names.
	intents map[string]string
	// last is what this replica knows of the Secret, settling since when.
	last    state
	version string
	since   time.Time

	serving atomic.Pointer[tls.Certificate]
}

// IsMounted tells whether somebody else, OLM, mounted a serving certificate:
// then it is theirs to renew it, and to tell the API server.
func IsMounted(directory string) bool {
	_, err := os.Stat(filepath.Join(directory, corev1.TLSCertKey))
	return err == nil
}

// Ensure is Issuer.Ensure on default terms.
func Ensure(ctx context.Context, config *rest.Config, namespace, url string) (func(*tls.Config), error) {
	return (&Issuer{Config: config, Namespace: namespace, URL: url}).Ensure(ctx)
}

// Ensure finds or issues the serving certificate, and returns when the API
// server has been told to trust it: whoever starts to listen then can be called.
// What it returns makes a server use the certificate. Until the context ends
// that is renewed in time, and what the API server was told is told again
// whenever somebody overwrites it.
func (i *Issuer) Ensure(ctx context.Context) (func(*tls.Config), error) {
	if err := i.complete(); err != nil {
		return nil, err
	}
	wakeAt, err := i.pass(ctx)
	for apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		wakeAt, err = i.pass(ctx)
	}
	if err != nil {
		return nil, err
	}
	go i.keep(ctx, wakeAt)
	return func(config *tls.Config) {
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return i.serving.Load(), nil }
	}, nil
}

// complete fills in what was left out.
func (i *Issuer) complete() error {
	if i.Terms == (Terms{}) {
		i.Terms = DefaultTerms()
	}
	if i.Clock == nil {
		i.Clock = clock.RealClock{}
	}
	if i.brake == nil {
		i.brake, i.intents = brake.New[string](i.Clock), map[string]string{}
	}
	var err error
	if i.names, err = i.serverNames(); err != nil || i.client != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		return err
	}
	// No cache: it is used before the manager's start, and is about four objects.
	i.client, err = client.NewWithWatch(i.Config, client.Options{Scheme: scheme})
	return err
}

// serverNames are the names by which the API server will call the server.
func (i *Issuer) serverNames() ([]string, error) {
	if i.URL == "" {
		host := serviceName + "." + i.Namespace + ".svc"
		return []string{host, host + ".cluster.local"}, nil
	}
	parsed, err := url.Parse(i.URL)
	if err != nil {
		return nil, err
	}
	if parsed.Scheme != "https" || parsed.Hostname() == "" {
		return nil, fmt.Errorf("webhook URL %q: must be https://host:port", i.URL)
	}
	return []string{parsed.Hostname()}, nil
}

// pass brings everything up to date, and returns when to look again. A conflict
// means that another replica was faster.
func (i *Issuer) pass(ctx context.Context) (time.Time, error) {
	current, version, err := i.agree(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("secret %s/%s: %w", i.Namespace, secretName, err)
	}
	// First the API server trusts, then the certificate is served.
	told, again, err := i.inject(ctx, current.serving.CA)
	if told || version != i.version {
		i.since = i.Clock.Now()
	}
	if err != nil {
		return time.Time{}, err
	}
	certificate, err := current.serving.keyPair()
	if err != nil {
		return time.Time{}, err
	}
	i.serving.Store(certificate)
	i.last, i.version = current, version
	return earlier(i.wakeAt(), again), nil
}

// agree reads the state from the Secret, and takes the step that is due.
func (i *Issuer) agree(ctx context.Context) (state, string, error) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName, Namespace: i.Namespace}}
	err := i.client.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	if client.IgnoreNotFound(err) != nil {
		return state{}, "", err
	}
	exists := err == nil
	current := i.last
	if exists {
		current = stateOf(secret.Data)
	}
	now := i.Clock.Now()
	next, taken, err := i.Terms.advance(current, situation{
		names: i.names, now: now,
		settled: exists && secret.ResourceVersion == i.version && !now.Before(i.since.Add(i.Terms.Settle)),
		// Who deletes the Secret wants another certificate, and not an outage.
		renew: !exists,
	})
	if err != nil || exists && taken == stay {
		return next, secret.ResourceVersion, err
	}
	secret.Type, secret.Data = corev1.SecretTypeTLS, next.data()
	if exists {
		err = i.client.Update(ctx, secret)
	} else {
		err = i.client.Create(ctx, secret)
	}
	if err == nil {
		ctrl.Log.WithName("certs").Info("Wrote the webhooks' certificate", "step", string(taken), "names", i.names)
	}
	return next, secret.ResourceVersion, err
}

// wakeAt is when the next step is due.
func (i *Issuer) wakeAt() time.Time {
	if i.last.isUnderway() {
		return i.since.Add(i.Terms.Settle)
	}
	at, err := i.Terms.renewAt(&i.last.serving)
	if err != nil {
		return i.Clock.Now()
	}
	return at
}
