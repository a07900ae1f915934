// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

const (
	flatSpec = `
  tag: v1.0.0
  nsmPullPolicy: IfNotPresent
  registry: ghcr.io
  organization: networkservicemesh
  registryMemoryImage: cmd-registry-memory
  nsmgrImage: cmd-nsmgr
  forwardingPlaneName: vpp
  forwardingPlaneImage: cmd-forwarder-vpp`

	// sameAsFlat means the same in v1beta1.
	sameAsFlat = `
  version: v1.0.0
  images: {registry: ghcr.io, repository: networkservicemesh, pullPolicy: IfNotPresent}
  registry: {type: memory}
  forwarders: [{name: vpp, type: vpp}]
  admissionWebhook: {enabled: false}`

	nestedSpec = `
  version: v1.8.0
  nsmLogLevel: TRACE
  webhook: {image: "ghcr.io/networkservicemesh/cmd-admission-webhook-k8s:v1.8.0"}
  registry: {type: k8s, replicaCount: 2}
  nsmgr: {envVars: [{name: A, value: b}]}
  forwarders: [{type: vpp, name: forwarder-vpp}]`

	largeSpec = `
  version: v1.18.0
  logLevel: INFO
  registry: {type: k8s, replicas: 2, priorityClassName: high}
  nsmgr: {env: [{name: A, value: b}], nodeSelector: {a: b}}
  forwarders: [{name: forwarder-vpp, type: vpp, nodeSelector: {a: b}}, {name: forwarder-ovs, type: ovs}]
  telemetry: {pprof: {enabled: true}}`
)

