// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package certs

import (
	"context"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// idle is how long nothing may happen before everything is looked at again,
	// should a watch be dead without saying so.
	idle = 10 * time.Minute
	// rewatch is the pause before a watch that has ended is begun again. The API
	// server ends each after some minutes.
	rewatch = time.Second
)

// watched are the objects that matter, by name.
var watched = []struct {
	gvk  schema.GroupVersionKind
	name string
}{
	{corev1.SchemeGroupVersion.WithKind("Secret"), secretName},
	{apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), crdName},
	{admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"), mutatingConfigurationName},
	{admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration"), validatingConfigurationName},
}

// keep makes passes until the context ends: when a step is due, and when one of
// the objects changes. They are watched and not polled: what somebody overwrites
// is back at once, another replica's step is noticed at once, and nothing is
// read while nothing happens.
func (i *Issuer) keep(ctx context.Context, wakeAt time.Time) {
	for _, object := range watched {
		go wait.UntilWithContext(ctx, func(ctx context.Context) { i.watch(ctx, object.gvk, object.name) }, rewatch)
	}
	pause := newPause()
	for {
		timer := i.Clock.NewTimer(min(wakeAt.Sub(i.Clock.Now()), idle))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-i.changed:
			timer.Stop()
		case <-timer.C():
		}
		var err error
		if wakeAt, err = i.pass(ctx); err == nil {
			pause = newPause()
			continue
		}
		if ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			ctrl.Log.WithName("certs").Error(err, "The webhooks' certificate is not up to date; trying again")
		}
		wakeAt = i.Clock.Now().Add(pause.Step())
	}
}

// newPause grows with each failure, up to half a minute.
func newPause() *wait.Backoff {
	return &wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 12, Cap: 30 * time.Second}
}

// watch tells of every change of one object while the watch lasts. A watch by
// name needs the permission for that name only.
func (i *Issuer) watch(ctx context.Context, gvk schema.GroupVersionKind, name string) {
	// The CRD is large, and all that counts is that it has changed.
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk)
	options := []client.ListOption{client.MatchingFields{"metadata.name": name}}
	if gvk.Group == corev1.GroupName {
		options = append(options, client.InNamespace(i.Namespace))
	}
	events, err := i.client.Watch(ctx, list, options...)
	if err != nil {
		if ctx.Err() == nil {
			ctrl.Log.WithName("certs").Error(err, "Cannot watch", "kind", gvk.Kind, "name", name)
		}
		return
	}
	defer events.Stop()
	for range events.ResultChan() {
		i.wake()
	}
}
