// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package scc_test has OpenShift's own admission code judge the pods that the
// operator makes, under the SCCs and roles that it makes.
package scc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	securityv1 "github.com/openshift/api/security/v1"
	"github.com/openshift/apiserver-library-go/pkg/securitycontextconstraints/sccdefaults"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

const restricted = "restricted-v2"

// meshCase is a mesh of one kind.
type meshCase struct {
	name string
	spec map[string]any
}

// meshes are all corners: releases, mounts of SPIRE's socket, registries,
// forwarders alone and together, and where their configuration comes from. Each
// has everything else that a mesh can have.
func meshes() []meshCase {
	forwarders := map[string][]string{
		"vpp": {"vpp"}, "ovs": {"ovs"}, "sriov": {"sriov"}, "all": {"vpp", "ovs", "sriov"},
	}
	var all []meshCase
	for _, version := range []string{"v1.0.0", "v1.9.0", "v1.12.0", "v1.18.0"} {
		for _, mount := range []string{"HostPath", "CSI"} {
			for _, registry := range []string{"k8s", "memory"} {
				for _, forwarder := range []string{"vpp", "ovs", "sriov", "all"} {
					for _, files := range []string{"none", "configMap", "hostPath"} {
						if files == "hostPath" && registry == "memory" {
							continue // says nothing new
						}
						all = append(all, meshCase{
							name: strings.Join([]string{version, mount, registry, forwarder, files}, "/"),
							spec: map[string]any{
								"version": version, "spire": map[string]any{"mount": mount}, "registry": map[string]any{"type": registry},
								"forwarders": forwardersOf(forwarders[forwarder], files),
								"csiDriver":  map[string]any{}, "interdomain": map[string]any{"clusterName": "one"},
								"openshift": map[string]any{"clientNamespaces": map[string]any{"matchLabels": map[string]any{"nsm": "true"}}},
							},
						})
					}
				}
			}
		}
	}
	return all
}

func forwardersOf(types []string, files string) []any {
	var all []any
	for _, forwarder := range types {
		spec := map[string]any{"name": "forwarder-" + forwarder, "type": forwarder}
		switch files {
		case "configMap":
			spec["sriovConfig"] = map[string]any{"configMap": map[string]any{"name": "sriov", "key": "sriov.yaml"}}
		case "hostPath":
			spec["sriovConfig"] = map[string]any{"hostPath": "/etc/nsm/sriov.yaml"}
		}
		all = append(all, spec)
	}
	return all
}

// meshesRendered so far, by name: each test looks at the same ones.
var meshesRendered = map[string]rendered{}

func (tc meshCase) render(t *testing.T) rendered {
	t.Helper()
	mesh, known := meshesRendered[tc.name]
	if !known {
		mesh = render(t, tc.spec)
		meshesRendered[tc.name] = mesh
	}
	return mesh
}

// forEachMesh renders all meshes and runs check on each.
func forEachMesh(t *testing.T, check func(t *testing.T, mesh rendered)) {
	t.Helper()
	for _, tc := range meshes() {
		t.Run(tc.name, func(t *testing.T) { check(t, tc.render(t)) })
	}
}

// meantFor is the SCC that a component's pod should run under.
func meantFor(pod *corev1.Pod) string {
	usesHost := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
	name := func(class string) string { return "nsm-" + meshNamespace + "-" + class }
	switch {
	case pod.Name == "forwarder-sriov":
		return name("forwarder-sriov")
	case strings.HasPrefix(pod.Name, "forwarder-"):
		return name("forwarder")
	case pod.Name == "nsmgr":
		return name("nsmgr")
	case pod.Name == "nsm-csi":
		return name("csi-driver")
	case usesHost:
		return name("spire-socket")
	default:
		return restricted
	}
}

// unpinned is a pod that leaves the choice to OpenShift.
func unpinned(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	delete(pod.Annotations, securityv1.RequiredSCCAnnotation)
	return pod
}

