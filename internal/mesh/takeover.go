// Copyright (c) 2026 The NSM operator authors
//
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0; see the file LICENSE.

package mesh

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	nsmv1beta1 "github.com/networkservicemesh/nsm-operator/apis/v1beta1"
)

const (
	// TakeOverAnnotation on an NSM, with the value TakeOverValue, lets the operator
	// replace the mesh that somebody has put into the NSM's namespace by NSM's own
	// manifests.
	TakeOverAnnotation = "nsm.networkservicemesh.io/take-over"
	// TakeOverValue names the risk.
	TakeOverValue = "replace-existing-mesh"
)

// manifestWorkloads are the names of the workloads in NSM's own manifests
// (deployments-k8s, apps, all releases), each with the program that it runs.
var manifestWorkloads = map[string]string{
	"admission-webhook-k8s": "cmd-admission-webhook-k8s",
	"cluster-info":          "cmd-cluster-info-k8s",
	"forwarder-ovs":         "cmd-forwarder-ovs",
	"forwarder-sriov":       "cmd-forwarder-sriov",
	"forwarder-vpp":         "cmd-forwarder-vpp",
	"nsm-csi":               "cmd-csi-driver",
	"nsmgr":                 "cmd-nsmgr",
	"nsmgr-proxy":           "cmd-nsmgr-proxy",
	"registry":              "cmd-registry-memory",
	"registry-k8s":          "cmd-registry-k8s",
	"registry-proxy":        "cmd-registry-proxy-dns",
	"vl3-ipam":              "cmd-ipam-vl3",
}

// manifestServices are the Services in NSM's own manifests, each with the label
// app of the pods that it selects, by that alone.
var manifestServices = map[string]string{
	"admission-webhook-svc": "admission-webhook-k8s",
	"dashboard-backend":     "dashboard",
	"dashboard-ui":          "dashboard",
	"nsmgr-proxy":           "nsmgr-proxy",
	"registry":              "registry",
	"registry-proxy":        "registry-proxy",
	"vl3-ipam":              "vl3-ipam",
}

// EarlierRegistryService is the name by which the managers of the operator's releases
// 1.8 and 1.9 find the registry.
const EarlierRegistryService = "nsm-registry-svc"

// KeptEntries reports whether a Deployment of the operator's releases 1.8 and 1.9 is a
// registry that keeps its entries in the API: by its program, from whatever registry, or
// by the variable that only such a one has.
func KeptEntries(deployment *appsv1.Deployment) bool {
	return deployment.Name == RegistryName && slices.ContainsFunc(deployment.Spec.Template.Spec.Containers, func(container corev1.Container) bool {
		return programOf(container.Image) == "cmd-registry-k8s" ||
			slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool { return variable.Name == "NSM_LISTEN_ON" })
	})
}

// MayTakeOver reports whether the NSM says that the operator may replace a mesh of
// NSM's own manifests.
func MayTakeOver(nsm *nsmv1beta1.NSM) bool {
	return nsm.Annotations[TakeOverAnnotation] == TakeOverValue
}

// IsFromManifests reports whether an object is one of NSM's own manifests, put up by
// hand: a workload of their name that runs their program, from whatever registry,
// or a Service of theirs. What has another controller is that one's.
func IsFromManifests(object metav1.Object) bool {
	if metav1.GetControllerOf(object) != nil {
		return false
	}
	switch object := object.(type) {
	case *appsv1.Deployment:
		return runsManifest(object.Name, object.Spec.Template.Spec)
	case *appsv1.DaemonSet:
		return runsManifest(object.Name, object.Spec.Template.Spec)
	case *corev1.Service:
		app, isKnown := manifestServices[object.Name]
		return isKnown && len(object.Spec.Selector) == 1 && object.Spec.Selector[labelApp] == app
	default:
		return false
	}
}

func runsManifest(name string, pod corev1.PodSpec) bool {
	program, isKnown := manifestWorkloads[name]
	return isKnown && slices.ContainsFunc(pod.Containers, func(container corev1.Container) bool {
		return programOf(container.Image) == program
	})
}

// programOf is the last part of an image's name, without tag and digest.
func programOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	image, _, _ = strings.Cut(image, ":")
	return image
}

// IsShared reports whether a whole cluster shares the objects of a kind: one of
// somebody else's that says the same is used as it is.
func IsShared(kind schema.GroupVersionKind) bool {
	return kind == ClusterPropertyKind || kind.Kind == "CSIDriver"
}
