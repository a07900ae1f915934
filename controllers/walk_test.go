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
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	// shortWalk and longWalk are how many steps a walk has.
	shortWalk, longWalk = 24, 2000
	// walkSeed is the seed of the short walk, which is always the same one.
	walkSeed = 1
	// reinstallEvery so many steps the mesh is made anew, and its NSM written otherwise.
	reinstallEvery = 20
	// walker writes the NSM.
	walker = client.FieldOwner("walker")
)

// walk goes from one spec to the next, and disturbs the mesh, at random.
type walk struct {
	*trial
	random *rand.Rand
	nsm    *nsmv1beta1.NSM
	// other is a mesh on other nodes.
	other *nsmv1beta1.NSM
	// scratch is a namespace in which nothing is.
	scratch string
	// applies: the NSM is written by server-side apply.
	applies bool
	// hits are the last times at which objects were disturbed, by name.
	hits map[string][]time.Time
	// refused counts the edits that admission has refused.
	refused int
}

var _ = Describe("A walk at random over specs and disturbances", longest, func() {
	It("is after each step where a fresh mesh of that spec would be", func(ctx SpecContext) {
		seed, steps := uint64(walkSeed), shortWalk
		if long > 0 {
			seed, steps = uint64(time.Now().UnixNano()), longWalk/long
		}
		if chosen, err := strconv.ParseUint(os.Getenv("WALK_SEED"), 10, 64); err == nil {
			seed = chosen
		}
		AddReportEntry("seed", fmt.Sprintf("WALK_SEED=%d, %d steps", seed, steps))
		w := &walk{
			trial: newTrial(ctx, mesh.Platform{}), random: rand.New(rand.NewPCG(seed, seed)),
			scratch: newNamespace(ctx), hits: map[string][]time.Time{},
		}
		w.other = newNSM(ctx, onZone("b"))
		w.finish(ctx, w.other, isUp)
		w.install(ctx)
		for step := range steps {
			what := fmt.Sprintf("seed %d, step %d: ", seed, step)
			others := versions(ctx, w.other)
			told := chronicled(ctx)
			switch {
			case step%reinstallEvery == reinstallEvery-1:
				what += "made anew"
				w.reinstall(ctx)
			case w.random.IntN(3) == 0:
				what += w.disturb(ctx)
			default:
				what += w.edit(ctx)
			}
			By(what)
			w.finish(ctx, w.nsm, func(ctx context.Context, nsm *nsmv1beta1.NSM) bool {
				return isUp(ctx, nsm) && len(reread(ctx, nsm).Finalizers) > 0
			})
			w.expectFresh(ctx, what)
			w.expectRest(ctx, what)
			Expect(versions(ctx, w.other)).To(Equal(others), what+": the other mesh is untouched")
			events := told.of(ctx, w.nsm)
			told.stop()
			expectOrder(events, what)
			expectAgreement(events, what)
		}
		AddReportEntry("refused", w.refused)
		Expect(w.refused).To(BeNumerically("<", steps/4), "most edits are valid")
	}, SpecTimeout(5*time.Hour))
})

// install makes the mesh with as little as can be, on nodes of its own.
func (w *walk) install(ctx context.Context) {
	GinkgoHelper()
	w.applies = w.random.IntN(2) == 0
	spec := onZone("a")
	spec.Version = newState
	spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
	w.nsm = &nsmv1beta1.NSM{Spec: spec}
	w.nsm.Name, w.nsm.Namespace = "mesh", newNamespace(ctx)
	Eventually(func() error { return w.send(ctx, &spec) }).WithTimeout(soon).Should(Succeed())
	w.nsm = reread(ctx, w.nsm)
	DeferCleanup(remove, w.nsm)
	w.finish(ctx, w.nsm, isUp)
}

func (w *walk) reinstall(ctx context.Context) {
	GinkgoHelper()
	Expect(admin.Delete(ctx, w.nsm.DeepCopy())).To(Succeed())
	w.finish(ctx, w.nsm, isGone)
	Expect(stateOf(ctx, w.platform, w.nsm)).To(BeEmpty())
	w.install(ctx)
}

