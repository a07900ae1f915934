// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"slices"
	"strings"
	"testing"

	securityv1 "github.com/openshift/api/security/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
)

// permission is one thing that an SCC allows.
type permission struct {
	name string
	// without is the SCC that does not allow it, or not as much of it.
	without *securityv1.SecurityContextConstraints
}

type constraints = securityv1.SecurityContextConstraints

// permissions lists all that an SCC allows beyond the least that there is: a pod
// on its own, without volumes, as a user of the namespace's range, with nothing
// to gain. What is open to anything also appears as less than that.
func permissions(scc *constraints) []permission {
	p := &permissionList{scc: scc}
	p.addHost()
	p.addPrivileges()
	p.addIdentities()
	p.addLists()
	return p.all
}

type permissionList struct {
	scc *constraints
	all []permission
}

// add a permission, if the SCC has it, and how it is taken.
func (p *permissionList) add(has bool, name string, take func(*constraints)) {
	if !has {
		return
	}
	without := p.scc.DeepCopy()
	take(without)
	p.all = append(p.all, permission{name, without})
}

func (p *permissionList) addHost() {
	p.add(p.scc.AllowHostNetwork, "hostNetwork", func(s *constraints) { s.AllowHostNetwork = false })
	p.add(p.scc.AllowHostPID, "hostPID", func(s *constraints) { s.AllowHostPID = false })
	p.add(p.scc.AllowHostIPC, "hostIPC", func(s *constraints) { s.AllowHostIPC = false })
	p.add(p.scc.AllowHostPorts, "hostPorts", func(s *constraints) { s.AllowHostPorts = false })
	p.add(p.scc.UserNamespaceLevel != securityv1.NamespaceLevelRequirePod, "the node's users", func(s *constraints) {
		s.UserNamespaceLevel = securityv1.NamespaceLevelRequirePod
	})
}

func (p *permissionList) addPrivileges() {
	p.add(p.scc.AllowPrivilegedContainer, "privileged", func(s *constraints) { s.AllowPrivilegedContainer = false })
	p.add(p.scc.AllowPrivilegeEscalation == nil || *p.scc.AllowPrivilegeEscalation, "privilegeEscalation", func(s *constraints) {
		s.AllowPrivilegeEscalation = new(bool)
	})
	p.add(p.scc.DefaultAllowPrivilegeEscalation != nil && *p.scc.DefaultAllowPrivilegeEscalation, "privilegeEscalation by default",
		func(s *constraints) { s.DefaultAllowPrivilegeEscalation = new(bool) })
	p.add(!p.scc.ReadOnlyRootFilesystem, "a writable root", func(s *constraints) { s.ReadOnlyRootFilesystem = true })
	p.add(!slices.Contains(p.scc.RequiredDropCapabilities, "ALL"), "the default capabilities", func(s *constraints) {
		s.RequiredDropCapabilities = []corev1.Capability{"ALL"}
	})
}

// addIdentities adds users, groups and SELinux domains.
func (p *permissionList) addIdentities() {
	users, domain := p.scc.RunAsUser, p.scc.SELinuxContext
	asUser := func(to securityv1.RunAsUserStrategyOptions) func(*constraints) {
		return func(s *constraints) { s.RunAsUser = to }
	}
	inDomain := func(options *corev1.SELinuxOptions) func(*constraints) {
		return func(s *constraints) {
			s.SELinuxContext = securityv1.SELinuxContextStrategyOptions{Type: securityv1.SELinuxStrategyMustRunAs, SELinuxOptions: options}
		}
	}
	p.add(users.Type != securityv1.RunAsUserStrategyMustRunAsRange || users.UIDRangeMin != nil || users.UIDRangeMax != nil, "its user",
		asUser(securityv1.RunAsUserStrategyOptions{Type: securityv1.RunAsUserStrategyMustRunAsRange}))
	anyUser := users.Type == securityv1.RunAsUserStrategyRunAsAny
	p.add(anyUser, "its user, not just root", asUser(securityv1.RunAsUserStrategyOptions{Type: securityv1.RunAsUserStrategyMustRunAs, UID: new(int64)}))
	p.add(anyUser, "its user, root among others", asUser(securityv1.RunAsUserStrategyOptions{Type: securityv1.RunAsUserStrategyMustRunAsNonRoot}))

	p.add(domain.Type != securityv1.SELinuxStrategyMustRunAs || !equality.Semantic.DeepEqual(domain.SELinuxOptions, &corev1.SELinuxOptions{}) && domain.SELinuxOptions != nil, "its SELinux domain", inDomain(nil))
	anyDomain := domain.Type == securityv1.SELinuxStrategyRunAsAny
	p.add(anyDomain, "its SELinux domain, not just spc_t", inDomain(&corev1.SELinuxOptions{Type: "spc_t"}))
	p.add(anyDomain, "its SELinux domain, not just spc_t:s0", inDomain(&corev1.SELinuxOptions{Type: "spc_t", Level: "s0"}))

	p.add(p.scc.FSGroup.Type != securityv1.FSGroupStrategyMustRunAs || len(p.scc.FSGroup.Ranges) > 0, "any fsGroup", func(s *constraints) {
		s.FSGroup = securityv1.FSGroupStrategyOptions{Type: securityv1.FSGroupStrategyMustRunAs}
	})
	p.add(p.scc.SupplementalGroups.Type != securityv1.SupplementalGroupsStrategyMustRunAs || len(p.scc.SupplementalGroups.Ranges) > 0,
		"any supplementalGroups", func(s *constraints) {
			s.SupplementalGroups = securityv1.SupplementalGroupsStrategyOptions{Type: securityv1.SupplementalGroupsStrategyMustRunAs}
		})
}

