// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

var _ = Describe("Many NSMs that cannot live beside each other", func() {
	const crowd = 40

	It("are each looked at once when the operator starts, and told of the same one", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		all := make([]*nsmv1beta1.NSM, crowd)
		for n := range all {
			all[n] = &nsmv1beta1.NSM{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("mesh-", n), Labels: map[string]string{uncheckedLabel: ""}},
				Spec: nsmv1beta1.NSMSpec{
					Version: "v1.18.0", AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)},
				},
			}
			Expect(admin.Create(ctx, all[n])).To(Succeed())
			DeferCleanup(remove, all[n])
		}
		before := reconciles()
		o := startOperator()
		told := func() (messages []string) {
			var list nsmv1beta1.NSMList
			Expect(admin.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
			for i := range list.Items {
				found := meta.FindStatusCondition(list.Items[i].Status.Conditions, degraded)
				if found != nil && strings.HasPrefix(found.Message, "NSM "+namespace+"/") {
					messages = append(messages, found.Message)
				}
			}
			return messages
		}
		Eventually(told).WithTimeout(time.Minute).Should(HaveLen(crowd - 1))
		Expect(slices.Compact(told())).To(HaveLen(1), "all others are told of the same one")

		settle(o)
		Expect(reconciles()-before).To(BeNumerically("<", 3*crowd), "the one that runs is looked at again when something of it comes")
	})
})
