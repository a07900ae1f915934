// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/mesh"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// generator makes meshes that the API server would take, the same for the same
// seed.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, 0))}
}

// maybe is true half of the time.
func (g generator) maybe() bool { return g.IntN(2) == 0 }

// oneOf values.
func oneOf[T any](g generator, values ...T) T { return values[g.IntN(len(values))] }

// sometimes a value, else the zero one.
func sometimes[T any](g generator, value func() T) T {
	var none T
	if g.maybe() {
		return none
	}
	return value()
}

// name is a DNS label; sometimes as long as it may be.
func (g generator) name(longest int) string {
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789"
	length := 1 + g.IntN(8)
	if g.IntN(4) == 0 {
		length = longest
	}
	var name strings.Builder
	for range length {
		name.WriteByte(characters[g.IntN(len(characters))])
	}
	return name.String()
}

func (g generator) input() mesh.Input {
	version := oneOf(g, append(release.Known(), release.Newest().String(), "v1.19.0-rc.1", "v1.7.2")...)
	nsmRelease, err := release.Parse(version)
	if err != nil {
		panic(version + " " + err.Error())
	}
	return mesh.Input{
		NSM: &nsmv1beta1.NSM{
			ObjectMeta: metav1.ObjectMeta{
				Name: g.name(63), Namespace: g.name(63), UID: types.UID(g.name(36)),
			},
			Spec: g.spec(version),
		},
		Release:            nsmRelease,
		Platform:           mesh.Platform{OpenShift: g.maybe(), ClusterSPIFFEIDs: g.maybe(), ClusterProperties: g.maybe(), PodMonitors: g.maybe()},
		OperatorNamespace:  oneOf(g, "", "nsm-operator-system"),
		WebhookCertificate: testCertificate(),
		WebhookServing:     g.maybe(),
	}
}

func (g generator) spec(version string) nsmv1beta1.NSMSpec {
	spec := nsmv1beta1.NSMSpec{
		Version:          version,
		Images:           sometimes(g, g.images),
		LogLevel:         oneOf[nsmv1beta1.LogLevel](g, "", "TRACE", "WARN"),
		Labels:           sometimes(g, func() map[string]string { return map[string]string{"cost-centre": "1", "app.kubernetes.io/name": "x"} }),
		PodLabels:        sometimes(g, func() map[string]string { return map[string]string{"cost-centre": "1", "app": "x"} }),
		NodeSelector:     sometimes(g, g.nodeSelector),
		Tolerations:      sometimes(g, g.tolerations),
		KubeletDirectory: oneOf(g, "", "/data/kubelet"),
		Spire:            sometimes(g, g.spire),
		Registry:         sometimes(g, g.registry),
		Nsmgr:            sometimes(g, g.nsmgr),
		Forwarders:       sometimes(g, g.forwarders),
		AdmissionWebhook: sometimes(g, g.admissionWebhook),
		CSIDriver:        sometimes(g, g.csiDriver),
		Interdomain:      sometimes(g, g.interdomain),
		VL3:              sometimes(g, g.vl3),
		Dashboard:        sometimes(g, g.dashboard),
		Telemetry:        sometimes(g, g.telemetry),
		Upgrade: sometimes(g, func() *nsmv1beta1.UpgradeSpec {
			return &nsmv1beta1.UpgradeSpec{MaxUnavailable: ptr.To(oneOf(g, intstr.FromInt32(2), intstr.FromString("10%")))}
		}),
		NetworkPolicy:     oneOf(g, "", nsmv1beta1.NetworkPolicyNone, nsmv1beta1.NetworkPolicyManaged, nsmv1beta1.NetworkPolicyManaged),
		PriorityClassName: oneOf(g, "", "system-cluster-critical", mesh.NoPriorityClass),
	}
	if !mesh.ManagersEnabled(&spec) {
		spec.Forwarders, spec.AdmissionWebhook, spec.CSIDriver = nil, nil, nil
	}
	return spec
}

func (g generator) nodeSelector() map[string]string {
	return map[string]string{"pool": g.name(10), "a": "b"}
}

