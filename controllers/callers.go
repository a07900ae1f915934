// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"slices"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// callers remember which configurations of somebody else call the admission
// webhook, by the key of its Deployment. They are in no cache: they are listed
// when the Deployment has changed, and again and again while there are any.
type callers struct {
	// direct reads from the API server.
	direct client.Reader
	// askAgain is the time between two looks while there are any.
	askAgain time.Duration
	now      func() time.Time
	known    sync.Map // of types.NamespacedName: calls
}

// calls are what was found out of one webhook.
type calls struct {
	// workload is the resource version of the Deployment that it was found out of.
	workload string
	callers  []health.Caller
	until    time.Time
}

// What else calls the Service may have any name.
//
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,verbs=list

// observe finds out what else calls the Service of the admission webhook. Such a
// configuration usually does not trust the operator's certificate. The API server then
// refuses everything that it asks about, such as pods, in the whole cluster. If the
// webhook is up when this process first sees it, and was reported without other
// callers before, that is believed.
func (c *callers) observe(ctx context.Context, nsm *nsmv1beta1.NSM, w *health.Workload, seen *observation) {
	if w == nil || w.Live == nil {
		return
	}
	found, isKnown := c.known.Load(keyOf(w))
	known, _ := found.(calls)
	wrong := health.Degradation(&nsm.Status)
	reported := wrong != nil && wrong.Reason == nsmv1beta1.ReasonForeignWebhook
	isAsBefore := !isKnown && w.IsReady() && hasReportedWebhook(nsm) && !reported
	isOver := len(known.callers) > 0 && !c.now().Before(known.until)
	if !isAsBefore && (known.workload != w.Live.GetResourceVersion() || isOver) {
		found, err := c.list(ctx, nsm)
		if err != nil {
			// What was known is kept, and with it that this Deployment was not looked at.
			log.FromContext(ctx).Error(err, "Looking for what else calls the admission webhook")
			w.Unseen = append(w.Unseen, "what else calls it ("+inShort(err)+")")
			c.known.Store(keyOf(w), known)
			seen.Callers = known.callers
			seen.wake(c.now().Add(c.askAgain))
			return
		}
		known.callers = found
	}
	known.workload = w.Live.GetResourceVersion()
	if len(known.callers) > 0 {
		if !c.now().Before(known.until) {
			known.until = c.now().Add(c.askAgain)
		}
		seen.wake(known.until)
	}
	c.known.Store(keyOf(w), known)
	seen.Callers = known.callers
}

// list returns the configurations of somebody else that call the Service of the
// NSM's admission webhook, those that change and those that validate. The operator
// makes none of the second kind for a mesh, and its own call another Service.
func (c *callers) list(ctx context.Context, nsm *nsmv1beta1.NSM) ([]health.Caller, error) {
	var mutating admissionregistrationv1.MutatingWebhookConfigurationList
	if err := c.direct.List(ctx, &mutating); err != nil {
		return nil, err
	}
	var validating admissionregistrationv1.ValidatingWebhookConfigurationList
	if err := c.direct.List(ctx, &validating); err != nil {
		return nil, err
	}
	isOurs := isOf(nsm)
	var found []health.Caller
	for _, one := range mutating.Items {
		calls := slices.ContainsFunc(one.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
			return isWebhookService(webhook.ClientConfig.Service, nsm.Namespace)
		})
		if calls && !isOurs(one) && !mesh.IsWebhookPod(one.Name) {
			found = append(found, health.Caller{Kind: "MutatingWebhookConfiguration", Name: one.Name})
		}
	}
	for _, one := range validating.Items {
		if slices.ContainsFunc(one.Webhooks, func(webhook admissionregistrationv1.ValidatingWebhook) bool {
			return isWebhookService(webhook.ClientConfig.Service, nsm.Namespace)
		}) {
			found = append(found, health.Caller{Kind: "ValidatingWebhookConfiguration", Name: one.Name})
		}
	}
	return found, nil
}

// isWebhookService reports whether a configuration names the Service of the admission
// webhook of a mesh in a namespace.
func isWebhookService(service *admissionregistrationv1.ServiceReference, namespace string) bool {
	return service != nil && service.Name == mesh.WebhookService && service.Namespace == namespace
}
