// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/controller-runtime/pkg/client"

	nsmv1alpha1 "github.com/networkservicemesh/nsm-operator/apis/v1alpha1"
	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/installation"
	"github.com/networkservicemesh/nsm-operator/internal/preflight"
	"github.com/networkservicemesh/nsm-operator/internal/report"
)

// install the Deployment of an operator in a namespace of its own, which is returned.
func install(ctx context.Context, container corev1.Container) string {
	GinkgoHelper()
	namespace := newNamespace(ctx)
	labels := map[string]string{"app.kubernetes.io/name": operatorName}
	container.Name = "manager"
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: operatorName, Labels: labels},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}},
		}},
	}
	Expect(admin.Create(ctx, deployment)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, deployment)).To(Succeed()) })
	return namespace
}

// list installations as those that work.
func list(ctx context.Context, members ...installation.Member) {
	GinkgoHelper()
	note := func(ctx context.Context, value any) {
		GinkgoHelper()
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{installation.Annotation: value}}})
		Expect(err).NotTo(HaveOccurred())
		definition := &unstructured.Unstructured{}
		definition.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		definition.SetName(definitionName)
		Expect(admin.Patch(ctx, definition, client.RawPatch("application/merge-patch+json", patch))).To(Succeed())
	}
	text, err := json.Marshal(members)
	Expect(err).NotTo(HaveOccurred())
	note(ctx, string(text))
	DeferCleanup(func(ctx SpecContext) { note(ctx, nil) })
}

var _ = Describe("several operators in a cluster", func() {
	It("are told apart, and each is asked about its own meshes", func(ctx SpecContext) {
		ours, theirs := newNamespace(ctx), newNamespace(ctx)
		for _, namespace := range []string{ours, theirs} {
			reportStatus(ctx, newNSM(ctx, namespace, nil), nil)
		}
		mirror := func(name string) []corev1.EnvVar {
			return []corev1.EnvVar{{Name: "RELATED_IMAGE_cmd-nsmgr", Value: name + ".example.com/cmd-nsmgr:v1.18.0"}}
		}
		one := install(ctx, corev1.Container{Image: "example.com/nsm-operator@sha256:" + strings.Repeat("0", 64), Env: mirror("one")})
		two := install(ctx, corev1.Container{Image: "example.com/nsm-operator:v2.0.0", Env: mirror("two")})

		By("by their flags, of which nothing is known here")
		status := decode[report.Status](runAdmin(ctx, "status", "-n", ours, "-o", "json"))
		Expect(status.Meshes[0].Operator).To(BeEmpty())
		Expect(status.Warnings).To(ContainElement(ContainSubstring("which operator acts on it is not seen")))
		rendered := runAdmin(ctx, "render", "-n", ours)
		Expect(rendered.code).To(Equal(exitFine), rendered.stderr)
		Expect(rendered.stderr).To(ContainSubstring("which operator acts on it is not seen"))
		Expect(rendered.stdout).NotTo(ContainSubstring(".example.com/cmd-nsmgr"))

		By("by the CRD")
		list(ctx, installation.Member{Namespace: one, WatchNamespaces: []string{ours}, Version: "v2.1.0"},
			installation.Member{Namespace: two, WatchNamespaces: []string{theirs}, Version: "v2.0.0"})
		found := runAdmin(ctx, "status", "-A", "-o", "json")
		operators := map[string]string{}
		for _, mesh := range decode[report.Status](found).Meshes {
			operators[mesh.Namespace] = mesh.Operator
		}
		Expect(operators).To(And(HaveKeyWithValue(ours, one), HaveKeyWithValue(theirs, two)))
		Expect(runAdmin(ctx, "render", "-n", ours).stdout).To(ContainSubstring("one.example.com/cmd-nsmgr:v1.18.0"))
		Expect(runAdmin(ctx, "render", "-n", theirs).stdout).To(ContainSubstring("two.example.com/cmd-nsmgr:v1.18.0"))

		By("all namespaces at once")
		all := runAdmin(ctx, "render", "-A")
		Expect(all.code).To(Equal(exitFine), all.stderr)
		Expect(all.stdout).To(And(ContainSubstring("one.example.com/cmd-nsmgr:v1.18.0"), ContainSubstring("two.example.com/cmd-nsmgr:v1.18.0")))
		var compared []string
		for _, mesh := range decode[report.Diff](runAdmin(ctx, "diff", "-A", "-o", "json")).Meshes {
			compared = append(compared, mesh.Namespace)
		}
		Expect(compared).To(ContainElements(ours, theirs))
		for _, command := range []string{"diff", "render"} {
			both := runAdmin(ctx, command, "-A", "-f", "nsm.yaml")
			Expect(both.code).To(Equal(exitNothing), command)
			Expect(both.stderr).To(ContainSubstring("[all-namespaces filename]"), command)
		}

		By("one that stands by")
		list(ctx, installation.Member{Namespace: one, Version: "v2.0.0"})
		status = decode[report.Status](runAdmin(ctx, "status", "-n", theirs, "-o", "json"))
		Expect(status.Meshes[0].Operator).To(Equal(one))
		Expect(status.Warnings).To(ContainElement(ContainSubstring("the operator in namespace " + two + " stands by, because another installation works in this cluster, in namespace " + one)))
	})

	It("are compared with the plugin by their version, without a refusal", func(ctx SpecContext) {
		before := version
		DeferCleanup(func() { version = before })
		namespace := newNamespace(ctx)
		reportStatus(ctx, newNSM(ctx, namespace, nil), nil)
		list(ctx, installation.Member{Namespace: "elsewhere", Version: "v2.1.0"})
		const told = "the operator in namespace elsewhere is v2.1.0, and this plugin is v2.0.0"
		for plugin, isTold := range map[string]bool{"v2.0.0": true, "v2.1.0": false} {
			version = plugin
			matches := func(text string) {
				GinkgoHelper()
				Expect(strings.Contains(text, told)).To(Equal(isTold), text)
			}
			status := runAdmin(ctx, "status", "-n", namespace)
			Expect(status.code).To(Equal(exitFine), "a warning is no finding")
			matches(status.stdout)
			render := runAdmin(ctx, "render", "-n", namespace)
			Expect(render.code).To(Equal(exitFine))
			matches(render.stderr)
			matches(runAdmin(ctx, "diff", "-n", namespace).stderr)
			matches(runAdmin(ctx, "check", "-n", namespace).stdout)
		}
	})
})