// Every pod runs under the SCC meant for it, and asks for it by name.
func TestPodsAreAdmitted(t *testing.T) {
	counts := map[string]int{}
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, pod := range mesh.pods {
			if got := pod.Annotations[securityv1.RequiredSCCAnnotation]; got != meantFor(pod) {
				t.Errorf("%s asks for the SCC %q, want %q", pod.Name, got, meantFor(pod))
			}
			for _, asked := range []*corev1.Pod{pod, unpinned(pod)} {
				if _, scc, err := mesh.admit(t, asked); err != nil || scc != meantFor(pod) {
					t.Errorf("%s is admitted under %q, want %q: %v", pod.Name, scc, meantFor(pod), err)
				}
			}
			counts[meantFor(pod)]++
		}
	})
	t.Logf("admitted, by SCC: %v", counts)
}

// Without its SCC no pod runs, whatever else its ServiceAccount may use.
func TestPodsAreRefusedWithoutTheirSCC(t *testing.T) {
	count := 0
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, pod := range mesh.pods {
			for _, asked := range []*corev1.Pod{pod, unpinned(pod)} {
				if _, scc, err := mesh.without(meantFor(pod)).admit(t, asked); err == nil {
					t.Errorf("%s is admitted under %s", pod.Name, scc)
				}
				count++
			}
		}
	})
	t.Logf("refused: %d", count)
}

// No ServiceAccount but the component's own may use its SCC, and that one only
// in the mesh's namespace.
func TestSCCsAreForTheirPodsAlone(t *testing.T) {
	count := 0
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, pod := range mesh.pods {
			if meantFor(pod) == restricted {
				continue
			}
			for _, other := range []*corev1.Pod{in(meshNamespace, pod), in(otherNamespace, pod), in(selectedNamespace, pod)} {
				if _, scc, err := mesh.admit(t, other); err == nil {
					t.Errorf("%s is admitted in %s with the default ServiceAccount, under %s", pod.Name, other.Namespace, scc)
				}
				count++
			}
		}
	})
	t.Logf("refused to others: %d", count)
}

// Where every SCC of OpenShift could be used as well, OpenShift itself finds the
// pod's own the narrowest of those that fit. Each of OpenShift's is also tried
// alone: those that would do have at least the permissions of ours.
func TestNoStockSCCIsNarrower(t *testing.T) {
	counts := map[string]int{}
	var stock []*securityv1.SecurityContextConstraints
	for _, scc := range stockCluster(t).sccs {
		scc.Priority = nil // which would come before the comparison
		stock = append(stock, scc)
	}
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, pod := range mesh.pods {
			if _, scc, err := mesh.with(stock...).allowing(names(stock)...).admit(t, unpinned(pod)); err != nil || scc != meantFor(pod) {
				t.Errorf("%s: of all SCCs the narrowest that fits is %q, not %q: %v", pod.Name, scc, meantFor(pod), err)
			}
			if meantFor(pod) == restricted {
				continue
			}
			ours := mesh.scc(t, meantFor(pod))
			for _, scc := range stock {
				if _, _, err := mesh.without(ours.Name).allowing(scc.Name).admit(t, unpinned(pod)); err != nil {
					continue
				}
				counts[strings.TrimPrefix(ours.Name, "nsm-"+meshNamespace+"-")+" by "+scc.Name]++
				if lacks := lacking(scc, ours); len(lacks) > 0 {
					t.Errorf("%s: %s would do, and lacks what %s allows: %v", pod.Name, scc.Name, ours.Name, lacks)
				}
			}
		}
	})
	t.Logf("pods that a wider SCC of OpenShift's would admit: %v", counts)
}

// lacking are the permissions of one SCC that another does not have.
func lacking(other, ours *securityv1.SecurityContextConstraints) []string {
	has := map[string]bool{}
	for _, p := range permissions(other) {
		has[p.name] = true
	}
	var lacks []string
	for _, p := range permissions(ours) {
		group, _, isOfGroup := strings.Cut(p.name, " ")
		if !has[p.name] && !(isOfGroup && has[group+" *"]) {
			lacks = append(lacks, p.name)
		}
	}
	return lacks
}

