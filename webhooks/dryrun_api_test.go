// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package webhooks_test

import (
	"context"
	"fmt"
	"net"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// components of v1beta1 that run pods, as a pattern for what each is given.
var passingThrough = []struct{ path, spec string }{
	{"spec.registry", `{registry: {%s}}`},
	{"spec.nsmgr", `{nsmgr: {%s}}`},
	{"spec.forwarders[1]", `{forwarders: [{type: ovs}, {type: vpp, %s}]}`},
	{"spec.admissionWebhook", `{admissionWebhook: {%s}}`},
	{"spec.csiDriver", `{csiDriver: {%s}}`},
	{"spec.vl3.ipams[1]", `{vl3: {ipams: [{}, {name: second, %s}]}}`},
	{"spec.dashboard", `{dashboard: {%s}}`},
	{"spec.interdomain.nsmgrProxy", `{interdomain: {clusterName: one, nsmgrProxy: {%s}}}`},
	{"spec.interdomain.registryProxy", `{interdomain: {clusterName: one, registryProxy: {%s}}}`},
	{"spec.interdomain.clusterInfo", `{interdomain: {clusterName: one, clusterInfo: {%s}}}`},
}

// sidecars of v1beta1 take what a container is given.
var sidecars = []struct{ path, spec string }{
	{"spec.csiDriver.registrar", `{csiDriver: {registrar: {%s}}}`},
	{"spec.nsmgr.excludePrefixes", `{nsmgr: {excludePrefixes: {%s}}}`},
	{"spec.dashboard.ui", `{dashboard: {ui: {%s}}}`},
	{"spec.interdomain.mapIP", `{interdomain: {mapIP: {%s}}}`},
}

const claims = "claims that the pod does not have"

// refusedLater are values that the API server refuses in a workload, with the end
// of the path and what it says.
var refusedLater = []struct {
	what, value, complaint string
	// pod: sidecars do not have it.
	pod bool
}{
	{"a variable's name", `env: [{name: NSM_NAME, value: x}, {name: "A=B", value: c}]`,
		`.env[1].name: Invalid value: "A=B": a valid environment variable name`, false},
	{"a variable with a value and a source", `env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]`,
		".env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty", false},
	{"a variable with two sources", `env: [{name: B}, {name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}, configMapKeyRef: {name: a, key: b}}}]`,
		`.env[1].valueFrom: Invalid value: "": may not have more than one field specified at a time`, false},
	{"a variable from a field that there is not", `env: [{name: NSM_LOG_LEVEL, valueFrom: {fieldRef: {fieldPath: status.weather}}}]`,
		`.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "status.weather": error converting fieldPath`, false},
	{"a variable from a key that cannot be", `env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: "b c"}}}]`,
		`.env[0].valueFrom.secretKeyRef.key: Invalid value: "b c": a valid config key must consist of`, false},
	{claims, `resources: {claims: [{name: gpu}]}`,
		`.resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty`, false},
	{"a resource that there is not", `resources: {limits: {example.com/GPU_: "1"}}`,
		`.resources.limits[example.com/GPU_]: Invalid value: "example.com/GPU_": name part must consist of`, false},
	{"a toleration's operator", `tolerations: [{key: b, operator: Exists}, {key: a, operator: exists}]`,
		`.tolerations[1].operator: Unsupported value: "exists": supported values: `, true},
	{"a toleration's effect", `tolerations: [{key: a, operator: Exists, effect: Never}]`,
		`.tolerations[0].effect: Unsupported value: "Never": supported values: `, true},
	{"a node selector's value", `nodeSelector: {example.com/ok: "yes", example.com/nsm: "yes please"}`,
		`.nodeSelector[example.com/nsm]: Invalid value: "yes please": a valid label must be`, true},
	{"a node selector's key", `nodeSelector: {"a b": "c"}`,
		`.nodeSelector[a b]: Invalid value: "a b": name part must consist of`, true},
	{"a label's value", `podLabels: {team: "net work"}`,
		`.podLabels[team]: Invalid value: "net work": a valid label must be`, true},
	{"an annotation's key", `podAnnotations: {"a b": c}`,
		`.podAnnotations[a b]: Invalid value: "a b": name part must consist of`, true},
	{"a label of its objects", `labels: {team: "net work"}`,
		`.labels[team]: Invalid value: "net work": a valid label must be`, true},
	{"an annotation of its objects", `annotations: {"a b": c}`,
		`.annotations[a b]: Invalid value: "a b": name part must consist of`, true},
	{"a priority class", `priorityClassName: "a b"`,
		`.priorityClassName: Invalid value: "a b": a lowercase RFC 1123 subdomain`, true},
	{"a term of an affinity", `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: in, values: [b]}]}]}}}`,
		`.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: "in": not a valid selector operator`, true},
	{"an affinity's weight", `affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: {topologyKey: a}}]}}`,
		`.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100`, true},
}

const badLabel = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`

var _ = Describe("What the API server would refuse of the mesh", func() {
	AfterEach(removeAll)

	for _, one := range refusedLater {
		It("is refused of the NSM, with its path, value, and what is allowed: "+one.what, func(ctx SpecContext) {
			places := passingThrough
			if !one.pod {
				places = append(append(places[:0:0], places...), sidecars...)
			}
			for _, place := range places {
				object := nsm(v1beta1, fmt.Sprintf(place.spec, one.value))
				object.SetNamespace("nsm-system")
				if one.what == claims && isBefore(34) {
					Expect(admin.Create(ctx, object)).To(Succeed(), "an API server without dynamic allocation drops the claims")
					removeAll(ctx)
					continue
				}
				Expect(admin.Create(ctx, object)).To(MatchError(And(HavePrefix(byWebhook), ContainSubstring(saying(place.path+one.complaint)))), place.path)
			}
		})
	}

	DescribeTable("and is told in the words of v1alpha1", func(ctx SpecContext, spec, complaint string) {
		Expect(admin.Create(ctx, nsm(v1alpha1, spec))).To(MatchError(HavePrefix(byWebhook + complaint)))
	},
		Entry("of the registry", `{registry: {type: k8s, envVars: [{name: A}, {name: "A=B", value: c}]}}`,
			`spec.registry.envVars[1].name: Invalid value: "A=B": a valid environment variable name`),
		Entry("of the managers", `{nsmgr: {envVars: [{name: "A=B"}]}}`,
			`spec.nsmgr.envVars[0].name: Invalid value: "A=B": a valid environment variable name`),
		Entry("of a forwarder", `{forwarders: [{type: ovs}, {type: vpp, envVars: [{name: "A=B"}]}]}`,
			`spec.forwarders[1].envVars[0].name: Invalid value: "A=B": a valid environment variable name`),
		Entry("of the webhook", `{webhook: {image: "a/b:c", envVars: [{name: "A=B"}]}}`,
			`spec.webhook.envVars[0].name: Invalid value: "A=B": a valid environment variable name`),
		Entry("of the sidecar", `{exclPref: {exclPrefImage: "a/b:c", envVars: [{name: "A=B"}]}}`,
			`spec.exclPref.envVars[0].name: Invalid value: "A=B": a valid environment variable name`),
	)

	DescribeTable("is told all at once", func(ctx SpecContext, spec, complaint string) {
		Expect(admin.Create(ctx, nsm(v1beta1, spec))).To(MatchError(byWebhook + saying(complaint)))
	},
		Entry("of all objects, once", `{labels: {a: "b c"}, podLabels: {team: "net work"}, registry: {serviceAnnotations: {"a b": c}}}`,
			`[spec.labels[a]: Invalid value: "b c": `+badLabel+`, `+
				`spec.podLabels[team]: Invalid value: "net work": `+badLabel+`, `+
				`spec.registry.serviceAnnotations[a b]: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]`),
		Entry("of a directory that is taken", `{spire: {agentSocket: "unix:///var/lib/networkservicemesh/agent.sock"}}`,
			`spec.spire.agentSocket: Invalid value: "/var/lib/networkservicemesh": must be unique`),
		Entry("of one workload", `{nsmgr: {podLabels: {team: "net work"}, env: [{name: "A=B"}]}}`,
			`[spec.nsmgr.env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '=', `+
				`spec.nsmgr.podLabels[team]: Invalid value: "net work": `+badLabel+`]`),
	)

	It("is refused of a change, and of a dry run", func(ctx SpecContext) {
		Expect(dryRun(ctx, `{nsmgr: {env: [{name: "A=B"}]}}`)).To(MatchError(ContainSubstring(`spec.nsmgr.env[0].name: Invalid value: "A=B"`)))
		Expect(admin.Create(ctx, nsm(v1beta1, `{}`))).To(Succeed())
		Expect(patch(ctx, v1beta1, `{"nsmgr":{"env":[{"name":"A=B"}]}}`)).To(MatchError(ContainSubstring(`spec.nsmgr.env[0].name: Invalid value: "A=B"`)))
	})

	It("stands where it was before", func(ctx SpecContext) {
		exempt := nsm(v1beta1, `{version: v1.17.0, nsmgr: {env: [{name: "A=B"}]}}`)
		withoutWebhooks(ctx, func() { Expect(admin.Create(ctx, exempt)).To(Succeed()) })
		warned.take()

		Expect(patch(ctx, v1beta1, `{"logLevel":"DEBUG"}`)).To(Succeed())
		Expect(warned.take()).To(ContainElement(HavePrefix(`spec.nsmgr.env[0].name: Invalid value: "A=B"`)))
		Expect(patch(ctx, v1beta1, `{"nsmgr":{"env":[{"name":"A=B"}],"podLabels":{"team":"net work"}}}`)).To(MatchError(HavePrefix(
			byWebhook + `spec.nsmgr.podLabels[team]: Invalid value: "net work"`)))
	})

	It("leaves nothing behind, and does not mind what is there", func(ctx SpecContext) {
		taken := daemonSet("nsmgr")
		Expect(admin.Create(ctx, taken)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, taken)).To(Succeed()) })
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgr: {env: [{name: A, value: b}]}}`))).To(Succeed())

		var daemonSets appsv1.DaemonSetList
		Expect(admin.List(ctx, &daemonSets)).To(Succeed())
		Expect(daemonSets.Items).To(HaveLen(1))
		var deployments appsv1.DeploymentList
		Expect(admin.List(ctx, &deployments)).To(Succeed())
		Expect(deployments.Items).To(BeEmpty())
	})

	It("keeps nobody waiting where the answer does not come", func(ctx SpecContext) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(silent.Close)
		hanging := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "of-somebody-else"}}
		hanging.Webhooks = []admissionregistrationv1.ValidatingWebhook{{
			Name:         "hangs.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://" + silent.Addr().String())},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"daemonsets"},
				},
			}},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), TimeoutSeconds: ptr.To[int32](30),
			AdmissionReviewVersions: []string{"v1"},
		}}
		Expect(admin.Create(ctx, hanging)).To(Succeed())
		trial := func(ctx context.Context) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return admin.Create(short, daemonSet("trial"), client.DryRunAll)
		}
		DeferCleanup(func(ctx SpecContext) {
			Expect(admin.Delete(ctx, hanging)).To(Succeed())
			Eventually(trial).WithContext(ctx).Should(Succeed(), "the API server has noticed")
		})
		Eventually(trial).WithContext(ctx).Should(MatchError(context.DeadlineExceeded))
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgr: {podLabels: {team: net}}}`))).To(Succeed())
	})

	DescribeTable("is left to the mesh where it is not in the NSM", func(ctx SpecContext, validation admissionregistrationv1.Validation) {
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "of-somebody-else"}}
		policy.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"daemonsets", "deployments"},
				},
			},
		}}}
		policy.Spec.Validations = []admissionregistrationv1.Validation{validation}
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: policy.ObjectMeta}
		binding.Spec.PolicyName = policy.Name
		binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
		Expect(admin.Create(ctx, policy)).To(Succeed())
		Expect(admin.Create(ctx, binding)).To(Succeed())
		trial := func(ctx context.Context) error { return admin.Create(ctx, daemonSet("trial"), client.DryRunAll) }
		DeferCleanup(func(ctx SpecContext) {
			Expect(admin.Delete(ctx, binding)).To(Succeed())
			Expect(admin.Delete(ctx, policy)).To(Succeed())
			Eventually(trial).WithContext(ctx).Should(Succeed(), "the API server has noticed")
		})
		Eventually(trial).WithContext(ctx).Should(MatchError(ContainSubstring("nobody runs here")))
		Expect(admin.Create(ctx, nsm(v1beta1, `{nsmgr: {podLabels: {team: net}}}`))).To(Succeed())
	},
		Entry("a policy that forbids", admissionregistrationv1.Validation{
			Expression: "false", Message: "nobody runs here", Reason: ptr.To(metav1.StatusReasonForbidden)}),
		Entry("a policy that calls it invalid", admissionregistrationv1.Validation{Expression: "false", Message: "nobody runs here"}),
	)
})

// daemonSet of somebody else, in the mesh's namespace.
func daemonSet(name string) *appsv1.DaemonSet {
	labels := map[string]string{"of": "another"}
	object := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	object.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	object.Spec.Template.Labels = labels
	object.Spec.Template.Spec.Containers = []corev1.Container{{Name: "a", Image: "b"}}
	return object
}
