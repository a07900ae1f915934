// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/controllers"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/platform"
	"github.com/networkservicemesh/nsm-operator/internal/release"
	"github.com/networkservicemesh/nsm-operator/internal/report"
	"github.com/networkservicemesh/nsm-operator/test/apiserver"
)

// startOperator runs the loop, as main does, until the end of the specs that it is
// started for, or until it is stopped. Some images may be redirected.
func startOperator(ctx context.Context, related map[string]string) (stop func()) {
	GinkgoHelper()
	config := server.Operator()
	asks, err := discovery.NewDiscoveryClientForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	offered, err := platform.Detect(ctx, asks)
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: newScheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: controllers.CacheOptions(), Client: controllers.ClientOptions(),
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	loop := &controllers.NSMReconciler{Platform: offered, Namespace: apiserver.OperatorNamespace, RelatedImages: related}
	Expect(loop.SetupWithManager(mgr)).To(Succeed())
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	stop = sync.OnceFunc(func() {
		cancel()
		Eventually(ended).Should(Receive(Succeed()))
	})
	DeferCleanup(stop)
	return stop
}

// sample of the samples' directory, in a namespace.
func sample(ctx context.Context, file, namespace string) *nsmv1beta1.NSM {
	GinkgoHelper()
	nsms, err := (&options{}).readNSMs(ctx, filepath.Join("..", "..", "config", "samples", file), "")
	Expect(err).NotTo(HaveOccurred())
	nsms[0].Namespace = namespace
	return &nsms[0]
}

// write a file with an NSM, as people have it.
func write(nsm *nsmv1beta1.NSM) string {
	GinkgoHelper()
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": nsmv1beta1.GroupVersion.String(), "kind": "NSM",
		"metadata": map[string]any{"namespace": nsm.Namespace, "name": nsm.Name}, "spec": nsm.Spec,
	})
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "nsm.yaml")
	Expect(os.WriteFile(file, data, 0o600)).To(Succeed())
	return file
}

// remove an NSM with its mesh: there is one on a node at a time.
func remove(ctx context.Context, nsm *nsmv1beta1.NSM) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(admin.Delete(ctx, nsm))).To(Succeed())
	Eventually(ctx, func() error { return admin.Get(ctx, client.ObjectKeyFromObject(nsm), &nsmv1beta1.NSM{}) }).ShouldNot(Succeed())
}

// objects of a difference, by kind and name.
func objects(diff report.Diff) map[string]report.ObjectChange {
	all := map[string]report.ObjectChange{}
	for _, one := range diff.Meshes {
		for _, object := range one.Objects {
			all[object.Kind+" "+object.Name] = object
		}
	}
	return all
}

