// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package olm

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/blang/semver/v4"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/operator-framework/api/pkg/lib/version"
	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/test/earlier"
)

// published is how 1.8.0 was subscribed to: its meshes use the ServiceAccount of the
// operator, so they are in the operator's namespace.
var published = subscription{meshNamespace, "alpha", operatorsv1alpha1.ApprovalAutomatic}

var _ = Describe("A subscription to the published 1.8.0", func() {
	examples := []TableEntry{
		Entry("of the example in OperatorHub", "alm-example"),
		Entry("with a registry that keeps its entries in Kubernetes, two forwarders and a webhook", "nested"),
	}
	if long {
		examples = append(examples, Entry("with a registry in memory, which 1.9 has left without a pod", "memory"))
	}
	DescribeTable("is carried on with its mesh", func(ctx SpecContext, example string) {
		DeferCleanup(cleanUp)
		old := predecessor()
		catalog.serve(ctx, []channel{{"alpha", []entry{{Name: old.name}}}}, old)
		published.create(ctx)
		published.awaitCSV(ctx, old.name)
		stored, workloads := createEarlierMesh(ctx, example)
		entries := registered(ctx)

		users := startHammer(ctx, "v1beta1")
		unserved, statuses := watchDefinition(ctx), watchStatus(ctx)
		begin := time.Now()
		catalog.serveShipped(ctx, old)
		published.awaitCSV(ctx, current().name)
		figure("from the new catalog to Succeeded", begin)
		awaitTakenOver(ctx)
		figure("from the new catalog to Available", begin)
		said := statuses()
		Expect(said).NotTo(BeEmpty())
		for _, workload := range workloads {
			Expect(said).NotTo(ContainElement(ContainSubstring(workload + " has not been created yet")))
		}

		users.Validated(ctx)
		users.AwaitWrites(ctx)
		users.Stop()
		users.Report("during the upgrade")
		users.ExpectNothingLost(ctx)
		users.ExpectServed("v1alpha1")
		users.ExpectFewFailures(ctx, nil)
		Expect(unserved()).To(BeEmpty(), "definitions in which v1alpha1 is not served")
		Expect(specs(ctx, meshKey)["v1alpha1"]).To(Equal(stored))
		Expect(registered(ctx)).To(Equal(entries), "what clients have registered")
		Eventually(func() []string { return storedDefinition(ctx).Status.StoredVersions }).WithContext(ctx).Should(Equal([]string{"v1beta1"}))
	}, examples)
})

// watchDefinition watches the definition of NSMs from now on, and returns what tells in which
// of its states v1alpha1 was not served.
func watchDefinition(ctx context.Context) (unserved func() []string) {
	GinkgoHelper()
	from, err := client.NewWithWatch(config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	events, err := from.Watch(ctx, &apiextensionsv1.CustomResourceDefinitionList{}, client.MatchingFields{"metadata.name": nsmDefinition})
	Expect(err).NotTo(HaveOccurred())
	var found []string
	var isOver atomic.Bool
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		for event := range events.ResultChan() {
			state, isState := event.Object.(*apiextensionsv1.CustomResourceDefinition)
			if !isState {
				if !isOver.Load() {
					found = append(found, fmt.Sprintf("%s: the watch has ended: %v", event.Type, event.Object))
				}
				continue
			}
			for _, version := range state.Spec.Versions {
				if version.Name == "v1alpha1" && !version.Served {
					found = append(found, "generation "+strconv.FormatInt(state.Generation, 10))
				}
			}
		}
	}()
	DeferCleanup(events.Stop)
	return func() []string {
		isOver.Store(true)
		events.Stop()
		<-seen
		return found
	}
}

// watchStatus collects all statuses that an NSM has in v1beta1, from when that is served.
func watchStatus(ctx context.Context) (statuses func() []string) {
	GinkgoHelper()
	from, err := client.NewWithWatch(config, client.Options{Scheme: newScheme()})
	Expect(err).NotTo(HaveOccurred())
	watching, end := context.WithCancel(ctx)
	var seen []string
	ended := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(ended)
		wait.UntilWithContext(watching, func(ctx context.Context) {
			events, err := from.Watch(ctx, &nsmv1beta1.NSMList{}, client.InNamespace(meshNamespace))
			if err != nil {
				return // it is not served yet, or the definition has just been written
			}
			for event := range events.ResultChan() {
				if nsm, isNSM := event.Object.(*nsmv1beta1.NSM); isNSM {
					text, err := json.Marshal(nsm.Status)
					Expect(err).NotTo(HaveOccurred())
					seen = append(seen, string(text))
				}
			}
		}, 20*time.Millisecond)
	}()
	stop := func() { end(); <-ended }
	DeferCleanup(stop)
	return func() []string { stop(); return seen }
}

