// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestNews(t *testing.T) {
	env := func(component string, i int, value string) *field.Error {
		return field.Invalid(field.NewPath("spec", component, "env").Index(i).Child("name"), value, "must be a name")
	}
	forwarder := func(i int) *field.Error {
		path := field.NewPath("spec", "forwarders").Index(i)
		return field.Forbidden(field.NewPath("spec", "nsmgr"), "contradicts "+path.String()+".image")
	}
	for name, test := range map[string]struct {
		before, errs, added field.ErrorList
	}{
		"nothing":               {},
		"a first one":           {errs: field.ErrorList{env("nsmgr", 0, "a=")}, added: field.ErrorList{env("nsmgr", 0, "a=")}},
		"one that stays":        {before: field.ErrorList{env("nsmgr", 1, "a=")}, errs: field.ErrorList{env("nsmgr", 1, "a=")}},
		"one that moves up":     {before: field.ErrorList{env("nsmgr", 1, "a=")}, errs: field.ErrorList{env("nsmgr", 0, "a=")}},
		"one that moves down":   {before: field.ErrorList{env("nsmgr", 9, "a=")}, errs: field.ErrorList{env("nsmgr", 10, "a=")}},
		"one of two that goes":  {before: field.ErrorList{env("nsmgr", 0, "a="), env("nsmgr", 1, "b=")}, errs: field.ErrorList{env("nsmgr", 0, "b=")}},
		"a path in the details": {before: field.ErrorList{forwarder(2)}, errs: field.ErrorList{forwarder(1)}},
		"a second equal one, which is told at its place": {
			before: field.ErrorList{env("nsmgr", 1, "a=")},
			errs:   field.ErrorList{env("nsmgr", 0, "a="), env("nsmgr", 1, "a=")},
			added:  field.ErrorList{env("nsmgr", 0, "a=")},
		},
		"another value": {
			before: field.ErrorList{env("nsmgr", 0, "a=")}, errs: field.ErrorList{env("nsmgr", 0, "b=")},
			added: field.ErrorList{env("nsmgr", 0, "b=")},
		},
		"another field": {
			before: field.ErrorList{env("nsmgr", 0, "a=")}, errs: field.ErrorList{env("registry", 0, "a=")},
			added: field.ErrorList{env("registry", 0, "a=")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			added, known := news(test.errs, test.before)
			texts := func(errs field.ErrorList) []string {
				var texts []string
				for _, err := range errs {
					texts = append(texts, err.Error())
				}
				return texts
			}
			if !slices.Equal(texts(added), texts(test.added)) {
				t.Errorf("new: %q, want %q", texts(added), texts(test.added))
			}
			if len(added)+len(known) != len(test.errs) {
				t.Errorf("%d new and %d known of %d", len(added), len(known), len(test.errs))
			}
		})
	}
}
