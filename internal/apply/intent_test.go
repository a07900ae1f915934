// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package apply

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

func TestHashesStayAsEarlierOperatorsHaveStoredThem(t *testing.T) {
	NewWithT(t).Expect(hashOf([]byte("a"), []byte("b"))).To(Equal("8fb20ef63ced4145"))
}

// wanted is an object as the operator renders it.
func wanted() *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "nsm", Name: "nsmgr", Labels: map[string]string{"a": "1", "b": "2"}},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "1"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "1"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "nsmgr", Image: "nsmgr:1",
					Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}},
				}}},
			},
		},
	}
}

// defaulted is what an API server makes of it, with a status.
func defaulted() *appsv1.DaemonSet {
	live := wanted()
	live.UID, live.ResourceVersion, live.Generation = "uid", "1", 1
	live.CreationTimestamp = metav1.Now()
	live.Spec.RevisionHistoryLimit = ptr.To(int32(10))
	live.Spec.UpdateStrategy.Type = appsv1.RollingUpdateDaemonSetStrategyType
	live.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways
	live.Spec.Template.Spec.Containers[0].TerminationMessagePath = "/dev/termination-log"
	live.Status.NumberReady = 3
	return live
}

var _ = Describe("The deviation of a live object from what is wanted", func() {
	applier := New(fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build(), nil)
	deviation := func(change func(*appsv1.DaemonSet)) string {
		GinkgoHelper()
		want, err := applier.newIntent(wanted())
		Expect(err).NotTo(HaveOccurred())
		live := defaulted()
		change(live)
		found, err := applier.deviation(want, live)
		Expect(err).NotTo(HaveOccurred())
		return found
	}

	DescribeTable("is none where others own the field", func(change func(*appsv1.DaemonSet)) {
		Expect(deviation(change)).To(BeEmpty())
	},
		Entry("defaults", func(*appsv1.DaemonSet) {}),
		Entry("a label", func(d *appsv1.DaemonSet) { d.Labels["theirs"] = "1" }),
		Entry("an annotation of the pods", func(d *appsv1.DaemonSet) { d.Spec.Template.Annotations = map[string]string{"theirs": "1"} }),
		Entry("a sidecar before ours", func(d *appsv1.DaemonSet) {
			pod := &d.Spec.Template.Spec
			pod.Containers = append([]corev1.Container{{Name: "sidecar"}}, pod.Containers...)
		}),
		Entry("a variable", func(d *appsv1.DaemonSet) {
			container := &d.Spec.Template.Spec.Containers[0]
			container.Env = append(container.Env, corev1.EnvVar{Name: "THEIRS"})
		}),
		Entry("a status", func(d *appsv1.DaemonSet) { d.Status = appsv1.DaemonSetStatus{} }),
	)

	DescribeTable("is seen where the field is ours", func(change func(*appsv1.DaemonSet)) {
		Expect(deviation(change)).NotTo(BeEmpty())
		Expect(deviation(change)).To(Equal(deviation(change)), "and is the same each time")
	},
		Entry("an image", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "other" }),
		Entry("a label", func(d *appsv1.DaemonSet) { d.Labels["b"] = "3" }),
		Entry("a label that is gone", func(d *appsv1.DaemonSet) { delete(d.Labels, "b") }),
		Entry("a variable", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Env[0].Value = "2" }),
		Entry("a variable that is gone", func(d *appsv1.DaemonSet) {
			container := &d.Spec.Template.Spec.Containers[0]
			container.Env = container.Env[1:]
		}),
		Entry("a container that is gone", func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers = nil }),
	)

	It("differs from another one, so that drift beside a known deviation is seen", func() {
		redirected := deviation(func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "mirror" })
		Expect(deviation(func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "other" })).NotTo(Equal(redirected))
		Expect(deviation(func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.Containers[0].Image = "mirror"
			delete(d.Labels, "b")
		})).NotTo(Equal(redirected))
	})

	It("decides why an object is written", func() {
		want, err := applier.newIntent(wanted())
		Expect(err).NotTo(HaveOccurred())
		action := func(mark, image string) Action {
			live := defaulted()
			live.Annotations = map[string]string{mesh.AppliedAnnotation: mark}
			live.Spec.Template.Spec.Containers[0].Image = image
			found, err := applier.action(want, live)
			Expect(err).NotTo(HaveOccurred())
			return found
		}
		redirected := deviation(func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = "mirror" })
		Expect(action(want.mark(""), "nsmgr:1")).To(BeEmpty())
		Expect(action(want.mark(redirected), "mirror")).To(BeEmpty(), "a webhook's doing")
		Expect(action(want.mark(redirected), "other")).To(Equal(Repaired))
		Expect(action(want.mark(""), "other")).To(Equal(Repaired))
		Expect(action("", "nsmgr:1")).To(Equal(Repaired))
		Expect(action("0123456789abcdef", "nsmgr:1")).To(Equal(Updated), "another intent was applied last")
	})

	It("and the mark do not depend on what is not the owner's to say", func() {
		want, err := applier.newIntent(wanted())
		Expect(err).NotTo(HaveOccurred())
		withStatus := wanted()
		withStatus.Status.NumberReady = 1
		again, err := applier.newIntent(withStatus)
		Expect(err).NotTo(HaveOccurred())
		Expect(again.mark("")).To(Equal(want.mark("")))
		Expect(want.marked("").GetAnnotations()).To(HaveKeyWithValue(mesh.AppliedAnnotation, want.hash))
		Expect(want.object.GetAnnotations()).To(BeEmpty(), "the intent itself is not changed")
	})

	It("of a workload count from when it was first written from them", func() {
		noon := time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)
		since := func(live client.Object, now time.Time) time.Time {
			want, err := applier.newIntent(wanted())
			Expect(err).NotTo(HaveOccurred())
			want.begin(live, now)
			return mesh.WrittenAt(want.marked(""))
		}
		want, err := applier.newIntent(wanted())
		Expect(err).NotTo(HaveOccurred())
		before := func(hash string) *appsv1.DaemonSet {
			live := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{mesh.AppliedAnnotation: hash + ".other"}}}
			mesh.SetWrittenAt(live.Annotations, noon)
			return live
		}
		Expect(since(nil, noon)).To(Equal(noon))
		Expect(since(before("older"), noon.Add(time.Hour))).To(Equal(noon.Add(time.Hour)), "another definition")
		Expect(since(before(want.hash), noon.Add(time.Hour))).To(Equal(noon), "a repair is no new definition")

		service, err := applier.newIntent(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "registry"}})
		Expect(err).NotTo(HaveOccurred())
		service.begin(nil, noon)
		Expect(mesh.WrittenAt(service.marked(""))).To(BeZero(), "nobody waits for it")
	})
})

