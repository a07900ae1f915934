// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// ClusterInfoConfigMap is the ConfigMap that cluster-info writes to, the only one of
// a mesh.
const ClusterInfoConfigMap = "cluster-info"

const (
	nsmgrProxyName    = "nsmgr-proxy"
	nsmgrProxyPort    = 5004
	registryProxyName = "registry-proxy"
	registryProxyPort = 5005
	clusterInfoName   = ClusterInfoConfigMap

	mapIPName      = "map-ip-k8s"
	mapIPVolume    = "mapip-volume"
	mapIPDirectory = "/etc/mapip"
	mapIPFile      = mapIPDirectory + "/config.yaml"

	// clusterInfoDirectory is where nsmgr-proxy looks for the domain's properties,
	// in the file config.yaml (sdk, networkservice/common/clusterinfo and
	// registry/common/clusterinfo).
	clusterInfoDirectory = "/etc/clusterinfo"
)

// ClusterPropertyKind holds the name of a domain (kubernetes-sigs/about-api).
var ClusterPropertyKind = schema.GroupVersionKind{Group: "about.k8s.io", Version: "v1alpha1", Kind: "ClusterProperty"}

// interdomain renders what connects the mesh with other domains
// (apps/nsmgr-proxy, apps/registry-proxy-dns, apps/cluster-info).
func interdomain(in Input) []Component {
	if in.NSM.Spec.Interdomain == nil {
		return nil
	}
	spec := *in.NSM.Spec.Interdomain
	components := []Component{nsmgrProxy(in, spec), registryProxy(in, spec)}
	if in.Platform.ClusterProperties && in.NamesCluster() {
		components = append(components, clusterInfo(in, spec))
	}
	return components
}

// NamesCluster reports whether the mesh gives its domain a name, in a release that
// can tell it to others.
func (in Input) NamesCluster() bool {
	interdomain := ptr.Deref(in.NSM.Spec.Interdomain, nsmv1beta1.InterdomainSpec{})
	return interdomain.ClusterName != "" && in.Release.Facts().ClusterInfo.Exists()
}

func nsmgrProxy(in Input, spec nsmv1beta1.InterdomainSpec) Component {
	component := ptr.Deref(spec.NsmgrProxy, nsmv1beta1.ComponentSpec{})
	p := part{Input: in, role: RoleInterdomain, name: nsmgrProxyName, app: nsmgrProxyName, spec: component}
	facts := in.Release.Facts()
	template := p.podTemplate(corev1.PodSpec{
		SecurityContext: p.nonRootUser(),
		Containers:      []corev1.Container{p.nsmgrProxyContainer(component, facts), p.mapIPContainer(spec, facts)},
		Volumes: []corev1.Volume{p.spireVolume(), {Name: mapIPVolume, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{},
		}}},
	})
	if in.NamesCluster() {
		mountClusterInfo(&template.Spec)
	}
	service := p.service(nsmgrProxyPort, cmp.Or(spec.ServiceType, corev1.ServiceTypeLoadBalancer))
	service.Annotations = mergeMaps(service.Annotations, users(spec.ServiceAnnotations))
	others := append([]Object{p.serviceAccount(), service}, p.clusterRole(rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list", "watch"}, // map-ip's, main.go
	})...)
	return Component{Role: p.role, Workload: p.deployment(template), Others: others}
}

// mountClusterInfo hands the proxy what cluster-info writes, as NSM's examples do
// (deployments-k8s, examples/interdomain): it labels requests and endpoints with
// it, and does without until it is there.
func mountClusterInfo(pod *corev1.PodSpec) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: clusterInfoName, VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: clusterInfoName}, Optional: ptr.To(true),
		},
	}})
	proxy := &pod.Containers[0]
	proxy.VolumeMounts = append(proxy.VolumeMounts, corev1.VolumeMount{
		Name: clusterInfoName, MountPath: clusterInfoDirectory, ReadOnly: true,
	})
}

func (p part) nsmgrProxyContainer(component nsmv1beta1.ComponentSpec, facts release.Facts) corev1.Container {
	container := p.container(nsmgrProxyName, "cmd-nsmgr-proxy", component.ContainerSpec, facts.NsmgrProxy)
	env := []corev1.EnvVar{p.spireEnv(), fieldEnv("NSM_NAME", "metadata.name")}
	env = append(env, p.logLevelEnv(facts.NsmgrProxy)...)
	env = append(env,
		corev1.EnvVar{Name: "NSM_REGISTRY_URL", Value: "registry:5002"},
		corev1.EnvVar{Name: "NSM_REGISTRY_PROXY_URL", Value: "registry-proxy:5005"},
		corev1.EnvVar{Name: "NSM_LISTEN_ON", Value: "tcp://:5004"},
		fieldEnv("NSM_IP", "status.podIP"),
		corev1.EnvVar{Name: "NSM_MAP_IP_FILE_PATH", Value: mapIPFile})
	env = append(env, p.pprofEnvOnRequest(facts)...)
	env = append(env, p.openTelemetryEnv(facts, "NSM_")...)
	container.Env = mergeEnv(env, component.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: nsmgrProxyPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount(), {Name: mapIPVolume, MountPath: mapIPDirectory}}
	container.SecurityContext = confined()
	container.ReadinessProbe = openPort(nsmgrProxyPort)
	return container
}

