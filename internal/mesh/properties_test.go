// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/networkservicemesh/nsm-operator/internal/apischema"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// meshes is how many random meshes each property is tried on.
const meshes = 200

// randomMesh is one of them, and what it renders to.
type randomMesh struct {
	// t is the test of this mesh alone.
	t          *testing.T
	seed       uint64
	in         mesh.Input
	components []mesh.Component
}

// forEachMesh runs check on random meshes until one fails; the name of the test
// holds the seed.
func forEachMesh(t *testing.T, check func(m randomMesh)) {
	t.Helper()
	for seed := range uint64(meshes) {
		sound := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			in := newGenerator(seed).input()
			check(randomMesh{t, seed, in, mesh.Components(in)})
		})
		if !sound {
			return
		}
	}
}

// The properties are of meshes that there can be.
func TestRandomMeshesAreValid(t *testing.T) {
	schema, err := apischema.V1beta1()
	if err != nil {
		t.Fatal(err)
	}
	forEachMesh(t, func(m randomMesh) {
		errs, err := schema.Check(m.t.Context(), m.in.NSM)
		if err != nil || len(errs) > 0 {
			m.t.Errorf("the API server would refuse the mesh: %v, %v", errs.ToAggregate(), err)
		}
	})
}

func TestRenderingIsDeterministic(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		equalMesh := newGenerator(m.seed).input()
		if diff := cmp.Diff(m.components, mesh.Components(equalMesh)); diff != "" {
			m.t.Errorf("a second rendering differs:\n%s", diff)
		}
		first := documents(m.t, allObjects(m.in, m.components))
		second := documents(m.t, allObjects(equalMesh, mesh.Components(m.in)))
		if !bytes.Equal(first, second) {
			m.t.Errorf("a second rendering differs as YAML:\n%s",
				cmp.Diff(strings.Split(string(first), "\n"), strings.Split(string(second), "\n")))
		}
	})
}

func TestRenderingLeavesItsInputAlone(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		if before := newGenerator(m.seed).input().NSM; !equality.Semantic.DeepEqual(before, m.in.NSM) {
			m.t.Errorf("rendering has changed the NSM:\n%s", cmp.Diff(before, m.in.NSM))
		}
	})
}

// Whoever tracks the objects of an application by a label or an annotation, as Argo CD does,
// finds the NSM alone: it would prune what is made for it. So nothing of an NSM's metadata is
// copied, and only pods have the label itself.
func TestNothingIsTakenForPartOfAnApplication(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		m.in.NSM = m.in.NSM.DeepCopy()
		m.in.NSM.Labels = map[string]string{"app.kubernetes.io/instance": "tracked-application", "example.com/tracked-label": "tracked-value"}
		m.in.NSM.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "tracked-application:nsm.networkservicemesh.io/NSM:nsm/mesh"}
		components := mesh.Components(m.in)
		objects := allObjects(m.in, components)
		for _, component := range components {
			objects = append(objects, mesh.ImagePull(component.Workload, mesh.ImagesOf(component.Workload), m.in.Platform))
		}
		record, err := mesh.Record(m.in)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, object := range append(objects, record) {
			text := string(documents(m.t, []mesh.Object{object}))
			for _, copied := range []string{"tracked-", "argocd.argoproj.io"} {
				if strings.Contains(text, copied) {
					m.t.Errorf("%T %s has %s", object, object.GetName(), copied)
				}
			}
			// Some specs ask for this one.
			if label := object.GetLabels()["app.kubernetes.io/instance"]; label != "" && label != "other" {
				m.t.Errorf("%T %s is labelled as of %s", object, object.GetName(), label)
			}
		}
	})
}

// Two selectors that can match one pod would let two controllers fight over it:
// some label must have different values in both.
func TestSelectorsNeverMatchOnePod(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		all := workloads(m.t, m.components)
		for i, one := range all {
			if !labels.SelectorFromSet(one.selector).Matches(labels.Set(one.template.Labels)) {
				m.t.Errorf("the selector of %s, %v, does not find its own pods, %v", one.name, one.selector, one.template.Labels)
			}
			for _, other := range all[i+1:] {
				if !exclude(one.selector, other.selector) {
					m.t.Errorf("one pod can match the selectors of both %s, %v, and %s, %v", one.name, one.selector, other.name, other.selector)
				}
			}
		}
	})
}

// A Service finds the pods of one workload.
func TestServicesFindOneWorkload(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		for _, object := range allObjects(m.in, m.components) {
			service, ok := object.(*corev1.Service)
			if !ok || len(service.Spec.Selector) == 0 {
				continue
			}
			var found []string
			for _, workload := range workloads(m.t, m.components) {
				if labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(workload.template.Labels)) {
					found = append(found, workload.name)
				}
			}
			if len(found) != 1 {
				m.t.Errorf("Service %s finds the pods of %v", service.Name, found)
			}
		}
	})
}

