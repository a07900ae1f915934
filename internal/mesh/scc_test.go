// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	securityv1 "github.com/openshift/api/security/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// What OpenShift makes of these objects is judged by its own code, in test/scc.

var openShift = mesh.Platform{OpenShift: true}

// constraintsOf renders the SCCs and what grants them, in all of a mesh.
func constraintsOf(in mesh.Input) []mesh.Object {
	return slices.DeleteFunc(allObjects(in, mesh.Components(in)), func(object mesh.Object) bool {
		kind := object.GetObjectKind().GroupVersionKind().Kind
		if binding, isBinding := object.(*rbacv1.RoleBinding); isBinding {
			return !strings.Contains(binding.RoleRef.Name, ":scc:")
		}
		return kind != "SecurityContextConstraints" && !strings.HasPrefix(kind, "ValidatingAdmissionPolicy") &&
			(kind != "ClusterRole" || !strings.Contains(object.GetName(), ":scc:"))
	})
}

func TestNoConstraintsWithoutNeed(t *testing.T) {
	for _, tc := range []struct {
		name     string
		platform mesh.Platform
		managed  nsmv1beta1.SCCManagement
	}{
		{"on plain Kubernetes", mesh.Platform{}, ""},
		{"on plain Kubernetes, asked for", mesh.Platform{}, "Managed"},
		{"on OpenShift, somebody else's", openShift, "None"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", OpenShift: &nsmv1beta1.OpenShiftSpec{
				SecurityContextConstraints: tc.managed, ClientNamespaces: &metav1.LabelSelector{},
			}}, tc.platform)
			in.ClientNamespaces = []string{"blue"}
			if mesh.ClientSelector(in) != nil {
				t.Error("namespaces are selected")
			}
			for _, object := range constraintsOf(in) {
				t.Errorf("there is the %s %s", object.GetObjectKind().GroupVersionKind().Kind, object.GetName())
			}
			for _, workload := range workloads(t, mesh.Components(in)) {
				if name, pinned := workload.template.Annotations[securityv1.RequiredSCCAnnotation]; pinned {
					t.Errorf("%s asks for the SCC %q", workload.name, name)
				}
				if context := workload.template.Spec.SecurityContext; context != nil && context.SELinuxOptions != nil {
					t.Errorf("%s asks for %v", workload.name, context.SELinuxOptions)
				}
			}
		})
	}
}

// Each pod asks for an SCC that is there, or is OpenShift's, whatever the user
// annotates it with.
func TestPodsAskForTheirSCC(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		if !m.in.Platform.OpenShift {
			return
		}
		there := map[string]bool{"restricted-v2": true}
		for _, object := range constraintsOf(m.in) {
			there[object.GetName()] = true
		}
		for _, workload := range workloads(m.t, m.components) {
			if name := workload.template.Annotations[securityv1.RequiredSCCAnnotation]; !there[name] {
				m.t.Errorf("%s asks for the SCC %q, which is not there", workload.name, name)
			}
		}
	})
	in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", Nsmgr: &nsmv1beta1.NsmgrSpec{ComponentSpec: nsmv1beta1.ComponentSpec{
		PodAnnotations: map[string]string{securityv1.RequiredSCCAnnotation: "privileged", "example.com/note": "kept"},
	}}}, openShift)
	for _, workload := range workloads(t, mesh.Components(in)) {
		annotations := workload.template.Annotations
		if workload.name == mesh.NsmgrName && (annotations[securityv1.RequiredSCCAnnotation] != "nsm-nsm-nsmgr" || annotations["example.com/note"] != "kept") {
			t.Errorf("nsmgr has the annotations %v", annotations)
		}
	}
	if in.NSM.Spec.Nsmgr.PodAnnotations[securityv1.RequiredSCCAnnotation] != "privileged" {
		t.Error("rendering has changed the NSM")
	}
}

