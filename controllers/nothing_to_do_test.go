// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

var _ = Describe("Guarantee 1: a reconcile with nothing to do makes no write and no uncached read", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	It("however often it runs", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		for range 3 {
			reconcileOften(ctx, o, nsm)
		}
	})

	It("with every part of the spec in use", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, fullSpec())
		reconcileOften(ctx, o, nsm)
	})

	It("with the releases and shapes that there are", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{
			Version:  "v1.0.0",
			Registry: &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory},
			Forwarders: []nsmv1beta1.ForwarderSpec{
				{Name: "vpp", Type: nsmv1beta1.ForwarderTypeVPP}, {Name: "sriov", Type: nsmv1beta1.ForwarderTypeSRIOV},
			},
		})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet sriov"))
		bringAllUp(ctx, nsm)
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("right after a restart of the operator", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		before := versions(ctx, nsm)
		o.stop()

		passes := reconciles()
		second := startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(second.requests.all).Should(BeEmpty())
		Expect(versions(ctx, nsm)).To(Equal(before))
	})

	It("when another webhook edits our pods' templates, also after a restart", func(ctx SpecContext) {
		meddle(ctx)
		drifted := repaired("DaemonSet")
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		template := get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template
		Expect(template.Spec.Containers).To(HaveLen(3), "the webhook adds a sidecar")
		Expect(template.Spec.Containers[0].Image).To(HavePrefix("mirror.example.com/"), "the webhook redirects images")
		Expect(template.Annotations).To(HaveKey("meddler.example.com/was-here"))
		reconcileOften(ctx, o, nsm)
		Expect(repaired("DaemonSet")).To(Equal(drifted), "what a webhook does is no drift")

		o.stop()
		passes := reconciles()
		second := startOperator()
		Eventually(reconciles).Should(BeNumerically(">", passes))
		Consistently(second.requests.all).Should(BeEmpty())

		By("and a change beside what the webhook did is still put right")
		change(ctx, get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}), func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.HostNetwork = true
			d.Spec.Template.Spec.ServiceAccountName = "somebody"
		})
		Eventually(func() string {
			return get(ctx, nsm, "nsmgr", &appsv1.DaemonSet{}).Spec.Template.Spec.ServiceAccountName
		}).Should(Equal("nsmgr"))
		setAllReady(ctx, nsm) // the pods of what is down are looked at
		settle(second)
		reconcileOften(ctx, second, nsm)
	})
})

// reconcileOften wakes the loop by changes that are not its business, and
// expects it to do nothing.
func reconcileOften(ctx context.Context, o *operator, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	wakeOften(ctx, nsm)
	before := versions(ctx, nsm)
	Consistently(o.requests.all).Should(BeEmpty())
	Expect(versions(ctx, nsm)).To(Equal(before))
	Expect(messageOf(ctx, nsm, degraded)()).To(Equal("nothing is known to be wrong"), "it is not the backoff that holds writes back")
}

// wakeOften wakes the loop by changes that are not its business.
func wakeOften(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	managers := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "nsmgr"}}
	for range 4 {
		passes := reconciles()
		change(ctx, managers, func(d *appsv1.DaemonSet) { d.Annotations["example.com/wake"] = d.ResourceVersion })
		Eventually(reconciles).Should(BeNumerically(">", passes))
	}
}

