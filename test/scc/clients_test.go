// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const clientSCC = "nsm-" + meshNamespace + "-client"

// A client with host paths runs in a selected namespace and in no other; with
// CSI it runs anywhere, as restricted-v2.
func TestClients(t *testing.T) {
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

// clientsUseCSI reports whether the mesh offers both of its sockets by CSI.
func (m rendered) clientsUseCSI(t *testing.T) bool {
	t.Helper()
	hasDriver, spireByCSI := false, false
	for _, pod := range m.pods {
		hasDriver = hasDriver || pod.Name == "nsm-csi"
		spireByCSI = spireByCSI || pod.Name == "nsmgr" && slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.CSI != nil })
	}
	return hasDriver && spireByCSI
}

// Other pods of a selected namespace stay as confined as they were.
func TestOtherPodsStayRestricted(t *testing.T) {
	mesh := render(t, meshes()[0].spec)
	pod := in(selectedNamespace, client(t, "csi"))
	withoutVolumes(&pod.Spec)
	admitted, scc, err := mesh.admit(t, pod)
	if err != nil || scc != restricted {
		t.Fatalf("admitted under %q, want %q: %v", scc, restricted, err)
	}
	if options := admitted.Spec.SecurityContext.SELinuxOptions; options.Type != "" {
		t.Errorf("runs in the SELinux domain %s", options.Type)
	}
}

// unwelcome is what a client asks for and must not get.
type unwelcome struct {
	name string
	ask  func(*corev1.PodSpec)
}

// unwelcomes are beyond what restricted-v2 allows, and host paths.
func unwelcomes() []unwelcome {
	yes, root, other := true, int64(0), int64(5000)
	ofPod := func(ask func(*corev1.PodSecurityContext)) func(*corev1.PodSpec) {
		return func(pod *corev1.PodSpec) {
			pod.SecurityContext = &corev1.PodSecurityContext{}
			ask(pod.SecurityContext)
		}
	}
	ofContainer := func(ask func(*corev1.SecurityContext)) func(*corev1.PodSpec) {
		return func(pod *corev1.PodSpec) {
			pod.Containers[0].SecurityContext = &corev1.SecurityContext{}
			ask(pod.Containers[0].SecurityContext)
		}
	}
	capability := func(name corev1.Capability) func(*corev1.PodSpec) {
		return ofContainer(func(s *corev1.SecurityContext) {
			s.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{name}, Drop: []corev1.Capability{"ALL"}}
		})
	}
	volume := func(source corev1.VolumeSource) func(*corev1.PodSpec) {
		return func(pod *corev1.PodSpec) {
			pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "unwelcome", VolumeSource: source})
		}
	}
	unconfined := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	file := "file.json"
	return []unwelcome{
		{"SYS_ADMIN", capability("SYS_ADMIN")},
		{"NET_ADMIN", capability("NET_ADMIN")},
		{"NET_RAW", capability("NET_RAW")},
		{"seccomp Unconfined", ofPod(func(s *corev1.PodSecurityContext) { s.SeccompProfile = unconfined })},
		{"seccomp Unconfined in a container", ofContainer(func(s *corev1.SecurityContext) { s.SeccompProfile = unconfined })},
		{"seccomp by a file", ofContainer(func(s *corev1.SecurityContext) {
			s.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: &file}
		})},
		{"an nfs volume", volume(corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nfs.example.com", Path: "/"}})},
		{"a flexVolume", volume(corev1.VolumeSource{FlexVolume: &corev1.FlexVolumeSource{Driver: "example.com/driver"}})},
		{"an iscsi volume", volume(corev1.VolumeSource{ISCSI: &corev1.ISCSIVolumeSource{TargetPortal: "192.0.2.1", IQN: "iqn.2001-04.com.example:a"}})},
		{"root", ofPod(func(s *corev1.PodSecurityContext) { s.RunAsUser = &root })},
		{"root in a container", ofContainer(func(s *corev1.SecurityContext) { s.RunAsUser = &root })},
		{"a user of no range", ofPod(func(s *corev1.PodSecurityContext) { s.RunAsUser = &other })},
		{"privileged", ofContainer(func(s *corev1.SecurityContext) { s.Privileged = &yes })},
		{"hostNetwork", func(pod *corev1.PodSpec) { pod.HostNetwork = true }},
		{"hostPID", func(pod *corev1.PodSpec) { pod.HostPID = true }},
		{"hostIPC", func(pod *corev1.PodSpec) { pod.HostIPC = true }},
		{"a host port", func(pod *corev1.PodSpec) {
			pod.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
		}},
		{"privilege escalation", ofContainer(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = &yes })},
		{"fsGroup root", ofPod(func(s *corev1.PodSecurityContext) { s.FSGroup = &root })},
		{"an fsGroup of no range", ofPod(func(s *corev1.PodSecurityContext) { s.FSGroup = &other })},
		{"an unsafe sysctl", ofPod(func(s *corev1.PodSecurityContext) {
			s.Sysctls = []corev1.Sysctl{{Name: "net.core.somaxconn", Value: "1024"}}
		})},
		{"another SELinux domain", ofPod(func(s *corev1.PodSecurityContext) { s.SELinuxOptions = &corev1.SELinuxOptions{Type: "unconfined_t"} })},
		{"another SELinux level", ofPod(func(s *corev1.PodSecurityContext) {
			s.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t", Level: "s0"}
		})},
	}
}

// In a selected namespace nobody gets more than host paths and what he had: with
// host paths and without, under no SCC that he may use. The SCC that allows all
// is the proof that nothing else is wrong with the pod.
func TestClientsAreRefusedMore(t *testing.T) {
	for _, version := range releases {
		mesh := render(t, map[string]any{"version": version, "openshift": map[string]any{"clientNamespaces": map[string]any{}}})
		for _, tc := range unwelcomes() {
			t.Run(version+"/"+tc.name, func(t *testing.T) {
				for _, usesHost := range []bool{true, false} {
					pod := in(selectedNamespace, client(t, "host-path"))
					if !usesHost {
						withoutVolumes(&pod.Spec)
					}
					if _, scc, err := mesh.admit(t, pod); err != nil || scc == clientSCC != usesHost {
						t.Fatalf("host paths: %t: without it, too, it is admitted under %q: %v", usesHost, scc, err)
					}
					tc.ask(&pod.Spec)
					if _, scc, err := mesh.admit(t, pod); err == nil {
						t.Errorf("host paths: %t: admitted under %s", usesHost, scc)
					}
					if _, scc, err := mesh.admit(t, pinned(pod, clientSCC)); err == nil {
						t.Errorf("host paths: %t: admitted under %s, which it asks for", usesHost, scc)
					}
					if _, scc, _ := mesh.allowing("privileged").admit(t, pod); scc != "privileged" {
						t.Errorf("host paths: %t: not admitted with all permissions either", usesHost)
					}
				}
			})
		}
	}
}

func withoutVolumes(pod *corev1.PodSpec) {
	pod.Volumes = nil
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			containers[i].VolumeMounts = nil
		}
	}
}