// The SCCs of two meshes never have one name, not even where the name of one
// namespace begins with that of the other.
func TestSCCNamesAreUnique(t *testing.T) {
	spec := everythingSpec()
	spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
	spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
	owners := map[string]string{}
	classes := []string{"forwarder", "forwarder-sriov", "nsmgr", "csi-driver", "spire-socket", "client", "sriov", "driver", "socket"}
	for _, namespace := range append([]string{"a", "nsm"}, classes...) {
		for _, suffix := range append([]string{""}, classes...) {
			in := testInput(t, spec, openShift)
			in.NSM.Namespace = strings.TrimSuffix(namespace+"-"+suffix, "-")
			for _, object := range constraintsOf(in) {
				id := object.GetObjectKind().GroupVersionKind().Kind + " " + object.GetNamespace() + "/" + object.GetName()
				if owner, taken := owners[id]; taken && owner != in.NSM.Namespace {
					t.Errorf("%s is in the meshes of both %s and %s", id, owner, in.NSM.Namespace)
				}
				owners[id] = in.NSM.Namespace
			}
		}
	}
}

// usesOf are who may use which SCC and where, from the objects that grant it:
// "nsm/ServiceAccount nsm/nsmgr: nsm-nsm-nsmgr". A namespace of "" is all.
func usesOf(objects []mesh.Object) []string {
	roles := map[string][]string{}
	for _, object := range objects {
		if role, ok := object.(*rbacv1.ClusterRole); ok {
			roles[role.Name] = sccsOf(role)
		}
	}
	var uses []string
	add := func(namespace string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
		for _, subject := range subjects {
			for _, scc := range roles[role.Name] {
				uses = append(uses, namespace+"/"+subject.Kind+" "+strings.TrimPrefix(subject.Namespace+"/"+subject.Name, "/")+": "+scc)
			}
		}
	}
	for _, object := range objects {
		switch object := object.(type) {
		case *rbacv1.RoleBinding:
			add(object.Namespace, object.RoleRef, object.Subjects)
		case *rbacv1.ClusterRoleBinding:
			add("", object.RoleRef, object.Subjects)
		}
	}
	slices.Sort(uses)
	return uses
}

// sccsOf are the SCCs that a role lets one use; "*" is any.
func sccsOf(role *rbacv1.ClusterRole) []string {
	var sccs []string
	for _, rule := range role.Rules {
		switch {
		case !hasOrAll(rule.APIGroups, securityv1.GroupName) || !hasOrAll(rule.Resources, "securitycontextconstraints"):
		case len(rule.ResourceNames) == 0 || !slices.Equal(rule.Verbs, []string{"use"}):
			sccs = append(sccs, "*")
		default:
			sccs = append(sccs, rule.ResourceNames...)
		}
	}
	return sccs
}

func hasOrAll(list []string, value string) bool {
	return slices.Contains(list, value) || slices.Contains(list, "*")
}

