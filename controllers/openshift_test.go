// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package controllers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	securityv1 "github.com/openshift/api/security/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
)

// A plain API server with OpenShift's own definition of SCCs. What they allow is
// judged by OpenShift's code, in test/scc.
var _ = Describe("OpenShift", func() {
	var (
		o   *operator
		crd *unstructured.Unstructured
	)

	BeforeEach(func(ctx SpecContext) {
		crd = serveSCCs(ctx)
		o = startOperatorOn(mesh.Platform{OpenShift: true}, &requests{})
	})

	It("gets the SCCs that a mesh needs, and loses them with it", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return sccs(ctx, nsm) }).Should(ConsistOf(sccName(nsm, "forwarder"), sccName(nsm, "nsmgr"), sccName(nsm, "spire-socket")))
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ConsistOf(
			nsm.Namespace+"/scc:forwarder-vpp", nsm.Namespace+"/scc:nsm-registry", nsm.Namespace+"/scc:nsmgr"))

		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(nsm), nsm)) }).Should(BeTrue())
		Expect(sccs(ctx, nsm)).To(BeEmpty())
		Expect(bindings(ctx, nsm)).To(BeEmpty())
	})

	It("has the SCCs, and who may use them, before the pods", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElements("DaemonSet nsmgr", "DaemonSet forwarder-vpp", "Deployment nsm-registry"))
		var written []string
		for _, asked := range o.requests.all() {
			parts := strings.Split(asked.path, "/")
			if resource := parts[len(parts)-2]; asked.isWrite() && !asked.isEvent() {
				written = append(written, resource)
			}
		}
		firstPod := slices.IndexFunc(written, func(resource string) bool { return resource == "daemonsets" || resource == "deployments" })
		Expect(written[:firstPod]).To(ContainElements("serviceaccounts", "securitycontextconstraints", "clusterroles", "rolebindings"))
		Expect(written[firstPod:]).NotTo(ContainElement(
			BeElementOf("serviceaccounts", "securitycontextconstraints", "clusterroles", "rolebindings")))
	})

	It("is left alone when there is nothing to do", func(ctx SpecContext) {
		reconcileOften(ctx, o, newMeshOfAllSCCs(ctx, o))
	})

	It("is left alone when OpenShift leaves out what is empty, too", func(ctx SpecContext) {
		defaultSCCs(ctx)
		nsm := newMeshOfAllSCCs(ctx, o)
		_, isSaid := getSCC(ctx, sccName(nsm, "nsmgr")).Object["allowedUnsafeSysctls"]
		Expect(isSaid).To(BeFalse(), "the webhook does what OpenShift's API server does")
		reconcileOften(ctx, o, nsm)

		By("and what somebody fills in is still put right")
		change(ctx, getSCC(ctx, sccName(nsm, "nsmgr")), func(scc *unstructured.Unstructured) {
			scc.Object["allowedUnsafeSysctls"] = []any{"*"}
		})
		Eventually(func() any { return getSCC(ctx, sccName(nsm, "nsmgr")).Object["allowedUnsafeSysctls"] }).Should(BeNil())
		settle(o)
		reconcileOften(ctx, o, nsm)
	})

	It("has what somebody changes put right, whichever field it is", func(ctx SpecContext) {
		classes := []string{"forwarder", "nsmgr", "spire-socket", "client"}
		// As often as one object is put right at once: in the short form, each field is
		// changed in one of the SCCs.
		size := 3
		if long == 0 {
			size *= len(classes)
		}
		for fields := range slices.Chunk(slices.DeleteFunc(fieldsOf(crd), sccField.isNeverSaid), size) {
			nsm := newMeshOfAllSCCs(ctx, o)
			for j, field := range fields {
				tried := 0
				for i := range classes {
					if class := classes[(i+j)%len(classes)]; (long > 0 || tried == 0) && putsRight(ctx, sccName(nsm, class), field) {
						tried++
					}
				}
				Expect(tried).To(BeNumerically(">", 0), "%s is said in one of them", field)
			}
			Expect(admin.Delete(ctx, nsm)).To(Succeed())
		}
	})

	It("has SCCs where OpenShift knows no user namespaces", func(ctx SpecContext) {
		change(ctx, crd, func(crd *unstructured.Unstructured) { delete(schemaOf(crd), "userNamespaceLevel") })
		Eventually(func() error {
			probe := probeSCC()
			probe.Object["userNamespaceLevel"] = "AllowHostLevel"
			return admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(probe), client.DryRunAll, client.FieldOwner("probe"))
		}).Should(MatchError(ContainSubstring("field not declared in schema")), "why the operator does not say it")
		newMeshOfAllSCCs(ctx, o)
	})

	It("lets clients in as their namespaces' labels come and go", func(ctx SpecContext) {
		early := labelledNamespace(ctx, "yes")
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{
			ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "yes"}},
		}})
		name := "nsm:" + nsm.Namespace + ":client"
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ContainElement(early + "/" + name))
		Expect(sccs(ctx, nsm)).To(ContainElement(sccName(nsm, "client")))

		late := labelledNamespace(ctx, "no")
		Consistently(func() []string { return bindings(ctx, nsm) }).ShouldNot(ContainElement(late + "/" + name))
		label(ctx, late, "yes")
		Eventually(func() []string { return bindings(ctx, nsm) }).Should(ContainElements(early+"/"+name, late+"/"+name))
		label(ctx, early, "no")
		Eventually(func() []string { return bindings(ctx, nsm) }).ShouldNot(ContainElement(early + "/" + name))

		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() []string { return append(bindings(ctx, nsm), sccs(ctx, nsm)...) }).Should(BeEmpty())
	})

	It("lets clients mount the sockets' directories and no others", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{
			Spire: &nsmv1beta1.SpireSpec{AgentSocket: `unix:///run/spire/it's-"mine"/agent.sock`},
			OpenShift: &nsmv1beta1.OpenShiftSpec{
				ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "paths"}},
			},
		})
		clients, others := labelledNamespace(ctx, "paths"), labelledNamespace(ctx, "other")
		scc := sccName(nsm, "client")
		refused := func(namespace, scc string, paths ...string) string {
			err := admin.Create(ctx, podWith(namespace, scc, paths...), client.DryRunAll)
			if err == nil {
				return ""
			}
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), err.Error())
			return err.Error()
		}
		Eventually(func() string { return refused(clients, scc, "/etc") }).Should(ContainSubstring("host path"))

		Expect(refused(clients, scc)).To(BeEmpty())
		Expect(refused(clients, scc, `/run/spire/it's-"mine"`, "/var/lib/networkservicemesh")).To(BeEmpty())
		Expect(refused(clients, scc, "/var/lib/networkservicemesh", "/var/lib/kubelet", "/")).To(HaveSuffix(
			"volume volume-1 has the host path /var/lib/kubelet, volume volume-2 has the host path /: clients of the NSM " +
				nsm.Namespace + `/mesh may mount /run/spire/it's-"mine" and /var/lib/networkservicemesh, and no other host path`))
		for _, near := range []string{"/var/lib/networkservicemesh/", "/var/lib/networkservicemesh/config", "/var/lib", "/run/spire/sockets"} {
			Expect(refused(clients, scc, near)).To(ContainSubstring("has the host path "+near+":"), "exactly these")
		}
		Expect(refused(clients, scc, "/"+strings.Repeat("long", 2000))).To(ContainSubstring("and no other host path"))

		By("and looks at no pods but those of its SCC, in the namespaces of clients")
		Expect(refused(clients, "", "/etc")).To(BeEmpty())
		Expect(refused(clients, "privileged", "/etc")).To(BeEmpty())
		Expect(refused(others, scc, "/etc")).To(BeEmpty())

		By("and goes with the mesh, after the right to use the SCC")
		o.requests.reset()
		Expect(admin.Delete(ctx, nsm)).To(Succeed())
		Eventually(func() bool { return isGone(ctx, nsm) }).Should(BeTrue())
		Expect(policies(ctx, nsm)).To(BeEmpty())
		Expect(deleted(o)).To(And(HaveKey("securitycontextconstraints"), HaveKey("validatingadmissionpolicies")))
		for _, limit := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
			Expect(deleted(o)[limit]).To(BeNumerically(">", deleted(o)["rolebindings"]))
		}
	})

	It("has the policy on clients when it has their SCC", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return sccs(ctx, nsm) }).ShouldNot(BeEmpty())
		Consistently(func() []string { return policies(ctx, nsm) }).Should(BeEmpty())
		change(ctx, nsm, func(n *nsmv1beta1.NSM) {
			n.Spec.OpenShift = &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}
		})
		Eventually(func() []string { return policies(ctx, nsm) }).Should(ConsistOf(
			"ValidatingAdmissionPolicy "+sccName(nsm, "client"), "ValidatingAdmissionPolicyBinding "+sccName(nsm, "client")))

		By("and lets in neither the platform nor the mesh itself, though all are selected")
		clients := newNamespace(ctx)
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "openshift-" + clients}})).To(Succeed())
		last := newNamespace(ctx)
		Eventually(func() []string { return bindingsOfClients(ctx, nsm) }).Should(ContainElements(
			HavePrefix(clients+"/"), HavePrefix(last+"/")))
		Expect(bindingsOfClients(ctx, nsm)).NotTo(ContainElement(Or(
			HavePrefix("default/"), HavePrefix("kube-"), HavePrefix("openshift-"))))
		Expect(bindings(ctx, nsm)).NotTo(ContainElement(nsm.Namespace + "/nsm:" + nsm.Namespace + ":client"))
		Eventually(func() error {
			return admin.Create(ctx, podWith(clients, sccName(nsm, "client"), "/etc"), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("host path")))
		for _, namespace := range []string{"default", "kube-system", "openshift-" + clients, nsm.Namespace} {
			Expect(admin.Create(ctx, podWith(namespace, sccName(nsm, "client"), "/etc"), client.DryRunAll)).To(Succeed())
		}

		change(ctx, nsm, func(n *nsmv1beta1.NSM) { n.Spec.OpenShift = nil })
		Eventually(func() []string { return append(policies(ctx, nsm), bindingsOfClients(ctx, nsm)...) }).Should(BeEmpty())
		Expect(sccs(ctx, nsm)).NotTo(ContainElement(sccName(nsm, "client")))
	})

	It("keeps to itself what somebody else looks after", func(ctx SpecContext) {
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{})
		Eventually(func() []string { return sccs(ctx, nsm) }).ShouldNot(BeEmpty())
		change(ctx, nsm, func(n *nsmv1beta1.NSM) {
			n.Spec.OpenShift = &nsmv1beta1.OpenShiftSpec{SecurityContextConstraints: "None"}
		})
		Eventually(func() []string { return append(bindings(ctx, nsm), sccs(ctx, nsm)...) }).Should(BeEmpty())
	})
})