// send writes the spec as a whole.
func (w *walk) send(ctx context.Context, spec *nsmv1beta1.NSMSpec) error {
	GinkgoHelper()
	nsm := &nsmv1beta1.NSM{Spec: *spec.DeepCopy()}
	nsm.Name, nsm.Namespace = w.nsm.Name, w.nsm.Namespace
	if w.applies {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(nsm)
		Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{Object: content}
		object.SetGroupVersionKind(nsmv1beta1.GroupVersion.WithKind("NSM"))
		unstructured.RemoveNestedField(object.Object, "status")
		return admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), walker, client.ForceOwnership)
	}
	if w.nsm.UID == "" {
		return admin.Create(ctx, nsm, walker)
	}
	for {
		live := reread(ctx, w.nsm)
		live.Spec = nsm.Spec
		if err := admin.Update(ctx, live, walker); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// edit changes one thing in the spec, or more, in one of the API's versions.
func (w *walk) edit(ctx context.Context) string {
	GinkgoHelper()
	if !w.applies && w.random.IntN(5) == 0 {
		return w.editEarlier(ctx)
	}
	spec := reread(ctx, w.nsm).Spec.DeepCopy()
	var what []string
	for range 1 + w.random.IntN(2) {
		i := w.random.IntN(len(edits))
		what = append(what, edits[i].what)
		edits[i].how(w, spec)
	}
	onNodesOf(spec, "a")
	said := strings.Join(what, ", ") + " " + asLine(spec)
	fault := ""
	if w.random.IntN(4) == 0 {
		fault = w.arm()
	}
	if err := w.send(ctx, spec); err != nil {
		Expect(apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)).To(BeTrue(), said+": "+err.Error())
		w.refused++
		return said + " refused: " + err.Error()
	}
	Expect(asLine(&reread(ctx, w.nsm).Spec)).To(Equal(asLine(spec)), "what is sent is stored")
	return said + fault
}

// editEarlier changes a field in v1alpha1, and nothing else with it.
func (w *walk) editEarlier(ctx context.Context) string {
	GinkgoHelper()
	before := reread(ctx, w.nsm).Spec
	level := pick(w, "", "DEBUG", "INFO", "WARN")
	live := &unstructured.Unstructured{}
	live.SetAPIVersion("nsm.networkservicemesh.io/v1alpha1")
	live.SetKind("NSM")
	live.SetName(w.nsm.Name)
	live.SetNamespace(w.nsm.Namespace)
	change(ctx, live, func(live *unstructured.Unstructured) {
		if level == "" {
			unstructured.RemoveNestedField(live.Object, "spec", "nsmLogLevel")
			return
		}
		Expect(unstructured.SetNestedField(live.Object, level, "spec", "nsmLogLevel")).To(Succeed())
	})
	sent := asJSON(live.Object["spec"])
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
	Expect(asJSON(live.Object["spec"])).To(Equal(sent), "what is sent is stored")
	before.LogLevel = nsmv1beta1.LogLevel(level)
	Expect(asLine(&reread(ctx, w.nsm).Spec)).To(Equal(asLine(&before)), "and in the other version")
	return "in v1alpha1, nsmLogLevel: " + level
}

// arm lets one of the next writes go wrong.
func (w *walk) arm() string {
	one := faultAt{fault: pick(w, lastBefore, conflicting, timedOut, failing, lastAfter, throttled, forbidden), after: w.random.IntN(12)}
	w.o.requests.arm(one.fault, one.after, nil)
	return ", " + one.String()
}

