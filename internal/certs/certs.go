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
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/networkservicemesh/nsm-operator/internal/backoff"
	"github.com/networkservicemesh/nsm-operator/internal/metrics"
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

// Names of what the API server calls the webhooks by, as config/ has them.
const (
	crdName                     = "nsms.nsm.networkservicemesh.io"
	mutatingConfigurationName   = "nsm-operator-defaults"
	validatingConfigurationName = "nsm-operator-validation"
	secretName                  = "nsm-operator-webhook-cert"
	serviceName                 = "nsm-operator-service"
)

// Each object is known by its name; no others can be read or written. The
// MutatingWebhookConfiguration is not among these rules: NSM's own admission
// webhook needs the same and more of such objects of any name. Nor is the list of
// ClusterRoleBindings, which the loop needs. The CRD is updated and not patched: OLM's
// tools take patch for the right to create kinds, which the operator does not have.
//
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=nsms.nsm.networkservicemesh.io,verbs=get;watch;update
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=secrets,resourceNames=nsm-operator-webhook-cert,verbs=get;watch;update;delete

// Issuer looks after the serving certificate that all replicas of one operator
// share, and after all that tells the API server how to call them. Every replica
// runs one, whether it leads or not: they agree through the resource version of
// the Secret, and whoever loses reads what the other wrote.
type Issuer struct {
	// Config is the access to the API server.
	Config *rest.Config
	// Namespace of the operator, its Service and its Secret.
	Namespace string
	// URL under which the API server reaches the webhooks instead of the Service
	// nsm-operator-service, for an operator outside the cluster. Optional.
	URL string
	// Annotation of the CRD, by its key, that others than the operator must not lose
	// when they write that. Optional.
	Annotation string
	// Terms of the certificates. Without them: DefaultTerms.
	Terms Terms
	// Clock tells the time. Without it: the system's.
	Clock clock.WithTicker

	client client.WithWatch
	names  []string
	// mutating and validating are the webhook configurations that are built in.
	mutating   *admissionregistrationv1.MutatingWebhookConfiguration
	validating *admissionregistrationv1.ValidatingWebhookConfiguration
	// owners of the configurations and the Secret, as they were read last; nil before.
	owners []metav1.OwnerReference
	// leads: this replica decides what is in the configurations.
	leads atomic.Bool
	// callable: this replica has been ready for long enough for API servers to call it.
	callable atomic.Bool
	// waits: the CRD stores and serves the older version alone, as the bundle that follows
	// the earlier operator has it, and is left so until this replica is callable.
	waits bool
	// changed wakes it.
	changed chan struct{}
	// backoff keeps it from fighting about an object, by its name.
	backoff *backoff.Backoff[string]
	// intents are what was written into the objects last, by their names.
	intents map[string]string
	// last is what this replica knows of the Secret, settling since when.
	last    state
	version string
	since   time.Time

	serving atomic.Pointer[tls.Certificate]
	// conversion is what was written into the CRD last.
	conversion atomic.Pointer[apiextensionsv1.CustomResourceConversion]
}

// Ensure finds or issues the serving certificate, and returns when the API
// server has been told to trust it: whoever starts to listen then can be called.
// What it returns makes a server use the certificate. Until the context ends
// that is renewed in time, and how the API server calls the webhooks is put right
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

// SetupWithManager has the manager's webhook server guard the CRD, and the issuer
// know when this replica leads.
func (i *Issuer) SetupWithManager(mgr ctrl.Manager) error {
	mgr.GetWebhookServer().Register(guardPath, &admission.Webhook{Handler: i})
	return mgr.Add(manager.RunnableFunc(i.lead))
}

// reach is how long after a pod is ready the API servers can call it at the latest: the
// kubelet asks every two seconds, and then endpoints and rules have to get to each node.
const reach = 5 * time.Second

// Ready tells the issuer that this replica is ready, and returns when the API servers
// can call it.
func (i *Issuer) Ready(ctx context.Context) {
	timer := i.Clock.NewTimer(reach)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C():
		i.callable.Store(true)
		i.wake()
	}
}

// lead until the context ends.
func (i *Issuer) lead(ctx context.Context) error {
	i.leads.Store(true)
	i.wake()
	<-ctx.Done()
	i.leads.Store(false)
	return nil
}

// wake has it make a pass.
func (i *Issuer) wake() {
	select {
	case i.changed <- struct{}{}:
	default:
		// There is to be one already.
	}
}

// complete fills in what was left out.
func (i *Issuer) complete() error {
	if i.Terms == (Terms{}) {
		i.Terms = DefaultTerms()
	}
	if i.Clock == nil {
		i.Clock = clock.RealClock{}
	}
	if i.backoff == nil {
		i.backoff, i.intents = backoff.New[string](i.Clock), map[string]string{}
		i.changed = make(chan struct{}, 1)
	}
	if err := i.readConfigurations(); err != nil {
		return err
	}
	var err error
	if i.names, err = i.serverNames(); err != nil || i.client != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(
		admissionregistrationv1.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), corev1.AddToScheme(scheme), rbacv1.AddToScheme(scheme),
	); err != nil {
		return err
	}
	// No cache: it is used before the manager's start, and for few objects.
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
	changed, again, err := i.inject(ctx, current.serving.CA)
	if changed || version != i.version {
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
	metrics.OperatorCertificateEnds.Set(float64(certificate.Leaf.NotAfter.Unix()))
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
	if err != nil {
		return next, "", err
	}
	owned, err := i.own(ctx, secret)
	if err != nil || exists && taken == stay && !owned {
		return next, secret.ResourceVersion, err
	}
	secret.Type, secret.Data = corev1.SecretTypeTLS, next.data()
	if exists {
		err = i.client.Update(ctx, secret)
	} else {
		err = i.client.Create(ctx, secret)
	}
	if err == nil && taken != stay {
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
