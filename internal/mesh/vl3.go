// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"net/netip"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	vl3IPAMPort = 5006
	// defaultVL3Prefix is NSM's own, in its manifests from v1.6.1 on.
	defaultVL3Prefix = "172.16.0.0/16"
	// defaultClientPrefixLength is the program's own, for IPv4 (cmd-ipam-vl3, main.go).
	defaultClientPrefixLength = 24
	// defaultIPv6ClientPrefixLength is that of NSM's example (deployments-k8s,
	// examples/features/vl3-ipv6).
	defaultIPv6ClientPrefixLength = 112
)

// VL3IPAMs are the IP address managers of a spec.
func VL3IPAMs(spec *nsmv1beta1.NSMSpec) []nsmv1beta1.VL3IPAMSpec {
	switch {
	case spec.VL3 == nil:
		return nil
	case len(spec.VL3.IPAMs) == 0:
		return []nsmv1beta1.VL3IPAMSpec{{}}
	default:
		return spec.VL3.IPAMs
	}
}

// vl3 renders the IP address managers of vL3 networks (apps/vl3-ipam).
func vl3(in Input) []Component {
	facts := in.Release.Facts()
	if !facts.VL3IPAM.Exists() {
		return nil
	}
	var components []Component
	for _, spec := range VL3IPAMs(&in.NSM.Spec) {
		components = append(components, vl3IPAM(in, spec, facts))
	}
	return components
}

func vl3IPAMName(spec nsmv1beta1.VL3IPAMSpec) string {
	return cmp.Or(spec.Name, nsmv1beta1.DefaultVL3IPAMName)
}

func vl3IPAM(in Input, spec nsmv1beta1.VL3IPAMSpec, facts release.Facts) Component {
	name := vl3IPAMName(spec)
	p := part{Input: in, role: RoleVL3, name: name, app: name, spec: spec.ComponentSpec}
	deployment := p.deployment(p.podTemplate(corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false),
		SecurityContext:              p.nonRootUser(),
		Containers:                   []corev1.Container{p.vl3IPAMContainer(spec, facts)},
		Volumes:                      []corev1.Volume{p.spireVolume()},
	}))
	// What has been given out is in the memory of one process: a second one beside it
	// would give it out again.
	deployment.Spec.Replicas = ptr.To(int32(1))
	deployment.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}

	service := p.service(vl3IPAMPort, cmp.Or(spec.ServiceType, corev1.ServiceTypeClusterIP))
	service.Spec.Ports[0].Name = "vl3-ipam"
	service.Annotations = mergeMaps(service.Annotations, users(spec.ServiceAnnotations))
	return Component{Role: p.role, Workload: deployment, Others: []Object{p.serviceAccount(), service}}
}

func (p part) vl3IPAMContainer(spec nsmv1beta1.VL3IPAMSpec, facts release.Facts) corev1.Container {
	container := p.container("vl3-ipam", "cmd-ipam-vl3", spec.ContainerSpec, facts.VL3IPAM)
	env := []corev1.EnvVar{
		p.spireEnv(),
		{Name: "NSM_LISTEN_ON", Value: "tcp://:5006"},
		{Name: "NSM_PREFIX", Value: VL3Prefix(spec)},
	}
	if length := VL3ClientPrefixLength(spec); length != defaultClientPrefixLength {
		env = append(env, corev1.EnvVar{Name: "NSM_CLIENT_PREFIX_LEN", Value: strconv.Itoa(length)})
	}
	env = append(env, p.logLevelEnv(facts.VL3IPAM)...)
	env = append(env, p.pprofEnvOnRequest(facts)...)
	env = append(env, p.openTelemetryEnv(facts, facts.VL3IPAM.EnvPrefix)...)
	container.Env = mergeEnv(env, spec.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: vl3IPAMPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount()}
	container.SecurityContext = confined()
	container.ReadinessProbe = openPort(vl3IPAMPort)
	return container
}

// VL3Prefix is the prefix of an IP address manager.
func VL3Prefix(spec nsmv1beta1.VL3IPAMSpec) string { return cmp.Or(spec.Prefix, defaultVL3Prefix) }

// VL3ClientPrefixLength is the length of the blocks that an IP address manager gives
// to endpoints.
func VL3ClientPrefixLength(spec nsmv1beta1.VL3IPAMSpec) int {
	if spec.ClientPrefixLength != nil {
		return int(*spec.ClientPrefixLength)
	}
	if prefix, err := netip.ParsePrefix(VL3Prefix(spec)); err == nil && prefix.Addr().Is6() {
		return defaultIPv6ClientPrefixLength
	}
	return defaultClientPrefixLength
}
