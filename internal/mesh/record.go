// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// RecordName is the name of the ControllerRevision that keeps the spec with which a
// mesh was Available last, to go back to. Kubernetes' own roles let nobody write
// ControllerRevisions but cluster admins.
const RecordName = "nsm-last-available"

// recorded is what a record holds.
type recorded struct {
	APIVersion string              `json:"apiVersion"`
	Spec       *nsmv1beta1.NSMSpec `json:"spec"`
}

// Record renders the record of a spec. An object cannot change it: it is made anew.
func Record(in Input) (Object, error) {
	data, err := json.Marshal(recorded{APIVersion: nsmv1beta1.GroupVersion.String(), Spec: &in.NSM.Spec})
	if err != nil {
		return nil, fmt.Errorf("recording the spec: %w", err)
	}
	p := part{Input: in, role: "record", name: RecordName}
	return &appsv1.ControllerRevision{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ControllerRevision"},
		ObjectMeta: p.meta(RecordName),
		Data:       runtime.RawExtension{Raw: data},
		Revision:   1,
	}, nil
}

// takenBackAnnotation on a record names the generation of the NSM that was tried and taken
// back, with the UID of the NSM: a status can be lost.
const takenBackAnnotation = ownDomain + "taken-back"

// RecordTakenBack is a record of an NSM as it was, with the note that its spec of now was
// tried and taken back; nil where nothing is recorded.
func RecordTakenBack(in Input, record Object) (Object, error) {
	before := Recorded(record)
	if before == nil {
		return nil, nil
	}
	in.NSM = in.NSM.DeepCopy()
	in.NSM.Spec = *before
	noted, err := Record(in)
	if err != nil {
		return nil, err
	}
	noted.SetAnnotations(mergeMaps(noted.GetAnnotations(), map[string]string{takenBackAnnotation: generationOf(in.NSM)}))
	return noted, nil
}

// IsTakenBack reports whether a record notes that the spec of an NSM was tried and taken back.
func IsTakenBack(record Object, nsm *nsmv1beta1.NSM) bool {
	return record != nil && record.GetAnnotations()[takenBackAnnotation] == generationOf(nsm)
}

// generationOf an NSM tells one spec of it from the next.
func generationOf(nsm *nsmv1beta1.NSM) string {
	return fmt.Sprintf("%s.%d", nsm.UID, nsm.Generation)
}

// keepsOther reports whether a record keeps something else than what is wanted.
func keepsOther(live *appsv1.ControllerRevision, wanted *unstructured.Unstructured) bool {
	var kept any
	return utiljson.Unmarshal(live.Data.Raw, &kept) != nil || !equality.Semantic.DeepEqual(kept, wanted.Object["data"])
}

// Recorded is the spec that a record keeps; nil for none that can be read.
func Recorded(record Object) *nsmv1beta1.NSMSpec {
	revision, isRevision := record.(*appsv1.ControllerRevision)
	if !isRevision {
		return nil
	}
	var kept recorded
	if json.Unmarshal(revision.Data.Raw, &kept) != nil || kept.APIVersion != nsmv1beta1.GroupVersion.String() {
		return nil
	}
	return kept.Spec
}
