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
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=admission-webhook-tls,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch;create;patch;delete

// prepareWebhook adds to the input what the admission webhook needs of the
// cluster: its certificate, the one that it has as long as that will do, the CAs
// to trust it by, and whether it answers. It returns when any of that changes by
// itself, zero for never.
func (r *NSMReconciler) prepareWebhook(ctx context.Context, in *mesh.Input) (time.Time, error) {
	if !mesh.WebhookEnabled(&in.NSM.Spec) {
		return time.Time{}, nil
	}
	told, deployment, err := r.webhookState(ctx, in.NSM)
	if err != nil {
		return time.Time{}, err
	}
	// The API server calls pods that may still serve our certificate until they are
	// gone, even on the way back to a release that registers itself. It never calls
	// the pods of such a release with our configuration.
	mayServe := told != nil && (deployment == nil || mesh.MayServeCertificate(deployment))
	isNeeded := mesh.NeedsWebhookCertificate(&in.NSM.Spec, in.Release)
	in.WebhookLeaving = !isNeeded && mayServe && deployment != nil
	if !isNeeded && !in.WebhookLeaving {
		return time.Time{}, nil
	}
	kept, err := r.keptPair(ctx, in.NSM)
	if err != nil {
		return time.Time{}, fmt.Errorf("the admission webhook's certificate: %w", err)
	}
	pair, isKept, err := r.webhookPair(ctx, in.NSM, kept)
	if err != nil {
		return time.Time{}, fmt.Errorf("the admission webhook's certificate: %w", err)
	}
	var servers certs.Servers
	if deployment != nil && isKept {
		servers.Alone, servers.Since = mesh.ServesAlone(deployment, pair.Certificate)
	}
	in.WebhookServing = mayServe || servers.Alone && deployment.Status.AvailableReplicas > 0
	trusted, again := pair.Trusted(servers, r.now(), append([][]byte{kept.CA}, bundlesOf(told)...)...)
	in.WebhookCertificate = mesh.Certificate{CertificateChain: pair.Certificate, Key: pair.Key, CABundle: trusted}
	renewAt, err := pair.RenewAt()
	if !again.IsZero() && again.Before(renewAt) {
		return again, err
	}
	return renewAt, err
}

// keptPair is what is in the Secret, whatever that is.
func (r *NSMReconciler) keptPair(ctx context.Context, nsm *nsmv1beta1.NSM) (*certs.Pair, error) {
	var secret corev1.Secret
	err := r.client.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookSecret}, &secret)
	return &certs.Pair{
		Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey], CA: secret.Data[mesh.CABundleKey],
	}, client.IgnoreNotFound(err)
}

// webhookPair is the pair that is kept in the Secret, or else a new one, and whether
// it is kept. A new one stays the same until it is: else every pass that cannot
// write the Secret would make another one, and other pods for it.
func (r *NSMReconciler) webhookPair(ctx context.Context, nsm *nsmv1beta1.NSM, kept *certs.Pair) (pair *certs.Pair, isKept bool, err error) {
	remembered, names := r.memories.of(nsm), mesh.WebhookServerNames(nsm.Namespace)
	reason := kept.Usable(names, r.now())
	if reason == nil {
		remembered.issued = nil
		return kept, true, nil
	}
	if remembered.issued != nil && remembered.issued.Usable(names, r.now()) == nil {
		return remembered.issued, false, nil
	}
	log.FromContext(ctx).Info("Issuing a certificate for the admission webhook", "names", names, "why", reason.Error())
	if pair, err = certs.Issue(names, r.now()); err == nil {
		remembered.issued = pair
	}
	return pair, false, err
}

// webhookState is what there is of the admission webhook: what tells the API server
// to ask it, and its Deployment; nil for none.
func (r *NSMReconciler) webhookState(ctx context.Context, nsm *nsmv1beta1.NSM) (
	told *admissionregistrationv1.MutatingWebhookConfiguration, deployment *appsv1.Deployment, err error,
) {
	if told, err = r.webhookConfiguration(ctx, nsm); err != nil {
		return nil, nil, err
	}
	deployment = &appsv1.Deployment{}
	if err := r.client.Get(ctx, webhookKey(nsm), deployment); err != nil {
		return told, nil, client.IgnoreNotFound(err)
	}
	return told, deployment, nil
}

// webhookKey finds the Deployment of the admission webhook.
func webhookKey(nsm *nsmv1beta1.NSM) client.ObjectKey {
	return client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookName}
}

// webhookConfiguration is what the operator has told the API server to ask the admission
// webhook by; nil where it has not.
func (r *NSMReconciler) webhookConfiguration(ctx context.Context, nsm *nsmv1beta1.NSM) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	told := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: mesh.WebhookConfigurationName(nsm.Namespace)}, told); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return told, nil
}

// bundlesOf are the CAs that the API server trusts the webhook by.
func bundlesOf(told *admissionregistrationv1.MutatingWebhookConfiguration) [][]byte {
	var bundles [][]byte
	if told != nil {
		for i := range told.Webhooks {
			bundles = append(bundles, told.Webhooks[i].ClientConfig.CABundle)
		}
	}
	return bundles
}
