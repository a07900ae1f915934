// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/test/earlier"
)

// oldWebhookPod is one of the earlier operator's, which has registered itself.
const oldWebhookPod = mesh.WebhookName + "-7f8b9c6d5-q2x4z"

// earlierMesh puts the NSM of an example and what the earlier operator has made of
// it into a namespace, all of it up.
func earlierMesh(ctx context.Context, example string) (*nsmv1beta1.NSM, []*unstructured.Unstructured) {
	GinkgoHelper()
	return earlierMeshOf(ctx, example, earlier.FieldOwner)
}

// earlierMeshOf does so in the name of a tool.
func earlierMeshOf(ctx context.Context, example string, owner client.FieldOwner) (*nsmv1beta1.NSM, []*unstructured.Unstructured) {
	GinkgoHelper()
	old := earlier.NSM(example)
	old.SetNamespace(newNamespace(ctx))
	Eventually(func() error { return admin.Create(ctx, old) }).Should(Succeed())
	nsm := &nsmv1beta1.NSM{}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(old), nsm)).To(Succeed())
	DeferCleanup(remove, nsm)
	objects := earlier.Mesh(example, old)
	for _, object := range objects {
		Expect(admin.Create(ctx, object, owner)).To(Succeed())
		bringUp(ctx, nsm, object)
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(admin.Delete(ctx, object))).To(Succeed()) })
	}
	return nsm, objects
}

// bringUp lets all pods of a workload come up.
func bringUp(ctx context.Context, nsm *nsmv1beta1.NSM, object client.Object) {
	GinkgoHelper()
	switch object.GetObjectKind().GroupVersionKind().Kind {
	case "DaemonSet":
		setDaemonSet(ctx, nsm, object.GetName(), threeUp)
	case "Deployment":
		n := ptr.Deref(get(ctx, nsm, object.GetName(), &appsv1.Deployment{}).Spec.Replicas, 1)
		setDeployment(ctx, nsm, object.GetName(), pods{current: n, updated: n, ready: n})
	}
}

// selectorOf a Service.
func selectorOf(service *unstructured.Unstructured) map[string]string {
	GinkgoHelper()
	selector, _, err := unstructured.NestedStringMap(service.Object, "spec", "selector")
	Expect(err).NotTo(HaveOccurred())
	return selector
}

// follow collects all statuses that an NSM has from now on, up to the one that it has when
// they are asked for.
func follow(ctx context.Context, nsm *nsmv1beta1.NSM) (statuses func(context.Context) []string) {
	GinkgoHelper()
	watch, err := adminWatch.Watch(ctx, &nsmv1beta1.NSMList{}, client.InNamespace(nsm.Namespace))
	Expect(err).NotTo(HaveOccurred())
	var mu sync.Mutex
	var seen []*nsmv1beta1.NSM
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watch.ResultChan() {
			if now, isNSM := event.Object.(*nsmv1beta1.NSM); isNSM {
				mu.Lock()
				seen = append(seen, now)
				mu.Unlock()
			}
		}
	}()
	DeferCleanup(func() {
		watch.Stop()
		<-done
	})
	return func(ctx context.Context) []string {
		GinkgoHelper()
		last := reread(ctx, nsm).ResourceVersion
		Eventually(func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(seen, func(now *nsmv1beta1.NSM) bool { return now.ResourceVersion == last })
		}).Should(BeTrue(), "all of them have come")
		mu.Lock()
		defer mu.Unlock()
		texts := make([]string, 0, len(seen))
		for _, now := range seen {
			texts = append(texts, asJSON(now.Status))
		}
		return texts
	}
}