// edits are what can happen to a spec.
var edits = []struct {
	what string
	how  func(*walk, *nsmv1beta1.NSMSpec)
}{
	{"log level", func(w *walk, s *nsmv1beta1.NSMSpec) { s.LogLevel = pick[nsmv1beta1.LogLevel](w, "", "DEBUG", "WARN") }},
	{"release", func(w *walk, s *nsmv1beta1.NSMSpec) { s.Version = pick(w, "v1.16.0", oldState, newState) }},
	{"images", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Images = pick(w, nil, &nsmv1beta1.ImagesSpec{Registry: "registry.example.com"},
			&nsmv1beta1.ImagesSpec{PullPolicy: corev1.PullAlways, PullSecrets: []nsmv1beta1.PullSecret{{Name: "secret"}}})
	}},
	{"labels", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Labels, s.Annotations = pick(w, nil, map[string]string{"team": "network"}), pick(w, nil, map[string]string{"note": "text"})
		s.PodLabels, s.PodAnnotations = pick(w, nil, map[string]string{"cost": "one"}), pick(w, nil, map[string]string{"note": "pod"})
	}},
	{"registry", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Registry = pick(w, nil, &nsmv1beta1.RegistrySpec{}, &nsmv1beta1.RegistrySpec{Type: nsmv1beta1.RegistryTypeMemory},
			&nsmv1beta1.RegistrySpec{Replicas: ptr.To[int32](2)}, &nsmv1beta1.RegistrySpec{ServiceType: corev1.ServiceTypeLoadBalancer})
		if s.Registry != nil {
			s.Registry.ComponentSpec = w.component()
		}
	}},
	{"nsmgr", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Nsmgr = &nsmv1beta1.NsmgrSpec{ComponentSpec: w.component(), ExcludedPrefixes: pick(w, nil, []string{"10.0.0.0/8"})}
	}},
	{"registry alone", func(_ *walk, s *nsmv1beta1.NSMSpec) {
		s.Nsmgr = &nsmv1beta1.NsmgrSpec{Enabled: ptr.To(!mesh.ManagersEnabled(s))}
		s.Forwarders, s.AdmissionWebhook, s.CSIDriver = nil, nil, nil
	}},
	{"all components", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.NodeSelector = pick(w, nil, map[string]string{"disk": "ssd"})
		s.Tolerations = pick(w, nil, []corev1.Toleration{{Operator: corev1.TolerationOpExists}})
		s.PriorityClassName = pick(w, "", "None")
	}},
	{"the kubelet's directory", func(w *walk, s *nsmv1beta1.NSMSpec) { s.KubeletDirectory = pick(w, "", "/data/kubelet") }},
	{"forwarders", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Forwarders = nil
		for _, one := range []nsmv1beta1.ForwarderType{nsmv1beta1.ForwarderTypeVPP, nsmv1beta1.ForwarderTypeOVS, nsmv1beta1.ForwarderTypeSRIOV} {
			if w.random.IntN(2) == 0 || one == nsmv1beta1.ForwarderTypeSRIOV && len(s.Forwarders) == 0 {
				s.Forwarders = append(s.Forwarders, nsmv1beta1.ForwarderSpec{
					ComponentSpec: w.component(), Type: one, Name: pick(w, "forwarder-"+string(one), string(one)),
				})
			}
		}
	}},
	{"admission webhook", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.AdmissionWebhook = pick(w, &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}, &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(true)},
			&nsmv1beta1.AdmissionWebhookSpec{Replicas: ptr.To[int32](1), FailurePolicy: "Ignore"},
			&nsmv1beta1.AdmissionWebhookSpec{HostNetwork: ptr.To(true)},
			&nsmv1beta1.AdmissionWebhookSpec{Client: &nsmv1beta1.InjectedClientSpec{Env: []nsmv1beta1.InjectedEnvVar{{Name: "A", Value: "b"}}}})
	}},
	{"CSI driver", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.CSIDriver = pick(w, nil, &nsmv1beta1.CSIDriverSpec{ComponentSpec: w.component()})
	}},
	{"vL3", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.VL3 = pick(w, nil, &nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{Name: "vl3-ipam", ComponentSpec: w.component()}}},
			&nsmv1beta1.VL3Spec{IPAMs: []nsmv1beta1.VL3IPAMSpec{{Name: "one"}, {Name: "two", Prefix: "2001:db8::/64"}}})
	}},
	{"dashboard", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Dashboard = pick(w, nil, &nsmv1beta1.DashboardSpec{ComponentSpec: w.component()})
	}},
	{"telemetry", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Telemetry = pick(w, nil, &nsmv1beta1.TelemetrySpec{OpenTelemetry: &nsmv1beta1.OpenTelemetrySpec{Endpoint: "otel.example.com:4317"}},
			&nsmv1beta1.TelemetrySpec{Pprof: &nsmv1beta1.PprofSpec{Enabled: ptr.To(true)}})
	}},
	{"network policy", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.NetworkPolicy = pick(w, "", nsmv1beta1.NetworkPolicyNone, nsmv1beta1.NetworkPolicyManaged)
	}},
	{"upgrade", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Upgrade = pick(w, nil, &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(percent("50%"))})
	}},
	{"SPIRE", func(w *walk, s *nsmv1beta1.NSMSpec) {
		s.Spire = pick(w, nil, &nsmv1beta1.SpireSpec{Mount: "CSI"}, &nsmv1beta1.SpireSpec{AgentSocket: "unix:///run/spire/agent.sock"})
	}},
	{"nothing but what must be", func(_ *walk, s *nsmv1beta1.NSMSpec) {
		version := s.Version
		*s = onZone("a")
		s.Version, s.AdmissionWebhook = version, &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
	}},
}

