// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
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
	// WebhookName is the name of the admission webhook's Deployment.
	WebhookName = "admission-webhook-k8s"
	// WebhookService is the name of its Service.
	WebhookService = "admission-webhook-svc"
	// WebhookSecret holds the serving certificate that the operator issues for it.
	WebhookSecret = "admission-webhook-tls"

	webhookPort = 443
	// webhookGrace is how many seconds a pod serves on when it is to end.
	webhookGrace = 5

	webhookCertificateDir = "/etc/nsm/tls"
	webhookCertVolume     = "tls"
	certificateAnnotation = "nsm.networkservicemesh.io/certificate"

	// What the webhook injects (cmd-admission-webhook-k8s, internal/config).
	containerImagesEnv     = "NSM_CONTAINER_IMAGES"
	initContainerImagesEnv = "NSM_INIT_CONTAINER_IMAGES"
)

// WebhookConfigurationName is the name of the configuration that makes the API
// server call the admission webhook of a namespace.
func WebhookConfigurationName(namespace string) string {
	return "nsm-mutating-webhook-" + namespace
}

// Certificate is a serving certificate, PEM-encoded, and the CAs to trust it
// by: more than one while certificates change.
type Certificate struct {
	CertificateChain, Key, CABundle []byte
	// Served is the fingerprint of the chain, where the chain itself is not known.
	Served string
}

// fingerprint of the chain.
func (c Certificate) fingerprint() string { return cmp.Or(c.Served, Fingerprint(c.CertificateChain)) }

// ServedCertificate is the fingerprint of the chain that the pods of an admission
// webhook's Deployment serve; "" for none of the operator's.
func ServedCertificate(deployment *appsv1.Deployment) string {
	return deployment.Spec.Template.Annotations[certificateAnnotation]
}

// WebhookServerNames are the names under which the API server calls the
// admission webhook of a namespace.
func WebhookServerNames(namespace string) []string {
	return []string{WebhookService + "." + namespace + ".svc"}
}

// NeedsWebhookCertificate reports whether the mesh has an admission webhook that
// takes its certificate from the operator.
func NeedsWebhookCertificate(spec *nsmv1beta1.NSMSpec, nsmRelease release.Release) bool {
	return WebhookEnabled(spec) && nsmRelease.Facts().WebhookCertificate
}

// ServesAlone reports whether all pods of an admission webhook's Deployment serve a
// certificate, and since when: zero where the Deployment does not say. Those of
// older releases have one of their own, which our configuration does not trust.
func ServesAlone(deployment *appsv1.Deployment, certificateChain []byte) (alone bool, since time.Time) {
	status := deployment.Status
	if deployment.Spec.Template.Annotations[certificateAnnotation] != Fingerprint(certificateChain) ||
		status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas < status.Replicas {
		return false, time.Time{}
	}
	for _, condition := range status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing {
			since = condition.LastUpdateTime.Time
		}
	}
	return true, since
}

// MayServeCertificate reports whether pods of a Deployment that have served a
// certificate of the operator's may still be there.
func MayServeCertificate(deployment *appsv1.Deployment) bool {
	status := deployment.Status
	return deployment.Spec.Template.Annotations[certificateAnnotation] != "" ||
		status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas < status.Replicas
}

// webhookPod is how Kubernetes names the pods of the webhook's Deployment: the
// hash of the template and five characters, of letters and digits that make no
// words.
var webhookPod = regexp.MustCompile("^" + WebhookName + "-[bcdfghjklmnpqrstvwxz2456789]+-[bcdfghjklmnpqrstvwxz2456789]{5}$")

// IsWebhookPod reports whether a name is that of a pod of the admission webhook.
// Before v1.12.0 each registers itself with the API server under its own name
// (cmd-admission-webhook-k8s, internal/k8s), where NSM_NAME is not changed.
func IsWebhookPod(name string) bool { return webhookPod.MatchString(name) }

// registersItself reports whether the webhook's pods are to be found in the API as
// configurations that call its Service: the user's own variables may have them
// call something else.
func registersItself(spec nsmv1beta1.AdmissionWebhookSpec, facts release.Facts) bool {
	return !facts.WebhookCertificate &&
		!slices.ContainsFunc([]string{"NSM_NAME", "NSM_NAMESPACE", "NSM_SERVICE_NAME"}, func(name string) bool {
			return hasEnv(spec.Env, name)
		})
}

// WebhookEnabled reports whether the mesh has an admission webhook. The clients that it
// makes need managers.
func WebhookEnabled(spec *nsmv1beta1.NSMSpec) bool {
	return ManagersEnabled(spec) && ptr.Deref(ptr.Deref(spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{}).Enabled, true)
}

