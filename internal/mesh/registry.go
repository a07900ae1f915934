// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

const (
	// RegistryName is the name of the registry's Deployment.
	RegistryName = "nsm-registry"
	// registryService is the name by which NSM itself looks the registry up, in
	// its own and in other domains (sdk, dnsresolve/common.go).
	registryService = "registry"
	registryPort    = 5002
)

// registry renders the registry of either kind (apps/registry-k8s,
// apps/registry-memory).
func registry(in Input) []Component {
	spec := ptr.Deref(in.NSM.Spec.Registry, nsmv1beta1.RegistrySpec{})
	p := part{Input: in, role: RoleRegistry, name: RegistryName, app: "registry", spec: spec.ComponentSpec}
	others := []Object{p.serviceAccount(), p.registryService(spec)}
	if isK8s(spec) {
		others = append(others, p.registryRole()...)
	}
	others = append(others, p.disruptionBudget(spec.Replicas)...)
	return []Component{{Role: p.role, Workload: p.registryDeployment(spec), Others: others}}
}

func isK8s(spec nsmv1beta1.RegistrySpec) bool {
	return cmp.Or(spec.Type, nsmv1beta1.RegistryTypeK8s) == nsmv1beta1.RegistryTypeK8s
}

// KeepsEntries reports whether the registry of a spec keeps its entries in the API.
func KeepsEntries(spec *nsmv1beta1.NSMSpec) bool {
	return isK8s(ptr.Deref(spec.Registry, nsmv1beta1.RegistrySpec{}))
}

// EntriesRoleName is the name of the ClusterRole by which the registry of a mesh
// in a namespace writes its entries; only one that keeps them in the API has it.
func EntriesRoleName(namespace string) string {
	return namespacedRoleName(clusterName(namespace, RegistryName))
}

// EntriesRole is that ClusterRole, which nobody is bound to.
func EntriesRole(in Input) Object {
	p := part{Input: in, role: RoleRegistry, name: RegistryName, app: "registry"}
	return p.entriesRole()[0]
}

// registryRole is what the registry does with its two kinds (sdk-k8s,
// pkg/registry/etcd): it reads those of all namespaces, and writes those of its own.
func (p part) registryRole() []Object {
	return append(p.clusterRole(entriesRule("list", "watch")), p.entriesRole()...)
}

// entriesRole is a ClusterRole, and the RoleBinding that makes it the registry's.
func (p part) entriesRole() []Object {
	return p.namespacedRole(entriesRule("get", "create", "update", "delete"))
}

func entriesRule(verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{"networkservicemesh.io"}, Resources: []string{"networkservices", "networkserviceendpoints"}, Verbs: verbs,
	}
}

func (p part) registryService(spec nsmv1beta1.RegistrySpec) *corev1.Service {
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: p.meta(registryService),
		Spec: corev1.ServiceSpec{
			Type:     cmp.Or(spec.ServiceType, corev1.ServiceTypeClusterIP),
			Selector: p.selector(),
			Ports: []corev1.ServicePort{{
				Name:       registryService,
				Protocol:   corev1.ProtocolTCP,
				Port:       registryPort,
				TargetPort: intstr.FromInt32(registryPort),
			}},
		},
	}
	service.Annotations = mergeMaps(service.Annotations, users(spec.ServiceAnnotations))
	if ptr.Deref(spec.Replicas, 1) > 1 {
		// Endpoints flap when a client meets another registry at each refresh
		// (deployments-k8s#6779).
		service.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	return service
}

func (p part) registryDeployment(spec nsmv1beta1.RegistrySpec) *appsv1.Deployment {
	deployment := p.deployment(p.podTemplate(corev1.PodSpec{
		AutomountServiceAccountToken: ptr.To(isK8s(spec)),
		SecurityContext:              p.nonRootUser(),
		Containers:                   []corev1.Container{p.registryContainer(spec)},
		Volumes:                      []corev1.Volume{p.spireVolume()},
	}))
	deployment.Spec.Strategy = registryStrategy(spec)
	p.replicate(deployment, spec.Replicas)
	return deployment
}

// registryStrategy never lets two memory registries live side by side, and
// never leaves the mesh without a k8s one.
func registryStrategy(spec nsmv1beta1.RegistrySpec) appsv1.DeploymentStrategy {
	if !isK8s(spec) {
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	return rollingStrategy()
}

func (p part) registryContainer(spec nsmv1beta1.RegistrySpec) corev1.Container {
	facts := p.Release.Facts()
	published, image := facts.RegistryK8s, "cmd-registry-k8s"
	if !isK8s(spec) {
		published, image = facts.RegistryMemory, "cmd-registry-memory"
	}
	container := p.container("registry", image, spec.ContainerSpec, published)
	container.Env = mergeEnv(p.registryEnv(spec, facts, published), spec.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: registryPort, Protocol: corev1.ProtocolTCP}}
	container.VolumeMounts = []corev1.VolumeMount{p.spireMount()}
	container.SecurityContext = confined()
	container.ReadinessProbe = registryProbe(spec, facts)
	return container
}

// registryProbe asks the server itself where the image holds a program for that.
// It makes a registry ready and never restarts one: without SPIRE no answer comes
// through, and a memory registry would lose its entries for nothing.
func registryProbe(spec nsmv1beta1.RegistrySpec, facts release.Facts) *corev1.Probe {
	if isK8s(spec) || !facts.RegistryMemoryProbe {
		return openPort(registryPort)
	}
	probe := grpcHealthProbe(fmt.Sprintf(":%d", registryPort))
	probe.PeriodSeconds, probe.TimeoutSeconds = 5, 2
	return probe
}

func (p part) registryEnv(spec nsmv1beta1.RegistrySpec, facts release.Facts, published release.Container) []corev1.EnvVar {
	prefix := published.EnvPrefix
	listenOn := corev1.EnvVar{Name: prefix + "LISTEN_ON", Value: "tcp://:5002"}
	env := []corev1.EnvVar{p.spireEnv()}
	if !isK8s(spec) {
		env = append(env, listenOn)
		env = append(env, p.logLevelEnv(published)...)
		env = append(env, corev1.EnvVar{Name: prefix + "PROXY_REGISTRY_URL", Value: facts.RegistryMemoryProxyURL})
		env = append(env, p.pprofEnvOnRequest(facts)...)
		return append(env, p.openTelemetryEnv(facts, prefix)...)
	}
	env = append(env, fieldEnv(prefix+"NAMESPACE", "metadata.namespace"))
	env = append(env, p.logLevelEnv(published)...)
	env = append(env, listenOn,
		corev1.EnvVar{Name: prefix + "PROXY_REGISTRY_URL", Value: facts.RegistryK8sProxyURL})
	env = append(env, p.pprofEnv(facts)...)
	return append(env, p.openTelemetryEnv(facts, prefix)...)
}
