// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/certs"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// The entries of the configuration, as this page calls them.
const (
	asking = "nsm-mutating-webhook.networkservicemesh.io"
	other  = "namespaces.nsm-mutating-webhook.networkservicemesh.io"
)

// recorder stands where NSM's webhook would, and notes through which entry it is
// asked about which object. What it is asked about gets a label.
type recorder struct {
	server *httptest.Server
	ca     []byte
	// isLate: it shall be called by the configuration's own timeouts.
	isLate bool

	mu    sync.Mutex
	asked map[string][]string
}

func newRecorder() *recorder {
	GinkgoHelper()
	pair, err := certs.Issue([]string{"127.0.0.1"}, time.Now())
	Expect(err).NotTo(HaveOccurred())
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	Expect(err).NotTo(HaveOccurred())
	r := &recorder{ca: pair.CA, asked: map[string][]string{}}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.answer))
	r.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	// The API server would use a connection again that has ended, and not wait for anybody.
	r.server.Config.SetKeepAlivesEnabled(false)
	r.server.StartTLS()
	DeferCleanup(r.server.Close)
	return r
}

// answer is an admission review.
func (r *recorder) answer(w http.ResponseWriter, call *http.Request) {
	defer GinkgoRecover()
	var review admissionv1.AdmissionReview
	Expect(json.NewDecoder(call.Body).Decode(&review)).To(Succeed())
	var object metav1.PartialObjectMetadata
	Expect(json.Unmarshal(review.Request.Object.Raw, &object)).To(Succeed())
	// One that is to be generated has no name yet.
	name := review.Request.Kind.Kind + " " + cmp.Or(object.Name, object.GenerateName)
	r.mu.Lock()
	r.asked[name] = append(r.asked[name], strings.TrimPrefix(call.URL.Path, "/"))
	r.mu.Unlock()

	patch := `[{"op": "add", "path": "/metadata/labels", "value": {"injected": "yes"}}]`
	patched := admissionv1.PatchTypeJSONPatch
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: []byte(patch), PatchType: &patched}
	Expect(json.NewEncoder(w).Encode(review)).To(Succeed())
}

// askedAbout are the entries through which it was asked about an object.
func (r *recorder) askedAbout(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[name]
}

// stop ends it, and with it the API server's connections.
func (r *recorder) stop() {
	r.server.CloseClientConnections()
	r.server.Close()
}

// rendered is a mesh's objects, as the operator makes them.
func rendered(namespace string, spec nsmv1beta1.NSMSpec) []mesh.Object {
	GinkgoHelper()
	nsm := &nsmv1beta1.NSM{Spec: spec}
	nsm.Name, nsm.Namespace, nsm.UID = "mesh", namespace, "1"
	return mesh.Objects(mesh.Components(mesh.Input{NSM: nsm, Release: release.Newest(), WebhookServing: true}))
}

// askRecorder makes the configuration that the operator would make for a mesh,
// but for whom it calls, and returns when the API server heeds it.
func askRecorder(ctx context.Context, r *recorder, spec nsmv1beta1.NSMSpec, probed string) {
	GinkgoHelper()
	var configuration *admissionregistrationv1.MutatingWebhookConfiguration
	for _, object := range rendered("elsewhere", spec) {
		if found, isConfiguration := object.(*admissionregistrationv1.MutatingWebhookConfiguration); isConfiguration {
			configuration = found
		}
	}
	Expect(configuration).NotTo(BeNil())
	for i := range configuration.Webhooks {
		webhook := &configuration.Webhooks[i]
		webhook.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: ptr.To(r.server.URL + "/" + webhook.Name), CABundle: r.ca}
		if !r.isLate {
			webhook.TimeoutSeconds = ptr.To[int32](30) // else a busy machine lets in what the webhook has not seen in time
		}
	}
	// No operator shall take it for its own.
	configuration.Labels = nil
	Expect(admin.Create(ctx, configuration)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, configuration))).To(Succeed()) })
	Eventually(func(g Gomega) {
		g.Expect(admin.Create(ctx, podOf(probed, "probe", nil), client.DryRunAll)).To(Succeed())
		g.Expect(r.askedAbout("Pod probe")).NotTo(BeEmpty())
	}).Should(Succeed())
}

