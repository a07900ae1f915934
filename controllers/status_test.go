// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"slices"
	"sync"
	"time"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	kptstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/conversion"
)

var (
	allReady  = pods{desired: 3, current: 3, updated: 3, ready: 3}
	available = nsmv1beta1.ConditionAvailable
	// progressing and degraded are bad when true.
	progressing = nsmv1beta1.ConditionProgressing
	degraded    = nsmv1beta1.ConditionDegraded
)

var _ = Describe("Guarantee 7: Available is never true while any part is not", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	It("when the parts come up one by one", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		history := record(ctx, nsm)
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		Expect(messageOf(ctx, nsm, available)()).To(And(
			ContainSubstring("Deployment "+nsm.Namespace+"/nsm-registry"),
			ContainSubstring("DaemonSet "+nsm.Namespace+"/nsmgr"),
			ContainSubstring("DaemonSet "+nsm.Namespace+"/forwarder-vpp")))

		setDeployment(ctx, nsm, "nsm-registry", pods{current: 1, updated: 1, ready: 1})
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionRegistryReady)).Should(Equal("True"))
		setDaemonSet(ctx, nsm, "nsmgr", allReady)
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)).Should(Equal("True"))
		setDaemonSet(ctx, nsm, "forwarder-vpp", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(func() string { return reread(ctx, nsm).Status.Forwarders }).Should(Equal("2/3"))
		Expect(condition(ctx, nsm, nsmv1beta1.ConditionForwardersReady)()).To(Equal("False"))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))

		setDaemonSet(ctx, nsm, "forwarder-vpp", allReady)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		status := reread(ctx, nsm).Status
		Expect(status.ObservedGeneration).To(Equal(reread(ctx, nsm).Generation))
		Expect(status.Version).To(Equal(nsm.Spec.Version))
		Expect(status.Managers).To(Equal("3/3"))
		Expect(status.Components).To(HaveLen(3))
		Eventually(history.of).WithArguments(available).Should(Equal([]string{"False", "True"}))
		Eventually(history.of).WithArguments(progressing).Should(Equal([]string{"True", "False"}))
		Expect(history.of(degraded)).To(Equal([]string{"False"}))
	})

	It("and no condition flaps during a rollout", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		history := record(ctx, nsm)
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{LogLevel: "DEBUG", Version: nsm.Spec.Version})
		Eventually(condition(ctx, nsm, progressing)).Should(Equal("True"))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))

		setDeployment(ctx, nsm, "nsm-registry", pods{current: 2, updated: 1, ready: 2})
		setDeployment(ctx, nsm, "nsm-registry", pods{current: 1, updated: 1, ready: 1})
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionRegistryReady)).Should(Equal("True"))
		for _, name := range []string{"nsmgr", "forwarder-vpp"} {
			for updated := range int32(3) {
				// One pod after another goes, comes, and gets ready.
				step(ctx, nsm, name, pods{desired: 3, current: 2, updated: updated, ready: 2})
				step(ctx, nsm, name, pods{desired: 3, current: 3, updated: updated + 1, ready: 2})
				step(ctx, nsm, name, pods{desired: 3, current: 3, updated: updated + 1, ready: 3})
			}
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Eventually(history.of).WithArguments(available).Should(Equal([]string{"True", "False", "True"}))
		Eventually(history.of).WithArguments(progressing).Should(Equal([]string{"False", "True", "False"}))
		Expect(history.of(degraded)).To(Equal([]string{"False"}))
	})

	It("and a node that reboots is no progress", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		history := record(ctx, nsm)
		// The pods stop being ready, are removed, come anew, and are ready.
		for _, seen := range []pods{
			{desired: 3, current: 3, updated: 3, ready: 2},
			{desired: 3, current: 2, updated: 2, ready: 2},
			{desired: 3, current: 3, updated: 3, ready: 2},
		} {
			step(ctx, nsm, "nsmgr", seen)
			step(ctx, nsm, "forwarder-vpp", seen)
			Expect(condition(ctx, nsm, available)()).To(Equal("False"))
			Expect(messageOf(ctx, nsm, available)()).To(ContainSubstring("has pods that are not ready"))
		}
		setAllReady(ctx, nsm)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
		Eventually(history.of).WithArguments(available).Should(Equal([]string{"True", "False", "True"}))
		Expect(history.of(progressing)).To(Equal([]string{"False"}))
		Expect(history.of(degraded)).To(Equal([]string{"False"}))
		Eventually(eventsOf(ctx, nsm)).Should(ContainElements(HavePrefix("Unavailable: "), HavePrefix("Available: ")))
	})

	It("not even while a change cannot be written", func(ctx SpecContext) {
		nsm := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		forbid(ctx, "daemonsets", "patch")
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{LogLevel: "DEBUG", Version: nsm.Spec.Version})
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("True"))
		Expect(messageOf(ctx, nsm, degraded)()).To(And(
			ContainSubstring("applying DaemonSet "+nsm.Namespace+"/nsmgr"), ContainSubstring("forbidden")))

		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(condition(ctx, nsm, nsmv1beta1.ConditionManagersReady)).Should(Equal("False"))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))

		By("what cannot be written either is an event, too")
		forbid(ctx, "deployments", "patch")
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{LogLevel: "TRACE", Version: nsm.Spec.Version})
		Eventually(eventsOf(ctx, nsm)).WithTimeout(soon).Should(ContainElement(And(
			HavePrefix("ApplyFailed: "), ContainSubstring("applying Deployment "+nsm.Namespace+"/nsm-registry"))))
	})

	It("nor where no node wants a part", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() bool { return hasAll(ctx, nsm) }).Should(BeTrue())
		setAllReady(ctx, nsm)
		setDaemonSet(ctx, nsm, "nsmgr", pods{})
		Eventually(messageOf(ctx, nsm, available)).Should(Equal("DaemonSet " + nsm.Namespace + "/nsmgr has no node to run on: " +
			"no node matches its node selector (kubernetes.io/os=linux), affinity and tolerations"))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))
	})
})

