// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	// NsmgrName is the name of the managers' DaemonSet.
	NsmgrName = "nsmgr"

	excludePrefixesName      = "exclude-prefixes"
	excludePrefixesVolume    = "exclude-prefixes-volume"
	excludePrefixesDirectory = nsmDirectory + "/config/"
	nsmgrPort                = 5001
)

// ManagersEnabled reports whether the mesh has managers, and all that needs them. Else
// it is a registry alone.
func ManagersEnabled(spec *nsmv1beta1.NSMSpec) bool {
	return ptr.Deref(ptr.Deref(spec.Nsmgr, nsmv1beta1.NsmgrSpec{}).Enabled, true)
}

// nsmgr renders the network service managers (apps/nsmgr).
func nsmgr(in Input) []Component {
	if !ManagersEnabled(&in.NSM.Spec) {
		return nil
	}
	spec := ptr.Deref(in.NSM.Spec.Nsmgr, nsmv1beta1.NsmgrSpec{})
	p := part{Input: in, role: RoleManager, name: NsmgrName, app: NsmgrName, spec: spec.ComponentSpec}
	facts := in.Release.Facts()

	containers := []corev1.Container{p.nsmgrContainer(spec, facts)}
	volumes := []corev1.Volume{
		p.spireVolume(),
		hostPath(nsmVolume, nsmDirectory, corev1.HostPathDirectoryOrCreate),
	}
	others := []Object{p.serviceAccount()}
	if facts.ExcludePrefixes.Exists() {
		containers = append(containers, p.excludePrefixesContainer(spec, facts.ExcludePrefixes))
		volumes = append(volumes, corev1.Volume{Name: excludePrefixesVolume, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{},
		}})
		others = append(others, p.clusterRole(excludePrefixesRules(facts)...)...)
	}
	template := p.podTemplate(corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(facts.ExcludePrefixes.Exists()),
		Containers:                   containers,
		Volumes:                      volumes,
	})
	return []Component{{Role: p.role, Workload: p.daemonSet(template), Others: others}}
}

// excludePrefixesRules are what the sidecar reads (cmd-exclude-prefixes-k8s,
// internal/prefixcollector/prefixsource): kubeadm-config and its own input, for
// which it watches all ConfigMaps of two namespaces without naming them, and the
// networks of nodes and Services. It writes to a file, so it may write nothing
// here. nsmgr itself asks the API server nothing.
func excludePrefixesRules(facts release.Facts) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"nodes", "services"}, Verbs: []string{"watch"}},
	}
	if facts.ExcludePrefixesListsNamespaces {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}})
	}
	return rules
}

func (p part) nsmgrContainer(spec nsmv1beta1.NsmgrSpec, facts release.Facts) corev1.Container {
	container := p.container(NsmgrName, "cmd-nsmgr", spec.ContainerSpec, facts.Nsmgr)
	env := []corev1.EnvVar{p.spireEnv(), fieldEnv("NSM_NAME", "metadata.name")}
	env = append(env, p.logLevelEnv(facts.Nsmgr)...)
	env = append(env, p.pprofEnv(facts)...)
	env = append(env,
		corev1.EnvVar{Name: "NSM_REGISTRY_URL", Value: "registry:5002"},
		fieldEnv("POD_IP", "status.podIP"),
		corev1.EnvVar{Name: "NSM_LISTEN_ON", Value: facts.NsmgrListenOn},
		fieldEnv("NODE_NAME", "spec.nodeName"),
	)
	env = append(env, p.openTelemetryEnv(facts, "NSM_")...)
	container.Env = mergeEnv(env, spec.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: nsmgrPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount(), {Name: nsmVolume, MountPath: nsmDirectory}}
	if facts.ExcludePrefixes.Exists() {
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: excludePrefixesVolume, MountPath: excludePrefixesDirectory})
	}
	container.SecurityContext = confined()
	setProbes(&container, facts.NsmgrProbeAddress, facts)
	return container
}

func (p part) excludePrefixesContainer(spec nsmv1beta1.NsmgrSpec, published release.Container) corev1.Container {
	user := ptr.Deref(spec.ExcludePrefixes, nsmv1beta1.ContainerSpec{})
	container := p.container(excludePrefixesName, "cmd-exclude-prefixes-k8s", user, published)
	env := p.logLevelEnv(published)
	prefixes := slices.Clone(spec.ExcludedPrefixes)
	if p.Platform.Networks != "" {
		prefixes = append(prefixes, strings.Split(p.Platform.Networks, ",")...)
	}
	if len(prefixes) > 0 {
		env = append(env, corev1.EnvVar{Name: "NSM_EXCLUDED_PREFIXES", Value: strings.Join(prefixes, ",")})
	}
	container.Env = mergeEnv(env, user.Env)
	container.VolumeMounts = []corev1.VolumeMount{{Name: excludePrefixesVolume, MountPath: excludePrefixesDirectory}}
	container.SecurityContext = confined()
	return container
}