// fullSpec uses what a spec can hold.
func fullSpec() nsmv1beta1.NSMSpec {
	component := nsmv1beta1.ComponentSpec{
		ContainerSpec: nsmv1beta1.ContainerSpec{
			Image: "registry.example.com/image:1",
			Env: []corev1.EnvVar{
				{Name: "A", Value: "1"},
				{Name: "FROM_POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "FROM_CONFIG", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "config"}, Key: "key",
				}}},
			},
			Resources: &corev1.ResourceRequirements{
				// Not as Kubernetes would write them.
				Requests: corev1.ResourceList{corev1.ResourceCPU: quantity("0.1"), corev1.ResourceMemory: quantity("1024Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: quantity("1000m"), corev1.ResourceMemory: quantity("1Gi")},
			},
		},
		NodeSelector: map[string]string{"zone": "a"},
		Tolerations:  []corev1.Toleration{{Key: "key", Operator: corev1.TolerationOpExists}, {Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To(int64(5))}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: corev1.NodeSelectorOpExists}}}},
		}}},
		PriorityClassName: "system-node-critical",
		PodLabels:         map[string]string{"team": "network"},
		PodAnnotations:    map[string]string{"note": "text"},
	}
	return nsmv1beta1.NSMSpec{
		Images: &nsmv1beta1.ImagesSpec{
			Registry: "registry.example.com", Repository: "nsm", PullPolicy: corev1.PullAlways,
			PullSecrets: []nsmv1beta1.PullSecret{{Name: "secret"}},
		},
		LogLevel: "DEBUG",
		Registry: &nsmv1beta1.RegistrySpec{ComponentSpec: component, Replicas: ptr.To(int32(2)), ServiceType: corev1.ServiceTypeLoadBalancer},
		Nsmgr: &nsmv1beta1.NsmgrSpec{
			ComponentSpec: component, ExcludedPrefixes: []string{"10.0.0.0/8"},
			ExcludePrefixes: &component.ContainerSpec,
		},
		Forwarders: []nsmv1beta1.ForwarderSpec{{
			Name: "forwarder-vpp", Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: component,
			SRIOVConfig:       &nsmv1beta1.FileSource{HostPath: "/etc/sriov.config"},
			MechanismPriority: []string{"KERNEL"},
		}},
		Upgrade: &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(percent("50%"))},
	}
}

// meddle registers a mutating webhook that redirects images, injects a sidecar
// and sets an annotation in every DaemonSet and Deployment, for this spec.
func meddle(ctx context.Context) {
	GinkgoHelper()
	mutate(ctx, "meddler", admissionregistrationv1.Rule{
		APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"daemonsets", "deployments"},
	}, meddledWith)
	probe := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "probe", Namespace: newNamespace(ctx)},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "ghcr.io/a"}}},
			},
		},
	}
	Expect(admin.Create(ctx, probe)).To(Succeed())
	Eventually(func() int {
		change(ctx, probe, func(d *appsv1.DaemonSet) { d.Annotations = map[string]string{"try": metav1.Now().String()} })
		return len(probe.Spec.Template.Spec.Containers)
	}).Should(Equal(2), "the API server calls the webhook")
}

// mutate registers a mutating webhook for this spec, which makes of an object
// what the JSON patch says. The API server calls it a moment later.
func mutate(ctx context.Context, name string, objects admissionregistrationv1.Rule, patch func(raw []byte) ([]byte, error)) {
	GinkgoHelper()
	server := httptest.NewTLSServer(answering(patch))
	DeferCleanup(server.Close)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: name + ".example.com", SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			// The API server may call it for a moment after it has gone.
			FailurePolicy: ptr.To(admissionregistrationv1.Ignore), TimeoutSeconds: ptr.To[int32](30),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      ptr.To(server.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       objects,
			}},
		}},
	}
	Expect(admin.Create(ctx, configuration)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, configuration)).To(Succeed()) })
}

func answering(patchFor func(raw []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &review)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		patch, err := patchFor(review.Request.Object.Raw)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{
			UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: ptr.To(admissionv1.PatchTypeJSONPatch),
		}
		_ = json.NewEncoder(w).Encode(review)
	}
}

// meddledWith is the JSON patch for an object with a pod template.
func meddledWith(raw []byte) ([]byte, error) {
	var object struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	template := &object.Spec.Template
	injected := false
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		injected = injected || container.Name == "sidecar"
		if _, rest, found := strings.Cut(container.Image, "ghcr.io/"); found {
			container.Image = "mirror.example.com/" + rest
		}
	}
	if !injected {
		template.Spec.Containers = append(template.Spec.Containers, corev1.Container{Name: "sidecar", Image: "mirror.example.com/sidecar"})
	}
	if template.Annotations == nil {
		template.Annotations = map[string]string{}
	}
	template.Annotations["meddler.example.com/was-here"] = "yes"
	return json.Marshal([]map[string]any{{"op": "replace", "path": "/spec/template", "value": template}})
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func percent(text string) intstr.IntOrString { return intstr.FromString(text) }
