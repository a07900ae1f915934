// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

var _ = Describe("An NSM that came past validation", func() {
	DescribeTable("is not acted on where two of its parts would have one object", func(ctx SpecContext, name, problem string) {
		startOperator()
		stored := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"version": "v1.9.0", "forwarders": []any{map[string]any{"type": "vpp", "name": name}},
		}}}
		stored.SetAPIVersion("nsm.networkservicemesh.io/v1alpha1")
		stored.SetKind("NSM")
		stored.SetNamespace(newNamespace(ctx))
		stored.SetName("mesh")
		stored.SetLabels(map[string]string{uncheckedLabel: ""})
		passes := reconciles()
		Expect(admin.Create(ctx, stored)).To(Succeed())
		nsm := &nsmv1beta1.NSM{}
		nsm.Namespace, nsm.Name = stored.GetNamespace(), stored.GetName()
		DeferCleanup(remove, nsm)
		if isBefore(35, "it takes no status of an NSM whose spec the rules refuse") {
			Eventually(reconciles).Should(BeNumerically(">", passes))
			Expect(names(ctx, nsm)).To(BeEmpty())
			return
		}

		Eventually(reasonOf(ctx, nsm)).Should(Equal("InvalidSpec"))
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring(problem))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))
		Expect(names(ctx, nsm)).To(BeEmpty())
	},
		Entry("the managers' DaemonSet", "nsmgr",
			"nsmgr nsmgr and forwarder nsmgr would both have the ServiceAccount nsmgr: give one of them another name"),
		Entry("everybody's ServiceAccount", "default",
			"forwarder default would take over ServiceAccount default, which is not the mesh's: give the forwarder another name"),
	)
})