func TestObjectsAreOurs(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		platformKinds := mesh.PlatformKinds(m.in.Platform)
		kinds := kindsOf(m.t, append(mesh.Kinds(), platformKinds...))
		clusterKinds := kindsOf(m.t, append(mesh.ClusterKinds(), platformKinds...))
		// Those of the mesh's own namespace; the clients' have tests of their own.
		delete(clusterKinds, rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
		delete(clusterKinds, mesh.PodMonitorKind)
		seen := map[string]bool{}
		for _, object := range allObjects(m.in, m.components) {
			kind := object.GetObjectKind().GroupVersionKind()
			name := fmt.Sprintf("%s %s", kind.Kind, object.GetName())
			if kind.Empty() {
				m.t.Errorf("%T %s does not say its kind, which server-side apply needs", object, object.GetName())
			}
			if seen[name] {
				m.t.Errorf("%s is rendered twice", name)
			}
			seen[name] = true
			if !kinds[kind] {
				m.t.Errorf("%s: mesh.Kinds and mesh.PlatformKinds lack the kind, so nobody watches or prunes it", name)
			}
			for key, value := range mesh.OwnerLabels(m.in.NSM) {
				if got := object.GetLabels()[key]; got != value {
					m.t.Errorf("%s has the label %s=%q, want %q", name, key, got, value)
				}
			}
			if clusterKinds[kind] {
				checkClusterScoped(m.t, object, name)
			} else {
				checkNamespaced(m.t, m.in, object, name)
			}
		}
	})
}

func checkClusterScoped(t *testing.T, object mesh.Object, name string) {
	t.Helper()
	if object.GetNamespace() != "" {
		t.Errorf("%s is cluster-scoped and has the namespace %q", name, object.GetNamespace())
	}
	if len(object.GetOwnerReferences()) > 0 {
		t.Errorf("%s is cluster-scoped and has an owner with a namespace: the garbage collector would delete it", name)
	}
}

func checkNamespaced(t *testing.T, in mesh.Input, object mesh.Object, name string) {
	t.Helper()
	if object.GetNamespace() != in.NSM.Namespace {
		t.Errorf("%s is in the namespace %q, want %q", name, object.GetNamespace(), in.NSM.Namespace)
	}
	owners := object.GetOwnerReferences()
	if len(owners) != 1 || !metav1.IsControlledBy(object, in.NSM) {
		t.Errorf("%s has the owners %v, want the NSM as the only one and the controller", name, owners)
	}
}

// kindsOf the objects, of which only those that Go has no type for say it
// themselves.
func kindsOf(t *testing.T, objects []mesh.Object) map[schema.GroupVersionKind]bool {
	t.Helper()
	kinds := map[schema.GroupVersionKind]bool{}
	for _, object := range objects {
		if kind := object.GetObjectKind().GroupVersionKind(); !kind.Empty() {
			kinds[kind] = true
			continue
		}
		known, _, err := clientgoscheme.Scheme.ObjectKinds(object)
		if err != nil {
			t.Fatalf("%T: %v", object, err)
		}
		kinds[known[0]] = true
	}
	return kinds
}

func TestClusterKindsAreKinds(t *testing.T) {
	kinds := kindsOf(t, mesh.Kinds())
	for kind := range kindsOf(t, mesh.ClusterKinds()) {
		if !kinds[kind] {
			t.Errorf("%s is one of mesh.ClusterKinds, but not of mesh.Kinds", kind)
		}
	}
}

func TestNamesAndLabelsAreLegal(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		for _, object := range allObjects(m.in, m.components) {
			name := object.GetObjectKind().GroupVersionKind().Kind + " " + object.GetName()
			for _, problem := range nameProblems(object) {
				m.t.Errorf("%s: its name: %s", name, problem)
			}
			checkLabels(m.t, name, object.GetLabels())
		}
		for _, workload := range workloads(m.t, m.components) {
			checkLabels(m.t, "pods of "+workload.name, workload.template.Labels)
			for _, problem := range validation.ValidateAnnotations(workload.template.Annotations, field.NewPath("annotations")) {
				m.t.Errorf("pods of %s: %v", workload.name, problem)
			}
		}
	})
}

func checkLabels(t *testing.T, name string, set map[string]string) {
	t.Helper()
	for _, problem := range metav1validation.ValidateLabels(set, field.NewPath("labels")) {
		t.Errorf("%s: %v", name, problem)
	}
}

// nameProblems by the rules that the API server has for the object's kind.
func nameProblems(object mesh.Object) []string {
	name := object.GetName()
	kind := object.GetObjectKind().GroupVersionKind()
	switch {
	case kind.Group == "rbac.authorization.k8s.io":
		return content.IsPathSegmentName(name)
	case kind.Kind == "Service":
		return validation.NameIsDNS1035Label(name, false)
	case kind.Kind == "DaemonSet", kind.Kind == "Deployment":
		// Its pods have a hash behind the name and bear it as their label.
		return append(validation.NameIsDNSSubdomain(name, false), utilvalidation.IsValidLabelValue(name)...)
	default:
		return validation.NameIsDNSSubdomain(name, false)
	}
}

