// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package installation decides which of several installations of the operator in
// one cluster works there. A cluster has one definition of NSMs, which names one
// Service for conversion, and two operators would both run all meshes. So an
// annotation of that definition lists the installations that work, in the order in
// which they came. Whoever would meet one that is there already, and lives, stands
// by.
package installation

import (
	"encoding/json"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Annotation of the CRD of NSMs: the installations of the operator that work in
// the cluster, as a list of Members in JSON. The first serves the webhooks.
const Annotation = "nsm.networkservicemesh.io/operators"

// Member is an installation of the operator, known by its namespace.
type Member struct {
	// Namespace of the operator itself.
	Namespace string `json:"namespace"`
	// WatchNamespaces are the namespaces whose NSMs it acts on; none means all.
	WatchNamespaces []string `json:"watchNamespaces,omitempty"`
	// Version of the operator; "" for a build without one.
	Version string `json:"version,omitempty"`
}

// overlaps reports whether two installations would act on the same NSMs.
func (m Member) overlaps(other Member) bool {
	if len(m.WatchNamespaces) == 0 || len(other.WatchNamespaces) == 0 {
		return true
	}
	return slices.ContainsFunc(m.WatchNamespaces, func(namespace string) bool {
		return slices.Contains(other.WatchNamespaces, namespace)
	})
}

// Place is that of one installation among all.
type Place struct {
	// Serves: it serves the webhooks of the whole cluster.
	Serves bool
	// Behind is the installation that it stands by for; nil where it works.
	Behind *Member
}

// MembersOf reads the list from the annotations of the CRD; none where there is no such
// list.
func MembersOf(annotations map[string]string) []Member {
	var members []Member
	if json.Unmarshal([]byte(annotations[Annotation]), &members) != nil {
		return nil
	}
	return members
}

// membersOf reads the list from the CRD. Where there is none, as after somebody has
// replaced the CRD, whoever serves conversion is the only one known: with a CA,
// since a stanza that comes from a manifest says nothing.
func membersOf(crd *unstructured.Unstructured) []Member {
	if members := MembersOf(crd.GetAnnotations()); len(members) > 0 {
		return members
	}
	if service := serviceOf(crd); service != nil {
		return []Member{{Namespace: service.Namespace}}
	}
	return nil
}

// serviceOf is the Service that converts, nil for none.
func serviceOf(crd *unstructured.Unstructured) *apiextensionsv1.ServiceReference {
	stanza, _, err := unstructured.NestedMap(crd.Object, "spec", "conversion")
	if err != nil {
		return nil
	}
	var conversion apiextensionsv1.CustomResourceConversion
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(stanza, &conversion); err != nil ||
		conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil || len(conversion.Webhook.ClientConfig.CABundle) == 0 {
		return nil
	}
	return conversion.Webhook.ClientConfig.Service
}

// placeOf finds the place of an installation, and the list as it should be then. It
// keeps a place that it has; else it comes last. Those before it that do not live
// any more leave the list.
func placeOf(self Member, members []Member, isAlive func(Member) bool) (Place, []Member) {
	at := slices.IndexFunc(members, func(m Member) bool { return m.Namespace == self.Namespace })
	before, after := members, []Member(nil)
	if at >= 0 {
		before, after = members[:at], members[at+1:]
	}
	before = slices.DeleteFunc(slices.Clone(before), func(m Member) bool { return !isAlive(m) })
	for _, other := range before {
		if other.overlaps(self) {
			return Place{Behind: &other}, slices.Concat(before, after)
		}
	}
	return Place{Serves: len(before) == 0}, slices.Concat(before, []Member{self}, after)
}

// keepOwn puts into a list what another says of the installation in a namespace.
func keepOwn(list, other []Member, namespace string) {
	isOwn := func(m Member) bool { return m.Namespace == namespace }
	at, from := slices.IndexFunc(list, isOwn), slices.IndexFunc(other, isOwn)
	if at >= 0 && from >= 0 {
		list[at] = other[from]
	}
}
