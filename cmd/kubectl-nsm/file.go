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
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// readNSMs reads the NSMs, of either version, among the documents of a file; "-" is the
// standard input. One without a namespace is in the given one.
func (o *options) readNSMs(ctx context.Context, file, namespace string) ([]nsmv1beta1.NSM, error) {
	in := o.In
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	var nsms []nsmv1beta1.NSM
	decoder := utilyaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		document := &unstructured.Unstructured{}
		err := decoder.Decode(&document.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if document.GetKind() != "NSM" || !strings.HasPrefix(document.GetAPIVersion(), nsmv1beta1.GroupVersion.Group+"/") {
			continue
		}
		nsm, unknown, err := nsmOf(ctx, document)
		if err != nil {
			return nil, fmt.Errorf("%s: NSM %s: %w", file, document.GetName(), err)
		}
		for _, field := range unknown {
			o.warn("warning: %s: NSM %s: %s is a field that this version of the plugin does not know, and is left out", file, nsm.Name, field.Path)
		}
		for _, field := range conversion.Unknown(nsm) {
			o.warn("warning: %s: NSM %s: %s is a field that no version has, and has no effect", file, nsm.Name, field)
		}
		nsm.Namespace = cmp.Or(nsm.Namespace, namespace)
		nsms = append(nsms, *nsm)
	}
	if len(nsms) == 0 {
		return nil, fmt.Errorf("%s: there is no NSM in it: a document with apiVersion: %s and kind: NSM", file, nsmv1beta1.GroupVersion)
	}
	return nsms, nil
}

// nsmOf a document, in the version that the operator works with, and the fields that this
// version does not have.
func nsmOf(ctx context.Context, document *unstructured.Unstructured) (*nsmv1beta1.NSM, []report.UnknownField, error) {
	data, err := document.MarshalJSON()
	if err != nil {
		return nil, nil, err
	}
	switch version := document.GetAPIVersion(); version {
	case nsmv1beta1.GroupVersion.String():
	case nsmv1alpha1.GroupVersion.String():
		if data, err = converted(ctx, data); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, fmt.Errorf("apiVersion %s is neither %s nor %s", version, nsmv1beta1.GroupVersion, nsmv1alpha1.GroupVersion)
	}
	nsm := &nsmv1beta1.NSM{}
	unknown, err := unknownFields(data, nsm)
	if err != nil {
		return nil, nil, err
	}
	if problem := conversion.Unreadable(nsm); problem != "" {
		return nil, nil, errors.New(problem)
	}
	return nsm, unknown, nil
}

// converted is a document of v1alpha1 in v1beta1.
func converted(ctx context.Context, data []byte) ([]byte, error) {
	older, newer := &conversion.V1alpha1Document{}, &conversion.V1beta1Document{}
	if err := json.Unmarshal(data, older); err != nil {
		return nil, err
	}
	if err := conversion.ToV1beta1(ctx, older, newer); err != nil {
		return nil, err
	}
	return json.Marshal(newer)
}
