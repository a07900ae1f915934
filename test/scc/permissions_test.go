// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package scc_test

import (
	"slices"

	securityv1 "github.com/openshift/api/security/v1"
	corev1 "k8s.io/api/core/v1"
)

// permission is one thing that an SCC allows.
type permission struct {
	name string
	// without is the SCC that does not allow it.
	without *securityv1.SecurityContextConstraints
}

// permissions lists all that an SCC allows beyond the least that there is: a pod
// on its own, without volumes, as a user of the namespace's range, with nothing
// to gain.
func permissions(scc *securityv1.SecurityContextConstraints) []permission {
	var all []permission
	add := func(has bool, name string, take func(*securityv1.SecurityContextConstraints)) {
		if !has {
			return
		}
		without := scc.DeepCopy()
		take(without)
		all = append(all, permission{name, without})
	}
	type constraints = securityv1.SecurityContextConstraints
	add(scc.AllowPrivilegedContainer, "privileged", func(s *constraints) { s.AllowPrivilegedContainer = false })
	add(scc.AllowHostNetwork, "hostNetwork", func(s *constraints) { s.AllowHostNetwork = false })
	add(scc.AllowHostPID, "hostPID", func(s *constraints) { s.AllowHostPID = false })
	add(scc.AllowHostIPC, "hostIPC", func(s *constraints) { s.AllowHostIPC = false })
	add(scc.AllowHostPorts, "hostPorts", func(s *constraints) { s.AllowHostPorts = false })
	add(scc.AllowPrivilegeEscalation == nil || *scc.AllowPrivilegeEscalation, "privilegeEscalation", func(s *constraints) {
		s.AllowPrivilegeEscalation = new(bool)
	})
	add(!scc.ReadOnlyRootFilesystem, "a writable root", func(s *constraints) { s.ReadOnlyRootFilesystem = true })
	add(!slices.Contains(scc.RequiredDropCapabilities, "ALL"), "the default capabilities", func(s *constraints) {
		s.RequiredDropCapabilities = []corev1.Capability{"ALL"}
	})
	add(scc.RunAsUser.Type != securityv1.RunAsUserStrategyMustRunAsRange, "its user", func(s *constraints) {
		s.RunAsUser = securityv1.RunAsUserStrategyOptions{Type: securityv1.RunAsUserStrategyMustRunAsRange}
	})
	add(scc.SELinuxContext.Type != securityv1.SELinuxStrategyMustRunAs || scc.SELinuxContext.SELinuxOptions != nil, "its SELinux domain",
		func(s *constraints) {
			s.SELinuxContext = securityv1.SELinuxContextStrategyOptions{Type: securityv1.SELinuxStrategyMustRunAs}
		})
	add(scc.FSGroup.Type != securityv1.FSGroupStrategyMustRunAs, "any fsGroup", func(s *constraints) {
		s.FSGroup = securityv1.FSGroupStrategyOptions{Type: securityv1.FSGroupStrategyMustRunAs}
	})
	add(scc.SupplementalGroups.Type != securityv1.SupplementalGroupsStrategyMustRunAs, "any supplementalGroups", func(s *constraints) {
		s.SupplementalGroups = securityv1.SupplementalGroupsStrategyOptions{Type: securityv1.SupplementalGroupsStrategyMustRunAs}
	})
	for _, capability := range scc.AllowedCapabilities {
		add(true, "capability "+string(capability), func(s *constraints) { s.AllowedCapabilities = drop(s.AllowedCapabilities, capability) })
	}
	for _, capability := range scc.DefaultAddCapabilities {
		add(true, "default capability "+string(capability), func(s *constraints) {
			s.DefaultAddCapabilities = drop(s.DefaultAddCapabilities, capability)
		})
	}
	for _, profile := range scc.SeccompProfiles {
		add(true, "seccomp "+profile, func(s *constraints) { s.SeccompProfiles = drop(s.SeccompProfiles, profile) })
	}
	for _, name := range scc.AllowedUnsafeSysctls {
		add(true, "sysctl "+name, func(s *constraints) { s.AllowedUnsafeSysctls = drop(s.AllowedUnsafeSysctls, name) })
	}
	for _, volume := range scc.Volumes {
		add(true, "volume "+string(volume), func(s *constraints) {
			s.Volumes = drop(s.Volumes, volume)
			s.AllowHostDirVolumePlugin = slices.Contains(s.Volumes, securityv1.FSTypeHostPath)
		})
	}
	return all
}

// drop one element of a list.
func drop[T comparable](list []T, element T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(other T) bool { return other == element })
}
