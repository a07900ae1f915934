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

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// selfRegistrations remember what the pods of admission webhooks before v1.12.0
// have registered. Neither pods nor those configurations, which have no label of
// ours, are in a cache: they are listed when the Deployment has changed.
type selfRegistrations struct {
	known sync.Map // of types.NamespacedName, the Deployment's: selfRegistration
}

// selfRegistration is what was found out of one webhook.
type selfRegistration struct {
	// workload is the resource version of the Deployment that it was found out of.
	workload string
	// registered: there is a configuration, and its pod may be there.
	registered bool
	// over: no pod is left that registers itself, nor what one has registered.
	over bool
}

// seeWebhook finds out whether the API server asks the admission webhook, and
// deletes what pods that have gone have registered: it would block the creation
// of pods in the whole cluster.
func (r *NSMReconciler) seeWebhook(ctx context.Context, plan plan, w *workload) error {
	if w == nil {
		return nil
	}
	nsm := plan.input.NSM
	told, err := r.toldWebhook(ctx, nsm)
	if err != nil {
		return err
	}
	ours := told != nil
	own, err := r.seeSelfRegistration(ctx, nsm, plan.input.Release, w)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking for what pods of the admission webhook have registered")
		w.unseen = append(w.unseen, "what its pods have registered ("+inShort(err)+")")
	}
	needsOurs := mesh.NeedsWebhookCertificate(&nsm.Spec, plan.input.Release)
	// Nobody knows where the user's variables have it registered.
	isElsewhere := !needsOurs && !w.registersItself
	w.uninjected = !ours && !own && !isElsewhere
	w.shutsOut, w.letsIn = mesh.RefusesWithoutWebhook(told), ours && !mesh.RefusesWithoutWebhook(told)
	w.unregistered = w.uninjected || needsOurs && !ours || w.registersItself && !own
	if w.held {
		// It goes on as it is.
		w.unregistered = w.uninjected
	}
	return nil
}

// seeSelfRegistration tells, with an error as far as that is known, whether a pod of the webhook has registered itself.
// One that is up, and has been reported so, when this process first sees it is
// taken as it is: what is left of a pod that has gone would have kept the next
// one from being created.
func (r *NSMReconciler) seeSelfRegistration(ctx context.Context, nsm *nsmv1beta1.NSM, target release.Release, w *workload) (bool, error) {
	found, isKnown := r.selfRegistrations.known.Load(w.key())
	known, _ := found.(selfRegistration)
	may := registerThemselves(target.String(), w.version, nsm.Status.Version) || isKnown && !known.over
	if !w.exists || !may {
		return false, nil
	}
	// One that is up without having registered itself may still do so.
	isWaitedFor := !known.registered && w.registersItself && !w.held && w.isReady()
	if known.workload == w.seenAt && !isWaitedFor {
		return known.registered, nil
	}
	now := selfRegistration{workload: w.seenAt, registered: registerThemselves(w.version)}
	if isKnown || !w.isReady() || !hasReportedWebhook(nsm) {
		var err error
		if now.registered, err = r.tidySelfRegistrations(ctx, nsm, w); err != nil {
			// As it was known to be, or was reported last.
			return known.registered || !isKnown && hasReportedWebhook(nsm), err
		}
	}
	now.over = w.rolledOut && !now.registered && !registerThemselves(target.String(), w.version)
	r.selfRegistrations.known.Store(w.key(), now)
	return now.registered, nil
}

// registerThemselves tells whether the webhook's pods register themselves in one
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

// hasReportedWebhook tells whether the webhook has been seen up since the spec
// changed last.
func hasReportedWebhook(nsm *nsmv1beta1.NSM) bool {
	ready := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAdmissionWebhookReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == nsm.Generation
}

// tidySelfRegistrations deletes the configurations of pods that have gone, and
// tells whether there are others. The pods are listed after the configurations:
// a pod is there before its configuration.
func (r *NSMReconciler) tidySelfRegistrations(ctx context.Context, nsm *nsmv1beta1.NSM, w *workload) (bool, error) {
	configurations, err := r.configurationsOf(ctx, nsm)
	configurations = slices.DeleteFunc(configurations, isOf(nsm))
	if err != nil || len(configurations) == 0 {
		return false, err
	}
	pods, err := r.runningPods(ctx, w)
	if err != nil {
		return false, err
	}
	left := slices.DeleteFunc(slices.Clone(configurations), func(one admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return pods[one.Name] || !mesh.IsWebhookPod(one.Name)
	})
	return len(left) < len(configurations), r.deleteConfigurations(ctx, left)
}

