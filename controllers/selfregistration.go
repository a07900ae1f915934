// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// selfRegistrations find out what the pods of admission webhooks before v1.12.0
// have registered. Neither pods nor those configurations, which have no label of
// ours, are in a cache: they are listed when the Deployment has changed.
type selfRegistrations struct {
	// direct reads from the API server.
	direct   client.Reader
	pods     podReader
	memories *memories
}

// selfRegistration is what was found out of one webhook.
type selfRegistration struct {
	// workload is the resource version of the Deployment that it was found out of.
	workload string
	// registered: there is a configuration, and its pod may be there.
	registered bool
	// again: there was something to delete, and the next pass sees whether it has gone.
	again bool
	// over: no pod is left that registers itself, nor what one has registered.
	over bool
}

// observeWebhook finds out whether the API server asks the admission webhook.
func (r *NSMReconciler) observeWebhook(ctx context.Context, d desired, w *health.Workload) error {
	if w == nil {
		return nil
	}
	nsm := d.input.NSM
	told, err := r.webhookConfiguration(ctx, nsm)
	if err != nil {
		return err
	}
	ours := told != nil
	own, isSure := r.selfRegistrations.has(nsm, d.input.Release, w)
	if d.unseenRegistrations != "" {
		w.Unseen = append(w.Unseen, d.unseenRegistrations)
	}
	needsOurs := mesh.NeedsWebhookCertificate(&nsm.Spec, d.input.Release)
	// Nobody knows where the user's variables have it registered.
	isElsewhere := !needsOurs && !w.RegistersItself
	refuses := mesh.RefusesWithoutWebhook(told)
	w.Webhook = &health.Webhook{Uninjected: !ours && !own && !isElsewhere, Refuses: refuses, LetsIn: ours && !refuses}
	// One whose turn has not come goes on as it is.
	w.Webhook.Unregistered = w.Webhook.Uninjected || !w.Held && (needsOurs && !ours || w.RegistersItself && !isSure)
	return nil
}

// has reports whether a pod of the webhook has registered itself, as far as that is known,
// and whether that is sure of the Deployment as it is now: where it has changed since, what
// was reported last counts.
func (s *selfRegistrations) has(nsm *nsmv1beta1.NSM, target release.Release, w *health.Workload) (has, isSure bool) {
	known := s.memories.of(nsm).selfRegistration
	switch {
	case !mayRegisterItself(nsm, target, w, known):
		return false, false
	case known == nil:
		return hasReportedWebhook(nsm), hasReportedWebhook(nsm)
	default:
		return known.registered, known.registered && (known.workload == w.Live.GetResourceVersion() || hasReportedWebhook(nsm))
	}
}

// mayRegisterItself reports whether there may be a pod of the webhook that has registered
// itself, or what such a pod has left behind.
func mayRegisterItself(nsm *nsmv1beta1.NSM, target release.Release, w *health.Workload, known *selfRegistration) bool {
	return w.Live != nil && (registerThemselves(target.String(), w.Version(), nsm.Status.Version) || known != nil && !known.over)
}

// goneRegistrations are what pods of the admission webhook that have gone have
// registered. Without an answer there are none, and it is asked again.
func (r *NSMReconciler) goneRegistrations(ctx context.Context, d *desired) ([]mesh.Object, error) {
	i := slices.IndexFunc(d.components, func(c mesh.Component) bool { return c.Role == mesh.RoleWebhook })
	if i < 0 {
		return nil, nil
	}
	w, err := r.observeWorkload(ctx, *d, d.components[i])
	if err != nil {
		return nil, err
	}
	gone, err := r.selfRegistrations.find(ctx, d.input.NSM, d.input.Release, &w)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking for what pods of the admission webhook have registered")
		d.unseenRegistrations = "what its pods have registered (" + inShort(err) + ")"
	}
	if len(gone) > 0 {
		d.wake(r.now().Add(r.Times.AskAgain)) // to see that it has gone
	}
	return gone, nil
}

// find finds out what the pods of the webhook have registered, and returns what is left of
// those that have gone. One that is up, and has been reported so, when this process first
// sees it is taken as it is: what is left of a pod that has gone would have kept the next
// one from being created.
func (s *selfRegistrations) find(ctx context.Context, nsm *nsmv1beta1.NSM, target release.Release, w *health.Workload) ([]mesh.Object, error) {
	remembered := s.memories.of(nsm)
	isKnown := remembered.selfRegistration != nil
	if !mayRegisterItself(nsm, target, w, remembered.selfRegistration) {
		return nil, nil
	}
	known := ptr.Deref(remembered.selfRegistration, selfRegistration{})
	// One that is up without having registered itself may still do so.
	isWaitedFor := !known.registered && w.RegistersItself && w.IsReady()
	if known.workload == w.Live.GetResourceVersion() && !isWaitedFor && !known.again {
		return nil, nil
	}
	now := selfRegistration{workload: w.Live.GetResourceVersion(), registered: registerThemselves(w.Version())}
	var gone []mesh.Object
	if isKnown || !w.IsReady() || !hasReportedWebhook(nsm) {
		var err error
		if now.registered, gone, err = s.list(ctx, nsm, w); err != nil {
			return nil, err
		}
	}
	now.again = len(gone) > 0
	now.over = w.IsRolledOut() && !now.registered && !now.again && !registerThemselves(target.String(), w.Version())
	remembered.selfRegistration = &now
	return gone, nil
}

// registerThemselves reports whether the webhook's pods register themselves in one
// of the releases. One that nobody knows may be such a release.
func registerThemselves(versions ...string) bool {
	for _, version := range versions {
		one, err := release.Parse(version)
		if err != nil || !one.Facts().WebhookCertificate {
			return true
		}
	}
	return false
}

// hasReportedWebhook reports whether the webhook has been seen up since the spec
// changed last.
func hasReportedWebhook(nsm *nsmv1beta1.NSM) bool {
	ready := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAdmissionWebhookReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == nsm.Generation
}

// list finds the configurations of pods that have gone, and reports whether there are others.
// The pods are listed after the configurations: a pod is there before its configuration.
func (s *selfRegistrations) list(ctx context.Context, nsm *nsmv1beta1.NSM, w *health.Workload) (hasOthers bool, gone []mesh.Object, err error) {
	configurations, err := configurationsOf(ctx, s.direct, nsm)
	configurations = slices.DeleteFunc(configurations, isOf(nsm))
	if err != nil || len(configurations) == 0 {
		return false, nil, err
	}
	pods, err := s.pods.running(ctx, w)
	if err != nil {
		return false, nil, err
	}
	for i := range configurations {
		if one := &configurations[i]; mesh.IsWebhookPod(one.Name) && !pods[one.Name] {
			gone = append(gone, one)
		}
	}
	return len(gone) < len(configurations), gone, nil
}
