// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kjson "sigs.k8s.io/json"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// nsms are those of the arguments, or of the namespace.
func (c *cluster) nsms(ctx context.Context, names []string) ([]nsmv1beta1.NSM, error) {
	c.forget()
	if len(names) > 0 {
		if c.namespace == "" {
			return nil, fmt.Errorf("%s: a name is one of a namespace: leave out -A", names[0])
		}
		nsm, err := c.nsm(ctx, client.ObjectKey{Namespace: c.namespace, Name: names[0]})
		if err != nil {
			return nil, c.explainNSM(err, "get nsm "+c.namespace+"/"+names[0])
		}
		return []nsmv1beta1.NSM{*nsm}, nil
	}
	list, err := c.newNSMList()
	if err == nil {
		err = c.List(ctx, list, client.InNamespace(c.namespace))
	}
	if err != nil {
		return nil, c.explainNSM(err, "list nsms")
	}
	nsms := make([]nsmv1beta1.NSM, 0, len(list.Items))
	for i := range list.Items {
		nsm, err := c.understand(ctx, &list.Items[i])
		if err != nil {
			return nil, err
		}
		nsms = append(nsms, *nsm)
	}
	return nsms, nil
}

// forget which NSMs were read.
func (c *cluster) forget() {
	c.versions, c.unknown = map[types.NamespacedName]string{}, map[types.NamespacedName][]report.UnknownField{}
}

// nsm reads one.
func (c *cluster) nsm(ctx context.Context, key client.ObjectKey) (*nsmv1beta1.NSM, error) {
	kind, err := c.kindOfNSMs()
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	if err := c.Get(ctx, key, object); err != nil {
		return nil, err
	}
	return c.understand(ctx, object)
}

// newNSMList is an empty list of NSMs, of a version that is served.
func (c *cluster) newNSMList() (*unstructured.UnstructuredList, error) {
	kind, err := c.kindOfNSMs()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind("NSMList"))
	return list, err
}

// kindOfNSMs is the version of NSMs that is asked for: the one that is known best, or
// whatever an older or newer operator serves.
func (c *cluster) kindOfNSMs() (schema.GroupVersionKind, error) {
	known := schema.GroupKind{Group: nsmv1beta1.GroupVersion.Group, Kind: "NSM"}
	for _, version := range []string{nsmv1beta1.GroupVersion.Version, nsmv1alpha1.GroupVersion.Version} {
		mapping, err := c.RESTMapper().RESTMapping(known, version)
		if err == nil {
			return mapping.GroupVersionKind, nil
		}
		if !meta.IsNoMatchError(err) {
			return known.WithVersion(version), err
		}
	}
	mapping, err := c.RESTMapper().RESTMapping(known)
	if err != nil {
		return known.WithVersion(nsmv1beta1.GroupVersion.Version), err
	}
	return mapping.GroupVersionKind, nil
}

// understand an NSM of any version. What is not known of it is remembered, to be shown as
// it is.
func (c *cluster) understand(ctx context.Context, object *unstructured.Unstructured) (*nsmv1beta1.NSM, error) {
	data, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if object.GetAPIVersion() == nsmv1alpha1.GroupVersion.String() {
		if data, err = converted(ctx, data); err != nil {
			return nil, err
		}
	}
	nsm := &nsmv1beta1.NSM{}
	unknown, err := unknownFields(data, nsm)
	if err != nil {
		return nil, fmt.Errorf("NSM %s/%s, %s: %w", object.GetNamespace(), object.GetName(), object.GetAPIVersion(), err)
	}
	key := client.ObjectKeyFromObject(object)
	c.versions[key] = object.GetResourceVersion()
	if len(unknown) > 0 {
		c.unknown[key] = unknown
	}
	return nsm, nil
}

// plain are the types of an NSM without what decodes them leniently.
type plain struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        any         `json:"metadata"`
	Spec            plainSpec   `json:"spec"`
	Status          plainStatus `json:"status"`
}

type (
	plainSpec   nsmv1beta1.NSMSpec
	plainStatus nsmv1beta1.NSMStatus
)

// unknownFields reads an NSM, and returns the fields that it has no place for: those of no
// known name, and those that hold what they cannot.
func unknownFields(data []byte, into *nsmv1beta1.NSM) ([]report.UnknownField, error) {
	if err := json.Unmarshal(data, into); err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	var fields []report.UnknownField
	for part, unreadable := range map[string]map[string]json.RawMessage{"spec": into.Spec.Unreadable, "status": into.Status.Unreadable} {
		for name := range unreadable {
			members, isObject := all[part].(map[string]any)
			if !isObject {
				fields = append(fields, report.UnknownField{Path: part, Value: all[part]})
				delete(all, part)
				continue
			}
			fields = append(fields, report.UnknownField{Path: part + "." + name, Value: members[name]})
			delete(members, name)
		}
	}
	readable, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	strict, err := kjson.UnmarshalStrict(readable, &plain{})
	if err != nil {
		return nil, err
	}
	for _, problem := range strict {
		if path, isUnknown := strings.CutPrefix(problem.Error(), "unknown field "); isUnknown {
			path = strings.Trim(path, `"`)
			fields = append(fields, report.UnknownField{Path: path, Value: valueAt(all, path)})
		}
	}
	slices.SortFunc(fields, func(a, b report.UnknownField) int { return cmp.Compare(a.Path, b.Path) })
	return fields, nil
}

// step is a part of a path: a name, or the number of an item of a list.
var step = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// valueAt a path such as spec.forwarders[0].name; nil for none.
func valueAt(value any, path string) any {
	for _, name := range step.FindAllString(path, -1) {
		switch of := value.(type) {
		case map[string]any:
			value = of[name]
		case []any:
			i, err := strconv.Atoi(strings.Trim(name, "[]"))
			if err != nil || i >= len(of) {
				return nil
			}
			value = of[i]
		default:
			return nil
		}
	}
	return value
}

func (c *cluster) explainNSM(err error, what string) error {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s: this cluster does not serve NSMs (%s), so the operator is not installed: docs/install.md installs it",
			what, nsmv1beta1.GroupVersion.Group)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w in namespace %s: kubectl get nsm -A lists all", err, c.namespace)
	default:
		return c.explain(err, what)
	}
}
