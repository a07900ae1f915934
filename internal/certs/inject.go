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
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

const (
	// conversionPath is where the webhook server converts.
	conversionPath = "/convert"
	// fieldOwner is our name in managedFields.
	fieldOwner = client.FieldOwner("nsm-operator")
)

// overwritten counts what others overwrite of how the API server is told to call
// the webhooks.
var overwritten = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "nsm_operator_webhooks_repaired_total",
	Help: "Objects that tell the API server how to call the operator's webhooks, which somebody else changed and the operator put right, by kind.",
}, []string{"kind"})

func init() {
	metrics.Registry.MustRegister(overwritten)
}

// inject writes how to call the webhooks, and the CAs to trust, wherever the API
// server reads it. It tells whether there was anything to write, and when to come
// again where somebody else keeps changing it; zero for never.
func (i *Issuer) inject(ctx context.Context, ca []byte) (told bool, again time.Time, err error) {
	for _, place := range []struct {
		kind, name string
		object     client.Object
	}{
		{"CustomResourceDefinition", crdName, &apiextensionsv1.CustomResourceDefinition{}},
		{"MutatingWebhookConfiguration", mutatingConfigurationName, &admissionregistrationv1.MutatingWebhookConfiguration{}},
		{"ValidatingWebhookConfiguration", validatingConfigurationName, &admissionregistrationv1.ValidatingWebhookConfiguration{}},
	} {
		changed, wait, failed := i.put(ctx, place.kind, place.name, place.object, ca)
		told, err = told || changed, errors.Join(err, failed)
		if wait > 0 {
			again = earlier(again, i.Clock.Now().Add(wait))
		}
	}
	return told, again, err
}

// put writes into one object how to call the webhooks, when there is something to
// change, whoever else writes it at the moment. Somebody who keeps overwriting it
// is not fought: then it tells how long to wait.
func (i *Issuer) put(ctx context.Context, kind, name string, object client.Object, ca []byte) (changed bool, wait time.Duration, err error) {
	intent := i.URL + string(ca)
	var other string
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := i.client.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
			return fmt.Errorf("%s: is the operator installed completely? %w", name, err)
		}
		before, ok := object.DeepCopyObject().(client.Object)
		if !ok {
			return fmt.Errorf("%s: the copy of a %T is no object", name, object)
		}
		i.injectInto(object, ca)
		if equality.Semantic.DeepEqual(before, object) || i.brake.Holds(name, intent) {
			return nil
		}
		changed, other = true, lastWriter(before)
		return i.client.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), fieldOwner)
	})
	if err == nil && changed {
		i.wrote(kind, name, intent, other)
	}
	if contested, after := i.brake.Contested(name); contested {
		wait = after
	}
	return changed, wait, err
}

// wrote notes a write, and tells of one that undoes somebody else's.
func (i *Issuer) wrote(kind, name, intent, other string) {
	i.brake.Wrote(name, intent)
	if i.intents[name] == intent {
		overwritten.WithLabelValues(kind).Inc()
		_, wait := i.brake.Contested(name)
		ctrl.Log.WithName("certs").Info("Somebody else changed how the API server calls the webhooks; put it right",
			"kind", kind, "name", name, "by", other, "notAgainFor", wait.String())
	}
	i.intents[name] = intent
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

// injectInto changes an object of one of the three kinds.
func (i *Issuer) injectInto(object client.Object, ca []byte) {
	switch object := object.(type) {
	case *apiextensionsv1.CustomResourceDefinition:
		i.injectConversion(object, ca)
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for n := range object.Webhooks {
			i.injectAdmission(&object.Webhooks[n].ClientConfig, ca)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for n := range object.Webhooks {
			i.injectAdmission(&object.Webhooks[n].ClientConfig, ca)
		}
	}
}

// injectConversion writes the whole of spec.conversion, not only the CA: with
// any other strategy, which the deletion of an installation by OLM leaves
// behind, the API server would store objects unconverted.
func (i *Issuer) injectConversion(crd *apiextensionsv1.CustomResourceDefinition, ca []byte) {
	config := &apiextensionsv1.WebhookClientConfig{CABundle: ca}
	if i.URL != "" {
		config.URL = ptr.To(i.URL + conversionPath)
	} else {
		config.Service = &apiextensionsv1.ServiceReference{
			Name: serviceName, Namespace: i.Namespace, Path: ptr.To(conversionPath), Port: ptr.To[int32](443),
		}
	}
	crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{
		Strategy: apiextensionsv1.WebhookConverter,
		Webhook: &apiextensionsv1.WebhookConversion{
			ClientConfig: config, ConversionReviewVersions: []string{"v1"},
		},
	}
}

func (i *Issuer) injectAdmission(config *admissionregistrationv1.WebhookClientConfig, ca []byte) {
	path := ptr.To("/")
	if config.Service != nil && config.Service.Path != nil {
		path = config.Service.Path
	} else if called, err := url.Parse(ptr.Deref(config.URL, "")); err == nil {
		// An operator outside the cluster was here before.
		path = &called.Path
	}
	*config = admissionregistrationv1.WebhookClientConfig{CABundle: ca}
	if i.URL != "" {
		config.URL = ptr.To(i.URL + *path)
		return
	}
	config.Service = &admissionregistrationv1.ServiceReference{
		Name: serviceName, Namespace: i.Namespace, Path: path, Port: ptr.To[int32](443),
	}
}
