// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

const (
	// conversionPath is where the webhook server converts.
	conversionPath = "/convert"
	// fieldOwner is our name in managedFields.
	fieldOwner = client.FieldOwner("nsm-operator")
)

// target is one of the objects that tell the API server how to call the webhooks.
type target struct {
	kind, name string
	// fresh is an object of that kind.
	fresh func() client.Object
}

var targets = []target{
	{"CustomResourceDefinition", crdName, func() client.Object { return newDefinition() }},
	{"MutatingWebhookConfiguration", mutatingConfigurationName, func() client.Object { return &admissionregistrationv1.MutatingWebhookConfiguration{} }},
	{"ValidatingWebhookConfiguration", validatingConfigurationName, func() client.Object { return &admissionregistrationv1.ValidatingWebhookConfiguration{} }},
}

// newDefinition is a CRD of which all is kept. It is written as a whole, so a type of ours
// would drop what only the API server knows: a field of a newer Kubernetes.
func newDefinition() *unstructured.Unstructured {
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	return crd
}

// inject writes how to call the webhooks, and the CAs to trust, wherever the API
// server reads it. It reports whether there was anything to write, and when to come
// again where somebody else keeps changing it; zero for never.
func (i *Issuer) inject(ctx context.Context, ca []byte) (changed bool, again time.Time, err error) {
	for _, place := range targets {
		hasWritten, wait, failed := i.put(ctx, place, ca)
		changed, err = changed || hasWritten, errors.Join(err, failed)
		if wait > 0 {
			again = earlier(again, i.Clock.Now().Add(wait))
		}
	}
	return changed, again, err
}

// put writes into one object how to call the webhooks, when there is something to
// change, whoever else writes it at the moment. Somebody who keeps overwriting it
// is not fought: then it tells how long to wait.
func (i *Issuer) put(ctx context.Context, place target, ca []byte) (changed bool, wait time.Duration, err error) {
	intent := i.URL + string(ca)
	if i.leads.Load() {
		// It intends more, and may be of another version than whoever led before.
		intent += " leads"
	}
	if i.waits {
		intent += " waits"
	}
	var other string
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object := place.fresh()
		err := i.client.Get(ctx, client.ObjectKey{Name: place.name}, object)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		before, ok := object.DeepCopyObject().(client.Object)
		if !ok {
			return fmt.Errorf("%s: the copy of a %T is no object", place.name, object)
		}
		if err := i.injectInto(ctx, object, ca); err != nil {
			return err
		}
		if equality.Semantic.DeepEqual(before, object) || i.backoff.Holds(place.name, intent) {
			return nil
		}
		changed, other = true, lastWriter(before)
		if !exists(before) {
			return i.client.Create(ctx, object, fieldOwner)
		}
		if place.name == crdName {
			return i.client.Update(ctx, object, fieldOwner)
		}
		return i.client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), fieldOwner)
	})
	if err == nil && changed {
		i.wrote(place, intent, other)
	}
	if contested, after := i.backoff.Contested(place.name); contested {
		wait = after
	}
	return changed, wait, err
}

// wrote notes a write, and tells of one that undoes somebody else's.
func (i *Issuer) wrote(place target, intent, other string) {
	i.backoff.Wrote(place.name, intent)
	if i.intents[place.name] == intent {
		metrics.WebhooksRepaired.WithLabelValues(place.kind).Inc()
		_, wait := i.backoff.Contested(place.name)
		ctrl.Log.WithName("certs").Info("Somebody else changed how the API server calls the webhooks; put it right",
			"kind", place.kind, "name", place.name, "by", other, "notAgainFor", wait.String())
	}
	i.intents[place.name] = intent
}

// lastWriter is the field manager that wrote an object last; the API server
// itself writes the status.
func lastWriter(object client.Object) string {
	var last metav1.ManagedFieldsEntry
	for _, entry := range object.GetManagedFields() {
		if entry.Time != nil && entry.Subresource == "" && entry.Manager != string(fieldOwner) && (last.Time == nil || last.Time.Before(entry.Time)) {
			last = entry
		}
	}
	return cmp.Or(last.Manager, "unknown")
}