var _ = Describe("Plain Kubernetes", func() {
	It("is never asked for SCCs, and for no binding or namespace but the mesh's", func(ctx SpecContext) {
		o := startOperator()
		nsm := newNSM(ctx, nsmv1beta1.NSMSpec{OpenShift: &nsmv1beta1.OpenShiftSpec{ClientNamespaces: &metav1.LabelSelector{}}})
		Eventually(func() []string { return names(ctx, nsm) }).Should(ContainElement("DaemonSet nsmgr"))
		settle(o)
		for _, asked := range o.requests.all() {
			Expect(asked.path).NotTo(Or(ContainSubstring("security.openshift.io"), HaveSuffix("/rolebindings"), Equal("/api/v1/namespaces")))
		}
	})
})

// podWith is a pod as OpenShift's admission leaves it, with volumes of these host
// paths; with no SCC it is one that came from elsewhere.
func podWith(namespace, scc string, paths ...string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "client"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}},
	}
	if scc != "" {
		pod.Annotations = map[string]string{"openshift.io/scc": scc}
	}
	for i, path := range paths {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: fmt.Sprintf("volume-%d", i), VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}},
		})
	}
	return pod
}

// policies are the admission policies of an NSM, and their bindings.
func policies(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	var (
		policies admissionregistrationv1.ValidatingAdmissionPolicyList
		bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
		names    []string
	)
	Expect(admin.List(ctx, &policies, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	for i := range policies.Items {
		names = append(names, "ValidatingAdmissionPolicy "+policies.Items[i].Name)
	}
	Expect(admin.List(ctx, &bindings, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	for i := range bindings.Items {
		names = append(names, "ValidatingAdmissionPolicyBinding "+bindings.Items[i].Name)
	}
	return names
}

// deleted tells when the operator last deleted something of each resource: its
// place among the requests.
func deleted(o *operator) map[string]int {
	last := map[string]int{}
	for i, asked := range o.requests.all() {
		if parts := strings.Split(asked.path, "/"); asked.verb == http.MethodDelete {
			last[parts[len(parts)-2]] = i
		}
	}
	return last
}

// bindingsOfClients are the RoleBindings of an NSM in namespaces of others.
func bindingsOfClients(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	return slices.DeleteFunc(bindings(ctx, nsm), func(name string) bool { return strings.HasPrefix(name, nsm.Namespace+"/") })
}

// newMeshOfAllSCCs makes an NSM that has an SCC of every class, and waits until
// the loop has nothing to do any more.
func newMeshOfAllSCCs(ctx context.Context, o *operator) *nsmv1beta1.NSM {
	GinkgoHelper()
	nsm := newNSM(ctx, nsmv1beta1.NSMSpec{
		Forwarders: []nsmv1beta1.ForwarderSpec{{Type: nsmv1beta1.ForwarderTypeVPP}, {Type: nsmv1beta1.ForwarderTypeSRIOV}},
		CSIDriver:  &nsmv1beta1.CSIDriverSpec{},
		OpenShift: &nsmv1beta1.OpenShiftSpec{
			ClientNamespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/nsm": "all"}},
		},
	})
	clients := labelledNamespace(ctx, "all")
	Eventually(func() []string { return bindings(ctx, nsm) }).Should(ContainElement(HavePrefix(clients + "/")))
	Eventually(func() []string { return sccs(ctx, nsm) }).Should(HaveLen(6))
	// Pods of what is down are looked at again and again.
	bringAllUp(ctx, nsm)
	settle(o)
	return nsm
}

// putsRight expects that a change of a field of an SCC does not last, and reports whether it
// has tried: a field that is not said does not count, where its not being said is meant.
func putsRight(ctx context.Context, name string, field sccField) bool {
	GinkgoHelper()
	scc := getSCC(ctx, name)
	if field.isLeftOut(scc) {
		return false
	}
	content := func(scc *unstructured.Unstructured) map[string]any {
		content := runtime.DeepCopyJSON(scc.Object)
		delete(content, "metadata")
		return content
	}
	before := content(scc)
	change(ctx, scc, func(scc *unstructured.Unstructured) {
		old, _, err := unstructured.NestedFieldCopy(scc.Object, field.path...)
		Expect(err).NotTo(HaveOccurred())
		Expect(unstructured.SetNestedField(scc.Object, field.otherThan(old), field.path...)).To(Succeed())
	})
	Expect(content(scc)).NotTo(Equal(before), "%s has another %s", name, field)
	Eventually(func() map[string]any { return content(getSCC(ctx, name)) }).Should(Equal(before), "%s of %s is put right", field, name)
	return true
}

// sccField is a field of OpenShift's definition of SCCs.
type sccField struct {
	path   []string
	schema map[string]any
}

// String is the path of the field.
func (f sccField) String() string { return strings.Join(f.path, ".") }

// isNeverSaid reports whether a field is not said on purpose in any SCC; the reasons are
// beside mesh's emptySCC.
func (f sccField) isNeverSaid() bool {
	return slices.Contains([]string{"userNamespaceLevel", "runAsUser.uidRangeMin", "runAsUser.uidRangeMax"}, f.String())
}

// isLeftOut reports whether a field is not said on purpose in an SCC: the uid has a meaning
// with one strategy only.
func (f sccField) isLeftOut(scc *unstructured.Unstructured) bool {
	strategy, _, _ := unstructured.NestedString(scc.Object, "runAsUser", "type")
	return f.String() == "runAsUser.uid" && strategy != "MustRunAs"
}

// otherThan is another value that the schema allows: the widest where there is
// one.
func (f sccField) otherThan(old any) any {
	switch kind := f.schema["type"]; {
	case kind == "boolean":
		return old != true
	case kind == "integer":
		return int64(20)
	case kind == "array":
		items, _ := f.schema["items"].(map[string]any)
		return []any{sccField{schema: items}.otherThan(nil)}
	case kind == "object":
		content := map[string]any{}
		properties, _ := f.schema["properties"].(map[string]any)
		for name := range properties {
			schema, _ := properties[name].(map[string]any)
			content[name] = sccField{schema: schema}.otherThan(nil)
		}
		return content
	case len(f.path) == 0: // in a list
		return "*"
	case old == "RunAsAny":
		return "MustRunAs"
	default:
		return "RunAsAny"
	}
}

// fieldsOf SCCs that are no objects themselves, in their order.
func fieldsOf(crd *unstructured.Unstructured) []sccField {
	var all []sccField
	var add func(path []string, properties map[string]any)
	add = func(path []string, properties map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			path := append(slices.Clone(path), name)
			schema, _ := properties[name].(map[string]any)
			if inner, isObject := schema["properties"].(map[string]any); isObject {
				add(path, inner)
				continue
			}
			all = append(all, sccField{path, schema})
		}
	}
	properties := maps.Clone(schemaOf(crd))
	for _, ofAllKinds := range []string{"apiVersion", "kind", "metadata"} {
		delete(properties, ofAllKinds)
	}
	add(nil, properties)
	return all
}

// schemaOf the fields in the definition of SCCs, to read and to change.
func schemaOf(crd *unstructured.Unstructured) map[string]any {
	GinkgoHelper()
	versions, _, err := unstructured.NestedFieldNoCopy(crd.Object, "spec", "versions")
	Expect(err).NotTo(HaveOccurred())
	Expect(versions).To(HaveLen(1))
	version, _ := versions.([]any)[0].(map[string]any)
	properties, _, err := unstructured.NestedFieldNoCopy(version, "schema", "openAPIV3Schema", "properties")
	Expect(err).NotTo(HaveOccurred())
	Expect(properties).To(HaveKey("volumes"))
	return properties.(map[string]any)
}

// defaultSCCs does to SCCs what OpenShift's API server does before it keeps them:
// it reads and writes them as its own type, which leaves out what is empty.
func defaultSCCs(ctx context.Context) {
	GinkgoHelper()
	mutate(ctx, "default-sccs", admissionregistrationv1.Rule{
		APIGroups: []string{securityv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"securitycontextconstraints"},
	}, asOpenShiftWrites)
	Eventually(func(g Gomega) {
		probe := probeSCC()
		probe.Object["seccompProfiles"] = []any{}
		g.Expect(admin.Create(ctx, probe, client.DryRunAll)).To(Succeed())
		g.Expect(probe.Object).NotTo(HaveKey("seccompProfiles"), "the API server calls the webhook")
	}).Should(Succeed())
}

// asOpenShiftWrites is the JSON patch that makes of an SCC what OpenShift's type
// writes.
func asOpenShiftWrites(raw []byte) ([]byte, error) {
	var before, after map[string]any
	var scc securityv1.SecurityContextConstraints
	if err := errors.Join(json.Unmarshal(raw, &before), json.Unmarshal(raw, &scc)); err != nil {
		return nil, err
	}
	after, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&scc)
	if err != nil {
		return nil, err
	}
	patch := []map[string]any{}
	for field := range before {
		if value, isKept := after[field]; !isKept {
			patch = append(patch, map[string]any{"op": "remove", "path": "/" + field})
		} else if field != "metadata" {
			patch = append(patch, map[string]any{"op": "replace", "path": "/" + field, "value": value})
		}
	}
	return json.Marshal(patch)
}

// probeSCC is one that the API server takes, and that allows nothing.
func probeSCC() *unstructured.Unstructured {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&securityv1.SecurityContextConstraints{})
	Expect(err).NotTo(HaveOccurred())
	scc := &unstructured.Unstructured{Object: content}
	scc.SetGroupVersionKind(mesh.SecurityContextConstraintsKind)
	scc.SetName("probe")
	return scc
}

// sccManifest is OpenShift's definition of SCCs, read once: the go command takes its time.
var sccManifest = sync.OnceValues(func() ([]byte, error) {
	directory, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api").Output()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(strings.TrimSpace(string(directory)),
		"security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml"))
})