// admissionWebhook renders the webhook that makes clients of annotated
// workloads (apps/admission-webhook-k8s). From v1.12.0 on the operator owns its
// certificate and its configuration; older releases register themselves.
func admissionWebhook(in Input) []Component {
	if !WebhookEnabled(&in.NSM.Spec) {
		return nil
	}
	spec := ptr.Deref(in.NSM.Spec.AdmissionWebhook, nsmv1beta1.AdmissionWebhookSpec{})
	p := part{Input: in, role: RoleWebhook, name: WebhookName, app: WebhookName, spec: spec.ComponentSpec}
	facts := in.Release.Facts()

	others := []Object{p.serviceAccount(), p.webhookService()}
	others = append(others, p.clusterRole(webhookRules(facts)...)...)
	others = append(others, p.disruptionBudget(webhookReplicas(spec, facts))...)
	if facts.WebhookCertificate || in.WebhookLeaving {
		others = append(others, p.webhookSecret())
		if in.WebhookServing {
			others = append(others, p.webhookConfiguration(spec))
		}
	}
	return []Component{{
		Role: p.role, Workload: p.webhookDeployment(spec, facts), Others: others,
		RegistersItself: registersItself(spec, facts),
	}}
}

// webhookReplicas is how many pods the webhook has. Before v1.12.0 each of them
// registers itself, so that a second one would be asked, too, and add the same
// containers once more: the API server refuses such a pod.
func webhookReplicas(spec nsmv1beta1.AdmissionWebhookSpec, facts release.Facts) *int32 {
	if !facts.WebhookCertificate {
		return ptr.To(int32(1))
	}
	return ptr.To(ptr.Deref(spec.Replicas, 2))
}

func webhookRules(facts release.Facts) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	if !facts.WebhookCertificate {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{admissionregistrationv1.GroupName},
			Resources: []string{"mutatingwebhookconfigurations"},
			// What its pods do for themselves (cmd-admission-webhook-k8s,
			// internal/k8s), under names that nobody knows before.
			Verbs: []string{"get", "create", "delete"},
		})
	}
	if facts.WebhookReadsNamespaces {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}})
	}
	return rules
}

func (p part) webhookService() *corev1.Service {
	service := p.service(webhookPort, corev1.ServiceTypeClusterIP)
	service.Name = WebhookService
	return service
}

func (p part) webhookSecret() *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: p.meta(WebhookSecret),
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       p.WebhookCertificate.CertificateChain,
			corev1.TLSPrivateKeyKey: p.WebhookCertificate.Key,
			CABundleKey:             p.WebhookCertificate.CABundle,
		},
	}
}

// CABundleKey is the key of the CAs in a Secret with a certificate.
const CABundleKey = "ca.crt"

func (p part) webhookDeployment(spec nsmv1beta1.AdmissionWebhookSpec, facts release.Facts) Object {
	pod := corev1.PodSpec{Containers: []corev1.Container{p.webhookContainer(spec, facts)}}
	annotations := map[string]string{}
	if facts.WebhookCertificate {
		pod.SecurityContext = p.nonRootUser()
		pod.Volumes = []corev1.Volume{{Name: webhookCertVolume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: WebhookSecret},
		}}}
		// The webhook reads its certificate once: another one needs other pods.
		annotations[certificateAnnotation] = p.WebhookCertificate.fingerprint()
	}
	if onHostNetwork(spec) {
		useHostNetwork(&pod)
	} else {
		pod.SecurityContext = withUnprivilegedPorts(pod.SecurityContext)
	}
	template := p.podTemplate(pod)
	template.Annotations = mergeMaps(template.Annotations, annotations)
	// It is no workload of the mesh, so it takes no identity in it.
	delete(template.Labels, labelSpiffeID)
	deployment := p.deployment(template)
	if onHostNetwork(spec) {
		// The port of a node that has an old pod is not free for a new one.
		deployment.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{
			MaxUnavailable: ptr.To(intstr.FromInt32(1)), MaxSurge: ptr.To(intstr.FromInt32(0)),
		}
	}
	p.replicate(deployment, webhookReplicas(spec, facts))
	return deployment
}

func onHostNetwork(spec nsmv1beta1.AdmissionWebhookSpec) bool {
	return ptr.Deref(spec.HostNetwork, false)
}

// useHostNetwork has a pod listen on its node, as root: the kubelet sets no sysctl of
// the node's network, and not every container runtime hands another user the
// capability that the container has.
func useHostNetwork(pod *corev1.PodSpec) {
	pod.HostNetwork, pod.DNSPolicy = true, corev1.DNSClusterFirstWithHostNet
	pod.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To(int64(0))}
	for i := range pod.Containers {
		ports := pod.Containers[i].Ports
		for j := range ports {
			// So that the scheduler finds a node where it is free.
			ports[j].HostPort = ports[j].ContainerPort
		}
	}
}

// withUnprivilegedPorts lets a user that is not root listen on port 443: not
// every container runtime hands it the capability that the container has.
func withUnprivilegedPorts(context *corev1.PodSecurityContext) *corev1.PodSecurityContext {
	if context == nil {
		context = &corev1.PodSecurityContext{}
	}
	context.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: strconv.Itoa(webhookPort)}}
	return context
}