func names(sccs []*securityv1.SecurityContextConstraints) []string {
	var all []string
	for _, scc := range sccs {
		all = append(all, scc.Name)
	}
	return all
}

// Every permission of an SCC is one that some pod of the same mesh cannot do
// without.
func TestEveryPermissionIsNeeded(t *testing.T) {
	needed := map[string]int{}
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		pods := mesh.allPods(t)
		for _, scc := range mesh.ours() {
			for _, p := range permissions(scc) {
				if mesh.whoNeeds(t, p, pods) == "" {
					t.Errorf("%s: no pod needs %s", scc.Name, p.name)
				}
				needed[strings.TrimPrefix(scc.Name, "nsm-"+meshNamespace+"-")+": "+p.name]++
			}
		}
	})
	for _, name := range sortedKeys(needed) {
		t.Logf("needed in %d meshes by %s", needed[name], name)
	}
}

// ours are the SCCs that the operator makes.
func (m rendered) ours() []*securityv1.SecurityContextConstraints {
	return slices.DeleteFunc(slices.Clone(m.sccs), func(scc *securityv1.SecurityContextConstraints) bool { return scc.Labels == nil })
}

// whoNeeds names one of the pods that cannot do without a permission.
func (m rendered) whoNeeds(t *testing.T, p permission, pods []*corev1.Pod) string {
	t.Helper()
	cluster := m.with(p.without)
	for _, pod := range pods {
		if _, _, err := cluster.admit(t, pod); err != nil {
			return pod.Name
		}
	}
	return ""
}

// allPods are those of the mesh and those of its clients, all of which run.
func (m rendered) allPods(t *testing.T) []*corev1.Pod {
	t.Helper()
	pods := slices.Clone(m.pods)
	if !m.clientsUseCSI(t) {
		pods = append(pods, in(selectedNamespace, client(t, "host-path")), in(selectedNamespace, client(t, "wide")))
	}
	for _, pod := range pods {
		if _, _, err := m.admit(t, pod); err != nil {
			t.Fatalf("%s does not run with all permissions either: %v", pod.Name, err)
		}
	}
	return pods
}

// The test above would find a permission that nobody needs.
func TestIdlePermissionIsFound(t *testing.T) {
	mesh := render(t, map[string]any{"version": "v1.18.0"})
	give := map[string]func(*securityv1.SecurityContextConstraints){
		"hostIPC":          func(s *securityv1.SecurityContextConstraints) { s.AllowHostIPC = true },
		"hostPID":          func(s *securityv1.SecurityContextConstraints) { s.AllowHostPID = true },
		"volume nfs":       func(s *securityv1.SecurityContextConstraints) { s.Volumes = append(s.Volumes, securityv1.FSTypeNFS) },
		"capability CHOWN": func(s *securityv1.SecurityContextConstraints) { s.AllowedCapabilities = []corev1.Capability{"CHOWN"} },
	}
	for name, give := range give {
		wide := mesh.scc(t, "nsm-"+meshNamespace+"-nsmgr").DeepCopy()
		give(wide)
		i := slices.IndexFunc(permissions(wide), func(p permission) bool { return p.name == name })
		if i < 0 {
			t.Errorf("%s is not seen at all", name)
			continue
		}
		if pod := mesh.whoNeeds(t, permissions(wide)[i], mesh.pods); pod != "" {
			t.Errorf("%s is taken for needed by %s", name, pod)
		}
	}
}

