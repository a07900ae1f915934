// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// takeFields makes the operator the only owner of what it has written, where a tool has
// made the object anew, such as one that restores a backup: that tool owns every field,
// and what leaves the intent later would stay for ever.
func (a *Applier) takeFields(ctx context.Context, want *intent, answer client.Object) (client.Object, error) {
	others := copiers(answer)
	if len(others) == 0 {
		return answer, nil
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(answer, others, string(FieldOwner))
	if err == nil && patch != nil {
		err = a.client.Patch(ctx, answer, client.RawPatch(types.JSONPatchType, patch), FieldOwner, client.DisableReadYourWritesConsistency)
	}
	if err != nil {
		return nil, fmt.Errorf("taking the fields of %s over from %v: %w", changeOf(want.object, ""), sets.List(others), err)
	}
	return a.write(ctx, want, answer.GetUID())
}

// copiers are the field managers that have written one of our objects as a whole: they
// own the label by which the operator finds it. The operator itself is one where it has
// replaced a spec.
func copiers(object client.Object) sets.Set[string] {
	managers := sets.New[string]()
	for _, entry := range object.GetManagedFields() {
		isUpdate := entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" && entry.FieldsV1 != nil
		if isUpdate && (entry.Manager == mesh.FieldOwner || ownsLabel(entry.FieldsV1.GetRawBytes(), mesh.LabelManagedBy)) {
			managers.Insert(entry.Manager)
		}
	}
	return managers
}

// ownsLabel reports whether a label is among fields.
func ownsLabel(fields []byte, label string) bool {
	var owned struct {
		Metadata struct {
			Labels map[string]any `json:"f:labels"`
		} `json:"f:metadata"`
	}
	if json.Unmarshal(fields, &owned) != nil {
		return false
	}
	_, owns := owned.Metadata.Labels["f:"+label]
	return owns
}