var _ = Describe("Tools that wait for a mesh", func() {
	It("see in both versions that it is new, coming up, there, changed, and going", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0"})
		Expect(verdictsOn(ctx, nsm)()).To(HaveEach("InProgress"), "nobody has seen it yet")
		o := startOperator()
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		Expect(verdictsOn(ctx, nsm)()).To(HaveEach("InProgress"))
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		setAllReady(ctx, nsm)
		Eventually(verdictsOn(ctx, nsm)).Should(HaveEach("Current"))

		By("not after the reboot of a node")
		setDaemonSet(ctx, nsm, "nsmgr", pods{desired: 3, current: 3, updated: 3, ready: 2})
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		Expect(verdictsOn(ctx, nsm)()).To(HaveEach("Current"))
		setDaemonSet(ctx, nsm, "nsmgr", allReady)
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))

		settle(o)
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{LogLevel: "DEBUG", Version: nsm.Spec.Version})
		Expect(verdictsOn(ctx, nsm)()).To(HaveEach("InProgress"))
		Eventually(condition(ctx, nsm, progressing)).Should(Equal("True"))
		bringAllUp(ctx, nsm)
		Eventually(verdictsOn(ctx, nsm)).Should(HaveEach("Current"))

		hold := reread(ctx, nsm)
		change(ctx, hold, func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = append(nsm.Finalizers, "test.example.com/hold") })
		Expect(admin.Delete(ctx, hold)).To(Succeed())
		Expect(verdictsOn(ctx, nsm)()).To(HaveEach("Terminating"))
	})

	It("see that one is refused", func(ctx SpecContext) {
		startOperator()
		nsm := newUncheckedNSM(ctx, nsmv1beta1.NSMSpec{Version: "v99999999999999999999.0.0"})
		Eventually(verdictsOn(ctx, nsm)).Should(HaveEach("Failed"))
	})
})