var _ = Describe("A refusal for what cannot change", func() {
	kind := schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	path := field.NewPath("spec", "selector")
	bad := field.Invalid(field.NewPath("spec", "template"), "x", "must not be")
	ofPolicy := apierrors.NewInvalid(kind, "nsmgr", nil)
	ofPolicy.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: "images are immutable"}}

	DescribeTable("is told from others, which another way of writing may overcome", func(err error, is bool) {
		Expect(isImmutable(err)).To(Equal(is))
	},
		Entry("a selector", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{field.Invalid(path, "x", "field is immutable")}), true),
		Entry("a role reference", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{field.Invalid(path, "x", "cannot change roleRef")}), true),
		Entry("a Service's address", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{field.Invalid(path, "x", "may not change once set")}), true),
		Entry("a Service's first address", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{field.Invalid(path, "x", "primary clusterIP can not be unset")}), true),
		Entry("what is declared so", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{field.Invalid(path, "x", "field cannot be modified once set")}), true),
		Entry("what is declared to stay", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{field.Invalid(path, "x", "field cannot be cleared once set")}), true),
		Entry("a selector and a mistake", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{bad, field.Invalid(path, "x", "field is immutable")}), true),
		Entry("a mistake", apierrors.NewInvalid(kind, "nsmgr", field.ErrorList{bad}), false),
		Entry("a policy's words", ofPolicy, false),
		Entry("nothing in detail", apierrors.NewInvalid(kind, "nsmgr", nil), false),
		Entry("a conflict", apierrors.NewConflict(schema.GroupResource{}, "nsmgr", nil), false),
	)
})
