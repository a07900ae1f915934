// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

const sample = "../config/samples/nsm_v1alpha1_nsm.yaml"

// shape reads an object of internal/conversion's testdata.
func shape(name string) *unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(testdata + "shapes/" + name + ".yaml")
	Expect(err).NotTo(HaveOccurred())
	object := parse(string(text))
	object.SetNamespace(namespace)
	unstructured.RemoveNestedField(object.Object, "status")
	return object
}

func mergePatch(patch string) client.Patch {
	return client.RawPatch("application/merge-patch+json", []byte(patch))
}

// of names an NSM in a version.
func of(version string, object *unstructured.Unstructured) *unstructured.Unstructured {
	named := &unstructured.Unstructured{}
	named.SetAPIVersion(version)
	named.SetKind("NSM")
	named.SetNamespace(object.GetNamespace())
	named.SetName(object.GetName())
	return named
}

var _ = Describe("Conversion", func() {
	AfterEach(removeAll)

	It("takes the sample byte for byte, by kubectl in both ways", func(ctx SpecContext) {
		text, err := os.ReadFile(sample)
		Expect(err).NotTo(HaveOccurred())
		written := parse(string(text))
		server.Kubectl(ctx, "apply", "-f", sample)
		Expect(in(ctx, v1alpha1, written).GetAnnotations()).To(HaveKey("kubectl.kubernetes.io/last-applied-configuration"))
		Expect(spec(in(ctx, v1alpha1, written))).To(Equal(spec(written)))
		Expect(spec(in(ctx, v1beta1, written))).To(Equal(spec(parse(`
spec:
  version: v1.0.0
  images: {registry: ghcr.io, repository: networkservicemesh, pullPolicy: IfNotPresent}
  registry: {type: memory}
  forwarders: [{name: vpp, type: vpp}]
  admissionWebhook: {enabled: false}`))))
		for _, version := range []string{v1alpha1, v1beta1} {
			Expect(in(ctx, version, written).Object).To(HaveKeyWithValue("status", HaveKeyWithValue("observedGeneration", BeEquivalentTo(-1))), "nobody has seen it")
		}

		Expect(server.Kubectl(ctx, "apply", "-f", sample)).To(ContainSubstring("unchanged"))
		generation := in(ctx, v1beta1, written).GetGeneration()
		server.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", sample)
		server.Kubectl(ctx, "replace", "-f", sample)
		Expect(spec(in(ctx, v1alpha1, written))).To(Equal(spec(written)))
		Expect(in(ctx, v1beta1, written).GetGeneration()).To(Equal(generation), "nothing has changed")
	})

	for _, name := range []string{"flat", "flat-contradicting", "flat-custom-images", "lists", "lists-capital", "nested"} {
		It("carries the shape "+name+" through every way to write", func(ctx SpecContext) {
			object := shape(name)
			if name == "flat-contradicting" {
				// Two forwarders of one name are refused.
				unstructured.RemoveNestedField(object.Object, "spec", "forwarders")
			}
			want := spec(object)
			Expect(admin.Create(ctx, object)).To(Succeed())
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(want))
			watched := watchBoth(ctx)

			By("an update in v1beta1 of what v1alpha1 does not know")
			hub := in(ctx, v1beta1, object)
			Expect(unstructured.SetNestedField(hub.Object, "20%", "spec", "upgrade", "maxUnavailable")).To(Succeed())
			Expect(admin.Update(ctx, hub)).To(Succeed())
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(want))

			By("a patch in v1alpha1")
			Expect(admin.Patch(ctx, of(v1alpha1, object), mergePatch(`{"spec":{"nsmLogLevel":"DEBUG"}}`))).To(Succeed())
			want["nsmLogLevel"] = "DEBUG"
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(want))
			hub = in(ctx, v1beta1, object)
			Expect(spec(hub)).To(And(HaveKeyWithValue("logLevel", "DEBUG"), HaveKeyWithValue("upgrade", map[string]any{"maxUnavailable": "20%"})))

			By("a patch in v1beta1 of what both know")
			Expect(admin.Patch(ctx, of(v1beta1, object), mergePatch(`{"spec":{"logLevel":"WARN"}}`))).To(Succeed())
			want["nsmLogLevel"] = "WARN"
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(want))

			By("server-side apply in v1alpha1, and then in v1beta1")
			apply := of(v1alpha1, object)
			apply.Object["spec"] = map[string]any{"spireAgentSocket": "unix:///run/a/b.sock"}
			Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(apply), client.FieldOwner("one"), client.ForceOwnership)).To(Succeed())
			want["spireAgentSocket"] = "unix:///run/a/b.sock"
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(want))
			apply = of(v1beta1, object)
			apply.Object["spec"] = map[string]any{"spire": map[string]any{"mount": "CSI"}, "logLevel": "ERROR"}
			Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(apply), client.FieldOwner("two"), client.ForceOwnership)).To(Succeed())
			want["nsmLogLevel"] = "ERROR"
			Expect(spec(in(ctx, v1alpha1, object))).To(Equal(want))
			Expect(spec(in(ctx, v1beta1, object))).To(And(
				HaveKeyWithValue("spire", map[string]any{"mount": "CSI", "agentSocket": "unix:///run/a/b.sock"}),
				HaveKeyWithValue("upgrade", map[string]any{"maxUnavailable": "20%"})))

			By("the status")
			Expect(admin.Status().Patch(ctx, of(v1beta1, object), mergePatch(`{"status":{"version":"v1.0.0","conditions":[{"type":"Available","status":"True","reason":"Up","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`))).To(Succeed())
			phase, _, err := unstructured.NestedString(in(ctx, v1alpha1, object).Object, "status", "phase")
			Expect(err).NotTo(HaveOccurred())
			Expect(phase).To(Equal("Running"))

			By("what a watch in either version has seen last")
			for version, events := range watched {
				last := in(ctx, version, object)
				Eventually(func(g Gomega) {
					var event watch.Event
					g.Expect(events.ResultChan()).To(Receive(&event))
					seen, ok := event.Object.(*unstructured.Unstructured)
					g.Expect(ok).To(BeTrue())
					g.Expect(seen.GetAPIVersion()).To(Equal(version))
					g.Expect(seen.GetResourceVersion()).To(Equal(last.GetResourceVersion()))
					g.Expect(seen.Object["spec"]).To(Equal(last.Object["spec"]))
				}).WithContext(ctx).Should(Succeed())
			}
		})
	}

	It("keeps all of v1beta1 through writes in v1alpha1", func(ctx SpecContext) {
		object := nsm(v1beta1, `
  version: v1.18.0
  images: {registry: quay.io, pullSecrets: [{name: pull}]}
  registry: {type: k8s, replicas: 2, priorityClassName: high}
  nsmgr: {resources: {limits: {cpu: 1000m}}, excludedPrefixes: [10.0.0.0/8]}
  forwarders:
  - {name: forwarder-vpp, type: vpp, nodeSelector: {a: b}, vpp: {init: NONE}}
  - {name: forwarder-ovs, type: ovs, ovs: {bridge: br0}}
  telemetry: {pprof: {enabled: true}}`)
		want := spec(object)
		Expect(admin.Create(ctx, object)).To(Succeed())
		spoke := in(ctx, v1alpha1, object)
		for _, seen := range []*unstructured.Unstructured{spoke, in(ctx, v1beta1, object)} {
			Expect(seen.Object).To(HaveKeyWithValue("status", HaveKeyWithValue("observedGeneration", BeEquivalentTo(-1))), "nobody has seen it")
		}
		Expect(spoke.GetAnnotations()).To(HaveKey(conversion.Annotation))
		Expect(in(ctx, v1beta1, object).GetAnnotations()).NotTo(HaveKey(conversion.Annotation))

		By("an update that changes nothing")
		Expect(admin.Update(ctx, spoke)).To(Succeed())
		Expect(in(ctx, v1beta1, object).GetGeneration()).To(BeEquivalentTo(1))
		Expect(spec(in(ctx, v1beta1, object))).To(Equal(want))

		By("an edit of one element of a list")
		Expect(admin.Patch(ctx, of(v1alpha1, object), client.RawPatch("application/json-patch+json",
			[]byte(`[{"op":"add","path":"/spec/forwarders/1/image","value":"quay.io/a/b:c"}]`)))).To(Succeed())
		forwarders, ok := want["forwarders"].([]any)
		Expect(ok).To(BeTrue())
		Expect(unstructured.SetNestedField(forwarders[1].(map[string]any), "quay.io/a/b:c", "image")).To(Succeed())
		Expect(spec(in(ctx, v1beta1, object))).To(Equal(want))
		Expect(in(ctx, v1beta1, object).GetAnnotations()).NotTo(HaveKey(conversion.Annotation), "v1beta1 says it all")
	})

	It("lists and watches although nobody can understand one object", func(ctx SpecContext) {
		broken := nsm(v1alpha1, `{version: v1.8.0, registry: [5]}`)
		withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, broken)).To(Succeed()) })
		for _, version := range []string{v1alpha1, v1beta1} {
			list := &unstructured.UnstructuredList{}
			list.SetAPIVersion(version)
			list.SetKind("NSMList")
			Expect(admin.List(ctx, list)).To(Succeed())
			Expect(list.Items).To(HaveLen(1))
		}
		Expect(spec(in(ctx, v1alpha1, broken))).To(Equal(spec(broken)))
		var typed nsmv1beta1.NSM
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(broken), &typed)).To(Succeed())
		Expect(conversion.Unreadable(&typed)).To(Equal(
			"spec.registry: [5]: must be a string (the image registry's host) or an object (the NSM registry)"))

		By("the operator's own write, which keeps it")
		before := typed.DeepCopy()
		typed.Finalizers = []string{"test.example.com/keep"}
		Expect(admin.Patch(ctx, &typed, client.MergeFrom(before))).To(Succeed())
		Expect(spec(in(ctx, v1alpha1, broken))).To(Equal(spec(broken)))
		before = typed.DeepCopy()
		typed.Finalizers = nil
		Expect(admin.Patch(ctx, &typed, client.MergeFrom(before))).To(Succeed())
	})
})

// watchBoth watches NSMs in both versions.
func watchBoth(ctx context.Context) map[string]watch.Interface {
	GinkgoHelper()
	watches := map[string]watch.Interface{}
	for _, version := range []string{v1alpha1, v1beta1} {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(version)
		list.SetKind("NSMList")
		events, err := admin.Watch(ctx, list, client.InNamespace(namespace), &client.ListOptions{Raw: &metav1.ListOptions{}})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(events.Stop)
		watches[version] = events
	}
	return watches
}