// predecessor is the published bundle, of what is known of it.
func predecessor() bundle {
	GinkgoHelper()
	old := bundle{name: csvOf("1.8.0"), directory: filepath.Join(GinkgoT().TempDir(), "1.8.0")}
	for _, directory := range []string{"manifests", "metadata"} {
		Expect(os.MkdirAll(filepath.Join(old.directory, directory), 0o700)).To(Succeed())
	}
	for _, definition := range earlier.Definitions() {
		write(filepath.Join(old.directory, "manifests", definition.GetName()+".yaml"), definition)
	}
	write(filepath.Join(old.directory, csvFile), predecessorCSV(old.name))
	write(filepath.Join(old.directory, "metadata", "annotations.yaml"), map[string]any{"annotations": map[string]string{
		"operators.operatorframework.io.bundle.mediatype.v1":       "registry+v1",
		"operators.operatorframework.io.bundle.manifests.v1":       "manifests/",
		"operators.operatorframework.io.bundle.metadata.v1":        "metadata/",
		"operators.operatorframework.io.bundle.package.v1":         packageName,
		"operators.operatorframework.io.bundle.channels.v1":        "alpha",
		"operators.operatorframework.io.bundle.channel.default.v1": "alpha",
	}})
	return old
}

// predecessorCSV has OLM install what the earlier operator consists of.
func predecessorCSV(name string) *operatorsv1alpha1.ClusterServiceVersion {
	GinkgoHelper()
	csv := &operatorsv1alpha1.ClusterServiceVersion{
		TypeMeta:   metav1.TypeMeta{APIVersion: operatorsv1alpha1.SchemeGroupVersion.String(), Kind: operatorsv1alpha1.ClusterServiceVersionKind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "placeholder"},
	}
	csv.Spec.Version = version.OperatorVersion{Version: semver.MustParse("1.8.0")}
	csv.Spec.DisplayName = "nsm-operator"
	csv.Spec.InstallModes = []operatorsv1alpha1.InstallMode{{Type: operatorsv1alpha1.InstallModeTypeAllNamespaces, Supported: true}}
	for _, object := range earlier.Definitions() {
		definition := convert[apiextensionsv1.CustomResourceDefinition](object)
		csv.Spec.CustomResourceDefinitions.Owned = append(csv.Spec.CustomResourceDefinitions.Owned, operatorsv1alpha1.CRDDescription{
			Name: definition.Name, Version: definition.Spec.Versions[0].Name, Kind: definition.Spec.Names.Kind,
		})
	}
	strategy := &csv.Spec.InstallStrategy
	strategy.StrategyName = operatorsv1alpha1.InstallStrategyNameDeployment
	for _, object := range earlier.Operator() {
		switch object.GetKind() {
		case "Deployment":
			deployment := convert[appsv1.Deployment](object)
			strategy.StrategySpec.DeploymentSpecs = append(strategy.StrategySpec.DeploymentSpecs, operatorsv1alpha1.StrategyDeploymentSpec{
				Name: deployment.Name, Label: deployment.Labels, Spec: deployment.Spec,
			})
		case "ClusterRole":
			strategy.StrategySpec.ClusterPermissions = append(strategy.StrategySpec.ClusterPermissions, operatorsv1alpha1.StrategyDeploymentPermissions{
				ServiceAccountName: packageName, Rules: convert[rbacv1.ClusterRole](object).Rules,
			})
		}
	}
	return csv
}

// createEarlierMesh has an NSM as the earlier operator knows it, and all that the
// earlier operator has made of it. It returns what the NSM says, and how its status
// calls the workloads.
func createEarlierMesh(ctx context.Context, example string) (spec any, workloads []string) {
	GinkgoHelper()
	nsm := earlier.NSM(example)
	Expect(admin.Create(ctx, nsm)).To(Succeed())
	awaitCollector(ctx)
	for _, object := range earlier.Mesh(example, nsm) {
		Expect(admin.Create(ctx, object, earlier.FieldOwner)).To(Succeed(), object.GetName())
		if object.GroupVersionKind().Group == appsv1.GroupName {
			workloads = append(workloads, fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName()))
		}
	}
	Expect(workloads).NotTo(BeEmpty())
	register(ctx)
	return nsm.Object["spec"], workloads
}

// awaitCollector waits until Kubernetes' garbage collector follows NSMs, which takes it
// half a minute once there is a definition of them. For what they own before that, it asks
// for the owner now and then, in the version that the owner reference says, and takes one
// that is not served for one that is gone.
func awaitCollector(ctx context.Context) {
	GinkgoHelper()
	probe := earlier.NSM("memory")
	probe.SetNamespace("default")
	Expect(admin.Create(ctx, probe)).To(Succeed())
	// Only whoever follows an object finishes this.
	Expect(admin.Delete(ctx, probe, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
	Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(probe), probe) }).
		WithContext(ctx).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
}

// awaitTakenOver waits until the mesh is up in the operator's eyes.
func awaitTakenOver(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		nsm := &nsmv1beta1.NSM{}
		g.Expect(admin.Get(ctx, meshKey, nsm)).To(Succeed())
		expectAvailable(g, nsm)
	}).WithContext(ctx).WithTimeout(5 * time.Minute).Should(Succeed())
}

func convert[T any](object *unstructured.Unstructured) *T {
	GinkgoHelper()
	var typed T
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed)).To(Succeed())
	return &typed
}

func write(path string, object any) {
	GinkgoHelper()
	text, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
}