var _ = Describe("an NSM of a newer operator", func() {
	newer := func(namespace string) string {
		GinkgoHelper()
		return between(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/v1beta1/namespaces/"+namespace+"/nsms") {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, err := w.Write([]byte(strings.ReplaceAll(newerNSM, "NAMESPACE", namespace)))
			Expect(err).NotTo(HaveOccurred())
			return true
		})
	}

	It("keeps the fields that are not known, and says so", func(ctx SpecContext) {
		namespace := newNamespace(ctx)
		kubeconfig := newer(namespace)
		for _, format := range []string{"json", "yaml"} {
			found := runAs(ctx, kubeconfig, "status", "-n", namespace, "-o", format)
			Expect(found.code).To(Equal(exitFine), found.stdout+found.stderr)
			Expect(found.stdout).To(And(ContainSubstring("status.components[1].weather"), ContainSubstring("stormy")))
		}
		mesh := decode[report.Status](runAs(ctx, kubeconfig, "status", "-n", namespace, "-o", "json")).Meshes[0]
		Expect(mesh.UnknownFields).To(ConsistOf(
			report.UnknownField{Path: "spec.quantum", Value: map[string]any{"enabled": true}},
			report.UnknownField{Path: "spec.nsmgr.spin", Value: "up"},
			report.UnknownField{Path: "status.components[1].weather", Value: "stormy"},
		))
		Expect(mesh.Components).To(HaveLen(2))
		text := runAs(ctx, kubeconfig, "status", "-n", namespace)
		Expect(text.stdout).To(MatchRegexp("warning: mesh .*: this version of the plugin does not know .*spec.quantum.*: -o json shows them"))
		Expect(runAs(ctx, kubeconfig, "render", "-n", namespace).stderr).To(MatchRegexp("this version of the plugin does not know .*spec.quantum"))
		Expect(runAs(ctx, kubeconfig, "diff", "-n", namespace).stderr).To(MatchRegexp("this version of the plugin does not know .*spec.quantum"))
		checks := decode[report.Checks](runAs(ctx, kubeconfig, "check", "-n", namespace, "-o", "json")).Checks
		Expect(checks).To(ContainElement(And(HaveField("Code", "NSM041"), HaveField("Outcome", preflight.Warning), HaveField("Message", ContainSubstring("spec.quantum")))))
	})

	It("is understood from a file as far as it goes", func(ctx SpecContext) {
		file := filepath.Join(GinkgoT().TempDir(), "nsm.yaml")
		Expect(os.WriteFile(file, []byte("apiVersion: nsm.networkservicemesh.io/v1beta1\nkind: NSM\nmetadata: {name: a}\nspec: {quantum: {enabled: true}}\n"), 0o600)).To(Succeed())
		found := runAdmin(ctx, "render", "-f", file)
		Expect(found.code).To(Equal(exitFine))
		Expect(found.stderr).To(ContainSubstring("NSM a: spec.quantum is a field that this version of the plugin does not know, and is left out"))
	})

	It("is read in whichever version there is", func(ctx SpecContext) {
		c := &cluster{}
		c.forget()
		for version, serves := range map[string][]string{"v1beta1": {"v1alpha1", "v1beta1", "v1"}, "v1alpha1": {"v1alpha1"}, "v1": {"v1"}} {
			group := &restmapper.APIGroupResources{VersionedResources: map[string][]metav1.APIResource{}}
			group.Group.Name = nsmv1beta1.GroupVersion.Group
			for _, one := range serves {
				group.Group.Versions = append(group.Group.Versions, metav1.GroupVersionForDiscovery{Version: one})
				group.VersionedResources[one] = []metav1.APIResource{{Name: "nsms", Kind: "NSM", Namespaced: true}}
			}
			c.WithWatch = mapped{mapper: restmapper.NewDiscoveryRESTMapper([]*restmapper.APIGroupResources{group})}
			kind, err := c.kindOfNSMs()
			Expect(err).NotTo(HaveOccurred())
			Expect(kind.Version).To(Equal(version))
		}
		c.WithWatch = mapped{mapper: meta.NewDefaultRESTMapper(nil)}
		_, err := c.kindOfNSMs()
		Expect(meta.IsNoMatchError(err)).To(BeTrue())

		older, err := c.understand(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": nsmv1alpha1.GroupVersion.String(), "kind": "NSM", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{"tag": "v1.0.0"},
		}})
		Expect(err).NotTo(HaveOccurred())
		Expect(older.Spec.Version).To(Equal("v1.0.0"))
		future := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "nsm.networkservicemesh.io/v1", "kind": "NSM", "metadata": map[string]any{"name": "b"}, "spec": map[string]any{"version": "v1.18.0", "more": int64(1)},
		}}
		understood, err := c.understand(ctx, future)
		Expect(err).NotTo(HaveOccurred())
		Expect(understood.Spec.Version).To(Equal("v1.18.0"))
		Expect(c.unknown).To(HaveKeyWithValue(client.ObjectKeyFromObject(future), ConsistOf(HaveField("Path", "spec.more"))))
		Expect(unstructured.SetNestedField(future.Object, "all", "spec", "forwarders")).To(Succeed())
		_, err = c.understand(ctx, future)
		Expect(err).NotTo(HaveOccurred())
		Expect(c.unknown).To(HaveKeyWithValue(client.ObjectKeyFromObject(future), []report.UnknownField{
			{Path: "spec.forwarders", Value: "all"}, {Path: "spec.more", Value: float64(1)},
		}))
	})
})

// mapped is a client that knows kinds, and nothing else.
type mapped struct {
	client.WithWatch

	mapper meta.RESTMapper
}

func (m mapped) RESTMapper() meta.RESTMapper { return m.mapper }

const newerNSM = `{"apiVersion": "nsm.networkservicemesh.io/v1beta1", "kind": "NSMList", "metadata": {"resourceVersion": "1"}, "items": [{
  "apiVersion": "nsm.networkservicemesh.io/v1beta1", "kind": "NSM",
  "metadata": {"namespace": "NAMESPACE", "name": "mesh", "uid": "1", "generation": 2, "resourceVersion": "1"},
  "spec": {"version": "v1.18.0", "quantum": {"enabled": true}, "nsmgr": {"spin": "up"}},
  "status": {"observedGeneration": 2, "version": "v1.18.0",
    "components": [{"kind": "DaemonSet", "name": "nsmgr"}, {"kind": "DaemonSet", "name": "forwarder-vpp", "weather": "stormy"}],
    "conditions": [
      {"type": "Ready", "status": "True", "reason": "RolledOut", "message": "", "observedGeneration": 2, "lastTransitionTime": "2026-01-01T00:00:00Z"},
      {"type": "Available", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 2, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}]}`
