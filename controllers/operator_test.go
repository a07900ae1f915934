// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// operator is one life of the operator's loop.
type operator struct {
	requests *requests
	// cache is what it reads from.
	cache cache.Cache
	// stop ends it.
	stop func()
}

// startOperator starts the loop as main does, and returns when it works.
func startOperator() *operator {
	GinkgoHelper()
	return startOperatorOn(mesh.Platform{}, &requests{})
}

func startOperatorOn(platform mesh.Platform, asked *requests) *operator {
	GinkgoHelper()
	return startOperatorWith(&controllers.NSMReconciler{Platform: platform, Namespace: operatorNamespace}, asked)
}

// impatient is an operator that waits for nothing longer than a spec should. It asks
// the API server again and again while something is wrong. Changes make it wait.
func impatient(platform mesh.Platform, changes ...func(*controllers.Times)) *operator {
	GinkgoHelper()
	times := controllers.Times{
		Patience: 200 * time.Millisecond, AskAgain: 500 * time.Millisecond, LookPause: 100 * time.Millisecond,
		Cache: 2 * time.Second, List: 5 * time.Second, Soonest: 100 * time.Millisecond,
	}
	for _, change := range changes {
		change(&times)
	}
	return startOperatorWith(&controllers.NSMReconciler{Platform: platform, Namespace: operatorNamespace, Times: times}, &requests{})
}

// attentive is an operator that asks each second which kinds the cluster offers.
func attentive(platform mesh.Platform) *operator {
	GinkgoHelper()
	times := controllers.DefaultTimes()
	times.Platform = time.Second
	return startOperatorWith(&controllers.NSMReconciler{Platform: platform, Namespace: operatorNamespace, Times: times}, &requests{})
}

// patient is an operator that looks at nothing by itself, however long a spec takes:
// what it does, a watch has told it.
func patient(platform mesh.Platform) *operator {
	GinkgoHelper()
	times := controllers.DefaultTimes()
	times.Patience, times.AskAgain = time.Hour, time.Hour
	return startOperatorWith(&controllers.NSMReconciler{Platform: platform, Namespace: operatorNamespace, Times: times}, &requests{})
}

func startOperatorWith(loop *controllers.NSMReconciler, asked *requests) *operator {
	GinkgoHelper()
	o := &operator{requests: asked}
	config := rest.CopyConfig(operatorConfig)
	config.Wrap(o.requests.wrap)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      controllers.CacheOptions(),
		Client:     controllers.ClientOptions(),
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(loop.SetupWithManager(mgr)).To(Succeed())
	o.cache, o.stop = mgr.GetCache(), run(mgr)
	Eventually(mgr.Elected()).Should(BeClosed())
	return o
}

// newNSM makes an NSM in a namespace of its own, without the admission webhook
// unless it is asked for. It goes at the end of the spec.
func newNSM(ctx context.Context, spec nsmv1beta1.NSMSpec) *nsmv1beta1.NSM {
	GinkgoHelper()
	return newNSMIn(ctx, newNamespace(ctx), spec)
}

func newNSMIn(ctx context.Context, namespace string, spec nsmv1beta1.NSMSpec) *nsmv1beta1.NSM {
	GinkgoHelper()
	if spec.AdmissionWebhook == nil {
		spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
	}
	nsm := &nsmv1beta1.NSM{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mesh"}, Spec: spec}
	// The webhook may still know the mesh of the last spec.
	Eventually(func() error { return admin.Create(ctx, nsm) }).Should(Succeed())
	DeferCleanup(remove, nsm)
	return nsm
}

func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// remove takes an NSM and its objects away by force, with or without an operator.
func remove(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(admin.Delete(ctx, nsm))).To(Succeed())
	Eventually(func() error {
		err := admin.Patch(ctx, nsm.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))
		return client.IgnoreNotFound(err)
	}).Should(Succeed())
	Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
	for _, object := range owned(ctx, nsm) {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
	}
}

// owned lists all objects that carry the NSM's labels.
func owned(ctx context.Context, nsm *nsmv1beta1.NSM) []client.Object {
	GinkgoHelper()
	var objects []client.Object
	for _, kind := range mesh.Kinds() {
		objects = append(objects, listed(ctx, admin, kind, client.MatchingLabels(mesh.OwnerLabels(nsm)))...)
	}
	return objects
}

// workloadsOf lists the DaemonSets and Deployments that carry the NSM's labels.
func workloadsOf(ctx context.Context, nsm *nsmv1beta1.NSM) []client.Object {
	GinkgoHelper()
	labels := client.MatchingLabels(mesh.OwnerLabels(nsm))
	return append(listed(ctx, admin, &appsv1.DaemonSet{}, labels), listed(ctx, admin, &appsv1.Deployment{}, labels)...)
}

