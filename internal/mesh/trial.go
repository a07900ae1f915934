// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"maps"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/config/samples"
)

// The roles of a trial's pods, and the names of its containers.
const (
	TrialEndpoint      = "endpoint"
	TrialClient        = "client"
	TrialClientSidecar = "nsc"
	TrialPing          = "ping"
	trialName          = "nsm-check"
	trialInterface     = "nsm-1"
	// TrialManagedBy is the value of LabelManagedBy on all that a trial makes.
	TrialManagedBy = "kubectl-nsm-check"
	// trialUser is the user of pods that may not be root.
	trialUser = 10001
	// trialStop is how long a pod of a trial may take to end.
	trialStop = 5
	// trialPrefix has addresses for the one client.
	trialPrefix = "172.16.1.96/30"
)

// Trial is a client and an endpoint that try a mesh.
type Trial struct {
	// Namespace of the pods.
	Namespace string
	// Name that nobody else has: of the network service, and the beginning of all others.
	Name string
	// EndpointImage takes the place of the release's; "" for that.
	EndpointImage string
	// Connect alone, without a ping.
	ConnectOnly bool
	// Patience with the connection, once the pods run; Life is when the pods end by
	// themselves, should nobody be left to remove them.
	Patience, Life time.Duration
}

// NameOf a pod of the trial, and of its Service.
func (t Trial) NameOf(role string) string { return t.Name + "-" + role }

// TrialLabels are those of all that a trial makes.
func TrialLabels() map[string]string {
	return map[string]string{LabelName: trialName, LabelManagedBy: TrialManagedBy, LabelPartOf: PartOf}
}

// TrialNamespace is the namespace of a trial: one that lets its pods in, and that a
// mesh on OpenShift takes for one of clients.
func TrialNamespace(in Input, trial Trial) *corev1.Namespace {
	labels := TrialLabels()
	if selector := ClientSelector(in); selector != nil {
		maps.Copy(labels, selector.MatchLabels)
	}
	if !in.Platform.OpenShift {
		labels[LabelEnforce] = levelPrivileged
		if in.clientsUseCSI() {
			labels[LabelEnforce] = "restricted"
		}
	}
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: trial.Namespace, Labels: labels},
	}
}

// TrialObjects are what is made in the namespace of a trial, in this order.
func TrialObjects(in Input, trial Trial) []Object {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: trial.Namespace, Name: name, Labels: TrialLabels()}
	}
	account := &corev1.ServiceAccount{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(trial.Name),
		AutomountServiceAccountToken: ptr.To(false),
	}
	// Its name has addresses as long as the endpoint's pod is ready: the client tells by
	// it whether the endpoint runs.
	service := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(trial.NameOf(TrialEndpoint)),
		Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{LabelComponent: TrialEndpoint, labelInstance: trial.Name}},
	}
	return []Object{account, service, in.trialPod(trial, TrialEndpoint), in.trialPod(trial, TrialClient)}
}

// clientsUseCSI reports whether clients reach their sockets by CSI drivers, as far as the
// spec tells: by that of the mesh itself, and by that of SPIRE.
func (in Input) clientsUseCSI() bool {
	return hasCSIDriver(&in.NSM.Spec) && in.Release.Facts().CSIDriver && in.spire().Mount == nsmv1beta1.SpireMountCSI
}

// isTrialConfined reports whether the pods have to run without root and capabilities.
func (in Input) isTrialConfined() bool { return in.Platform.OpenShift || in.clientsUseCSI() }

// trialPod is the endpoint's or the client's.
func (in Input) trialPod(trial Trial, role string) *corev1.Pod {
	labels := TrialLabels()
	maps.Copy(labels, IdentityLabels())
	labels[LabelComponent], labels[labelInstance] = role, trial.Name
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: trial.Namespace, Name: trial.NameOf(role), Labels: labels},
		Spec: corev1.PodSpec{
			ServiceAccountName: trial.Name, AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
			RestartPolicy: corev1.RestartPolicyNever, ActiveDeadlineSeconds: ptr.To(max(1, int64(trial.Life.Seconds()))),
			TerminationGracePeriodSeconds: ptr.To(int64(trialStop)),
			ImagePullSecrets:              in.pullSecrets(),
			SecurityContext:               in.trialSecurity(role),
			Volumes:                       []corev1.Volume{in.spireVolume(), in.managerVolume()},
		},
	}
	if in.Platform.OpenShift {
		pod.Annotations = map[string]string{"openshift.io/required-scc": in.trialSCC()}
	}
	if role == TrialEndpoint {
		pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
		pod.Spec.Containers = []corev1.Container{in.trialEndpointContainer(trial)}
	} else {
		pod.Spec.InitContainers = []corev1.Container{in.trialClientContainer(trial)}
		pod.Spec.Containers = []corev1.Container{in.trialPingContainer(trial)}
	}
	in.scheduleTrial(trial, pod)
	return pod
}

// scheduleTrial puts the pods where managers are, and on two nodes where there are two.
func (in Input) scheduleTrial(trial Trial, pod *corev1.Pod) {
	for _, component := range Components(in) {
		if component.Role == RoleManager {
			managers := PodTemplateOf(component.Workload).Spec
			pod.Spec.NodeSelector, pod.Spec.Tolerations = maps.Clone(managers.NodeSelector), managers.Tolerations
		}
	}
	pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelInstance: trial.Name}},
			},
		}},
	}}
}

func (in Input) trialSCC() string {
	if in.clientsUseCSI() {
		return "restricted-v2"
	}
	return in.sccName(classClient)
}

