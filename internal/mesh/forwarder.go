// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	vppListenOn   = "unix:///listen.on.sock"
	kubeletVolume = "kubelet-socket"
)

// forwarderKind is what the three types of forwarders differ in.
type forwarderKind struct {
	image     string
	container func(release.Facts) release.Container
	hostPID   func(release.Facts) bool
	dnsPolicy func(release.Facts) bool
	env       func(part, nsmv1beta1.ForwarderSpec, release.Facts) []corev1.EnvVar
	volumes   func(release.Facts) []hostMount
	// deviceSelectorEnv names the variable with the device selector's file.
	deviceSelectorEnv string
	// probed: the image holds grpc-health-probe and the address is fixed.
	probed bool
	// nodeByNode: without a probe, Kubernetes would go on to the next node whether or not
	// the new pod forwards anything, and of ovs what is lost on a node does not come back
	// by itself (networkservicemesh/deployments-k8s#9778). So the operator goes from node
	// to node.
	nodeByNode bool
}

// hostMount is a directory of the node and where a forwarder wants it.
type hostMount struct {
	name, host, container string
	pathType              corev1.HostPathType
}

var (
	always = func(release.Facts) bool { return true }
	never  = func(release.Facts) bool { return false }

	deviceMounts = []hostMount{
		// Where the programs look for it (NSM_DEVICE_PLUGIN_PATH, NSM_POD_RESOURCES_PATH).
		// On the node it may be elsewhere.
		{kubeletVolume, UsualKubeletDirectory, UsualKubeletDirectory, corev1.HostPathDirectory},
		{"cgroup", "/sys/fs/cgroup", "/host/sys/fs/cgroup", corev1.HostPathDirectory},
		{"vfio", "/dev/vfio", "/host/dev/vfio", corev1.HostPathDirectoryOrCreate},
	}
)

// hostOVS holds the sockets of the Open vSwitch that OVN-Kubernetes runs on every
// node of OpenShift. Among the node's processes forwarder-ovs finds it, and then
// uses it instead of one of its own (cmd-forwarder-ovs, internal/ovsinit).
var hostOVS = hostMount{"openvswitch", "/var/run/openvswitch", "/var/run/openvswitch", corev1.HostPathDirectoryOrCreate}

// forwarderKinds are apps/forwarder-vpp, -ovs and -sriov.
var forwarderKinds = map[nsmv1beta1.ForwarderType]forwarderKind{
	nsmv1beta1.ForwarderTypeVPP: {
		image:             "cmd-forwarder-vpp",
		container:         func(f release.Facts) release.Container { return f.VPP },
		hostPID:           func(f release.Facts) bool { return f.VPPHostPID },
		dnsPolicy:         func(f release.Facts) bool { return f.ForwarderDNSPolicy },
		env:               part.vppEnv,
		volumes:           vppMounts,
		deviceSelectorEnv: "NSM_DEVICE_SELECTOR_FILE",
		probed:            true,
	},
	nsmv1beta1.ForwarderTypeOVS: {
		image:             "cmd-forwarder-ovs",
		container:         func(f release.Facts) release.Container { return f.OVS },
		hostPID:           always,
		dnsPolicy:         never,
		env:               part.ovsEnv,
		volumes:           func(release.Facts) []hostMount { return nsmAndDevices(corev1.HostPathDirectory) },
		deviceSelectorEnv: "NSM_L2_RESOURCE_SELECTOR_FILE",
		nodeByNode:        true,
	},
	nsmv1beta1.ForwarderTypeSRIOV: {
		image:      "cmd-forwarder-sriov",
		container:  func(f release.Facts) release.Container { return f.SRIOV },
		hostPID:    never,
		dnsPolicy:  func(f release.Facts) bool { return f.ForwarderDNSPolicy },
		env:        part.sriovEnv,
		volumes:    func(release.Facts) []hostMount { return nsmAndDevices(corev1.HostPathDirectory) },
		nodeByNode: true,
	},
}

func nsmAndDevices(nsmType corev1.HostPathType) []hostMount {
	return append([]hostMount{{nsmVolume, nsmDirectory, nsmDirectory, nsmType}}, deviceMounts...)
}