// Every SCC is for the ServiceAccounts of its own components, in their
// namespace, and that of the clients for those of the selected namespaces, each
// in its own.
func TestSCCsAreForTheirUsersAlone(t *testing.T) {
	in := openShiftEverything().input(t)
	want := []string{
		"blue/Group system:serviceaccounts:blue: nsm-nsm-client",
		"green/Group system:serviceaccounts:green: nsm-nsm-client",
		"nsm/ServiceAccount nsm/admission-webhook-k8s: nsm-nsm-admission-webhook",
		"nsm/ServiceAccount nsm/cluster-info: nsm-nsm-spire-socket",
		"nsm/ServiceAccount nsm/dashboard: nsm-nsm-spire-socket",
		"nsm/ServiceAccount nsm/forwarder-ovs: nsm-nsm-forwarder",
		"nsm/ServiceAccount nsm/forwarder-sriov: nsm-nsm-forwarder-sriov",
		"nsm/ServiceAccount nsm/forwarder-vpp: nsm-nsm-forwarder",
		"nsm/ServiceAccount nsm/nsm-csi: nsm-nsm-csi-driver",
		"nsm/ServiceAccount nsm/nsm-registry: nsm-nsm-spire-socket",
		"nsm/ServiceAccount nsm/nsmgr-proxy: nsm-nsm-spire-socket",
		"nsm/ServiceAccount nsm/nsmgr: nsm-nsm-nsmgr",
		"nsm/ServiceAccount nsm/registry-proxy: nsm-nsm-spire-socket",
		"nsm/ServiceAccount nsm/vl3-ipam: nsm-nsm-spire-socket",
	}
	if diff := cmp.Diff(want, usesOf(allObjects(in, mesh.Components(in)))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// In every mesh a ServiceAccount may use the SCC that its pod asks for, or none.
func TestServiceAccountsUseOneSCC(t *testing.T) {
	forEachMesh(t, func(m randomMesh) {
		if !m.in.Platform.OpenShift {
			return
		}
		var want []string
		for _, workload := range workloads(m.t, m.components) {
			if scc := workload.template.Annotations[securityv1.RequiredSCCAnnotation]; scc != "restricted-v2" {
				namespace := m.in.NSM.Namespace
				want = append(want, namespace+"/ServiceAccount "+namespace+"/"+workload.template.Spec.ServiceAccountName+": "+scc)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, usesOf(allObjects(m.in, m.components))); diff != "" {
			m.t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// An SCC names nobody, goes before no other, and leaves nothing to the pod that
// is not meant so. Whether it could be narrower is judged in test/scc.
func TestSCCsAreClosed(t *testing.T) {
	in := openShiftEverything().input(t)
	count := 0
	for _, object := range mesh.Constraints(in, mesh.Components(in)) {
		scc, ok := object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		count++
		for _, field := range []string{"priority", "users", "groups"} {
			if value := scc.Object[field]; value != nil && !equality.Semantic.DeepEqual(value, []any{}) {
				t.Errorf("%s has the %s %v", scc.GetName(), field, value)
			}
		}
		for field, value := range leaves("", scc.Object) {
			list, _ := value.([]any)
			wide := value == "RunAsAny" || slices.Contains(list, any("*"))
			if wide && (scc.GetName() != "nsm-nsm-client" || field != ".supplementalGroups.type") {
				t.Errorf("%s has %s: %v", scc.GetName(), field, value)
			}
		}
	}
	if count != 7 {
		t.Errorf("there are %d SCCs", count)
	}
}

// leaves are the fields of an object that are no objects themselves, by path.
func leaves(path string, value map[string]any) map[string]any {
	all := map[string]any{}
	for name, field := range value {
		if inner, isObject := field.(map[string]any); isObject {
			maps.Copy(all, leaves(path+"."+name, inner))
			continue
		}
		all[path+"."+name] = field
	}
	return all
}

// A field that is not said is not put right when somebody fills it in.
func TestSCCsSayAllThatThereIs(t *testing.T) {
	// Why these are not said is written beside emptySCC.
	unsaid := []string{".runAsUser.uidRangeMax", ".runAsUser.uidRangeMin", ".userNamespaceLevel"}
	in := openShiftEverything().input(t)
	for _, object := range mesh.Constraints(in, mesh.Components(in)) {
		scc, ok := object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		said := leaves("", scc.Object)
		for _, field := range fieldsOf("", reflect.TypeFor[securityv1.SecurityContextConstraints]()) {
			// OpenShift reads the uid with this strategy only.
			if field == ".runAsUser.uid" && said[".runAsUser.type"] != "MustRunAs" {
				continue
			}
			if _, isSaid := said[field]; !isSaid && !slices.Contains(unsaid, field) {
				t.Errorf("%s does not say %s", scc.GetName(), field)
			}
		}
	}
}

// fieldsOf are the fields of a type in its JSON, by path, without those that all
// kinds have.
func fieldsOf(path string, object reflect.Type) []string {
	var all []string
	for field := range object.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "metadata" {
			continue
		}
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			all = append(all, fieldsOf(path+"."+name, inner)...)
			continue
		}
		all = append(all, path+"."+name)
	}
	return all
}

func TestClientsMayUseTheirSCC(t *testing.T) {
	in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", OpenShift: &nsmv1beta1.OpenShiftSpec{
		ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"nsm": "true"}},
	}}, openShift)
	in.ClientNamespaces = []string{"blue", "green"}
	var granted []string
	for _, object := range constraintsOf(in) {
		binding, ok := object.(*rbacv1.RoleBinding)
		if !ok || binding.Namespace == in.NSM.Namespace {
			continue
		}
		granted = append(granted, binding.Namespace)
		if len(binding.OwnerReferences) > 0 {
			t.Errorf("the RoleBinding in %s has an owner in another namespace: the garbage collector would delete it", binding.Namespace)
		}
		for key, value := range mesh.OwnerLabels(in.NSM) {
			if binding.Labels[key] != value {
				t.Errorf("the RoleBinding in %s lacks the label %s, by which it is pruned", binding.Namespace, key)
			}
		}
		want := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:serviceaccounts:" + binding.Namespace}
		if !slices.Equal(binding.Subjects, []rbacv1.Subject{want}) || binding.RoleRef.Name != "nsm:nsm:scc:client" {
			t.Errorf("in %s %v may use %s", binding.Namespace, binding.Subjects, binding.RoleRef.Name)
		}
	}
	if !slices.Equal(granted, in.ClientNamespaces) {
		t.Errorf("granted in %v, want %v", granted, in.ClientNamespaces)
	}
}