// serveSCCs until the end of the spec, and return their definition.
func serveSCCs(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	manifest, err := sccManifest()
	Expect(err).NotTo(HaveOccurred())
	crd := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(manifest, crd)).To(Succeed())
	Expect(admin.Create(ctx, crd)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)) }).Should(BeTrue())
	})
	Eventually(func() error { return admin.List(ctx, newSCCList()) }).Should(Succeed())
	return crd
}

func getSCC(ctx context.Context, name string) *unstructured.Unstructured {
	GinkgoHelper()
	scc := newSCC()
	Expect(admin.Get(ctx, client.ObjectKey{Name: name}, scc)).To(Succeed())
	return scc
}

func newSCC() *unstructured.Unstructured {
	scc := &unstructured.Unstructured{}
	scc.SetGroupVersionKind(mesh.SecurityContextConstraintsKind)
	return scc
}

func newSCCList() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(mesh.SecurityContextConstraintsKind.GroupVersion().WithKind("SecurityContextConstraintsList"))
	return list
}

func sccName(nsm *nsmv1beta1.NSM, class string) string { return "nsm-" + nsm.Namespace + "-" + class }

// sccs are the names of the SCCs of an NSM.
func sccs(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	list := newSCCList()
	Expect(admin.List(ctx, list, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names
}

// bindings are the RoleBindings of an NSM to SCCs, in all namespaces.
func bindings(ctx context.Context, nsm *nsmv1beta1.NSM) []string {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(admin.List(ctx, &list, client.MatchingLabels(mesh.OwnerLabels(nsm)))).To(Succeed())
	var names []string
	for i := range list.Items {
		// The registry has one on any cluster, for what it writes.
		if list.Items[i].Name != "nsm-registry" {
			names = append(names, list.Items[i].Namespace+"/"+list.Items[i].Name)
		}
	}
	return names
}

func labelledNamespace(ctx context.Context, value string) string {
	GinkgoHelper()
	name := newNamespace(ctx)
	label(ctx, name, value)
	return name
}

func label(ctx context.Context, name, value string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(admin.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"example.com/nsm":"`+value+`"}}}`)))).To(Succeed())
}
