// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// conversionPath is where the webhook server converts.
const conversionPath = "/convert"

// inject writes how to call the webhooks, and the CAs to trust, wherever the API
// server reads it. It tells whether there was anything to write.
func (i *Issuer) inject(ctx context.Context, ca []byte) (bool, error) {
	conversion, failed := patch(ctx, i.client, crdName, &apiextensionsv1.CustomResourceDefinition{},
		func(crd *apiextensionsv1.CustomResourceDefinition) { i.injectConversion(crd, ca) })
	mutating, err := patch(ctx, i.client, mutatingConfigurationName, &admissionregistrationv1.MutatingWebhookConfiguration{},
		func(configuration *admissionregistrationv1.MutatingWebhookConfiguration) {
			for n := range configuration.Webhooks {
				i.injectAdmission(&configuration.Webhooks[n].ClientConfig, ca)
			}
		})
	failed = errors.Join(failed, err)
	validating, err := patch(ctx, i.client, validatingConfigurationName, &admissionregistrationv1.ValidatingWebhookConfiguration{},
		func(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) {
			for n := range configuration.Webhooks {
				i.injectAdmission(&configuration.Webhooks[n].ClientConfig, ca)
			}
		})
	return conversion || mutating || validating, errors.Join(failed, err)
}

// patch changes an object, when there is something to change, whoever else does
// so at the moment. It tells whether there was.
func patch[T client.Object](ctx context.Context, c client.Client, name string, object T, change func(T)) (bool, error) {
	changed := false
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := c.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
			return fmt.Errorf("%s: is the operator installed completely? %w", name, err)
		}
		before, ok := object.DeepCopyObject().(T)
		if !ok {
			return fmt.Errorf("%s: the copy of a %T is no %T", name, object, object)
		}
		change(object)
		if equality.Semantic.DeepEqual(before, object) {
			return nil
		}
		changed = true
		return c.Patch(ctx, object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	return changed, err
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
