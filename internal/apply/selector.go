// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// withoutAddedTerms is a live object without the terms that others have put beside
// those of the intent into the namespace selectors of webhooks. AKS does so to every
// configuration in the cluster, and whoever took them away would do so for ever. A
// term only narrows what a webhook is asked about.
//
// Every other selector is one value: whoever changes a term of it changes all of it.
func withoutAddedTerms(want *intent, live client.Object) (client.Object, error) {
	configuration, isConfiguration := live.(*admissionregistrationv1.MutatingWebhookConfiguration)
	if !isConfiguration {
		return live, nil
	}
	wanted := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(want.object.Object, wanted); err != nil {
		return nil, err
	}
	configuration = configuration.DeepCopy()
	for i := range configuration.Webhooks {
		webhook := &configuration.Webhooks[i]
		at := slices.IndexFunc(wanted.Webhooks, func(other admissionregistrationv1.MutatingWebhook) bool { return other.Name == webhook.Name })
		if at >= 0 && hasAllTerms(webhook.NamespaceSelector, wanted.Webhooks[at].NamespaceSelector) {
			webhook.NamespaceSelector = wanted.Webhooks[at].NamespaceSelector
		}
	}
	return configuration, nil
}

// hasAllTerms reports whether a selector has all terms of another one.
func hasAllTerms(selector, terms *metav1.LabelSelector) bool {
	if selector == nil || terms == nil {
		return false
	}
	for key, value := range terms.MatchLabels {
		if got, isThere := selector.MatchLabels[key]; !isThere || got != value {
			return false
		}
	}
	return !slices.ContainsFunc(terms.MatchExpressions, func(term metav1.LabelSelectorRequirement) bool {
		return !slices.ContainsFunc(selector.MatchExpressions, func(other metav1.LabelSelectorRequirement) bool {
			return equality.Semantic.DeepEqual(term, other)
		})
	})
}
