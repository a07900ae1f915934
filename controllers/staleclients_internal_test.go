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
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// pages is a cluster with two pages of pods, each with a client of another version.
type pages struct {
	client.Reader
	asked []client.ListOptions
}

// List implements client.Reader.
func (p *pages) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	p.asked = append(p.asked, *asked)
	pods, isPods := list.(*corev1.PodList)
	if !isPods {
		return nil
	}
	const old = "example.com/cmd-nsc:v1.17.0"
	pods.Items = []corev1.Pod{{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: mesh.InjectedContainerName(old), Image: old}}}}}
	pods.Continue = map[string]string{"": "more"}[asked.Continue]
	return nil
}

// TestClientsAreCountedPageByPage, and no pod is asked for that has none.
func TestClientsAreCountedPageByPage(t *testing.T) {
	g := NewWithT(t)
	cluster := &pages{}
	counted, err := (&staleClients{direct: cluster}).count(t.Context(), "example.com/cmd-nsc:v1.18.0")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(counted.Count).To(Equal(2))
	g.Expect(cluster.asked).To(HaveLen(2))
	for _, asked := range cluster.asked {
		g.Expect(asked.Limit).To(BeEquivalentTo(mostPods))
		g.Expect(asked.LabelSelector.String()).To(Equal(labels.SelectorFromSet(mesh.IdentityLabels()).String()))
	}
	g.Expect(cluster.asked[1].Continue).To(Equal("more"))
}