func vppMounts(facts release.Facts) []hostMount {
	mounts := nsmAndDevices(corev1.HostPathDirectoryOrCreate)
	if !facts.VPPDeviceMounts {
		mounts = mounts[:1]
	}
	if facts.VPPExternalMount {
		mounts = append(mounts, hostMount{"vpp", "/var/run/vpp", "/var/run/vpp/external", corev1.HostPathDirectoryOrCreate})
	}
	return mounts
}

// Forwarders are the forwarders that a mesh has: those of its spec, or one of
// type vpp; none without managers. One of a type that the schema does not have is left
// out.
func Forwarders(spec *nsmv1beta1.NSMSpec) []nsmv1beta1.ForwarderSpec {
	if !ManagersEnabled(spec) {
		return nil
	}
	if len(spec.Forwarders) > 0 {
		return slices.DeleteFunc(slices.Clone(spec.Forwarders), func(forwarder nsmv1beta1.ForwarderSpec) bool {
			_, known := forwarderKinds[forwarder.Type]
			return !known
		})
	}
	return []nsmv1beta1.ForwarderSpec{{
		Name: nsmv1beta1.DefaultForwarderName(nsmv1beta1.ForwarderTypeVPP), Type: nsmv1beta1.ForwarderTypeVPP,
	}}
}

func forwarders(in Input) []Component {
	var all []Component
	for _, spec := range Forwarders(&in.NSM.Spec) {
		all = append(all, forwarder(in, spec))
	}
	return all
}

func forwarder(in Input, spec nsmv1beta1.ForwarderSpec) Component {
	p := forwarderPart(in, spec)
	kind := forwarderKinds[spec.Type]
	facts := in.Release.Facts()

	container := p.forwarderContainer(kind, spec, facts)
	pod := corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false),
		HostNetwork:                  true,
		HostPID:                      kind.hostPID(facts),
		Volumes:                      []corev1.Volume{p.spireVolume()},
	}
	if kind.dnsPolicy(facts) {
		pod.DNSPolicy = corev1.DNSClusterFirstWithHostNet
	}
	mounts := kind.volumes(facts)
	if spec.Type == nsmv1beta1.ForwarderTypeOVS && p.Platform.OpenShift {
		mounts = append(mounts, hostOVS)
	}
	for _, mount := range mounts {
		if mount.name == kubeletVolume {
			mount.host = p.KubeletDirectory()
		}
		pod.Volumes = append(pod.Volumes, hostPath(mount.name, mount.host, mount.pathType))
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: mount.name, MountPath: mount.container})
	}
	pod.Containers = []corev1.Container{container}
	template := p.podTemplate(pod)
	p.addFiles(&template, forwarderFiles(kind, spec))
	workload := p.daemonSet(template)
	if kind.nodeByNode {
		workload.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
	}
	return Component{
		Role:       p.role,
		Workload:   workload,
		Others:     []Object{p.serviceAccount()},
		Registers:  p.registers(container),
		NodeByNode: kind.nodeByNode,
	}
}

func forwarderPart(in Input, spec nsmv1beta1.ForwarderSpec) part {
	name := forwarderName(spec)
	return part{
		Input: in, role: RoleForwarder, name: name, app: name, spec: spec.ComponentSpec,
		amd64Only: spec.Type == nsmv1beta1.ForwarderTypeVPP && in.Release.Facts().VPPOnAMD64Only,
	}
}

func forwarderName(spec nsmv1beta1.ForwarderSpec) string {
	return cmp.Or(spec.Name, nsmv1beta1.DefaultForwarderName(spec.Type))
}