// component says something about a component, or nothing.
func (w *walk) component() nsmv1beta1.ComponentSpec {
	if w.random.IntN(3) == 0 {
		return nsmv1beta1.ComponentSpec{}
	}
	return nsmv1beta1.ComponentSpec{
		ContainerSpec: nsmv1beta1.ContainerSpec{
			Image: pick(w, "", "", "registry.example.com/image:1"),
			Env:   pick(w, nil, []corev1.EnvVar{{Name: "A", Value: "1"}}, []corev1.EnvVar{{Name: "B", Value: ""}, {Name: "A", Value: "2"}}),
			Resources: pick(w, nil, &corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: quantity("0.1")}, Limits: corev1.ResourceList{corev1.ResourceMemory: quantity("1Gi")},
			}),
		},
		NodeSelector:      pick(w, nil, map[string]string{"disk": "ssd"}),
		Tolerations:       pick(w, nil, []corev1.Toleration{{Operator: corev1.TolerationOpExists}}),
		PriorityClassName: pick(w, "", "None"),
		Labels:            pick(w, nil, map[string]string{"own": "label"}),
		PodLabels:         pick(w, nil, map[string]string{"own": "pod-label"}),
		PodAnnotations:    pick(w, nil, map[string]string{"own": "pod-note"}),
	}
}

// onNodesOf keeps the mesh on nodes of its own, whatever else is said.
func onNodesOf(spec *nsmv1beta1.NSMSpec, zone string) {
	with := func(selector map[string]string) map[string]string {
		selector = maps.Clone(selector)
		if selector == nil {
			selector = map[string]string{}
		}
		selector["zone"] = zone
		return selector
	}
	if spec.Nsmgr == nil {
		spec.Nsmgr = &nsmv1beta1.NsmgrSpec{}
	}
	spec.Nsmgr.NodeSelector = with(spec.Nsmgr.NodeSelector)
	for i := range spec.Forwarders {
		spec.Forwarders[i].NodeSelector = with(spec.Forwarders[i].NodeSelector)
	}
	if len(spec.Forwarders) == 0 {
		// The forwarder that a mesh has without.
		spec.NodeSelector = with(spec.NodeSelector)
	}
}

// disturb does something to the mesh that nobody should do.
func (w *walk) disturb(ctx context.Context) string {
	GinkgoHelper()
	objects := owned(ctx, w.nsm)
	objects = slices.DeleteFunc(objects, func(object client.Object) bool { return !w.mayHit(nameOf(object)) })
	switch {
	case w.random.IntN(8) == 0 || len(objects) == 0:
		return w.disturbNSM(ctx)
	case w.random.IntN(5) == 0:
		w.o.stop()
		said := w.spoilOne(ctx, objects[w.random.IntN(len(objects))])
		w.start(&requests{})
		return said + ", while there was no operator"
	case w.random.IntN(4) == 0:
		fault := w.arm()
		return w.spoilOne(ctx, objects[w.random.IntN(len(objects))]) + fault
	default:
		return w.spoilOne(ctx, objects[w.random.IntN(len(objects))])
	}
}

