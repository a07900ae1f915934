// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	defaultAgentSocket = "unix:///run/spire/sockets/agent.sock"
	spireVolume        = "spire-agent-socket"
	spireCSIDriver     = "csi.spiffe.io"
)

func (in Input) spire() nsmv1beta1.SpireSpec {
	return ptr.Deref(in.NSM.Spec.Spire, nsmv1beta1.SpireSpec{})
}

// SpireOf is what the NSM says of SPIRE.
func SpireOf(in Input) nsmv1beta1.SpireSpec { return in.spire() }

func (in Input) agentSocket() string {
	return cmp.Or(in.spire().AgentSocket, defaultAgentSocket)
}

func (in Input) agentSocketDirectory() string {
	return path.Dir(strings.TrimPrefix(in.agentSocket(), "unix://"))
}

// spireEnv tells a component where the SPIRE agent listens.
func (in Input) spireEnv() corev1.EnvVar {
	return corev1.EnvVar{Name: "SPIFFE_ENDPOINT_SOCKET", Value: in.agentSocket()}
}

// spireVolume brings the socket's directory into the pod: the directory, not
// the socket, which a restarted agent makes anew.
func (in Input) spireVolume() corev1.Volume {
	if in.spire().Mount == nsmv1beta1.SpireMountCSI {
		return corev1.Volume{Name: spireVolume, VolumeSource: corev1.VolumeSource{
			CSI: &corev1.CSIVolumeSource{Driver: spireCSIDriver, ReadOnly: ptr.To(true)},
		}}
	}
	return hostPath(spireVolume, in.agentSocketDirectory(), corev1.HostPathDirectory)
}

func (in Input) spireMount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: spireVolume, MountPath: in.agentSocketDirectory(), ReadOnly: true}
}

// ClusterSPIFFEIDKind registers workloads with SPIRE's controller manager.
var ClusterSPIFFEIDKind = schema.GroupVersionKind{Group: "spire.spiffe.io", Version: "v1alpha1", Kind: "ClusterSPIFFEID"}

// FederationKind tells SPIRE's controller manager of another trust domain.
var FederationKind = schema.GroupVersionKind{Group: "spire.spiffe.io", Version: "v1alpha1", Kind: "ClusterFederatedTrustDomain"}

// FederatesWith are the trust domains that Identities names.
func FederatesWith(in Input) []string {
	if in.NSM.Spec.Interdomain == nil || len(Identities(in)) == 0 {
		return nil
	}
	return in.NSM.Spec.Interdomain.FederatesWith
}

// Identities renders the ClusterSPIFFEID by which SPIRE gives identities to the
// mesh's own workloads and, cluster-wide, to all pods that ask for one by NSM's
// label (deployments-k8s, examples/spire: nsm-workloads).
func Identities(in Input) []Object {
	spire := in.spire()
	if !in.Platform.ClusterSPIFFEIDs || spire.Registration == nsmv1beta1.SpireRegistrationNone {
		return nil
	}
	p := part{Input: in, role: "spire", name: "workloads"}
	spec := map[string]any{
		"spiffeIDTemplate":     "spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/pod/{{ .PodMeta.Name }}",
		"autoPopulateDNSNames": true,
		"podSelector":          map[string]any{"matchLabels": map[string]any{labelSpiffeID: "true"}},
	}
	if spire.ClassName != "" {
		spec["className"] = spire.ClassName
	}
	if interdomain := in.NSM.Spec.Interdomain; interdomain != nil && len(interdomain.FederatesWith) > 0 {
		domains := make([]any, 0, len(interdomain.FederatesWith))
		for _, domain := range interdomain.FederatesWith {
			domains = append(domains, domain)
		}
		spec["federatesWith"] = domains
	}
	identity := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	identity.SetGroupVersionKind(ClusterSPIFFEIDKind)
	// No colon: the name has to be a DNS subdomain.
	identity.SetName("nsm-" + in.NSM.Namespace + "-workloads")
	identity.SetLabels(mergeMaps(p.labels(), classLabels(spire.ClassName)))
	identity.SetAnnotations(p.annotations())
	return []Object{identity}
}

// labelSpireClass is what a controller manager with filterByClassName finds objects
// of its class by. Those without it, it does not see, and deletes their
// registrations (github.com/spiffe/spire-controller-manager, from 0.7 on).
const labelSpireClass = "spire.spiffe.io/class-name"

// classLabels tell a class that fits into a label.
func classLabels(class string) map[string]string {
	if class == "" || len(validation.IsValidLabelValue(class)) > 0 {
		return nil
	}
	return map[string]string{labelSpireClass: class}
}

// hasOtherClass reports whether a ClusterSPIFFEID that a controller manager has handled is to
// have another class. What that controller manager has said of it would stay in its status
// for ever.
func hasOtherClass(live, wanted *unstructured.Unstructured) bool {
	_, isHandled, _ := unstructured.NestedMap(live.Object, "status", "stats")
	return wanted.GroupVersionKind() == ClusterSPIFFEIDKind && isHandled && classOf(live) != classOf(wanted)
}

// classOf a ClusterSPIFFEID; "" for none.
func classOf(identity *unstructured.Unstructured) string {
	class, _, _ := unstructured.NestedString(identity.Object, "spec", "className")
	return class
}

// ignoredBySPIRE are the namespaces that the official SPIRE charts and OpenShift's
// operator for SPIRE leave out (ignoreNamespaces). Each is a regular expression
// without anchors, which a name need only contain.
var ignoredBySPIRE = []*regexp.Regexp{
	regexp.MustCompile("kube-system"), regexp.MustCompile("kube-public"), regexp.MustCompile("local-path-storage"),
	regexp.MustCompile("openshift-.*"), regexp.MustCompile("ibm-.*"),
}

// IgnoredBySPIRE is the pattern by which SPIRE's controller manager ignores a
// namespace, as it is configured by default; "" for none.
func IgnoredBySPIRE(namespace string) string {
	for _, pattern := range ignoredBySPIRE {
		if pattern.MatchString(namespace) {
			return pattern.String()
		}
	}
	return ""
}

// IgnoredClients are the namespaces that the NSM selects for clients and that SPIRE's
// controller manager ignores, as it is configured by default, so that pods there get no
// identity by Identities.
func IgnoredClients(in Input) []string {
	if ClientSelector(in) == nil || len(Identities(in)) == 0 {
		return nil
	}
	return slices.DeleteFunc(in.clients(), func(namespace string) bool { return IgnoredBySPIRE(namespace) == "" })
}