var _ = Describe("What the earlier operator has made of an NSM", func() {
	DescribeTable("is taken over one component at a time, against all that the API server says to that",
		func(ctx SpecContext, example string, stages ...string) {
			nsm, old := earlierMesh(ctx, example)
			hasWebhook := slices.ContainsFunc(old, func(object *unstructured.Unstructured) bool { return object.GetName() == mesh.WebhookName })
			if hasWebhook {
				newConfiguration(ctx, nsm.Namespace, oldWebhookPod)
			}
			statuses := follow(ctx, nsm)
			o := startOperator()

			for i, stage := range stages {
				Expect(isRegistered(ctx, oldWebhookPod)()).To(Equal(hasWebhook), "what calls the old webhook stays as long as that is there")
				Eventually(releases(ctx, nsm)).Should(HaveLen(i+1), stage)
				settle(o)
				Expect(releases(ctx, nsm)()).To(And(HaveLen(i+1), HaveKeyWithValue(stage, nsm.Spec.Version)), "the others wait for it")
				Expect(condition(ctx, nsm, degraded)()).To(Equal("False"), messageOf(ctx, nsm, degraded)())
				Expect(condition(ctx, nsm, available)()).To(Equal("False"))
				for _, object := range old {
					if object.GetKind() != "Service" || stage == mesh.WebhookName && object.GetName() == mesh.WebhookService {
						continue
					}
					selector := selectorOf(object)
					Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed(), "until all is up, nothing is dropped")
					if object.GetName() == mesh.EarlierRegistryService {
						selector = get(ctx, nsm, mesh.RegistryName, &appsv1.Deployment{}).Spec.Selector.MatchLabels
					}
					Expect(selectorOf(object)).To(Equal(selector), "it finds what is there until its turn comes")
				}
				for _, object := range owned(ctx, nsm) {
					if object.GetName() == stage {
						bringUp(ctx, nsm, object)
					}
				}
				if stage == mesh.WebhookName {
					Expect(isRegistered(ctx, oldWebhookPod)()).To(BeFalse(), "nobody answers it, and no pod could be made")
					selfRegister(ctx, nsm, webhookPod)
				}
			}
			Eventually(condition(ctx, nsm, available)).Should(Equal("True"))

			By("with images that there are")
			if example == "alm-example" {
				Expect(webhookOf(ctx, nsm).Spec.Template.Spec.Containers[0].Image).To(Equal("ghcr.io/networkservicemesh/cmd-admission-webhook-k8s:v1.8.0"))
			}

			By("nothing of the earlier operator is left")
			settle(o)
			for _, object := range old {
				uid := object.GetUID()
				err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
				if apierrors.IsNotFound(err) {
					continue
				}
				Expect(err).NotTo(HaveOccurred())
				Expect(object.GetLabels()).To(HaveKeyWithValue(mesh.LabelManagedBy, mesh.ManagedBy), object.GetName())
				if object.GetKind() != "Service" {
					Expect(object.GetUID()).NotTo(Equal(uid), object.GetName())
				}
			}
			for _, object := range owned(ctx, nsm) {
				for _, entry := range object.GetManagedFields() {
					Expect(entry.Subresource != "" || entry.Manager == mesh.FieldOwner).To(BeTrue(),
						"%s has fields of %s", nameOf(object), entry.Manager)
				}
			}

			By("what ran was never reported as missing")
			for _, status := range statuses(ctx) {
				for _, object := range old {
					Expect(status).NotTo(ContainSubstring(object.GetKind() + " " + nsm.Namespace + "/" + object.GetName() + " has not been created yet"))
				}
			}
			for _, said := range eventsOf(ctx, nsm)() {
				Expect(strings.HasPrefix(said, "Created") && slices.ContainsFunc(old, func(object *unstructured.Unstructured) bool {
					return strings.Contains(said, object.GetKind()+" "+nsm.Namespace+"/"+object.GetName()+",")
				})).To(BeFalse(), said)
			}
		},
		Entry("of the example that OperatorHub offered", "alm-example", "nsm-registry", "nsmgr", "forwarder-vpp", mesh.WebhookName),
		Entry("of an NSM that says as little as can be", "memory", "nsm-registry", "nsmgr", "forwarder-vpp"),
		Entry("of an NSM that uses all there was", "nested", "nsm-registry", "nsmgr", "forwarder-vpp", "switch", mesh.WebhookName),
	)

	// takeOver all that the NSM wants of an earlier mesh with a webhook of which the
	// NSM says nothing any more.
	takeOver := func(ctx SpecContext, nsm *nsmv1beta1.NSM, stages ...string) {
		GinkgoHelper()
		for i, stage := range stages {
			Eventually(releases(ctx, nsm)).Should(And(HaveLen(i+1), HaveKey(stage)))
			for _, object := range owned(ctx, nsm) {
				if object.GetName() == stage {
					bringUp(ctx, nsm, object)
				}
			}
		}
		Eventually(condition(ctx, nsm, available)).Should(Equal("True"))
	}

	It("goes where the NSM no longer asks for it, and with a webhook what its pods have registered", func(ctx SpecContext) {
		nsm, old := earlierMesh(ctx, "nested")
		newConfiguration(ctx, nsm.Namespace, oldWebhookPod)
		change(ctx, nsm, func(nsm *nsmv1beta1.NSM) {
			nsm.Spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
			nsm.Spec.Forwarders = nsm.Spec.Forwarders[:1]
		})
		startOperator()
		takeOver(ctx, nsm, "nsm-registry", "nsmgr", "forwarder-vpp")
		for _, object := range old {
			switch object.GetName() {
			case "switch", "nsm-registry-svc", mesh.WebhookName, mesh.WebhookService:
				Eventually(func() bool {
					return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(object), object))
				}).Should(BeTrue(), object.GetName())
			}
		}
		Expect(isRegistered(ctx, oldWebhookPod)()).To(BeFalse(), "no pod could be made in the whole cluster")
	})

	It("is taken over from a backup, too, whose tool owns its fields", func(ctx SpecContext) {
		nsm, _ := earlierMeshOf(ctx, "memory", "velero-server")
		startOperator()
		takeOver(ctx, nsm, "nsm-registry", "nsmgr", "forwarder-vpp")
	})

	It("goes on where the API server would refuse what should take its place", func(ctx SpecContext) {
		nsm, old := earlierMesh(ctx, "memory")
		forbid(ctx, "deployments", "create")
		startOperator()
		Eventually(messageOf(ctx, nsm, degraded)).Should(And(
			HavePrefix("recreating Deployment "+nsm.Namespace+"/nsm-registry: the old one stays, since the new one would be refused: "),
			ContainSubstring("cannot create resource")))
		for _, object := range old {
			uid := object.GetUID()
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed(), object.GetName())
			Expect(object.GetUID()).To(Equal(uid), object.GetName())
		}
		By("and is not reported as missing")
		registry := "Deployment " + nsm.Namespace + "/nsm-registry"
		Expect(messageOf(ctx, nsm, nsmv1beta1.ConditionRegistryReady)()).To(Equal(registry + " runs as it did before, and has not been taken over yet"))
		Expect(messageOf(ctx, nsm, nsmv1beta1.ConditionManagersReady)()).To(ContainSubstring("runs as it did before"))
		Expect(reread(ctx, nsm).Status.Managers).To(Equal("3/3"))
	})

	It("is told from what is not its own: that stays as it is", func(ctx SpecContext) {
		nsm, old := earlierMesh(ctx, "memory")
		for _, object := range old {
			// Anybody's program may be called manager.
			change(ctx, object, func(object *unstructured.Unstructured) { object.SetOwnerReferences(nil) })
		}
		o := startOperator()
		Eventually(condition(ctx, nsm, degraded)).Should(Equal("True"))
		settle(o)
		Expect(messageOf(ctx, nsm, degraded)()).To(ContainSubstring("DaemonSet " + nsm.Namespace + "/nsmgr is in the way"))
		for _, object := range old {
			before := object.GetResourceVersion()
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed(), object.GetName())
			Expect(object.GetResourceVersion()).To(Equal(before), object.GetName())
		}
	})
})
