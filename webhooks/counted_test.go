// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks

import (
	"context"
	"errors"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/networkservicemesh/nsm-operator/internal/metrics"
)

// No object that an API server sends fails, as far as is known: conversions are made up here.
func TestConversionsThatFailAreCounted(t *testing.T) {
	g := NewWithT(t)
	count := func(result string) float64 {
		return testutil.ToFloat64(metrics.Conversions.WithLabelValues("v0", result))
	}
	convert := func(how func() error) error {
		return counted("v0", func(context.Context, int, int) error { return how() })(t.Context(), 0, 0)
	}
	g.Expect(convert(func() error { return nil })).To(Succeed())
	g.Expect(convert(func() error { return errors.New("no") })).To(MatchError("no"))
	g.Expect(func() { _ = convert(func() error { panic("a mistake") }) }).To(PanicWith("a mistake"))
	g.Expect([]float64{count(metrics.Converted), count(metrics.Failed)}).To(Equal([]float64{1, 2}))
}