func (g generator) tolerations() []corev1.Toleration {
	return []corev1.Toleration{{Key: "pool", Operator: corev1.TolerationOpExists}}
}

func (g generator) images() *nsmv1beta1.ImagesSpec {
	images := &nsmv1beta1.ImagesSpec{
		Overrides:   oneOf(g, nil, map[string]string{"cmd-nsmgr": "example.com/nsmgr:mine"}),
		Registry:    oneOf(g, "", "registry.example.com:5000"),
		Repository:  oneOf(g, "", "a/b"),
		PullPolicy:  oneOf(g, "", corev1.PullAlways, corev1.PullNever),
		PullSecrets: sometimes(g, func() []nsmv1beta1.PullSecret { return []nsmv1beta1.PullSecret{{Name: "one"}, {Name: "two"}} }),
	}
	if images.Registry == "" && images.Repository == "" {
		images.Template = oneOf(g, "", "example.com/nsm-{name}:{version}")
	}
	return images
}

func (g generator) spire() *nsmv1beta1.SpireSpec {
	return &nsmv1beta1.SpireSpec{
		AgentSocket: oneOf(g, "", "unix:///spiffe/agent.sock", "unix:///run/spire/agent-sockets/spire-agent.sock"),
		Mount:       oneOf(g, "", nsmv1beta1.SpireMountHostPath, nsmv1beta1.SpireMountCSI),
		ClassName:   oneOf(g, "", "nsm"),
	}
}

func (g generator) registry() *nsmv1beta1.RegistrySpec {
	spec := &nsmv1beta1.RegistrySpec{
		ComponentSpec: g.component(),
		Type:          oneOf(g, "", nsmv1beta1.RegistryTypeK8s, nsmv1beta1.RegistryTypeMemory),
		ServiceType:   oneOf(g, "", corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer),
	}
	if spec.Type != nsmv1beta1.RegistryTypeMemory && g.maybe() {
		spec.Replicas = ptr.To(int32(1 + g.IntN(5)))
	}
	return spec
}

func (g generator) nsmgr() *nsmv1beta1.NsmgrSpec {
	return &nsmv1beta1.NsmgrSpec{
		ComponentSpec:    g.component(),
		Enabled:          oneOf(g, nil, nil, ptr.To(true), ptr.To(false)),
		ExcludedPrefixes: sometimes(g, func() []string { return []string{"10.0.0.0/8", "fd00::/8"} }),
		ExcludePrefixes:  sometimes(g, func() *nsmv1beta1.ContainerSpec { return ptr.To(g.container()) }),
	}
}

func (g generator) forwarders() []nsmv1beta1.ForwarderSpec {
	var all []nsmv1beta1.ForwarderSpec
	for i := range 1 + g.IntN(4) {
		all = append(all, g.forwarder(i))
	}
	return all
}

func (g generator) forwarder(i int) nsmv1beta1.ForwarderSpec {
	spec := nsmv1beta1.ForwarderSpec{
		ComponentSpec:     g.component(),
		Name:              fmt.Sprintf("%s-%d", g.name(50), i),
		Type:              oneOf(g, nsmv1beta1.ForwarderTypeVPP, nsmv1beta1.ForwarderTypeOVS, nsmv1beta1.ForwarderTypeSRIOV),
		SRIOVConfig:       sometimes(g, func() *nsmv1beta1.FileSource { return g.file("/etc/nsm/sriov.yaml") }),
		TunnelIP:          oneOf(g, "", nsmv1beta1.TunnelIPNode),
		MechanismPriority: sometimes(g, func() []string { return []string{"VXLAN", "WIREGUARD"} }),
	}
	deviceSelector := func() *nsmv1beta1.FileSource { return g.file("/etc/nsm/devices.yaml") }
	switch spec.Type {
	case nsmv1beta1.ForwarderTypeVPP:
		spec.DeviceSelector = sometimes(g, deviceSelector)
		spec.TunnelIP = oneOf(g, spec.TunnelIP, nsmv1beta1.TunnelIPAuto)
		spec.VPP = &nsmv1beta1.VPPSpec{Init: oneOf[nsmv1beta1.VPPInit](g, "", "AF_PACKET", "NONE")}
	case nsmv1beta1.ForwarderTypeOVS:
		spec.DeviceSelector = sometimes(g, deviceSelector)
		spec.OVS = &nsmv1beta1.OVSSpec{Bridge: oneOf(g, "", "br-nsm", "br-ex")}
	case nsmv1beta1.ForwarderTypeSRIOV:
	}
	return spec
}