func podOf(namespace, name string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations},
		Spec:       podSpec(),
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "client", Image: "example.com/client:1"}}}
}

// templateOf pods with annotations, and what selects them.
func templateOf(annotations map[string]string) (corev1.PodTemplateSpec, *metav1.LabelSelector) {
	labels := map[string]string{"app": "client"}
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}, Spec: podSpec()},
		&metav1.LabelSelector{MatchLabels: labels}
}

var _ = Describe("What does not ask for NSM does not depend on the admission webhook", func() {
	var (
		r         *recorder
		namespace string
	)
	asks := map[string]string{"networkservicemesh.io": "kernel://service/nsm-1"}
	others := map[string]string{"example.com/note": "x", "networkservicemesh.io/other": "y"}
	var fail = nsmv1beta1.NSMSpec{}

	BeforeEach(func(ctx SpecContext) {
		r, namespace = newRecorder(), newNamespace(ctx)
	})

	meta := func(name string, annotations map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations}
	}

	It("each object meets one of the two entries", func(ctx SpecContext) {
		askRecorder(ctx, r, fail, namespace)
		type meeting struct {
			object client.Object
			entry  string
		}
		bare, selector := templateOf(nil)
		annotated, _ := templateOf(asks)
		noted, _ := templateOf(others)
		generated := podOf(namespace, "", asks)
		generated.GenerateName = "generated-"
		generatedBare := podOf(namespace, "", nil)
		generatedBare.GenerateName = "generated-bare-"
		statefulSet := func(name string, annotations map[string]string, template corev1.PodTemplateSpec) *appsv1.StatefulSet {
			return &appsv1.StatefulSet{ObjectMeta: meta(name, annotations), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}
		}
		for _, one := range []meeting{
			{podOf(namespace, "annotated", asks), asking},
			{podOf(namespace, "bare", nil), other},
			{podOf(namespace, "no-annotation", map[string]string{}), other},
			{podOf(namespace, "other-annotations", others), other},
			{podOf(namespace, "nothing-in-it", map[string]string{"networkservicemesh.io": ""}), other},
			{generated, asking},
			{generatedBare, other},
			{&appsv1.Deployment{ObjectMeta: meta("bare", nil), Spec: appsv1.DeploymentSpec{Selector: selector, Template: bare}}, other},
			{&appsv1.Deployment{ObjectMeta: meta("itself", asks), Spec: appsv1.DeploymentSpec{Selector: selector, Template: bare}}, asking},
			{&appsv1.Deployment{ObjectMeta: meta("template", nil), Spec: appsv1.DeploymentSpec{Selector: selector, Template: annotated}}, asking},
			{&appsv1.Deployment{ObjectMeta: meta("both", asks), Spec: appsv1.DeploymentSpec{Selector: selector, Template: annotated}}, asking},
			{&appsv1.Deployment{ObjectMeta: meta("others", others), Spec: appsv1.DeploymentSpec{Selector: selector, Template: noted}}, other},
			{statefulSet("bare", nil, bare), other},
			{statefulSet("itself", asks, noted), asking},
			{statefulSet("template", others, annotated), asking},
			{&appsv1.DaemonSet{ObjectMeta: meta("bare", nil), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: bare}}, other},
			{&appsv1.DaemonSet{ObjectMeta: meta("template", nil), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: annotated}}, asking},
			{&appsv1.ReplicaSet{ObjectMeta: meta("bare", nil), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: bare}}, other},
			{&appsv1.ReplicaSet{ObjectMeta: meta("itself", asks), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: bare}}, asking},
		} {
			Expect(admin.Create(ctx, one.object)).To(Succeed())
			gvk, err := admin.GroupVersionKindFor(one.object)
			Expect(err).NotTo(HaveOccurred())
			name := gvk.Kind + " " + cmp.Or(one.object.GetGenerateName(), one.object.GetName())
			Expect(r.askedAbout(name)).To(Equal([]string{one.entry}), name)
			Expect(one.object.GetLabels()).To(HaveKeyWithValue("injected", "yes"), name)
		}
	})

	It("while the webhook is down, what asks for NSM is refused, and nothing else", func(ctx SpecContext) {
		askRecorder(ctx, r, fail, namespace)
		r.stop()
		bare, selector := templateOf(nil)
		Expect(admin.Create(ctx, podOf(namespace, "annotated", asks))).To(MatchError(ContainSubstring(`failed calling webhook "` + asking + `"`)))
		Expect(admin.Create(ctx, podOf(namespace, "bare", nil))).To(Succeed())
		Expect(admin.Create(ctx, &appsv1.Deployment{
			ObjectMeta: meta("bare", nil), Spec: appsv1.DeploymentSpec{Selector: selector, Template: bare},
		})).To(Succeed())
	})

	It("while the webhook is silent, nothing else waits for long", func(ctx SpecContext) {
		r.isLate = true
		askRecorder(ctx, r, fail, namespace)
		r.stop()
		// Whoever connects here gets no answer.
		address := strings.TrimPrefix(r.server.URL, "https://")
		silent, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(silent.Close)
		began := time.Now()
		Expect(admin.Create(ctx, podOf(namespace, "bare", nil))).To(Succeed())
		Expect(time.Since(began)).To(BeNumerically(">", time.Second), "it was asked")
		Expect(time.Since(began)).To(BeNumerically("<", 10*time.Second), "how long the API server waits for a webhook that does not say")
	})

	It("with failurePolicy Ignore nothing is refused", func(ctx SpecContext) {
		askRecorder(ctx, r, nsmv1beta1.NSMSpec{AdmissionWebhook: &nsmv1beta1.AdmissionWebhookSpec{FailurePolicy: "Ignore"}}, namespace)
		r.stop()
		Expect(admin.Create(ctx, podOf(namespace, "annotated", asks))).To(Succeed())
	})

	It("another annotation of the user's counts as NSM's", func(ctx SpecContext) {
		webhook := &nsmv1beta1.AdmissionWebhookSpec{}
		webhook.Env = []corev1.EnvVar{{Name: "NSM_ANNOTATION", Value: `example.com/it's-"mine"\`}}
		askRecorder(ctx, r, nsmv1beta1.NSMSpec{AdmissionWebhook: webhook}, namespace)
		Expect(admin.Create(ctx, podOf(namespace, "annotated", asks))).To(Succeed())
		Expect(r.askedAbout("Pod annotated")).To(Equal([]string{other}))
	})

	It("the workloads and pods of a mesh, this one or another, are never asked about", func(ctx SpecContext) {
		askRecorder(ctx, r, fail, namespace)
		r.stop()
		spec := nsmv1beta1.NSMSpec{CSIDriver: &nsmv1beta1.CSIDriverSpec{}, PodAnnotations: asks, Annotations: asks}
		made := 0
		for _, object := range rendered(namespace, spec) {
			var template corev1.PodTemplateSpec
			var selector *metav1.LabelSelector
			switch workload := object.(type) {
			case *appsv1.DaemonSet:
				template, selector = workload.Spec.Template, workload.Spec.Selector
			case *appsv1.Deployment:
				template, selector = workload.Spec.Template, workload.Spec.Selector
			default:
				continue
			}
			made++
			object.SetOwnerReferences(nil)
			Expect(admin.Create(ctx, object)).To(Succeed())
			// What its controller makes of it.
			Expect(admin.Create(ctx, &appsv1.ReplicaSet{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: object.GetName(), Labels: template.Labels, Annotations: object.GetAnnotations()},
				Spec:       appsv1.ReplicaSetSpec{Selector: selector, Template: template},
			})).To(Succeed())
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Namespace, pod.GenerateName = namespace, object.GetName()+"-"
			pod.Spec.ServiceAccountName = ""
			Expect(admin.Create(ctx, pod)).To(Succeed())
		}
		Expect(made).To(BeNumerically(">=", 5))
	})
})
