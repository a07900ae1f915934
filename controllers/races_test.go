// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOnlyARaceThatEndsIsNotReported(t *testing.T) {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	conflict := fmt.Errorf("applying it: %w", apierrors.NewConflict(deployments, "one", errors.New("it has changed")))
	refusal := apierrors.NewForbidden(deployments, "two", errors.New("no quota"))

	for name, failure := range map[string]error{
		"none": nil, "a refusal": refusal,
		"a race first":                 errors.Join(conflict, refusal),
		"a race last":                  errors.Join(refusal, conflict),
		"a race beside it, deep below": fmt.Errorf("the mesh: %w", errors.Join(conflict, errors.Join(conflict, refusal))),
	} {
		t.Run("what is no race is reported at once: "+name, func(t *testing.T) {
			NewWithT(t).Expect(new(memory).isRace(failure)).To(BeFalse())
		})
	}

	g, known := NewWithT(t), &memory{}
	both := errors.Join(conflict, conflict)
	for range quietRaces {
		g.Expect(known.isRace(both)).To(BeTrue())
	}
	g.Expect(known.isRace(both)).To(BeFalse(), "it does not end")
	g.Expect(known.isRace(both)).To(BeFalse(), "the report stays")
	g.Expect(new(memory).isRace(both)).To(BeTrue(), "of another mesh")
	g.Expect(known.isRace(nil)).To(BeFalse())
	g.Expect(known.isRace(both)).To(BeTrue(), "another race")
}
