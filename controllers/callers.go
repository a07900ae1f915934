// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/rollout"
)

// callers find out which configurations of somebody else call the admission
// webhook. They are in no cache: they are listed when its Deployment has changed,
// and again and again while there are any.
type callers struct {
	// direct reads from the API server.
	direct   client.Reader
	memories *memories
	// askAgain is the time between two looks while there are any.
	askAgain time.Duration
	now      func() time.Time
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
	remembered := c.memories.of(nsm)
	isKnown := remembered.calls != nil
	known := ptr.Deref(remembered.calls, calls{})
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
			remembered.calls = &known
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
	remembered.calls = &known
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

// deleteCallers deletes configurations that call the NSM's admission webhook: what its
// pods have registered, what a mesh that may be taken over has, and, if all are to go,
// the operator's own.
func (r *NSMReconciler) deleteCallers(ctx context.Context, nsm *nsmv1beta1.NSM, which rollout.Callers) error {
	configurations, err := configurationsOf(ctx, r.direct, nsm)
	if err != nil {
		return err
	}
	isServiceForeign := false
	if which == rollout.AllCallers {
		if isServiceForeign, err = r.isWebhookServiceForeign(ctx, nsm); err != nil {
			return err
		}
	}
	var some []mesh.Object
	for i := range configurations {
		one := &configurations[i]
		isOurs := isOf(nsm)(*one)
		isOfMesh := mesh.IsWebhookPod(one.Name) || mesh.MayTakeOver(nsm)
		if isOurs && which == rollout.AllCallers || !isOurs && isOfMesh && !isServiceForeign {
			some = append(some, one)
		}
	}
	return r.applier.DeleteExactly(ctx, some...)
}

// isWebhookServiceForeign reports whether the Service of the admission webhook is somebody
// else's: then so is what calls it, but for the operator's own.
func (r *NSMReconciler) isWebhookServiceForeign(ctx context.Context, nsm *nsmv1beta1.NSM) (bool, error) {
	service := &metav1.PartialObjectMetadata{}
	service.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	err := r.direct.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookService}, service)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	may, _ := mesh.Claim(service, nsm)
	return !may, nil
}

// configurationsOf are those that call the NSM's admission webhook: the
// operator's, and those that webhooks before v1.12.0 make for themselves. Those
// have no label of ours, so this asks the API server.
func configurationsOf(ctx context.Context, direct client.Reader, nsm *nsmv1beta1.NSM) ([]admissionregistrationv1.MutatingWebhookConfiguration, error) {
	var all admissionregistrationv1.MutatingWebhookConfigurationList
	err := direct.List(ctx, &all)
	return slices.DeleteFunc(all.Items, func(one admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return !callsWebhookOf(&one, nsm.Namespace)
	}), err
}

// callsWebhookOf reports whether all that a configuration calls is the admission
// webhook of a namespace.
func callsWebhookOf(configuration *admissionregistrationv1.MutatingWebhookConfiguration, namespace string) bool {
	for i := range configuration.Webhooks {
		if !isWebhookService(configuration.Webhooks[i].ClientConfig.Service, namespace) {
			return false
		}
	}
	return len(configuration.Webhooks) > 0
}

// isWebhookService reports whether a configuration names the Service of the admission
// webhook of a mesh in a namespace.
func isWebhookService(service *admissionregistrationv1.ServiceReference, namespace string) bool {
	return service != nil && service.Name == mesh.WebhookService && service.Namespace == namespace
}

// isOf tells which configurations are the operator's own for the NSM.
func isOf(nsm *nsmv1beta1.NSM) func(admissionregistrationv1.MutatingWebhookConfiguration) bool {
	owner := labels.SelectorFromSet(mesh.OwnerLabels(nsm))
	return func(one admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return owner.Matches(labels.Set(one.Labels))
	}
}
