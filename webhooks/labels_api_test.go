// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Labels, annotations and nodes of a mesh", func() {
	AfterEach(removeAll)

	It("warn of what the operator sets itself", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{
			labels: {cost-centre: "42", app.kubernetes.io/managed-by: me},
			podLabels: {cost-centre: "42", app: me},
			annotations: {nsm.networkservicemesh.io/applied: x, note: text},
			registry: {labels: {app: mine}, serviceAnnotations: {nsm.networkservicemesh.io/applied: x}},
			forwarders: [{name: a, type: vpp, podLabels: {spiffe.io/spiffe-id: "false"}}],
			admissionWebhook: {podAnnotations: {nsm.networkservicemesh.io/certificate: x}}}`))).To(Succeed())
		const noEffect = ": has no effect: this key is reserved for the operator"
		Expect(warned.take()).To(ConsistOf(
			"spec.labels[app.kubernetes.io/managed-by]"+noEffect,
			"spec.podLabels[app]"+noEffect,
			"spec.annotations[nsm.networkservicemesh.io/applied]"+noEffect,
			"spec.registry.serviceAnnotations[nsm.networkservicemesh.io/applied]"+noEffect,
			"spec.forwarders[0].podLabels[spiffe.io/spiffe-id]"+noEffect,
			"spec.admissionWebhook.podAnnotations[nsm.networkservicemesh.io/certificate]"+noEffect))
	})

	It("warn of webhooks that would each add a client", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{version: v1.11.2, admissionWebhook: {replicas: 2}}`))).To(Succeed())
		Expect(warned.take()).To(ConsistOf("spec.admissionWebhook.replicas: has no effect with NSM v1.11.2: it is from v1.12.0 on"))
	})

	It("refuse nodes that NSM cannot run on", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgr: {nodeSelector: {kubernetes.io/os: linux, pool: a}}}`))).To(Succeed())
		removeAll(ctx)
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgr: {nodeSelector: {kubernetes.io/os: windows}}}`))).To(beRefusedBySchema(invalid +
			`spec.nsmgr.nodeSelector: Invalid value: selects kubernetes.io/os: windows, which must be linux: NSM runs on no other system`))
	})

	DescribeTable("refuse what no object can have", func(ctx SpecContext, spec, message string) {
		Expect(admin.Create(ctx, nsm(v1beta1, spec))).To(MatchError(ContainSubstring(message)))
	},
		Entry("of all objects", `{labels: {cost-centre: "forty two"}}`, `spec.labels[cost-centre]: Invalid value`),
		Entry("of a component", `{nsmgr: {labels: {cost-centre: "forty two"}}}`, `spec.nsmgr.labels[cost-centre]: Invalid value`),
		Entry("annotations of all objects", `{annotations: {"a b": c}}`, `spec.annotations[a b]: Invalid value`),
		Entry("of all pods", `{podLabels: {"cost centre": x}}`, `spec.podLabels[cost centre]: Invalid value`),
		Entry("of a Service", `{registry: {serviceAnnotations: {"a b": c}}}`, `spec.registry.serviceAnnotations[a b]: Invalid value: "a b"`),
		Entry("the sidecar of the CSI driver", `{csiDriver: {registrar: {resources: {limits: {"a b": "1"}}}}}`, `spec.csiDriver.registrar.resources.limits`),
	)

	It("refuse requests above the operator's own limits", func(ctx SpecContext) {
		Expect(admin.Create(ctx, nsm(v1beta1, `{admissionWebhook: {resources: {requests: {memory: 1Gi}}}}`))).To(MatchError(byWebhook +
			`spec.admissionWebhook.resources.requests[memory]: Invalid value: "1Gi": must be at most the limit, which is 128Mi; spec.admissionWebhook.resources.limits[memory] raises it`))
		Expect(admin.Create(ctx, nsm(v1beta1, `{csiDriver: {registrar: {resources: {requests: {cpu: "1"}}}}}`))).To(MatchError(byWebhook +
			`spec.csiDriver.registrar.resources.requests[cpu]: Invalid value: "1": must be at most the limit, which is 100m; spec.csiDriver.registrar.resources.limits[cpu] raises it`))
		Expect(admin.Create(ctx, nsm(v1beta1, `{csiDriver: {resources: {requests: {memory: 1Gi}}}}`))).To(MatchError(byWebhook +
			`spec.csiDriver.resources.requests[memory]: Invalid value: "1Gi": must be at most the limit, which is 128Mi; spec.csiDriver.resources.limits[memory] raises it`))
		Expect(admin.Create(ctx, nsm(v1beta1, `{forwarders: [{type: ovs, resources: {requests: {cpu: "3"}}}]}`))).To(MatchError(byWebhook +
			`spec.forwarders[0].resources.requests[cpu]: Invalid value: "3": must be at most the limit, which is 2; spec.forwarders[0].resources.limits[cpu] raises it`))
	})
})
