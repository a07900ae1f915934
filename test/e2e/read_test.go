// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package e2e

import (
	"bytes"
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/jsonpath"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

// Resources that are read again and again, until they say what is waited for.
var (
	nsmResource     = nsmv1beta1.GroupVersion.WithResource("nsms")
	crdResource     = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	leaseResource   = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	podResource     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	secretResource  = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	serviceResource = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	ruleResource    = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "prometheusrules"}
	monitorResource = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
)

// read what a path finds, as "kubectl get -o jsonpath=" prints it, in an object, or without
// a name in the list of all. It is for what is asked again and again: kubectl takes longer to
// start than the operator for most of what is waited for.
func read(ctx context.Context, of schema.GroupVersionResource, namespace, name, path string) (string, error) {
	var content runtime.Unstructured
	var err error
	if name == "" {
		content, err = anything.Resource(of).Namespace(namespace).List(ctx, metav1.ListOptions{})
	} else {
		content, err = anything.Resource(of).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return "", err
	}
	finder := jsonpath.New(path).AllowMissingKeys(true)
	if err := finder.Parse(path); err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = finder.Execute(&text, content.UnstructuredContent())
	return text.String(), err
}

// reading is read for an Eventually.
func reading(ctx context.Context, of schema.GroupVersionResource, namespace, name, path string) func() (string, error) {
	return func() (string, error) { return read(ctx, of, namespace, name, path) }
}

// listing is the pause between two looks at much: the objects of all resources, or the definition
// of NSMs, which is a quarter of a megabyte.
const listing = 250 * time.Millisecond

// expectNothingOurs waits until nothing carries our label.
func expectNothingOurs(ctx context.Context) {
	GinkgoHelper()
	Eventually(ours).WithArguments(ctx).WithPolling(listing).Should(BeEmpty())
}
