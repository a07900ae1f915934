// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// SocketDirectory of a node has the sockets of its manager and its forwarders.
const SocketDirectory = "/var/lib/networkservicemesh"

const (
	nsmVolume    = "nsm-socket"
	nsmDirectory = SocketDirectory
	// nonRoot is the user of pods that need no root; OpenShift chooses one itself.
	nonRoot = 1000
)

// image of a container: the user's whole reference; or the one that spec.images has
// for it; or the related image of the release; or NSM's name where spec.images says,
// with the release as tag.
func (in Input) image(spec nsmv1beta1.ContainerSpec, name string) string {
	if spec.Image != "" {
		return release.PublishedImage(spec.Image)
	}
	images := ptr.Deref(in.NSM.Spec.Images, nsmv1beta1.ImagesSpec{})
	published := cmp.Or(images.Registry, "ghcr.io") + "/" +
		cmp.Or(images.Repository, "networkservicemesh") + "/" + name + ":" + in.Release.String()
	return in.redirected(name, in.Release.String(), in.relatedImage(name), published)
}

// relatedImage of the release: its own one, or one that says where the release stands in
// it. Any other is that of the newest release.
func (in Input) relatedImage(name string) string {
	image := in.RelatedImages[name]
	if in.Release.String() != release.Newest().String() && !strings.Contains(image, versionMark) {
		image = ""
	}
	return cmp.Or(in.RelatedImages[name+"-"+strings.ReplaceAll(in.Release.String(), ".", "-")], image)
}

// versionMark stands for the release in an image that holds for all of them.
const versionMark = "{version}"

// redirected is where an image comes from that no component says.
func (in Input) redirected(name, tag, related, published string) string {
	images := ptr.Deref(in.NSM.Spec.Images, nsmv1beta1.ImagesSpec{})
	filled := strings.NewReplacer("{name}", name, versionMark, tag)
	return cmp.Or(images.Overrides[name], filled.Replace(related), filled.Replace(images.Template), published)
}

func (in Input) pullPolicy() corev1.PullPolicy {
	images := ptr.Deref(in.NSM.Spec.Images, nsmv1beta1.ImagesSpec{})
	return cmp.Or(images.PullPolicy, corev1.PullIfNotPresent)
}

func (in Input) pullSecrets() []corev1.LocalObjectReference {
	var secrets []corev1.LocalObjectReference
	for _, secret := range ptr.Deref(in.NSM.Spec.Images, nsmv1beta1.ImagesSpec{}).PullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: secret.Name})
	}
	return secrets
}

func (in Input) logLevel() string {
	return string(cmp.Or(in.NSM.Spec.LogLevel, "INFO"))
}

// logLevelEnv is the log level, where the release's manifest has one, or where
// the container reads one and the NSM gives it.
func (in Input) logLevelEnv(facts release.Container) []corev1.EnvVar {
	if !facts.LogLevel && (!facts.ReadsLogLevel || in.NSM.Spec.LogLevel == "") {
		return nil
	}
	return []corev1.EnvVar{{Name: facts.EnvPrefix + "LOG_LEVEL", Value: in.logLevel()}}
}

// container with what all containers have; the caller adds the rest.
func (in Input) container(name, image string, spec nsmv1beta1.ContainerSpec, facts release.Container) corev1.Container {
	return corev1.Container{
		Name:            name,
		Image:           in.image(spec, image),
		ImagePullPolicy: in.pullPolicy(),
		Resources:       Resources(Defaults(image, facts), spec.Resources),
	}
}

// podTemplate with what all pods have.
func (p part) podTemplate(pod corev1.PodSpec) corev1.PodTemplateSpec {
	pod.ServiceAccountName = p.name
	pod.ImagePullSecrets = p.pullSecrets()
	p.schedule(&pod)
	for i := range pod.InitContainers {
		pod.InitContainers[i].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	}
	for i := range pod.Containers {
		// NSM's programs write to their log alone: so a crash leaves its last words.
		pod.Containers[i].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      p.podLabels(),
			Annotations: users(p.NSM.Spec.PodAnnotations, p.spec.PodAnnotations),
		},
		Spec: pod,
	}
}

// MaxUnavailable is how many nodes, or what part of them, may be without their pod of
// a DaemonSet while it changes.
func MaxUnavailable(spec *nsmv1beta1.NSMSpec) intstr.IntOrString {
	if spec.Upgrade == nil || spec.Upgrade.MaxUnavailable == nil {
		// Kubernetes' own default.
		return intstr.FromInt32(1)
	}
	return *spec.Upgrade.MaxUnavailable
}