// verdictsOn returns what both libraries by which tools wait say of an NSM, as
// each of the versions has it.
func verdictsOn(ctx context.Context, nsm *nsmv1beta1.NSM) func() []string {
	return func() []string {
		GinkgoHelper()
		var verdicts []string
		for _, version := range []schema.GroupVersion{nsmv1beta1.GroupVersion, nsmv1alpha1.GroupVersion} {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(version.WithKind("NSM"))
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), object)).To(Succeed())
			flux, err := fluxstatus.Compute(object)
			Expect(err).NotTo(HaveOccurred())
			kpt, err := kptstatus.Compute(object)
			Expect(err).NotTo(HaveOccurred())
			verdicts = append(verdicts, flux.Status.String(), kpt.Status.String())
		}
		return verdicts
	}
}

var _ = Describe("An NSM that came past the webhook and cannot be run", func() {
	var o *operator

	BeforeEach(func() { o = startOperator() })

	It("is told why, touches nothing, and is run when the obstacle is gone", func(ctx SpecContext) {
		first := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		second := newUncheckedNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0"})
		Eventually(messageOf(ctx, second, degraded)).Should(HavePrefix("NSM " + first.Namespace + "/mesh was here first, and "))
		Expect(condition(ctx, second, degraded)()).To(Equal("True"))
		Expect(condition(ctx, second, available)()).To(Equal("False"))
		Expect(condition(ctx, second, progressing)()).To(Equal("False"))
		Expect(reread(ctx, second).Status.ObservedGeneration).To(Equal(second.Generation))
		Expect(names(ctx, second)).To(BeEmpty())
		Expect(reread(ctx, second).Finalizers).To(BeEmpty())
		Expect(condition(ctx, first, available)()).To(Equal("True"))

		Expect(admin.Delete(ctx, first.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, first)
		Eventually(func() []string { return names(ctx, second) }).Should(ConsistOf(wholeMesh))
		Eventually(eventsOf(ctx, second)).Should(ContainElements(HavePrefix("Conflict: "), Equal("Recovered: Conflict is over")))
	})

	It("is run when the other's mesh is gone, whoever else holds the other NSM", func(ctx SpecContext) {
		const hold = "example.com/hold"
		first := newAvailableNSM(ctx, o, nsmv1beta1.NSMSpec{})
		second := newUncheckedNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0"})
		Eventually(condition(ctx, second, degraded)).Should(Equal("True"))
		settle(o)
		change(ctx, first, func(nsm *nsmv1beta1.NSM) { nsm.Finalizers = append(nsm.Finalizers, hold) })

		Expect(admin.Delete(ctx, first.DeepCopy())).To(Succeed())
		Eventually(func() []string { return reread(ctx, first).Finalizers }).Should(ConsistOf(hold))
		Eventually(func() []string { return names(ctx, second) }).Should(ConsistOf(wholeMesh))
		Eventually(condition(ctx, second, degraded)).Should(Equal("False"))
		Expect(isGone(ctx, first)).To(BeFalse())
	})

	It("for its admission webhook, until it does without", func(ctx SpecContext) {
		spec := onZone("a")
		spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{}
		first := newNSM(ctx, spec)
		// Times of creation have no fractions of a second.
		Eventually(func() bool { return time.Since(first.CreationTimestamp.Time) > time.Second }).Should(BeTrue())
		second := newUncheckedNSM(ctx, onZone("b"))
		Eventually(func() []string { return names(ctx, second) }).Should(ConsistOf(wholeMesh))
		change(ctx, second.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.Enabled = nil })
		Eventually(messageOf(ctx, second, degraded)).Should(And(
			HavePrefix("NSM "+first.Namespace+"/mesh was here first, and "), ContainSubstring("admissionWebhook.enabled: false")))
		settle(o)
		Expect(names(ctx, second)).To(ConsistOf(wholeMesh), "what there is of it stays")

		change(ctx, first.DeepCopy(), func(nsm *nsmv1beta1.NSM) { nsm.Spec.AdmissionWebhook.Enabled = ptr.To(false) })
		Eventually(func() []string { return names(ctx, second) }).Should(ContainElement("Deployment admission-webhook-k8s"))
	})

	It("for its release", func(ctx SpecContext) {
		nsm := newUncheckedNSM(ctx, nsmv1beta1.NSMSpec{Version: "v99999999999999999999.0.0"})
		Eventually(messageOf(ctx, nsm, degraded)).Should(HavePrefix(`spec.version: "v99999999999999999999.0.0": `))
		Expect(names(ctx, nsm)).To(BeEmpty())
	})
})