// usualVolumes are those of restricted-v2, and host paths.
var usualVolumes = []securityv1.FSType{
	securityv1.FSTypeConfigMap, securityv1.FSTypeCSI, securityv1.FSTypeDownwardAPI, securityv1.FSTypeEmptyDir, securityv1.FSTypeEphemeral,
	securityv1.FSTypeHostPath, securityv1.FSTypePersistentVolumeClaim, securityv1.FSProjected, securityv1.FSTypeSecret,
}

// addLists adds the elements of lists; without a "*" there are still those that
// pods usually have.
func (p *permissionList) addLists() {
	addElements(p, "capability", func(s *constraints) *[]corev1.Capability { return &s.AllowedCapabilities }, "NET_BIND_SERVICE")
	addElements(p, "default capability", func(s *constraints) *[]corev1.Capability { return &s.DefaultAddCapabilities })
	addElements(p, "seccomp", func(s *constraints) *[]string { return &s.SeccompProfiles }, "runtime/default")
	addElements(p, "sysctl", func(s *constraints) *[]string { return &s.AllowedUnsafeSysctls })
	addElements(p, "volume", func(s *constraints) *[]securityv1.FSType { return &s.Volumes }, usualVolumes...)
	for i := range p.all {
		s := p.all[i].without
		s.AllowHostDirVolumePlugin = slices.Contains(s.Volumes, securityv1.FSTypeHostPath) || slices.Contains(s.Volumes, securityv1.FSTypeAll)
	}
}

func addElements[T ~string](p *permissionList, kind string, list func(*constraints) *[]T, usual ...T) {
	for _, element := range *list(p.scc) {
		others := slices.DeleteFunc(slices.Clone(*list(p.scc)), func(other T) bool { return other == element })
		p.add(true, kind+" "+string(element), func(s *constraints) { *list(s) = others })
		p.add(element == "*" && len(usual) > 0, kind+" *, not just the usual", func(s *constraints) { *list(s) = slices.Concat(others, usual) })
	}
}

// meantToBeOpen are the only RunAsAny in our SCCs, and why it is needed.
var meantToBeOpen = map[string]string{
	"client: supplementalGroups.type": "restricted-v2 has it, and a pod is judged by one SCC as a whole: groups of shared storages are of no range",
}

// openings are the fields of an SCC that are open to anything.
func openings(t *testing.T, scc *constraints) []string {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(scc)
	if err != nil {
		t.Fatal(err)
	}
	delete(content, "metadata")
	var all []string
	var look func(path string, value any)
	look = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, field := range value {
				look(strings.TrimPrefix(path+"."+name, "."), field)
			}
		case []any:
			for _, element := range value {
				look(path, element)
			}
		case string:
			if value == "RunAsAny" || strings.Contains(value, "*") {
				all = append(all, path)
			}
		}
	}
	look("", content)
	return all
}

// class of one of our SCCs.
func class(scc *constraints) string {
	return strings.TrimPrefix(scc.Name, "nsm-"+meshNamespace+"-")
}

// A permission to do anything is needed by whoever does something: taking it
// away proves nothing.
func TestNothingIsOpen(t *testing.T) {
	seen := map[string]bool{}
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		for _, scc := range mesh.ours() {
			for _, field := range openings(t, scc) {
				name := class(scc) + ": " + field
				seen[name] = true
				if meantToBeOpen[name] == "" {
					t.Errorf("%s is open to anything", name)
				}
			}
		}
	})
	for name := range meantToBeOpen {
		if !seen[name] {
			t.Errorf("%s is not open to anything", name)
		}
	}
}

// Every permission of an SCC is one that some pod of the same mesh, or a client
// that asks for all that it may, cannot do without.
func TestEveryPermissionIsNeeded(t *testing.T) {
	needed := map[string]int{}
	forEachMesh(t, func(t *testing.T, mesh rendered) {
		pods := mesh.podsBySCC(t)
		for _, scc := range mesh.ours() {
			for _, p := range permissions(scc) {
				if mesh.whoNeeds(t, p, pods[scc.Name]) == "" {
					t.Errorf("%s: no pod needs %s", scc.Name, p.name)
				}
				needed[class(scc)+": "+p.name]++
			}
		}
	})
	for _, name := range sortedKeys(needed) {
		t.Logf("needed in %d meshes by %s", needed[name], name)
	}
}