// earlier of two times, of which one that is zero does not count.
func earlier(one, other time.Time) time.Time {
	if one.IsZero() || !other.IsZero() && other.Before(one) {
		return other
	}
	return one
}

// exists reports whether an object was read.
func exists(object client.Object) bool { return object.GetResourceVersion() != "" }

// injectInto changes an object of one of the three kinds, or makes one. While nobody can
// call the webhooks and nobody needs them, it makes the guard alone.
func (i *Issuer) injectInto(ctx context.Context, object client.Object, ca []byte) error {
	switch object := object.(type) {
	case *unstructured.Unstructured:
		if !exists(object) {
			return fmt.Errorf("there is no CustomResourceDefinition %s: is the operator installed completely?", crdName)
		}
		return i.injectConversion(object, ca)
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		if !exists(object) {
			i.mutating.DeepCopyInto(object)
		}
		i.injectMutating(object, ca)
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		if !exists(object) && i.waits {
			return nil
		}
		if !exists(object) {
			i.validating.DeepCopyInto(object)
		}
		i.injectValidating(object, ca)
	}
	_, err := i.own(ctx, object)
	return err
}

// injectConversion writes the whole of how to convert, not only the CA. It leaves a CRD
// alone that needs no conversion yet, until the API server can call this replica.
func (i *Issuer) injectConversion(crd *unstructured.Unstructured, ca []byte) error {
	config := &apiextensionsv1.WebhookClientConfig{CABundle: ca}
	if i.URL != "" {
		config.URL = ptr.To(i.URL + conversionPath)
	} else {
		config.Service = &apiextensionsv1.ServiceReference{
			Name: serviceName, Namespace: i.Namespace, Path: ptr.To(conversionPath), Port: ptr.To[int32](443),
		}
	}
	conversion := &apiextensionsv1.CustomResourceConversion{
		Strategy: apiextensionsv1.WebhookConverter,
		Webhook: &apiextensionsv1.WebhookConversion{
			ClientConfig: config, ConversionReviewVersions: []string{"v1"},
		},
	}
	i.conversion.Store(conversion)
	if i.waits = !i.callable.Load() && isUnserved(crd, storageVersion); i.waits {
		return nil
	}
	return convertBy(crd, conversion)
}

// storageVersion is the version in which NSMs are stored.
const storageVersion = "v1beta1"

// convertBy has the API server convert in one way, and serve all versions that are
// converted. With any other strategy, which the deletion of an installation by OLM leaves
// behind, it would store objects unconverted. In the manifest of an OLM bundle the older
// version is not served, since nobody converts it yet.
func convertBy(crd *unstructured.Unstructured, conversion *apiextensionsv1.CustomResourceConversion) error {
	stanza, err := runtime.DefaultUnstructuredConverter.ToUnstructured(conversion)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedMap(crd.Object, stanza, "spec", "conversion"); err != nil {
		return err
	}
	for _, version := range versionsOf(crd) {
		if isConverted(version["name"]) {
			version["served"] = true
		}
	}
	return nil
}

// versionsOf are the versions in a CRD, to be changed there.
func versionsOf(crd *unstructured.Unstructured) []map[string]any {
	list, _, _ := unstructured.NestedFieldNoCopy(crd.Object, "spec", "versions")
	entries, _ := list.([]any)
	var versions []map[string]any
	for _, entry := range entries {
		if version, ok := entry.(map[string]any); ok {
			versions = append(versions, version)
		}
	}
	return versions
}

func isUnserved(crd *unstructured.Unstructured, name string) bool {
	return slices.ContainsFunc(versionsOf(crd), func(version map[string]any) bool {
		return version["name"] == name && version["served"] != true
	})
}

func isConverted(version any) bool {
	name, ok := version.(string)
	return ok && slices.Contains(converted, name)
}
