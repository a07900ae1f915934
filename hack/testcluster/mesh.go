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
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// meshName is the NSM's.
const meshName = "test-cluster"

// ofMesh is what a mesh makes in the whole cluster.
func ofMesh(namespace string, isOpenShift bool) []string {
	made := []string{
		fmt.Sprintf("ClusterRoles and ClusterRoleBindings nsm:%s:...", namespace),
		"MutatingWebhookConfiguration nsm-mutating-webhook-" + namespace,
		fmt.Sprintf("ClusterSPIFFEID nsm-%s-workloads", namespace),
	}
	if isOpenShift {
		made = append(made, fmt.Sprintf("SecurityContextConstraints nsm-%s-...", namespace),
			fmt.Sprintf("ValidatingAdmissionPolicy nsm-%s-client and its binding", namespace), "CSIDriver csi.networkservicemesh.io")
	}
	return made
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
