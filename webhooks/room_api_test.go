// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

const (
	// beyondV1alpha1 is a spec of which v1alpha1 can say a part.
	beyondV1alpha1 = `{version: v1.18.0, nsmgr: {nodeSelector: {a: b}}, telemetry: {pprof: {enabled: true}}}`
	// withinV1alpha1 is one that v1alpha1 can say as well.
	withinV1alpha1 = `{version: v1.18.0, logLevel: DEBUG, admissionWebhook: {enabled: false}}`

	noRoom = byWebhook + "metadata.annotations: Forbidden: an object may have 256 KiB of annotations; in v1alpha1 this NSM needs 1 KiB of them " +
		"for what only v1beta1 can say, and its other annotations take 256 KiB; remove at least 1 KiB of them"
)

var _ = Describe("Room for what only v1beta1 can say", func() {
	AfterEach(func(ctx SpecContext) {
		release(ctx)
		removeAll(ctx)
	})

	// full leaves room for conversion's annotation, and for little in it.
	full := map[string]string{"example.com/large": strings.Repeat("x", conversion.MaxTotal-100)}
	fill := mergePatch(`{"metadata":{"annotations":{"example.com/large":"` + full["example.com/large"] + `"}}}`)
	// cut is an object that has no room in v1alpha1, from before anybody saw to it.
	cut := func(ctx context.Context, finalizers ...string) *unstructured.Unstructured {
		GinkgoHelper()
		object := nsm(v1beta1, beyondV1alpha1)
		object.SetAnnotations(full)
		object.SetFinalizers(finalizers)
		withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, object)).To(Succeed()) })
		Expect(in(ctx, v1alpha1, object).GetAnnotations()).To(HaveKeyWithValue(conversion.Annotation, conversion.TooLarge))
		return object
	}

	It("cannot be filled with other annotations, by whoever", func(ctx SpecContext) {
		makeOLMRoles(ctx)
		editor := account(namespace, "editor")
		bind(ctx, namespace, olmRole("edit"), editor.subject())
		untilRBAC(ctx, editor, "patch", "")
		object := nsm(v1beta1, beyondV1alpha1)
		Expect(admin.Create(ctx, object)).To(Succeed())
		for _, who := range []client.Client{editor, admin} {
			Expect(who.Patch(ctx, of(v1beta1, object), fill)).To(MatchError(noRoom))
			Expect(who.Patch(ctx, of(v1alpha1, object), fill)).To(MatchError(apierrors.IsInvalid, "IsInvalid"))
			Expect(who.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"annotations":{"example.com/small":"`+strings.Repeat("x", 200<<10)+`"}}}`))).To(Succeed())
			Expect(who.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"annotations":{"example.com/small":null}}}`))).To(Succeed())
		}
		By("while it is being deleted")
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"finalizers":["test.example.com/keep"]}}`))).To(Succeed())
		Expect(admin.Delete(ctx, of(v1beta1, object))).To(Succeed())
		Expect(editor.Patch(ctx, of(v1beta1, object), fill)).To(MatchError(noRoom))

		By("a write through v1alpha1 that no admission sees")
		Expect(admin.Status().Patch(ctx, of(v1alpha1, object), mergePatch(`{"status":{"managers":"7/7"}}`))).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(Equal(spec(object)))
	})

	It("is there at creation, and for what a change of the spec needs", func(ctx SpecContext) {
		object := nsm(v1beta1, beyondV1alpha1)
		object.SetAnnotations(full)
		Expect(admin.Create(ctx, object)).To(MatchError(noRoom))
		object = nsm(v1beta1, withinV1alpha1)
		object.SetAnnotations(full)
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(patch(ctx, v1beta1, `{"nsmgr":{"nodeSelector":{"a":"b"}}}`)).To(MatchError(noRoom))
	})

	It("is not asked for where v1alpha1 can say everything", func(ctx SpecContext) {
		object := nsm(v1beta1, withinV1alpha1)
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"annotations":{"x":"`+strings.Repeat("x", conversion.MaxTotal-1)+`"}}}`))).To(Succeed())
		Expect(patch(ctx, v1beta1, `{"logLevel":"WARN"}`)).To(Succeed())

		By("v1alpha1, with as much room as it takes to say that there is none")
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"annotations":{"x":null,"example.com/large":"`+full["example.com/large"]+`"}}}`))).To(Succeed())
		Expect(patch(ctx, v1alpha1, `{"nsmLogLevel":"INFO"}`)).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(HaveKeyWithValue("logLevel", "INFO"))
	})

	It("may be missing as before, and no more, where an object has none", func(ctx SpecContext) {
		object := cut(ctx)
		Expect(admin.Patch(ctx, of(v1alpha1, object), mergePatch(`{"spec":{"nsmLogLevel":"DEBUG"}}`))).
			To(MatchError(byWebhook + "spec: Forbidden: part of it would be lost in the other version: the annotations of an object hold 256 KiB, and there is no room left; " +
				"write it in nsm.networkservicemesh.io/v1beta1, or remove other annotations in that version"))
		Expect(admin.Patch(ctx, of(v1alpha1, object), mergePatch(`{"metadata":{"annotations":{"`+conversion.Annotation+`":null}}}`))).
			To(MatchError(ContainSubstring("part of it would be lost")))
		warned.take()
		Expect(patch(ctx, v1beta1, `{"logLevel":"DEBUG"}`)).To(Succeed())
		Expect(warned.take()).To(ContainElement(strings.TrimPrefix(noRoom, byWebhook)))
		Expect(patch(ctx, v1beta1, `{"forwarders":[{"type":"vpp","nodeSelector":{"a":"b"}}]}`)).To(MatchError(noRoom))
		Expect(patch(ctx, v1beta1, `{"nsmgr":null}`)).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(HaveKey("telemetry"))
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"annotations":null}}`))).To(Succeed())
		Expect(patch(ctx, v1alpha1, `{"nsmLogLevel":"WARN"}`)).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(HaveKey("telemetry"))
	})

	It("is not needed to let go of an object that has none, which loses nothing until then", func(ctx SpecContext) {
		object := cut(ctx, "test.example.com/keep", "test.example.com/keep-too")
		Expect(admin.Delete(ctx, of(v1beta1, object))).To(Succeed())
		for _, change := range []string{`{"labels":{"team":"a"}}`, `{"finalizers":["test.example.com/keep"]}`} {
			Expect(admin.Patch(ctx, of(v1alpha1, object), mergePatch(`{"metadata":`+change+`}`))).
				To(MatchError(ContainSubstring("part of it would be lost")), change)
		}
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"finalizers":["test.example.com/keep"]}}`))).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(Equal(spec(object)))
		Expect(admin.Patch(ctx, of(v1alpha1, object), mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), &nsmv1beta1.NSM{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
	})
})