// mayHit reports whether an object was left alone for long enough to be put right at
// once. The short walk does not ask how long: it takes one way on every machine.
func (w *walk) mayHit(name string) bool {
	if long > 0 {
		w.hits[name] = slices.DeleteFunc(w.hits[name], func(at time.Time) bool { return time.Since(at) > 3*time.Minute })
	}
	return len(w.hits[name]) < 2
}

func (w *walk) disturbNSM(ctx context.Context) string {
	GinkgoHelper()
	if w.random.IntN(2) == 0 {
		change(ctx, w.nsm.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = nil })
		return "the finalizer removed"
	}
	live := reread(ctx, w.nsm)
	live.Status = nsmv1beta1.NSMStatus{}
	Expect(client.IgnoreNotFound(admin.Status().Update(ctx, live))).To(Or(Succeed(), MatchError(apierrors.IsConflict, "a conflict")))
	return "the status removed"
}

// spoilOne breaks an object of the mesh in one way.
func (w *walk) spoilOne(ctx context.Context, object client.Object) string {
	GinkgoHelper()
	name := nameOf(object)
	w.hits[name] = append(w.hits[name], time.Now())
	how := pick(w, "deleted", "labels removed", "annotations removed", "owners removed", "content changed")
	if how == "deleted" {
		Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed())
		return name + " " + how
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
	live.SetName(object.GetName())
	live.SetNamespace(object.GetNamespace())
	Eventually(func() error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
			return client.IgnoreNotFound(err)
		}
		switch how {
		case "labels removed":
			live.SetLabels(nil)
		case "annotations removed":
			live.SetAnnotations(nil)
		case "owners removed":
			live.SetOwnerReferences(nil)
		default:
			spoil(live)
		}
		err := admin.Update(ctx, live, client.FieldOwner(somebody))
		if apierrors.IsInvalid(err) {
			return nil // it cannot be broken like this
		}
		return client.IgnoreNotFound(err)
	}).WithTimeout(soon).Should(Succeed())
	return name + " " + how
}

// spoil changes what an object is for.
func spoil(live *unstructured.Unstructured) {
	GinkgoHelper()
	set := func(value any, path ...string) {
		Expect(unstructured.SetNestedField(live.Object, value, path...)).To(Succeed())
	}
	switch live.GetKind() {
	case "DaemonSet", "Deployment":
		containers, _, err := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
		Expect(err).NotTo(HaveOccurred())
		first, _ := containers[0].(map[string]any)
		first["image"] = "example.com/other:1"
		set(containers, "spec", "template", "spec", "containers")
	case "Service":
		set(map[string]any{"app": "other"}, "spec", "selector")
	case "ClusterRole":
		live.Object["rules"] = []any{}
	case "ClusterRoleBinding", "RoleBinding":
		live.Object["subjects"] = []any{}
	case "Secret":
		live.Object["data"] = map[string]any{"tls.crt": "", "tls.key": ""}
	case "MutatingWebhookConfiguration":
		live.Object["webhooks"] = []any{}
	case "NetworkPolicy":
		set([]any{}, "spec", "ingress")
		set([]any{}, "spec", "egress")
	case "PodDisruptionBudget":
		unstructured.RemoveNestedField(live.Object, "spec", "minAvailable")
		set(int64(0), "spec", "maxUnavailable")
	}
}