func (in Input) trialSecurity(role string) *corev1.PodSecurityContext {
	security := &corev1.PodSecurityContext{}
	if in.isTrialConfined() {
		security.RunAsNonRoot = ptr.To(true)
		security.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
		if !in.Platform.OpenShift {
			security.RunAsUser = ptr.To(int64(trialUser))
		}
	}
	if role == TrialClient {
		// Ping without root and without a capability.
		security.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.ping_group_range", Value: "0 2147483647"}}
	}
	return security
}

func (in Input) managerVolume() corev1.Volume {
	if in.clientsUseCSI() {
		return corev1.Volume{Name: nsmVolume, VolumeSource: corev1.VolumeSource{
			CSI: &corev1.CSIVolumeSource{Driver: CSIDriverName, ReadOnly: ptr.To(true)},
		}}
	}
	return hostPath(nsmVolume, nsmDirectory, corev1.HostPathDirectoryOrCreate)
}

// trialContainer has what all containers of a trial have.
func (in Input) trialContainer(name, image string) corev1.Container {
	container := corev1.Container{
		Name: name, Image: image, ImagePullPolicy: in.pullPolicy(), TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		Resources:       Resources(InjectedClient, nil),
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false)},
		VolumeMounts:    []corev1.VolumeMount{in.spireMount(), {Name: nsmVolume, MountPath: nsmDirectory, ReadOnly: true}},
	}
	if in.isTrialConfined() {
		container.SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}
	return container
}

// endpointImage is that of an endpoint that answers pings. It has a shell as well.
func (in Input) endpointImage(trial Trial) string {
	return in.image(nsmv1beta1.ContainerSpec{Image: trial.EndpointImage}, "cmd-nse-icmp-responder")
}

func (in Input) trialEndpointContainer(trial Trial) corev1.Container {
	container := in.trialContainer(TrialEndpoint, in.endpointImage(trial))
	container.Env = []corev1.EnvVar{in.spireEnv()}
	// Releases before v1.1.0 read NSE_*; what a release does not know, it ignores.
	for _, prefix := range []string{"NSE_", "NSM_"} {
		container.Env = append(container.Env,
			corev1.EnvVar{Name: prefix + "NAME", Value: trial.Name},
			corev1.EnvVar{Name: prefix + "CONNECT_TO", Value: "unix://" + nsmDirectory + "/nsm.io.sock"},
			corev1.EnvVar{Name: prefix + "BASE_DIR", Value: "/tmp"},
			corev1.EnvVar{Name: prefix + "SERVICE_NAME", Value: trial.Name},
			corev1.EnvVar{Name: prefix + "SERVICE_NAMES", Value: trial.Name},
			corev1.EnvVar{Name: prefix + "CIDR_PREFIX", Value: trialPrefix},
			corev1.EnvVar{Name: prefix + "UNREGISTER_ITSELF", Value: "true"},
		)
	}
	return container
}

func (in Input) trialClientContainer(trial Trial) corev1.Container {
	webhook := ptr.Deref(in.NSM.Spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
	client := ptr.Deref(webhook.Client, nsmv1beta1.InjectedClientSpec{})
	container := in.trialContainer(TrialClientSidecar, in.image(nsmv1beta1.ContainerSpec{Image: client.Image}, "cmd-nsc"))
	container.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	container.Env = []corev1.EnvVar{
		in.spireEnv(), {Name: "NSM_NAME", Value: trial.NameOf(TrialClient)},
		{Name: "NSM_NETWORK_SERVICES", Value: "kernel://" + trial.Name + "/" + trialInterface},
	}
	if in.isTrialConfined() {
		// Its DNS server needs port 53 and the pod's /etc/resolv.conf, which are root's.
		// Releases before v1.13.1 have no underscores in this name.
		container.Env = append(container.Env,
			corev1.EnvVar{Name: "NSM_LOCALDNSSERVERENABLED", Value: "false"}, corev1.EnvVar{Name: "NSM_LOCAL_DNS_SERVER_ENABLED", Value: "false"})
	}
	return container
}

// trialPingContainer waits for the connection and pings through it, by the script of
// the chart of clients and endpoint.
func (in Input) trialPingContainer(trial Trial) corev1.Container {
	container := in.trialContainer(TrialPing, in.endpointImage(trial))
	container.Command, container.Args = []string{"/bin/sh", "-c"}, []string{samples.Ping}
	container.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
	}
	container.Env = []corev1.EnvVar{
		{Name: "INTERFACE", Value: trialInterface},
		{Name: "SPIRE_SOCKET", Value: strings.TrimPrefix(in.agentSocket(), "unix://")},
		{Name: "MANAGER_SOCKET", Value: nsmDirectory + "/nsm.io.sock"},
		{Name: "REGISTRY", Value: registryService + "." + in.NSM.Namespace},
		{Name: "ENDPOINT", Value: trial.NameOf(TrialEndpoint) + "." + trial.Namespace},
		{Name: "NETWORK_SERVICE", Value: trial.Name},
		{Name: "MESH_NAMESPACE", Value: in.NSM.Namespace},
		fieldEnv("NODE", "spec.nodeName"),
		{Name: "PATIENCE", Value: strconv.Itoa(int(cmp.Or(trial.Patience, 45*time.Second).Seconds()))},
	}
	if trial.ConnectOnly {
		container.Env = append(container.Env, corev1.EnvVar{Name: "CONNECT_ONLY", Value: "true"})
	}
	return container
}