func (p part) daemonSet(template corev1.PodTemplateSpec) *appsv1.DaemonSet {
	template.Spec.PriorityClassName = p.priorityClass(nodeCritical)
	daemonSet := &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: p.meta(p.name),
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: p.selector()},
			Template: template,
		},
	}
	if upgrade := p.NSM.Spec.Upgrade; upgrade != nil && upgrade.MaxUnavailable != nil {
		daemonSet.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{
			Type:          appsv1.RollingUpdateDaemonSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: upgrade.MaxUnavailable},
		}
	}
	return daemonSet
}

// mergeEnv puts the user's variables over ours, in place, and those that we do
// not have behind them: the order is stable, since a variable may refer to
// those before it.
func mergeEnv(ours, users []corev1.EnvVar) []corev1.EnvVar {
	merged := slices.Clone(ours)
	for _, env := range users {
		env = *env.DeepCopy()
		if env.ValueFrom != nil && env.ValueFrom.FieldRef != nil {
			env.ValueFrom.FieldRef.APIVersion = cmp.Or(env.ValueFrom.FieldRef.APIVersion, "v1")
		}
		i := slices.IndexFunc(merged, func(e corev1.EnvVar) bool { return e.Name == env.Name })
		if i < 0 {
			merged = append(merged, env)
			continue
		}
		merged[i] = env
	}
	return merged
}

// fieldEnv takes its value from the pod. The API version is what the API server
// would fill in: a reference is compared as a whole.
func fieldEnv(name, fieldPath string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: fieldPath},
	}}
}

func hostPath(name, path string, pathType corev1.HostPathType) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: path, Type: ptr.To(pathType)},
	}}
}

// grpcHealthProbe runs the program that NSM's images hold, over SPIFFE's mTLS.
func grpcHealthProbe(address string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{
		Command: []string{"/bin/grpc-health-probe", "-spiffe", "-addr=" + address},
	}}}
}

// setProbes gives a container NSM's probes, with NSM's timings from the
// release on that has them.
func setProbes(container *corev1.Container, address string, facts release.Facts) {
	container.ReadinessProbe = grpcHealthProbe(address)
	container.LivenessProbe = grpcHealthProbe(address)
	if !facts.ProbeTimings {
		return
	}
	readiness := container.ReadinessProbe
	readiness.FailureThreshold, readiness.SuccessThreshold = 120, 1
	readiness.InitialDelaySeconds, readiness.PeriodSeconds, readiness.TimeoutSeconds = 1, 1, 2

	liveness := container.LivenessProbe
	liveness.FailureThreshold = 25
	liveness.InitialDelaySeconds, liveness.PeriodSeconds, liveness.TimeoutSeconds = 10, 5, 2

	container.StartupProbe = grpcHealthProbe(address)
	container.StartupProbe.FailureThreshold, container.StartupProbe.PeriodSeconds = 25, 5
}

// confined is the security context of a container that needs nothing of its
// node but what is mounted.
func confined() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func (in Input) nonRootUser() *corev1.PodSecurityContext {
	if in.Platform.OpenShift {
		return &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true)}
	}
	return &corev1.PodSecurityContext{
		RunAsNonRoot: ptr.To(true),
		RunAsUser:    ptr.To(int64(nonRoot)),
		RunAsGroup:   ptr.To(int64(nonRoot)),
	}
}

// rollingStrategy never leaves the mesh without a pod.
func rollingStrategy() appsv1.DeploymentStrategy {
	return appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxUnavailable: ptr.To(intstr.FromInt32(0)),
			MaxSurge:       ptr.To(intstr.FromInt32(1)),
		},
	}
}

// mergeMaps puts ours over the user's; nil when there is nothing.
func mergeMaps(user, ours map[string]string) map[string]string {
	if len(user)+len(ours) == 0 {
		return nil
	}
	merged := make(map[string]string, len(user)+len(ours))
	maps.Copy(merged, user)
	maps.Copy(merged, ours)
	return merged
}

// openPort is all that can be known of a server whose image has no program to
// ask it, and whose peers need an identity.
func openPort(port int32) *corev1.Probe {
	return &corev1.Probe{
		PeriodSeconds: 2,
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}},
	}
}
