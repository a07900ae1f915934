// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// reasonForeignWebhook of the condition Degraded: somebody else has the admission
// webhook called, too.
const reasonForeignWebhook = "ForeignWebhook"

// callers remember which configurations of somebody else call the admission
// webhook, by the key of its Deployment. They are in no cache: they are listed
// when the Deployment has changed, and again and again while there are any.
type callers struct {
	known sync.Map // of types.NamespacedName: calls
}

// calls are what was found out of one webhook.
type calls struct {
	// workload is the resource version of the Deployment that it was found out of.
	workload string
	names    []string
	until    time.Time
}

// seeCallers notes what else calls the Service of the admission webhook. Such a
// configuration does not trust the operator's certificate, as a rule, and then has
// pods refused in the whole cluster. A webhook that is up, and was reported so
// when nothing else called it, is taken as it is when this process first sees it.
func (r *NSMReconciler) seeCallers(ctx context.Context, nsm *nsmv1beta1.NSM, w *workload, seen *observation) {
	if w == nil || !w.exists {
		return
	}
	found, isKnown := r.callers.known.Load(w.key())
	known, _ := found.(calls)
	reported := ptr.Deref(meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionDegraded), metav1.Condition{}).Reason == reasonForeignWebhook
	isAsBefore := !isKnown && w.isReady() && hasReportedWebhook(nsm) && !reported
	isOver := len(known.names) > 0 && !r.now().Before(known.until)
	if !isAsBefore && (known.workload != w.seenAt || isOver) {
		names, err := r.callersOf(ctx, nsm)
		if err != nil {
			// What was known is kept, and with it that this Deployment was not looked at.
			log.FromContext(ctx).Error(err, "Looking for what else calls the admission webhook")
			w.unseen = append(w.unseen, "what else calls it ("+inShort(err)+")")
			r.callers.known.Store(w.key(), known)
			seen.callers = known.names
			seen.wake(r.now().Add(askAgain))
			return
		}
		known.names = names
	}
	known.workload = w.seenAt
	if len(known.names) > 0 {
		if !r.now().Before(known.until) {
			known.until = r.now().Add(askAgain)
		}
		seen.wake(known.until)
	}
	r.callers.known.Store(w.key(), known)
	seen.callers = known.names
}

// callersOf are the names of the configurations of somebody else that call the
// Service of the NSM's admission webhook.
func (r *NSMReconciler) callersOf(ctx context.Context, nsm *nsmv1beta1.NSM) ([]string, error) {
	var all admissionregistrationv1.MutatingWebhookConfigurationList
	if err := r.direct.List(ctx, &all); err != nil {
		return nil, err
	}
	isOurs := isOf(nsm)
	var names []string
	for _, one := range all.Items {
		calls := slices.ContainsFunc(one.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
			service := webhook.ClientConfig.Service
			return service != nil && service.Name == mesh.WebhookService && service.Namespace == nsm.Namespace
		})
		if calls && !isOurs(one) && !mesh.IsWebhookPod(one.Name) {
			names = append(names, one.Name)
		}
	}
	return names, nil
}

// callersMessage tells what else calls the webhook, and what to do.
func (o *observation) callersMessage() string {
	return "MutatingWebhookConfiguration " + strings.Join(o.callers, ", ") + " calls the admission webhook of the mesh and is not the operator's; " +
		"unless it trusts the operator's certificate, pods are refused in the whole cluster. Delete it: kubectl delete mutatingwebhookconfiguration " +
		strings.Join(o.callers, " ")
}