func (p part) forwarderContainer(kind forwarderKind, spec nsmv1beta1.ForwarderSpec, facts release.Facts) corev1.Container {
	container := p.container(p.name, kind.image, spec.ContainerSpec, kind.container(facts))
	env := kind.env(p, spec, facts)
	for _, file := range forwarderFiles(kind, spec) {
		env = mergeEnv(env, []corev1.EnvVar{{Name: file.env, Value: file.path()}})
	}
	if len(spec.MechanismPriority) > 0 {
		env = append(env, corev1.EnvVar{Name: "NSM_MECHANISM_PRIORITY", Value: strings.Join(spec.MechanismPriority, ",")})
	}
	env = append(env, p.openTelemetryEnv(facts, "NSM_")...)
	container.Env = mergeEnv(env, spec.Env)
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount()}
	// Nothing less forwards: with capabilities alone a vpp forwarder is ready
	// and fails every request, since /proc/sys is read-only.
	container.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
	if kind.probed {
		setProbes(&container, vppListenOn, facts)
	}
	return container
}

func (p part) vppEnv(spec nsmv1beta1.ForwarderSpec, facts release.Facts) []corev1.EnvVar {
	env := []corev1.EnvVar{p.spireEnv()}
	env = append(env, p.logLevelEnv(facts.VPP)...)
	env = append(env, tunnelIPEnv(spec)...)
	env = append(env,
		corev1.EnvVar{Name: "NSM_CONNECT_TO", Value: "unix:///var/lib/networkservicemesh/nsm.io.sock"},
		corev1.EnvVar{Name: "NSM_LISTEN_ON", Value: vppListenOn},
		fieldEnv("NSM_NAME", "metadata.name"))
	env = append(env, p.pprofEnv(facts)...)
	if spec.VPP != nil && spec.VPP.Init != "" && facts.VPPInit {
		env = append(env, corev1.EnvVar{Name: "NSM_VPP_INIT", Value: string(spec.VPP.Init)})
	}
	return append(env, p.prometheusEnv(facts)...)
}

func (p part) ovsEnv(spec nsmv1beta1.ForwarderSpec, facts release.Facts) []corev1.EnvVar {
	bridge := ptr.Deref(spec.OVS, nsmv1beta1.OVSSpec{}).Bridge
	env := []corev1.EnvVar{
		fieldEnv("NSM_NAME", "metadata.name"),
		p.spireEnv(),
		{Name: "NSM_CONNECT_TO", Value: "unix:///var/lib/networkservicemesh/nsm.io.sock"},
		{Name: "NSM_SRIOV_CONFIG_FILE", Value: nsmDirectory + "/smartnic.config"},
	}
	env = append(env, p.logLevelEnv(facts.OVS)...)
	env = append(env, corev1.EnvVar{Name: "NSM_BRIDGE_NAME", Value: cmp.Or(bridge, "br-nsm")})
	if bridge != "" {
		// The name that the release really reads, which the manifests got wrong
		// for long.
		env = mergeEnv(env, []corev1.EnvVar{{Name: "NSM_" + facts.OVSBridgeEnv, Value: bridge}})
	}
	// Without an address it does not start (cmd-forwarder-ovs, parseTunnelIPCIDR), so
	// that the schema refuses Auto.
	env = append(env, nodeTunnelIP())
	return append(env, p.pprofEnvOnRequest(facts)...)
}

func (p part) sriovEnv(_ nsmv1beta1.ForwarderSpec, facts release.Facts) []corev1.EnvVar {
	env := []corev1.EnvVar{
		fieldEnv("NSM_NAME", "metadata.name"),
		p.spireEnv(),
		{Name: "NSM_CONNECT_TO", Value: "unix:///var/lib/networkservicemesh/nsm.io.sock"},
	}
	env = append(env, p.logLevelEnv(facts.SRIOV)...)
	env = append(env, corev1.EnvVar{Name: "NSM_SRIOV_CONFIG_FILE", Value: nsmDirectory + "/sriov.config"})
	return append(env, p.pprofEnvOnRequest(facts)...)
}

func tunnelIPEnv(spec nsmv1beta1.ForwarderSpec) []corev1.EnvVar {
	if spec.TunnelIP == nsmv1beta1.TunnelIPAuto {
		return nil
	}
	return []corev1.EnvVar{nodeTunnelIP()}
}

// nodeTunnelIP is the node's address, which a pod on the host network has.
func nodeTunnelIP() corev1.EnvVar { return fieldEnv("NSM_TUNNEL_IP", "status.podIP") }
