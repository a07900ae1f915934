// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"slices"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

var _ = Describe("An operator that is restricted to some namespaces", func() {
	var (
		o         *operator
		namespace string
	)

	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx)
		o = startOperatorWith(&controllers.NSMReconciler{
			Namespace: operatorNamespace, WatchNamespaces: []string{namespace, newNamespace(ctx)},
		}, &requests{})
	})

	zone := func(name string) map[string]string { return map[string]string{"zone": name} }

	It("changes a release stage by stage all the same", func(ctx SpecContext) {
		nsm := newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{Version: oldState})
		setSpec(ctx, nsm, nsmv1beta1.NSMSpec{Version: newState, AdmissionWebhook: nsm.Spec.AdmissionWebhook})
		Eventually(releases(ctx, nsm)).Should(HaveKeyWithValue("nsm-registry", newState))
		settle(o)
		Expect(releases(ctx, nsm)()).To(Equal(map[string]string{"nsm-registry": newState, "nsmgr": oldState, "forwarder-vpp": oldState}))
		Expect(condition(ctx, nsm, available)()).To(Equal("False"))
	})

	It("reads all that it writes: nothing is written twice", func(ctx SpecContext) {
		nsm := newNSMIn(ctx, namespace, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(HaveLen(len(wholeMesh)))
		Eventually(condition(ctx, nsm, available)).Should(Equal("False"))
		var paths []string
		for _, asked := range o.requests.all() {
			if asked.isWrite() && !asked.isEvent() && asked.verb != "POST" {
				paths = append(paths, asked.String())
			}
		}
		paths = slices.DeleteFunc(paths, func(path string) bool {
			return slices.Contains([]string{
				"PATCH /apis/nsm.networkservicemesh.io/v1beta1/namespaces/" + namespace + "/nsms/" + nsm.Name,
				"PATCH /apis/nsm.networkservicemesh.io/v1beta1/namespaces/" + namespace + "/nsms/" + nsm.Name + "/status",
			}, path)
		})
		slices.Sort(paths)
		Expect(paths).NotTo(BeEmpty())
		Expect(paths).To(Equal(slices.Compact(slices.Clone(paths))))
	})

	It("leaves alone the meshes of other namespaces, and what is left of them", func(ctx SpecContext) {
		elsewhere := newNSM(ctx, nsmv1beta1.NSMSpec{
			Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: zone("elsewhere")}},
			Forwarders: []nsmv1beta1.ForwarderSpec{{
				Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: zone("elsewhere")},
			}},
		})
		gone := newNamespace(ctx)
		left := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "nsm:" + gone + ":nsmgr", Labels: map[string]string{
			mesh.LabelManagedBy: mesh.ManagedBy, mesh.LabelNSM: "mesh", mesh.LabelNamespace: gone,
		}}}
		Expect(admin.Create(ctx, left)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, left)).To(Succeed()) })
		// What comes after them, and is acted on, shows that they have been seen.
		newAvailableNSMIn(ctx, o, namespace, nsmv1beta1.NSMSpec{
			Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: zone("here")}},
			Forwarders: []nsmv1beta1.ForwarderSpec{{
				Type: nsmv1beta1.ForwarderTypeVPP, ComponentSpec: nsmv1beta1.ComponentSpec{NodeSelector: zone("here")},
			}},
		})
		Expect(reread(ctx, elsewhere).Finalizers).To(BeEmpty())
		Expect(owned(ctx, elsewhere)).To(BeEmpty())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(left), left)).To(Succeed())
	})
})

// controller-runtime reads its own writes from a cache of all namespaces; from one
// of several it does so too late, which no test can see every time.
func TestWritesAreRead(t *testing.T) {
	g := NewWithT(t)
	g.Expect(controllers.CacheOptions().DefaultNamespaces).To(BeEmpty())
	g.Expect(controllers.ClientOptions().Cache.EnableReadYourWritesConsistency).To(HaveValue(BeTrue()))
}

func TestParseNamespaces(t *testing.T) {
	g := NewWithT(t)
	for text, want := range map[string][]string{"": nil, "a": {"a"}, "a,b-1": {"a", "b-1"}} {
		got, err := controllers.ParseNamespaces(text)
		g.Expect(err).NotTo(HaveOccurred(), text)
		g.Expect(got).To(Equal(want), text)
	}
	for text, problem := range map[string]string{
		",": `entry 1, ""`, "a,": `entry 2, ""`, "a,,b": `entry 2, ""`, "a, b": `entry 2, " b"`, " ": `entry 1, " "`, "A": `entry 1, "A"`,
		"a b": `entry 1, "a b"`, "*": `entry 1, "*"`, "a,b,a": `"a" is listed twice`,
	} {
		_, err := controllers.ParseNamespaces(text)
		g.Expect(err).To(MatchError(ContainSubstring(problem)), text)
	}
}