// A client with host paths runs in a selected namespace and in no other; with
// CSI it runs anywhere, as restricted-v2.
func TestClients(t *testing.T) {
	clientSCC := "nsm-" + meshNamespace + "-client"
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		hasSCC := slices.Contains(names(mesh.sccs), clientSCC)
		for _, name := range []string{"host-path", "wide"} {
			pod := client(t, name)
			_, scc, err := mesh.admit(t, in(selectedNamespace, pod))
			if hasSCC && (err != nil || scc != clientSCC) {
				t.Errorf("%s is admitted under %q, want %q: %v", name, scc, clientSCC, err)
			}
			if !hasSCC && err == nil {
				t.Errorf("%s is admitted under %s, although clients use CSI", name, scc)
			}
			for _, namespace := range []string{otherNamespace, meshNamespace} {
				if _, scc, err := mesh.admit(t, in(namespace, pod)); err == nil {
					t.Errorf("%s is admitted in %s under %s", name, namespace, scc)
				}
			}
		}
		for _, namespace := range []string{selectedNamespace, otherNamespace} {
			if _, scc, err := mesh.admit(t, in(namespace, client(t, "csi"))); err != nil || scc != restricted {
				t.Errorf("a client with CSI in %s is admitted under %q, want %q: %v", namespace, scc, restricted, err)
			}
		}
		if hasSCC == (mesh.clientsUseCSI(t)) {
			t.Errorf("a client SCC is there: %t", hasSCC)
		}
	})
}

// clientsUseCSI tells whether the mesh offers both of its sockets by CSI.
func (m rendered) clientsUseCSI(t *testing.T) bool {
	t.Helper()
	hasDriver, spireByCSI := false, false
	for _, pod := range m.pods {
		hasDriver = hasDriver || pod.Name == "nsm-csi"
		spireByCSI = spireByCSI || pod.Name == "nsmgr" && slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.CSI != nil })
	}
	return hasDriver && spireByCSI
}

// OpenShift fills in defaults and sorts; what it would make of an SCC is what the
// operator writes, so that the two never argue.
func TestSCCsAreAsOpenShiftKeepsThem(t *testing.T) {
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, scc := range mesh.ours() {
			kept := scc.DeepCopy()
			sccdefaults.SetDefaults_SCC(kept)
			if !equality.Semantic.DeepEqual(scc, kept) {
				t.Errorf("%s: OpenShift would make of\n%s\nthis:\n%s", scc.Name, fmt.Sprint(scc), fmt.Sprint(kept))
			}
			if scc.Priority != nil || len(scc.Users) > 0 || len(scc.Groups) > 0 {
				t.Errorf("%s has the priority %v, users %v and groups %v, want none", scc.Name, scc.Priority, scc.Users, scc.Groups)
			}
		}
	})
}

// Other pods of a selected namespace stay as confined as they were.
func TestOtherPodsStayRestricted(t *testing.T) {
	mesh := render(t, meshes()[0].spec)
	pod := in(selectedNamespace, client(t, "csi"))
	pod.Spec.Volumes = nil
	for i := range pod.Spec.Containers {
		pod.Spec.Containers[i].VolumeMounts = nil
	}
	pod.Spec.InitContainers = nil
	admitted, scc, err := mesh.admit(t, pod)
	if err != nil || scc != restricted {
		t.Fatalf("admitted under %q, want %q: %v", scc, restricted, err)
	}
	if options := admitted.Spec.SecurityContext.SELinuxOptions; options.Type != "" {
		t.Errorf("runs in the SELinux domain %s", options.Type)
	}
}

// By the SCC's name on a pod the policy on clients knows whom to look at: nobody
// keeps a name of his own choice there.
func TestNobodyChoosesTheNameOfHisSCC(t *testing.T) {
	mesh := render(t, meshes()[0].spec)
	for _, forged := range []string{"", restricted, "privileged", "nobody's"} {
		pod := in(selectedNamespace, client(t, "host-path"))
		pod.Annotations = map[string]string{securityv1.ValidatedSCCAnnotation: forged}
		if _, scc, err := mesh.admit(t, pod); err != nil || scc != "nsm-"+meshNamespace+"-client" {
			t.Errorf("a client that says %q is admitted as under %q: %v", forged, scc, err)
		}
	}
}

func sortedKeys(counts map[string]int) []string {
	var keys []string
	for key := range counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