var _ = Describe("An NSM from a time without validation", func() {
	// carrying is an NSM that was written in v1alpha1 so.
	carrying := func(ctx context.Context, spec string) *nsmv1beta1.NSM {
		GinkgoHelper()
		nsm := newUncheckedNSM(ctx, nsmv1beta1.NSMSpec{Version: "v1.18.0"})
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) {
			metav1.SetMetaDataAnnotation(&nsm.ObjectMeta, conversion.Annotation, `{"v1alpha1":{"of":"1","spec":`+spec+`}}`)
		})
		return nsm
	}

	It("is not acted on where nobody understands it, until it is written anew", func(ctx SpecContext) {
		nsm := carrying(ctx, `{"nsmgr":{"image":7}}`)
		startOperator()
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("spec.nsmgr.image: 7: must be a string"), ContainSubstring("remove the annotation "+conversion.Annotation)))
		Expect(names(ctx, nsm)).To(BeEmpty())

		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) { delete(nsm.Annotations, conversion.Annotation) })
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
	})

	It("is acted on, and told, where it has fields that nobody knows", func(ctx SpecContext) {
		nsm := carrying(ctx, `{"size":3}`)
		startOperator()
		Eventually(func() []string { return names(ctx, nsm) }).Should(ConsistOf(wholeMesh))
		Eventually(messageOf(ctx, nsm, degraded)).Should(Equal("these fields have no effect: spec.size; remove them"))
	})
})

var _ = Describe("Two meshes on nodes of their own", func() {
	It("live side by side, and one goes without the other", func(ctx SpecContext) {
		o := startOperator()
		one, other := newAvailableNSM(ctx, o, onZone("a")), newAvailableNSM(ctx, o, onZone("b"))
		before := versions(ctx, other)
		Expect(condition(ctx, one, available)()).To(Equal("True"))
		Expect(admin.Delete(ctx, one.DeepCopy())).To(Succeed())
		expectNothingLeft(ctx, one)
		settle(o)
		Expect(versions(ctx, other)).To(Equal(before))
		Expect(names(ctx, other)).To(ConsistOf(wholeMesh))
	})
})

// onZone is a mesh on the nodes of a zone.
func onZone(zone string) nsmv1beta1.NSMSpec {
	var nsmgr nsmv1beta1.NsmgrSpec
	nsmgr.NodeSelector = map[string]string{"zone": zone}
	forwarder := nsmv1beta1.ForwarderSpec{Name: "forwarder-vpp", Type: nsmv1beta1.ForwarderTypeVPP}
	forwarder.NodeSelector = nsmgr.NodeSelector
	return nsmv1beta1.NSMSpec{Nsmgr: &nsmgr, Forwarders: []nsmv1beta1.ForwarderSpec{forwarder}}
}

