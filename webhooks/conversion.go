// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package webhooks holds what the API server calls: conversion between the
// versions of NSM (pure functions), defaulting, and the part of validation that
// OpenAPI and CEL cannot express.
package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// ConversionAnnotation keeps, on an object of one version, what only the other
// version can say. Its value is a conversionData. It is there only where
// something would be lost without it.
const ConversionAnnotation = "nsm.networkservicemesh.io/conversion-data"

// conversionData is the spec that an object had in the other version.
type conversionData[Other any] struct {
	// Spec is the spec in the other version.
	Spec Other `json:"spec"`
	// Of is the hash of the spec, in this version, that Spec was the same as.
	// With any other hash the object has been edited in this version since.
	Of string `json:"of"`
}

// ConvertToV1beta1 makes dst say all that src says.
func ConvertToV1beta1(_ context.Context, src *nsmv1alpha1.NSM, dst *nsmv1beta1.NSM) error {
	src.ObjectMeta.DeepCopyInto(&dst.ObjectMeta)
	dst.Status = statusUp(&src.Status)
	dst.Spec = specUp(&src.Spec)

	saved, ok, err := takeData[nsmv1beta1.NSMSpec](&dst.ObjectMeta)
	if err != nil {
		return err
	}
	if ok {
		dst.Spec, err = restoreUp(&src.Spec, saved)
		if err != nil {
			return err
		}
	}
	if equality.Semantic.DeepEqual(specDown(&dst.Spec, false), src.Spec) {
		return nil
	}
	return keepData(&dst.ObjectMeta, &src.Spec, &dst.Spec)
}

// restoreUp brings back a v1beta1 spec that an object had before it was
// written in v1alpha1, with the edits made there.
func restoreUp(spec *nsmv1alpha1.NSMSpec, saved conversionData[nsmv1beta1.NSMSpec]) (nsmv1beta1.NSMSpec, error) {
	hash, err := hashOf(spec)
	if err != nil || saved.Of == hash {
		return saved.Spec, err
	}
	before := specDown(&saved.Spec, isFlat(spec))
	return merge(specUp(&before), specUp(spec), saved.Spec)
}

// ConvertFromV1beta1 makes dst say all that src says.
func ConvertFromV1beta1(_ context.Context, src *nsmv1beta1.NSM, dst *nsmv1alpha1.NSM) error {
	src.ObjectMeta.DeepCopyInto(&dst.ObjectMeta)
	dst.Status = statusDown(src)
	dst.Spec = specDown(&src.Spec, false)

	saved, ok, err := takeData[nsmv1alpha1.NSMSpec](&dst.ObjectMeta)
	if err != nil {
		return err
	}
	if ok {
		dst.Spec, err = restoreDown(&src.Spec, saved)
		if err != nil {
			return err
		}
	}
	if equality.Semantic.DeepEqual(specUp(&dst.Spec), src.Spec) {
		return nil
	}
	return keepData(&dst.ObjectMeta, &src.Spec, &dst.Spec)
}

// restoreDown brings back the v1alpha1 spec that an object was written in; one
// that has been edited in v1beta1 since keeps no more than its shape.
func restoreDown(spec *nsmv1beta1.NSMSpec, saved conversionData[nsmv1alpha1.NSMSpec]) (nsmv1alpha1.NSMSpec, error) {
	hash, err := hashOf(spec)
	if err != nil || saved.Of == hash {
		return saved.Spec, err
	}
	return specDown(spec, isFlat(&saved.Spec)), nil
}

// merge applies to full the changes that lead from before to after, field by
// field and, in lists with keys, element by element.
func merge[Spec any](before, after, full Spec) (Spec, error) {
	var merged Spec
	beforeJSON, err := json.Marshal(before)
	if err != nil {
		return merged, err
	}
	afterJSON, err := json.Marshal(after)
	if err != nil {
		return merged, err
	}
	fullJSON, err := json.Marshal(full)
	if err != nil {
		return merged, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(beforeJSON, afterJSON, merged)
	if err != nil {
		return merged, err
	}
	mergedJSON, err := strategicpatch.StrategicMergePatch(fullJSON, patch, merged)
	if err != nil {
		return merged, err
	}
	return merged, json.Unmarshal(mergedJSON, &merged)
}

// takeData removes the annotation and reads it. One that cannot be read, or
// belongs to the other direction, says nothing.
func takeData[Other any](meta *metav1.ObjectMeta) (conversionData[Other], bool, error) {
	var data conversionData[Other]
	raw, ok := meta.Annotations[ConversionAnnotation]
	if !ok {
		return data, false, nil
	}
	delete(meta.Annotations, ConversionAnnotation)
	if len(meta.Annotations) == 0 {
		meta.Annotations = nil
	}
	if err := json.Unmarshal([]byte(raw), &data); err != nil {
		return data, false, nil //nolint:nilerr // somebody wrote into the annotation: it has nothing to restore
	}
	return data, data.Of != "", nil
}

// keepData writes the annotation: spec is what this object was in the other
// version, of is what it is now.
func keepData(meta *metav1.ObjectMeta, spec, of any) error {
	hash, err := hashOf(of)
	if err != nil {
		return err
	}
	value, err := json.Marshal(conversionData[any]{Spec: spec, Of: hash})
	if err != nil {
		return err
	}
	metav1.SetMetaDataAnnotation(meta, ConversionAnnotation, string(value))
	return nil
}

func hashOf(spec any) (string, error) {
	data, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}

// phaseOf sums the conditions up as the released operators did.
func phaseOf(nsm *nsmv1beta1.NSM) nsmv1alpha1.NSMPhase {
	switch {
	case nsm.DeletionTimestamp != nil:
		return nsmv1alpha1.NSMPhaseTerminating
	case meta.IsStatusConditionTrue(nsm.Status.Conditions, nsmv1beta1.ConditionAvailable):
		return nsmv1alpha1.NSMPhaseRunning
	case len(nsm.Status.Conditions) > 0:
		return nsmv1alpha1.NSMPhaseCreating
	default:
		return nsmv1alpha1.NSMPhasePending
	}
}
