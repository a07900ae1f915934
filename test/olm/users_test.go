// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/networkservicemesh/nsm-operator/test/hammer"
)

// startHammer has users of both versions work with the mesh's NSM; some versions may be
// served later only.
func startHammer(ctx context.Context, coming ...string) *hammer.Hammer {
	GinkgoHelper()
	users := hammer.New(config, meshKey, coming...)
	users.Start(ctx)
	return users
}

// startFewUsers does so where nothing is expected to fail for a moment only: half of a
// core is left for others.
func startFewUsers(ctx context.Context, isValidated bool) *hammer.Hammer {
	GinkgoHelper()
	users := hammer.New(config, meshKey)
	users.Beat, users.IsValidated = 200*time.Millisecond, isValidated
	users.Start(ctx)
	return users
}

// object of a version.
func object(version string, key client.ObjectKey) *unstructured.Unstructured {
	return hammer.Object(version, key)
}

// figure reports how long something took.
func figure(name string, since time.Time) {
	AddReportEntry(name, time.Since(since).Round(time.Millisecond).String())
}

// specs are what an NSM says in both versions.
func specs(ctx context.Context, key client.ObjectKey) map[string]any {
	GinkgoHelper()
	found := map[string]any{}
	for _, version := range hammer.Versions {
		nsm := object(version, key)
		Eventually(func() error { return admin.Get(ctx, key, nsm) }).WithContext(ctx).Should(Succeed(), version)
		found[version] = nsm.Object["spec"]
	}
	return found
}