// listed are the objects of a kind, as the API server has them or a cache.
func listed(ctx context.Context, from client.Reader, kind client.Object, options ...client.ListOption) []client.Object {
	GinkgoHelper()
	gvk, err := apiutil.GVKForObject(kind, scheme)
	Expect(err).NotTo(HaveOccurred())
	empty, err := scheme.New(mesh.ListKind(gvk))
	Expect(err).NotTo(HaveOccurred())
	list, ok := empty.(client.ObjectList)
	Expect(ok).To(BeTrue())
	Expect(from.List(ctx, list, options...)).To(Succeed())
	var objects []client.Object
	Expect(meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		Expect(ok).To(BeTrue())
		object.GetObjectKind().SetGroupVersionKind(gvk)
		objects = append(objects, object)
		return nil
	})).To(Succeed())
	return objects
}

// versions maps the NSM's objects, and itself, to their resource versions.
func versions(ctx context.Context, nsm *nsmv1beta1.NSM) map[string]string {
	GinkgoHelper()
	found := map[string]string{"NSM": reread(ctx, nsm).ResourceVersion}
	for _, object := range owned(ctx, nsm) {
		found[nameOf(object)] = object.GetResourceVersion()
	}
	return found
}

// names of the NSM's objects: "Kind name", with the namespace taken out of it. The
// record of the spec is left out, which comes when the mesh is up.
func names(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	found := []string{}
	for _, object := range owned(ctx, nsm) {
		if object.GetName() == mesh.RecordName {
			continue
		}
		found = append(found, strings.ReplaceAll(nameOf(object), nsm.Namespace, "NAMESPACE"))
	}
	return found
}

func asJSON(value any) string {
	GinkgoHelper()
	text, err := json.MarshalIndent(value, "", " ")
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

func nameOf(object client.Object) string {
	return object.GetObjectKind().GroupVersionKind().Kind + " " + object.GetName()
}

// wholeMesh is what a mesh consists of, but for the admission webhook.
var wholeMesh = []string{
	"DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry", "Service registry",
	"ServiceAccount nsmgr", "ServiceAccount forwarder-vpp", "ServiceAccount nsm-registry",
	"ClusterRole nsm:NAMESPACE:nsmgr", "ClusterRole nsm:NAMESPACE:nsm-registry",
	"ClusterRole nsm:NAMESPACE:nsm-registry:namespace", "RoleBinding nsm-registry",
	"ClusterRoleBinding nsm:NAMESPACE:nsmgr", "ClusterRoleBinding nsm:NAMESPACE:nsm-registry",
}

func reread(ctx context.Context, nsm *nsmv1beta1.NSM) *nsmv1beta1.NSM {
	GinkgoHelper()
	fresh := &nsmv1beta1.NSM{}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), fresh)).To(Succeed())
	return fresh
}

// get reads an object of the NSM's namespace, or of the cluster.
func get[T client.Object](ctx context.Context, nsm *nsmv1beta1.NSM, name string, object T) T {
	GinkgoHelper()
	object.SetName(name)
	object.SetNamespace(nsm.Namespace)
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	return object
}

// change updates an object, whoever else does so at the moment.
func change[T client.Object](ctx context.Context, object T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		how(object)
		return admin.Update(ctx, object)
	}).Should(Succeed())
}

// pods is how a workload's pods are.
type pods struct{ desired, current, updated, ready int32 }

// setDaemonSet writes a DaemonSet's status, as its controller would, and has a
// forwarder's ready pods registered.
func setDaemonSet(ctx context.Context, nsm *nsmv1beta1.NSM, name string, p pods) {
	GinkgoHelper()
	setDaemonSetStatus(ctx, nsm, name, p)
	if daemonSetOf(ctx, nsm, name).Labels[mesh.LabelComponent] != string(mesh.RoleForwarder) {
		return
	}
	for node := range p.ready {
		newForwarder(ctx, nsm, name, node)
		register(ctx, nsm, forwarderPod(name, node), time.Hour)
	}
}

func daemonSetOf(ctx context.Context, nsm *nsmv1beta1.NSM, name string) *appsv1.DaemonSet {
	GinkgoHelper()
	return get(ctx, nsm, name, &appsv1.DaemonSet{})
}