var _ = Describe("Applying a file of one version after one of the other", func() {
	AfterEach(func(ctx SpecContext) {
		// What is stored is in v1beta1, so it is read without conversion.
		var all nsmv1beta1.NSMList
		Expect(admin.List(ctx, &all)).To(Succeed())
		release(ctx)
		removeAll(ctx)
		for i := range all.Items {
			Expect(all.Items[i].Annotations[conversion.Annotation]).NotTo(ContainSubstring("inHand"))
		}
	})

	apply := func(ctx context.Context, manager string, object *unstructured.Unstructured) {
		GinkgoHelper()
		Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()),
			client.FieldOwner(manager), client.ForceOwnership)).To(Succeed())
	}
	// stored is the spec in the version of an object; nothing of what conversion had
	// in hand is kept.
	stored := func(ctx context.Context, version string, object *unstructured.Unstructured) map[string]any {
		GinkgoHelper()
		for _, version := range []string{v1alpha1, v1beta1} {
			Expect(in(ctx, version, object).GetAnnotations()[conversion.Annotation]).NotTo(ContainSubstring("inHand"))
		}
		return spec(in(ctx, version, object))
	}

	DescribeTable("by server-side apply, stores what is sent at the first time",
		func(ctx SpecContext, firstVersion, first, secondVersion, second string, warnings ...string) {
			apply(ctx, "gitops", nsm(firstVersion, first))
			warned.take()
			object := nsm(secondVersion, second)
			apply(ctx, "gitops", object)
			told := warned.take()
			for _, warning := range warnings {
				Expect(told).To(ContainElement(warning))
			}
			Expect(stored(ctx, secondVersion, object)).To(Equal(spec(object)))

			By("applying it again, which changes nothing")
			before := in(ctx, v1beta1, object)
			apply(ctx, "gitops", object)
			Expect(in(ctx, v1beta1, object).GetResourceVersion()).To(Equal(before.GetResourceVersion()))

			By("going back, and forth again")
			apply(ctx, "gitops", nsm(firstVersion, first))
			Expect(stored(ctx, firstVersion, object)).To(Equal(spec(nsm(firstVersion, first))))
			apply(ctx, "gitops", object)
			Expect(stored(ctx, secondVersion, object)).To(Equal(spec(object)))

			By("holding it while it is deleted, and going back")
			Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"metadata":{"finalizers":["test.example.com/keep"]}}`))).To(Succeed())
			Expect(admin.Delete(ctx, of(v1beta1, object))).To(Succeed())
			apply(ctx, "gitops", nsm(firstVersion, first))
			stored(ctx, firstVersion, object)
			release(ctx)
		},
		Entry("from the flat shape to a release", v1alpha1, flatSpec, v1beta1, `{version: v1.18.0}`,
			"not in this file, and removed with the v1alpha1 file before: spec.admissionWebhook.enabled, spec.forwarders[vpp].type, "+
				"spec.images.pullPolicy, spec.images.registry, spec.images.repository, spec.registry.type"),
		Entry("from the flat shape to the same meaning", v1alpha1, flatSpec, v1beta1, sameAsFlat),
		Entry("from the nested shape with a webhook to a release", v1alpha1, nestedSpec, v1beta1, `{version: v1.18.0}`),
		Entry("from the nested shape to much more", v1alpha1, nestedSpec, v1beta1, largeSpec),
		Entry("from v1beta1 to the flat shape", v1beta1, largeSpec, v1alpha1, flatSpec),
		Entry("from v1beta1 to the nested shape", v1beta1, largeSpec, v1alpha1, nestedSpec),
		Entry("from one word to the flat shape", v1beta1, `{version: v1.18.0}`, v1alpha1, flatSpec),
	)

	It("by server-side apply, leaves what others have said", func(ctx SpecContext) {
		apply(ctx, "gitops", nsm(v1alpha1, flatSpec))
		apply(ctx, "other", nsm(v1beta1, `{telemetry: {pprof: {enabled: true}}}`))
		Expect(admin.Patch(ctx, nsm(v1beta1, `{}`), mergePatch(`{"spec":{"upgrade":{"maxUnavailable":2}}}`))).To(Succeed())
		warned.take()
		object := nsm(v1beta1, `{version: v1.18.0}`)
		apply(ctx, "gitops", object)
		Expect(stored(ctx, v1beta1, object)).To(Equal(spec(parse(`spec: {version: v1.18.0, telemetry: {pprof: {enabled: true}}, upgrade: {maxUnavailable: 2}}`))))
		Expect(warned.take()).To(ContainElement(
			"neither in this file nor in the v1alpha1 file before, and still set: spec.telemetry.pprof.enabled, spec.upgrade.maxUnavailable"))
	})

	It("by server-side apply of a part, leaves the rest", func(ctx SpecContext) {
		apply(ctx, "gitops", nsm(v1beta1, `{version: v1.18.0, admissionWebhook: {enabled: true, failurePolicy: Ignore}, telemetry: {pprof: {enabled: true}}}`))
		apply(ctx, "level", nsm(v1beta1, `{logLevel: DEBUG}`))
		apply(ctx, "level", nsm(v1alpha1, `{nsmLogLevel: WARN}`))
		Expect(stored(ctx, v1beta1, nsm(v1beta1, `{}`))).To(Equal(spec(parse(
			`spec: {version: v1.18.0, admissionWebhook: {enabled: true, failurePolicy: Ignore}, telemetry: {pprof: {enabled: true}}, logLevel: WARN}`))))

		By("labels, in one version and then in the other")
		before := in(ctx, v1beta1, nsm(v1beta1, `{}`))
		for _, version := range []string{v1alpha1, v1beta1, v1alpha1} {
			labels := of(version, before)
			labels.SetLabels(map[string]string{"applied-in": version[len(version)-7:]})
			apply(ctx, "labels", labels)
		}
		Expect(stored(ctx, v1beta1, before)).To(Equal(spec(before)))
		Expect(in(ctx, v1beta1, before).GetGeneration()).To(Equal(before.GetGeneration()))
	})

	It("by server-side apply, takes nothing from what only claims to have been in hand", func(ctx SpecContext) {
		apply(ctx, "gitops", nsm(v1alpha1, flatSpec))
		object := nsm(v1beta1, `{version: v1.18.0}`)
		object.SetAnnotations(map[string]string{
			conversion.Annotation: `{"inHand":{"apiVersion":"nsm.networkservicemesh.io/v1beta1","spec":{"version":"v1.17.0"}}}`,
		})
		apply(ctx, "gitops", object)
		Expect(stored(ctx, v1beta1, object)).NotTo(HaveKeyWithValue("version", "v1.17.0"))
	})

	It("tells whoever writes the annotation of conversion that it is not kept", func(ctx SpecContext) {
		object := nsm(v1beta1, `{version: v1.18.0}`)
		Expect(admin.Create(ctx, object)).To(Succeed())
		warned.take()
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(
			`{"metadata":{"annotations":{"nsm.networkservicemesh.io/conversion-data":"{\"v1alpha1\":{\"spec\":{\"version\":\"v1.0.0\"}}}"}}}`))).To(Succeed())
		Expect(warned.take()).To(ContainElement(ContainSubstring("was dropped")))
		Expect(in(ctx, v1beta1, object).GetAnnotations()).NotTo(HaveKey(conversion.Annotation))
		Expect(spec(in(ctx, v1alpha1, object))).To(Equal(spec(nsm(v1alpha1, `{version: v1.18.0}`))))
	})

	It("leaves the annotation of conversion alone where only a label changes, in either version", func(ctx SpecContext) {
		object := nsm(v1alpha1, flatSpec)
		Expect(admin.Create(ctx, object)).To(Succeed())
		Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"spec":{"version":"v1.1.0","telemetry":{"pprof":{"enabled":true}}}}`))).To(Succeed())
		before := in(ctx, v1beta1, object).GetAnnotations()
		for _, version := range []string{v1alpha1, v1beta1} {
			Expect(admin.Patch(ctx, of(version, object), mergePatch(`{"metadata":{"labels":{"in":"`+version[len(version)-7:]+`"}}}`))).To(Succeed())
			Expect(in(ctx, v1beta1, object).GetAnnotations()).To(Equal(before))
		}
	})

	DescribeTable("by client-side apply, warns of what stays",
		func(ctx SpecContext, firstVersion, first, secondVersion, second, warning string) {
			file := func(object *unstructured.Unstructured) string {
				GinkgoHelper()
				text, err := yaml.Marshal(object.Object)
				Expect(err).NotTo(HaveOccurred())
				name := filepath.Join(GinkgoT().TempDir(), "nsm.yaml")
				Expect(os.WriteFile(name, text, 0o600)).To(Succeed())
				return name
			}
			server.Kubectl(ctx, "apply", "-f", file(nsm(firstVersion, first)))
			object := nsm(secondVersion, second)
			output := server.Kubectl(ctx, "apply", "-f", file(object))
			if warning == "" {
				Expect(output).NotTo(ContainSubstring("still set"))
				return
			}
			Expect(output).To(ContainSubstring("Warning: " + warning))

			By("what the warning says to do")
			server.Kubectl(ctx, "replace", "--save-config", "-f", file(object))
			Expect(stored(ctx, secondVersion, object)).To(Equal(spec(object)))
			Expect(server.Kubectl(ctx, "apply", "-f", file(object))).NotTo(ContainSubstring("still set"))
		},
		Entry("from v1alpha1", v1alpha1, `{version: v1.9.0, nsmLogLevel: DEBUG, registry: {type: k8s, envVars: [{name: A, value: b}]}}`,
			v1beta1, `{version: v1.9.0, registry: {type: k8s}}`, "not in this file, and still set from the v1alpha1 file before: spec.admissionWebhook.enabled, spec.logLevel, spec.registry.env[A].value. kubectl apply"),
		Entry("from v1beta1", v1beta1, largeSpec, v1alpha1, `{version: v1.18.0, nsmLogLevel: INFO}`,
			"not in this file, and still set from the v1beta1 file before: spec.nsmgr.nodeSelector.a, spec.telemetry.pprof.enabled. kubectl apply"),
		Entry("to a file that says as much", v1alpha1, flatSpec, v1beta1, sameAsFlat, ""),
	)
})