func (p part) mapIPContainer(spec nsmv1beta1.InterdomainSpec, facts release.Facts) corev1.Container {
	user := ptr.Deref(spec.MapIP, nsmv1beta1.ContainerSpec{})
	container := p.container(mapIPName, "cmd-map-ip-k8s", user, facts.MapIP)
	env := []corev1.EnvVar{{Name: facts.MapIPOutputEnv, Value: mapIPFile}}
	if facts.MapIPNodeNameEnv != "" {
		env = append(env, fieldEnv(facts.MapIPNodeNameEnv, "spec.nodeName"))
	}
	env = append(env, p.logLevelEnv(facts.MapIP)...)
	container.Env = mergeEnv(env, user.Env)
	container.VolumeMounts = []corev1.VolumeMount{{Name: mapIPVolume, MountPath: mapIPDirectory}}
	container.SecurityContext = confined()
	return container
}

func registryProxy(in Input, spec nsmv1beta1.InterdomainSpec) Component {
	component := ptr.Deref(spec.RegistryProxy, nsmv1beta1.ComponentSpec{})
	p := part{Input: in, role: RoleInterdomain, name: registryProxyName, app: registryProxyName, spec: component}
	facts := in.Release.Facts()

	container := p.container("registry", "cmd-registry-proxy-dns", component.ContainerSpec, facts.RegistryProxy)
	env := []corev1.EnvVar{p.spireEnv(), {Name: "NSM_LISTEN_ON", Value: "tcp://:5005"}}
	env = append(env, p.logLevelEnv(facts.RegistryProxy)...)
	env = append(env, p.pprofEnvOnRequest(facts)...)
	env = append(env, p.openTelemetryEnv(facts, "NSM_")...)
	container.Env = mergeEnv(env, component.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: registryProxyPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount()}
	container.SecurityContext = confined()
	container.ReadinessProbe = openPort(registryProxyPort)
	template := p.podTemplate(corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(false),
		SecurityContext:              p.nonRootUser(),
		Containers:                   []corev1.Container{container},
		Volumes:                      []corev1.Volume{p.spireVolume()},
	})
	return Component{
		Role: p.role, Workload: p.deployment(template),
		Others: []Object{p.serviceAccount(), p.service(registryProxyPort, corev1.ServiceTypeClusterIP)},
	}
}

// clusterInfo publishes the domain's name, which it reads from a ClusterProperty,
// in a ConfigMap.
func clusterInfo(in Input, spec nsmv1beta1.InterdomainSpec) Component {
	component := ptr.Deref(spec.ClusterInfo, nsmv1beta1.ComponentSpec{})
	p := part{Input: in, role: RoleInterdomain, name: clusterInfoName, app: clusterInfoName, spec: component}
	facts := in.Release.Facts()
	container := p.container(clusterInfoName, "cmd-cluster-info-k8s", component.ContainerSpec, facts.ClusterInfo)
	env := []corev1.EnvVar{fieldEnv("NSM_NAMESPACE", "metadata.namespace")}
	env = append(env, p.logLevelEnv(facts.ClusterInfo)...)
	env = append(env, p.pprofEnvOnRequest(facts)...)
	env = append(env, p.clusterInfoTelemetryEnv(facts)...)
	container.Env = mergeEnv(env, component.Env)
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount()}
	container.SecurityContext = confined()
	template := p.podTemplate(corev1.PodSpec{
		SecurityContext: p.nonRootUser(),
		Containers:      []corev1.Container{container},
		Volumes:         []corev1.Volume{p.spireVolume()},
	})
	others := []Object{p.serviceAccount(), p.clusterProperty(spec.ClusterName), p.clusterInfoConfigMap()}
	others = append(others, p.clusterRole(rbacv1.PolicyRule{
		APIGroups: []string{ClusterPropertyKind.Group}, Resources: []string{"clusterproperties"}, Verbs: []string{"list"},
	})...)
	others = append(others, p.namespacedRole(rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{clusterInfoName},
		Verbs: []string{"get", "update"},
	})...)
	return Component{Role: p.role, Workload: p.deployment(template), Others: others}
}

// clusterInfoConfigMap is empty: cluster-info only updates the ConfigMap that it
// finds, and its data are its own (cmd-cluster-info-k8s, main.go).
func (p part) clusterInfoConfigMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: p.meta(clusterInfoName)}
}

func (p part) clusterProperty(clusterName string) *unstructured.Unstructured {
	property := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"value": clusterName},
	}}
	property.SetGroupVersionKind(ClusterPropertyKind)
	// The name that the about API gives to the property (id.k8s.io).
	property.SetName("id.k8s.io")
	property.SetLabels(p.labels())
	property.SetAnnotations(p.annotations())
	return property
}

func (p part) service(port int32, serviceType corev1.ServiceType) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: p.meta(p.name),
		Spec: corev1.ServiceSpec{
			Type:     serviceType,
			Selector: p.selector(),
			Ports:    []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: port, TargetPort: intstr.FromInt32(port)}},
		},
	}
}

func (p part) deployment(template corev1.PodTemplateSpec) *appsv1.Deployment {
	template.Spec.PriorityClassName = p.priorityClass(clusterCritical)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: p.meta(p.name),
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: p.selector()},
			Strategy: rollingStrategy(),
			Template: template,
		},
	}
}
