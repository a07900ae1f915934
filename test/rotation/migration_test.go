// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package rotation_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/migrate"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

var _ = Describe("Storage migration", Ordered, func() {
	const (
		before = 25 // objects stored as v1alpha1
		after  = 5  // objects stored as v1beta1 since
		crash  = 12 // writes until the first leader dies
	)
	var old, recent []string
	var converting *replica

	BeforeAll(func(ctx SpecContext) {
		service := newService()
		converting = startReplica(service.url, calm)
		service.add(converting, "")
		removeAll(ctx)
		storeAs(ctx, "v1alpha1")
		for range before {
			old = append(old, newLegacyNSM(ctx))
		}
		Expect(storedVersions(ctx)).To(HaveEach(nsmv1alpha1.GroupVersion.String()))
		DeferCleanup(removeAll)
		storeAs(ctx, "v1beta1")
		for range after {
			namespace := newLegacyNSM(ctx)
			// The loop has reported on it: without a status, the default of the schema
			// would be something new to store.
			Expect(admin.Status().Patch(ctx, nsmIn(namespace), client.RawPatch(types.MergePatchType,
				[]byte(`{"status":{"observedGeneration":1}}`)))).To(Succeed())
			recent = append(recent, namespace)
		}
	}, NodeTimeout(10*time.Minute))

	It("rewrites each object that needs it once, also over a crash, and no other", func(ctx SpecContext) {
		started := resourceVersions(ctx)
		specs := specsOf(ctx)

		dying := &writes{left: crash}
		_, err := migration(dying).Run(ctx)
		Expect(err).To(MatchError(ContainSubstring("killed")))
		// The order is that of the names: some of the writes found nothing to do.
		first := changedSince(ctx, started)
		Expect(first).NotTo(BeEmpty())
		Expect(old).To(ContainElements(first))
		Expect(getCRD(ctx).Status.StoredVersions).To(ConsistOf("v1alpha1", "v1beta1"))
		crashed := resourceVersions(ctx)

		next := &writes{left: -1}
		_, err = migration(next).Run(ctx)
		Expect(err).NotTo(HaveOccurred())
		By("not having written what the first leader did")
		Expect(changedSince(ctx, crashed)).To(HaveLen(before - len(first)))
		Expect(changedSince(ctx, started)).To(ConsistOf(old))
		for _, namespace := range recent {
			Expect(resourceVersions(ctx)[namespace]).To(Equal(started[namespace]))
		}
		By("leaving one stored version, and the objects what they were")
		Expect(getCRD(ctx).Status.StoredVersions).To(Equal([]string{"v1beta1"}))
		Expect(storedVersions(ctx)).To(And(HaveLen(before+after), HaveEach(nsmv1beta1.GroupVersion.String())))
		Expect(specsOf(ctx)).To(Equal(specs))
		By("asking for one write an object, and one of the CRD")
		Expect(next.seen.Load()).To(BeEquivalentTo(before + after + 1))
	}, NodeTimeout(10*time.Minute))

	It("writes nothing when there is nothing to do", func(ctx SpecContext) {
		started := resourceVersions(ctx)
		crd := getCRD(ctx).ResourceVersion
		idle := &writes{left: -1}
		result, err := migration(idle).Run(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(result).To(Equal(migrate.Result{}))
		Expect(idle.seen.Load()).To(BeZero())
		Expect(changedSince(ctx, started)).To(BeEmpty())
		Expect(getCRD(ctx).ResourceVersion).To(Equal(crd))
	}, NodeTimeout(10*time.Minute))

	It("drops managed fields of a version that is not served any more", func(ctx SpecContext) {
		namespace := old[0]
		// Somebody applies with v1alpha1, and is the only one to.
		applied := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "nsm.networkservicemesh.io/v1alpha1", "kind": "NSM",
			"metadata": map[string]any{"namespace": namespace, "name": "mesh", "labels": map[string]any{"applied": "yes"}},
		}}
		Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied.DeepCopy()), client.FieldOwner("gitops"))).To(Succeed())
		// It would serve that again at once.
		converting.stop()
		serve(ctx, "v1alpha1", false)
		DeferCleanup(func(ctx context.Context) { serve(ctx, "v1alpha1", true) })
		started := resourceVersions(ctx)

		result, err := migration(&writes{left: -1}).Run(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Rewritten).To(BeZero())
		Expect(result.Cleaned).To(Equal(len(changedSince(ctx, started))))
		nsm := &nsmv1beta1.NSM{}
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "mesh"}, nsm)).To(Succeed())
		Expect(nsm.Labels).To(HaveKeyWithValue("applied", "yes"))
		for _, entry := range nsm.ManagedFields {
			Expect(entry.APIVersion).To(Equal(nsmv1beta1.GroupVersion.String()))
		}
		By("which lets the same applier go on in the version that is left")
		applied.SetAPIVersion(nsmv1beta1.GroupVersion.String())
		Expect(admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied.DeepCopy()), client.FieldOwner("gitops"))).To(Succeed())

		again, err := migration(&writes{left: -1}).Run(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(again).To(Equal(migrate.Result{}))
	}, NodeTimeout(10*time.Minute))
})