func setDaemonSetStatus(ctx context.Context, nsm *nsmv1beta1.NSM, name string, p pods) {
	GinkgoHelper()
	Eventually(func() error {
		daemonSet := &appsv1.DaemonSet{}
		if err := admin.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: name}, daemonSet); err != nil {
			return err
		}
		daemonSet.Status = appsv1.DaemonSetStatus{
			ObservedGeneration:     daemonSet.Generation,
			DesiredNumberScheduled: p.desired, CurrentNumberScheduled: p.current, UpdatedNumberScheduled: p.updated,
			NumberReady: p.ready, NumberAvailable: p.ready, NumberUnavailable: p.desired - p.ready,
		}
		return admin.Status().Update(ctx, daemonSet)
	}).Should(Succeed())
}

// forwarderPod is the name of a forwarder's pod on one of the nodes.
func forwarderPod(workload string, node int32) string {
	return workload + "-pdn4" + string("bcdfghjk"[node])
}

// newForwarder makes a ready pod of a forwarder on one of the nodes, where there
// is none.
func newForwarder(ctx context.Context, nsm *nsmv1beta1.NSM, workload string, node int32) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: forwarderPod(workload, node), Labels: map[string]string{
			mesh.LabelName: workload, mesh.LabelComponent: string(mesh.RoleForwarder),
		}},
		Spec: corev1.PodSpec{NodeName: fmt.Sprintf("node-%d", node), Containers: []corev1.Container{{Name: workload, Image: "example.com/forwarder:1"}}},
	}
	err := admin.Create(ctx, pod)
	if apierrors.IsAlreadyExists(err) {
		return
	}
	Expect(err).NotTo(HaveOccurred())
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	Expect(admin.Status().Update(ctx, pod)).To(Succeed())
}

// register writes, as registry-k8s does, that a forwarder's pod is an endpoint for
// some time from now on.
func register(ctx context.Context, nsm *nsmv1beta1.NSM, pod string, lifetime time.Duration) {
	GinkgoHelper()
	endpoint := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networkservicemesh.io/v1", "kind": "NetworkServiceEndpoint",
		"metadata": map[string]any{"namespace": nsm.Namespace, "name": pod},
		"spec": map[string]any{
			"name": pod, "network_service_names": []any{"forwarder"}, "url": "tcp://192.0.2.1:5001",
			"expiration_time": map[string]any{"seconds": time.Now().Add(lifetime).Unix()},
		},
	}}
	Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(endpoint), client.FieldOwner("registry-k8s"), client.ForceOwnership)).To(Succeed())
}

// setDeployment writes a Deployment's status, as its controller would.
func setDeployment(ctx context.Context, nsm *nsmv1beta1.NSM, name string, p pods) {
	GinkgoHelper()
	Eventually(func() error {
		deployment := &appsv1.Deployment{}
		if err := admin.Get(ctx, client.ObjectKey{Namespace: nsm.Namespace, Name: name}, deployment); err != nil {
			return err
		}
		deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation,
			Replicas:           p.current, UpdatedReplicas: p.updated, ReadyReplicas: p.ready, AvailableReplicas: p.ready,
		}
		return admin.Status().Update(ctx, deployment)
	}).Should(Succeed())
}

// setAllReady lets all pods of a mesh come up.
func setAllReady(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	for _, object := range workloadsOf(ctx, nsm) {
		if mesh.IsImagePull(object) {
			continue
		}
		switch workload := object.(type) {
		case *appsv1.DaemonSet:
			setDaemonSet(ctx, nsm, workload.Name, pods{desired: 3, current: 3, updated: 3, ready: 3})
		case *appsv1.Deployment:
			n := ptr.Deref(workload.Spec.Replicas, 1)
			setDeployment(ctx, nsm, workload.Name, pods{current: n, updated: n, ready: n})
		}
	}
}

// bringAllUp lets all pods of a mesh come up until its NSM says that it is up, as it is
// wanted now. Workloads are written at the same time: when one is seen to have changed, others
// may be about to.
func bringAllUp(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	Eventually(func() bool {
		setAllReady(ctx, nsm)
		return isAvailableNow(reread(ctx, nsm))
	}).Should(BeTrue(), func() string { return messageOf(ctx, nsm, available)() })
}

// newAvailableNSM makes an NSM whose mesh is up and on which the loop has
// nothing to do any more.
func newAvailableNSM(ctx context.Context, o *operator, spec nsmv1beta1.NSMSpec) *nsmv1beta1.NSM {
	GinkgoHelper()
	return newAvailableNSMIn(ctx, o, newNamespace(ctx), spec)
}