func (p part) webhookContainer(spec nsmv1beta1.AdmissionWebhookSpec, facts release.Facts) corev1.Container {
	container := p.container(WebhookName, "cmd-admission-webhook-k8s", spec.ContainerSpec, facts.Webhook)
	container.Env = mergeEnv(p.webhookEnv(spec, facts), spec.Env)
	container.Ports = []corev1.ContainerPort{{ContainerPort: webhookPort, Protocol: corev1.ProtocolTCP}}
	container.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/ready", Port: intstr.FromInt32(webhookPort), Scheme: corev1.URISchemeHTTPS,
	}}}
	container.SecurityContext = confined()
	container.SecurityContext.Capabilities.Add = []corev1.Capability{"NET_BIND_SERVICE"}
	if facts.WebhookCertificate {
		// Until no API server sends it anything any more. (The ones before take
		// themselves off when they end.)
		container.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: webhookGrace}}}
		container.VolumeMounts = []corev1.VolumeMount{{Name: webhookCertVolume, MountPath: webhookCertificateDir, ReadOnly: true}}
	}
	return container
}

func (p part) webhookEnv(spec nsmv1beta1.AdmissionWebhookSpec, facts release.Facts) []corev1.EnvVar {
	client := ptr.Deref(spec.Client, nsmv1beta1.InjectedClientSpec{})
	env := []corev1.EnvVar{
		p.spireEnv(),
		{Name: "NSM_SERVICE_NAME", Value: WebhookService},
		fieldEnv("NSM_NAME", "metadata.name"),
		fieldEnv("NSM_NAMESPACE", "metadata.namespace"),
		{Name: annotationEnv, Value: ClientAnnotation},
		{Name: containerImagesEnv, Value: p.injectedImage(client.Image, "cmd-nsc")},
		{Name: initContainerImagesEnv, Value: p.injectedImage(client.InitImage, "cmd-nsc-init")},
	}
	if facts.WebhookClientEnv {
		env = append(env,
			corev1.EnvVar{Name: "NSM_LABELS", Value: labelSpiffeID + ":true"},
			corev1.EnvVar{Name: InjectedEnv, Value: p.injectedEnv(client)})
	}
	if facts.WebhookClientResources {
		env = append(env, injectedResources(client)...)
	}
	if facts.WebhookCertificate {
		env = append(env,
			corev1.EnvVar{Name: "NSM_CERT_FILE_PATH", Value: webhookCertificateDir + "/" + corev1.TLSCertKey},
			corev1.EnvVar{Name: "NSM_KEY_FILE_PATH", Value: webhookCertificateDir + "/" + corev1.TLSPrivateKeyKey})
	}
	env = append(env, p.pprofEnvOnRequest(facts)...)
	return append(env, p.openTelemetryEnv(facts, "NSM_")...)
}

// InjectedEnv is the variable with the environment of what the webhook injects.
const InjectedEnv = "NSM_ENVS"

// injectedEnv is the environment of what the webhook injects, in the form that
// it reads: NAME=value, with commas between.
func (p part) injectedEnv(client nsmv1beta1.InjectedClientSpec) string {
	env := []corev1.EnvVar{{Name: "NSM_LOG_LEVEL", Value: p.logLevel()}}
	for _, user := range client.Env {
		env = mergeEnv(env, []corev1.EnvVar{{Name: user.Name, Value: user.Value}})
	}
	pairs := make([]string, 0, len(env))
	for _, variable := range env {
		pairs = append(pairs, variable.Name+"="+variable.Value)
	}
	return strings.Join(pairs, ",")
}

// InjectedClient is what the webhook gives the containers that it injects, where the
// user does not say so (deployments-k8s, apps/admission-webhook-k8s: NSM_SIDECAR_*).
var InjectedClient = release.Container{
	Requests: release.Resources{CPU: "100m", Memory: "40Mi"},
	Limits:   release.Resources{CPU: "200m", Memory: "80Mi"},
}

// injectedImage has a tag: the webhook would name the container after a digest.
func (p part) injectedImage(users, name string) string {
	return WithTag(p.image(nsmv1beta1.ContainerSpec{Image: users}, name), p.Release.String())
}

// InjectedContainerName is the name that the webhook gives the container of an
// image that it injects (cmd-admission-webhook-k8s, nameOf in main.go).
func InjectedContainerName(image string) string {
	name, _, _ := strings.Cut(path.Base(image), ":")
	return name
}

// injectedResources are those of what the webhook injects.
func injectedResources(client nsmv1beta1.InjectedClientSpec) []corev1.EnvVar {
	effective := Resources(InjectedClient, client.Resources)
	value := func(list corev1.ResourceList, name corev1.ResourceName) string {
		quantity := list[name]
		return quantity.String()
	}
	return []corev1.EnvVar{
		{Name: "NSM_SIDECAR_LIMITS_MEMORY", Value: value(effective.Limits, corev1.ResourceMemory)},
		{Name: "NSM_SIDECAR_REQUESTS_MEMORY", Value: value(effective.Requests, corev1.ResourceMemory)},
		{Name: "NSM_SIDECAR_LIMITS_CPU", Value: value(effective.Limits, corev1.ResourceCPU)},
		{Name: "NSM_SIDECAR_REQUESTS_CPU", Value: value(effective.Requests, corev1.ResourceCPU)},
	}
}

// Fingerprint tells one content from another: it is the beginning of a hash, in
// hexadecimal.
func Fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
