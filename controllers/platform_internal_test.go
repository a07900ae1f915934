// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// removals is a cache that tells when an informer is removed.
type removals struct {
	informertest.FakeInformers
	removed func(client.Object)
}

// GetInformer is one that holds nothing.
func (r *removals) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{}, &nsmv1beta1.NSM{}, 0, nil), nil
}

func (r *removals) RemoveInformer(_ context.Context, kind client.Object) error {
	r.removed(kind)
	return nil
}

func TestNobodyReadsAKindOnceItsInformerIsRemoved(t *testing.T) {
	g := NewWithT(t)
	var (
		w       platformWatch
		removed []string
	)
	w.cache = &removals{removed: func(kind client.Object) {
		removed = append(removed, kind.GetObjectKind().GroupVersionKind().Kind)
		g.Expect(w.now().ClusterSPIFFEIDs).To(BeFalse(), "a pass that begins now would start another one")
	}}
	w.current.Store(&mesh.Platform{ClusterSPIFFEIDs: true})
	g.Expect(w.change(t.Context(), mesh.Platform{})).To(Succeed())
	g.Expect(removed).To(ConsistOf("ClusterSPIFFEID"))
}
