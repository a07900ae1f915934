// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// What happens to a subscription while its mesh runs: each scene goes on where the one
// before has ended, since an installation takes the most time of all. The mesh is the
// same one from the first scene to the last.
var _ = Describe("A subscription with a live mesh", Ordered, func() {
	var before map[string]bool

	BeforeAll(func(ctx SpecContext) {
		before = everything(ctx)
		install(ctx)
		createMesh(ctx)
		awaitAvailable(ctx, meshKey)
	})

	reinstalling()
	badRelease()
	secondInstallation()

	It("blocks nobody when its namespace is deleted, and lets all go by the documented commands", func(ctx SpecContext) {
		pods := podsOf(ctx, meshNamespace)
		deleteNamespace(ctx, usual.namespace)
		deleteNamespace(ctx, second.namespace)
		expectNobodyBlocked(ctx)
		Expect(podsOf(ctx, meshNamespace)).To(Equal(pods))

		second.follow(ctx, documented("When the operator's namespace was deleted first")...)
		expectGone(ctx, meshKey)
		Eventually(func() map[string]string { return podsOf(ctx, meshNamespace) }).WithContext(ctx).Should(BeEmpty())
		expectNobodyBlocked(ctx)
		second.follow(ctx, documented("Uninstalling")[1:]...)
		deleteNamespace(ctx, meshNamespace)
		expectLeft(ctx, before)
	})
})
