// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/health"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// staleClients count the pods that have an older client. Pods are in no cache: they
// are listed when what the webhook injects has changed, and now and then while there
// are stale ones. After that only a workload with a client in its own template, scaled
// up from zero, brings new ones. They are not worth a request every ten minutes of
// every mesh at rest.
type staleClients struct {
	// direct reads from the API server.
	direct   client.Reader
	memories *memories
	times    Times
	now      func() time.Time
}

// clientCount is what was counted of one webhook.
type clientCount struct {
	// images that the webhook injected when it was counted; "" for not counted yet.
	images mesh.ClientImages
	stale  health.StaleClients
	until  time.Time
}

// observe counts the pods whose client is not the one that the admission webhook
// would inject now. While the webhook itself is being changed, what was counted last
// stays. That nothing was stale is taken as it is when this process first sees a mesh.
func (s *staleClients) observe(ctx context.Context, nsm *nsmv1beta1.NSM, w *health.Workload, seen *observation) {
	if w == nil {
		return
	}
	images := mesh.ClientImagesOf(w.Component)
	remembered := s.memories.of(nsm)
	known := ptr.Deref(remembered.clients, clientCount{})
	if remembered.clients == nil && hadNoStaleClients(nsm, seen) {
		known.images = images
	}
	isDue := known.images != images || known.stale.Count > 0 && !s.now().Before(known.until)
	if isDue && w.IsReady() && w.IsWritten() {
		stale, err := s.count(ctx, images)
		if err != nil {
			log.FromContext(ctx).Error(err, "Counting the pods with an older client")
			seen.wake(s.now().Add(s.times.AskAgain))
		} else {
			known = clientCount{images: images, stale: stale, until: s.now().Add(s.times.Recount)}
		}
	}
	if known.images == "" {
		seen.StaleClients = reportedStaleClients(nsm)
		return
	}
	remembered.clients = &known
	seen.StaleClients = &known.stale
	if known.stale.Count > 0 && s.now().Before(known.until) {
		seen.wake(known.until)
	}
}

// reportedStaleClients are those that the status tells of; nil where it does not.
func reportedStaleClients(nsm *nsmv1beta1.NSM) *health.StaleClients {
	if nsm.Status.StaleClients == nil {
		return nil
	}
	return &health.StaleClients{Sample: health.Sample{Count: int(*nsm.Status.StaleClients)}}
}

// hadNoStaleClients reports whether an earlier process has counted none of the release
// that runs.
func hadNoStaleClients(nsm *nsmv1beta1.NSM, seen *observation) bool {
	return ptr.Deref(nsm.Status.StaleClients, 1) == 0 && nsm.Status.Version == seen.Release.String() &&
		meta.IsStatusConditionTrue(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable) && nsm.Status.ObservedGeneration == nsm.Generation
}

// count looks at all pods with a client.
func (s *staleClients) count(ctx context.Context, images mesh.ClientImages) (health.StaleClients, error) {
	stale := health.StaleClients{Images: images}
	err := eachPod(ctx, s.direct, func(pod *corev1.Pod) {
		if images.AreStaleIn(pod) {
			stale.Add(pod.Namespace, pod.Name)
		}
	}, client.MatchingLabels(mesh.IdentityLabels()))
	return stale, err
}

// recordStaleClients records an event when pods have come to have an older client.
func (r *NSMReconciler) recordStaleClients(before, after *nsmv1beta1.NSM, seen *observation) {
	if ptr.Deref(after.Status.StaleClients, 0) == 0 || ptr.Deref(before.Status.StaleClients, 0) > 0 || seen.StaleClients == nil {
		return
	}
	r.recorder.Eventf(after, nil, corev1.EventTypeNormal, "StaleClients", "Observe", "%s", seen.StaleClients.Message())
}