// file at hostPath, in the directory that a forwarder has anyway, or of a ConfigMap.
func (g generator) file(hostPath string) *nsmv1beta1.FileSource {
	if g.maybe() {
		return &nsmv1beta1.FileSource{HostPath: oneOf(g, hostPath, "/var/lib/networkservicemesh/b.config")}
	}
	return &nsmv1beta1.FileSource{ConfigMap: &nsmv1beta1.ConfigMapKey{Name: "config", Key: oneOf(g, "a.yaml", "b.yaml")}}
}

func (g generator) admissionWebhook() *nsmv1beta1.AdmissionWebhookSpec {
	return &nsmv1beta1.AdmissionWebhookSpec{
		HostNetwork:   oneOf(g, nil, ptr.To(true), ptr.To(false)),
		ComponentSpec: g.component(),
		Enabled:       oneOf(g, nil, ptr.To(true), ptr.To(false)),
		Replicas:      oneOf(g, nil, ptr.To(int32(1)), ptr.To(int32(3))),
		FailurePolicy: oneOf[nsmv1beta1.FailurePolicy](g, "", "Fail", "Ignore"),
		Client: sometimes(g, func() *nsmv1beta1.InjectedClientSpec {
			return &nsmv1beta1.InjectedClientSpec{Env: []nsmv1beta1.InjectedEnvVar{{Name: "NSM_LOG_LEVEL", Value: "WARN"}, {Name: "A", Value: "b"}}}
		}),
	}
}

func (g generator) csiDriver() *nsmv1beta1.CSIDriverSpec {
	return &nsmv1beta1.CSIDriverSpec{
		ComponentSpec: g.component(),
		Registrar:     sometimes(g, func() *nsmv1beta1.ContainerSpec { return ptr.To(g.container()) }),
	}
}

func (g generator) interdomain() *nsmv1beta1.InterdomainSpec {
	component := func() *nsmv1beta1.ComponentSpec { return ptr.To(g.component()) }
	return &nsmv1beta1.InterdomainSpec{
		ClusterName: sometimes(g, func() string { return g.name(63) }),
		NsmgrProxy:  sometimes(g, component), RegistryProxy: sometimes(g, component), ClusterInfo: sometimes(g, component),
		MapIP:         sometimes(g, func() *nsmv1beta1.ContainerSpec { return ptr.To(g.container()) }),
		ServiceType:   oneOf(g, "", corev1.ServiceTypeClusterIP),
		FederatesWith: sometimes(g, func() []string { return []string{"nsm.cluster2", "nsm.cluster3"} }),
	}
}

func (g generator) vl3() *nsmv1beta1.VL3Spec {
	spec := &nsmv1beta1.VL3Spec{}
	for i := range g.IntN(3) {
		spec.IPAMs = append(spec.IPAMs, nsmv1beta1.VL3IPAMSpec{
			ComponentSpec: g.component(), Name: fmt.Sprintf("v%s-%d", g.name(48), i), Prefix: oneOf(g, "", "10.0.0.0/8", "2001:db8::/64"),
			ClientPrefixLength: oneOf(g, nil, ptr.To(int32(28))), ServiceType: oneOf(g, "", corev1.ServiceTypeLoadBalancer),
		})
	}
	return spec
}

