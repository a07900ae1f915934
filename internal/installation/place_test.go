// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package installation

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestPlaceOf(t *testing.T) {
	one, other := Member{Namespace: "one"}, Member{Namespace: "other"}
	a, b, ab := Member{Namespace: "a", WatchNamespaces: []string{"x"}}, Member{Namespace: "b", WatchNamespaces: []string{"y"}}, Member{Namespace: "ab", WatchNamespaces: []string{"x", "y"}}
	wide := Member{Namespace: "a"}
	for name, tc := range map[string]struct {
		self    Member
		members []Member
		dead    []string
		want    Place
		list    []Member
	}{
		"the only one":                        {self: one, want: Place{Serves: true}, list: []Member{one}},
		"the only one, again":                 {self: one, members: []Member{one}, want: Place{Serves: true}, list: []Member{one}},
		"the second":                          {self: other, members: []Member{one}, want: Place{Behind: &one}, list: []Member{one}},
		"the first goes on":                   {self: one, members: []Member{one, other}, want: Place{Serves: true}, list: []Member{one, other}},
		"the first has gone":                  {self: other, members: []Member{one}, dead: []string{"one"}, want: Place{Serves: true}, list: []Member{other}},
		"it was taken for dead, and is back":  {self: one, members: []Member{other}, want: Place{Behind: &other}, list: []Member{other}},
		"both are restricted, to others":      {self: b, members: []Member{a}, want: Place{}, list: []Member{a, b}},
		"the restricted one, again":           {self: b, members: []Member{a, b}, want: Place{}, list: []Member{a, b}},
		"who served the restricted has gone":  {self: b, members: []Member{a, b}, dead: []string{"a"}, want: Place{Serves: true}, list: []Member{b}},
		"both are restricted, to some of all": {self: ab, members: []Member{a}, want: Place{Behind: &a}, list: []Member{a}},
		"behind the second":                   {self: ab, members: []Member{{Namespace: "z", WatchNamespaces: []string{"z"}}, b}, want: Place{Behind: &b}, list: []Member{{Namespace: "z", WatchNamespaces: []string{"z"}}, b}},
		"only the first is restricted":        {self: one, members: []Member{a}, want: Place{Behind: &a}, list: []Member{a}},
		"only the second is restricted":       {self: a, members: []Member{one}, want: Place{Behind: &one}, list: []Member{one}},
		"the first is restricted no more":     {self: wide, members: []Member{a, b}, want: Place{Serves: true}, list: []Member{wide, b}},
		"which leaves the second no place":    {self: b, members: []Member{wide, b}, want: Place{Behind: &wide}, list: []Member{wide}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			before := slices.Clone(tc.members)
			got, list := placeOf(tc.self, tc.members, func(m Member) bool { return !slices.Contains(tc.dead, m.Namespace) })
			g.Expect(got).To(Equal(tc.want))
			g.Expect(list).To(Equal(tc.list))
			g.Expect(tc.members).To(Equal(before))
		})
	}
}

func TestMembersOf(t *testing.T) {
	serving := func(ca string) apiextensionsv1.CustomResourceDefinitionSpec {
		return apiextensionsv1.CustomResourceDefinitionSpec{Conversion: &apiextensionsv1.CustomResourceConversion{
			Webhook: &apiextensionsv1.WebhookConversion{ClientConfig: &apiextensionsv1.WebhookClientConfig{
				CABundle: []byte(ca), Service: &apiextensionsv1.ServiceReference{Namespace: "serves"},
			}},
		}}
	}
	annotated := func(text string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Annotations: map[string]string{Annotation: text}}
	}
	for name, tc := range map[string]struct {
		crd  apiextensionsv1.CustomResourceDefinition
		want []Member
	}{
		"a new CRD":            {crd: apiextensionsv1.CustomResourceDefinition{Spec: serving("")}},
		"a CRD without a word": {},
		"the list": {
			crd: apiextensionsv1.CustomResourceDefinition{
				ObjectMeta: annotated(`[{"namespace":"one","watchNamespaces":["a"],"version":"v2.0.0"},{"namespace":"other"}]`), Spec: serving("ca"),
			},
			want: []Member{{Namespace: "one", WatchNamespaces: []string{"a"}, Version: "v2.0.0"}, {Namespace: "other"}},
		},
		"no list":      {crd: apiextensionsv1.CustomResourceDefinition{Spec: serving("ca")}, want: []Member{{Namespace: "serves"}}},
		"an empty one": {crd: apiextensionsv1.CustomResourceDefinition{ObjectMeta: annotated(`[]`), Spec: serving("ca")}, want: []Member{{Namespace: "serves"}}},
		"a bad one":    {crd: apiextensionsv1.CustomResourceDefinition{ObjectMeta: annotated(`{`), Spec: serving("ca")}, want: []Member{{Namespace: "serves"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			crd, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&tc.crd)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(membersOf(&unstructured.Unstructured{Object: crd})).To(Equal(tc.want))
		})
	}
}
