// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// Field of a live object that would be changed.
type Field struct {
	Path string
	// From is the live value, To the one that is wanted; nil for none.
	From, To any
}

// Difference tells what applying an object over a live one would change, and why:
// nothing where the operator takes the live one for what it wants. Fields of others
// and defaults of the API server never count. The live one has its managed fields, by
// which it shows what would go. Nothing is written, and nothing is asked.
func (a *Applier) Difference(object, live mesh.Object) (Action, []Field, error) {
	want, err := a.newIntent(object)
	if err != nil {
		return "", nil, err
	}
	copied, _ := live.DeepCopyObject().(client.Object)
	action, err := a.action(want, copied)
	if action == "" || err != nil {
		return "", nil, err
	}
	difference, wantTyped, _, err := a.difference(want, copied)
	if err != nil {
		return "", nil, err
	}
	wanted, err := wantTyped.ToFieldSet()
	if err != nil {
		return "", nil, err
	}
	going, err := appliedBefore(live)
	if err != nil {
		return "", nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return "", nil, err
	}
	fields := fieldsOf(difference.Removed.Union(difference.Modified).Union(going.Difference(wanted)), content, want.object.Object)
	switch {
	case len(fields) == 0:
		return "", nil, nil
	case slices.ContainsFunc(fields, want.isImmutable), mesh.IsMadeAnew(copied, want.object):
		return Recreated, fields, nil
	default:
		return action, fields, nil
	}
}

// isImmutable reports whether a field of a workload cannot change.
func (i *intent) isImmutable(field Field) bool {
	kind := i.object.GetKind()
	return (kind == "Deployment" || kind == "DaemonSet") && strings.HasPrefix(field.Path, ".spec.selector")
}

// ownMarks are the annotations that the operator adds to what is wanted.
var ownMarks = fieldpath.NewSet(
	fieldpath.MakePathOrDie("metadata", "annotations", mesh.AppliedAnnotation),
	fieldpath.MakePathOrDie("metadata", "annotations", mesh.WrittenAtAnnotation),
)

// appliedBefore are the fields of a live object that the operator has applied.
func appliedBefore(live mesh.Object) (*fieldpath.Set, error) {
	all := fieldpath.NewSet()
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != mesh.FieldOwner || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		set := fieldpath.NewSet()
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			return nil, err
		}
		all = all.Union(set)
	}
	return all.Difference(ownMarks), nil
}

// fieldsOf lists the fields of a set, but for those within another one of them, with
// the values that they have and shall have, where these differ.
func fieldsOf(set *fieldpath.Set, live, wanted map[string]any) []Field {
	var fields []Field
	var last fieldpath.Path
	for path := range set.All() {
		if len(last) > 0 && len(path) > len(last) && path[:len(last)].Equals(last) {
			continue
		}
		last = path.Copy()
		field := Field{Path: path.String(), From: valueAt(live, path), To: valueAt(wanted, path)}
		if field.From != nil || field.To != nil {
			fields = append(fields, field)
		}
	}
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Path, b.Path) })
	return fields
}

// valueAt is what an object has at a path; nil for nothing.
func valueAt(content any, path fieldpath.Path) any {
	for _, element := range path {
		switch in := content.(type) {
		case map[string]any:
			if element.FieldName == nil {
				return nil
			}
			content = in[*element.FieldName]
		case []any:
			i := slices.IndexFunc(in, func(item any) bool { return isAt(element, item) })
			if element.Index != nil && *element.Index < len(in) {
				i = *element.Index
			}
			if i < 0 {
				return nil
			}
			content = in[i]
		default:
			return nil
		}
	}
	return content
}

// isAt reports whether an item of a list is the one that an element of a path names. What
// the item does not say of the key has the default.
func isAt(element fieldpath.PathElement, item any) bool {
	if element.Value != nil {
		return value.Equals(*element.Value, value.NewValueInterface(item))
	}
	fields, isMap := item.(map[string]any)
	return isMap && element.Key != nil && !slices.ContainsFunc(*element.Key, func(key value.Field) bool {
		is, isThere := fields[key.Name]
		return isThere && !value.Equals(key.Value, value.NewValueInterface(is))
	})
}