func migration(w *writes) *migrate.Migration {
	config := rest.CopyConfig(operatorConfig)
	config.Wrap(w.wrap)
	return &migrate.Migration{Config: config, PageSize: 10}
}

// writes counts what is written, and ends the life of the writer after some.
type writes struct {
	left int64
	seen atomic.Int64
}

func (w *writes) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		dead := w.left >= 0 && w.seen.Load() >= w.left
		if dead {
			return nil, errors.New("killed")
		}
		if request.Method != http.MethodGet {
			w.seen.Add(1)
		}
		return next.RoundTrip(request)
	})
}

// newLegacyNSM makes an NSM as those of the first releases look, in a namespace
// of its own, and returns that.
func newLegacyNSM(ctx context.Context) string {
	GinkgoHelper()
	namespace := newNamespaceWith(ctx, map[string]string{unvalidated: ""})
	// The API server takes a moment to notice what changed of CRD and webhooks.
	Eventually(func() error { return admin.Create(ctx, legacyNSM(namespace)) }).Should(Succeed())
	return namespace
}

func legacyNSM(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "nsm.networkservicemesh.io/v1alpha1", "kind": "NSM",
		"metadata": map[string]any{"namespace": namespace, "name": "mesh"},
		"spec": map[string]any{
			"tag": "v1.0.0", "nsmPullPolicy": "IfNotPresent", "registry": "ghcr.io", "organization": "networkservicemesh",
			"registryMemoryImage": "cmd-registry-memory", "nsmgrImage": "cmd-nsmgr",
			"forwardingPlaneName": "vpp", "forwardingPlaneImage": "cmd-forwarder-vpp",
		},
	}}
}

// storeAs makes a version the one that is stored, and returns when the API
// server does so. Stored in v1alpha1, the CRD looks as if it never knew another. The
// guard lets nobody but the operator go back to that.
func storeAs(ctx context.Context, version string) {
	GinkgoHelper()
	config := rest.CopyConfig(adminConfig)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + apiserver.OperatorNamespace + ":nsm-operator", Groups: []string{"system:masters"},
	}
	operator, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		crd := getCRD(ctx)
		for i := range crd.Spec.Versions {
			crd.Spec.Versions[i].Storage = crd.Spec.Versions[i].Name == version
		}
		return operator.Update(ctx, crd)
	}).Should(Succeed())
	Eventually(func() string {
		namespace := newLegacyNSM(ctx)
		defer removeIn(ctx, namespace)
		return storedVersions(ctx)[namespace]
	}).Should(HaveSuffix("/" + version))
	if version == nsmv1beta1.GroupVersion.Version {
		return
	}
	Eventually(func() error {
		crd := getCRD(ctx)
		crd.Status.StoredVersions = []string{version}
		return admin.Status().Update(ctx, crd)
	}).Should(Succeed())
}

// serve has a version served or not.
func serve(ctx context.Context, version string, served bool) {
	GinkgoHelper()
	Eventually(func() error {
		crd := getCRD(ctx)
		for i := range crd.Spec.Versions {
			if crd.Spec.Versions[i].Name == version {
				crd.Spec.Versions[i].Served = served
			}
		}
		return admin.Update(ctx, crd)
	}).Should(Succeed())
	Eventually(func() error { return admin.List(ctx, &nsmv1alpha1.NSMList{}) }).Should(WithTransform(apierrors.IsNotFound, Equal(!served)))
}

func removeIn(ctx context.Context, namespace string) {
	GinkgoHelper()
	remove(ctx, nsmIn(namespace))
}

func removeAll(ctx context.Context) {
	GinkgoHelper()
	for namespace := range resourceVersions(ctx) {
		removeIn(ctx, namespace)
	}
	Expect(storedVersions(ctx)).To(BeEmpty())
}

func all(ctx context.Context) []nsmv1beta1.NSM {
	GinkgoHelper()
	var list nsmv1beta1.NSMList
	Eventually(func() error { return admin.List(ctx, &list) }).Should(Succeed())
	return list.Items
}

// resourceVersions of all NSMs, by their namespaces.
func resourceVersions(ctx context.Context) map[string]string {
	GinkgoHelper()
	versions := map[string]string{}
	for _, nsm := range all(ctx) {
		versions[nsm.Namespace] = nsm.ResourceVersion
	}
	return versions
}

// specsOf all NSMs with what conversion keeps beside them.
func specsOf(ctx context.Context) map[string]any {
	GinkgoHelper()
	specs := map[string]any{}
	for _, nsm := range all(ctx) {
		specs[nsm.Namespace] = []any{nsm.Spec, nsm.Annotations, nsm.Generation}
	}
	return specs
}

// changedSince are the namespaces of the NSMs that were written since.
func changedSince(ctx context.Context, then map[string]string) []string {
	GinkgoHelper()
	var changed []string
	for namespace, version := range resourceVersions(ctx) {
		if then[namespace] != version {
			changed = append(changed, namespace)
		}
	}
	return changed
}
