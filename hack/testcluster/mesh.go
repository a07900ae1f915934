// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// meshName is the NSM's.
const meshName = "test-cluster"

// outsideOfMesh names what the mesh makes outside of the namespaces of this test: by its NSM and
// by what the cluster offers, in both releases that it has.
func (w *walk) outsideOfMesh(ctx context.Context, offers mesh.Platform) ([]string, error) {
	found, err := w.readMesh()
	if err != nil {
		return nil, err
	}
	nsm := &nsmv1beta1.NSM{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, nsm); err != nil {
		return nil, fmt.Errorf("%s: %w", w.settings.sampleOf(w.plan.isOpenShift), err)
	}
	// SPIRE's controller manager is there before the mesh is.
	offers.ClusterSPIFFEIDs = offers.ClusterSPIFFEIDs || w.settings.BringsSpire()
	var names []string
	for _, version := range []string{w.settings.from, w.settings.to} {
		in := mesh.Input{NSM: nsm, Platform: offers, OperatorNamespace: w.settings.OperatorNamespace(), WebhookServing: true}
		if in.Release, err = release.Parse(version); err != nil {
			return nil, err
		}
		if in.ClientNamespaces, err = w.clientNamespaces(ctx, in); err != nil {
			return nil, err
		}
		components := mesh.Components(in)
		for _, object := range slices.Concat(mesh.Identities(in), mesh.Constraints(in, components), mesh.Objects(components), mesh.PodMonitors(in, components)) {
			switch namespace := object.GetNamespace(); {
			case namespace == "":
				names = append(names, mesh.KindOf(object)+" "+object.GetName())
			case !slices.Contains(w.plan.namespaces, namespace):
				names = append(names, mesh.KindOf(object)+" "+namespace+"/"+object.GetName())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// clientNamespaces are those of other people that the mesh grants clients something in.
func (w *walk) clientNamespaces(ctx context.Context, in mesh.Input) ([]string, error) {
	wanted := mesh.ClientSelector(in)
	if wanted == nil {
		return nil, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(wanted)
	if err != nil {
		return nil, fmt.Errorf("spec.openshift.clientNamespaces: %w", err)
	}
	var all corev1.NamespaceList
	if err := w.List(ctx, &all, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	var names []string
	for i := range all.Items {
		names = append(names, all.Items[i].Name)
	}
	return names, nil
}

// sampleOf the cluster, unless there is one of the caller's.
func (s *settings) sampleOf(isOpenShift bool) string {
	switch {
	case s.sample != "":
		return s.sample
	case isOpenShift:
		return filepath.Join(s.samples, "nsm_v1beta1_openshift.yaml")
	default:
		return filepath.Join(s.samples, "nsm_v1beta1_nsm.yaml")
	}
}

// readMesh reads a sample as the NSM of this test.
func (w *walk) readMesh() (*unstructured.Unstructured, error) {
	file := w.settings.sampleOf(w.plan.isOpenShift)
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	nsm := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &nsm.Object); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if nsm.GroupVersionKind() != nsmv1beta1.GroupVersion.WithKind("NSM") {
		return nil, fmt.Errorf("%s: must hold one NSM of %s", file, nsmv1beta1.GroupVersion)
	}
	nsm.SetName(meshName)
	nsm.SetNamespace(w.settings.Namespace)
	return nsm, unstructured.SetNestedField(nsm.Object, w.settings.from, "spec", "version")
}

func (w *walk) makeMesh(ctx context.Context) error {
	nsm, err := w.readMesh()
	if err != nil {
		return err
	}
	if err := w.Create(ctx, nsm); err != nil {
		return err
	}
	return w.awaitMesh(ctx, w.settings.from, 2*w.settings.Timeout)
}

// changeRelease sets the release of the mesh, and waits until all of it runs that one.
func (w *walk) changeRelease(ctx context.Context, release string) error {
	nsm := &unstructured.Unstructured{}
	nsm.SetGroupVersionKind(nsmv1beta1.GroupVersion.WithKind("NSM"))
	nsm.SetNamespace(w.settings.Namespace)
	nsm.SetName(meshName)
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"version": release}})
	if err != nil {
		return err
	}
	if err := w.Patch(ctx, nsm, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		return err
	}
	// Stage by stage, with images that have to be pulled.
	return w.awaitMesh(ctx, release, 4*w.settings.Timeout)
}

func (w *walk) awaitMesh(ctx context.Context, release string, limit time.Duration) error {
	return w.Within(limit).Await(ctx, "NSM "+release, func(ctx context.Context) (string, error) {
		found := &unstructured.Unstructured{}
		found.SetGroupVersionKind(nsmv1beta1.GroupVersion.WithKind("NSM"))
		if err := w.Get(ctx, client.ObjectKey{Namespace: w.settings.Namespace, Name: meshName}, found); err != nil {
			return "", err
		}
		nsm := &nsmv1beta1.NSM{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, nsm); err != nil {
			return "", err
		}
		return lacks(nsm, release), nil
	})
}

// lacks says what a mesh lacks to run a release; "" for nothing.
func lacks(nsm *nsmv1beta1.NSM, release string) string {
	available := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable)
	ready := meta.FindStatusCondition(nsm.Status.Conditions, nsmv1beta1.ConditionReady)
	switch {
	case nsm.Status.ObservedGeneration != nsm.Generation || available == nil || ready == nil:
		return "the operator has not looked at it yet"
	case available.Status != metav1.ConditionTrue:
		return available.Message
	case ready.Status != metav1.ConditionTrue:
		return ready.Message
	case nsm.Status.Version != release:
		return "it runs " + nsm.Status.Version
	default:
		return ""
	}
}