// However wide the selector is, the platform's namespaces and the mesh's own hold
// no clients.
func TestSomeNamespacesNeverHoldClients(t *testing.T) {
	in := testInput(t, nsmv1beta1.NSMSpec{Version: "v1.18.0", OpenShift: &nsmv1beta1.OpenShiftSpec{
		ClientNamespaces: &metav1.LabelSelector{},
	}}, openShift)
	hold := []string{"blue", "kube", "kubernetes", "nsm-clients", "openshifters", "my-openshift-apps", "defaults"}
	in.ClientNamespaces = slices.Concat(hold, []string{
		"default", "kube-public", "kube-system", "nsm", "openshift", "openshift-operators", "openshift-ovn-kubernetes",
	})
	var granted []string
	for _, object := range constraintsOf(in) {
		if binding, ok := object.(*rbacv1.RoleBinding); ok && binding.RoleRef.Name == "nsm:nsm:scc:client" {
			granted = append(granted, binding.Namespace)
		}
	}
	if !slices.Equal(granted, hold) {
		t.Errorf("granted in %v, want %v", granted, hold)
	}
}

// Clients need no SCC where both sockets come by CSI.
func TestClientsWithCSINeedNoSCC(t *testing.T) {
	spire := &nsmv1beta1.SpireSpec{Mount: nsmv1beta1.SpireMountCSI}
	for _, tc := range []struct {
		name  string
		spec  nsmv1beta1.NSMSpec
		needs bool
	}{
		{"both", nsmv1beta1.NSMSpec{Version: "v1.18.0", Spire: spire, CSIDriver: &nsmv1beta1.CSIDriverSpec{}}, false},
		{"SPIRE's alone", nsmv1beta1.NSMSpec{Version: "v1.18.0", Spire: spire}, true},
		{"NSM's alone", nsmv1beta1.NSMSpec{Version: "v1.18.0", CSIDriver: &nsmv1beta1.CSIDriverSpec{}}, true},
		{"both, of a release without", nsmv1beta1.NSMSpec{Version: "v1.9.0", Spire: spire, CSIDriver: &nsmv1beta1.CSIDriverSpec{}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
			if got := mesh.ClientSelector(testInput(t, tc.spec, openShift)) != nil; got != tc.needs {
				t.Errorf("namespaces are selected: %t, want %t", got, tc.needs)
			}
		})
	}
}

// A pod that asks for less than what its images need is refused by nobody, and
// does not work: it would be made to run as any user, in any domain.
func TestPodsOnTheNodeSayWhatTheyNeed(t *testing.T) {
	spec := everythingSpec()
	spec.CSIDriver = &nsmv1beta1.CSIDriverSpec{}
	for _, workload := range workloads(t, mesh.Components(testInput(t, spec, openShift))) {
		pod := workload.template.Spec
		usesHost := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
		inDomain := pod.SecurityContext != nil && pod.SecurityContext.SELinuxOptions != nil && pod.SecurityContext.SELinuxOptions.Type == "spc_t"
		if usesHost != inDomain {
			t.Errorf("%s uses the node's directories: %t, and asks for the SELinux domain that may: %t", workload.name, usesHost, inDomain)
		}
	}
}