// What the API server would refuse in a pod, or take and the pod would suffer from.
func TestPodsAreSound(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		for _, workload := range workloads(m.t, m.components) {
			pod := workload.template.Spec
			volumes := names(pod.Volumes, func(v corev1.Volume) string { return v.Name })
			checkOnce(m.t, workload.name+": volume", volumes)
			containers := append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...)
			checkOnce(m.t, workload.name+": container", names(containers, func(c corev1.Container) string { return c.Name }))
			for _, container := range containers {
				checkContainer(m.t, workload.name+" "+container.Name, container, volumes)
			}
		}
	})
}

func checkContainer(t *testing.T, name string, container corev1.Container, volumes map[string]int) {
	t.Helper()
	checkOnce(t, name+": variable", names(container.Env, func(e corev1.EnvVar) string { return e.Name }))
	checkOnce(t, name+": mount path", names(container.VolumeMounts, func(m corev1.VolumeMount) string { return m.MountPath }))
	for _, mount := range container.VolumeMounts {
		if volumes[mount.Name] == 0 {
			t.Errorf("%s mounts the volume %s, which the pod lacks", name, mount.Name)
		}
	}
	for _, variable := range container.Env {
		if variable.Value != "" && variable.ValueFrom != nil {
			t.Errorf("%s: variable %s has both a value and a source", name, variable.Name)
		}
	}
	if container.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		t.Errorf("%s leaves nothing behind when it crashes", name)
	}
	if strings.ContainsAny(container.Image, " \t") || !strings.Contains(container.Image, "/") {
		t.Errorf("%s has the image %q", name, container.Image)
	}
}

func checkOnce(t *testing.T, what string, counts map[string]int) {
	t.Helper()
	for name, count := range counts {
		if count > 1 {
			t.Errorf("%s %s is there %d times", what, name, count)
		}
	}
}

// names counts how often each name occurs.
func names[T any](elements []T, nameOf func(T) string) map[string]int {
	counts := map[string]int{}
	for _, element := range elements {
		counts[nameOf(element)]++
	}
	return counts
}

// A user's variable holds, whatever the operator would set.
func TestUsersEnvWins(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		users := map[string][]corev1.EnvVar{}
		for _, forwarder := range mesh.Forwarders(&m.in.NSM.Spec) {
			users[forwarder.Name] = forwarder.Env
		}
		if m.in.NSM.Spec.Nsmgr != nil {
			users[mesh.NsmgrName] = m.in.NSM.Spec.Nsmgr.Env
		}
		if m.in.NSM.Spec.Registry != nil {
			users[mesh.RegistryName] = m.in.NSM.Spec.Registry.Env
		}
		for _, workload := range workloads(m.t, m.components) {
			for _, want := range users[workload.name] {
				if got := valueOf(workload.template.Spec.Containers[0].Env, want.Name); got != want.Value {
					m.t.Errorf("%s has %s=%q, want the user's %q", workload.name, want.Name, got, want.Value)
				}
			}
		}
	})
}

func valueOf(env []corev1.EnvVar, name string) string {
	for _, variable := range env {
		if variable.Name == name {
			return variable.Value
		}
	}
	return ""
}

// workload is what Deployments and DaemonSets have in common.
type workload struct {
	name     string
	selector map[string]string
	template corev1.PodTemplateSpec
}

func workloads(t *testing.T, components []mesh.Component) []workload {
	t.Helper()
	var all []workload
	for _, object := range mesh.Objects(components) {
		switch object := object.(type) {
		case *appsv1.DaemonSet:
			all = append(all, workload{object.Name, matchLabels(t, object.Spec.Selector), object.Spec.Template})
		case *appsv1.Deployment:
			all = append(all, workload{object.Name, matchLabels(t, object.Spec.Selector), object.Spec.Template})
		}
	}
	if len(all) == 0 {
		t.Fatal("a mesh without workloads")
	}
	return all
}

func matchLabels(t *testing.T, selector *metav1.LabelSelector) map[string]string {
	t.Helper()
	if selector == nil || len(selector.MatchLabels) == 0 || len(selector.MatchExpressions) > 0 {
		t.Fatalf("the selector %v does not select by labels alone", selector)
	}
	return selector.MatchLabels
}

// exclude reports whether no set of labels matches both selectors.
func exclude(one, other map[string]string) bool {
	for key, value := range one {
		if otherValue, ok := other[key]; ok && value != otherValue {
			return true
		}
	}
	return false
}

// The random meshes must be worth their name.
func TestGeneratorVaries(t *testing.T) {
	var previous mesh.Input
	same := 0
	for seed := range uint64(meshes) {
		in := newGenerator(seed).input()
		if reflect.DeepEqual(previous.NSM, in.NSM) {
			same++
		}
		previous = in
	}
	if same > 0 {
		t.Errorf("%d of %d meshes are as the one before", same, meshes)
	}
}
