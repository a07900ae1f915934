// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// The Secret is found by its name alone, so that no other can be read.
//
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=admission-webhook-tls,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch;create;update;patch;delete

// prepareWebhook adds to the input what the admission webhook needs of the
// cluster: its certificate, the one that it has as long as that will do, and
// whether it answers. It returns when the certificate has to be renewed, zero
// for never.
func (r *NSMReconciler) prepareWebhook(ctx context.Context, in *mesh.Input) (time.Time, error) {
	if !mesh.NeedsWebhookCertificate(&in.NSM.Spec, in.Release) {
		return time.Time{}, nil
	}
	serving, err := r.webhookServing(ctx, in.NSM)
	if err != nil {
		return time.Time{}, err
	}
	pair, err := r.webhookPair(ctx, in.NSM)
	if err != nil {
		return time.Time{}, fmt.Errorf("the admission webhook's certificate: %w", err)
	}
	in.WebhookServing = serving
	in.WebhookCertificate = mesh.Certificate{CertificateChain: pair.Certificate, Key: pair.Key, CABundle: pair.CA}
	return pair.RenewAt()
}

// webhookPair is the pair in the Secret, or its successor.
func (r *NSMReconciler) webhookPair(ctx context.Context, nsm *nsmv1beta1.NSM) (*certs.Pair, error) {
	var secret corev1.Secret
	err := r.client.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookSecret}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	names := mesh.WebhookServerNames(nsm.Namespace)
	pair := &certs.Pair{
		Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey], CA: secret.Data[mesh.CABundleKey],
	}
	reason := pair.Usable(names, r.now())
	if reason == nil {
		return pair, nil
	}
	log.FromContext(ctx).Info("Issuing a certificate for the admission webhook", "names", names, "why", reason.Error())
	return pair.Succeed(names, r.now())
}

// webhookServing tells whether the admission webhook answers, or did when its
// configuration was made.
func (r *NSMReconciler) webhookServing(ctx context.Context, nsm *nsmv1beta1.NSM) (bool, error) {
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	err := r.client.Get(ctx, client.ObjectKey{Name: mesh.WebhookConfigurationName(nsm.Namespace)}, &configuration)
	if err == nil {
		return true, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	var deployment appsv1.Deployment
	err = r.client.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookName}, &deployment)
	return mesh.ServesCertificate(&deployment), client.IgnoreNotFound(err)
}

// removeWebhookRegistrations deletes the configurations that webhooks of
// releases before v1.12.0 made for themselves, one a pod, and that pods which
// were killed have left behind: they would block the creation of pods in the
// whole cluster. They have no label of ours, so this asks the API server.
func (r *NSMReconciler) removeWebhookRegistrations(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	var all admissionregistrationv1.MutatingWebhookConfigurationList
	if err := r.direct.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		configuration := &all.Items[i]
		if !callsWebhookOf(configuration, nsm.Namespace) {
			continue
		}
		// It never was in the cache: nobody may wait there until it is gone.
		if err := r.client.Delete(ctx, configuration, client.DisableReadYourWritesConsistency); client.IgnoreNotFound(err) != nil {
			return err
		}
		log.FromContext(ctx).Info("Deleted", "object", "MutatingWebhookConfiguration "+configuration.Name)
	}
	return nil
}

// callsWebhookOf tells whether all that a configuration calls is the admission
// webhook of a namespace.
func callsWebhookOf(configuration *admissionregistrationv1.MutatingWebhookConfiguration, namespace string) bool {
	for _, webhook := range configuration.Webhooks {
		service := webhook.ClientConfig.Service
		if service == nil || service.Name != mesh.WebhookService || service.Namespace != namespace {
			return false
		}
	}
	return len(configuration.Webhooks) > 0
}
