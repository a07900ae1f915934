// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

// Package mesh turns an NSM into the objects that make it: pure functions from
// data to data. It knows no client, no clock and no environment; what exists in
// a cluster, and when to write, is the concern of others.
//
// A component is one file with a function that renders it, and one line in the
// table parts below.
package mesh

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
	"github.com/networkservicemesh/nsm-operator/internal/release"
)

// Object is any Kubernetes object.
type Object interface {
	metav1.Object
	runtime.Object
}

// Platform is what the rendered objects need to know of the cluster.
type Platform struct {
	// OpenShift chooses the user that a pod runs as.
	OpenShift bool
	// ClusterSPIFFEIDs are served, by SPIRE's controller manager.
	ClusterSPIFFEIDs bool
	// ClusterProperties are served (about.k8s.io).
	ClusterProperties bool
	// PodMonitors are served, by Prometheus' operator.
	PodMonitors bool
	// Networks are the prefixes of the cluster's pods and Services, with commas
	// between them, where the platform tells: NSM's own search finds none on
	// OpenShift.
	Networks string
	// KubeletDirectories are those of the kubelets of all nodes, with commas between
	// them, where the nodes show that one of them has another one than usual.
	KubeletDirectories string
}

// Input is all that the objects of a mesh depend on.
type Input struct {
	// NSM is the mesh: its spec, and the metadata that names and owns objects.
	NSM *nsmv1beta1.NSM
	// Release to run.
	Release release.Release
	// Platform that the mesh runs on.
	Platform Platform
	// RelatedImages redirect images, by NSM's name of the image ("cmd-nsmgr"), for
	// the newest release that the operator knows, or for all where they have {version}
	// in them; and by that with a release ("cmd-nsmgr-v1-17-0").
	RelatedImages map[string]string
	// OperatorNamespace is the operator's own.
	OperatorNamespace string
	// WebhookCertificate of the admission webhook, where NeedsWebhookCertificate
	// or WebhookLeaving says so.
	WebhookCertificate Certificate
	// WebhookServing: the admission webhook answers, or has before. Until then
	// the API server is not told to ask it: nobody's pods wait for an image that
	// cannot be pulled.
	WebhookServing bool
	// WebhookLeaving: pods of the admission webhook still serve the operator's
	// certificate, though Release takes none; they are asked until they are gone.
	WebhookLeaving bool
	// KubeletDirectoryBefore is what the mesh's pods on nodes mount already; "" for
	// nothing. It stays where the nodes have different ones.
	KubeletDirectoryBefore string
	// ClientNamespaces are the namespaces that ClientSelector selects, those that
	// hold no clients all the same included.
	ClientNamespaces []string
	// FileHashes are the hashes of the files that ConfigFiles lists, as far as they
	// are known.
	FileHashes map[ConfigFile]string
}

// Role is what a component is to the mesh.
type Role string

// The roles.
const (
	RoleRegistry  Role = "registry"
	RoleManager   Role = "nsmgr"
	RoleForwarder Role = "forwarder"
	RoleWebhook   Role = "admission-webhook"
	// RoleInterdomain is that of all three components between domains.
	RoleInterdomain Role = "interdomain"
	RoleCSI         Role = "csi-driver"
	RoleVL3         Role = "vl3"
	RoleDashboard   Role = "dashboard"
)

// Component is one part of the mesh: a workload and all that it needs.
type Component struct {
	// Role of the component.
	Role Role
	// Workload is the Deployment or DaemonSet that runs it.
	Workload Object
	// Others are the objects that the workload needs: its ServiceAccount, roles
	// and Services.
	Others []Object
	// Registers: each of its pods serves once the registry has a live
	// NetworkServiceEndpoint for it, in the mesh's namespace (IsEndpointOf).
	Registers bool
	// RegistersItself: its pods register themselves with the API server, each under
	// its own name (IsWebhookPod).
	RegistersItself bool
	// NodeByNode: Kubernetes replaces none of its pods by itself when the workload
	// changes (OnDelete). The operator does, node by node.
	NodeByNode bool
}

// parts are the kinds of components, in the order in which they change to another
// release, each ready before the next: a registry outlives its clients' connections;
// the CSI driver comes before those who mount its volumes; a node's manager comes
// before its forwarders; new clients come after all that serves them, and the
// dashboard, on which nothing depends, comes last.
var parts = []struct {
	role   Role
	render func(Input) []Component
	// condition of the NSM that tells about the role; "" for none of its own.
	condition string
}{
	{RoleRegistry, registry, nsmv1beta1.ConditionRegistryReady},
	{RoleInterdomain, interdomain, nsmv1beta1.ConditionInterdomainReady},
	{RoleVL3, vl3, nsmv1beta1.ConditionVL3Ready},
	{RoleCSI, csiDriver, ""},
	{RoleManager, nsmgr, nsmv1beta1.ConditionManagersReady},
	{RoleForwarder, forwarders, nsmv1beta1.ConditionForwardersReady},
	{RoleWebhook, admissionWebhook, nsmv1beta1.ConditionAdmissionWebhookReady},
	{RoleDashboard, dashboard, nsmv1beta1.ConditionDashboardReady},
}

// Components renders all components of a mesh, in the order in which they change to
// another release.
func Components(in Input) []Component {
	var all []Component
	for _, part := range parts {
		all = append(all, part.render(in)...)
	}
	return isolated(in, constrained(in, all))
}

// Concern is a condition of the NSM that tells about one role.
type Concern struct {
	Role      Role
	Condition string
}

// Concerns are all of them.
func Concerns() []Concern {
	var concerns []Concern
	for _, part := range parts {
		if part.condition != "" {
			concerns = append(concerns, Concern{part.role, part.condition})
		}
	}
	return concerns
}

// Objects lists the objects of components.
func Objects(components []Component) []Object {
	var objects []Object
	for _, component := range components {
		objects = append(objects, component.Others...)
		objects = append(objects, component.Workload)
	}
	return objects
}