func (g generator) dashboard() *nsmv1beta1.DashboardSpec {
	return &nsmv1beta1.DashboardSpec{
		ComponentSpec: g.component(), ServiceType: oneOf(g, "", corev1.ServiceTypeNodePort),
		UI:                     sometimes(g, func() *nsmv1beta1.ContainerSpec { return ptr.To(g.container()) }),
		PollingIntervalSeconds: oneOf(g, nil, ptr.To(int32(60))),
		ServiceAnnotations:     sometimes(g, func() map[string]string { return map[string]string{"example.com/load-balancer": "internal"} }),
	}
}

func (g generator) telemetry() *nsmv1beta1.TelemetrySpec {
	return &nsmv1beta1.TelemetrySpec{
		OpenTelemetry: sometimes(g, func() *nsmv1beta1.OpenTelemetrySpec {
			return &nsmv1beta1.OpenTelemetrySpec{
				Endpoint:       oneOf(g, "", "collector:4317"),
				ExportInterval: sometimes(g, func() *metav1.Duration { return &metav1.Duration{Duration: time.Minute} }),
			}
		}),
		Prometheus: sometimes(g, func() *nsmv1beta1.PrometheusSpec {
			return &nsmv1beta1.PrometheusSpec{Enabled: ptr.To(g.maybe()), Port: oneOf(g, nil, ptr.To(int32(9100))), PodMonitor: ptr.To(g.maybe())}
		}),
		Pprof: sometimes(g, func() *nsmv1beta1.PprofSpec {
			return &nsmv1beta1.PprofSpec{Enabled: ptr.To(g.maybe()), ListenOn: oneOf(g, "", ":6061")}
		}),
	}
}

func (g generator) component() nsmv1beta1.ComponentSpec {
	return nsmv1beta1.ComponentSpec{
		ContainerSpec:     g.container(),
		NodeSelector:      sometimes(g, g.nodeSelector),
		Tolerations:       sometimes(g, g.tolerations),
		Affinity:          sometimes(g, func() *corev1.Affinity { return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}} }),
		PriorityClassName: oneOf(g, "", "system-node-critical", mesh.NoPriorityClass),
		// Some of these are ours, and the names of others.
		PodLabels: sometimes(g, func() map[string]string {
			return map[string]string{
				"team": "net", "app": "nsmgr", "app.kubernetes.io/name": "nsmgr", "app.kubernetes.io/component": "nsmgr",
				"spiffe.io/spiffe-id": "false",
			}
		}),
		Labels: sometimes(g, func() map[string]string {
			return map[string]string{"cost-centre": "42", "app.kubernetes.io/instance": "other", "app.kubernetes.io/managed-by": "other"}
		}),
		Annotations:    sometimes(g, func() map[string]string { return map[string]string{"note": "x"} }),
		PodAnnotations: sometimes(g, func() map[string]string { return map[string]string{"note": "x", "other": "y"} }),
	}
}

// container changes variables that we set, and adds some that we do not.
func (g generator) container() nsmv1beta1.ContainerSpec {
	names := []string{
		"NSM_LOG_LEVEL", "NSM_NAME", "NSM_LISTEN_ON", "NSM_TUNNEL_IP", "NSM_BRIDGE_NAME", "NSM_SRIOV_CONFIG_FILE",
		"NSM_DEVICE_SELECTOR_FILE", "NSM_MECHANISM_PRIORITY", "NSM_VPP_INIT", "NSM_EXCLUDED_PREFIXES", "NSM_PPROF_ENABLED",
		"SPIFFE_ENDPOINT_SOCKET", "TELEMETRY", "PROMETHEUS", "NSM_OPEN_TELEMETRY_ENDPOINT", "REGISTRY_MEMORY_LISTEN_ON", "X", "Y",
	}
	var env []corev1.EnvVar
	for _, i := range g.Perm(len(names))[:g.IntN(len(names))] {
		env = append(env, corev1.EnvVar{Name: names[i], Value: g.name(20)})
	}
	return nsmv1beta1.ContainerSpec{
		Image: oneOf(g, "", "registry.example.com/image:tag"),
		Env:   env,
		Resources: sometimes(g, func() *corev1.ResourceRequirements {
			return &corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")},
				Limits:   corev1.ResourceList{"example.com/device": resource.MustParse("1")},
			}
		}),
	}
}
