// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("An NSM larger than what the cache keeps", func() {
	const othersFinalizer = "test.example.com/other"

	notes := func(text string) map[string]string {
		all := map[string]string{}
		for n := range 64 {
			all[fmt.Sprint("example.com/note-", n)] = strings.Repeat(text, 200)
		}
		return all
	}
	// newLargeNSM is large in every way, conversion's annotation included.
	newLargeNSM := func(ctx context.Context, original string) *nsmv1beta1.NSM {
		GinkgoHelper()
		nsm := &nsmv1beta1.NSM{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: newNamespace(ctx), Name: "mesh", Finalizers: []string{othersFinalizer},
				Labels: map[string]string{uncheckedLabel: "", "team": "network"},
				Annotations: map[string]string{
					corev1.LastAppliedConfigAnnotation: `{"note":"` + strings.Repeat("x", 100_000) + `"}`,
					"example.com/note":                 strings.Repeat("y", 60_000),
					mesh.TakeOverAnnotation:            mesh.TakeOverValue,
				},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: "1"}},
			},
			Spec: nsmv1beta1.NSMSpec{
				Version: "v1.18.0", PodAnnotations: notes("a"), AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)},
			},
		}
		Expect(admin.Create(ctx, nsm)).To(Succeed())
		DeferCleanup(remove, nsm)
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) {
			nsm.Annotations[conversion.Annotation] = `{"v1alpha1":{"spec":` + original + `}}`
		})
		return reread(ctx, nsm)
	}
	whole := func(nsm *nsmv1beta1.NSM) request {
		return request{verb: http.MethodGet, path: "/apis/nsm.networkservicemesh.io/v1beta1/namespaces/" + nsm.Namespace + "/nsms/mesh"}
	}
	// written is what others have written into the metadata.
	written := func(nsm *nsmv1beta1.NSM, finalizers ...string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Labels: nsm.Labels, Annotations: nsm.Annotations, OwnerReferences: nsm.OwnerReferences, Finalizers: finalizers}
	}
	// Nothing that compression makes small.
	random := ""
	for n := range 400 {
		random += fmt.Sprintf("%x", sha256.Sum256([]byte(strconv.Itoa(n))))
	}
	padding := `"padding":"` + random + `"`

	It("is acted on as a whole, and keeps byte by byte what it has, until it goes", func(ctx SpecContext) {
		o := startOperator()
		nsm := newLargeNSM(ctx, `{`+padding+`}`)
		Expect(len(nsm.Annotations[conversion.Annotation])).To(BeNumerically(">", 10_000))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Expect(get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template.Annotations).To(HaveKeyWithValue("example.com/note-63", strings.Repeat("a", 200)))
		bringAllUp(ctx, nsm)
		Expect(messageOf(ctx, nsm, degraded)()).To(Equal("these fields have no effect: spec.padding; remove them"))
		now := reread(ctx, nsm)
		Expect(written(now, now.Finalizers...)).To(Equal(written(nsm, othersFinalizer, controllers.Finalizer)))
		Expect(now.Spec).To(Equal(nsm.Spec))

		By("with nothing to do no request is made")
		settle(o)
		wakeOften(ctx, nsm)
		Consistently(o.requests.all).Should(BeEmpty())

		By("a change is read once, whatever changes")
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) { nsm.Spec.PodAnnotations = notes("b") })
		Eventually(func() map[string]string {
			return get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template.Annotations
		}).Should(HaveKeyWithValue("example.com/note-63", strings.Repeat("b", 200)))
		bringAllUp(ctx, nsm)
		Expect(o.requests.count(whole(nsm))).To(Equal(1))
		settle(o)
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) {
			nsm.Annotations[conversion.Annotation] = `{"v1alpha1":{"spec":{"size":1,` + padding + `}}}`
		})
		Eventually(messageOf(ctx, nsm, degraded)).Should(ContainSubstring("spec.size"))
		Expect(o.requests.count(whole(nsm))).To(Equal(1))

		By("and a deletion takes one finalizer, and nothing else")
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() []string { return reread(ctx, nsm).Finalizers }).Should(Equal([]string{othersFinalizer}))
		Expect(written(reread(ctx, nsm), othersFinalizer)).To(Equal(written(nsm, othersFinalizer)))
	})

	It("is acted on after a restart, too, and read once for that", func(ctx SpecContext) {
		o := startOperator()
		nsm := newLargeNSM(ctx, `{`+padding+`}`)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		bringAllUp(ctx, nsm)
		settle(o)
		o.stop()
		before, passes := versions(ctx, nsm), reconciles()
		second := startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(func() int { return second.requests.count(whole(nsm)) }).Should(Equal(1))
		Expect(versions(ctx, nsm)).To(Equal(before))
	})

	It("is not acted on where nobody understands it, until it is written anew", func(ctx SpecContext) {
		nsm := newLargeNSM(ctx, `{"nsmgr":{"image":7},`+padding+`}`)
		startOperator()
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix("spec.nsmgr.image: 7: must be a string"))
		Expect(names(ctx, nsm)).To(BeEmpty())
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) { delete(nsm.Annotations, conversion.Annotation) })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
	})

	It("is not read where another one was here first", func(ctx SpecContext) {
		o := startOperator()
		first := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		nsm := newLargeNSM(ctx, `{`+padding+`}`)
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix("NSM " + first.Namespace + "/mesh was here first"))
		settle(o)
		Expect(names(ctx, nsm)).To(BeEmpty())
		Expect(admin.Delete(ctx, first)).To(Succeed())
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
	})

	It("may go while it is being read", func(ctx SpecContext) {
		startOperator()
		nsm := newLargeNSM(ctx, `{`+padding+`}`)
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = []string{controllers.Finalizer} })
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) { nsm.Spec.PodAnnotations = notes("c") })
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
	})
})