// ours are the SCCs that the operator makes.
func (m rendered) ours() []*constraints {
	return slices.DeleteFunc(slices.Clone(m.sccs), func(scc *constraints) bool { return scc.Labels == nil })
}

// podsBySCC are the pods of the mesh and of its clients, by the SCC that they run
// under.
func (m rendered) podsBySCC(t *testing.T) map[string][]*corev1.Pod {
	t.Helper()
	pods := slices.Clone(m.pods)
	if !m.clientsUseCSI(t) {
		pods = append(pods, in(selectedNamespace, client(t, "host-path")), in(selectedNamespace, client(t, "wide")))
	}
	all := map[string][]*corev1.Pod{}
	for _, pod := range pods {
		_, scc, err := m.admit(t, pod)
		if err != nil {
			t.Fatalf("%s does not run with all permissions either: %v", pod.Name, err)
		}
		all[scc] = append(all[scc], pod)
	}
	return all
}

// whoNeeds names one of an SCC's pods that does not run under it without a
// permission.
func (m rendered) whoNeeds(t *testing.T, p permission, pods []*corev1.Pod) string {
	t.Helper()
	cluster := m.with(p.without)
	for _, pod := range pods {
		if _, scc, err := cluster.admit(t, pod); err != nil || scc != p.without.Name {
			return pod.Name
		}
	}
	return ""
}

// The tests above would find what nobody needs, and what is open to anything.
func TestIdlePermissionsAreFound(t *testing.T) {
	mesh := render(t, map[string]any{
		"version": "v1.18.0", "csiDriver": map[string]any{}, "openshift": map[string]any{"clientNamespaces": map[string]any{}},
	})
	pods := mesh.podsBySCC(t)
	for _, tc := range []struct {
		class, permission string
		isOpen            bool
		give              func(*constraints)
	}{
		{"nsmgr", "hostIPC", false, func(s *constraints) { s.AllowHostIPC = true }},
		{"nsmgr", "hostPID", false, func(s *constraints) { s.AllowHostPID = true }},
		{"nsmgr", "volume nfs", false, func(s *constraints) { s.Volumes = append(s.Volumes, securityv1.FSTypeNFS) }},
		{"nsmgr", "capability CHOWN", false, func(s *constraints) { s.AllowedCapabilities = []corev1.Capability{"CHOWN"} }},
		{"nsmgr", "its user, not just root", true, func(s *constraints) { s.RunAsUser.Type = securityv1.RunAsUserStrategyRunAsAny }},
		{"csi-driver", "its user, not just root", true, func(s *constraints) { s.RunAsUser.Type = securityv1.RunAsUserStrategyRunAsAny }},
		{"csi-driver", "its SELinux domain, not just spc_t:s0", true, func(s *constraints) {
			s.SELinuxContext = securityv1.SELinuxContextStrategyOptions{Type: securityv1.SELinuxStrategyRunAsAny}
		}},
		{"csi-driver", "volume *, not just the usual", true, func(s *constraints) { s.Volumes = []securityv1.FSType{"*"} }},
		{"spire-socket", "any fsGroup", true, func(s *constraints) { s.FSGroup.Type = securityv1.FSGroupStrategyRunAsAny }},
		{"forwarder", "sysctl *", true, func(s *constraints) { s.AllowedUnsafeSysctls = []string{"*"} }},
		{"client", "capability *, not just the usual", true, func(s *constraints) { s.AllowedCapabilities = []corev1.Capability{"*"} }},
		{"client", "seccomp *, not just the usual", true, func(s *constraints) { s.SeccompProfiles = []string{"*"} }},
		{"client", "volume *, not just the usual", true, func(s *constraints) { s.Volumes = []securityv1.FSType{"*"} }},
		{"client", "its SELinux domain, not just spc_t", true, func(s *constraints) {
			s.SELinuxContext = securityv1.SELinuxContextStrategyOptions{Type: securityv1.SELinuxStrategyRunAsAny}
		}},
	} {
		t.Run(tc.class+" "+tc.permission, func(t *testing.T) {
			wide := mesh.scc(t, "nsm-"+meshNamespace+"-"+tc.class).DeepCopy()
			before := len(openings(t, wide))
			tc.give(wide)
			if isOpen := len(openings(t, wide)) > before; isOpen != tc.isOpen {
				t.Errorf("it is open to anything: %t", isOpen)
			}
			i := slices.IndexFunc(permissions(wide), func(p permission) bool { return p.name == tc.permission })
			if i < 0 {
				t.Fatal("it is not seen at all")
			}
			if pod := mesh.whoNeeds(t, permissions(wide)[i], pods[wide.Name]); pod != "" {
				t.Errorf("it is taken for needed by %s", pod)
			}
		})
	}
}
