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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const restricted = "restricted-v2"

// meshCase is a mesh of one kind.
type meshCase struct {
	name string
	spec map[string]any
}

// releases are those from which on the pods have another shape, with
// exclude-prefixes, the node's processes, the CSI driver and the operator's
// certificate (internal/release/facts.go), the last one before the CSI driver,
// and the newest one.
var releases = []string{"v1.0.0", "v1.1.0", "v1.3.0", "v1.9.0", "v1.10.0", "v1.12.0", "v1.18.0"}

// meshes are all corners: releases, mounts of SPIRE's socket, registries,
// forwarders alone and together, where their configuration comes from, and what
// a mesh can have or not.
func meshes() []meshCase {
	forwarders := map[string][]string{
		"vpp": {"vpp"}, "ovs": {"ovs"}, "sriov": {"sriov"}, "all": {"vpp", "ovs", "sriov"},
	}
	var all []meshCase
	add := func(version, mount, registry, forwarder, files string, parts ...string) {
		spec := map[string]any{
			"version": version, "spire": map[string]any{"mount": mount}, "registry": map[string]any{"type": registry},
			"forwarders": forwardersOf(forwarders[forwarder], files),
			"openshift":  map[string]any{"clientNamespaces": map[string]any{"matchLabels": map[string]any{"nsm": "true"}}},
		}
		for _, part := range parts {
			spec[part] = map[string]any{}
		}
		if slices.Contains(parts, hostWebhook) {
			spec[hostWebhook] = map[string]any{"hostNetwork": true}
		}
		if slices.Contains(parts, interdomain) {
			spec[interdomain] = map[string]any{"clusterName": "one"}
		}
		if slices.Contains(parts, kubeletDirectory) {
			spec[kubeletDirectory] = "/var/lib/k0s/kubelet"
		}
		if slices.Contains(parts, withoutManagers) {
			spec[withoutManagers] = map[string]any{"enabled": false}
			delete(spec, "forwarders")
		}
		name := strings.Join([]string{version, mount, registry, forwarder, files, strings.Join(parts, "+")}, "/")
		all = append(all, meshCase{name, spec})
	}
	for _, version := range releases {
		for _, mount := range []string{"HostPath", "CSI"} {
			for _, forwarder := range []string{"vpp", "ovs", "sriov", "all"} {
				// The registry says nothing new of the forwarders' files.
				add(version, mount, "memory", forwarder, "none", csiDriver, interdomain)
				for _, files := range []string{"none", "configMap", "hostPath"} {
					add(version, mount, "k8s", forwarder, files, csiDriver, interdomain)
				}
			}
			add(version, mount, "k8s", "vpp", "none")
			add(version, mount, "memory", "vpp", "none")
			add(version, mount, "k8s", "vpp", "none", csiDriver)
			add(version, mount, "k8s", "vpp", "none", interdomain)
			// Releases that do not have them leave them out.
			add(version, mount, "k8s", "vpp", "none", vl3, dashboard)
			add(version, mount, "k8s", "vpp", "none", hostWebhook)
			add(version, mount, "k8s", "vpp", "none", csiDriver, kubeletDirectory)
			add(version, mount, "k8s", "vpp", "none", withoutManagers, interdomain)
		}
	}
	return all
}

// The parts that a mesh can have or not, as its spec calls them.
const (
	csiDriver   = "csiDriver"
	interdomain = "interdomain"
	vl3         = "vl3"
	dashboard   = "dashboard"
	// hostWebhook is on the network of its nodes.
	hostWebhook = "admissionWebhook"
	// kubeletDirectory is another than the usual one.
	kubeletDirectory = "kubeletDirectory"
	// withoutManagers leaves the registry alone.
	withoutManagers = "nsmgr"
)

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
	case pod.Name == "admission-webhook-k8s" && pod.Spec.HostNetwork:
		return name("admission-webhook")
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

// pinned is a pod that asks for an SCC by name.
func pinned(pod *corev1.Pod, scc string) *corev1.Pod {
	pod = pod.DeepCopy()
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, securityv1.RequiredSCCAnnotation, scc)
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

// What pulls the images of a workload runs under the SCC that everybody may use, though
// its ServiceAccount may use that of the workload as well.
func TestPodsThatPullImagesNeedNoSCC(t *testing.T) {
	count := 0
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, pod := range mesh.pulls {
			for _, asked := range []*corev1.Pod{pod, unpinned(pod)} {
				if _, scc, err := mesh.admit(t, asked); err != nil || scc != restricted {
					t.Errorf("%s is admitted under %q, want %q: %v", pod.Name, scc, restricted, err)
				}
			}
			count++
		}
		if len(mesh.pulls) != len(mesh.pods) {
			t.Errorf("images are pulled for %d workloads of %d", len(mesh.pulls), len(mesh.pods))
		}
	})
	t.Logf("admitted: %d", count)
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

// The right to use an SCC is that of the same ServiceAccounts, and the clients'
// that of all ServiceAccounts of a selected namespace, there.
func TestRightsToUseSCCs(t *testing.T) {
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		meant := map[string]bool{}
		accounts := map[string]bool{"default": true}
		for _, pod := range mesh.pods {
			meant[pod.Spec.ServiceAccountName+" "+meantFor(pod)] = true
			accounts[pod.Spec.ServiceAccountName] = true
		}
		for _, scc := range mesh.ours() {
			for account := range accounts {
				mesh.checkRights(t, scc.Name, account, meant[account+" "+scc.Name])
			}
		}
	})
}

// checkRights of the ServiceAccounts of all namespaces that have one name, to use
// an SCC in any of them and in none.
func (m rendered) checkRights(t *testing.T, scc, account string, isMeant bool) {
	t.Helper()
	for _, home := range []string{meshNamespace, selectedNamespace, otherNamespace} {
		for _, namespace := range []string{meshNamespace, selectedNamespace, otherNamespace, ""} {
			want := home == namespace && (home == meshNamespace && isMeant || home == selectedNamespace && scc == clientSCC)
			if got := m.mayUse(t, serviceAccount(home, account), scc, namespace); got != want {
				t.Errorf("%s of %s may use %s in the namespace %q: %t", account, home, scc, namespace, got)
			}
		}
	}
}

// Where every SCC of OpenShift could be used as well, OpenShift itself finds the
// pod's own the narrowest of those that fit. Each of OpenShift's is also tried
// alone: those that would do have at least the permissions of ours.
func TestNoStockSCCIsNarrower(t *testing.T) {
	counts := map[string]int{}
	var stock []*securityv1.SecurityContextConstraints
	for _, scc := range stockCluster(t).sccs {
		scc = scc.DeepCopy()
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
				if _, _, err := mesh.allowing(scc.Name).admit(t, pinned(pod, scc.Name)); err != nil {
					continue
				}
				counts[class(ours)+" by "+scc.Name]++
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
