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
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Names of the objects that call the webhooks, as config/ has them.
const (
	crdName                     = "nsms.nsm.networkservicemesh.io"
	mutatingConfigurationName   = "nsm-operator-defaults"
	validatingConfigurationName = "nsm-operator-validation"
	secretName                  = "nsm-operator-webhook-cert"
	serviceName                 = "nsm-operator-service"

	caKey = "ca.crt"
)

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=nsms.nsm.networkservicemesh.io,verbs=get;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,resourceNames=nsm-operator-defaults,verbs=get;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,resourceNames=nsm-operator-validation,verbs=get;patch
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=nsm-operator-system,resources=secrets,resourceNames=nsm-operator-webhook-cert,verbs=get;update

// issuer looks after the certificate of one operator.
type issuer struct {
	// client without a cache: it is used before the caches start.
	client client.Client
	// namespace of the operator, its Service and its Secret.
	namespace string
	// url under which the API server reaches the webhooks instead of the Service
	// nsm-operator-service, for an operator outside the cluster. Optional.
	url string
}

// IsMounted tells whether somebody else, OLM, mounted a serving certificate:
// then it is theirs to tell the API server.
func IsMounted(directory string) bool {
	_, err := os.Stat(filepath.Join(directory, corev1.TLSCertKey))
	return err == nil
}

// Ensure finds the serving certificate that all replicas of the operator in
// namespace share, issues it where there is none that will do, and makes the
// API server trust it. It returns what makes a server use it. With a url, the
// API server is told to call the webhooks there and not through their Service.
func Ensure(ctx context.Context, config *rest.Config, namespace, url string) (func(*tls.Config), error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	certificate, err := issuer{client: direct, namespace: namespace, url: url}.ensure(ctx)
	return func(config *tls.Config) {
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	}, err
}

func (i issuer) ensure(ctx context.Context) (*tls.Certificate, error) {
	names, err := i.names()
	if err != nil {
		return nil, err
	}
	shared, err := i.sharedPair(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s: %w", i.namespace, secretName, err)
	}
	if err := i.inject(ctx, shared.CA); err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(shared.Certificate, shared.Key)
	return &certificate, err
}

// names of the server, as the API server will call it.
func (i issuer) names() ([]string, error) {
	if i.url == "" {
		host := serviceName + "." + i.namespace + ".svc"
		return []string{host, host + ".cluster.local"}, nil
	}
	parsed, err := url.Parse(i.url)
	if err != nil {
		return nil, err
	}
	if parsed.Scheme != "https" || parsed.Hostname() == "" {
		return nil, fmt.Errorf("webhook URL %q: must be https://host:port", i.url)
	}
	return []string{parsed.Hostname()}, nil
}

// sharedPair reads the pair from the Secret, or writes a new one there. Of two
// replicas that do so at once one loses, and reads what the other wrote.
func (i issuer) sharedPair(ctx context.Context, names []string) (*Pair, error) {
	for {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName, Namespace: i.namespace}}
		err := i.client.Get(ctx, client.ObjectKeyFromObject(secret), secret)
		exists := err == nil
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		found := &Pair{Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey], CA: secret.Data[caKey]}
		if exists && found.Usable(names, time.Now()) == nil {
			return found, nil
		}
		issued, err := Issue(names, time.Now())
		if err != nil {
			return nil, err
		}
		err = i.store(ctx, secret, issued, exists)
		if err == nil {
			return issued, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return nil, err
		}
	}
}

func (i issuer) store(ctx context.Context, secret *corev1.Secret, issued *Pair, exists bool) error {
	secret.Type = corev1.SecretTypeTLS
	secret.Data = map[string][]byte{
		corev1.TLSCertKey: issued.Certificate, corev1.TLSPrivateKeyKey: issued.Key, caKey: issued.CA,
	}
	if exists {
		return i.client.Update(ctx, secret)
	}
	return i.client.Create(ctx, secret)
}

// inject writes the CA, and the URL if there is one, wherever the API server
// reads how to call the webhooks.
func (i issuer) inject(ctx context.Context, ca []byte) error {
	return errors.Join(
		patch(ctx, i.client, crdName, &apiextensionsv1.CustomResourceDefinition{}, func(crd *apiextensionsv1.CustomResourceDefinition) error {
			return i.injectConversion(crd, ca)
		}),
		patch(ctx, i.client, mutatingConfigurationName, &admissionregistrationv1.MutatingWebhookConfiguration{},
			func(configuration *admissionregistrationv1.MutatingWebhookConfiguration) error {
				for n := range configuration.Webhooks {
					i.injectAdmission(&configuration.Webhooks[n].ClientConfig, ca)
				}
				return nil
			}),
		patch(ctx, i.client, validatingConfigurationName, &admissionregistrationv1.ValidatingWebhookConfiguration{},
			func(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) error {
				for n := range configuration.Webhooks {
					i.injectAdmission(&configuration.Webhooks[n].ClientConfig, ca)
				}
				return nil
			}),
	)
}

// patch changes an object, when there is something to change, whoever else does
// so at the moment.
func patch[T client.Object](ctx context.Context, c client.Client, name string, object T, change func(T) error) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := c.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
			return fmt.Errorf("%s: is the operator installed completely? %w", name, err)
		}
		before, ok := object.DeepCopyObject().(T)
		if !ok {
			return fmt.Errorf("%s: the copy of a %T is no %T", name, object, object)
		}
		if err := change(object); err != nil || equality.Semantic.DeepEqual(before, object) {
			return err
		}
		return c.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}

func (i issuer) injectConversion(crd *apiextensionsv1.CustomResourceDefinition, ca []byte) error {
	conversion := crd.Spec.Conversion
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil {
		return fmt.Errorf("customresourcedefinition %s: spec.conversion names no webhook: apply config/crd again", crd.Name)
	}
	config := conversion.Webhook.ClientConfig
	config.CABundle = ca
	if i.url != "" {
		config.Service, config.URL = nil, ptr.To(i.url+"/convert")
	}
	return nil
}

func (i issuer) injectAdmission(config *admissionregistrationv1.WebhookClientConfig, ca []byte) {
	config.CABundle = ca
	if i.url != "" && config.Service != nil {
		config.Service, config.URL = nil, ptr.To(i.url+ptr.Deref(config.Service.Path, "/"))
	}
}