var _ = Describe("diff", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { startOperator(ctx, nil) })

	It("tells of no difference where the operator has done its work, for every sample", func(ctx SpecContext) {
		files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "nsm_v1beta1_*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(len(files)).To(BeNumerically(">", 10))
		for _, file := range files {
			By(file)
			nsm := sample(ctx, filepath.Base(file), newNamespace(ctx))
			before := runAdmin(ctx, "diff", "-f", write(nsm), "-o", "json")
			Expect(before.code).To(Equal(exitFinding), before.stderr)
			for name, object := range objects(decode[report.Diff](before)) {
				Expect(object.Change).To(Equal(report.ChangeCreate), name)
			}
			Expect(admin.Create(ctx, nsm)).To(Succeed())
			Eventually(ctx, func(g Gomega) {
				found := runAdmin(ctx, "diff", "-n", nsm.Namespace)
				g.Expect(found.stdout + found.stderr).To(BeEmpty())
				g.Expect(found.code).To(Equal(exitFine))
			}).Should(Succeed())
			remove(ctx, nsm)
		}
	})

	It("tells what an edit, another release and somebody else's changes come to", func(ctx SpecContext) {
		nsm := sample(ctx, "nsm_v1beta1_minimal.yaml", newNamespace(ctx))
		nsm.Spec.Version = "v1.17.0"
		Expect(admin.Create(ctx, nsm)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { remove(ctx, nsm) })
		Eventually(ctx, func() int { return runAdmin(ctx, "diff", "-n", nsm.Namespace).code }).Should(Equal(exitFine))

		By("an edit")
		edited := nsm.DeepCopy()
		edited.Spec.Version = ""
		edited.Spec.LogLevel = "DEBUG"
		edited.Spec.AdmissionWebhook = &nsmv1beta1.AdmissionWebhookSpec{Enabled: ptr.To(false)}
		found := runAdmin(ctx, "diff", "-f", write(edited), "-o", "json")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		changes := objects(decode[report.Diff](found))
		Expect(changes["DaemonSet nsmgr"].ReplacesPods).To(BeTrue())
		Expect(changes["DaemonSet forwarder-vpp"].Fields).To(ConsistOf(report.FieldChange{
			Path: `.spec.template.spec.containers[name="forwarder-vpp"].env[name="NSM_LOG_LEVEL"].value`, From: "INFO", To: "DEBUG",
		}))
		Expect(changes["Deployment admission-webhook-k8s"].Change).To(Equal(report.ChangeDelete))
		Expect(changes).NotTo(HaveKey("Service registry"))

		By("another release")
		found = runAdmin(ctx, "diff", "-n", nsm.Namespace, "--release", "v1.18.0")
		Expect(found.code).To(Equal(exitFinding), found.stderr)
		Expect(found.stdout).To(ContainSubstring(`"v1.17.0" -> "v1.18.0"`))

		By("somebody else's fields")
		nsmgr := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "nsmgr"}}
		Expect(admin.Patch(ctx, nsmgr, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"team":"network"}}}`)))).To(Succeed())
		Expect(runAdmin(ctx, "diff", "-n", nsm.Namespace).code).To(Equal(exitFine))
	})

	It("leaves alone what is somebody else's", func(ctx SpecContext) {
		nsm := sample(ctx, "nsm_v1beta1_minimal.yaml", newNamespace(ctx))
		Expect(admin.Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: nsm.Namespace, Name: "registry"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5000}}},
		})).To(Succeed())
		found := runAdmin(ctx, "diff", "-f", write(nsm), "-o", "json")
		Expect(objects(decode[report.Diff](found))["Service registry"].Change).To(Equal(report.ChangeNone))
	})

	It("compares what a viewer of one namespace may see, and sends nothing but reads", func(ctx SpecContext) {
		nsm := sample(ctx, "nsm_v1beta1_minimal.yaml", viewed)
		Expect(admin.Create(ctx, nsm)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { remove(ctx, nsm) })
		Eventually(ctx, func(g Gomega) {
			found := runAs(ctx, viewer, "diff", "-n", viewed)
			g.Expect(found.code).To(Equal(exitFine), found.stdout+found.stderr)
			g.Expect(found.stdout).To(ContainSubstring("not seen: get ClusterRole: forbidden"))
		}).Should(Succeed())
		Expect(runAs(ctx, viewer, "diff", "-n", viewed, "--release", "v1.17.0").code).To(Equal(exitFinding))
	})
})

var _ = Describe("diff with images that the operator redirects", func() {
	It("takes them from what runs where its Deployment may not be read", func(ctx SpecContext) {
		related := map[string]string{}
		for _, name := range mesh.ImageNames() {
			related[name] = "mirror.example.com/" + name + "@sha256:" + strings.Repeat("0", 64)
		}
		stop := startOperator(ctx, related)
		nsm := sample(ctx, "nsm_v1beta1_minimal.yaml", viewed)
		nsm.Spec.Version = release.Newest().String()
		Expect(admin.Create(ctx, nsm)).To(Succeed())
		isDifferent := func(g Gomega) {
			found := runAs(ctx, viewer, "diff", "-n", viewed, "-o", "json")
			g.Expect(found.code).To(Equal(exitFinding), found.stderr)
			changes := objects(decode[report.Diff](found))
			g.Expect(changes).To(HaveLen(4), "the workloads")
			for _, change := range changes {
				g.Expect(change.Change).To(Equal(report.ChangeUpdate))
				g.Expect(change.Fields).To(HaveEach(HaveField("From", ContainSubstring("mirror.example.com/"))))
			}
		}
		Eventually(ctx, isDifferent).Should(Succeed(), "while it is not ready nobody can tell why images are other ones")

		By("saying that the mesh is as its NSM says")
		stop()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)).To(Succeed())
		reportStatus(ctx, nsm, nil)
		found := runAs(ctx, viewer, "diff", "-n", viewed)
		Expect(found.code).To(Equal(exitFine), found.stdout+found.stderr)

		By("an edit of one image, and of what redirected images do not depend on")
		edited := nsm.DeepCopy()
		edited.Spec.Images = &nsmv1beta1.ImagesSpec{Registry: "registry.example.com", Overrides: map[string]string{"cmd-nsmgr": "own/nsmgr:1"}}
		changes := objects(decode[report.Diff](runAs(ctx, viewer, "diff", "-f", write(edited), "-o", "json")))
		Expect(changes).To(HaveLen(1))
		Expect(changes["DaemonSet nsmgr"].Fields).To(ConsistOf(HaveField("To", "own/nsmgr:1")))

		By("the operator does its last work")
		startOperator(ctx, related)
		remove(ctx, nsm)
	})
})

var _ = Describe("render", func() {
	It("prints what kubectl takes, from a file and from the cluster", func(ctx SpecContext) {
		nsm := newNSM(ctx, newNamespace(ctx), nil)
		fromFile := runAdmin(ctx, "render", "-f", write(nsm), "--cluster-spiffe-ids=false", "-o", "json")
		Expect(fromFile.code).To(Equal(exitFine), fromFile.stderr)
		fromCluster := runAdmin(ctx, "render", "-n", nsm.Namespace, "-o", "json")
		Expect(fromCluster.code).To(Equal(exitFine), fromCluster.stderr)
		var names []string
		for _, object := range decode[metav1.List](fromCluster).Items {
			var meta metav1.PartialObjectMetadata
			Expect(yaml.Unmarshal(object.Raw, &meta)).To(Succeed())
			names = append(names, meta.Kind+" "+meta.Name)
		}
		Expect(names).To(ContainElements("DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry", "Deployment admission-webhook-k8s"))
		Expect(names).NotTo(ContainElement(HavePrefix("Secret ")))
		Expect(decode[metav1.List](fromFile).Items).To(HaveLen(len(names)))
		file := filepath.Join(GinkgoT().TempDir(), "mesh.yaml")
		Expect(os.WriteFile(file, []byte(runAdmin(ctx, "render", "-n", nsm.Namespace).stdout), 0o600)).To(Succeed())
		Expect(server.Kubectl(ctx, "apply", "--dry-run=server", "-f", file)).To(ContainSubstring("daemonset.apps/nsmgr created (server dry run)"))
	})

	It("renders what a viewer of one namespace may see, and says what not", func(ctx SpecContext) {
		newNSM(ctx, viewed, nil)
		found := runAs(ctx, viewer, "render", "-n", viewed)
		Expect(found.code).To(Equal(exitFine), found.stderr)
		Expect(found.stdout).To(ContainSubstring("kind: DaemonSet"))
		Expect(found.stderr).To(ContainSubstring("not seen: list deployments in all namespaces, for the operator's: forbidden"))
	})

	It("takes a file of the older version, and says what is wrong with any other", func(ctx SpecContext) {
		samples := filepath.Join("..", "..", "config", "samples")
		older := runAdmin(ctx, "render", "-f", filepath.Join(samples, "nsm_v1alpha1_nsm.yaml"))
		Expect(older.code).To(Equal(exitFine), older.stderr)
		Expect(older.stdout).To(ContainSubstring("cmd-nsmgr:v1.0.0"))
		none := runAdmin(ctx, "render", "-f", filepath.Join(samples, "kustomization.yaml"))
		Expect(none.code).To(Equal(exitNothing))
		Expect(none.stderr).To(ContainSubstring("there is no NSM in it"))
		wrong := sample(ctx, "nsm_v1beta1_minimal.yaml", "nsm")
		wrong.Spec.Version = "1.18"
		Expect(runAdmin(ctx, "render", "-f", write(wrong)).stderr).To(ContainSubstring(`spec.version: "1.18"`))
	})
})

// What the plugin asks for fits into what the operator ships for those who view.
var _ = Describe("the role that is added to view", func() {
	It("may read meshes and what is registered with them", func(ctx SpecContext) {
		role := &rbacv1.ClusterRole{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "view"}, role)).To(Succeed())
		for resource, group := range map[string]string{
			"nsms": "nsm.networkservicemesh.io", "networkservices": "networkservicemesh.io", "networkserviceendpoints": "networkservicemesh.io",
			"pods/log": "",
		} {
			Expect(role.Rules).To(ContainElement(SatisfyAll(
				HaveField("APIGroups", ContainElement(group)), HaveField("Resources", ContainElement(resource)),
				HaveField("Verbs", ContainElements("get", "list", "watch")),
			)))
		}
	})
})
