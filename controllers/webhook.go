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
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch;create;patch;delete

// prepareWebhook adds to the input what the admission webhook needs of the
// cluster: its certificate, the one that it has as long as that will do, and
// whether it answers. It returns when the certificate has to be renewed, zero
// for never.
func (r *NSMReconciler) prepareWebhook(ctx context.Context, in *mesh.Input) (time.Time, error) {
	if !mesh.WebhookEnabled(&in.NSM.Spec) {
		return time.Time{}, nil
	}
	isTold, deployment, err := r.webhookState(ctx, in.NSM)
	if err != nil {
		return time.Time{}, err
	}
	// Pods that may still serve our certificate are asked until they are gone, on
	// the way back to a release that registers itself, too; and those of such a
	// release never.
	mayServe := isTold && (deployment == nil || mesh.MayServeCertificate(deployment))
	isNeeded := mesh.NeedsWebhookCertificate(&in.NSM.Spec, in.Release)
	in.WebhookLeaving = !isNeeded && mayServe && deployment != nil
	if !isNeeded && !in.WebhookLeaving {
		return time.Time{}, nil
	}
	in.WebhookServing = mayServe || deployment != nil && mesh.ServesCertificate(deployment)
	pair, err := r.webhookPair(ctx, in.NSM)
	if err != nil {
		return time.Time{}, fmt.Errorf("the admission webhook's certificate: %w", err)
	}
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

// webhookState is what there is of the admission webhook: whether the API server
// is told to ask it, and its Deployment, nil for none.
func (r *NSMReconciler) webhookState(ctx context.Context, nsm *nsmv1beta1.NSM) (isTold bool, deployment *appsv1.Deployment, err error) {
	if isTold, err = r.isWebhookTold(ctx, nsm); err != nil {
		return false, nil, err
	}
	deployment = &appsv1.Deployment{}
	if err := r.client.Get(ctx, webhookKey(nsm), deployment); err != nil {
		return isTold, nil, client.IgnoreNotFound(err)
	}
	return isTold, deployment, nil
}

// webhookKey finds the Deployment of the admission webhook.
func webhookKey(nsm *nsmv1beta1.NSM) client.ObjectKey {
	return client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookName}
}

// isWebhookTold tells whether the operator has told the API server to ask the
// admission webhook.
func (r *NSMReconciler) isWebhookTold(ctx context.Context, nsm *nsmv1beta1.NSM) (bool, error) {
	key := client.ObjectKey{Name: mesh.WebhookConfigurationName(nsm.Namespace)}
	err := r.client.Get(ctx, key, &admissionregistrationv1.MutatingWebhookConfiguration{})
	return err == nil, client.IgnoreNotFound(err)
}
