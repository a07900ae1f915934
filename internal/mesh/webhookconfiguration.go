// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	// ClientAnnotation is what a client asks for NSM with, unless the webhook's
	// environment names another one.
	ClientAnnotation = "networkservicemesh.io"
	// annotationEnv names it.
	annotationEnv = "NSM_ANNOTATION"

	// askingWebhook is asked about objects with the annotation; otherWebhook, about
	// all others, since their namespace may have it.
	askingWebhook = "nsm-mutating-webhook.networkservicemesh.io"
	otherWebhook  = "namespaces.nsm-mutating-webhook.networkservicemesh.io"
	// askingTimeout and otherTimeout are in seconds. While the webhook is down, what
	// does not ask for NSM waits for the second one at most.
	askingTimeout = 10
	otherTimeout  = 2

	// labelNotEnforced keeps AKS from adding terms to the namespace selector, again
	// and again, that would leave kube-system out: ours does already.
	labelNotEnforced = "admissions.enforcer/disabled"
)

// webhookConfiguration has the API server ask the webhook about what NSM's own
// configuration does, on creation alone, which is all that the webhook acts on.
// Each object meets one of two entries: one that asks for NSM is not let in
// without the webhook, unless the user says so; any other one always is.
func (p part) webhookConfiguration(spec nsmv1beta1.AdmissionWebhookSpec) *admissionregistrationv1.MutatingWebhookConfiguration {
	meta := p.clusterMetaNamed(WebhookConfigurationName(p.NSM.Namespace))
	meta.Labels[labelNotEnforced] = "true"
	asking := p.webhookEntry(askingWebhook)
	asking.FailurePolicy = ptr.To(admissionregistrationv1.FailurePolicyType(cmp.Or(spec.FailurePolicy, "Fail")))
	asking.TimeoutSeconds = ptr.To(int32(askingTimeout))
	entries := []admissionregistrationv1.MutatingWebhook{asking}
	if asks := asksForNSM(spec.Env); asks != "" {
		entries[0].MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "asks-for-nsm", Expression: asks}}
		other := p.webhookEntry(otherWebhook)
		other.FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
		other.TimeoutSeconds = ptr.To(int32(otherTimeout))
		other.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "does-not-ask-for-nsm", Expression: "!(" + asks + ")"}}
		entries = append(entries, other)
	}
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: meta,
		Webhooks:   entries,
	}
}

// RefusesWithoutWebhook reports whether, by a configuration of ours, the API server
// refuses something while the webhook does not answer. There may be none.
func RefusesWithoutWebhook(configuration *admissionregistrationv1.MutatingWebhookConfiguration) bool {
	return configuration != nil && slices.ContainsFunc(configuration.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
		return ptr.Deref(webhook.FailurePolicy, admissionregistrationv1.Fail) == admissionregistrationv1.Fail
	})
}

// asksForNSM is an expression that reports whether an object, or the template of its
// pods, has the annotation that the webhook reads, and a value in it
// (cmd-admission-webhook-k8s, main.go: an empty one is none). "" where nobody knows
// which annotation that is.
func asksForNSM(env []corev1.EnvVar) string {
	annotation := annotationOf(env)
	if annotation == "" {
		return ""
	}
	const has = "%s.?annotations[?%s].orValue('') != ''"
	key := celString(annotation)
	return fmt.Sprintf(has+" || "+has, "object.metadata", key, "object.?spec.?template.?metadata", key)
}

// annotationOf is the annotation that a webhook with this environment reads; "" where
// nobody knows.
func annotationOf(env []corev1.EnvVar) string {
	if i := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == annotationEnv }); i >= 0 {
		return env[i].Value
	}
	return ClientAnnotation
}

// AsksForClients reports whether the admission webhook of a mesh adds clients to all pods of
// a namespace, by its annotations.
func AsksForClients(spec *nsmv1beta1.NSMSpec, namespace *corev1.Namespace) bool {
	webhook := ptr.Deref(spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
	return WebhookEnabled(spec) && namespace.Annotations[annotationOf(webhook.Env)] != ""
}

// webhookEntry is what both entries have in common. Neither is ever asked about
// the workloads and pods of a mesh, this one or another: they must come up without
// the webhook.
func (p part) webhookEntry(name string) admissionregistrationv1.MutatingWebhook {
	rule := func(group string, resources ...string) admissionregistrationv1.RuleWithOperations {
		return admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: resources,
				Scope: ptr.To(admissionregistrationv1.NamespacedScope),
			},
		}
	}
	return admissionregistrationv1.MutatingWebhook{
		Name: name,
		ClientConfig: admissionregistrationv1.WebhookClientConfig{
			Service: &admissionregistrationv1.ServiceReference{
				Name: WebhookService, Namespace: p.NSM.Namespace, Path: ptr.To("/mutate"), Port: ptr.To(int32(webhookPort)),
			},
			CABundle: p.WebhookCertificate.CABundle,
		},
		Rules: []admissionregistrationv1.RuleWithOperations{
			rule("", "pods"),
			rule("apps", "deployments", "statefulsets", "daemonsets", "replicasets"),
		},
		MatchPolicy:       ptr.To(admissionregistrationv1.Equivalent),
		NamespaceSelector: p.clientNamespaces(),
		ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: LabelManagedBy, Operator: metav1.LabelSelectorOpNotIn, Values: []string{ManagedBy},
		}}},
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"},
		ReinvocationPolicy:      ptr.To(admissionregistrationv1.NeverReinvocationPolicy),
	}
}

// spireNamespaces are those that SPIRE is known to run in: without it no mesh
// comes up.
var spireNamespaces = []string{
	// NSM's own examples.
	"spire",
	// SPIRE's Helm charts.
	"spire-server", "spire-system", "spire-mgmt",
	// Red Hat's operator.
	"zero-trust-workload-identity-manager",
}

// The labels of OpenShift's own namespaces, which must come up before any webhook
// can answer: those of its core, and those that its own monitoring looks after.
const (
	platformLabel   = "openshift.io/run-level"
	monitoringLabel = "openshift.io/cluster-monitoring"
)

// clientNamespaces leaves out the namespaces whose pods must come up without
// the webhook: the mesh's own, the cluster's, the operator's and SPIRE's.
func (p part) clientNamespaces() *metav1.LabelSelector {
	never := append([]string{"kube-system"}, spireNamespaces...)
	for _, namespace := range []string{p.NSM.Namespace, p.OperatorNamespace} {
		if namespace != "" {
			never = append(never, namespace)
		}
	}
	expressions := []metav1.LabelSelectorRequirement{{
		Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: never,
	}}
	if p.Platform.OpenShift {
		// Names cannot be selected by their beginning, openshift-.
		expressions = append(expressions,
			metav1.LabelSelectorRequirement{Key: platformLabel, Operator: metav1.LabelSelectorOpDoesNotExist},
			metav1.LabelSelectorRequirement{Key: monitoringLabel, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"true"}})
	}
	return &metav1.LabelSelector{MatchExpressions: expressions}
}