func newAvailableNSMIn(ctx context.Context, o *operator, namespace string, spec nsmv1beta1.NSMSpec) *nsmv1beta1.NSM {
	GinkgoHelper()
	nsm := newNSMIn(ctx, namespace, spec)
	objects := len(wholeMesh)
	if ptr.Deref(ptr.Deref(spec.Registry, nsmv1beta1.RegistrySpec{}).Replicas, 1) > 1 {
		objects++ // its disruption budget
	}
	Eventually(func() []string { return names(ctx, nsm) }).Should(HaveLen(objects))
	setAllReady(ctx, nsm)
	Eventually(condition(ctx, nsm, nsmv1beta1.ConditionAvailable)).Should(Equal("True"))
	settle(o)
	return reread(ctx, nsm)
}

// settle waits until the loop is at rest and forgets its requests. On a busy machine
// it may not have heard yet of what there is to do: so its cache is looked at first. And a
// pass that makes no request for a while is no rest.
func settle(o *operator) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		for _, kind := range append(mesh.Kinds(), &nsmv1beta1.NSM{}) {
			g.Expect(versionsIn(o.cache, kind)).To(Equal(versionsIn(admin, kind)))
		}
		before, passes := len(o.requests.all()), reconciles()
		g.Expect(running()).To(BeNumerically("<=", 0))
		g.Consistently(func() int { return len(o.requests.all()) }).Should(Equal(before))
		g.Expect(running()).To(BeNumerically("<=", 0))
		g.Expect(reconciles()).To(Equal(passes))
	}).Should(Succeed())
	o.requests.reset()
}

// versionsIn are the resource versions of the objects of a kind that the loop watches.
func versionsIn(from client.Reader, kind client.Object) map[string]string {
	GinkgoHelper()
	var ours []client.ListOption
	if _, isNSM := kind.(*nsmv1beta1.NSM); !isNSM {
		ours = append(ours, client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedBy})
	}
	found := map[string]string{}
	for _, object := range listed(context.Background(), from, kind, ours...) {
		if object.GetNamespace() != operatorNamespace {
			found[client.ObjectKeyFromObject(object).String()] = object.GetResourceVersion()
		}
	}
	return found
}

// condition returns a function that reads the status of a condition, "" where
// there is none.
func condition(ctx context.Context, nsm *nsmv1beta1.NSM, conditionType string) func() string {
	return func() string {
		GinkgoHelper()
		found := meta.FindStatusCondition(reread(ctx, nsm).Status.Conditions, conditionType)
		if found == nil {
			return ""
		}
		return string(found.Status)
	}
}

// messageOf returns the message of a condition.
func messageOf(ctx context.Context, nsm *nsmv1beta1.NSM, conditionType string) func() string {
	return func() string {
		GinkgoHelper()
		found := meta.FindStatusCondition(reread(ctx, nsm).Status.Conditions, conditionType)
		if found == nil {
			return ""
		}
		return found.Message
	}
}

// reconciles counts the passes of the loop, of all lives.
func reconciles() float64 {
	GinkgoHelper()
	return metric("controller_runtime_reconcile_total", "controller", "nsm")
}

// running is how many passes of the loop are under way, or less: a loop that starts while
// another one works sets it to zero.
func running() float64 {
	GinkgoHelper()
	return metric("controller_runtime_active_workers", "controller", "nsm")
}

// repaired counts the objects of a kind that were brought back.
func repaired(kind string) float64 {
	GinkgoHelper()
	return metric("nsm_mesh_repairs_total", "kind", kind)
}

// metric sums a counter or a gauge, or the samples of a histogram, over all its series with
// the label.
func metric(name, label, value string) float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			if hasLabel(series, label, value) {
				sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasLabel(series *dto.Metric, label, value string) bool {
	for _, pair := range series.GetLabel() {
		if pair.GetName() == label && pair.GetValue() == value {
			return true
		}
	}
	return false
}

// eventsOf lists "Reason: note" of the events about an NSM.
func eventsOf(ctx context.Context, nsm *nsmv1beta1.NSM) func() []string {
	return func() []string {
		GinkgoHelper()
		var list corev1.EventList
		Expect(admin.List(ctx, &list, client.InNamespace(nsm.Namespace))).To(Succeed())
		var said []string
		for _, event := range list.Items {
			said = append(said, fmt.Sprintf("%s: %s", event.Reason, event.Message))
		}
		return said
	}
}

// eventsOfReason lists those with one reason.
func eventsOfReason(ctx context.Context, nsm *nsmv1beta1.NSM, reason string) func() []string {
	return func() []string {
		GinkgoHelper()
		return slices.DeleteFunc(eventsOf(ctx, nsm)(), func(event string) bool { return !strings.HasPrefix(event, reason+": ") })
	}
}