// newUncheckedNSM makes an NSM that no webhook validates.
func newUncheckedNSM(ctx context.Context, spec nsmv1beta1.NSMSpec) *nsmv1beta1.NSM {
	GinkgoHelper()
	spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
	nsm := &nsmv1beta1.NSM{
		ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(ctx), Name: "mesh", Labels: map[string]string{uncheckedLabel: ""}},
		Spec:       spec,
	}
	Expect(admin.Create(ctx, nsm)).To(Succeed())
	DeferCleanup(remove, nsm)
	return nsm
}

// step writes a DaemonSet's status and waits until the loop has seen it.
func step(ctx context.Context, nsm *nsmv1beta1.NSM, name string, p pods) {
	GinkgoHelper()
	setDaemonSet(ctx, nsm, name, p)
	Eventually(func() pods {
		for _, component := range reread(ctx, nsm).Status.Components {
			if component.Name == name {
				return pods{desired: *component.Desired, current: p.current, updated: *component.Updated, ready: *component.Ready}
			}
		}
		return pods{}
	}).Should(Equal(p))
}

// forbid takes rights to a resource away from the operator, for this spec.
func forbid(ctx context.Context, resource string, verbs ...string) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "nsm-operator"}}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
	before := role.DeepCopy()
	review := &authorizationv1.SelfSubjectAccessReview{}
	review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Verb: verbs[0], Resource: resource}
	role.Rules = nil
	for _, rule := range before.Rules {
		if !slices.Contains(rule.Resources, resource) {
			role.Rules = append(role.Rules, rule)
			continue
		}
		review.Spec.ResourceAttributes.Group = rule.APIGroups[0]
		others, left := rule.DeepCopy(), rule.DeepCopy()
		others.Resources = slices.DeleteFunc(others.Resources, func(other string) bool { return other == resource })
		left.Resources = []string{resource}
		left.Verbs = slices.DeleteFunc(left.Verbs, func(verb string) bool { return slices.Contains(verbs, verb) })
		for _, rule := range []*rbacv1.PolicyRule{others, left} {
			if len(rule.Resources) > 0 && len(rule.Verbs) > 0 {
				role.Rules = append(role.Rules, *rule)
			}
		}
	}
	Expect(admin.Update(ctx, role)).To(Succeed())
	operator, err := client.New(operatorConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	// The API server's authorizer hears of it a moment later.
	isAllowed := func(ctx context.Context) bool {
		asked := review.DeepCopy()
		Expect(operator.Create(ctx, asked)).To(Succeed())
		return asked.Status.Allowed
	}
	DeferCleanup(func(ctx SpecContext) {
		change(ctx, role, func(role *rbacv1.ClusterRole) { role.Rules = before.Rules })
		Eventually(isAllowed).WithArguments(ctx).Should(BeTrue())
	})
	Eventually(isAllowed).WithArguments(ctx).Should(BeFalse())
}

// history is what became of an NSM's conditions.
type history struct {
	mu   sync.Mutex
	seen map[string][]string
}

// record writes down every status that an NSM's conditions take, from now on.
func record(ctx context.Context, nsm *nsmv1beta1.NSM) *history {
	GinkgoHelper()
	h := &history{seen: map[string][]string{}}
	watcher, err := adminWatch.Watch(ctx, &nsmv1beta1.NSMList{}, client.InNamespace(nsm.Namespace))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watcher.Stop)
	go func() {
		for event := range watcher.ResultChan() {
			if nsm, ok := event.Object.(*nsmv1beta1.NSM); ok {
				h.add(nsm.Status.Conditions)
			}
		}
	}()
	return h
}

func (h *history) add(conditions []metav1.Condition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, conditionType := range []string{available, progressing, degraded} {
		found := meta.FindStatusCondition(conditions, conditionType)
		if found == nil {
			continue
		}
		seen := h.seen[conditionType]
		if len(seen) == 0 || seen[len(seen)-1] != string(found.Status) {
			h.seen[conditionType] = append(seen, string(found.Status))
		}
	}
}

// of a condition: its statuses, one after another.
func (h *history) of(conditionType string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen[conditionType])
}