// runningPods are the names of the workload's pods that have not ended and are
// not about to: whoever is being deleted is no longer asked.
func (r *NSMReconciler) runningPods(ctx context.Context, w *workload) (map[string]bool, error) {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	ended := fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)))
	if err := r.direct.List(ctx, pods, client.InNamespace(w.namespace), w.podLabels(), client.MatchingFieldsSelector{Selector: ended}); err != nil {
		return nil, err
	}
	running := map[string]bool{}
	for i := range pods.Items {
		running[pods.Items[i].Name] = pods.Items[i].DeletionTimestamp == nil
	}
	return running, nil
}

// configurationsOf are those that call the NSM's admission webhook: the
// operator's, and those that webhooks before v1.12.0 make for themselves. Those
// have no label of ours, so this asks the API server.
func (r *NSMReconciler) configurationsOf(ctx context.Context, nsm *nsmv1beta1.NSM) ([]admissionregistrationv1.MutatingWebhookConfiguration, error) {
	var all admissionregistrationv1.MutatingWebhookConfigurationList
	err := r.direct.List(ctx, &all)
	return slices.DeleteFunc(all.Items, func(one admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return !callsWebhookOf(&one, nsm.Namespace)
	}), err
}

// isOf tells which configurations are the operator's own for the NSM.
func isOf(nsm *nsmv1beta1.NSM) func(admissionregistrationv1.MutatingWebhookConfiguration) bool {
	owner := labels.SelectorFromSet(mesh.OwnerLabels(nsm))
	return func(one admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return owner.Matches(labels.Set(one.Labels))
	}
}

// removeSelfRegistrations deletes, before a webhook goes that the spec no longer
// wants, all that its pods have registered. Their role goes with it, so that they
// cannot do so themselves.
func (r *NSMReconciler) removeSelfRegistrations(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	if mesh.WebhookEnabled(&nsm.Spec) {
		return nil
	}
	if err := r.client.Get(ctx, webhookKey(nsm), &appsv1.Deployment{}); err != nil {
		return client.IgnoreNotFound(err)
	}
	configurations, err := r.configurationsOf(ctx, nsm)
	if err != nil {
		return err
	}
	configurations = slices.DeleteFunc(configurations, isOf(nsm))
	return r.deleteConfigurations(ctx, slices.DeleteFunc(configurations, isSomebodys(nsm)))
}

// isSomebodys tells which configurations neither the operator nor a pod of the
// webhook has made, and that the NSM does not let the operator take over.
func isSomebodys(nsm *nsmv1beta1.NSM) func(admissionregistrationv1.MutatingWebhookConfiguration) bool {
	return func(one admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return !isOf(nsm)(one) && !mesh.IsWebhookPod(one.Name) && !mesh.MayTakeOver(nsm)
	}
}

// removeRegistrations deletes what of the mesh calls the admission webhook. Where
// the webhook's Service is somebody else's, so is what calls it, but for the
// operator's own.
func (r *NSMReconciler) removeRegistrations(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	configurations, err := r.configurationsOf(ctx, nsm)
	if err != nil {
		return err
	}
	isLeft := isSomebodys(nsm)
	service := &metav1.PartialObjectMetadata{}
	service.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	err = r.direct.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: mesh.WebhookService}, service)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if may, _ := mesh.Claim(service, nsm); err == nil && !may {
		isOurs := isOf(nsm)
		isLeft = func(one admissionregistrationv1.MutatingWebhookConfiguration) bool { return !isOurs(one) }
	}
	return r.deleteConfigurations(ctx, slices.DeleteFunc(configurations, isLeft))
}

// dropCallers deletes, where the NSM lets the operator take a mesh over, what has
// that mesh's webhook called: it does not trust the certificate of ours.
func (r *NSMReconciler) dropCallers(ctx context.Context, nsm *nsmv1beta1.NSM) error {
	if !mesh.MayTakeOver(nsm) {
		return nil
	}
	configurations, err := r.configurationsOf(ctx, nsm)
	if err != nil {
		return err
	}
	return r.deleteConfigurations(ctx, slices.DeleteFunc(configurations, isOf(nsm)))
}

// deleteConfigurations deletes exactly those that were seen. Some never were in
// the cache: nobody may wait there until they are gone.
func (r *NSMReconciler) deleteConfigurations(ctx context.Context, configurations []admissionregistrationv1.MutatingWebhookConfiguration) error {
	for i := range configurations {
		one := &configurations[i]
		err := r.client.Delete(ctx, one, client.DisableReadYourWritesConsistency, client.Preconditions{UID: ptr.To(one.UID)})
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		log.FromContext(ctx).Info("Deleted", "object", "MutatingWebhookConfiguration "+one.Name)
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