// expectFresh compares what there is with what rendering the spec gives, as the API
// server would keep it.
func (w *walk) expectFresh(ctx context.Context, what string) {
	GinkgoHelper()
	// What has not to do with workloads may still be on its way.
	var got, want map[string]string
	for deadline := time.Now().Add(soon); ; {
		want, got = w.fresh(ctx), stateOf(ctx, w.platform, w.nsm)
		for _, apart := range []string{"NSM", "entries of the registry", "labels of the namespace"} {
			delete(got, apart)
		}
		if maps.Equal(got, want) || time.Now().After(deadline) {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	Expect(slices.Sorted(maps.Keys(got))).To(Equal(slices.Sorted(maps.Keys(want))), what)
	for name := range want {
		Expect(got[name]).To(BeComparableTo(want[name]), what+": "+name)
	}
}

// fresh is the state of a mesh of this spec that has just been made.
func (w *walk) fresh(ctx context.Context) map[string]string {
	GinkgoHelper()
	nsm := reread(ctx, w.nsm)
	nsm.Namespace = w.scratch
	in := mesh.Input{NSM: nsm, Platform: w.platform, OperatorNamespace: operatorNamespace, WebhookServing: true}
	var err error
	in.Release, err = release.Parse(nsm.Spec.Version)
	Expect(err).NotTo(HaveOccurred())
	secret := &corev1.Secret{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: w.nsm.Namespace, Name: mesh.WebhookSecret}, secret); err == nil {
		in.WebhookCertificate = mesh.Certificate{
			CertificateChain: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey], CABundle: secret.Data[mesh.CABundleKey],
		}
	}
	record, err := mesh.Record(in)
	Expect(err).NotTo(HaveOccurred())
	state := map[string]string{}
	for _, object := range append(slices.Concat(mesh.Identities(in), mesh.Objects(mesh.Components(in))), record) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		Expect(err).NotTo(HaveOccurred())
		sent := &unstructured.Unstructured{Object: content}
		gvk, err := apiutil.GVKForObject(object, scheme)
		Expect(err).NotTo(HaveOccurred())
		sent.SetGroupVersionKind(gvk)
		unstructured.RemoveNestedField(sent.Object, "status")
		annotations := sent.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[mesh.AppliedAnnotation] = "by the walk"
		switch object.(type) {
		case *appsv1.DaemonSet, *appsv1.Deployment:
			annotations[writtenAt] = "now"
		}
		sent.SetAnnotations(annotations)
		Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(sent), client.FieldOwner(mesh.FieldOwner), client.DryRunAll)).To(Succeed(), nameOf(sent))
		state[strings.ReplaceAll(nameOf(sent), w.scratch, "NAMESPACE")] = strings.ReplaceAll(asJSON(normalized(sent, nsm)), w.scratch, "NAMESPACE")
	}
	return state
}

// expectRest expects that nothing is written any more, but for what the API server is
// told about a certificate some time after it has changed.
func (w *walk) expectRest(ctx context.Context, what string) {
	GinkgoHelper()
	w.o.requests.arm(nil, 0, nil)
	settle(w.o) // its status may still be on its way
	written := func() []request {
		return slices.DeleteFunc(w.o.requests.all(), func(one request) bool {
			return !one.isWrite() || one.isEvent() || strings.Contains(one.path, "/mutatingwebhookconfigurations/") || !strings.Contains(one.path, w.nsm.Namespace)
		})
	}
	passes := reconciles()
	account := get(ctx, w.nsm, mesh.RegistryName, &corev1.ServiceAccount{}) // which every mesh has
	change(ctx, account, func(a *corev1.ServiceAccount) { a.Annotations["example.com/wake"] = strconv.Itoa(w.random.Int()) })
	change(ctx, account, func(a *corev1.ServiceAccount) { delete(a.Annotations, "example.com/wake") })
	Eventually(reconciles).WithTimeout(soon).Should(BeNumerically(">", passes))
	Consistently(written).Should(BeEmpty(), what+": it is at rest")
}

// pick chooses one of the values.
func pick[T any](w *walk, values ...T) T { return values[w.random.IntN(len(values))] }

// asLine is a spec on one line.
func asLine(spec *nsmv1beta1.NSMSpec) string {
	GinkgoHelper()
	text, err := json.Marshal(spec)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}
